package main_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// message is a request or an answer as it was on the wire, in a form that can be
// compared: what only concerns one connection is left out, and headers are sorted.
type message struct {
	Interim []string // status and headers of answers 1xx before it
	Start   string   // without the version, and the text behind a status
	Header  []string
	Body    string
	Trailer []string
}

// hopByHop are the headers of one connection, and the one that the exporter adds to.
func hopByHop() []string {
	return []string{"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "X-Forwarded-For"}
}

// readMessage reads a request or, for a method that was requested, an answer.
func readMessage(from *bufio.Reader, requested string) (m message, _ error) {
	for {
		start, header, err := readHead(from)
		if err != nil {
			return m, err
		}
		first, rest, _ := strings.Cut(start, " ")
		second, version, _ := strings.Cut(rest, " ")
		m.Start = first + " " + second
		if requested != "" {
			m.Start = second
			version = first
		}
		if !strings.HasPrefix(version, "HTTP/1.") {
			return m, fmt.Errorf("%q is no start of a message", start)
		}
		hop := slices.Concat(hopByHop(), strings.Split(strings.ReplaceAll(header.Get("Connection"), " ", ""), ","))
		if requested == "" && header.Get("Content-Length") == "0" {
			hop = append(hop, "Content-Length") // it says no more than none
		}
		m.Header = lines(header, hop)
		if requested != "" && strings.HasPrefix(m.Start, "1") && m.Start != "101" {
			m.Interim = append(m.Interim, m.Start+" "+strings.Join(m.Header, ", "))
			continue
		}
		m.Body, m.Trailer, err = readBody(from, header, requested, m.Start)
		return m, err
	}
}

// lines returns a header as sorted lines without some of it.
func lines(header http.Header, without []string) (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			if !slices.Contains(without, name) {
				lines = append(lines, name+": "+value)
			}
		}
	}
	return lines
}

// readHead reads a start line and the header behind it.
func readHead(from *bufio.Reader) (start string, header http.Header, _ error) {
	header = http.Header{}
	for {
		line, err := from.ReadString('\n')
		if err != nil {
			return start, header, err
		}
		line = strings.TrimSuffix(line, "\r\n")
		if start == "" && line != "" {
			start = line
			continue
		}
		if line == "" {
			return start, header, nil
		}
		name, value, _ := strings.Cut(line, ":")
		header.Add(name, strings.TrimSpace(value))
	}
}

func readBody(from *bufio.Reader, header http.Header, requested, status string) (body string, trailer []string, _ error) {
	isAnswer := requested != ""
	switch length := header.Get("Content-Length"); {
	case requested == http.MethodHead, isAnswer && (status == "101" || status == "204" || status == "304"):
		return "", nil, nil
	case header.Get("Transfer-Encoding") == "chunked":
		return readChunks(from)
	case length != "":
		n, err := strconv.Atoi(length)
		if err != nil {
			return "", nil, err
		}
		content := make([]byte, n)
		n, err = io.ReadFull(from, content)
		return string(content[:n]), nil, err
	case isAnswer:
		content, err := io.ReadAll(from)
		return string(content), nil, err
	default:
		return "", nil, nil
	}
}

func readChunks(from *bufio.Reader) (body string, trailer []string, _ error) {
	var content strings.Builder
	for {
		line, err := from.ReadString('\n')
		if err != nil {
			return content.String(), nil, err
		}
		digits, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		size, err := strconv.ParseInt(digits, 16, 64)
		if err != nil {
			return content.String(), nil, err
		}
		if size == 0 {
			break
		}
		if _, err := io.CopyN(&content, from, size); err != nil {
			return content.String(), nil, err
		}
		if _, err := from.Discard(2); err != nil {
			return content.String(), nil, err
		}
	}
	start, header, err := readHead(from)
	if name, value, ok := strings.Cut(start, ":"); ok { // the first trailer
		header.Add(name, strings.TrimSpace(value))
		trailer = lines(header, nil)
	}
	return content.String(), trailer, err
}

// wireApp is an app that answers to the byte what it is told to.
type wireApp struct {
	t        *testing.T
	address  string
	arrived  chan message
	accepted chan net.Conn

	mu   sync.Mutex
	plan wirePlan
	open map[net.Conn]bool
}

// wirePlan says how an app deals with a request.
type wirePlan struct {
	interim string // goes out before the body is read
	answer  string
	early   bool // the answer goes out before the body is read
	hangUp  bool // behind the answer
}

