package exporter_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter"
)

const (
	reloadSuccessful = "tuilivekit_exporter_config_last_reload_successful"
	reloadTime       = "tuilivekit_exporter_config_last_reload_success_timestamp_seconds"
)

func TestReloadOverHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"exporter.yml": minimal}, nil)
	expectValues(t, s.scrape(), map[string]float64{reloadSuccessful: 1})
	loaded := s.scrape()[reloadTime]
	if loaded == 0 {
		t.Error("there is no time of the first load")
	}

	// A bad file leaves the running one in force.
	s.write("exporter.yml", minimal+"webhook: {path: /elsewhere, max_body_bytes: 0}\n")
	for _, method := range []string{http.MethodPost, http.MethodPut} {
		status, _, body := s.request(method, "/-/reload", nil)
		expect(t, method+": status", status, http.StatusInternalServerError)
		if !strings.HasPrefix(body, "reload configuration: ") || !strings.Contains(body, "exporter.yml:2: webhook.max_body_bytes: ") {
			t.Errorf("%s: body is %q", method, body)
		}
	}
	expectValues(t, s.scrape(), map[string]float64{reloadSuccessful: 0, reloadTime: loaded})
	expect(t, "errors in the log", strings.Count(s.log.String(), "level=ERROR"), 2)
	expect(t, "status at the running path", s.deliver("r1", "", 1), http.StatusOK)
	expect(t, "status at the path of the bad file", s.deliverTo("/elsewhere", "", "r1", "", 1), http.StatusNotFound)

	// A good one takes effect.
	s.write("exporter.yml", minimal+"webhook: {path: /elsewhere}\n")
	status, _, body := s.request(http.MethodPost, "/-/reload", nil)
	expect(t, "status", status, http.StatusOK)
	expect(t, "body", body, "Reloaded the configuration.\n")
	expectValues(t, s.scrape(), map[string]float64{reloadSuccessful: 1, of("rooms_destroyed_total", "none"): 1})
	if now := s.scrape()[reloadTime]; now < loaded {
		t.Errorf("loaded at %v, and before at %v", now, loaded)
	}
	expect(t, "status at the former path", s.deliver("r2", "", 1), http.StatusNotFound)
	expect(t, "status at the new path", s.deliverTo("/elsewhere", "", "r2", "", 1), http.StatusOK)

	// Looking does not reload.
	status, _, _ = s.request(http.MethodGet, "/-/reload", nil)
	expect(t, "status of GET", status, http.StatusMethodNotAllowed)
}

func TestReloadWithoutFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"exporter.yml": minimal}, func(o *exporter.Options) { o.Load = nil })
	if err := s.exporter.Reload(); err == nil {
		t.Error("there was something to reload")
	}
	expectValues(t, s.scrape(), map[string]float64{reloadSuccessful: 1})
	expect(t, "status", s.deliver("r1", "", 1), http.StatusOK)
}

func TestReloadRotatesTokens(t *testing.T) {
	t.Parallel()
	const file = "apps: [{sdk_app_id: " + appID + ", token_files: [current.token, previous.token]}]\n"
	s := newSite(t, map[string]string{"exporter.yml": file, "current.token": "first", "previous.token": "first"}, nil)
	deliver := func(step string, want map[string]int) {
		t.Helper()
		for token, status := range want {
			expect(t, step+": status with "+token, s.deliverTo("/", token, step+token, "", 1), status)
		}
		expect(t, step+": status without a signature", s.deliver(step, "", 1), http.StatusForbidden)
	}
	deliver("at the start", map[string]int{"first": 200, "second": 403, "third": 403})

	s.write("current.token", "second\n")
	deliver("before the reload", map[string]int{"first": 200, "second": 403, "third": 403})
	s.mustReload(file)
	deliver("during the rotation", map[string]int{"first": 200, "second": 200, "third": 403})

	s.write("previous.token", "second\n")
	s.mustReload(file)
	deliver("after it", map[string]int{"first": 403, "second": 200, "third": 403})

	// A token that can't be read changes nothing.
	s.write("current.token", "")
	if err := s.reload(file); err == nil {
		t.Error("an empty token was accepted")
	}
	deliver("with an empty file", map[string]int{"first": 403, "second": 200})
	for _, token := range []string{"=first", "=second", `"first`, `"second`} {
		if strings.Contains(s.log.String(), token) {
			t.Errorf("the log has %q:\n%s", token, s.log.String())
		}
	}
}

