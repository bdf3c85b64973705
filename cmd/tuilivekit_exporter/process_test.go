package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// process is a child process. Its output is kept, shown if the test fails, and
// it does not outlive the test. Its methods belong to the test's goroutine.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr output
	ended          chan struct{}
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

// start starts a command, a name without a slash being one of the binaries built.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	return startWith(t, nil, name, args...)
}

// startWith lets a caller change the command before it starts.
func startWith(t *testing.T, change func(*exec.Cmd), name string, args ...string) *process {
	t.Helper()
	if !strings.ContainsRune(name, filepath.Separator) {
		name = filepath.Join(binaries, name)
	}
	p := &process{t: t, cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = endingWithParent()
	if change != nil {
		change(p.cmd)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // the exit code is in ProcessState
	}()
	t.Cleanup(p.cleanUp)
	return p
}

func (p *process) cleanUp() {
	_ = p.cmd.Process.Kill()
	<-p.ended
	if strings.Contains(p.stderr.String(), "WARNING: DATA RACE") {
		p.t.Error("the race detector found something")
	}
	if p.t.Failed() {
		p.t.Logf("%s\n%s\n%s", p.cmd, last(p.stdout.String()), last(p.stderr.String()))
	}
}

// last returns as much of the end of some output as anybody would read.
func last(s string) string {
	const most = 20_000
	return s[max(0, len(s)-most):]
}

// running tells whether the process has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
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

// run runs a command to its end, with some input.
func run(t *testing.T, input, name string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := startWith(t, func(cmd *exec.Cmd) { cmd.Stdin = strings.NewReader(input) }, name, args...)
	code = p.wait()
	return code, p.stdout.String(), p.stderr.String()
}
