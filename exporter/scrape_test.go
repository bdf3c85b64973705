package exporter_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/config"
)

func TestCompression(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"exporter.yml": minimal}, nil)
	_, header, plain := s.request(http.MethodGet, "/metrics", nil)
	expect(t, "plain: Content-Encoding", header.Get("Content-Encoding"), "")

	_, header, body := s.request(http.MethodGet, "/metrics", http.Header{"Accept-Encoding": {"gzip"}})
	expect(t, "gzip: Content-Encoding", header.Get("Content-Encoding"), "gzip")
	reader, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "gzip: rooms", parse(t, string(unpacked))[of("rooms_destroyed_total", "none")], 0.0)

	for _, accept := range []string{"zstd", "gzip, zstd"} {
		_, header, body = s.request(http.MethodGet, "/metrics", http.Header{"Accept-Encoding": {accept}})
		encoding := header.Get("Content-Encoding")
		if accept == "zstd" {
			expect(t, "zstd: Content-Encoding", encoding, "zstd")
			expect(t, "zstd: begins with its magic number", strings.HasPrefix(body, "\x28\xb5\x2f\xfd"), true)
		}
		if encoding == "" || len(body) >= len(plain)/2 {
			t.Errorf("%s: %q, %d bytes of %d", accept, encoding, len(body), len(plain))
		}
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"exporter.yml": minimal}, nil)
	s.deliver("r1", "", 5)

	_, header, text := s.request(http.MethodGet, "/metrics", nil)
	expect(t, "text: Content-Type", header.Get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
	expect(t, "text: rooms", parse(t, text)[of("rooms_destroyed_total", "none")], 1.0)

	_, header, text = s.request(http.MethodGet, "/metrics", http.Header{"Accept": {"application/openmetrics-text;version=1.0.0"}})
	expect(t, "OpenMetrics: Content-Type", header.Get("Content-Type"), "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores")
	for _, want := range []string{"\n" + of("rooms_destroyed_total", "none") + " 1.0\n", `# {room_id="r1"} 5.0 `} {
		if !strings.Contains(text, want) {
			t.Errorf("OpenMetrics has no %q", want)
		}
	}
	expect(t, "OpenMetrics: ends", strings.HasSuffix(text, "\n# EOF\n"), true)

	// As Prometheus asks when it wants native histograms.
	_, header, body := s.request(http.MethodGet, "/metrics", http.Header{"Accept": {
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,text/plain;version=0.0.4;q=0.2"}})
	format := expfmt.ResponseFormat(header)
	expect(t, "protobuf: format", format.FormatType(), expfmt.TypeProtoDelim)
	decoder := expfmt.NewDecoder(strings.NewReader(body), format)
	checked := 0
	for {
		var family dto.MetricFamily
		if err := decoder.Decode(&family); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(family.GetName(), "tuilivekit_room_") {
			continue
		}
		for _, m := range family.GetMetric() {
			h := m.GetHistogram()
			checked++
			if h.GetCreatedTimestamp().AsTime().Unix() <= 0 || len(h.GetPositiveSpan()) == 0 || len(h.GetBucket()) == 0 || h.GetSchema() != 3 {
				t.Errorf("%s: %v", family.GetName(), h)
			}
		}
	}
	expect(t, "protobuf: histograms", checked, 5*3*2) // statistics, destroy types, none and other
}

// However many rooms are on their way, a scrape shows each of them as a whole or not at all.
func TestScrapesAreConsistent(t *testing.T) {
	t.Parallel()
	const senders, each, value = 4, 20, 5
	for name, change := range map[string]func(*exporter.Options){
		"in memory": nil,
		"on disk":   func(o *exporter.Options) { o.StoragePath = t.TempDir() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, map[string]string{"exporter.yml": minimal}, change)
			check := func() (rooms float64) {
				scrape := s.scrape()
				rooms = sum(scrape, "tuilivekit_rooms_destroyed_total{")
				for _, statistic := range []string{"viewers", "gifts", "gift_coins", "gift_senders", "likes"} {
					expect(t, statistic+": observations", sum(scrape, "tuilivekit_room_"+statistic+"_count{"), rooms)
					expect(t, statistic+": sum", sum(scrape, "tuilivekit_room_"+statistic+"_sum{"), rooms*value)
					expect(t, statistic+": counter", sum(scrape, "tuilivekit_"+statistic+"_total{"), rooms*value)
					expect(t, statistic+": +Inf", sumOf(scrape, "tuilivekit_room_"+statistic+"_bucket{", `le="+Inf"`), rooms)
				}
				for _, category := range []string{"8", "9"} {
					expect(t, "rooms of category "+category, sumOf(scrape, "tuilivekit_category_rooms_destroyed_total{", `category="`+category+`"`), rooms)
					expect(t, "likes of category "+category, sumOf(scrape, "tuilivekit_category_likes_total{", `category="`+category+`"`), rooms*value)
				}
				return rooms
			}
			var running atomic.Int32
			running.Store(senders)
			var group sync.WaitGroup
			for sender := range senders {
				group.Go(func() {
					defer running.Add(-1)
					for i := range each {
						// Every second one is delivered twice; the order of categories varies.
						for range 1 + i%2 {
							if status := s.deliver(fmt.Sprintf("%d-%d", sender, i), []string{"8,9", "9,8"}[i%2], value); status != http.StatusOK {
								t.Errorf("status is %d", status)
							}
						}
					}
				})
			}
			for range 2 {
				group.Go(func() {
					last := 0.0
					for running.Load() > 0 {
						rooms := check()
						if rooms < last {
							t.Errorf("%v rooms after %v", rooms, last)
						}
						last = rooms
					}
				})
			}
			group.Wait()
			expect(t, "rooms in the end", check(), float64(senders*each))
			expectValues(t, s.scrape(), map[string]float64{
				"tuilivekit_exporter_webhook_duplicates_total":                                        senders * each / 2,
				`tuilivekit_exporter_webhook_requests_total{command="Live.CallbackAfterDestroyRoom"}`: senders * each * 3 / 2,
			})
		})
	}
}

// sum adds up all series whose name begins with prefix.
func sum(scrape map[string]float64, prefix string) float64 { return sumOf(scrape, prefix, "") }

func sumOf(scrape map[string]float64, prefix, label string) (total float64) {
	for name, value := range scrape {
		if strings.HasPrefix(name, prefix) && strings.Contains(name, label) {
			total += value
		}
	}
	return total
}

// What was counted is there again after a restart, with the time it began.
func TestRestart(t *testing.T) {
	t.Parallel()
	storage := t.TempDir()
	inStorage := func(o *exporter.Options) { o.StoragePath = storage }
	first := newSite(t, map[string]string{"exporter.yml": minimal}, inStorage)
	first.deliver("r1", "7", 5)
	first.deliver("r2", "7", 9)
	domain := func(s *site) map[string]float64 {
		shown := make(map[string]float64)
		for name, value := range s.scrape() {
			if strings.HasPrefix(name, "tuilivekit_") && !strings.HasPrefix(name, "tuilivekit_exporter_") {
				shown[name] = value
			}
		}
		return shown
	}
	before := domain(first)
	if err := first.exporter.Close(); err != nil {
		t.Fatal(err)
	}
	second := newSite(t, map[string]string{"exporter.yml": minimal}, inStorage)
	expect(t, "shown after the restart", domain(second), before)
	expect(t, "status of a duplicate", second.deliver("r1", "7", 5), http.StatusOK)
	expect(t, "shown after a duplicate", domain(second), before)
}

// blockedWriter is a scraper that does not read.
type blockedWriter struct {
	http.ResponseWriter
	blocked chan struct{}
	release chan struct{}
}

func (w *blockedWriter) Write(p []byte) (int, error) {
	select {
	case w.blocked <- struct{}{}:
	default:
	}
	<-w.release
	return w.ResponseWriter.Write(p)
}

func TestAwaitScrape(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg, err := config.ForApps([]uint64{1400000001}, "")
		if err != nil {
			t.Fatal(err)
		}
		e, err := exporter.New(cfg, exporter.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		scrape := func(ctx context.Context, method, target string) int {
			recorder := httptest.NewRecorder()
			e.Telemetry().ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, method, target, nil))
			return recorder.Code
		}
		ctx := context.Background()
		gone, leave := context.WithCancel(ctx)
		leave()

		// 16 scrapes began before, and are served no further for now.
		release := make(chan struct{})
		var slow sync.WaitGroup
		for range 16 {
			slow.Go(func() {
				writer := &blockedWriter{httptest.NewRecorder(), make(chan struct{}, 1), release}
				e.Telemetry().ServeHTTP(writer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			})
		}
		synctest.Wait()

		awaited := make(chan error, 1)
		go func() { awaited <- e.AwaitScrape(ctx) }()
		synctest.Wait()
		pending := func(what string) {
			t.Helper()
			synctest.Wait()
			select {
			case err := <-awaited:
				t.Fatalf("%s: awaited, %v", what, err)
			default:
			}
		}
		expect(t, "status of one scrape too many", scrape(ctx, http.MethodGet, "/metrics"), http.StatusServiceUnavailable)
		pending("a scrape that was refused")
		close(release)
		slow.Wait()
		pending("scrapes that began before")
		scrape(ctx, http.MethodGet, "/-/healthy")
		pending("another path")
		scrape(ctx, http.MethodHead, "/metrics")
		pending("HEAD")
		scrape(ctx, http.MethodGet, "/metrics?name[]=up")
		pending("a filter")
		scrape(gone, http.MethodGet, "/metrics")
		pending("a scraper that hung up")

		expect(t, "status of a scrape", scrape(ctx, http.MethodGet, "/metrics"), http.StatusOK)
		expect(t, "awaited", <-awaited, error(nil))
	})
}

