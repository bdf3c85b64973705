// Package exporter assembles the parts into two http.Handlers: one receives the
// webhooks of TUILiveKit, the other serves the metrics they add up to. The
// command tuilivekit_exporter puts each on a listener of its own; a Go backend
// can mount them in its own server instead.
package exporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/config"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/metrics"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/relay"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

// Options are what an Exporter works with beside its configuration.
type Options struct {
	// Logger takes the log; nil discards it.
	Logger *slog.Logger
	// StoragePath is the directory in which counted rooms are kept over restarts;
	// it is made if need be. "" keeps them in memory only.
	StoragePath string
	// ListenAddresses are those, as host:port, that the handlers are served on. A
	// configuration that relays to one of them is refused.
	ListenAddresses []string
	// TelemetryPath is where the telemetry handler serves metrics; "" is /metrics.
	TelemetryPath string
	// Load loads the configuration anew for Reload; nil: it can't be reloaded.
	Load func() (*config.Config, error)
}

// Exporter receives webhooks and serves metrics. Its methods may be called from
// any goroutine.
type Exporter struct {
	options    Options
	logger     *slog.Logger
	own        *metrics.Exporter
	ledger     *ledger.Ledger
	rejections *webhook.RejectionLog
	telemetry  http.Handler
	lastScrape *lastScrape

	reloading sync.Mutex   // one reload after the other
	relay     *relay.Relay // nil: nothing is relayed; of reloading
	webhook   atomic.Pointer[webhook.Handler]
	rendering atomic.Pointer[metrics.Rendering]
	draining  atomic.Bool
	closed    atomic.Bool
}

// New returns an Exporter that is ready to receive. The configuration must come
// from package config, which validates it, and must not be changed afterwards.
func New(cfg *config.Config, options Options) (*Exporter, error) {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.TelemetryPath == "" {
		options.TelemetryPath = "/metrics"
	}
	if err := Check(cfg, options); err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	own := metrics.NewExporter(registry)
	ledger, err := ledger.Open(ledger.Options{
		Path:     options.StoragePath,
		Settings: ledgerSettings(cfg),
		Observer: own,
		Logger:   options.Logger,
	})
	if err != nil {
		return nil, err
	}
	e := &Exporter{
		options:    options,
		logger:     options.Logger,
		own:        own,
		ledger:     ledger,
		rejections: webhook.NewRejectionLog(options.Logger),
	}
	e.lastScrape = newLastScrape(e.holding)
	registry.MustRegister(
		metrics.NewCollector(e.view),
		metrics.NewLedgerCollector(ledger.Status),
		versioncollector.NewCollector("tuilivekit_exporter"),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	e.telemetry = e.newTelemetry(options.TelemetryPath, registry)
	e.apply(cfg)
	own.Reloaded(true)
	return e, nil
}

// Check returns an error if New would refuse the configuration with these options.
func Check(cfg *config.Config, options Options) error {
	if options.TelemetryPath != "" {
		if err := checkTelemetryPath(options.TelemetryPath); err != nil {
			return err
		}
	}
	return checkRelay(cfg, options.ListenAddresses)
}

// Webhook returns the handler of the sender's requests. It is the public one.
func (e *Exporter) Webhook() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.webhook.Load().ServeHTTP(w, r)
	})
}

// Telemetry returns the handler of metrics, health, reload and profiles. It is
// the private one.
func (e *Exporter) Telemetry() http.Handler { return e.telemetry }

// Reload loads the configuration anew and puts it into force for requests that
// come after. A configuration that does not load leaves the running one in
// force; the error is returned, logged and shown in a metric.
func (e *Exporter) Reload() error {
	e.reloading.Lock()
	defer e.reloading.Unlock()
	if e.options.Load == nil {
		return errors.New("reload configuration: it was not loaded from a file")
	}
	cfg, err := e.options.Load()
	if err == nil {
		err = checkRelay(cfg, e.options.ListenAddresses)
	}
	if err != nil {
		e.own.Reloaded(false)
		e.logger.Error("Reloading the configuration failed, the running one stays in force", "err", err)
		return fmt.Errorf("reload configuration: %w", err)
	}
	e.ledger.Configure(ledgerSettings(cfg))
	e.apply(cfg)
	e.own.Reloaded(true)
	e.logger.Info("Reloaded the configuration")
	return nil
}

// Drain makes telemetry report that the exporter is not ready, so that no more
// webhooks are sent to it. Those that come are still counted.
func (e *Exporter) Drain() { e.draining.Store(true) }

// Close drains and makes all that was counted durable. Webhooks must have ended
// before; telemetry still answers. It returns an error when the disk fails. Every
// further call does nothing.
func (e *Exporter) Close() error {
	e.Drain()
	if e.closed.Swap(true) {
		return nil
	}
	return e.ledger.Close()
}

// AwaitScrape returns after a scrape that began after this call was answered, and
// with no series held at 0 any more; or with ctx's error. Called when all webhooks
// have ended, it makes sure that what was counted last is seen.
func (e *Exporter) AwaitScrape(ctx context.Context) error { return e.lastScrape.await(ctx) }

// apply puts a configuration into force, but for the ledger's part of it.
func (e *Exporter) apply(cfg *config.Config) {
	for _, app := range cfg.Apps {
		e.own.ExpectApp(sdkAppID(app))
		if len(app.Tokens) == 0 {
			e.logger.Warn("No token is configured: anybody can send rooms of this app, signatures are not checked", "sdk_app_id", app.SDKAppID)
		}
	}
	e.rendering.Store(&metrics.Rendering{
		Classic:       cfg.Histograms.Classic,
		Native:        cfg.Histograms.Native,
		Exemplars:     cfg.Metrics.Exemplars,
		NewSeriesHold: cfg.Metrics.NewSeriesHold,
	})
	before := e.relay
	if e.relay = e.newRelay(cfg); e.relay != nil {
		e.own.ExpectRelay()
	}
	e.webhook.Store(webhook.New(webhook.Options{
		Path:              cfg.Webhook.Path,
		MaxBodyBytes:      cfg.Webhook.MaxBodyBytes,
		Apps:              webhookApps(cfg),
		Recorder:          e.ledger,
		Observer:          e.own,
		Rejections:        e.rejections,
		Logger:            e.logger,
		Relay:             e.relay,
		ForwardUnverified: cfg.Relay.Unverified == config.UnverifiedForward,
	}))
	if before != nil {
		before.Close()
	}
}

// newRelay returns the relay of a configuration, or nil if it has none.
func (e *Exporter) newRelay(cfg *config.Config) *relay.Relay {
	target := relayURL(cfg)
	if target == nil {
		return nil
	}
	return relay.New(relay.Options{
		URL:         target,
		TLS:         cfg.Relay.TLSConfig,
		Timeout:     cfg.Relay.Timeout,
		MaxInFlight: cfg.Relay.MaxInFlight,
		Observer:    e.own,
		Logger:      e.logger,
	})
}

func (e *Exporter) view() (totals.View, metrics.Rendering) {
	return e.ledger.View(), *e.rendering.Load()
}

// holding reports whether a scrape of now would still show a series at 0 that has a value.
func (e *Exporter) holding() bool {
	view, rendering := e.view()
	return rendering.Holds(view, time.Now())
}
