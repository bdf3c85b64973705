// Package compose_test checks the demo's files with the tools that read them.
package compose_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// composeGo is what docker compose loads its files with.
const composeGo = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"

// project is what the demo consists of.
type project struct {
	Services map[string]struct {
		Image   string
		Build   *struct{ Context, Dockerfile, Target string }
		Command []string
		Volumes []struct{ Type, Source, Target string }
	}
}

// load returns the project as docker compose sees it, or what it loads files with where there is none.
func load(t *testing.T) (p project) {
	t.Helper()
	if _, err := os.Stat("compose.yml"); err != nil { // a change makes a cached result void
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", composeGo, "-format=json", "compose.yml")
	if exec.Command("docker", "compose", "version").Run() == nil {
		cmd = exec.Command("docker", "compose", "--file=compose.yml", "config", "--format=json")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCompose(t *testing.T) {
	t.Parallel()
	p := load(t)
	for _, name := range []string{"exporter", "simulator", "prometheus", "grafana"} {
		service, ok := p.Services[name]
		if !ok {
			t.Errorf("there is no %s", name)
		}
		for _, volume := range service.Volumes {
			if _, err := os.Stat(volume.Source); volume.Type == "bind" && err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if build := service.Build; build != nil {
			dockerfile, err := os.ReadFile(filepath.Join(build.Context, build.Dockerfile))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !strings.Contains(string(dockerfile), "FROM scratch AS "+build.Target+"\n") {
				t.Errorf("%s: the Dockerfile has no target %q", name, build.Target)
			}
		} else if !strings.Contains(service.Image, ":") {
			t.Errorf("%s: the image %q has no version", name, service.Image)
		}
	}
}

// TestPrometheus checks the configuration together with the rules, laid out as in Prometheus' container.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, volume := range load(t).Services["prometheus"].Volumes {
		if volume.Type != "bind" {
			continue
		}
		content, err := os.ReadFile(volume.Source)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(root, volume.Target)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tools := os.Getenv("TOOLS_BIN")
	if tools == "" {
		tools = filepath.Join("..", "..", ".tools", "bin")
	}
	output, err := exec.Command(filepath.Join(tools, "promtool"), "check", "config", "--lint=all", "--lint-fatal", filepath.Join(root, "etc", "prometheus", "prometheus.yml")).CombinedOutput()
	if err != nil || strings.Count(string(output), "rules found") != 2 {
		t.Errorf("promtool: %v\n%s", err, output)
	}
}

// TestGrafana follows the provisioned paths to the dashboards.
func TestGrafana(t *testing.T) {
	t.Parallel()
	provider, err := os.ReadFile(filepath.Join("grafana", "dashboards", "tuilivekit.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, volume := range load(t).Services["grafana"].Volumes {
		if volume.Target == "/var/lib/tuilivekit/dashboards" && strings.Contains(string(provider), "path: "+volume.Target+"\n") {
			if found, _ := filepath.Glob(filepath.Join(volume.Source, "*.json")); len(found) > 0 {
				return
			}
		}
	}
	t.Error("Grafana does not find the dashboards")
}
