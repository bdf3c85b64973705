package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	metricRelayRequests = "tuilivekit_exporter_relay_requests_total"
	metricRelayFailures = "tuilivekit_exporter_relay_failures_total"
)

// startConnApp starts an app that deals with each request on its connection, until it
// returns false. The request's body has been read.
func startConnApp(t *testing.T, deal func(conn *net.TCPConn, request message) bool) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				reader := bufio.NewReader(conn)
				for {
					request, err := readMessage(reader, "")
					if err != nil || !deal(conn.(*net.TCPConn), request) {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func posting(query, body string) string {
	return fmt.Sprintf("POST /hook?%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", query, len(body), body)
}

// expectFail checks an answer that the exporter gave in the app's place.
func expectFail(t *testing.T, answer message, status int) {
	t.Helper()
	var fields struct {
		ActionStatus string
		ErrorInfo    *string
		ErrorCode    int
	}
	if err := json.Unmarshal([]byte(answer.Body), &fields); err != nil || answer.Start != fmt.Sprint(status) ||
		fields.ActionStatus != "FAIL" || fields.ErrorInfo == nil || fields.ErrorCode != status {
		t.Errorf("answer %+v (%v), want FAIL with status %d", answer, err, status)
	}
}

// TestRelayFaults: an app that fails makes for a FAIL, a metric that says how, and a room
// that is counted once all the same, also when the sender tries again.
func TestRelayFaults(t *testing.T) {
	t.Parallel()
	say := func(conn net.Conn, text string) { _, _ = io.WriteString(conn, text) } // the other end checks what comes
	reset := func(conn *net.TCPConn) bool {
		_ = conn.SetLinger(0)
		return false
	}
	const half = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"ActionStatus\""
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	for name, test := range map[string]struct {
		deal   func(conn *net.TCPConn, request message) bool // nil: nobody listens
		status int                                           // 0: none, the answer breaks off
		reason string
		code   string
	}{
		"refusing":  {nil, 502, "unreachable", "none"},
		"resetting": {func(conn *net.TCPConn, _ message) bool { return reset(conn) }, 502, "broken", "none"},
		"closing":   {func(*net.TCPConn, message) bool { return false }, 502, "broken", "none"},
		"talking nonsense": {func(conn *net.TCPConn, _ message) bool {
			say(conn, "HELO\r\n\r\n")
			return false
		}, 502, "broken", "none"},
		"resetting in its answer": {func(conn *net.TCPConn, _ message) bool {
			say(conn, half)
			return reset(conn)
		}, 0, "broken", "2xx"},
		"closing in its answer": {func(conn *net.TCPConn, _ message) bool {
			say(conn, half)
			return false
		}, 0, "broken", "2xx"},
		"breaking off chunks": {func(conn *net.TCPConn, _ message) bool {
			say(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
			return false
		}, 0, "broken", "2xx"},
		"hanging": {func(*net.TCPConn, message) bool {
			<-hold
			return false
		}, 504, "timeout", "none"},
		"hanging in its header": {func(conn *net.TCPConn, _ message) bool {
			say(conn, "HTTP/1.1 200 OK\r\nContent-")
			<-hold
			return false
		}, 504, "timeout", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := fixedAddress(t)
			if test.deal != nil {
				address = startConnApp(t, test.deal)
			}
			e := startRelay(t, "http://"+address, "timeout: 300ms")
			room := destroyedBody("room")
			for _, request := range []string{posting(giftQuery, "{}"), posting(roomQuery, room), posting(roomQuery, room), posting("SdkAppid="+appID+"&CallbackCommand=New", "{}")} {
				answer, err := tryCall(e.address(), request)
				switch {
				case test.status == 0 && err == nil:
					t.Errorf("the answer does not break off: %+v", answer)
				case test.status != 0 && err != nil:
					t.Error(err)
				case test.status != 0:
					expectFail(t, answer, test.status)
				}
			}
			var s samples
			eventually(t, "all to be counted", func() bool {
				s = e.scrape()
				return s.sum(metricRooms) == 1 && s[metricDuplicates] == 1 && s.sum(metricRelayRequests) == 4
			})
			for command, want := range map[string]float64{giftCommand: 1, "Live.CallbackAfterDestroyRoom": 2, "other": 1} {
				if got := s[metricRelayFailures+`{command="`+command+`",reason="`+test.reason+`"}`]; got != want {
					t.Errorf("%v failures of %s, want %v", got, command, want)
				}
				if got := s[metricRelayRequests+`{code="`+test.code+`",command="`+command+`"}`]; got != want {
					t.Errorf("%v requests of %s, want %v", got, command, want)
				}
				if got := s[`tuilivekit_exporter_relay_duration_seconds_count{command="`+command+`"}`]; got != want {
					t.Errorf("%v times of %s, want %v", got, command, want)
				}
			}
			if all := s.sum(metricRelayFailures); all != 4 {
				t.Errorf("%v failures, want 4", all)
			}
			e.noComplaints()
		})
	}
}

// TestRelayStreams: each piece of an answer and of a request goes on before the next one comes.
func TestRelayStreams(t *testing.T) {
	t.Parallel()
	more := make(chan struct{})
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if length := r.Header.Get("X-Length"); length != "" {
			w.Header().Set("Content-Length", length)
		}
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		piece := make([]byte, 2)
		for range 5 {
			if _, err := io.ReadFull(r.Body, piece); err != nil {
				t.Error(err)
			}
			_, _ = w.Write(piece) // the other end checks what comes
			_ = control.Flush()
			<-more
		}
	}))
	t.Cleanup(app.Close)
	e := startRelay(t, app.URL)
	for name, length := range map[string]string{"known length": "10", "unknown length": ""} {
		t.Run(name, func(t *testing.T) {
			body, send := io.Pipe()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.webhook+"/?"+giftQuery, body)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Length", length)
			go func() { _, _ = io.WriteString(send, "ab") }()
			response, err := e.client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			piece := make([]byte, 2)
			for i := range 5 {
				if i > 0 {
					go func() { _, _ = io.WriteString(send, "ab") }()
				}
				if _, err := io.ReadFull(response.Body, piece); err != nil || string(piece) != "ab" {
					t.Fatalf("piece %d: %q, %v", i, piece, err)
				}
				more <- struct{}{}
			}
			send.Close()
		})
	}
	e.noComplaints()
}

