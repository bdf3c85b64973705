package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/exporter-toolkit/web"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter"
)

const (
	// The sender waits 2 s; these leave a slow network some room, and nobody the
	// means to hold connections for nothing.
	webhookReadTimeout  = 10 * time.Second
	webhookWriteTimeout = 15 * time.Second // from the end of the header: longer than the body may take

	telemetryReadTimeout  = 10 * time.Second
	telemetryWriteTimeout = 2 * time.Minute // long enough for a CPU profile

	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 3 * time.Minute
	maxHeaderBytes    = 64 << 10

	// How long requests in flight get to end: webhooks just longer than the
	// timeouts above allow them, scrapes and profiles a moment.
	webhookShutdownTimeout   = 20 * time.Second
	telemetryShutdownTimeout = 2 * time.Second
)

// serve serves both listeners until ctx is done, and then ends in an order that
// loses nothing: no new webhooks, those in flight answered, telemetry last.
func serve(ctx context.Context, e *exporter.Exporter, f *flags, logger *slog.Logger) error {
	webhookListener, err := f.webhook.listen()
	if err != nil {
		return fmt.Errorf("listen for webhooks: %w", err)
	}
	defer webhookListener.Close()
	webListener, err := f.web.listen()
	if err != nil {
		return fmt.Errorf("listen for scrapes: %w", err)
	}
	defer webListener.Close()

	webhookServer := newServer(e.Webhook(), webhookReadTimeout, webhookWriteTimeout, logger.With("listener", "webhook"))
	webServer := newServer(e.Telemetry(), telemetryReadTimeout, telemetryWriteTimeout, logger.With("listener", "web"))
	failed := make(chan error, 2)
	go func() {
		failed <- web.Serve(webhookListener, webhookServer, &web.FlagConfig{WebConfigFile: &f.webhook.configFile}, logger.With("listener", "webhook"))
	}()
	go func() {
		failed <- web.Serve(webListener, webServer, &web.FlagConfig{WebConfigFile: &f.web.configFile}, logger.With("listener", "web"))
	}()

	select {
	case err = <-failed:
	case <-ctx.Done():
		logger.Info("Shutting down")
		e.Drain()
	}
	err = errors.Join(err, shutdown(webhookServer, webhookShutdownTimeout, "webhook", logger), e.Close())
	if ctx.Err() != nil { // told to stop: scrapes are still served
		awaitScrape(e, f.awaitScrape, logger)
	}
	return errors.Join(err, shutdown(webServer, telemetryShutdownTimeout, "web", logger))
}

// awaitScrape waits for a scrape of the final totals. That none comes is no
// failure of ours.
func awaitScrape(e *exporter.Exporter, atMost time.Duration, logger *slog.Logger) {
	if atMost <= 0 {
		return
	}
	logger.Info("Waiting for a scrape of the final totals", "at_most", atMost)
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	if err := e.AwaitScrape(ctx); err != nil {
		logger.Warn("No scrape came in time", "at_most", atMost)
	}
}

func newServer(handler http.Handler, readTimeout, writeTimeout time.Duration, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// OPTIONS * is for the app to answer, too.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// shutdown stops accepting and waits for requests in flight. Those that do not
// end in time are cut off, which is no failure of ours.
func shutdown(server *http.Server, timeout time.Duration, listener string, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		logger.Warn("Requests did not end in time and were cut off", "listener", listener)
		return server.Close()
	}
	return err
}
