package main_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, "", "tuilivekit_exporter", "--version")
	if code != 0 || !strings.HasPrefix(stdout+stderr, "tuilivekit_exporter, version "+testVersion+" ") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestHelpListsEveryFlag(t *testing.T) {
	t.Parallel()
	flags := []string{
		"config.file", "config.check",
		"webhook.sdk-app-id", "webhook.token-file", "webhook.listen-address", "webhook.systemd-socket", "webhook.config.file",
		"web.listen-address", "web.config.file", "web.telemetry-path",
		"storage.path", "shutdown.await-scrape", "log.level", "log.format",
		"help", "version",
	}
	code, stdout, stderr := run(t, "", "tuilivekit_exporter", "--help")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	var listed []string
	for _, found := range regexp.MustCompile(`(?m)^ {2,6}(?:-h, )?--(?:\[no-\])?([a-z.-]+)`).FindAllStringSubmatch(stdout+stderr, -1) {
		listed = append(listed, found[1])
	}
	slices.Sort(flags)
	slices.Sort(listed)
	if !slices.Equal(listed, flags) {
		t.Errorf("--help lists %s\nwant         %s", listed, flags)
	}
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "sim.token", token)
	for name, test := range map[string]struct {
		content string
		want    string // behind the name of the file; empty: valid
	}{
		"good":               {config("[sim.token]"), ""},
		"unknown key":        {"apps:\n  - sdk_app_id: 1\nwebhook:\n  paht: /\n", ":4: webhook.paht"},
		"duplicate app":      {"apps:\n  - sdk_app_id: 1\n  - sdk_app_id: 1\n", ":3: apps[1].sdk_app_id"},
		"unsorted buckets":   {"apps:\n  - sdk_app_id: 1\nhistograms:\n  buckets:\n    likes: [2, 1]\n", ":5: histograms.buckets.likes[1]"},
		"missing token file": {"apps:\n  - sdk_app_id: 1\n    token_files: [gone.token]\n", ":3: apps[0].token_files[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := writeFile(t, dir, strings.ReplaceAll(name, " ", "-")+".yml", test.content)
			code, stdout, stderr := run(t, "", "tuilivekit_exporter", "--config.check", "--config.file="+file)
			if test.want == "" {
				if code != 0 || stderr != "" || stdout == "" {
					t.Errorf("exit code %d, want 0\n%s%s", code, stdout, stderr)
				}
				return
			}
			if code != 1 || !strings.HasPrefix(stderr, file+test.want+": ") {
				t.Errorf("exit code %d, want 1 and an error with %s\n%s%s", code, test.want, stdout, stderr)
			}
			// The same file must not start either.
			code, _, stderr = run(t, "", "tuilivekit_exporter", withDefaults([]string{"--config.file=" + file})...)
			if code != 1 || !strings.Contains(stderr, test.want) || strings.Contains(stderr, "Listening") {
				t.Errorf("started with exit code %d, want 1 and an error with %s\n%s", code, test.want, stderr)
			}
		})
	}
}

func TestBadCommandLine(t *testing.T) {
	t.Parallel()
	file := writeFile(t, t.TempDir(), "exporter.yml", "apps:\n  - sdk_app_id: 1\n")
	gone := filepath.Join(t.TempDir(), "gone")
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no configuration":   {nil, 2, "--config.file"},
		"only a token file":  {[]string{"--webhook.token-file=" + file}, 2, "--webhook.sdk-app-id"},
		"file and app":       {[]string{"--config.file=" + file, "--webhook.sdk-app-id=1"}, 2, "--webhook.sdk-app-id"},
		"unknown flag":       {[]string{"--config.flie=" + file}, 2, "config.flie"},
		"log level":          {[]string{"--config.file=" + file, "--log.level=loud"}, 2, "loud"},
		"log format":         {[]string{"--config.file=" + file, "--log.format=xml"}, 2, "xml"},
		"no such file":       {[]string{"--config.file=" + gone}, 1, gone},
		"no such token file": {[]string{"--webhook.sdk-app-id=1", "--webhook.token-file=" + gone}, 1, gone},
		"app twice":          {[]string{"--webhook.sdk-app-id=1", "--webhook.sdk-app-id=1"}, 1, "--webhook.sdk-app-id"},
		"telemetry path":     {[]string{"--config.file=" + file, "--web.telemetry-path=metrics"}, 1, "metrics"},
		"address":            {[]string{"--config.file=" + file, "--web.listen-address=nowhere"}, 1, "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, "", "tuilivekit_exporter", withDefaults(test.args)...)
			if code != test.code || !strings.Contains(stderr, test.want) || stdout != "" {
				t.Errorf("exit code %d, want %d and an error with %s\n%s%s", code, test.code, test.want, stdout, stderr)
			}
			if strings.Contains(stderr, "goroutine ") {
				t.Error("the error is a stack")
			}
		})
	}
}

