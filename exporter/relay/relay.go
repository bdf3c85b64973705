// Package relay forwards requests to the app, unchanged, and the app's answers
// back. It knows nothing of webhooks.
package relay

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
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
	// replayBytes of a body at least are kept to send it again on another connection. It
	// is more than is ever read before a dead connection is known for one.
	replayBytes = 64 << 10
	// smallBody is up to how many bytes a body goes out together with its header, in one
	// piece, as it came: anything else is much more work for everybody.
	smallBody = 4 << 10
	// writeBuffer has room for both.
	writeBuffer = 8 << 10
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
	TLS         *tls.Config   // for https; nil is the default. Without RootCAs: the system's or, if it has none, bundled ones
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
	proxy     httputil.ReverseProxy
	inFlight  atomic.Int64
	failures  map[Reason]*rate.Sometimes // that are logged
}

// New returns a Relay. It connects when it is used.
func New(options Options) *Relay {
	if options.URL.Scheme == "https" {
		options.TLS = withAuthorities(options.TLS)
	}
	r := &Relay{
		options:  options,
		failures: make(map[Reason]*rate.Sometimes),
		target:   url.URL{Scheme: options.URL.Scheme, Host: options.URL.Host},
	}
	for _, reason := range Reasons() {
		r.failures[reason] = &rate.Sometimes{First: 1, Interval: failuresLogInterval}
	}
	dialer := &net.Dialer{Timeout: options.Timeout}
	dial := dialer.DialContext
	if options.URL.Scheme == "unix" {
		socket := options.URL.Path
		r.target = url.URL{Scheme: "http", Host: "unix"}
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	r.transport = &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return newConnection(conn), nil
		},
		TLSClientConfig:       options.TLS,
		TLSHandshakeTimeout:   options.Timeout,
		ExpectContinueTimeout: options.Timeout / 4,
		DisableCompression:    true, // answers stay as they are
		MaxIdleConnsPerHost:   options.MaxInFlight,
		IdleConnTimeout:       idleTimeout,
		WriteBufferSize:       writeBuffer,
	}
	r.proxy = httputil.ReverseProxy{
		Transport:      attempts{r.transport},
		Rewrite:        rewrite,
		BufferPool:     &bufferPool{},
		ErrorLog:       slog.NewLogLogger(options.Logger.Handler(), slog.LevelDebug),
		ModifyResponse: answered,
		ErrorHandler:   unanswered,
	}
	return r
}

// Close closes connections that are idle. Requests in flight end as they would.
func (r *Relay) Close() { r.transport.CloseIdleConnections() }

// Forward forwards a request whose body is body, and writes the app's answer to w;
// settle is called just before. command is for the metrics. When it returns an
// *Error, nothing was written and settle may not have been called. An answer that
// breaks off half-way ends in a panic with http.ErrAbortHandler, as
// httputil.ReverseProxy has it, so that the sender's breaks off too.
func (r *Relay) Forward(w http.ResponseWriter, body *Body, command string, settle func()) *Error {
	x := &exchange{relay: r, command: command, body: body, writer: w, settle: settle, start: time.Now()}
	defer x.end()
	if n := body.request.ContentLength; n > 0 && n <= smallBody && body.request.Trailer == nil && body.request.Header["Expect"] == nil {
		x.small, _ = body.ReadAll(n) // an error shows when it is read again
	}
	defer r.inFlight.Add(-1)
	switch {
	case r.inFlight.Add(1) > int64(r.options.MaxInFlight):
		x.failed = &Error{ReasonOverload, http.StatusServiceUnavailable, "too many requests are in flight to the app", nil}
	case forwards(body.request) > maxForwards:
		x.failed = &Error{ReasonLoop, http.StatusLoopDetected, "the request came round again: the app forwards to the exporter", nil}
	default:
		x.serve()
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
