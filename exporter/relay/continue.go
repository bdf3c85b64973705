package relay

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync/atomic"
)

// continued tells of the app's 100 Continue, which http.Transport takes for the word to
// read the body and, at the same time, passes on. But reading writes a 100 as well as
// long as none was: it must come second.
type continued struct {
	came   atomic.Bool
	passed chan struct{} // closed when the app's was passed on
}

func (c *continued) watch(trace *httptrace.ClientTrace) {
	trace.Got100Continue = func() { c.came.Store(true) }
	pass := trace.Got1xxResponse
	trace.Got1xxResponse = func(code int, header textproto.MIMEHeader) error {
		var err error
		if pass != nil {
			err = pass(code, header)
		}
		if code == http.StatusContinue && c.came.CompareAndSwap(true, false) {
			close(c.passed)
		}
		return err
	}
}

// continuedBody is a body that is not read before the app's 100 was passed on.
type continuedBody struct {
	io.ReadCloser
	*continued
}

// Read implements io.Reader.
func (b continuedBody) Read(p []byte) (int, error) {
	if b.came.Load() {
		<-b.passed
	}
	return b.ReadCloser.Read(p)
}
