// Package exporter assembles the parts into two http.Handlers: one receives the
// webhooks of TUILiveKit, the other serves the metrics they add up to. The
// command tuilivekit_exporter puts each on a listener of its own; a Go backend
// can mount them in its own server instead.
package exporter

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/config"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/metrics"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

// Options are what an Exporter works with beside its configuration.
type Options struct {
	// Logger takes the log; nil discards it.
	Logger *slog.Logger
	// TelemetryPath is where the telemetry handler serves metrics; "" is /metrics.
	TelemetryPath string
	// Load loads the configuration anew for Reload; nil: it can't be reloaded.
	Load func() (*config.Config, error)
}

// Exporter receives webhooks and serves metrics. Its methods may be called from
// any goroutine.
type Exporter struct {
	logger     *slog.Logger
	load       func() (*config.Config, error)
	own        *metrics.Exporter
	ledger     *ledger.Ledger
	rejections *webhook.RejectionLog
	telemetry  http.Handler

	reloading sync.Mutex // one reload after the other
	webhook   atomic.Pointer[webhook.Handler]
	rendering atomic.Pointer[metrics.Rendering]
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
	registry := prometheus.NewRegistry()
	own := metrics.NewExporter(registry)
	e := &Exporter{
		logger:     options.Logger,
		load:       options.Load,
		own:        own,
		ledger:     ledger.New(ledgerSettings(cfg), own, options.Logger),
		rejections: webhook.NewRejectionLog(options.Logger),
	}
	registry.MustRegister(
		metrics.NewCollector(e.view),
		versioncollector.NewCollector("tuilivekit_exporter"),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	telemetry, err := e.newTelemetry(options.TelemetryPath, registry)
	if err != nil {
		return nil, err
	}
	e.telemetry = telemetry
	e.apply(cfg)
	own.Reloaded(true)
	return e, nil
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
	if e.load == nil {
		return errors.New("reload configuration: it was not loaded from a file")
	}
	cfg, err := e.load()
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

// Close makes the exporter report that it is not ready. The handlers still
// answer, so that requests in flight end well.
func (e *Exporter) Close() error {
	e.closed.Store(true)
	return nil
}

// apply puts a configuration into force, but for the ledger's part of it.
func (e *Exporter) apply(cfg *config.Config) {
	for _, app := range cfg.Apps {
		e.own.ExpectApp(sdkAppID(app))
		if len(app.Tokens) == 0 {
			e.logger.Warn("No token is configured: anybody can send rooms of this app, signatures are not checked", "sdk_app_id", app.SDKAppID)
		}
	}
	if cfg.Relay.URL != "" {
		e.logger.Warn("relay.url has no effect yet: requests are answered here and not relayed", "url", cfg.Relay.URL)
	}
	e.rendering.Store(&metrics.Rendering{
		Classic:       cfg.Histograms.Classic,
		Native:        cfg.Histograms.Native,
		Exemplars:     cfg.Metrics.Exemplars,
		NewSeriesHold: cfg.Metrics.NewSeriesHold,
	})
	e.webhook.Store(webhook.New(webhook.Options{
		Path:         cfg.Webhook.Path,
		MaxBodyBytes: cfg.Webhook.MaxBodyBytes,
		Apps:         webhookApps(cfg),
		Recorder:     e.ledger,
		Observer:     e.own,
		Rejections:   e.rejections,
		Logger:       e.logger,
	}))
}

func (e *Exporter) view() (totals.View, metrics.Rendering) {
	return e.ledger.View(), *e.rendering.Load()
}
