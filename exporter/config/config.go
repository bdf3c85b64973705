// Package config is the exporter's YAML file: its types, its defaults, and a loader that is strict enough for
// everything else to use what it returns without a check of its own.
package config

import (
	"crypto/tls"
	"time"
)

// Values of Relay.Unverified.
const (
	// UnverifiedReject refuses a request whose signature is wrong or missing.
	UnverifiedReject = "reject"
	// UnverifiedForward hands such a request to the app all the same, without counting its room.
	UnverifiedForward = "forward"
)

// Config is the whole file, key by key. What Load and ForApps return is complete (a key that is absent or null has
// its default) and valid. It is never changed after that, so any goroutine may read it.
//
// Durations are written as Prometheus writes them: 24h, 1d, 1h30m, 1900ms, 0s.
type Config struct {
	Apps       []App      `yaml:"apps"`
	Webhook    Webhook    `yaml:"webhook"`
	Categories Categories `yaml:"categories"`
	Histograms Histograms `yaml:"histograms"`
	Metrics    Metrics    `yaml:"metrics"`
	Dedupe     Dedupe     `yaml:"dedupe"`
	Relay      Relay      `yaml:"relay"`
}

// App is one app whose webhooks are accepted. There is at least one, and no two share an id.
type App struct {
	// SDKAppID is above 0.
	SDKAppID uint64 `yaml:"sdk_app_id"`
	// TokenFiles are the paths as written: in a file relative to its folder, on the command line to the working
	// directory. None: signatures are not checked.
	TokenFiles []string `yaml:"token_files"`
	// Tokens holds the token of each of TokenFiles, in their order, as it was when the configuration was loaded.
	// Each is 1 to 128 printable characters. Two may be equal.
	Tokens []Secret `yaml:"-"`
}

// Webhook is how the sender reaches the exporter.
type Webhook struct {
	// Path is the one path accepted when nothing is relayed. It starts with a slash, is clean as path.Clean would
	// have it but for a slash at the end, and needs no escaping in a URL.
	Path string `yaml:"path"`
	// MaxBodyBytes is 1 to 64 MiB.
	MaxBodyBytes int64 `yaml:"max_body_bytes"`
}

// Categories turns a room's category into a label value.
type Categories struct {
	// Names maps categories to label values: unique UTF-8, never empty, never an integer, "none" or "other".
	Names map[int64]string `yaml:"names"`
	// Limit is how many distinct unnamed categories get a label value of their own, 0 or more.
	Limit int `yaml:"limit"`
}

// Histograms says how histograms are exposed. At least one of Classic and Native is true.
type Histograms struct {
	Classic bool    `yaml:"classic"`
	Native  bool    `yaml:"native"`
	Buckets Buckets `yaml:"buckets"`
}

// Buckets are the upper bounds of classic buckets: finite, 0 or more, strictly increasing. Empty: the default bounds
// of that histogram.
type Buckets struct {
	Viewers     []float64 `yaml:"viewers"`
	Gifts       []float64 `yaml:"gifts"`
	GiftCoins   []float64 `yaml:"gift_coins"`
	GiftSenders []float64 `yaml:"gift_senders"`
	Likes       []float64 `yaml:"likes"`
}

// Metrics says how series are exposed.
type Metrics struct {
	// NewSeriesHold is how long a series that appears while running shows 0 before its value, 0 or more.
	NewSeriesHold time.Duration `yaml:"new_series_hold"`
	Exemplars     bool          `yaml:"exemplars"`
}

// Dedupe says what counts as a duplicate.
type Dedupe struct {
	// Window is how long a counted room is remembered, above 0.
	Window time.Duration `yaml:"window"`
}

// Relay says where requests are forwarded to.
type Relay struct {
	// URL is empty (nothing is relayed), an http or https URL with a host and no path, for requests keep theirs, or
	// unix: and the absolute path of a socket ("unix:/run/app.sock", "unix:///run/app.sock"). It has no user info,
	// query or fragment.
	URL string `yaml:"url"`
	// Timeout is above 0 and below the 2 s that the sender waits.
	Timeout time.Duration `yaml:"timeout"`
	// Unverified is UnverifiedReject or UnverifiedForward.
	Unverified string `yaml:"unverified"`
	// MaxInFlight is how many requests may be on their way to the app at a time, above 0.
	MaxInFlight int `yaml:"max_in_flight"`
	// TLS is how an https URL is connected to.
	TLS RelayTLS `yaml:"tls_config"`
	// TLSConfig is made of TLS; nil without any. Its client certificate is read again for each connection.
	TLSConfig *tls.Config `yaml:"-"`
}

// RelayTLS has the keys of Prometheus' tls_config. Paths are as written: relative to the file's folder.
type RelayTLS struct {
	CAFile     string `yaml:"ca_file"`     // instead of the system's CAs
	CertFile   string `yaml:"cert_file"`   // the client's certificate, with KeyFile
	KeyFile    string `yaml:"key_file"`    // its private key
	ServerName string `yaml:"server_name"` // instead of the URL's host
}

// defaults returns the configuration of a file that has no keys.
func defaults() *Config {
	return &Config{
		Webhook:    Webhook{Path: "/", MaxBodyBytes: 1 << 20},
		Categories: Categories{Limit: 50},
		Histograms: Histograms{Classic: true, Native: true},
		Metrics:    Metrics{Exemplars: true},
		Dedupe:     Dedupe{Window: 24 * time.Hour},
		Relay:      Relay{Timeout: 1900 * time.Millisecond, Unverified: UnverifiedReject, MaxInFlight: 1024},
	}
}
