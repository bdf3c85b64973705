package main

import (
	"errors"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
)

// flags are the command line.
type flags struct {
	configFile    string
	configCheck   bool
	sdkAppIDs     []uint64
	tokenFile     string
	webhook       listenFlags
	web           listenFlags
	telemetryPath string
	storagePath   string
	awaitScrape   time.Duration
	logLevel      string
	logFormat     string
}

// listenFlags are those of one listener.
type listenFlags struct {
	address       string
	systemdSocket bool   // the address is not used: systemd listens
	configFile    string // exporter-toolkit's web configuration; "" is plain HTTP for everybody
}

// Values of --log.format.
const (
	logFormatConsole = "console"
	logFormatLogfmt  = "logfmt"
	logFormatJSON    = "json"
)

// parseFlags parses the command line. --help and --version end the process.
func parseFlags(args []string) (*flags, error) {
	f := &flags{}
	app := kingpin.New("tuilivekit_exporter", "Turns TUILiveKit's destroyed rooms into Prometheus metrics.")
	app.Version(version.Print("tuilivekit_exporter"))
	app.HelpFlag.Short('h')

	app.Flag("config.file", "Configuration file.").
		PlaceHolder("PATH").StringVar(&f.configFile)
	app.Flag("config.check", "Validate the configuration and exit.").
		BoolVar(&f.configCheck)
	app.Flag("webhook.sdk-app-id", "SDKAppID whose webhooks are accepted, instead of a configuration file. Repeatable.").
		PlaceHolder("ID").Uint64ListVar(&f.sdkAppIDs)
	app.Flag("webhook.token-file", "File with the token that webhooks are signed with, instead of a configuration file. Without it signatures are not checked.").
		PlaceHolder("PATH").StringVar(&f.tokenFile)

	app.Flag("webhook.listen-address", "Address on which webhooks are received.").
		Default(":8080").StringVar(&f.webhook.address)
	app.Flag("webhook.systemd-socket", "Receive webhooks on the socket that systemd passes, instead of the listen address.").
		BoolVar(&f.webhook.systemdSocket)
	app.Flag("webhook.config.file", "Web configuration file of the webhook's listener: TLS, client certificates.").
		PlaceHolder("PATH").StringVar(&f.webhook.configFile)
	app.Flag("web.listen-address", "Address on which metrics are exposed.").
		Default(":10880").StringVar(&f.web.address)
	app.Flag("web.config.file", "Web configuration file of the metrics' listener: TLS, client certificates, users.").
		PlaceHolder("PATH").StringVar(&f.web.configFile)
	app.Flag("web.telemetry-path", "Path under which metrics are exposed.").
		Default("/metrics").StringVar(&f.telemetryPath)

	app.Flag("storage.path", "Directory in which counted rooms are kept over restarts. Empty: in memory only.").
		Default("data").StringVar(&f.storagePath)

	app.Flag("shutdown.await-scrape", "On shutdown keep metrics exposed, after webhooks ended, until a scrape has carried the final totals, at most that long.").
		Default("0s").DurationVar(&f.awaitScrape)

	app.Flag("log.level", "Only log messages with this level or above.").
		Default("info").EnumVar(&f.logLevel, "debug", "info", "warn", "error")
	app.Flag("log.format", "Format of log messages.").
		Default(logFormatConsole).EnumVar(&f.logFormat, logFormatConsole, logFormatLogfmt, logFormatJSON)

	if _, err := app.Parse(args); err != nil {
		return nil, err
	}
	standIn := len(f.sdkAppIDs) > 0
	switch {
	case f.awaitScrape < 0:
		return nil, errors.New("--shutdown.await-scrape must not be negative")
	case f.configFile == "" && !standIn:
		return nil, errors.New("--config.file or --webhook.sdk-app-id is required")
	case f.configFile != "" && (standIn || f.tokenFile != ""):
		return nil, errors.New("--webhook.sdk-app-id and --webhook.token-file stand in for --config.file and can not be used with it")
	}
	return f, nil
}