// TestRelayIdleConnections: connections to the app are used again, and one that the app
// closes while it is idle costs no request, whatever its method.
func TestRelayIdleConnections(t *testing.T) {
	t.Parallel()
	t.Run("kept", func(t *testing.T) {
		t.Parallel()
		app := newWireApp(t)
		app.set(wirePlan{answer: okAnswer})
		e := startRelay(t, "http://"+app.address)
		for range 50 {
			call(t, e.address(), posting(giftQuery, "{}"))
		}
		if n := len(app.accepted); n != 1 {
			t.Errorf("50 requests took %d connections", n)
		}
		eventually(t, "the idle connection to be closed", func() bool { return app.connections() == 0 })
	})
	for name, linger := range map[string]int{"closed": -1, "reset": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed, seen := make(chan struct{}), make(chan message, 1000)
			address := startConnApp(t, func(conn *net.TCPConn, request message) bool {
				seen <- request
				_, _ = io.WriteString(conn, okAnswer) // without a word of the close to come
				_ = conn.SetLinger(linger)
				<-closed
				conn.Close()
				closed <- struct{}{}
				return false
			})
			e := startRelay(t, "http://"+address)
			// The kernel may hold the end of a connection back until the next request
			// has been written on it, which then can not be proven not to be sent.
			const requests, mostFailed = 300, 3
			failed := 0
			for i := range requests {
				body := fmt.Sprintf(`{"number":%d}`, i)
				request := posting(giftQuery, body)
				switch i % 4 {
				case 1:
					request = posting(roomQuery, destroyedBody(fmt.Sprint("room-", i)))
				case 2:
					request = "GET /?" + giftQuery + " HTTP/1.1\r\nHost: a\r\n\r\n"
				case 3:
					request = strings.Replace(request, "POST", "PUT", 1)
				}
				answer := call(t, e.address(), request)
				if answer.Start == "502" && failed < mostFailed {
					failed++ // and no connection is left to be closed
					continue
				}
				if answer.Start != "200" {
					t.Fatalf("request %d: %+v", i, answer)
				}
				closed <- struct{}{}
				<-closed // its end is on its way, in front of the next request
			}
			if len(seen) != requests-failed {
				t.Errorf("the app saw %d requests, want %d", len(seen), requests-failed)
			}
			if rooms := e.scrape().sum(metricRooms); rooms != requests/4 {
				t.Errorf("%v rooms, want %d", rooms, requests/4)
			}
		})
	}
}

