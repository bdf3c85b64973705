package kubernetes_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// overlays are the folders that are applied.
var overlays = []string{"example", "standalone", "monitoring"}

func TestManifests(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	for _, overlay := range overlays {
		dir := filepath.Join("..", overlay)
		written := parse(t, c.kubectl("kustomize", dir))
		c.kubectl("apply", "--server-side", "-k", dir)
		versions := map[string]any{}
		for _, o := range written {
			live := c.get(o)
			for _, place := range missing(o.String(), map[string]any(o), map[string]any(live)) {
				t.Errorf("%s: not as written: %s", overlay, place)
			}
			versions[o.String()] = live.at("metadata", "resourceVersion")
		}
		c.kubectl("apply", "--server-side", "-k", dir)
		for _, o := range written {
			if version := c.get(o).at("metadata", "resourceVersion"); version != versions[o.String()] {
				t.Errorf("%s: a second apply changed %s", overlay, o)
			}
		}
		c.kubectl("diff", "--server-side", "-k", dir) // fails if anything differs
	}

	t.Run("pods are restricted", func(t *testing.T) {
		c := &cluster{t: t, kubeconfig: c.kubeconfig}
		for overlay, kind := range map[string]string{"example": "Deployment", "standalone": "StatefulSet"} {
			workload := find(t, parse(t, c.kubectl("kustomize", filepath.Join("..", overlay))), kind)
			// What the controllers would do: service accounts, and a pod of the template.
			c.kubectl("create", "serviceaccount", "default", "--namespace="+workload.namespace())
			pod := podOf(t, workload, "one")
			c.createPod(pod)
			for _, container := range containers(t, c.get(pod)) {
				if mountsToken(container) {
					t.Errorf("%s: %s has the service account's token", overlay, container["name"])
				}
			}
			loose := podOf(t, workload, "loose")
			for _, container := range containers(t, loose) {
				delete(container, "securityContext")
			}
			delete(loose["spec"].(map[string]any), "securityContext")
			if _, stderr, err := c.tryPod(loose); err == nil || !strings.Contains(stderr, "violates PodSecurity") {
				t.Errorf("%s: the namespace accepts a pod that is not restricted: %s", overlay, stderr)
			}
		}
	})

	t.Run("an app with a token keeps it from the exporter", func(t *testing.T) {
		c := &cluster{t: t, kubeconfig: c.kubeconfig}
		workload := find(t, parse(t, c.kubectl("kustomize", filepath.Join("..", "example"))), "Deployment")
		pod := podOf(t, workload, "with-token")
		delete(pod["spec"].(map[string]any), "automountServiceAccountToken")
		c.createPod(pod)
		for _, container := range containers(t, c.get(pod)) {
			if want := container["name"] == "app"; mountsToken(container) != want {
				t.Errorf("%s has the service account's token: %t, want %t", container["name"], !want, want)
			}
		}
	})

	t.Run("without kustomize", func(t *testing.T) {
		c := &cluster{t: t, kubeconfig: c.kubeconfig}
		c.kubectl("create", "namespace", "plain")
		c.kubectl("apply", "--server-side", "--namespace=plain", "-f", filepath.Join("..", "example", "app.yaml"))
		patch, err := os.ReadFile(filepath.Join("..", "sidecar", "patch.yaml"))
		check(t, err)
		plain := strings.Replace(string(patch), "metadata: {name: any}", "", 1)
		c.kubectlWith(plain, "patch", "deployment", "live-app", "--namespace=plain", "--patch-file=/dev/stdin")
		withKustomize := find(t, parse(t, c.kubectl("kustomize", filepath.Join("..", "example"))), "Deployment")
		patched := find(t, parse(t, c.kubectl("get", "deployment", "live-app", "--namespace=plain", "-o", "yaml")), "Deployment")
		for _, container := range containers(t, object(withKustomize.at("spec", "template").(map[string]any))) {
			if container["name"] == "tuilivekit-exporter" {
				container["image"] = "tuilivekit_exporter"
			}
		}
		for _, place := range missing("", withKustomize.at("spec"), patched.at("spec")) {
			t.Errorf("kubectl patch does not give what kustomize gives: %s", place)
		}
	})

	t.Run("a StatefulSet", func(t *testing.T) {
		c := &cluster{t: t, kubeconfig: c.kubeconfig}
		dir := t.TempDir()
		app, err := os.ReadFile(filepath.Join("..", "example", "app.yaml"))
		check(t, err)
		write(t, filepath.Join(dir, "app.yaml"), strings.Replace(string(app), "kind: Deployment", "kind: StatefulSet", 1))
		sidecar, err := filepath.Abs(filepath.Join("..", "sidecar"))
		check(t, err)
		relative, err := filepath.Rel(realPath(t, dir), realPath(t, sidecar))
		check(t, err)
		write(t, filepath.Join(dir, "kustomization.yaml"), "resources: [app.yaml]\ncomponents: ["+relative+"]\n")
		set := find(t, parse(t, c.kubectl("kustomize", dir)), "StatefulSet")
		deployment := find(t, parse(t, c.kubectl("kustomize", filepath.Join("..", "example"))), "Deployment")
		if set.name() != "live-app" {
			t.Errorf("the patch gave it the name %q", set.name())
		}
		if got, want := len(containers(t, object(set.at("spec", "template").(map[string]any)))), len(containers(t, object(deployment.at("spec", "template").(map[string]any)))); got != want {
			t.Errorf("%d containers, want %d", got, want)
		}
		c.kubectl("apply", "--server-side", "--dry-run=server", "--namespace=plain", "-k", dir)
	})
}