func TestReloadRenamesCategory(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"exporter.yml": minimal + "categories: {names: {1: gaming}, limit: 1}\n"}, nil)
	s.deliver("r1", "1,7", 10)
	s.deliver("r2", "7", 10)
	s.mustReload(minimal + "categories: {names: {1: games}, limit: 1}\n")
	expectValues(t, s.scrape(), map[string]float64{
		of("rooms_destroyed_total", "games"): 0, of("rooms_destroyed_total", "gaming"): 1,
	})
	s.deliver("r3", "1,7", 10)
	s.deliver("r4", "8", 10)
	s.deliver("r1", "1,7", 10) // a duplicate still
	expectValues(t, s.scrape(), map[string]float64{
		of("rooms_destroyed_total", "gaming"):                                                  1,
		of("rooms_destroyed_total", "games"):                                                   1,
		of("rooms_destroyed_total", "7"):                                                       1,
		of("rooms_destroyed_total", "other"):                                                   1, // 7 keeps the one place there is
		of("viewers_total", "games"):                                                           10,
		`tuilivekit_category_rooms_destroyed_total{category="7",sdk_app_id="1400000001"}`:      3,
		`tuilivekit_category_rooms_destroyed_total{category="gaming",sdk_app_id="1400000001"}`: 1,
		`tuilivekit_category_rooms_destroyed_total{category="games",sdk_app_id="1400000001"}`:  1,
		`tuilivekit_exporter_category_overflow_total{sdk_app_id="1400000001"}`:                 1,
		"tuilivekit_exporter_webhook_duplicates_total":                                         1,
	})
}

func TestReloadBuckets(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"exporter.yml": minimal + "histograms: {buckets: {viewers: [1, 10]}}\n"}, nil)
	for i, value := range []int{0, 1, 5, 10, 50, 1000} {
		s.deliver(fmt.Sprint(i), "", value)
	}
	before := s.scrape()
	expectValues(t, before, map[string]float64{
		bucket("room_viewers", "none", "1"): 2, bucket("room_viewers", "none", "10"): 4, bucket("room_viewers", "none", "+Inf"): 6,
		of("room_viewers_count", "none"): 6, of("room_viewers_sum", "none"): 1066,
	})
	s.mustReload(minimal + "histograms: {buckets: {viewers: [10, 100]}}\n")
	s.deliver("another", "", 60)
	after := s.scrape()
	expectValues(t, after, map[string]float64{
		bucket("room_viewers", "none", "10"): 4, bucket("room_viewers", "none", "100"): 5, bucket("room_viewers", "none", "+Inf"): 7,
		of("room_viewers_count", "none"): 7, of("room_viewers_sum", "none"): 1126, of("viewers_total", "none"): 1126,
	})
	if _, ok := after[bucket("room_viewers", "none", "1")]; ok {
		t.Error("a bound that is gone is still there")
	}
	expect(t, "default bounds", after[bucket("room_gifts", "none", "30")], before[bucket("room_gifts", "none", "30")])
}

func TestReloadRendering(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"exporter.yml": minimal}, nil)
	s.deliver("r1", "", 5)
	openMetrics := func() string {
		_, _, body := s.request(http.MethodGet, "/metrics", http.Header{"Accept": {"application/openmetrics-text"}})
		return body
	}
	expect(t, "exemplar at the start", strings.Contains(openMetrics(), `{room_id="r1"}`), true)
	s.mustReload(minimal + "metrics: {exemplars: false}\n")
	expect(t, "exemplar when off", strings.Contains(openMetrics(), `{room_id="r1"}`), false)

	expect(t, "bucket at the start", s.scrape()[bucket("room_viewers", "none", "10")], 1.0)
	s.mustReload(minimal + "histograms: {classic: false}\nmetrics: {new_series_hold: 1h}\n")
	_, there := s.scrape()[bucket("room_viewers", "none", "10")]
	expect(t, "bucket when off", there, false)

	s.deliver("r2", "9", 5)
	expectValues(t, s.scrape(), map[string]float64{of("rooms_destroyed_total", "9"): 0, of("rooms_destroyed_total", "none"): 1})
	s.mustReload(minimal)
	expectValues(t, s.scrape(), map[string]float64{of("rooms_destroyed_total", "9"): 1, bucket("room_viewers", "9", "10"): 1})
}

func TestReloadApps(t *testing.T) {
	t.Parallel()
	const added = `tuilivekit_rooms_destroyed_total{category="none",destroy_type="user",sdk_app_id="1400000002"}`
	s := newSite(t, map[string]string{"exporter.yml": minimal}, nil)
	expect(t, "status", s.deliver("r1", "", 5), http.StatusOK)
	if _, ok := s.scrape()[added]; ok {
		t.Error("an app is shown that is not configured")
	}
	s.mustReload("apps: [{sdk_app_id: 1400000002}]\n")
	expect(t, "status of the app that is gone", s.deliver("r2", "", 5), http.StatusForbidden)
	expectValues(t, s.scrape(), map[string]float64{
		added: 0, of("rooms_destroyed_total", "none"): 1,
		`tuilivekit_exporter_category_overflow_total{sdk_app_id="1400000002"}`: 0,
	})
}

// Reloads and webhooks do not get into each other's way.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	const senders, each = 4, 25
	s := newSite(t, map[string]string{"exporter.yml": minimal}, nil)
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for i := range each {
				if status := s.deliver(fmt.Sprintf("%d-%d", sender, i), "", 1); status != http.StatusOK {
					t.Errorf("status is %d", status)
				}
			}
		})
	}
	files := []string{minimal + "histograms: {buckets: {viewers: [1, 5]}}\n", minimal + "categories: {names: {3: talk}}\n"}
	for i := range 10 {
		s.mustReload(files[i%len(files)])
	}
	group.Wait()
	expectValues(t, s.scrape(), map[string]float64{
		of("rooms_destroyed_total", "none"): senders * each, of("room_viewers_count", "none"): senders * each,
	})
}