// TestPortInUse takes each of the two ports: whichever it is, the exporter says
// so and leaves nothing behind that would be in the way of the next start.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	storage := filepath.Join(t.TempDir(), "data")
	args := []string{"--webhook.sdk-app-id=" + appID, "--storage.path=" + storage}
	for _, flag := range []string{"--webhook.listen-address", "--web.listen-address"} {
		code, _, stderr := run(t, "", "tuilivekit_exporter", withDefaults(append(args, flag+"="+taken.Addr().String()))...)
		if code != 1 || !strings.Contains(stderr, taken.Addr().String()) || !strings.Contains(stderr, "address already in use") {
			t.Errorf("%s: exit code %d, want 1 and an error with the address\n%s", flag, code, stderr)
		}
		if strings.Contains(stderr, "Listening on") {
			t.Errorf("%s: the other listener was opened\n%s", flag, stderr)
		}
	}
	if status := startExporter(t, args...).destroy("room", ""); status != http.StatusOK {
		t.Errorf("started again: status %d", status)
	}
}

func TestFlagsInsteadOfFile(t *testing.T) {
	t.Parallel()
	e := startExporter(t, "--webhook.sdk-app-id="+appID, "--webhook.sdk-app-id="+otherID,
		"--webhook.token-file="+writeFile(t, t.TempDir(), "one.token", token+"\n"), "--web.telemetry-path=/m")
	if status := e.destroy("room", token); status != http.StatusOK {
		t.Errorf("signed: status %d", status)
	}
	if status := e.destroy("room", "another token"); status != http.StatusForbidden {
		t.Errorf("signed with another token: status %d", status)
	}
	if status := e.destroy("room", ""); status != http.StatusForbidden {
		t.Errorf("not signed: status %d", status)
	}
	metrics := e.get("/m")
	for _, app := range []string{appID, otherID} {
		if want := fmt.Sprintf(`%s{category="none",destroy_type="user",sdk_app_id="%s"} 0`, metricRooms, app); !strings.Contains(metrics, want) {
			t.Errorf("/m lacks %s", want)
		}
	}
	if !strings.Contains(e.get("/"), `"/m"`) {
		t.Error("the landing page does not link the metrics")
	}
}

// TestGOGC: garbage may gather beyond what is in use, unless the environment says how much.
func TestGOGC(t *testing.T) {
	t.Parallel()
	const metric = "go_gc_gogc_percent"
	if got := startExporter(t, "--webhook.sdk-app-id="+appID).scrape()[metric]; got <= 100 {
		t.Errorf("GOGC is %v with next to nothing in use", got)
	}
	e := &exporter{client: newClient(t, nil)}
	e.process = startWith(t, func(c *exec.Cmd) { c.Env = append(os.Environ(), "GOGC=50") },
		"tuilivekit_exporter", withDefaults([]string{"--webhook.sdk-app-id=" + appID})...)
	e.web = "http://" + e.listening("web")
	if got := e.scrape()[metric]; got != 50 {
		t.Errorf("GOGC is %v, want 50 as in the environment", got)
	}
}
