package webhook_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/relay"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

// relayed is what a relay tells its Observer.
type relayed struct {
	Command string
	Status  int
	Reason  relay.Reason
}

// relayWitness is a relay.Observer that keeps what it is told.
type relayWitness struct {
	mu   sync.Mutex
	told []relayed
}

func (w *relayWitness) Relayed(command string, status int, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, relayed{Command: command, Status: status})
}

func (w *relayWitness) RelayFailed(command string, reason relay.Reason) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, relayed{Command: command, Reason: reason})
}

// relayTo returns options for a relay to an app.
func relayTo(t *testing.T, target string, change func(*relay.Options)) func(*webhook.Options) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	options := relay.Options{URL: u, Timeout: time.Minute, MaxInFlight: 100, Observer: &relayWitness{}, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&options)
	}
	r := relay.New(options)
	t.Cleanup(r.Close)
	return func(o *webhook.Options) { o.Relay = r }
}

// panickyObserver panics with whatever it is told.
type panickyObserver struct{ webhook.Observer }

func (panickyObserver) Received(string)                    { panic("Received") }
func (panickyObserver) Rejected(webhook.Reason)            { panic("Rejected") }
func (panickyObserver) InvalidField(string)                { panic("InvalidField") }
func (panickyObserver) Duplicate()                         { panic("Duplicate") }
func (panickyObserver) Counted(*room.Destroyed, time.Time) { panic("Counted") }

// TestRelayedWhileCountingPanics lets all that counts panic: the app's answer is not touched.
func TestRelayedWhileCountingPanics(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/x-app")
		w.WriteHeader(http.StatusTeapot)
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(app.Close)
	for name, test := range map[string]struct {
		recorder, observer bool // which one panics
	}{
		"Recorder": {recorder: true},
		"Observer": {observer: true},
		"both":     {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			toApp := relayTo(t, app.URL, nil)
			server, w := newServer(t, func(o *webhook.Options) {
				toApp(o)
				o.ForwardUnverified = true
				o.Logger = slog.New(slog.NewTextHandler(&log, nil))
				if test.observer {
					o.Observer = panickyObserver{o.Observer}
				}
			})
			if test.recorder {
				w.panicNext("Recorder")
			}
			for _, body := range []string{smallRoom, "not JSON"} {
				for _, query := range []string{destroyQuery, "SdkAppid=1&CallbackCommand=x"} {
					response, err := http.Post(server+"?"+query, "application/json", strings.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					defer response.Body.Close()
					answer, err := io.ReadAll(response.Body)
					if err != nil || response.StatusCode != http.StatusTeapot || response.Header.Get("Content-Type") != "text/x-app" || string(answer) != body {
						t.Errorf("%s %s: the app's answer came as %s %q: %v", query, body, response.Status, answer, err)
					}
				}
			}
			if !strings.Contains(log.String(), "panicked") {
				t.Error("nothing was logged")
			}
		})
	}
}

// slowRecorder counts when it is told to.
type slowRecorder struct{ count chan struct{} }

func (r slowRecorder) Record(*room.Destroyed) bool {
	<-r.count
	return false
}

