// Package image_test builds the images with whatever tool is there, looks into
// them and runs what is inside. It needs root: for the tool, and to be another user.
package image_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/tuilivekit-exporter/tuilivekit_exporter/exporter" // what is built: a change makes a cached result void
)

const (
	imageName = "localhost/tuilivekit_exporter-image-test"
	user      = 65532
	maxBytes  = 25_000_000
	// patience only ends a test that hangs.
	patience = 90 * time.Second
)

// image is what an image holds.
type image struct {
	Architecture string
	Config       struct {
		User, WorkingDir string
		Entrypoint       []string
		Labels           map[string]string
		Volumes          map[string]struct{}
	}
	layers [][]byte
	root   string // where its layers are extracted
}

func TestImages(t *testing.T) {
	for _, file := range []string{"Dockerfile", "build.sh", "../deploy.mk", "../../Makefile"} { // so does a change of these
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("make", "--no-print-directory", "-C", "../..", "image", "IMAGE="+imageName, "TAG=test", "VERSION=1.2.3", "ARCHES=amd64 arm64")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make image: %v\n%s", err, output)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			exporter := open(t, imageName+":test-"+arch)
			exporter.check(t, arch, []string{"data", "tuilivekit_exporter"})
			if _, ok := exporter.Config.Volumes["/data"]; !ok || exporter.Config.WorkingDir != "/" {
				t.Errorf("volumes %v, working directory %q: want /data, the default of --storage.path in /", exporter.Config.Volumes, exporter.Config.WorkingDir)
			}
			info, err := os.Stat(filepath.Join(exporter.root, "data"))
			if err != nil {
				t.Fatal(err)
			}
			if owner := info.Sys().(*syscall.Stat_t); owner.Uid != user || owner.Gid != user {
				t.Errorf("/data belongs to %d:%d, want %d", owner.Uid, owner.Gid, user)
			}
			simulator := open(t, imageName+"-roomsim:test-"+arch)
			simulator.check(t, arch, []string{"roomsim"})
			if arch == runtime.GOARCH {
				t.Run("serves", func(t *testing.T) { serves(t, exporter, simulator) })
			}
		})
	}
}

// open returns an image, extracted.
func open(t *testing.T, name string) *image {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "image.tar")
	engine := engine()
	save := exec.Command(engine, "save", "--output", archive, name)
	if engine == "buildah" {
		save = exec.Command(engine, "push", name, "docker-archive:"+archive)
	}
	t.Cleanup(func() {
		_ = exec.Command(engine, "rmi", "--force", name, strings.TrimSuffix(name, "-"+runtime.GOARCH)).Run()
	})
	if output, err := save.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", save, err, output)
	}
	files := map[string][]byte{}
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	eachEntry(t, f, func(header *tar.Header, content []byte) {
		if header.Typeflag == tar.TypeSymlink { // a layer that is there twice
			content = files[filepath.Join(filepath.Dir(header.Name), header.Linkname)]
		}
		files[header.Name] = content
	})
	var manifest []struct {
		Config string
		Layers []string
	}
	decode(t, files["manifest.json"], &manifest)
	i := &image{root: t.TempDir()}
	decode(t, files[manifest[0].Config], i)
	for _, layer := range manifest[0].Layers {
		i.layers = append(i.layers, files[layer])
	}
	i.extract(t)
	return i
}

// engine returns what build.sh builds with.
func engine() string {
	if exec.Command("docker", "info").Run() == nil {
		return "docker"
	}
	if _, err := exec.LookPath("podman"); err == nil {
		return "podman"
	}
	return "buildah"
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func eachEntry(t *testing.T, r io.Reader, do func(*tar.Header, []byte)) {
	t.Helper()
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		do(header, content)
	}
}

// extract writes the layers into the image's root, with owners and modes.
func (i *image) extract(t *testing.T) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(i.root, 0o755))
	for _, layer := range i.layers {
		eachEntry(t, bytes.NewReader(layer), func(header *tar.Header, content []byte) {
			path := filepath.Join(i.root, header.Name)
			switch header.Typeflag {
			case tar.TypeDir:
				must(os.MkdirAll(path, 0o755))
			case tar.TypeReg:
				must(os.MkdirAll(filepath.Dir(path), 0o755))
				must(os.WriteFile(path, content, 0o600))
			default:
				t.Fatalf("%s is neither a file nor a folder", header.Name)
			}
			must(os.Lchown(path, header.Uid, header.Gid))
			must(os.Chmod(path, header.FileInfo().Mode().Perm()))
		})
	}
}

