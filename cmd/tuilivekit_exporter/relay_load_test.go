package main_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// restartingApp is an app that notes what it accepts and when it was down.
type restartingApp struct {
	t       *testing.T
	address string
	server  *http.Server

	mu       sync.Mutex
	accepted map[string]int // how often, by the request's id
	down     []downtime
}

type downtime struct{ from, to time.Time }

func (a *restartingApp) start() {
	listener, err := net.Listen("tcp", a.address)
	if err != nil {
		a.t.Fatal(err)
	}
	a.server = &http.Server{Handler: http.HandlerFunc(a.accept), ErrorLog: log.New(io.Discard, "", 0)}
	go a.server.Serve(listener)
}

func (a *restartingApp) accept(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Id")
	a.mu.Lock()
	a.accepted[id]++
	a.mu.Unlock()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // cut off by a restart
	}
	fmt.Fprint(w, "answer to ", id)
}

// restart cuts all connections, stays away for a moment and comes back.
func (a *restartingApp) restart() {
	from := time.Now()
	a.server.Close()
	time.Sleep(50 * time.Millisecond)
	a.start()
	a.mu.Lock()
	a.down = append(a.down, downtime{from, time.Now()})
	a.mu.Unlock()
}

// wasDown tells whether the app was down at some time between two.
func (a *restartingApp) wasDown(from, to time.Time) bool {
	for _, d := range a.down {
		if from.Before(d.to) && d.from.Before(to) {
			return true
		}
	}
	return false
}

// tried is how a request went for its sender.
type tried struct {
	id       string
	from, to time.Time
	status   int
	answer   string
}

// TestRelayRestarts restarts the app under load while the exporter's disk is full: whatever
// fails is the app's doing, nothing reaches it twice, and each room counts once.
func TestRelayRestarts(t *testing.T) {
	t.Parallel()
	const requests, restarts, senders = 10_000, 5, 16
	app := &restartingApp{t: t, address: fixedAddress(t), accepted: map[string]int{}}
	app.start()
	t.Cleanup(func() { app.server.Close() })
	e := startExporterFull(t, "http://"+app.address)

	numbers, results := make(chan int), make(chan tried, requests)
	var sending, restarting sync.WaitGroup
	client := newClient(t, &http.Transport{MaxIdleConnsPerHost: senders})
	for range senders {
		sending.Go(func() {
			for i := range numbers {
				results <- trySend(t, client, e.webhook, i)
			}
		})
	}
	for i := range requests {
		if i%(requests/(restarts+1)) == requests/(restarts+1)-1 && i < requests-requests/(restarts+1) {
			restarting.Wait() // one after the other
			restarting.Go(app.restart)
		}
		numbers <- i
	}
	close(numbers)
	sending.Wait()
	restarting.Wait()
	close(results)

	app.mu.Lock()
	defer app.mu.Unlock()
	failed := 0
	for r := range results {
		accepted := app.accepted[r.id]
		switch {
		case accepted > 1:
			t.Errorf("request %s reached the app %d times", r.id, accepted)
		case r.status == http.StatusOK && (accepted != 1 || r.answer != "answer to "+r.id):
			t.Errorf("request %s: answer %q, and the app accepted it %d times", r.id, r.answer, accepted)
		case r.status != http.StatusOK:
			failed++
			if !app.wasDown(r.from, r.to) {
				t.Errorf("request %s: status %d %s, but the app was up", r.id, r.status, r.answer)
			}
		}
	}
	t.Logf("%d of %d requests failed over %d restarts", failed, requests, len(app.down))
	if len(app.down) != restarts || failed > requests/4 {
		t.Errorf("%d restarts, %d of %d requests failed", len(app.down), failed, requests)
	}
	s := e.scrape()
	if s.sum(metricRooms) != requests/4 || s[metricDuplicates] != 0 {
		t.Errorf("%v rooms, %v duplicates, want %d and none", s.sum(metricRooms), s[metricDuplicates], requests/4)
	}
	if s.sum("tuilivekit_exporter_journal_failures_total") == 0 {
		t.Error("the disk was never full")
	}
	e.noComplaints()
}

// startExporterFull starts an exporter that can't write files beyond some size, so that its
// disk is soon full.
func startExporterFull(t *testing.T, app string) *exporter {
	t.Helper()
	dir := t.TempDir()
	args := withDefaults([]string{
		"--config.file=" + writeFile(t, dir, "exporter.yml", relayTo(app)),
		"--storage.path=" + filepath.Join(dir, "data"),
	})
	e := &exporter{client: newClient(t, nil)}
	e.process = startWith(t, func(cmd *exec.Cmd) {
		cmd.Path = "/bin/sh"
		cmd.Args = append([]string{"sh", "-c", `ulimit -f 32; exec "$@"`, "sh"}, cmd.Args...)
	}, "tuilivekit_exporter", args...)
	e.webhook, e.web = "http://"+e.listening("webhook"), "http://"+e.listening("web")
	return e
}

