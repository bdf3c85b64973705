package relay

import (
	"errors"
	"io"
	"sync"
)

// ErrBodyTooLarge says that a body has more bytes than are kept of it.
var ErrBodyTooLarge = errors.New("body is too large to be kept")

// Body is a request's body that several readers read at their own pace: the app
// gets it while the exporter reads it too, and gets it again when a connection
// turned out dead before anything was sent. Its first bytes are kept for that.
// What comes behind them only the app gets. Safe for concurrent use.
type Body struct {
	from io.Reader
	keep int // bytes

	mu     sync.Mutex
	kept   []byte
	err    error // that from ended with
	passed bool  // bytes went to a reader that are not kept
}

// KeepBody returns a Body that reads from from and keeps up to keep bytes.
func KeepBody(from io.Reader, keep int64) *Body {
	return &Body{from: from, keep: int(keep)}
}

// Reader returns a reader of the whole body. Closing it closes nothing else. It
// returns ErrBodyTooLarge if the beginning is no longer kept.
func (b *Body) Reader() (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.passed {
		return nil, ErrBodyTooLarge
	}
	return &bodyReader{body: b}, nil
}

// ReadAll returns the whole body, or ErrBodyTooLarge if not all of it is kept.
// The bytes must not be changed.
func (b *Body) ReadAll() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.err == nil && len(b.kept) <= b.keep {
		b.fill()
	}
	switch {
	case b.passed || len(b.kept) > b.keep:
		return nil, ErrBodyTooLarge
	case b.err != io.EOF:
		return nil, b.err
	default:
		return b.kept, nil
	}
}

// fill reads more of the bytes to keep, at most one beyond keep: that one tells
// that there are more. mu is held, also while no bytes come: whoever else wants to
// read waits for the same ones.
func (b *Body) fill() {
	const most = 16 << 10
	if cap(b.kept) == len(b.kept) {
		grown := make([]byte, len(b.kept), min(max(1024, 2*cap(b.kept)), cap(b.kept)+most, b.keep+1))
		copy(grown, b.kept)
		b.kept = grown
	}
	n, err := b.from.Read(b.kept[len(b.kept):cap(b.kept)])
	b.kept, b.err = b.kept[:len(b.kept)+n], err
}

type bodyReader struct {
	body   *Body
	offset int
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.offset == len(b.kept) && b.err == nil && len(b.kept) <= b.keep {
		b.fill()
	}
	if r.offset < len(b.kept) {
		n := copy(p, b.kept[r.offset:])
		r.offset += n
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	if len(b.kept) <= b.keep {
		return 0, nil // from gave nothing this time
	}
	n, err := b.from.Read(p)
	b.passed, b.err = true, err
	return n, err
}

// Close implements io.Closer.
func (r *bodyReader) Close() error { return nil }
