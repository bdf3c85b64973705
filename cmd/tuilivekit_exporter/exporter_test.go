package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	token   = "a-token-that-no-log-may-show"
	appID   = "1400000001"
	otherID = "1400000002"

	metricRooms      = "tuilivekit_rooms_destroyed_total"
	metricDuplicates = "tuilivekit_exporter_webhook_duplicates_total"
	metricRejections = "tuilivekit_exporter_webhook_rejections_total"
	metricRequests   = "tuilivekit_exporter_webhook_requests_total"
	metricReloaded   = "tuilivekit_exporter_config_last_reload_successful"
)

// exporter is a running tuilivekit_exporter.
type exporter struct {
	*process
	webhook string // http://HOST:PORT
	web     string
	client  *http.Client
}

// startExporter starts the exporter on ports of the system's choice, with its
// log in JSON and without storage where args do not say otherwise, and returns
// when both listeners are open.
func startExporter(t *testing.T, args ...string) *exporter {
	t.Helper()
	e := &exporter{process: start(t, "tuilivekit_exporter", withDefaults(args)...), client: newClient(t, nil)}
	e.webhook = "http://" + e.listening("webhook")
	e.web = "http://" + e.listening("web")
	return e
}

func withDefaults(args []string) []string {
	args = slices.Clone(args)
	for _, arg := range []string{"--webhook.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0", "--storage.path=", "--log.format=json"} {
		flag := arg[:strings.Index(arg, "=")+1]
		if !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, flag) }) {
			args = append(args, arg)
		}
	}
	return args
}

// listening returns the address of a listener as soon as it is open, from the log in any format.
func (e *exporter) listening(listener string) (address string) {
	e.t.Helper()
	line := regexp.MustCompile(`Listening on.*listener\W+` + listener + `\W.*address\W+([0-9.]+:[0-9]+)`)
	colour := regexp.MustCompile("\x1b\\[[0-9;]*m")
	eventually(e.t, "the listener "+listener, func() bool {
		if found := line.FindStringSubmatch(colour.ReplaceAllString(e.stderr.String(), "")); found != nil {
			address = found[1]
			return true
		}
		if !e.running() {
			e.t.Fatal("the exporter did not start")
		}
		return false
	})
	return address
}

// newClient returns a client with connections of its own.
func newClient(t *testing.T, transport *http.Transport) *http.Client {
	if transport == nil {
		transport = &http.Transport{}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// request sends a request and returns the answer.
func request(t *testing.T, client *http.Client, method, url, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

// get returns the body of a page of the metrics' listener.
func (e *exporter) get(path string) string {
	e.t.Helper()
	status, body := request(e.t, e.client, http.MethodGet, e.web+path, "")
	if status != http.StatusOK {
		e.t.Fatalf("GET %s: status %d: %s", path, status, body)
	}
	return body
}

// samples are the values of a scrape by series, as the text format writes it:
// labels in the order of their names.
type samples map[string]float64

func (e *exporter) scrape() samples {
	e.t.Helper()
	return parseSamples(e.t, e.get("/metrics"))
}

func parseSamples(t *testing.T, text string) samples {
	t.Helper()
	s := samples{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		space := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[space+1:], 64)
		if err != nil {
			t.Fatalf("parse %q: %v", line, err)
		}
		s[line[:space]] = value
	}
	return s
}

// sum adds up all series of a family whose labels contain each of some pairs.
func (s samples) sum(family string, pairs ...string) (sum float64) {
	for series, value := range s {
		name, labels, _ := strings.Cut(series, "{")
		if name == family && !slices.ContainsFunc(pairs, func(pair string) bool { return !strings.Contains(labels, pair) }) {
			sum += value
		}
	}
	return sum
}

// counters returns the series of the families that count rooms.
func (s samples) counters() map[string]uint64 {
	counters := map[string]uint64{}
	for series, value := range s {
		name, _, _ := strings.Cut(series, "{")
		if strings.HasPrefix(name, "tuilivekit_") && !strings.HasPrefix(name, "tuilivekit_exporter_") && strings.HasSuffix(name, "_total") {
			counters[series] = uint64(value)
		}
	}
	return counters
}

// sign returns the Sign of a request.
func sign(token, requestTime string) string {
	sum := sha256.Sum256([]byte(token + requestTime))
	return hex.EncodeToString(sum[:])
}

// destroyedURL returns the URL of a Live.CallbackAfterDestroyRoom, signed now unless token is empty.
func (e *exporter) destroyedURL(token string) string {
	url := e.webhook + "/?SdkAppid=" + appID + "&CallbackCommand=Live.CallbackAfterDestroyRoom&contenttype=json"
	if token == "" {
		return url
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	return url + "&RequestTime=" + now + "&Sign=" + sign(token, now)
}

// destroyedBody returns the body of one.
func destroyedBody(roomID string) string {
	return fmt.Sprintf(`{"CallbackCommand":"Live.CallbackAfterDestroyRoom","EventType":"DestroyByUser","EventTime":%d,"RoomId":%q,`+
		`"RoomInfo":{"Category":[1]},"Statistic":{"TotalViewers":1,"TotalGiftsSent":2,"TotalGiftCoins":3,"TotalUniqueGiftSenders":4,"TotalLikesReceived":5}}`,
		time.Now().UnixMilli(), roomID)
}

// destroy sends a destroyed room, signed unless token is empty, and returns the status of the answer.
func (e *exporter) destroy(roomID, token string) int {
	e.t.Helper()
	status, _ := request(e.t, e.client, http.MethodPost, e.destroyedURL(token), destroyedBody(roomID))
	return status
}

// compare reports the differences between what is and what should be.
func compare[V comparable](t *testing.T, what string, got, want map[string]V) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if value, ok := got[key]; !ok {
			t.Errorf("%s: %s is missing, want %v", what, key, want[key])
		} else if value != want[key] {
			t.Errorf("%s: %s is %v, want %v", what, key, value, want[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			t.Errorf("%s: %s is %v, want none", what, key, got[key])
		}
	}
}