func newWireApp(t *testing.T) *wireApp {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveWire(t, listener)
}

func serveWire(t *testing.T, listener net.Listener) *wireApp {
	a := &wireApp{t: t, address: listener.Addr().String(), arrived: make(chan message, 100), accepted: make(chan net.Conn, 1000), open: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			a.mu.Lock()
			a.open[conn] = true
			a.mu.Unlock()
			a.accepted <- conn
			serving.Go(func() {
				defer func() {
					conn.Close()
					a.mu.Lock()
					delete(a.open, conn)
					a.mu.Unlock()
				}()
				a.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		a.hangUp()
		serving.Wait()
	})
	return a
}

// hangUp closes all connections.
func (a *wireApp) hangUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for conn := range a.open {
		conn.Close()
	}
}

func (a *wireApp) set(plan wirePlan) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.plan = plan
}

func (a *wireApp) connections() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.open)
}

// serve answers the requests of one connection.
func (a *wireApp) serve(conn net.Conn) {
	reader := bufio.NewReader(conn)
	for {
		if _, err := reader.Peek(1); err != nil {
			return
		}
		a.mu.Lock()
		plan := a.plan
		a.mu.Unlock()
		send := func(text string) { _, _ = io.WriteString(conn, text) } // the client sees what is missing
		send(plan.interim)
		if plan.early {
			send(plan.answer)
		}
		m, err := readMessage(reader, "")
		if plan.early { // how much of it an app that does not care gets is left open
			if err != nil || plan.hangUp {
				return
			}
			continue
		}
		if err != nil {
			a.arrived <- message{Start: "broken: " + err.Error()}
			return
		}
		a.arrived <- m
		send(plan.answer)
		if plan.hangUp {
			return
		}
		if m.Start == "GET /socket" { // what comes now is echoed
			_, _ = io.Copy(conn, reader)
			return
		}
	}
}

// next returns the request that arrives next.
func (a *wireApp) next() message {
	a.t.Helper()
	select {
	case m := <-a.arrived:
		return m
	case <-time.After(patience):
		a.t.Fatal("no request arrived")
		return message{}
	}
}

// call sends a request to the byte and returns the answer. A request that waits for a
// 100 is sent in two parts.
func call(t *testing.T, address, request string) message {
	t.Helper()
	m, err := tryCall(address, request)
	if err != nil {
		t.Fatalf("%v, behind %+v", err, m)
	}
	return m
}

func tryCall(address, request string) (message, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return message{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return message{}, err
	}
	method, _, _ := strings.Cut(request, " ")
	reader := bufio.NewReader(conn)
	head, body, _ := strings.Cut(request, "\r\n\r\n")
	if !strings.Contains(head, "Expect: 100-continue") {
		go io.WriteString(conn, request) // an early answer comes before its end
		return readMessage(reader, method)
	}
	if _, err := io.WriteString(conn, head+"\r\n\r\n"); err != nil {
		return message{}, err
	}
	start, err := reader.Peek(len("HTTP/1.1 100"))
	if err != nil || string(start) != "HTTP/1.1 100" {
		return readMessage(reader, method)
	}
	if _, _, err := readHead(reader); err != nil {
		return message{}, err
	}
	if _, err := io.WriteString(conn, body); err != nil {
		return message{}, err
	}
	m, err := readMessage(reader, method)
	m.Interim = append([]string{"100"}, m.Interim...)
	return m, err
}

// relayTo is the configuration of an exporter that relays to url.
func relayTo(url string, more ...string) string {
	text := "apps: [{sdk_app_id: " + appID + "}]\nrelay:\n  url: " + strconv.Quote(url) + "\n"
	for _, line := range more {
		text += "  " + line + "\n"
	}
	return text
}

// startRelay starts an exporter that relays to url.
func startRelay(t *testing.T, url string, more ...string) *exporter {
	t.Helper()
	return startExporter(t, "--log.level=debug", "--config.file="+writeFile(t, t.TempDir(), "exporter.yml", relayTo(url, more...)))
}

func (e *exporter) address() string { return strings.TrimPrefix(e.webhook, "http://") }

// noComplaints fails the test if the HTTP server or a handler had something to say.
func (e *exporter) noComplaints() {
	e.t.Helper()
	for line := range strings.Lines(e.stderr.String()) {
		if strings.Contains(line, "panic") || strings.Contains(line, `"msg":"http: `) {
			e.t.Errorf("logged: %s", line)
		}
	}
}
