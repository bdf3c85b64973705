package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"
)

var errTimeout = errors.New("the app did not answer in time")

// exchange is one request on its way to the app, and the answer on its way back.
type exchange struct {
	relay   *Relay
	command string
	body    *Body
	settle  func()
	start   time.Time

	status int    // of the app's answer; 0 as long as there is none
	failed *Error // why there is none
	whole  bool   // the answer was written to its end
}

func (x *exchange) serve(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	timeout := time.AfterFunc(x.relay.options.Timeout, func() { cancel(errTimeout) })
	defer timeout.Stop()
	// An answer that comes before the request's end goes out then, as the
	// app's own would.
	_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 always is

	proxy := httputil.ReverseProxy{
		Transport:     x.relay.transport,
		Rewrite:       x.rewrite,
		FlushInterval: -1, // what the app sends goes out at once
		BufferPool:    &x.relay.buffers,
		ErrorLog:      slog.NewLogLogger(x.relay.options.Logger.Handler(), slog.LevelDebug),
		ModifyResponse: func(answer *http.Response) error {
			if !timeout.Stop() {
				return errTimeout
			}
			x.status = answer.StatusCode
			x.settle()
			// net/http would make them up where the app has none.
			w.Header()["Content-Type"] = nil
			w.Header()["Date"] = nil
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
			x.failed = failure(ctx, err)
		},
	}
	proxy.ServeHTTP(w, req.WithContext(ctx))
	x.whole = x.failed == nil
}

// rewrite makes the request to the app the one that came, but for where it goes
// and X-Forwarded-For. httputil has taken away some of it by now.
func (x *exchange) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.Host = x.relay.target.Scheme, x.relay.target.Host
	r.Out.Host = r.In.Host
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	if path, _, _ := strings.Cut(r.In.RequestURI, "?"); strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
		r.Out.URL.Opaque = path // to the letter, also where another escaping would say the same
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := r.In.Header[name]; ok {
			r.Out.Header[name] = values
		}
	}
	if client, _, err := net.SplitHostPort(r.In.RemoteAddr); err == nil {
		hops := append(append([]string(nil), r.In.Header.Values(forwardedFor)...), client)
		r.Out.Header.Set(forwardedFor, strings.Join(hops, ", "))
	}
	r.Out.Trailer = r.In.Trailer // filled in when the body has been read
	if r.Out.Body == nil {
		return
	}
	r.Out.GetBody = x.body.Reader
	if reader, err := x.body.Reader(); err == nil { // nothing has been read of it yet
		r.Out.Body = reader
	}
}

// failure says why there is no answer.
func failure(ctx context.Context, err error) *Error {
	var (
		dial        *net.OpError
		certificate *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(context.Cause(ctx), errTimeout), errors.Is(err, errTimeout):
		return &Error{ReasonTimeout, http.StatusGatewayTimeout, errTimeout.Error(), nil}
	case ctx.Err() != nil:
		return &Error{ReasonCanceled, http.StatusBadGateway, "the sender hung up", nil}
	case errors.As(err, &dial) && dial.Op == "dial", errors.As(err, &certificate):
		return &Error{ReasonUnreachable, http.StatusBadGateway, "the app can't be reached", err}
	default:
		return &Error{ReasonBroken, http.StatusBadGateway, "the app gave no answer", err}
	}
}

// end tells how it went, also when a broken answer panics.
func (x *exchange) end(req *http.Request) {
	x.relay.options.Observer.Relayed(x.command, x.status, time.Since(x.start))
	switch {
	case x.failed != nil:
		x.relay.failed(x.command, x.failed.Reason, x.failed.Err)
	case !x.whole && req.Context().Err() != nil:
		x.relay.failed(x.command, ReasonCanceled, nil)
	case !x.whole:
		x.relay.failed(x.command, ReasonBroken, nil)
	}
}

// bufferPool keeps the buffers that answers are copied with.
type bufferPool struct{ pool sync.Pool }

const copyBuffer = 32 << 10

// Get implements httputil.BufferPool.
func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[copyBuffer]byte); ok {
		return b[:]
	}
	return make([]byte, copyBuffer)
}

// Put implements httputil.BufferPool.
func (p *bufferPool) Put(b []byte) { p.pool.Put((*[copyBuffer]byte)(b)) }
