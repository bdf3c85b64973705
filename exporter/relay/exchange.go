package relay

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"time"
)

var errTimeout = errors.New("the app did not answer in time")

// exchange is one request on its way to the app, and the answer on its way back. It is
// the request's context too, which httputil and net/http hand on to whom they call.
type exchange struct {
	context.Context
	relay   *Relay
	command string
	body    *Body
	writer  http.ResponseWriter
	settle  func()
	start   time.Time

	small     []byte // the body, if it is
	cancel    context.CancelCauseFunc
	timeout   *time.Timer
	continued *continued // nil: the sender does not wait for a 100
	attempt
	status int    // of the app's answer; 0 as long as there is none
	failed *Error // why there is none
	whole  bool   // the answer was written to its end
}

type exchangeKey struct{}

// exchangeOf returns the exchange that ctx is of.
func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// Value implements context.Context.
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	return x.Context.Value(key)
}

func (x *exchange) serve() {
	request := x.body.request
	x.Context = request.Context()
	ctx, cancel := context.WithCancelCause(x)
	defer cancel(nil)
	x.cancel = cancel
	x.timeout = time.AfterFunc(x.relay.options.Timeout, x.late)
	defer x.timeout.Stop()
	if request.Header["Expect"] != nil {
		x.continued = &continued{passed: make(chan struct{})}
	}
	x.relay.proxy.ServeHTTP(x.writer, request.WithContext(ctx))
	x.whole = x.failed == nil
}

func (x *exchange) late() { x.cancel(errTimeout) }

// watch returns the request, of which x will know what becomes on its way out. httputil
// traces each request already: to be told by its trace costs less than a second one.
func (x *exchange) watch(req *http.Request) *http.Request {
	trace := httptrace.ContextClientTrace(req.Context())
	if trace == nil {
		trace = &httptrace.ClientTrace{}
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
	}
	trace.GotConn = x.gotConn
	if x.continued != nil {
		x.continued.watch(trace)
	}
	return req
}

// rewrite makes the request to the app the one that came, but for where it goes
// and X-Forwarded-For. httputil has taken away some of it by now.
func rewrite(r *httputil.ProxyRequest) {
	x := exchangeOf(r.In.Context())
	r.Out.URL.Scheme, r.Out.URL.Host = x.relay.target.Scheme, x.relay.target.Host
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	r.Out.URL.Opaque = opaque(r.In.RequestURI, r.Out.URL.Scheme)
	for _, name := range []string{"Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := r.In.Header[name]; ok {
			r.Out.Header[name] = values
		}
	}
	hops := slices.Clone(r.In.Header[forwardedFor])
	if client, _, err := net.SplitHostPort(r.In.RemoteAddr); err == nil {
		hops = append(hops, client)
	}
	if len(hops) > 0 { // there may be none from a unix socket
		r.Out.Header[forwardedFor] = []string{strings.Join(hops, ", ")}
	}
	if r.Out.Body == nil {
		return
	}
	if mayHaveTrailers(r.In) {
		r.Out.ContentLength = -1 // HTTP/1 has them behind a body of unknown length only
		r.Out.Trailer = r.In.Trailer.Clone()
		if r.Out.Trailer == nil {
			r.Out.Trailer = make(http.Header) // some come unannounced
		}
	}
	if body, err := x.newBody(r.Out.Trailer); err == nil { // nothing has been read of it yet
		r.Out.Body = body
	}
}

// newBody returns the body for one attempt to send the request.
func (x *exchange) newBody(trailer http.Header) (io.ReadCloser, error) {
	if x.small != nil {
		return io.NopCloser(bytes.NewReader(x.small)), nil // known to net/http as one that never waits
	}
	body, err := x.body.reader(trailer)
	if err == nil && x.continued != nil {
		body = continuedBody{body, x.continued}
	}
	return body, err
}

// opaque returns what makes a url.URL write a request target to the letter, also where
// another escaping would say the same. It is empty for those that it can't.
func opaque(target, scheme string) string {
	path, _, _ := strings.Cut(target, "?")
	switch {
	case strings.HasPrefix(path, "//"):
		return ""
	case strings.HasPrefix(path, "/"):
		return path
	}
	if authority, ok := strings.CutPrefix(path, scheme+":"); ok && strings.HasPrefix(authority, "//") {
		return authority // url.URL puts the scheme before it
	}
	return ""
}

// answered is called with the app's answer before anything of it is written.
func answered(answer *http.Response) error {
	x := exchangeOf(answer.Request.Context())
	if !x.timeout.Stop() {
		return errTimeout
	}
	x.status = answer.StatusCode
	x.settle()
	header := x.writer.Header()
	// net/http would make these up where the app has none.
	header["Content-Type"], header["Date"] = nil, nil
	if answer.StatusCode == http.StatusNotModified {
		// And these it would leave out, by their usual names.
		for usual, other := range map[string]string{"Content-Type": "content-type", "Content-Length": "content-length"} {
			if values, ok := answer.Header[usual]; ok {
				header[other] = values
			}
		}
	}
	x.body.Hurry(x.writer)
	if answer.ContentLength > 0 && answer.Body != http.NoBody {
		answer.Body = &flushing{ReadCloser: answer.Body, to: x.writer, missing: answer.ContentLength}
	}
	return nil
}

// flushing is the body of an answer of known length. What has come of it goes on before
// the rest is waited for, the header with its first bytes. With those of unknown length
// httputil does so by itself.
type flushing struct {
	io.ReadCloser
	to      http.ResponseWriter
	missing int64 // bytes
	begun   bool
}

// Read implements io.Reader.
func (f *flushing) Read(p []byte) (int, error) {
	if f.begun && f.missing > 0 {
		_ = http.NewResponseController(f.to).Flush() // an error shows when more is written
	}
	n, err := f.ReadCloser.Read(p)
	f.missing -= int64(n)
	f.begun = f.begun || n > 0
	return n, err
}

// unanswered is called when there is no answer, nothing was written yet.
func unanswered(_ http.ResponseWriter, req *http.Request, err error) {
	x := exchangeOf(req.Context())
	x.failed = failure(req.Context(), err)
	if x.failed.Reason == ReasonTimeout {
		x.body.Hurry(x.writer)
	}
}

// failure says why there is no answer.
func failure(ctx context.Context, err error) *Error {
	var (
		dial        *net.OpError
		certificate *tls.CertificateVerificationError
	)
	cause := context.Cause(ctx)
	switch {
	case cause == errTimeout, err == errTimeout:
		return &Error{ReasonTimeout, http.StatusGatewayTimeout, errTimeout.Error(), nil}
	case cause == errSent:
		return &Error{ReasonBroken, http.StatusBadGateway, "the app gave no answer", errSent}
	case cause != nil:
		return &Error{ReasonCanceled, http.StatusBadGateway, "the sender hung up", nil}
	case errors.As(err, &dial) && dial.Op == "dial", errors.As(err, &certificate):
		return &Error{ReasonUnreachable, http.StatusBadGateway, "the app can't be reached", err}
	default:
		return &Error{ReasonBroken, http.StatusBadGateway, "the app gave no answer", err}
	}
}

// end tells how it went, also when a broken answer panics.
func (x *exchange) end() {
	x.relay.options.Observer.Relayed(x.command, x.status, time.Since(x.start))
	switch {
	case x.failed != nil:
		x.relay.failed(x.command, x.failed.Reason, x.failed.Err)
	case !x.whole && x.body.request.Context().Err() != nil:
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
