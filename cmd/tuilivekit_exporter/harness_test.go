// The tests of this package run the command itself, built with the race
// detector, against the simulator and a real Prometheus.
package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// binaries is the folder that TestMain builds tuilivekit_exporter and roomsim into.
var binaries string

// binariesVariable names that folder to a test binary that a test runs, so that it builds nothing.
const binariesVariable = "TUILIVEKIT_EXPORTER_TEST_BINARIES"

// testVersion is what the binaries say that their version is.
const testVersion = "1.2.3-test"

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	if binaries = os.Getenv(binariesVariable); binaries != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "tuilivekit_exporter-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binaries = dir
	build := exec.Command("go", "build", "-race", "-buildvcs=false",
		"-ldflags", "-X github.com/prometheus/common/version.Version="+testVersion,
		"-o", dir+string(filepath.Separator), ".", "../roomsim")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build what is tested:", err)
		return 1
	}
	return m.Run()
}

// tool returns the path of one of the tools that `make tools` installs.
func tool(t *testing.T, name string) string {
	t.Helper()
	dirs := []string{os.Getenv("TOOLS_BIN")}
	if dirs[0] == "" {
		dirs = nil
		for above := "."; len(dirs) < 10; above = filepath.Join(above, "..") {
			dirs = append(dirs, filepath.Join(above, ".tools", "bin"))
		}
	}
	for _, dir := range dirs {
		path, err := filepath.Abs(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatalf("%s is neither in $TOOLS_BIN nor in a .tools/bin above this package: run `make tools`", name)
	return ""
}

// patience only ends a test that hangs: nothing is expected to come close to it.
const patience = 5 * time.Minute

// eventually waits for something that has no signal of its own.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !happened(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// writeFile writes a file into dir and returns its path.
func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