// TestRelayedBeyondLimit fills the app with one slow command: more of it is refused at once,
// and a destroyed room is counted all the same.
func TestRelayedBeyondLimit(t *testing.T) {
	t.Parallel()
	const limit = 3
	entered, leave := make(chan struct{}), make(chan struct{})
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	}))
	t.Cleanup(app.Close)
	observer := &relayWitness{}
	server, w := newServer(t, relayTo(t, app.URL, func(o *relay.Options) {
		o.MaxInFlight = limit
		o.Observer = observer
	}))
	slow := "SdkAppid=" + appID + "&CallbackCommand=Live.CallbackBeforeSendGift"
	var waiting sync.WaitGroup
	for range limit {
		waiting.Go(func() {
			response, err := http.Post(server+"?"+slow, "application/json", strings.NewReader("{}"))
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
		})
		<-entered
	}
	// Not so small that it comes with its header.
	room := smallRoom + strings.Repeat(" ", 100_000)
	for query, body := range map[string]string{slow: "{}", destroyQuery: room} {
		status, _ := post(t, server, query, body)
		expect(t, "status beyond the limit", status, http.StatusServiceUnavailable)
	}
	for range 2 {
		<-w.handled
	}
	expect(t, "rooms counted", len(w.take().Recorded), 1)
	close(leave)
	waiting.Wait()
	go func() { <-entered }()
	if status, _ := statusOf(t, server, slow); status != http.StatusOK {
		t.Errorf("afterwards: status %d", status)
	}
	overload := 0
	observer.mu.Lock()
	defer observer.mu.Unlock()
	for _, told := range observer.told {
		if told.Reason == relay.ReasonOverload {
			overload++
		}
	}
	expect(t, "requests beyond the limit", overload, 2)
}

func statusOf(t *testing.T, server, query string) (int, string) {
	t.Helper()
	response, err := http.Post(server+"?"+query, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// TestRelayedAnswerAwaitsCounting: the app's answer waits for the room to be counted, a
// failure to get one does not.
func TestRelayedAnswerAwaitsCounting(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat("answer", 10_000)) // does not wait in a buffer
	}))
	t.Cleanup(app.Close)
	for name, test := range map[string]struct {
		target string
		want   int
	}{"answered": {app.URL, http.StatusOK}, "not answered": {"unix:/nowhere", http.StatusBadGateway}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			toApp := relayTo(t, test.target, nil)
			count := make(chan struct{})
			server, w := newServer(t, func(o *webhook.Options) {
				toApp(o)
				o.Recorder = slowRecorder{count}
			})
			answers := make(chan int, 1)
			go func() {
				response, err := http.Post(server+"?"+destroyQuery, "application/json", strings.NewReader(smallRoom))
				if err != nil {
					t.Error(err)
					answers <- 0
					return
				}
				response.Body.Close()
				answers <- response.StatusCode
			}()
			if test.want == http.StatusOK {
				select {
				case status := <-answers:
					t.Fatalf("status %d before the room was counted", status)
				case <-time.After(100 * time.Millisecond): // long enough for an answer that does not wait
				}
				count <- struct{}{}
				expect(t, "status", <-answers, test.want)
			} else {
				expect(t, "status", <-answers, test.want)
				count <- struct{}{}
			}
			<-w.handled
			expect(t, "rooms counted", w.take().Counted, 1)
		})
	}
}

// TestRelayedOverHTTP2 sends trailers behind bodies of known and of unknown length, which
// HTTP/1 has behind the latter alone: the app gets both, while the room is counted.
func TestRelayedOverHTTP2(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		length, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, length, r.Trailer.Get("X-Sum"))
	}))
	t.Cleanup(app.Close)
	handler, w := newHandler(relayTo(t, app.URL, nil))
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	want := 0
	for _, size := range []int{100, 5_000, 100_000} {
		for _, known := range []bool{true, false} {
			for range 20 {
				want++
				body := fmt.Sprintf(`{"RoomId":"r%d","EventTime":1,"Pad":"%s"}`, want, strings.Repeat("x", size))
				request, err := http.NewRequest(http.MethodPost, server.URL+"?"+destroyQuery, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				request.Trailer = http.Header{"X-Sum": {"sum"}}
				if !known {
					request.ContentLength = -1
				}
				response, err := server.Client().Do(request)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := io.ReadAll(response.Body)
				response.Body.Close()
				if want := fmt.Sprint(len(body), "sum"); err != nil || response.ProtoMajor != 2 || string(answer) != want {
					t.Fatalf("%d bytes, known to be: %t: HTTP/%d, %q, %v, want %q", size, known, response.ProtoMajor, answer, err, want)
				}
			}
		}
	}
	if got := w.take().Counted; got != want {
		t.Errorf("%d rooms were counted, want %d", got, want)
	}
}
