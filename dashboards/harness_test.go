package dashboards_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// binaries is the folder that TestMain builds tuilivekit_exporter and roomsim into.
var binaries string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tuilivekit_dashboards-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binaries = dir
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-X github.com/prometheus/common/version.Version=1.2.3-test",
		"-o", dir+string(filepath.Separator), "../cmd/tuilivekit_exporter", "../cmd/roomsim")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build what the dashboards show:", err)
		return 1
	}
	return m.Run()
}

// tool returns the path of one of the tools that `make tools` installs.
func tool(t *testing.T, name string) string {
	t.Helper()
	dirs := []string{os.Getenv("TOOLS_BIN")}
	if dirs[0] == "" {
		dirs = []string{filepath.Join("..", ".tools", "bin")}
	}
	path, err := filepath.Abs(filepath.Join(dirs[0], name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not in $TOOLS_BIN, nor in .tools/bin: run `make tools`", name)
	}
	return path
}

// patience only ends a test that hangs: nothing is expected to come close to it.
const patience = 90 * time.Second

// eventually waits for something that has no signal of its own.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !happened(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// output is a bytes.Buffer for a process to write while a test reads.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}

// process is a child process. Its methods belong to the test's goroutine.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr output
	ended          chan struct{}
}

// start starts a command, a name without a slash being one of the binaries built.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	if !strings.ContainsRune(name, filepath.Separator) {
		name = filepath.Join(binaries, name)
	}
	p := &process{t: t, cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // the exit code is in ProcessState
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			text := p.stderr.String()
			t.Logf("%s\n%s", p.cmd, text[max(0, len(text)-5_000):])
		}
	})
	return p
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// wait waits for the end of the process and returns its exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.cmd)
	}
	return p.cmd.ProcessState.ExitCode()
}

func run(t *testing.T, name string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := start(t, name, args...)
	code = p.wait()
	return code, p.stdout.String(), p.stderr.String()
}

// listening returns the address in the log line that line matches.
func (p *process) listening(line string) (address string) {
	p.t.Helper()
	pattern := regexp.MustCompile(line + `.*address=(127\.0\.0\.1:[0-9]+)`)
	eventually(p.t, "a listener", func() bool {
		if found := pattern.FindStringSubmatch(p.stderr.String()); found != nil {
			address = found[1]
		} else if !p.running() {
			p.t.Fatalf("%s did not start", p.cmd)
		}
		return address != ""
	})
	return address
}

// request sends a request and returns the answer.
func request(t *testing.T, method, url, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

// prometheus is a running Prometheus.
type prometheus struct {
	*process
	url string
}

func startPrometheus(t *testing.T, dir, config string) *prometheus {
	t.Helper()
	p := &prometheus{process: start(t, tool(t, "prometheus"), "--config.file="+writeFile(t, dir, "prometheus.yml", config),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--storage.tsdb.retention.time=60d", "--web.listen-address=127.0.0.1:0",
		"--enable-feature=exemplar-storage", "--log.format=logfmt")}
	p.url = "http://" + p.listening(`msg="Listening on"`)
	eventually(t, "Prometheus to be ready", func() bool {
		status, _ := request(t, http.MethodGet, p.url+"/-/ready", "")
		return status == http.StatusOK
	})
	return p
}

// api calls Prometheus' HTTP API and decodes the data of its answer.
func (p *prometheus) api(path string, query url.Values, data any) error {
	p.t.Helper()
	method, body, at := http.MethodPost, query.Encode(), p.url+path
	if strings.HasSuffix(path, "/values") {
		method, body, at = http.MethodGet, "", at+"?"+query.Encode()
	}
	status, answer := request(p.t, method, at, body)
	if status != http.StatusOK {
		return fmt.Errorf("status %d: %s", status, answer)
	}
	return json.Unmarshal([]byte(answer), &struct{ Data any }{data})
}
