package webhook_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

const tooLargeAnswer = `{"ActionStatus":"FAIL","ErrorInfo":"body is larger than 1048576 bytes","ErrorCode":413}`

// client is a sender that does not keep to HTTP's rules.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, url string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// A server that keeps the client waiting must fail the test, not hang it.
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &client{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// write writes the header of a request, and what there is of its body.
func (c *client) write(header, body string) {
	c.t.Helper()
	_, err := fmt.Fprintf(c.conn, "POST /?%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s", destroyQuery, header, body)
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) answer() (status int, closes bool, answer string) {
	c.t.Helper()
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	status, answer = readAnswer(c.t, response)
	return status, response.Close, answer
}

// expectClosed checks that the server closes the connection.
func (c *client) expectClosed() {
	c.t.Helper()
	rest, err := io.ReadAll(c.in)
	if len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("got %q behind the answer, %v", rest, err)
	}
}

// expectUsable checks that url answers a proper request.
func expectUsable(t *testing.T, url string, w *witness) {
	t.Helper()
	w.take()
	status, answer := post(t, url, destroyQuery, fmt.Sprintf(`{"RoomId":"next %s","EventTime":1}`, t.Name()))
	expect(t, "status of the next", status, http.StatusOK)
	expect(t, "answer to the next", answer, okAnswer)
	expect(t, "counted of the next", w.take().Counted, 1)
}

func TestTooLargeBody(t *testing.T) {
	t.Parallel()
	const size = 10 << 20
	for name, write := range map[string]func(w io.Writer) error{
		"by its own word": func(w io.Writer) error {
			_, err := io.WriteString(w, strings.Repeat(" ", size))
			return err
		},
		"chunked": func(w io.Writer) error {
			for range size >> 16 {
				if _, err := fmt.Fprintf(w, "%x\r\n%s\r\n", 1<<16, strings.Repeat(" ", 1<<16)); err != nil {
					return err
				}
			}
			_, err := io.WriteString(w, "0\r\n\r\n")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, w := newServer(t, nil)
			c := dial(t, url)
			header := fmt.Sprintf("Content-Length: %d", size)
			if name == "chunked" {
				header = "Transfer-Encoding: chunked"
			}
			c.write(header, "")
			written := make(chan error, 1)
			go func() { written <- write(c.conn) }()

			status, closes, answer := c.answer()
			expect(t, "status", status, http.StatusRequestEntityTooLarge)
			expect(t, "answer", answer, tooLargeAnswer)
			expect(t, "closes", closes, true)
			expectRejection(t, w, webhook.CommandDestroyRoom, webhook.ReasonBodySize)
			c.expectClosed()
			if err := <-written; err == nil {
				t.Error("all of the body was taken")
			}
			expectUsable(t, url, w)
		})
	}
}

func TestBodyAtItsLimit(t *testing.T) {
	t.Parallel()
	for name, chunked := range map[string]bool{"by its own word": false, "chunked": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, w := newServer(t, func(o *webhook.Options) { o.MaxBodyBytes = 100 })
			for size, want := range map[int]int{100: http.StatusOK, 101: http.StatusRequestEntityTooLarge} {
				body := smallRoom + strings.Repeat(" ", size-len(smallRoom))
				c := dial(t, url)
				if chunked {
					c.write("Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", size, body))
				} else {
					c.write(fmt.Sprintf("Content-Length: %d", size), body)
				}
				status, closes, _ := c.answer()
				expect(t, fmt.Sprintf("status of %d bytes", size), status, want)
				expect(t, fmt.Sprintf("closes after %d bytes", size), closes, want != http.StatusOK)
			}
			expect(t, "counted", w.take().Counted, 1)
		})
	}
}

func TestTricklingBody(t *testing.T) {
	t.Parallel()
	handler, w := newHandler(nil)
	server := httptest.NewUnstartedServer(handler)
	server.Config.ReadTimeout = 250 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)

	c := dial(t, server.URL)
	c.write("Content-Length: 1000000", "{")
	answered, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-answered:
				return
			case <-tick.C:
				if _, err := c.conn.Write([]byte(" ")); err != nil {
					return
				}
			}
		}
	}()
	status, closes, answer := c.answer()
	close(answered)
	<-stopped
	expect(t, "status", status, http.StatusRequestTimeout)
	expect(t, "answer", answer, `{"ActionStatus":"FAIL","ErrorInfo":"body did not arrive in time","ErrorCode":408}`)
	expect(t, "closes", closes, true)
	expectRejection(t, w, webhook.CommandDestroyRoom, webhook.ReasonBodyTimeout)
	c.expectClosed()
	expectUsable(t, server.URL, w)
}

func TestBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	const answer = `{"ActionStatus":"FAIL","ErrorInfo":"body is incomplete: unexpected EOF","ErrorCode":400}`
	for name, header := range map[string]string{
		"of known length": "Content-Length: 1000",
		"chunked":         "Transfer-Encoding: chunked",
	} {
		half := smallRoom[:20]
		if header == "Transfer-Encoding: chunked" {
			half = "3e8\r\n" + half
		}
		t.Run(name+", sender gone", func(t *testing.T) {
			t.Parallel()
			url, w := newServer(t, nil)
			c := dial(t, url)
			c.write(header, half)
			c.conn.Close()
			<-w.handled
			expectRejection(t, w, webhook.CommandDestroyRoom, webhook.ReasonBodyIncomplete)
			expectUsable(t, url, w)
		})
		t.Run(name+", sender waits", func(t *testing.T) {
			t.Parallel()
			url, w := newServer(t, nil)
			c := dial(t, url)
			c.write(header, half)
			if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			status, _, got := c.answer()
			expect(t, "status", status, http.StatusBadRequest)
			expect(t, "answer", got, answer)
			expectRejection(t, w, webhook.CommandDestroyRoom, webhook.ReasonBodyIncomplete)
			expectUsable(t, url, w)
		})
	}
}

func TestBodyInBadChunks(t *testing.T) {
	t.Parallel()
	url, w := newServer(t, nil)
	c := dial(t, url)
	c.write("Transfer-Encoding: chunked", "zz\r\n"+smallRoom)
	status, closes, answer := c.answer()
	expect(t, "status", status, http.StatusBadRequest)
	expect(t, "answer", answer, `{"ActionStatus":"FAIL","ErrorInfo":"body is incomplete: invalid byte in chunk length","ErrorCode":400}`)
	expect(t, "closes", closes, true)
	expectRejection(t, w, webhook.CommandDestroyRoom, webhook.ReasonBodyIncomplete)
	expectUsable(t, url, w)
}

// One connection serves webhook after webhook, rejected ones among them.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	url, w := newServer(t, nil)
	c := dial(t, url)
	for i, body := range []string{smallRoom, "not JSON", "", `{"RoomId":"r2","EventTime":1}`} {
		c.write(fmt.Sprintf("Content-Length: %d", len(body)), body)
		status, closes, _ := c.answer()
		expect(t, fmt.Sprintf("status of %d", i), status, []int{200, 400, 400, 200}[i])
		expect(t, fmt.Sprintf("closes after %d", i), closes, false)
	}
	// An ignored command's body is passed over, for the next request is behind it.
	command := "SdkAppid=" + appID + "&CallbackCommand=Group.CallbackAfterSendMsg"
	body := strings.Repeat("x", 100_000)
	fmt.Fprintf(c.conn, "POST /?%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", command, len(body), body)
	status, closes, _ := c.answer()
	expect(t, "status of the ignored", status, http.StatusOK)
	expect(t, "closes after the ignored", closes, false)
	c.write("Content-Length: 0", "")
	status, _, _ = c.answer()
	expect(t, "status of the last", status, http.StatusBadRequest)
	expect(t, "handled", w.take().Handled, 6)
}

func TestPanickingRecorder(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	url, w := newServer(t, func(o *webhook.Options) { o.Logger = newLogger(&log) })
	w.panicNext("ledger is broken")
	status, answer := post(t, url, destroyQuery, smallRoom)
	expect(t, "status", status, http.StatusInternalServerError)
	expect(t, "answer", answer, internalAnswer)
	expectRejection(t, w, webhook.CommandDestroyRoom, webhook.ReasonInternal)
	if line := log.String(); !strings.Contains(line, `"panic":"ledger is broken"`) || !strings.Contains(line, "transport_test.go") && !strings.Contains(line, "helpers_test.go") {
		t.Errorf("log is %q", line)
	}
	expectUsable(t, url, w)
}

// http.ErrAbortHandler is the one panic that is meant: it aborts the answer.
func TestAbortingRecorder(t *testing.T) {
	t.Parallel()
	url, w := newServer(t, nil)
	w.panicNext(http.ErrAbortHandler)
	c := dial(t, url)
	c.write(fmt.Sprintf("Content-Length: %d", len(smallRoom)), smallRoom)
	c.expectClosed()
	expect(t, "told", w.take(), told{Received: []string{webhook.CommandDestroyRoom}, Handled: 1})
	expectUsable(t, url, w)
}
