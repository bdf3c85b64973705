package metrics_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/metrics"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/relay"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

// values returns every number that the registry shows, histograms by their count
// and sum, as name{value of the one label}.
func values(t *testing.T, registry prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, pair := range m.GetLabel() {
				name += "{" + pair.GetValue() + "}"
			}
			switch family.GetType() {
			case dto.MetricType_COUNTER:
				all[name] = m.GetCounter().GetValue()
			case dto.MetricType_GAUGE:
				all[name] = m.GetGauge().GetValue()
			case dto.MetricType_HISTOGRAM:
				all[name+" count"] = float64(m.GetHistogram().GetSampleCount())
				all[name+" sum"] = m.GetHistogram().GetSampleSum()
			default:
				t.Fatalf("%s is a %s", name, family.GetType())
			}
		}
	}
	return all
}

// changed returns the values that differ, without the exporter's prefix.
func changed(before, after map[string]float64) map[string]float64 {
	differ := make(map[string]float64)
	for name, value := range after {
		if old, ok := before[name]; !ok || old != value {
			differ[strings.TrimPrefix(name, "tuilivekit_exporter_")] = value
		}
	}
	return differ
}

func TestOwnMetrics(t *testing.T) {
	t.Parallel()
	at := func(milliseconds int64) *room.Destroyed {
		return &room.Destroyed{EventTime: time.UnixMilli(milliseconds)}
	}
	for name, c := range map[string]struct {
		observe func(e *metrics.Exporter)
		want    map[string]float64
	}{
		"received":           {func(e *metrics.Exporter) { e.Received(webhook.CommandDestroyRoom) }, map[string]float64{"webhook_requests_total{Live.CallbackAfterDestroyRoom}": 1}},
		"received unknown":   {func(e *metrics.Exporter) { e.Received(webhook.CommandOther) }, map[string]float64{"webhook_requests_total{other}": 1}},
		"rejected":           {func(e *metrics.Exporter) { e.Rejected(webhook.ReasonBodySize) }, map[string]float64{"webhook_rejections_total{body_size}": 1}},
		"ignored":            {func(e *metrics.Exporter) { e.Ignored("Live.CallbackBeforeSendGift") }, map[string]float64{"webhook_ignored_total{Live.CallbackBeforeSendGift}": 1}},
		"invalid field":      {func(e *metrics.Exporter) { e.InvalidField("Statistic.TotalViewers") }, map[string]float64{"webhook_invalid_fields_total{Statistic.TotalViewers}": 1}},
		"duplicate":          {func(e *metrics.Exporter) { e.Duplicate() }, map[string]float64{"webhook_duplicates_total": 1}},
		"handled":            {func(e *metrics.Exporter) { e.Handled(3 * time.Millisecond) }, map[string]float64{"webhook_duration_seconds count": 1, "webhook_duration_seconds sum": 0.003}},
		"counted":            {func(e *metrics.Exporter) { e.Counted(at(1500), time.UnixMilli(4000)) }, map[string]float64{"event_delay_seconds count": 1, "event_delay_seconds sum": 2.5, "last_event_timestamp_seconds": 1.5}},
		"counted from ahead": {func(e *metrics.Exporter) { e.Counted(at(5000), time.UnixMilli(4000)) }, map[string]float64{"event_delay_seconds count": 1, "last_event_timestamp_seconds": 4}},
		"category overflow":  {func(e *metrics.Exporter) { e.CategoryOverflow(appID) }, map[string]float64{"category_overflow_total{1400000001}": 1}},
		"expected app":       {func(e *metrics.Exporter) { e.ExpectApp(appID) }, map[string]float64{"category_overflow_total{1400000001}": 0}},
		"committed":          {func(e *metrics.Exporter) { e.Committed(7, time.Second) }, map[string]float64{"journal_commits_total": 1, "journal_records_total": 7, "journal_commit_duration_seconds count": 1, "journal_commit_duration_seconds sum": 1}},
		"snapshotted":        {func(e *metrics.Exporter) { e.Snapshotted(time.Second) }, map[string]float64{"journal_snapshot_duration_seconds count": 1, "journal_snapshot_duration_seconds sum": 1}},
		"journal failed":     {func(e *metrics.Exporter) { e.JournalFailed() }, map[string]float64{"journal_failures_total": 1}},
		"recovered":          {func(e *metrics.Exporter) { e.Recovered(ledger.Recovery{Records: 5}) }, map[string]float64{"journal_recovered_records_total": 5}},
		"recovered damage":   {func(e *metrics.Exporter) { e.Recovered(ledger.Recovery{LostRecords: 2, DamagedFiles: 1, TornBytes: 9}) }, map[string]float64{"journal_lost_records_total": 2, "journal_damaged_files_total": 1, "journal_torn_commits_total": 1}},
		"relayed": {func(e *metrics.Exporter) { e.Relayed(webhook.CommandOther, 204, time.Second) }, map[string]float64{
			"relay_requests_total{2xx}{other}": 1, "relay_duration_seconds{other} count": 1, "relay_duration_seconds{other} sum": 1,
		}},
		"relayed, odd codes": {func(e *metrics.Exporter) {
			for _, status := range []int{0, 99, 100, 199, 301, 404, 599, 600} {
				e.Relayed(webhook.CommandOther, status, 0)
			}
		}, map[string]float64{
			"relay_requests_total{none}{other}": 3, "relay_requests_total{1xx}{other}": 2, "relay_requests_total{3xx}{other}": 1,
			"relay_requests_total{4xx}{other}": 1, "relay_requests_total{5xx}{other}": 1,
			"relay_duration_seconds{other} count": 8,
		}},
		"relay failed": {func(e *metrics.Exporter) { e.RelayFailed(webhook.CommandOther, relay.ReasonTimeout) }, map[string]float64{
			"relay_failures_total{other}{timeout}": 1,
		}},
		"reloaded": {func(e *metrics.Exporter) { e.Reloaded(true) }, map[string]float64{
			"config_last_reload_successful": 1, "config_last_reload_success_timestamp_seconds": 946684800,
		}},
		"reload failed": {func(e *metrics.Exporter) {
			e.Reloaded(true)
			time.Sleep(time.Hour)
			e.Reloaded(false)
		}, map[string]float64{"config_last_reload_success_timestamp_seconds": 946684800}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				registry := prometheus.NewPedanticRegistry()
				own := metrics.NewExporter(registry)
				own.ExpectRelay()
				before := values(t, registry)
				c.observe(own)
				expect(t, "changed", changed(before, values(t, registry)), c.want)
			})
		})
	}
}

