package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slowRequest is a webhook whose body is on its way.
type slowRequest struct {
	t    *testing.T
	conn net.Conn
	rest string
}

// startSlow sends a destroyed room but for the second half of its body.
func (e *exporter) startSlow(roomID string) *slowRequest {
	e.t.Helper()
	target, body := e.destroyedURL(token), destroyedBody(roomID)
	host, path, _ := strings.Cut(strings.TrimPrefix(target, "http://"), "/")
	conn := e.dial(host)
	half := len(body) / 2
	if _, err := fmt.Fprintf(conn, "POST /%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", path, host, len(body), body[:half]); err != nil {
		e.t.Fatal(err)
	}
	return &slowRequest{t: e.t, conn: conn, rest: body[half:]}
}

// dial opens a connection that ends with the test.
func (e *exporter) dial(address string) net.Conn {
	e.t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { conn.Close() })
	return conn
}

// finish sends the rest and returns the status of the answer.
func (r *slowRequest) finish() int {
	r.t.Helper()
	if _, err := r.conn.Write([]byte(r.rest)); err != nil {
		r.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(r.conn), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// TestShutdown ends the exporter while webhooks are in flight: they are
// answered and counted, and the count can still be scraped.
func TestShutdown(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			const requests = 20
			dir := t.TempDir()
			args := []string{"--webhook.sdk-app-id=" + appID, "--webhook.token-file=" + writeFile(t, dir, "sim.token", token), "--storage.path=" + dir + "/data"}
			e := startExporter(t, append(args, "--shutdown.await-scrape=1m")...)
			address := strings.TrimPrefix(e.webhook, "http://")
			e.destroy("quick", token) // its connection stays open, idle

			var slow []*slowRequest
			for i := range requests {
				slow = append(slow, e.startSlow(fmt.Sprintf("slow-%d", i)))
			}
			eventually(t, "all requests to be in flight", func() bool { return e.scrape().sum(metricRequests) == requests+1 })
			e.signal(signal)
			eventually(t, "new connections to be refused", func() bool {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					return true
				}
				conn.Close()
				return false
			})
			if !e.running() {
				t.Fatal("it ended with requests in flight")
			}
			for i, request := range slow {
				if status := request.finish(); status != http.StatusOK {
					t.Errorf("request %d in flight: status %d", i, status)
				}
			}
			rooms := -1.0
			eventually(t, "the end after the last scrape", func() bool {
				response, err := e.client.Get(e.web + "/metrics")
				if err != nil {
					return true
				}
				defer response.Body.Close()
				text, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				rooms = parseSamples(t, string(text)).sum(metricRooms)
				return false
			})
			if code := e.wait(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if rooms != requests+1 {
				t.Errorf("the last scrape saw %v rooms, want %d", rooms, requests+1)
			}
			if again := startExporter(t, args...).scrape().sum(metricRooms); again != requests+1 {
				t.Errorf("after a restart: %v rooms, want %d", again, requests+1)
			}
		})
	}
}