// trySend sends one request, every fourth a destroyed room, every fourth with a larger body.
func trySend(t *testing.T, client *http.Client, url string, number int) (r tried) {
	r.id = fmt.Sprint(number)
	query, body := giftQuery, `{"gift":`+r.id+`}`
	switch number % 4 {
	case 0:
		query, body = roomQuery, destroyedBody("room-"+r.id)
	case 1:
		body += strings.Repeat(" ", 20_000)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/hook?"+query, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return r
	}
	request.Header.Set("X-Id", r.id)
	r.from = time.Now()
	response, err := client.Do(request)
	if err == nil {
		defer response.Body.Close()
		var content []byte
		content, err = io.ReadAll(response.Body)
		r.status, r.answer = response.StatusCode, string(content)
	}
	r.to = time.Now()
	if err != nil {
		r.status, r.answer = 0, err.Error()
	}
	return r
}

// TestRelayLeavesNothing lets many clients send commands and rooms of all sorts at once:
// every answer is the app's or, on a slow machine, a timeout that a metric tells of,
// every room is counted once, and nothing stays.
func TestRelayLeavesNothing(t *testing.T) {
	t.Parallel()
	const clients, each = 256, 12
	app := newCountingApp(t)
	e := startRelay(t, "http://"+app.address)
	client := newClient(t, &http.Transport{MaxIdleConnsPerHost: clients})
	before := e.goroutines()
	var (
		sending  sync.WaitGroup
		timeouts atomic.Int64
	)
	for c := range clients {
		sending.Go(func() {
			for i := range each {
				number := c*each + i
				switch i % 6 {
				case 4: // hangs up half-way
					conn, err := net.Dial("tcp", e.address())
					if err != nil {
						t.Error(err)
						continue
					}
					_, _ = io.WriteString(conn, "POST /?"+giftQuery+" HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
					conn.Close()
				case 5:
					answer, err := tryCall(e.address(), "GET /big?"+giftQuery+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
					if answer.Start == "504" {
						timeouts.Add(1)
					} else if err != nil || len(answer.Body) != 100_000 {
						t.Errorf("big answer: %d bytes, %v", len(answer.Body), err)
					}
				default:
					r := trySend(t, client, e.webhook, number)
					if r.status == http.StatusGatewayTimeout {
						timeouts.Add(1)
					} else if r.status != http.StatusOK || r.answer != "answer to "+r.id {
						t.Errorf("request %d: %+v", number, r)
					}
				}
			}
		})
	}
	sending.Wait()
	client.CloseIdleConnections()
	rooms := 0
	for number := range clients * each {
		if number%4 == 0 && number%each%6 < 4 {
			rooms++
		}
	}
	eventually(t, "all rooms to be counted", func() bool { return e.scrape().sum(metricRooms) == float64(rooms) })
	if s := e.scrape(); s[metricDuplicates] != 0 || s.sum(metricRelayFailures, `reason="timeout"`) < float64(timeouts.Load()) {
		t.Errorf("%v duplicates, %v timeouts told of, want none and %d", s[metricDuplicates], s.sum(metricRelayFailures, `reason="timeout"`), timeouts.Load())
	}
	eventually(t, "the app's connections to be closed", func() bool { return app.connections() == 0 })
	eventually(t, "the goroutines of all requests to end", func() bool { return e.goroutines() <= before+3 })
	e.noComplaints()
}

// countingApp is an app that knows its open connections.
type countingApp struct {
	address string
	mu      sync.Mutex
	open    int
}

func newCountingApp(t *testing.T) *countingApp {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &countingApp{address: listener.Addr().String()}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/big" {
				fmt.Fprint(w, strings.Repeat("x", 100_000))
				return
			}
			_, _ = io.Copy(io.Discard, r.Body) // some senders hang up
			fmt.Fprint(w, "answer to ", r.Header.Get("X-Id"))
		}),
		ConnState: func(_ net.Conn, state http.ConnState) {
			a.mu.Lock()
			defer a.mu.Unlock()
			switch state {
			case http.StateNew:
				a.open++
			case http.StateClosed, http.StateHijacked:
				a.open--
			}
		},
	}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return a
}

func (a *countingApp) connections() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open
}