// TestRelaySendsOnce: a request that went out is not sent again, not even one that
// http.Transport would send again by itself.
func TestRelaySendsOnce(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 100)
	address := startConnApp(t, func(conn *net.TCPConn, request message) bool {
		seen <- request.Start
		if strings.Contains(request.Start, "/first") {
			_, _ = io.WriteString(conn, okAnswer)
			return true
		}
		return false
	})
	e := startRelay(t, "http://"+address, "unverified: forward")
	for _, second := range []string{"GET", "HEAD", "OPTIONS", "POST"} {
		if answer := call(t, e.address(), "GET /first HTTP/1.1\r\nHost: a\r\n\r\n"); answer.Start != "200" {
			t.Fatalf("first: %+v", answer)
		}
		request := second + " /second HTTP/1.1\r\nHost: a\r\nIdempotency-Key: 1\r\nContent-Length: 0\r\n\r\n"
		if answer := call(t, e.address(), request); answer.Start != "502" {
			t.Errorf("%s: %+v", second, answer)
		}
		if first, again := <-seen, <-seen; first != "GET /first" || again != second+" /second" || len(seen) > 0 {
			t.Errorf("%s: the app saw %s, %s and %d more", second, first, again, len(seen))
		}
	}
}

// TestRelayHangUp: the sender hanging up ends the request to the app, and the room counts.
func TestRelayHangUp(t *testing.T) {
	t.Parallel()
	entered, ended := make(chan struct{}), make(chan error)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		entered <- struct{}{}
		<-r.Context().Done()
		ended <- r.Context().Err()
	}))
	t.Cleanup(app.Close)
	e := startRelay(t, app.URL)
	for _, request := range []string{posting(giftQuery, "{}"), posting(roomQuery, destroyedBody("room"))} {
		conn := e.dial(e.address())
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		<-entered
		conn.Close()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatal("the app's request goes on")
		}
	}
	eventually(t, "both to be told of", func() bool { return e.scrape().sum(metricRelayFailures, `reason="canceled"`) == 2 })
	if rooms := e.scrape().sum(metricRooms); rooms != 1 {
		t.Errorf("%v rooms, want 1", rooms)
	}
	e.noComplaints()
}

// TestRelayReload changes the app in mid-request: what is under way ends where it began.
func TestRelayReload(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-leave
		fmt.Fprint(w, "first")
	}))
	t.Cleanup(first.Close)
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "second") }))
	t.Cleanup(second.Close)
	dir := t.TempDir()
	file := writeFile(t, dir, "exporter.yml", relayTo(first.URL))
	e := startExporter(t, "--config.file="+file)
	answers := make(chan string)
	go func() {
		answer, _ := tryCall(e.address(), posting(roomQuery, destroyedBody("room"))) // an error shows in what is missing
		answers <- answer.Body
	}()
	<-entered
	writeFile(t, dir, "exporter.yml", relayTo(second.URL))
	e.reload("SIGHUP", true)
	if answer := call(t, e.address(), posting(giftQuery, "{}")); answer.Body != "second" {
		t.Errorf("behind the reload: %+v", answer)
	}
	leave <- struct{}{}
	if answer := <-answers; answer != "first" {
		t.Errorf("across the reload: %q", answer)
	}
	writeFile(t, dir, "exporter.yml", relayTo(e.webhook))
	// The port is the system's choice, unknown to the configuration: it is not refused,
	// but a request that comes round is.
	e.reload("POST", true)
	expectFail(t, call(t, e.address(), posting(giftQuery, "{}")), http.StatusLoopDetected)
	if rooms := e.scrape().sum(metricRooms); rooms != 1 {
		t.Errorf("%v rooms, want 1", rooms)
	}
}

