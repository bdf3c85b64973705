// Command tuilivekit_exporter receives the webhook Live.CallbackAfterDestroyRoom
// of TUILiveKit and exposes what it tells as Prometheus metrics.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/config"
)

func main() {
	spaceCollections()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code: 0 after a clean end, 1 when the exporter could not
// do its work, 2 when it was called wrongly.
func run(args []string, stdout io.Writer, stderr *os.File) int {
	flags, err := parseFlags(args)
	if err != nil {
		fmt.Fprintf(stderr, "tuilivekit_exporter: %v, try --help\n", err)
		return 2
	}
	// From here on a signal is an order and not the end of the process.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // but for a second one
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)

	options := exporter.Options{
		StoragePath:     flags.storagePath,
		ListenAddresses: flags.listenAddresses(),
		TelemetryPath:   flags.telemetryPath,
		Load:            flags.load,
	}
	logger := newLogger(stderr, flags.logLevel, flags.logFormat)
	// net/http has things to say that it takes no logger for.
	log.SetFlags(0)
	log.SetOutput(slog.NewLogLogger(logger.Handler(), slog.LevelDebug).Writer())
	watcher := config.NewWatcher(logger, flags.files)
	cfg, err := flags.load()
	if err == nil {
		err = exporter.Check(cfg, options)
	}
	if err == nil {
		err = flags.validateWebConfigs()
	}
	if flags.configCheck {
		if err != nil {
			fmt.Fprintln(stderr, err)
			return 1
		}
		fmt.Fprintln(stdout, "The configuration is valid.")
		return 0
	}
	if err != nil {
		logger.Error("Loading the configuration failed", "err", err)
		return 1
	}
	logger.Info("Starting tuilivekit_exporter", "version", version.Info(), "build_context", version.BuildContext())

	options.Logger = logger
	e, err := exporter.New(cfg, options)
	if err != nil {
		logger.Error("Starting failed", "err", err)
		return 1
	}
	go func() {
		for range hangups {
			_ = e.Reload() // which logs how it went
		}
	}()
	go watcher.Run(ctx, func() { _ = e.Reload() }) // which logs how it went
	if err := serve(ctx, e, flags, logger); err != nil {
		logger.Error("Serving failed", "err", err)
		return 1
	}
	logger.Info("Stopped")
	return 0
}

// load loads the configuration from its file, or from the flags that stand in for one.
func (f *flags) load() (*config.Config, error) {
	if f.configFile != "" {
		return config.Load(f.configFile)
	}
	return config.ForApps(f.sdkAppIDs, f.tokenFile)
}

func (f *flags) validateWebConfigs() error {
	for flag, file := range map[string]string{"webhook.config.file": f.webhook.configFile, "web.config.file": f.web.configFile} {
		if err := web.Validate(file); err != nil {
			return fmt.Errorf("--%s=%s: %w", flag, file, err)
		}
	}
	return nil
}

// files are those that load reads.
func (f *flags) files() []string {
	switch {
	case f.configFile != "":
		return config.Files(f.configFile)
	case f.tokenFile != "":
		return []string{f.tokenFile}
	default:
		return nil
	}
}
