package exporter_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/config"
)

const appID = "1400000001"

// minimal configures one app whose signatures are not checked.
const minimal = "apps: [{sdk_app_id: " + appID + "}]\n"

// site is an exporter with its configuration file and both its listeners.
type site struct {
	t         *testing.T
	dir       string
	exporter  *exporter.Exporter
	webhook   string // URL of the listener, without a path
	telemetry string
	log       *logBuffer
}

// logBuffer keeps a log; it may be written and read by any goroutine.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// newSite starts an exporter whose configuration file is exporter.yml, beside the
// other files given by name.
func newSite(t *testing.T, files map[string]string, change func(*exporter.Options)) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), log: &logBuffer{}}
	for name, content := range files {
		s.write(name, content)
	}
	options := exporter.Options{Logger: slog.New(slog.NewTextHandler(s.log, nil)), Load: s.load}
	if change != nil {
		change(&options)
	}
	cfg, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	s.exporter, err = exporter.New(cfg, options)
	if err != nil {
		t.Fatal(err)
	}
	s.webhook, s.telemetry = s.serve(s.exporter.Webhook()), s.serve(s.exporter.Telemetry())
	t.Cleanup(func() {
		if err := s.exporter.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func (s *site) serve(handler http.Handler) (url string) {
	server := httptest.NewServer(handler)
	s.t.Cleanup(server.Close)
	return server.URL
}

func (s *site) load() (*config.Config, error) {
	return config.Load(filepath.Join(s.dir, "exporter.yml"))
}

func (s *site) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// reload writes a new configuration file and has it loaded.
func (s *site) reload(content string) error {
	s.t.Helper()
	s.write("exporter.yml", content)
	return s.exporter.Reload()
}

func (s *site) mustReload(content string) {
	s.t.Helper()
	if err := s.reload(content); err != nil {
		s.t.Fatal(err)
	}
}

// deliver sends the webhook of a room with the categories (integers, separated by
// commas) and the number in every statistic; it returns the status.
func (s *site) deliver(id, categories string, value int) int {
	s.t.Helper()
	return s.deliverTo("/", "", id, categories, value)
}

func (s *site) deliverTo(path, token, id, categories string, value int) int {
	s.t.Helper()
	query := "SdkAppid=" + appID + "&CallbackCommand=Live.CallbackAfterDestroyRoom"
	if token != "" {
		now := strconv.FormatInt(time.Now().Unix(), 10)
		sum := sha256.Sum256([]byte(token + now))
		query += "&RequestTime=" + now + "&Sign=" + hex.EncodeToString(sum[:])
	}
	body := fmt.Sprintf(`{"RoomId":%q,"EventTime":1726000000123,"EventType":"DestroyByUser","RoomInfo":{"Category":[%s]},`+
		`"Statistic":{"TotalViewers":%[3]d,"TotalGiftsSent":%[3]d,"TotalGiftCoins":%[3]d,"TotalUniqueGiftSenders":%[3]d,"TotalLikesReceived":%[3]d}}`,
		id, categories, value)
	response, err := http.Post(s.webhook+path+"?"+query, "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		s.t.Error(err)
	}
	return response.StatusCode
}

// request sends a request to the telemetry listener.
func (s *site) request(method, path string, header http.Header) (status int, _ http.Header, body string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.telemetry+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	// Compressed bodies are left as they are.
	response, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(content)
}

// scrape returns what the telemetry listener shows in text, by line without its value.
func (s *site) scrape() map[string]float64 {
	s.t.Helper()
	status, _, body := s.request(http.MethodGet, "/metrics", nil)
	if status != http.StatusOK {
		s.t.Fatalf("status %d: %s", status, body)
	}
	return parse(s.t, body)
}

func parse(t *testing.T, text string) map[string]float64 {
	t.Helper()
	values := make(map[string]float64)
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		space := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[space+1:], 64)
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		values[line[:space]] = value
	}
	return values
}

// of returns the name of a domain series of the one app, destroyed by its user.
func of(family, category string) string {
	return fmt.Sprintf(`tuilivekit_%s{category=%q,destroy_type="user",sdk_app_id=%q}`, family, category, appID)
}

// bucket returns the name of a classic bucket.
func bucket(family, category, le string) string {
	return fmt.Sprintf(`tuilivekit_%s_bucket{category=%q,destroy_type="user",sdk_app_id=%q,le=%q}`, family, category, appID, le)
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// expectValues checks some of the values of a scrape.
func expectValues(t *testing.T, scrape, want map[string]float64) {
	t.Helper()
	for name, value := range want {
		if got, ok := scrape[name]; !ok || got != value {
			t.Errorf("%s is %v (there: %t), want %v", name, got, ok, value)
		}
	}
}
