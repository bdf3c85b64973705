package webhook_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

const (
	appID        = "1400000001"
	currentToken = "xxxxyyyy"
	formerToken  = "the-former-token"

	okAnswer        = `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`
	forbiddenAnswer = `{"ActionStatus":"FAIL","ErrorInfo":"forbidden","ErrorCode":403}`
	internalAnswer  = `{"ActionStatus":"FAIL","ErrorInfo":"internal error","ErrorCode":500}`
	noRoomIDAnswer  = `{"ActionStatus":"FAIL","ErrorInfo":"RoomId is missing or not a text","ErrorCode":400}`
	noTimeAnswer    = `{"ActionStatus":"FAIL","ErrorInfo":"EventTime is missing or not a positive integer of milliseconds","ErrorCode":400}`

	// destroyQuery is enough where no token is configured.
	destroyQuery = "SdkAppid=" + appID + "&CallbackCommand=" + webhook.CommandDestroyRoom
	smallRoom    = `{"RoomId":"r1","EventTime":1703589922780}`
)

// told is all that a handler told its Recorder and its Observer.
type told struct {
	Received   []string
	Rejected   []webhook.Reason
	Ignored    []string
	Invalid    []string
	Recorded   []room.Destroyed // new rooms only
	Duplicates int
	Counted    int
	Handled    int
}

// witness is a Recorder and an Observer that keeps what it is told.
type witness struct {
	handled chan struct{} // one value a request

	mu    sync.Mutex
	told  told
	known map[string]bool
	panic any // what the next Record panics with
}

func newWitness() *witness {
	return &witness{handled: make(chan struct{}, 1000), known: make(map[string]bool)}
}

func (w *witness) note(change func(*told)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.told)
}

// take returns what was told since the last call.
func (w *witness) take() (taken told) {
	w.note(func(t *told) { taken, *t = *t, told{} })
	return taken
}

func (w *witness) panicNext(cause any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.panic = cause
}

func (w *witness) Record(d *room.Destroyed) (duplicate bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cause := w.panic; cause != nil {
		w.panic = nil
		panic(cause)
	}
	identity := fmt.Sprintf("%q %q %d", d.SDKAppID, d.RoomID, d.EventTime.UnixMilli())
	if w.known[identity] {
		return true
	}
	w.known[identity] = true
	w.told.Recorded = append(w.told.Recorded, *d)
	return false
}

func (w *witness) Received(command string) {
	w.note(func(t *told) { t.Received = append(t.Received, command) })
}

func (w *witness) Rejected(reason webhook.Reason) {
	w.note(func(t *told) { t.Rejected = append(t.Rejected, reason) })
}

func (w *witness) Ignored(command string) {
	w.note(func(t *told) { t.Ignored = append(t.Ignored, command) })
}

func (w *witness) InvalidField(field string) {
	w.note(func(t *told) { t.Invalid = append(t.Invalid, field) })
}

func (w *witness) Duplicate() { w.note(func(t *told) { t.Duplicates++ }) }

func (w *witness) Counted(*room.Destroyed, time.Time) { w.note(func(t *told) { t.Counted++ }) }

func (w *witness) Handled(time.Duration) {
	w.note(func(t *told) { t.Handled++ })
	w.handled <- struct{}{}
}

// newHandler returns a handler for one app without tokens, unless change says otherwise.
func newHandler(change func(*webhook.Options)) (http.Handler, *witness) {
	w := newWitness()
	logger := slog.New(slog.DiscardHandler)
	options := webhook.Options{
		Path:         "/",
		MaxBodyBytes: 1 << 20,
		Apps:         []webhook.App{{SDKAppID: appID}},
		Recorder:     w,
		Observer:     w,
		Rejections:   webhook.NewRejectionLog(logger),
		Logger:       logger,
	}
	if change != nil {
		change(&options)
	}
	return webhook.New(options), w
}

// newServer serves newHandler on a port of its own until the test ends.
func newServer(t *testing.T, change func(*webhook.Options)) (url string, _ *witness) {
	t.Helper()
	handler, w := newHandler(change)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL, w
}

func withTokens(o *webhook.Options) {
	o.Apps = []webhook.App{{SDKAppID: appID, Tokens: []string{currentToken, formerToken}}}
}

// post sends body and returns the status and the answer, whose form it checks.
func post(t *testing.T, url, query, body string) (status int, answer string) {
	t.Helper()
	return send(t, http.MethodPost, url, query, strings.NewReader(body))
}

func send(t *testing.T, method, url, query string, body io.Reader) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url+"?"+query, body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, response)
}

// readAnswer returns the status and the body of a response after checking that
// it is what the sender takes for an answer, its status aside.
func readAnswer(t *testing.T, response *http.Response) (status int, answer string) {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	checkForm(t, response.StatusCode, response.Header, body)
	return response.StatusCode, string(body)
}

func checkForm(t *testing.T, status int, header http.Header, body []byte) {
	t.Helper()
	if got := header.Values("Content-Type"); !reflect.DeepEqual(got, []string{"application/json"}) {
		t.Errorf("Content-Type is %q", got)
	}
	var fields map[string]any
	if err := json.Unmarshal(body, &fields); err != nil {
		t.Fatalf("answer %q is not JSON: %v", body, err)
	}
	info, isText := fields["ErrorInfo"].(string)
	want := map[string]any{"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0.0}
	if status != http.StatusOK {
		want = map[string]any{"ActionStatus": "FAIL", "ErrorInfo": info, "ErrorCode": float64(status)}
	}
	if !isText || !reflect.DeepEqual(fields, want) {
		t.Errorf("answer of status %d is %s", status, body)
	}
}

// failAnswer returns the answer that refuses a body with info.
func failAnswer(t *testing.T, status int, info string) string {
	t.Helper()
	quoted, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"ActionStatus":"FAIL","ErrorInfo":%s,"ErrorCode":%d}`, quoted, status)
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// expectRejection checks that one request was rejected and nothing else happened.
func expectRejection(t *testing.T, w *witness, command string, reason webhook.Reason) {
	t.Helper()
	expect(t, "told", w.take(), told{Received: []string{command}, Rejected: []webhook.Reason{reason}, Handled: 1})
}

func sign(token, requestTime string) string {
	sum := sha256.Sum256([]byte(token + requestTime))
	return hex.EncodeToString(sum[:])
}

// signedQuery returns what a request has in its query when it is signed now.
func signedQuery(token string) string {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	return destroyQuery + "&RequestTime=" + now + "&Sign=" + sign(token, now)
}

func sampleFiles(tb testing.TB) map[string][]byte {
	tb.Helper()
	paths, err := filepath.Glob("testdata/samples/*.json")
	if err != nil || len(paths) != 5 {
		tb.Fatalf("found %q, %v", paths, err)
	}
	samples := make(map[string][]byte, len(paths))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		samples[filepath.Base(path)] = data
	}
	return samples
}

// statistics returns known statistics in the order of room.AllStatistics.
func statistics(values ...uint64) (s room.Statistics) {
	s.Present = true
	for i, value := range values {
		s.Set(room.Statistic(i), value)
	}
	return s
}
