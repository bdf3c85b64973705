package main_test

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const logWaiting = "Waiting for a scrape of the final totals"

// TestAwaitScrape ends the exporter under load: it takes no more webhooks and
// stays until one scrape has had every room that it acknowledged.
func TestAwaitScrape(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tokenFile := writeFile(t, dir, "sim.token", token)
	e := startExporter(t, "--config.file="+writeFile(t, dir, "exporter.yml", config("[sim.token]")),
		"--storage.path="+filepath.Join(dir, "data"), "--shutdown.await-scrape=1h")
	sim := startRoomsim(t, nil, e.webhook, tokenFile, "--rooms=0", "--rate=300", "--concurrency=16", "--retries=0")
	eventually(t, "rooms to flow", func() bool { return e.scrape().sum(metricRooms) > 100 })
	e.signal(syscall.SIGTERM)
	eventually(t, "the shutdown", func() bool { return strings.Contains(e.stderr.String(), logWaiting) })
	sim.signal(syscall.SIGINT)
	sent := sim.fullReport()
	if sent.RoomsAcknowledged < 100 || sent.RoomsAcknowledged == sent.RoomsSent {
		t.Fatalf("%d of %d rooms were acknowledged, want some but not all", sent.RoomsAcknowledged, sent.RoomsSent)
	}

	if conn, err := net.Dial("tcp", strings.TrimPrefix(e.webhook, "http://")); err == nil {
		conn.Close()
		t.Error("the webhook's listener still accepts")
	}
	for path, want := range map[string]int{"/-/ready": http.StatusServiceUnavailable, "/-/healthy": http.StatusOK, "/": http.StatusOK} {
		if status, body := request(t, e.client, http.MethodGet, e.web+path, ""); status != want {
			t.Errorf("%s: status %d, want %d: %s", path, status, want, body)
		}
	}
	// Neither of these is a scrape of all totals.
	e.get("/metrics?name[]=" + metricRooms)
	if status, _ := request(t, e.client, http.MethodHead, e.web+"/metrics", ""); status != http.StatusOK {
		t.Errorf("HEAD: status %d", status)
	}
	if !e.running() {
		t.Fatal("it ended before the scrape")
	}
	final := e.scrape().counters()
	if code := e.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	// An answer can get lost that was on its way when its connection was closed.
	for series, atMost := range counters(sent.report, report{Series: sent.UncertainSeries, Categories: sent.UncertainCategories}) {
		if atLeast := counters(sent.report)[series]; final[series] < atLeast || final[series] > atMost {
			t.Errorf("%s is %d in the last scrape, want %d to %d", series, final[series], atLeast, atMost)
		}
	}
}

// TestAwaitScrapeOfPrometheus expects that a Prometheus which scrapes each second
// has all rooms when the exporter has ended.
func TestAwaitScrapeOfPrometheus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tokenFile := writeFile(t, dir, "sim.token", token)
	e := startExporter(t, "--config.file="+writeFile(t, dir, "exporter.yml", config("[sim.token]")), "--shutdown.await-scrape=1h")
	p := startPrometheus(t, e)
	eventually(t, "a scrape of all series at 0", func() bool { return len(p.query("", metricRooms)) > 0 })
	sent := startRoomsim(t, nil, e.webhook, tokenFile, "--rooms=300").report()
	e.stop()
	got := map[string]uint64{}
	for series, value := range p.query("", `last_over_time({__name__=~"tuilivekit_.+_total", __name__!~"tuilivekit_exporter_.+"}[1h])`) {
		got[series] = uint64(value)
	}
	compare(t, "last sample", got, counters(sent))
}

// TestAwaitNoScrape expects that the exporter ends without a scrape too: by
// itself at once, and when it was told to wait, after that long.
func TestAwaitNoScrape(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"default": nil, "0s": {"--shutdown.await-scrape=0s"}, "1s": {"--shutdown.await-scrape=1s"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startExporter(t, append(args, "--webhook.sdk-app-id="+appID, "--storage.path="+t.TempDir())...)
			e.destroy("room", "")
			before := time.Now()
			e.stop()
			log := e.stderr.String()
			if waits := name == "1s"; strings.Contains(log, logWaiting) != waits || strings.Contains(log, "No scrape came in time") != waits {
				t.Errorf("want it to have waited: %t", waits)
			} else if took := time.Since(before); waits && took < time.Second {
				t.Errorf("it ended after %v", took)
			}
		})
	}
}
