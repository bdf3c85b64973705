package metrics

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/relay"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

const namespace = "tuilivekit_exporter"

// relayMetrics are those of relayed requests of one command.
type relayMetrics struct {
	requests map[string]prometheus.Counter // by class of the status code
	duration prometheus.Observer
}

// Exporter holds the exporter's metrics of itself. It is the observer of the
// parts that do the work; its methods may be called from any goroutine.
type Exporter struct {
	requests      map[string]prometheus.Counter // by command, all that are known
	rejections    *prometheus.CounterVec
	ignored       *prometheus.CounterVec
	invalidFields *prometheus.CounterVec
	duplicates    prometheus.Counter
	duration      prometheus.Histogram

	eventDelay prometheus.Histogram
	lastEvent  atomic.Int64 // Unix milliseconds
	overflow   *prometheus.CounterVec

	commits          prometheus.Counter
	records          prometheus.Counter
	commitDuration   prometheus.Histogram
	snapshotDuration prometheus.Histogram
	journalFailures  prometheus.Counter
	recoveredRecords prometheus.Counter
	lostRecords      prometheus.Counter
	damagedFiles     prometheus.Counter
	tornCommits      prometheus.Counter

	relayRequests *prometheus.CounterVec
	relayFailures *prometheus.CounterVec
	relayDuration *prometheus.HistogramVec
	expectRelay   sync.Once
	relayed       map[string]relayMetrics // by command, all that are known

	reloadSuccessful prometheus.Gauge
	reloadTime       prometheus.Gauge
}

// NewExporter registers the exporter's metrics of itself, all labels that are
// known at 0.
func NewExporter(registry prometheus.Registerer) *Exporter {
	factory := promauto.With(registry)
	counter := func(subsystem, name, help string) prometheus.Counter {
		return factory.NewCounter(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help})
	}
	counters := func(subsystem, name, help, label string, values ...string) *prometheus.CounterVec {
		vec := factory.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, []string{label})
		for _, value := range values {
			vec.WithLabelValues(value)
		}
		return vec
	}
	known := func(vec *prometheus.CounterVec, values ...string) map[string]prometheus.Counter {
		children := make(map[string]prometheus.Counter, len(values))
		for _, value := range values {
			children[value] = vec.WithLabelValues(value)
		}
		return children
	}
	gauge := func(subsystem, name, help string) prometheus.Gauge {
		return factory.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help})
	}
	histogram := func(subsystem, name, help string, buckets ...float64) prometheus.Histogram {
		return factory.NewHistogram(histogramOpts(subsystem, name, help, buckets...))
	}
	reasons := make([]string, 0, len(webhook.Reasons()))
	for _, reason := range webhook.Reasons() {
		reasons = append(reasons, string(reason))
	}
	commands := append(webhook.Commands(), webhook.CommandOther)

	e := &Exporter{
		requests: known(counters("webhook", "requests_total",
			"Requests received on the webhook's listener, by the command in their query; rejected ones are among them.", "command"), commands...),
		rejections: counters("webhook", "rejections_total",
			"Requests rejected and not counted as a room.", "reason", reasons...),
		ignored: counters("webhook", "ignored_total",
			"Requests with another command than a destroyed room, acknowledged and not used.", "command", commands[1:]...),
		invalidFields: counters("webhook", "invalid_fields_total",
			"Fields of destroyed rooms that were not what they should be, and so unknown.", "field", webhook.Fields()...),
		duplicates: counter("webhook", "duplicates_total",
			"Destroyed rooms delivered again within the window for duplicates: acknowledged and not counted again."),
		duration: histogram("webhook", "duration_seconds",
			"Time from the end of a request's header to the end of its answer.",
			.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2),
		eventDelay: histogram("", "event_delay_seconds",
			"Time from the end of a room (EventTime) to its webhook, of rooms counted.",
			.1, .25, .5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 86400),
		overflow: counters("category", "overflow_total",
			"Rooms counted under the category other because categories.limit was reached.", labelSDKAppID),
		commits: counter("journal", "commits_total",
			"Commits to the journal: writes with one fsync for all records that came together."),
		records: counter("journal", "records_total",
			"Records committed to the journal: rooms and changes of the configuration."),
		commitDuration: histogram("journal", "commit_duration_seconds",
			"Time to write and fsync a commit.",
			.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5),
		snapshotDuration: histogram("journal", "snapshot_duration_seconds",
			"Time to write and fsync a snapshot.",
			.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10),
		journalFailures: counter("journal", "failures_total",
			"Failed or overdue writes of the journal or a snapshot. Rooms are counted from memory until a write works again."),
		recoveredRecords: counter("journal", "recovered_records_total",
			"Records read from the journal at the start, behind the snapshot."),
		lostRecords: counter("journal", "lost_records_total",
			"Records that the start found missing in a damaged journal."),
		damagedFiles: counter("journal", "damaged_files_total",
			"Files that the start found damaged or missing."),
		tornCommits: counter("journal", "torn_commits_total",
			"Commits that a crash cut short, found and cut off at the start. They were not acknowledged."),
		relayRequests: factory.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: "relay", Name: "requests_total",
			Help: "Requests meant for the app, by the class of its answer's status code; none: it gave no answer."}, []string{"command", "code"}),
		relayFailures: factory.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: "relay", Name: "failures_total",
			Help: "Requests that got no answer from the app, or not a whole one."}, []string{"command", "reason"}),
		relayDuration: factory.NewHistogramVec(histogramOpts("relay", "duration_seconds",
			"Time from the end of a relayed request's header to the end of the app's answer.",
			.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 1.5, 2), []string{"command"}),
		reloadSuccessful: gauge("config", "last_reload_successful",
			"Whether the last attempt to load the configuration was successful."),
		reloadTime: gauge("config", "last_reload_success_timestamp_seconds",
			"Time of the last successful load of the configuration."),
	}
	factory.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "last_event_timestamp_seconds",
		Help: "EventTime of the latest room counted, at most the time it was received at; 0 before the first."},
		func() float64 { return float64(e.lastEvent.Load()) / 1e3 })
	return e
}

