package main_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestHostileClients lets clients misbehave in every way at once while rooms
// come in: no room is lost or counted twice, and nothing of the clients stays.
func TestHostileClients(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tokenFile := writeFile(t, dir, "sim.token", token)
	e := startExporter(t, "--config.file="+writeFile(t, dir, "exporter.yml", config("[sim.token]")), "--storage.path="+filepath.Join(dir, "data"))
	address := strings.TrimPrefix(e.webhook, "http://")
	before := e.goroutines()
	sim := startRoomsim(t, nil, e.webhook, tokenFile, "--rooms=4000", "--rate=400", "--other-commands=0.5")

	head := func(length string) string {
		return "POST /" + e.destroyedURL(token)[len(e.webhook)+1:] + " HTTP/1.1\r\nHost: exporter\r\n" + length + "\r\n\r\n"
	}
	garbage := bytes.Repeat([]byte{0, 0xff, 0x16, 0x03, '\r', '\n', 0x80, '{'}, 4096)
	big := make([]byte, 1<<16)
	misdeeds := map[string]func(conn net.Conn){
		"a slow body": func(conn net.Conn) {
			_, _ = io.WriteString(conn, head("Content-Length: 1000"))
			writeSlowly(conn, destroyedBody("slow"))
			answeredNotOK(t, conn)
		},
		"a slow header": func(conn net.Conn) {
			writeSlowly(conn, head("X-Slow: "+strings.Repeat("a", 1000)))
			answeredNotOK(t, conn)
		},
		"a body of 10 MiB": func(conn net.Conn) {
			_, err := io.WriteString(conn, head("Content-Length: 10485760"))
			for range 160 {
				if err == nil {
					_, err = conn.Write(big)
				}
			}
			answeredNotOK(t, conn)
		},
		"a body of 10 MiB in chunks": func(conn net.Conn) {
			_, err := io.WriteString(conn, head("Transfer-Encoding: chunked"))
			for range 160 {
				if err == nil {
					_, err = io.WriteString(conn, "10000\r\n"+string(big)+"\r\n")
				}
			}
			answeredNotOK(t, conn)
		},
		"half a body, half-closed": func(conn net.Conn) {
			_, _ = io.WriteString(conn, head("Content-Length: 1000")+destroyedBody("half"))
			_ = conn.(*net.TCPConn).CloseWrite()
			answeredNotOK(t, conn)
		},
		"half a body, closed": func(conn net.Conn) {
			_, _ = io.WriteString(conn, head("Content-Length: 1000")+destroyedBody("half"))
		},
		"half a header, reset": func(conn net.Conn) {
			_, _ = io.WriteString(conn, head("Content-Length: 1000")[:100])
			_ = conn.(*net.TCPConn).SetLinger(0)
		},
		"garbage": func(conn net.Conn) {
			_, _ = conn.Write(garbage)
			answeredNotOK(t, conn)
		},
		"garbage for a body": func(conn net.Conn) {
			_, _ = io.WriteString(conn, head("Content-Length: 32768"))
			_, _ = conn.Write(garbage)
			_ = conn.(*net.TCPConn).CloseWrite()
			answeredNotOK(t, conn)
		},
		"nothing": func(conn net.Conn) { _ = conn.(*net.TCPConn).CloseWrite() },
	}
	var clients sync.WaitGroup
	for _, misdeed := range misdeeds {
		for range 10 {
			conn := e.dial(address)
			clients.Go(func() {
				defer conn.Close()
				misdeed(conn)
			})
		}
	}
	sent := sim.report()
	clients.Wait()

	s := e.scrape()
	compare(t, "counter", s.counters(), counters(sent))
	if got := s[metricDuplicates]; got != float64(sent.DuplicatesAcknowledged) {
		t.Errorf("%v duplicates, want %d", got, sent.DuplicatesAcknowledged)
	}
	for reason, least := range map[string]float64{"body_size": 20, "body_incomplete": 20, "body_timeout": 10, "json": 10} {
		eventually(t, "rejections for "+reason, func() bool { return e.scrape().sum(metricRejections, `reason="`+reason+`"`) >= least })
	}
	eventually(t, "the goroutines of all clients to end", func() bool { return e.goroutines() <= before+3 })
	if status := e.destroy("afterwards", token); status != http.StatusOK {
		t.Errorf("afterwards: status %d", status)
	}
}

// goroutines returns how many the exporter has.
func (e *exporter) goroutines() float64 {
	e.t.Helper()
	return e.scrape()["go_goroutines"]
}

// writeSlowly writes bytes one by one until the other end has had enough.
func writeSlowly(conn net.Conn, text string) {
	for i := range text {
		if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// answeredNotOK reads to the end of a connection on which nothing may be acknowledged.
func answeredNotOK(t *testing.T, conn net.Conn) {
	answer, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is kept open")
	}
	if strings.HasPrefix(string(answer), "HTTP/1.1 200") {
		t.Errorf("acknowledged: %s", answer)
	}
}