// TestPorts follows the names of ports from what uses them to the exporter.
func TestPorts(t *testing.T) {
	t.Parallel()
	c := &cluster{t: t} // to render needs none
	render := func(overlay string) []object { return parse(t, c.kubectl("kustomize", filepath.Join("..", overlay))) }
	monitor := find(t, render("monitoring"), "PodMonitor").at("spec", "podMetricsEndpoints").([]any)[0].(map[string]any)["port"]
	for overlay, kind := range map[string]string{"example": "Deployment", "standalone": "StatefulSet"} {
		objects := render(overlay)
		ports := map[any]any{}
		for _, container := range containers(t, object(find(t, objects, kind).at("spec", "template").(map[string]any))) {
			for _, port := range container["ports"].([]any) {
				if container["name"] == "tuilivekit-exporter" {
					port := port.(map[string]any)
					ports[port["name"]] = port["containerPort"]
				}
			}
		}
		if ports["webhook"] != 10881. || ports[monitor] != 10880. {
			t.Errorf("%s: the exporter has the ports %v", overlay, ports)
		}
		service := find(t, objects, "Service")
		if !slices.ContainsFunc(service.at("spec", "ports").([]any), func(port any) bool {
			p := port.(map[string]any)
			return p["name"] == "webhook" && p["targetPort"] == "webhook"
		}) {
			t.Errorf("%s: the port webhook of %s does not lead to the exporter", overlay, service)
		}
	}
}

// TestRules compares the PrometheusRules with the rule files that they are made from.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"rules", "alerts"} {
		made, err := os.ReadFile(filepath.Join("..", "monitoring", name+".yaml"))
		check(t, err)
		source, err := os.ReadFile(filepath.Join("..", "..", "..", "dashboards", name+".yml"))
		check(t, err)
		var want any
		check(t, yaml.Unmarshal(source, &want))
		if got := parse(t, string(made))[0]["spec"]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s.yaml is not what dashboards/%s.yml holds: run `make monitoring`", name, name)
		}
	}
}

// TestDashboards looks for each dashboard among the ConfigMaps.
func TestDashboards(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "dashboards", "*.json"))
	check(t, err)
	if len(files) == 0 {
		t.Fatal("there are no dashboards")
	}
	c := &cluster{t: t} // to render needs none
	objects := parse(t, c.kubectl("kustomize", filepath.Join("..", "monitoring")))
	for _, file := range files {
		content, err := os.ReadFile(file)
		check(t, err)
		if !slices.ContainsFunc(objects, func(o object) bool {
			return o.kind() == "ConfigMap" && o.at("data", filepath.Base(file)) == string(content) && o.at("metadata", "labels", "grafana_dashboard") == "1"
		}) {
			t.Errorf("no ConfigMap for Grafana holds %s", file)
		}
	}
}

// podOf returns the pod that a workload's controller would create.
func podOf(t *testing.T, workload object, name string) object {
	t.Helper()
	data, err := json.Marshal(workload.at("spec", "template"))
	check(t, err)
	var pod object
	check(t, json.Unmarshal(data, &pod))
	pod["apiVersion"], pod["kind"] = "v1", "Pod"
	metadata := pod["metadata"].(map[string]any)
	metadata["name"], metadata["namespace"] = name, workload.namespace()
	spec := pod["spec"].(map[string]any)
	claims, _ := workload.at("spec", "volumeClaimTemplates").([]any)
	for _, claim := range claims {
		name := object(claim.(map[string]any)).name()
		spec["volumes"] = append(spec["volumes"].([]any), map[string]any{"name": name, "persistentVolumeClaim": map[string]any{"claimName": name}})
	}
	return pod
}

func (c *cluster) tryPod(pod object) (stdout, stderr string, err error) {
	c.t.Helper()
	data, err := json.Marshal(pod)
	check(c.t, err)
	return c.try(string(data), "create", "-f", "-")
}

func (c *cluster) createPod(pod object) {
	c.t.Helper()
	if _, stderr, err := c.tryPod(pod); err != nil || strings.Contains(stderr, "Warning") {
		c.t.Fatalf("create %s: %v: %s", pod, err, stderr)
	}
}

// containers returns all containers of a pod or its template.
func containers(t *testing.T, pod object) (all []map[string]any) {
	t.Helper()
	for _, field := range []string{"initContainers", "containers"} {
		list, _ := pod.at("spec", field).([]any)
		for _, container := range list {
			all = append(all, container.(map[string]any))
		}
	}
	if len(all) == 0 {
		t.Fatal("a pod without containers")
	}
	return all
}

// mountsToken tells whether a container sees the token of the service account.
func mountsToken(container map[string]any) bool {
	mounts, _ := container["volumeMounts"].([]any)
	return slices.ContainsFunc(mounts, func(mount any) bool {
		return strings.HasPrefix(mount.(map[string]any)["name"].(string), "kube-api-access-")
	})
}

func realPath(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	check(t, err)
	return path
}