// All that is known from the start is shown at 0 from the start.
func TestOwnMetricsFromTheStart(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	metrics.NewExporter(registry)
	got := values(t, registry)
	want := []string{"tuilivekit_exporter_webhook_duplicates_total", "tuilivekit_exporter_webhook_ignored_total{other}"}
	for _, command := range append(webhook.Commands(), webhook.CommandOther) {
		want = append(want, "tuilivekit_exporter_webhook_requests_total{"+command+"}")
	}
	for _, reason := range webhook.Reasons() {
		want = append(want, "tuilivekit_exporter_webhook_rejections_total{"+string(reason)+"}")
	}
	for _, field := range webhook.Fields() {
		want = append(want, "tuilivekit_exporter_webhook_invalid_fields_total{"+field+"}")
	}
	for _, name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	// A destroyed room is never ignored.
	if _, ok := got["tuilivekit_exporter_webhook_ignored_total{"+webhook.CommandDestroyRoom+"}"]; ok {
		t.Error("destroyed rooms are shown as ignored")
	}
	for name, value := range got {
		if value != 0 {
			t.Errorf("%s is %v", name, value)
		}
	}
}

// The relay is shown only where there is one.
func TestRelayMetricsFromTheStart(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	own := metrics.NewExporter(registry)
	before := values(t, registry)
	for name := range before {
		if strings.HasPrefix(name, "tuilivekit_exporter_relay_") {
			t.Errorf("%s is shown", name)
		}
	}
	own.ExpectRelay()
	shown := changed(before, values(t, registry))
	for _, command := range append(webhook.Commands(), webhook.CommandOther) {
		for _, name := range []string{"relay_requests_total{2xx}{%s}", "relay_requests_total{none}{%s}", "relay_failures_total{%s}{overload}", "relay_duration_seconds{%s} count"} {
			name = strings.ReplaceAll(name, "%s", command)
			if value, ok := shown[name]; !ok || value != 0 {
				t.Errorf("%s is %v (there: %t)", name, value, ok)
			}
		}
	}
}

func TestLedgerCollector(t *testing.T) {
	t.Parallel()
	status := ledger.Status{Identities: 5, StorageBytes: 4096}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.NewLedgerCollector(func() ledger.Status { return status }))
	expect(t, "well", values(t, registry), map[string]float64{
		"tuilivekit_exporter_ledger_identities": 5, "tuilivekit_exporter_journal_behind": 0, "tuilivekit_exporter_journal_size_bytes": 4096,
	})
	status = ledger.Status{Behind: true}
	expect(t, "behind", values(t, registry), map[string]float64{
		"tuilivekit_exporter_ledger_identities": 0, "tuilivekit_exporter_journal_behind": 1, "tuilivekit_exporter_journal_size_bytes": 0,
	})
}

// Everything together, as the exporter registers it, keeps to Prometheus' rules for names.
func TestLint(t *testing.T) {
	t.Parallel()
	sums := totals.New(totals.DefaultBounds())
	sums.Expect(appID, []string{"gaming", room.CategoryNone, room.CategoryOther}, time.Now())
	sums.Add(ended("r1", 7), []string{"7"}, time.Now())
	registry := prometheus.NewPedanticRegistry()
	own := metrics.NewExporter(registry)
	own.ExpectApp(appID)
	own.ExpectRelay()
	registry.MustRegister(
		metrics.NewCollector(func() (totals.View, metrics.Rendering) { return sums.View(), all() }),
		metrics.NewLedgerCollector(func() ledger.Status { return ledger.Status{} }),
		versioncollector.NewCollector("tuilivekit_exporter"),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, family := range families {
		names = append(names, family.GetName())
		if family.GetHelp() == "" || !strings.HasSuffix(family.GetHelp(), ".") && strings.HasPrefix(family.GetName(), "tuilivekit_") && family.GetName() != "tuilivekit_exporter_build_info" {
			t.Errorf("HELP of %s is %q", family.GetName(), family.GetHelp())
		}
	}
	for _, name := range []string{"tuilivekit_exporter_build_info", "go_goroutines", "process_start_time_seconds", "tuilivekit_room_gifts"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is missing", name)
		}
	}
}