// TestRelayUnverified: what is not authentic is the app's to see only if it is said to be.
func TestRelayUnverified(t *testing.T) {
	t.Parallel()
	app := newWireApp(t)
	app.set(wirePlan{answer: okAnswer})
	for unverified, want := range map[string]struct {
		status string
		seen   int
	}{"reject": {"403", 1}, "forward": {"200", 4}} {
		dir := t.TempDir()
		writeFile(t, dir, "sim.token", token)
		text := strings.Replace(relayTo("http://"+app.address, "unverified: "+unverified), "}]", ", token_files: [sim.token]}]", 1)
		e := startExporter(t, "--config.file="+writeFile(t, dir, "exporter.yml", text))
		for _, query := range []string{roomQuery, roomQuery + "&RequestTime=1&Sign=00", "CallbackCommand=" + giftCommand} {
			answer := call(t, e.address(), posting(query, destroyedBody("forged")))
			if answer.Start != want.status {
				t.Errorf("%s: %+v", unverified, answer)
			}
			if want.status == "403" {
				expectFail(t, answer, http.StatusForbidden)
			}
		}
		if status := e.destroy("genuine", token); status != http.StatusOK {
			t.Errorf("%s: status %d", unverified, status)
		}
		for range want.seen {
			app.next()
		}
		s := e.scrape()
		if len(app.arrived) > 0 || s.sum(metricRooms) != 1 || s.sum(metricRejections) != 3 || s.sum(metricRelayRequests) != float64(want.seen) {
			t.Errorf("%s: %d requests too many, %v rooms, %v rejections, %v relayed", unverified,
				len(app.arrived), s.sum(metricRooms), s.sum(metricRejections), s.sum(metricRelayRequests))
		}
	}
}

// TestRelayTooLarge: a room larger than is counted is relayed, and a metric says so.
func TestRelayTooLarge(t *testing.T) {
	t.Parallel()
	app := newWireApp(t)
	app.set(wirePlan{answer: okAnswer})
	text := relayTo("http://"+app.address) + "webhook: {max_body_bytes: 1000}\n"
	e := startExporter(t, "--config.file="+writeFile(t, t.TempDir(), "exporter.yml", text), "--storage.path="+filepath.Join(t.TempDir(), "data"))
	for _, length := range []int{1000, 1001, 200_000} {
		body := destroyedBody(fmt.Sprint("room of ", length))
		body += strings.Repeat(" ", length-len(body))
		if answer := call(t, e.address(), posting(roomQuery, body)); answer.Start != "200" {
			t.Errorf("%d bytes: %+v", length, answer)
		}
		if arrived := app.next(); arrived.Body != body {
			t.Errorf("%d bytes: %d arrived", length, len(arrived.Body))
		}
	}
	if s := e.scrape(); s.sum(metricRooms) != 1 || s.sum(metricRejections, `reason="body_size"`) != 2 {
		t.Errorf("%v rooms, %v too large, want 1 and 2", s.sum(metricRooms), s.sum(metricRejections))
	}
}

// TestRelayUnsolicitedAnswer: what net/http itself has to say of an app that answers nobody
// is in the log's format, too.
func TestRelayUnsolicitedAnswer(t *testing.T) {
	t.Parallel()
	answered := make(chan struct{})
	address := startConnApp(t, func(conn *net.TCPConn, _ message) bool {
		_, _ = io.WriteString(conn, okAnswer) // the exporter's log shows what comes
		<-answered
		_, _ = io.WriteString(conn, okAnswer)
		return true
	})
	e := startRelay(t, "http://"+address)
	if status, answer := request(t, e.client, http.MethodPost, e.webhook+"/?"+giftQuery, "{}"); status != http.StatusOK {
		t.Fatalf("status %d: %s", status, answer)
	}
	close(answered)
	eventually(t, "a line of the log", func() bool { return strings.Contains(e.stderr.String(), "Unsolicited response") })
	for line := range strings.Lines(e.stderr.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("logged: %s", line)
		}
	}
}