func histogramOpts(subsystem, name, help string, buckets ...float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: subsystem, Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// Received implements webhook.Observer.
func (e *Exporter) Received(command string) { e.requests[command].Inc() }

// Rejected implements webhook.Observer.
func (e *Exporter) Rejected(reason webhook.Reason) {
	e.rejections.WithLabelValues(string(reason)).Inc()
}

// Ignored implements webhook.Observer.
func (e *Exporter) Ignored(command string) { e.ignored.WithLabelValues(command).Inc() }

// InvalidField implements webhook.Observer.
func (e *Exporter) InvalidField(field string) { e.invalidFields.WithLabelValues(field).Inc() }

// Duplicate implements webhook.Observer.
func (e *Exporter) Duplicate() { e.duplicates.Inc() }

// Counted implements webhook.Observer.
func (e *Exporter) Counted(destroyed *room.Destroyed, received time.Time) {
	// A sender whose clock is ahead would show a negative delay.
	e.eventDelay.Observe(max(0, received.Sub(destroyed.EventTime).Seconds()))
	// What comes late, or claims to be from the future, must not move it.
	at := min(destroyed.EventTime.UnixMilli(), received.UnixMilli())
	for last := e.lastEvent.Load(); at > last && !e.lastEvent.CompareAndSwap(last, at); last = e.lastEvent.Load() {
	}
}

// Handled implements webhook.Observer.
func (e *Exporter) Handled(took time.Duration) { e.duration.Observe(took.Seconds()) }

// CategoryOverflow implements ledger.Observer.
func (e *Exporter) CategoryOverflow(sdkAppID string) { e.overflow.WithLabelValues(sdkAppID).Inc() }

// Recovered implements ledger.Observer.
func (e *Exporter) Recovered(r ledger.Recovery) {
	e.recoveredRecords.Add(float64(r.Records))
	e.lostRecords.Add(float64(r.LostRecords))
	e.damagedFiles.Add(float64(r.DamagedFiles))
	if r.TornBytes > 0 {
		e.tornCommits.Inc()
	}
}

// Committed implements ledger.Observer.
func (e *Exporter) Committed(records int, took time.Duration) {
	e.commits.Inc()
	e.records.Add(float64(records))
	e.commitDuration.Observe(took.Seconds())
}

// JournalFailed implements ledger.Observer.
func (e *Exporter) JournalFailed() { e.journalFailures.Inc() }

// Snapshotted implements ledger.Observer.
func (e *Exporter) Snapshotted(took time.Duration) { e.snapshotDuration.Observe(took.Seconds()) }

// Relayed implements relay.Observer.
func (e *Exporter) Relayed(command string, status int, took time.Duration) {
	r := e.relayed[command]
	r.requests[codeClass(status)].Inc()
	r.duration.Observe(took.Seconds())
}

// RelayFailed implements relay.Observer.
func (e *Exporter) RelayFailed(command string, reason relay.Reason) {
	e.relayFailures.WithLabelValues(command, string(reason)).Inc()
}

// ExpectRelay exposes the relay's metrics at 0. It must be called before the first
// request is relayed.
func (e *Exporter) ExpectRelay() {
	e.expectRelay.Do(func() {
		e.relayed = make(map[string]relayMetrics)
		for _, command := range append(webhook.Commands(), webhook.CommandOther) {
			r := relayMetrics{make(map[string]prometheus.Counter), e.relayDuration.WithLabelValues(command)}
			for _, status := range []int{0, 100, 200, 300, 400, 500} {
				class := codeClass(status)
				r.requests[class] = e.relayRequests.WithLabelValues(command, class)
			}
			e.relayed[command] = r
			for _, reason := range relay.Reasons() {
				e.relayFailures.WithLabelValues(command, string(reason))
			}
		}
	})
}

// codeClass returns the value of the label code.
func codeClass(status int) string {
	if status < 100 || status > 599 {
		return "none"
	}
	return [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}[status/100-1]
}

// ExpectApp exposes the app's metrics of the exporter itself at 0.
func (e *Exporter) ExpectApp(sdkAppID string) { e.overflow.WithLabelValues(sdkAppID) }

// Reloaded tells whether loading the configuration was successful.
func (e *Exporter) Reloaded(successful bool) {
	if !successful {
		e.reloadSuccessful.Set(0)
		return
	}
	e.reloadSuccessful.Set(1)
	e.reloadTime.SetToCurrentTime()
}
