package kubernetes_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme pastes every command of the README, from the first line to the last, into a shell at a new cluster.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	check(t, err)
	var script strings.Builder
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		script.WriteString(block[1])
	}
	if !strings.Contains(script.String(), "kubectl apply") {
		t.Fatal("the README has no commands")
	}

	c := startCluster(t)
	root := t.TempDir()
	check(t, os.CopyFS(filepath.Join(root, "deploy", "kubernetes"), os.DirFS("..")))
	check(t, os.CopyFS(filepath.Join(root, "dashboards"), os.DirFS(filepath.Join("..", "..", "..", "dashboards"))))
	cmd := exec.Command("bash", "-euxo", "pipefail", "-c", script.String())
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig, "PATH="+filepath.Dir(tool(t, "kubectl"))+":"+os.Getenv("PATH"))
	output, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(output), "Warning") {
		t.Fatalf("%v\n%s", err, output)
	}

	// What it says is there afterwards.
	for _, namespace := range []string{"live", "tuilivekit"} {
		if keys := c.kubectl("get", "secret", "tuilivekit-exporter", "--namespace="+namespace, "-o", "jsonpath={.data}"); !strings.Contains(keys, "current.token") || !strings.Contains(keys, "previous.token") {
			t.Errorf("%s: the Secret holds %s", namespace, keys)
		}
	}
	if rules := c.kubectl("get", "prometheusrules", "--namespace=monitoring", "-o", "name"); strings.Count(rules, "\n") != 2 {
		t.Errorf("PrometheusRules: %s", rules)
	}
}