// check checks what all images have in common. The files are those at the top, all there may be.
func (i *image) check(t *testing.T, arch string, files []string) {
	t.Helper()
	if i.Architecture != arch {
		t.Errorf("architecture %s, want %s", i.Architecture, arch)
	}
	if i.Config.User != "65532:65532" {
		t.Errorf("user %q", i.Config.User)
	}
	binary := files[len(files)-1]
	if !slices.Equal(i.Config.Entrypoint, []string{"/" + binary}) {
		t.Errorf("entrypoint %q", i.Config.Entrypoint)
	}
	for label, want := range map[string]string{"title": binary, "version": "1.2.3", "revision": "", "created": "", "licenses": "Apache-2.0", "source": "", "description": "", "vendor": ""} {
		got := i.Config.Labels["org.opencontainers.image."+label]
		if got == "" || want != "" && got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
	if _, err := time.Parse(time.RFC3339, i.Config.Labels["org.opencontainers.image.created"]); err != nil {
		t.Error(err)
	}
	var all []string
	size := 0
	for _, layer := range i.layers {
		size += len(layer)
	}
	if size > maxBytes {
		t.Errorf("%d bytes, want at most %d", size, maxBytes)
	}
	err := filepath.WalkDir(i.root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && path != i.root {
			all = append(all, strings.TrimPrefix(path, i.root+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(all, files) { // and so no shell
		t.Errorf("files %q, want %q", all, files)
	}
}

// serves runs the exporter on a read-only tree but for /data, and the simulator against it.
func serves(t *testing.T, exporter, simulator *image) {
	webhook, web := freeAddress(t), freeAddress(t)
	logs := exporter.run(t, "data", "/tuilivekit_exporter", "--webhook.sdk-app-id=1400000001", "--webhook.listen-address="+webhook, "--web.listen-address="+web)
	scrape := func() string {
		response, err := http.Get("http://" + web + "/metrics")
		if err != nil {
			return ""
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return ""
		}
		return string(text)
	}
	for deadline := time.Now().Add(patience); scrape() == ""; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the exporter does not start:\n%s", logs())
		}
	}
	const rooms = 50
	send := simulator.command("", "/roomsim", "--url=http://"+webhook+"/", fmt.Sprintf("--rooms=%d", rooms), "--timeout=30s")
	if output, err := send.CombinedOutput(); err != nil {
		t.Fatalf("roomsim: %v\n%s", err, output)
	}
	sum := 0
	for line := range strings.Lines(scrape()) {
		if strings.HasPrefix(line, "tuilivekit_rooms_destroyed_total{") {
			var n int
			if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &n); err != nil {
				t.Fatal(err)
			}
			sum += n
		}
	}
	if sum != rooms {
		t.Errorf("%d rooms, want %d\n%s", sum, rooms, logs())
	}
	stored, err := os.ReadDir(filepath.Join(exporter.root, "data"))
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) == 0 {
		t.Error("nothing is stored in /data")
	}
	// The tree is as read-only as it should be: a run that stores elsewhere fails.
	elsewhere := exporter.command("data", "/tuilivekit_exporter", "--webhook.sdk-app-id=1400000001", "--storage.path=/elsewhere")
	if output, err := elsewhere.CombinedOutput(); err == nil || !strings.Contains(string(output), "read-only file system") {
		t.Errorf("outside of /data: %v\n%s", err, output)
	}
}

// command returns a command that runs as the image's user in its root, which is
// read-only but for one folder, and sees nothing else.
func (i *image) command(writable string, args ...string) *exec.Cmd {
	const inside = `
mount --bind "$1" "$1"
if [ -n "$2" ]; then mount --bind "$1/$2" "$1/$2"; fi
mount -o remount,bind,ro "$1"
root=$1
shift 2
exec chroot --userspec=65532:65532 --groups= "$root" "$@"`
	all := append([]string{"--mount", "--propagation=private", "sh", "-euc", inside, "sh", i.root, writable}, args...)
	cmd := exec.Command("unshare", all...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// run starts such a command until the test ends.
func (i *image) run(t *testing.T, writable string, args ...string) (logs func() string) {
	t.Helper()
	cmd := i.command(writable, args...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
	})
	return func() string {
		text, err := os.ReadFile(log.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