// TestAwaitScrapeOfHeldSeries expects that a scrape which still shows a new series at 0
// is not taken for the last one.
func TestAwaitScrapeOfHeldSeries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg, err := config.ForApps([]uint64{1400000001}, "")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Metrics.NewSeriesHold = time.Minute
		e, err := exporter.New(cfg, exporter.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		post := httptest.NewRequest(http.MethodPost, "/?SdkAppid=1400000001&CallbackCommand=Live.CallbackAfterDestroyRoom",
			strings.NewReader(`{"RoomId":"late","EventTime":1,"RoomInfo":{"Category":[77]}}`))
		e.Webhook().ServeHTTP(httptest.NewRecorder(), post)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		awaited := make(chan error, 1)
		go func() { awaited <- e.AwaitScrape(ctx) }()
		const series = `tuilivekit_rooms_destroyed_total{category="77",destroy_type="other",sdk_app_id="1400000001"} `
		for second := range 60 {
			synctest.Wait()
			recorder := httptest.NewRecorder()
			e.Telemetry().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			if !strings.Contains(recorder.Body.String(), series+"0\n") || len(awaited) > 0 {
				t.Fatalf("after %d s: awaited %d, or the series is not held", second, len(awaited))
			}
			time.Sleep(time.Second)
		}
		recorder := httptest.NewRecorder()
		e.Telemetry().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if !strings.Contains(recorder.Body.String(), series+"1\n") {
			t.Error("the last scrape does not have the value")
		}
		expect(t, "awaited", <-awaited, error(nil))
	})
}

func TestAwaitScrapeInVain(t *testing.T) {
	t.Parallel()
	cfg, err := config.ForApps([]uint64{1400000001}, "")
	if err != nil {
		t.Fatal(err)
	}
	e, err := exporter.New(cfg, exporter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.AwaitScrape(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
