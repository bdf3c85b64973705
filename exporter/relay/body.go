package relay

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ErrBodyTooLarge says that a body has more bytes than are kept of it.
var ErrBodyTooLarge = errors.New("body is too large to be kept")

var errBodyClosed = errors.New("body is closed")

// drainTimeout is how long a sender that was answered early gets to send the rest.
const drainTimeout = time.Second

// Body is a request's body that several readers read at their own pace: the app
// gets it while the exporter reads it too, and gets it again when a connection
// turned out dead before anything was sent. Its first bytes are kept for that.
// What comes behind them only one reader gets. Safe for concurrent use.
type Body struct {
	request *http.Request // as it was before anybody read from it; nil without one
	from    io.Reader
	keep    int // bytes
	ended   atomic.Bool
	hurried bool // the request is answered before its end; of the handler's goroutine

	mu       sync.Mutex
	kept     []byte
	err      error // that from ended with
	passed   bool  // bytes went to a reader that are not kept
	trailers func() http.Header
	trailer  http.Header // what trailers returned at the end
}

// KeepBody returns a Body that reads from from and keeps up to keep bytes.
func KeepBody(from io.Reader, keep int64) *Body {
	return &Body{from: from, keep: int(keep)}
}

// NewBody returns the Body of a request. It keeps what it takes to send it again, and
// at least keep bytes. Nobody else may read the request's body any more.
func NewBody(req *http.Request, keep int64) *Body {
	b := KeepBody(req.Body, max(keep, replayBytes))
	b.request = req
	if mayHaveTrailers(req) {
		// Reading fills in the request's trailer, under the eyes of whoever holds it.
		b.trailers = func() http.Header { return req.Trailer }
		b.request = new(http.Request)
		*b.request = *req
		b.request.Trailer = req.Trailer.Clone()
	}
	switch n := req.ContentLength; {
	case req.Body == nil || n == 0:
		b.end(io.EOF)
	case 0 < n && n <= smallBody:
		b.kept = make([]byte, 0, n)
	}
	return b
}

// mayHaveTrailers reports whether trailers can follow the body: those of HTTP/1 follow one
// of unknown length, HTTP/2 has them behind any.
func mayHaveTrailers(req *http.Request) bool { return req.ContentLength < 0 || req.Trailer != nil }

// Reader returns a reader of the whole body. Closing it closes nothing else. It
// returns ErrBodyTooLarge if the beginning is no longer kept.
func (b *Body) Reader() (io.ReadCloser, error) { return b.reader(nil) }

// reader returns a Reader that adds the request's trailers to trailer before it
// returns io.EOF.
func (b *Body) reader(trailer http.Header) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.passed {
		return nil, ErrBodyTooLarge
	}
	return &bodyReader{body: b, trailer: trailer}, nil
}

// ReadAll returns the whole body, or ErrBodyTooLarge if it has more bytes than limit or
// than are kept. The bytes must not be changed.
func (b *Body) ReadAll(limit int64) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	most := min(int(limit), b.keep)
	for b.err == nil && len(b.kept) <= most {
		b.fill()
	}
	switch {
	case b.passed || len(b.kept) > most:
		return nil, ErrBodyTooLarge
	case b.err != io.EOF:
		return nil, b.err
	default:
		return b.kept, nil
	}
}

// Hurry is called before an answer is written to w that is not to wait for the rest of
// the request: net/http would read that first, to use the connection again.
func (b *Body) Hurry(w http.ResponseWriter) {
	if !b.ended.Load() && b.request.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
		b.hurried = true
	}
}

// Finish is called when the request was answered on w and nobody needs the rest of its
// body any more. After Hurry, the sender gets a moment to send it, for the answer may be
// lost on a connection that is closed with something unread.
func (b *Body) Finish(w http.ResponseWriter) {
	if !b.hurried {
		return
	}
	control := http.NewResponseController(w)
	if control.SetReadDeadline(time.Now()) != nil {
		return
	}
	b.mu.Lock() // a read under way has ended by now
	b.end(errBodyClosed)
	b.mu.Unlock()
	_ = control.SetReadDeadline(time.Now().Add(drainTimeout)) // has just worked
}

// end ends the body. mu is held.
func (b *Body) end(err error) {
	b.err = err
	if err == io.EOF {
		b.ended.Store(true)
		if b.trailers != nil {
			b.trailer = b.trailers()
		}
	}
}

// fill reads more of the bytes to keep, at most one beyond keep: that one tells
// that there are more. mu is held, also while no bytes come: whoever else wants to
// read waits for the same ones.
func (b *Body) fill() {
	if cap(b.kept) == len(b.kept) {
		grown := make([]byte, len(b.kept), min(max(1024, 2*cap(b.kept)), b.keep+1))
		copy(grown, b.kept)
		b.kept = grown
	}
	n, err := b.from.Read(b.kept[len(b.kept):cap(b.kept)])
	b.kept = b.kept[:len(b.kept)+n]
	if err != nil {
		b.end(err)
	}
}

type bodyReader struct {
	body    *Body
	offset  int
	trailer http.Header
	closed  atomic.Bool
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.closed.Load() {
		return 0, errBodyClosed
	}
	if r.offset == len(b.kept) && b.err == nil && len(b.kept) <= b.keep && len(p) > 0 {
		b.fill()
	}
	switch {
	case r.offset < len(b.kept):
		n := copy(p, b.kept[r.offset:])
		r.offset += n
		if r.offset < len(b.kept) || b.err != io.EOF {
			return n, nil
		}
		return n, r.eof() // known with the last bytes, it saves another call
	case b.err == io.EOF:
		return 0, r.eof()
	case b.err != nil:
		return 0, b.err
	case len(b.kept) <= b.keep:
		return 0, nil // from gave nothing this time
	}
	n, err := b.from.Read(p)
	b.passed = b.passed || n > 0
	if err == io.EOF {
		b.end(err)
		return n, r.eof()
	}
	if err != nil {
		b.end(err)
	}
	return n, err
}

func (r *bodyReader) eof() error {
	if r.trailer != nil {
		maps.Copy(r.trailer, r.body.trailer)
	}
	return io.EOF
}

// Close implements io.Closer. It does not wait for a Read under way.
func (r *bodyReader) Close() error {
	r.closed.Store(true)
	return nil
}
