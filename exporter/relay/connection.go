package relay

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
)

// errSent ends a request that http.Transport is about to send for a second time.
var errSent = errors.New("the connection broke after the request was sent")

// connection is a connection to the app that knows how much went out on it.
type connection struct {
	net.Conn
	raw     syscall.RawConn // nil if there is none
	written atomic.Int64    // bytes
}

func newConnection(c net.Conn) *connection {
	tracked := &connection{Conn: c}
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			tracked.raw = raw
		}
	}
	return tracked
}

// Write implements net.Conn.
func (c *connection) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// attempts sends a request again when the connection turns out dead that it was to go
// out on: the app may close an idle one at any time. It does so only as long as not
// a byte went out. http.Transport alone would do it for some requests and not for
// others, and send again what the app may have worked on already.
type attempts struct{ transport *http.Transport }

// RoundTrip implements http.RoundTripper.
func (a attempts) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req.Context())
	req = x.watch(req)
	for {
		answer, err := a.transport.RoundTrip(req)
		if err == nil || !x.unsent() || req.Context().Err() != nil {
			return answer, err
		}
		again := *req
		if req.Body != nil {
			body, notKept := x.newBody(req.Trailer)
			if notKept != nil {
				return nil, err
			}
			again.Body = body
		}
		req = &again
	}
}

// attempt is the last one that was made to send a request.
type attempt struct {
	conn   *connection
	before int64 // bytes written on conn before
	reused bool  // conn
}

// unsent reports whether a connection that had been idle took nothing of the request.
func (a *attempt) unsent() bool {
	return a.conn != nil && a.reused && a.conn.written.Load() == a.before
}

// gotConn is called with the connection that the request goes out on next. It keeps the
// attempt informed, and the request from being sent twice.
func (x *exchange) gotConn(got httptrace.GotConnInfo) {
	conn := tracked(got.Conn)
	switch {
	case x.conn != nil && !x.unsent():
		x.cancel(errSent)
		got.Conn.Close()
	case got.Reused && conn.hungUp():
		got.Conn.Close() // what is written from now on provably is not sent
	}
	x.attempt = attempt{conn: conn, before: conn.written.Load(), reused: got.Reused}
}

func tracked(c net.Conn) *connection {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return c.(*connection)
}
