package exporter_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/version"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/config"
)

func TestTelemetryPaths(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"exporter.yml": minimal}, nil)
	for _, c := range []struct {
		method, path string
		status       int
		contains     string
	}{
		{"GET", "/-/healthy", 200, "tuilivekit_exporter is healthy.\n"},
		{"HEAD", "/-/healthy", 200, ""},
		{"POST", "/-/healthy", 405, ""},
		{"GET", "/-/ready", 200, "tuilivekit_exporter is ready.\n"},
		{"HEAD", "/-/ready", 200, ""},
		{"GET", "/metrics", 200, "tuilivekit_exporter_build_info"},
		{"HEAD", "/metrics", 200, ""},
		{"POST", "/metrics", 405, ""},
		{"GET", "/", 200, "<h2>Counted</h2>"},
		{"HEAD", "/", 200, ""},
		{"GET", "/nowhere", 404, ""},
		{"GET", "/-/reload", 405, ""},
		{"GET", "/-/quit", 404, ""},
		{"GET", "/debug/pprof/", 200, "Types of profiles available"},
		{"GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile: total "},
		{"GET", "/debug/pprof/heap?debug=1", 200, "heap profile: "},
		{"GET", "/debug/pprof/cmdline", 200, "exporter.test"},
		{"GET", "/debug/pprof/symbol", 200, "num_symbols"},
		{"GET", "/debug/pprof/trace?seconds=0.01", 200, "go 1."},
		{"GET", "/debug/pprof/nothing", 404, "Unknown profile"},
		{"POST", "/debug/pprof/", 405, ""},
	} {
		status, _, body := s.request(c.method, c.path, nil)
		expect(t, c.method+" "+c.path+": status", status, c.status)
		if !strings.Contains(body, c.contains) {
			t.Errorf("%s %s: body is %.300q", c.method, c.path, body)
		}
	}
	// The webhook's listener has none of it.
	response, err := http.Get(s.webhook + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	expect(t, "status of metrics on the webhook's listener", response.StatusCode, http.StatusNotFound)
}

func TestClose(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"exporter.yml": minimal}, nil)
	s.deliver("r1", "", 5)
	for range 2 { // the second changes nothing
		if err := s.exporter.Close(); err != nil {
			t.Fatal(err)
		}
		status, _, body := s.request(http.MethodGet, "/-/ready", nil)
		expect(t, "ready: status", status, http.StatusServiceUnavailable)
		expect(t, "ready: body", body, "tuilivekit_exporter is shutting down.\n")
		status, _, _ = s.request(http.MethodGet, "/-/healthy", nil)
		expect(t, "healthy: status", status, http.StatusOK)
		expectValues(t, s.scrape(), map[string]float64{of("rooms_destroyed_total", "none"): 1})
	}
}

func TestLandingPage(t *testing.T) {
	t.Parallel()
	s := newSite(t,
		map[string]string{"exporter.yml": "apps: [{sdk_app_id: 1400000001}, {sdk_app_id: 1300000001}]\n"},
		func(o *exporter.Options) { o.TelemetryPath = "/telemetry/metrics" })
	s.deliver("r1", "1", 5)
	s.deliver("r2", "2", 7)
	_, header, page := s.request(http.MethodGet, "/", nil)
	expect(t, "Content-Type", header.Get("Content-Type"), "text/html; charset=UTF-8")
	for _, want := range []string{
		`<a href="/telemetry/metrics">Metrics</a>`,
		`<a href="/-/healthy">Health</a>`,
		`<a href="/-/ready">Readiness</a>`,
		`debug/pprof`,
		version.Version,
		`<tr><th>sdk_app_id</th><th>rooms destroyed</th><th>viewers</th><th>gifts</th><th>gift coins</th><th>gift senders</th><th>likes</th></tr>` +
			`<tr><td>1300000001</td><td>0</td><td>0</td><td>0</td><td>0</td><td>0</td><td>0</td></tr>` +
			`<tr><td>1400000001</td><td>2</td><td>12</td><td>12</td><td>12</td><td>12</td><td>12</td></tr>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is missing in\n%s", want, page)
		}
	}
	status, _, _ := s.request(http.MethodGet, "/telemetry/metrics", nil)
	expect(t, "metrics: status", status, http.StatusOK)
	status, _, _ = s.request(http.MethodGet, "/metrics", nil)
	expect(t, "default path: status", status, http.StatusNotFound)
}

func TestTelemetryPathIsChecked(t *testing.T) {
	t.Parallel()
	cfg, err := config.ForApps([]uint64{1400000001}, "")
	if err != nil {
		t.Fatal(err)
	}
	for path, valid := range map[string]bool{
		"":                 true, // /metrics
		"/metrics":         true,
		"/a/b":             true,
		"/metrics/":        true,
		"/-":               true,
		"/debug":           true,
		"metrics":          false,
		"/":                false,
		"/-/":              false,
		"/-/metrics":       false,
		"/-/ready":         false,
		"/debug/pprof":     false,
		"/debug/pprof/":    false,
		"/debug/pprof/x":   false,
		"/:metrics":        false,
		"/metrics/*all":    false,
		"http://x/metrics": false,
	} {
		e, err := exporter.New(cfg, exporter.Options{TelemetryPath: path})
		if (err == nil) != valid || (e != nil) != valid {
			t.Errorf("%q: got %v, %v", path, e, err)
		}
		if e != nil {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestStorageThatCanNotBeUsed(t *testing.T) {
	t.Parallel()
	cfg, err := config.ForApps([]uint64{1400000001}, "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if e, err := exporter.New(cfg, exporter.Options{StoragePath: file}); err == nil || e != nil {
		t.Errorf("got %v, %v", e, err)
	}
}
