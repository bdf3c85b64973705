// Package relay forwards requests to the app, unchanged, and the app's answers
// back. It knows nothing of webhooks.
package relay

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const forwardedFor = "X-Forwarded-For"

const (
	// idleTimeout is how long a connection to the app is kept without use: less
	// than app servers keep theirs (the shortest usual is 2 s), so that it is
	// not the app that closes one just as a request goes out on it.
	idleTimeout = 1500 * time.Millisecond
	// maxForwards is how many proxies may have forwarded a request, which is more
	// than there ever are between sender and app: one with more goes in circles.
	maxForwards = 16
	// replayBytes of a body are kept to send it again on another connection. It
	// is more than is ever read before a dead connection is known for one.
	replayBytes = 64 << 10
	// failuresLogInterval is how often failures of one reason are logged.
	failuresLogInterval = 10 * time.Second
)

// Reason says why a request got no answer of the app: a value of the label reason.
type Reason string

const (
	ReasonUnreachable Reason = "unreachable" // no connection to the app
	ReasonBroken      Reason = "broken"      // the app broke off before or in its answer
	ReasonTimeout     Reason = "timeout"     // the app did not answer in time
	ReasonCanceled    Reason = "canceled"    // the sender hung up
	ReasonOverload    Reason = "overload"    // too many requests in flight
	ReasonLoop        Reason = "loop"        // the request came round again
)

// Reasons lists every Reason.
func Reasons() []Reason {
	return []Reason{ReasonUnreachable, ReasonBroken, ReasonTimeout, ReasonCanceled, ReasonOverload, ReasonLoop}
}

// Error is a request that got no answer of the app. Nothing of an answer has
// been written yet.
type Error struct {
	Reason Reason
	Status int    // to answer with
	Info   string // for whoever sent the request
	Err    error  // what happened, for the operator; may be nil
}

func (e *Error) Error() string { return e.Info }

// Unwrap returns what happened.
func (e *Error) Unwrap() error { return e.Err }

// Observer is told what becomes of requests, from any goroutine.
type Observer interface {
	// Relayed: a request ended that was meant for the app; status is that of
	// the app's answer, 0 without one.
	Relayed(command string, status int, took time.Duration)
	// RelayFailed: it got no answer, or not a whole one.
	RelayFailed(command string, reason Reason)
}

// Options are what a Relay works with.
type Options struct {
	URL         *url.URL      // http, https, or unix with the path of a socket
	TLS         *tls.Config   // for https; nil is the default
	Timeout     time.Duration // until the app's answer begins
	MaxInFlight int
	Observer    Observer
	Logger      *slog.Logger
}

// Relay forwards requests to one app. Its methods may be called from any goroutine.
type Relay struct {
	options   Options
	target    url.URL // scheme and host
	transport *http.Transport
	inFlight  atomic.Int64
	buffers   bufferPool
	failures  map[Reason]*rate.Sometimes // that are logged
}

// New returns a Relay. It connects when it is used.
func New(options Options) *Relay {
	dialer := &net.Dialer{Timeout: options.Timeout}
	r := &Relay{
		options:  options,
		failures: make(map[Reason]*rate.Sometimes),
		target:   url.URL{Scheme: options.URL.Scheme, Host: options.URL.Host},
		transport: &http.Transport{
			DialContext:           dialer.DialContext,
			TLSClientConfig:       options.TLS,
			TLSHandshakeTimeout:   options.Timeout,
			ExpectContinueTimeout: options.Timeout,
			DisableCompression:    true, // answers stay as they are
			MaxIdleConnsPerHost:   options.MaxInFlight,
			IdleConnTimeout:       idleTimeout,
		},
	}
	for _, reason := range Reasons() {
		r.failures[reason] = &rate.Sometimes{First: 1, Interval: failuresLogInterval}
	}
	if options.URL.Scheme == "unix" {
		socket := options.URL.Path
		r.target = url.URL{Scheme: "http", Host: "unix"}
		r.transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return r
}

// Close closes connections that are idle. Requests in flight end as they would.
func (r *Relay) Close() { r.transport.CloseIdleConnections() }

// NewBody returns the body of a request that nobody but the app reads.
func NewBody(req *http.Request) *Body { return KeepBody(req.Body, replayBytes) }

// Forward forwards a request whose body is body, and writes the app's answer to w;
// settle is called just before. command is for the metrics. When it returns an
// *Error, nothing was written and settle was not called. An answer that breaks off
// half-way ends in a panic with http.ErrAbortHandler, as httputil.ReverseProxy has
// it, so that the sender's breaks off too.
func (r *Relay) Forward(w http.ResponseWriter, req *http.Request, command string, body *Body, settle func()) *Error {
	x := &exchange{relay: r, command: command, body: body, settle: settle, start: time.Now()}
	defer x.end(req)
	defer r.inFlight.Add(-1)
	switch {
	case r.inFlight.Add(1) > int64(r.options.MaxInFlight):
		x.failed = &Error{ReasonOverload, http.StatusServiceUnavailable, "too many requests are in flight to the app", nil}
	case forwards(req) > maxForwards:
		x.failed = &Error{ReasonLoop, http.StatusLoopDetected, "the request came round again: the app forwards to the exporter", nil}
	default:
		x.serve(w, req)
	}
	return x.failed
}

// failed tells of a request that got no answer, or not a whole one.
func (r *Relay) failed(command string, reason Reason, err error) {
	r.options.Observer.RelayFailed(command, reason)
	r.failures[reason].Do(func() {
		r.options.Logger.Warn("A request got no whole answer from the app", "command", command, "reason", reason, "err", err)
	})
}

// forwards returns how many proxies say that they forwarded the request. The relay
// adds to them; anything else that would mark a request of its own would be a change.
func forwards(req *http.Request) int {
	n := 0
	for _, value := range req.Header.Values(forwardedFor) {
		n += 1 + strings.Count(value, ",")
	}
	return n
}
