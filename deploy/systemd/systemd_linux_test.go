// Package systemd_test checks the units with systemd's own tools.
package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// install writes the units, and what they start, into a root of their own.
func install(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for path, content := range map[string]string{
		"etc/systemd/system/tuilivekit_exporter.service": read(t, "tuilivekit_exporter.service"),
		"etc/systemd/system/tuilivekit_exporter.socket":  read(t, "tuilivekit_exporter.socket"),
		"etc/sysusers.d/tuilivekit_exporter.conf":        read(t, "tuilivekit_exporter.sysusers"),
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tool runs a command and returns what it says.
func tool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	output, err := exec.Command(name, args...).CombinedOutput()
	return string(output), err
}

func TestUnits(t *testing.T) {
	t.Parallel()
	// systemd-analyze looks for executables where the units say: any will do here.
	dir := t.TempDir()
	for _, name := range []string{"tuilivekit_exporter.service", "tuilivekit_exporter.socket"} {
		text := strings.ReplaceAll(read(t, name), "/usr/local/bin/tuilivekit_exporter", "/bin/true")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(name string) (string, error) {
		return tool(t, "systemd-analyze", "verify", "--man=no", "--recursive-errors=one", filepath.Join(dir, name))
	}
	for _, name := range []string{"tuilivekit_exporter.service", "tuilivekit_exporter.socket"} {
		if output, err := verify(name); err != nil || strings.Contains(output, "tuilivekit_exporter") {
			t.Errorf("%s: %v\n%s", name, err, output)
		}
	}
	service := filepath.Join(dir, "tuilivekit_exporter.service")
	broken := strings.Replace(read(t, "tuilivekit_exporter.service"), "NoNewPrivileges", "NoNewPrivilege", 1)
	if err := os.WriteFile(service, []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	if output, _ := verify("tuilivekit_exporter.service"); !strings.Contains(output, "NoNewPrivilege") {
		t.Errorf("a misspelt key is not found: %s", output)
	}
}

// TestHardening lets systemd rate the exposure of the unit: from 0, to 10 for one that hardens nothing.
func TestHardening(t *testing.T) {
	t.Parallel()
	output, err := tool(t, "systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", "--root="+install(t), "tuilivekit_exporter.service")
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, output)
	}
}

func TestUser(t *testing.T) {
	t.Parallel()
	root := install(t)
	if output, err := tool(t, "systemd-sysusers", "--root="+root); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	users, err := os.ReadFile(filepath.Join(root, "etc", "passwd"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(users), "tuilivekit_exporter:") {
		t.Errorf("users: %s", users)
	}
}
