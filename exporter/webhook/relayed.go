package webhook

import (
	"errors"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/relay"
)

// relay hands a request on to the app, which answers it, and counts the room that
// it may tell of. Nothing that goes wrong with counting touches the answer.
func (h *Handler) relay(w http.ResponseWriter, r *http.Request) {
	received := time.Now()
	q := parseQuery(r.URL.RawQuery)
	command := h.label(q.command)
	h.guard(func() { h.options.Observer.Received(command) })
	reason := h.apps.check(&q, received)
	if reason != "" && !h.options.ForwardUnverified {
		h.reject(w, r, http.StatusForbidden, reason, nil)
		return
	}
	body := relay.NewBody(r, h.options.MaxBodyBytes)
	defer body.Finish(w)
	counts, settle := false, func() {}
	switch {
	case reason != "":
		h.guard(func() { h.rejected(r, 0, reason, nil) })
	case q.command == CommandDestroyRoom && r.Method == http.MethodPost:
		counts, settle = true, sync.OnceFunc(func() {
			h.guard(func() { h.countRelayed(r, body, q.sdkAppID, received) })
		})
		defer settle() // a body must not be read after its handler, however that ends
		if !awaitsContinue(r) {
			go settle() // while the app works on it; the answer waits for both
		}
	}
	failed := h.options.Relay.Forward(w, body, command, settle)
	if failed == nil {
		return
	}
	// Our own answer acknowledges nothing, so it need not wait for the room to be
	// counted, but for its body: net/http throws away what is not read by then, unless
	// the connection is closed, as it is after a timeout.
	if counts && (failed.Reason != relay.ReasonTimeout || awaitsContinue(r)) {
		_, _ = body.ReadAll(h.options.MaxBodyBytes) // whoever counts it sees the error
	}
	fail(w, failed.Status, failed.Error())
	_ = http.NewResponseController(w).Flush() // an error means that the sender is gone
}

// awaitsContinue reports whether the sender keeps the body back until it is asked for
// it. That is left to the app, and to counting only when the app did not.
func awaitsContinue(r *http.Request) bool { return r.Header["Expect"] != nil }

func (h *Handler) countRelayed(r *http.Request, body *relay.Body, sdkAppID string, received time.Time) {
	contents, err := body.ReadAll(h.options.MaxBodyBytes)
	if err != nil {
		if errors.Is(err, relay.ErrBodyTooLarge) {
			err = &http.MaxBytesError{Limit: h.options.MaxBodyBytes}
		}
		_, reason, err := bodyError(err)
		h.rejected(r, 0, reason, err)
		return
	}
	s := h.scratch.Get().(*scratch)
	defer h.scratch.Put(s)
	if reason, err := h.count(&s.decoder, contents, sdkAppID, received); err != nil {
		h.rejected(r, 0, reason, err)
	}
}

// guard keeps a panic of what only counts away from the answer, and from the process.
func (h *Handler) guard(count func()) {
	defer func() {
		if cause := recover(); cause != nil {
			h.options.Logger.Error("Counting a relayed request panicked", "panic", cause, "stack", string(debug.Stack()))
			defer func() { _ = recover() }() // the Observer itself may be what panics
			h.options.Observer.Rejected(ReasonInternal)
		}
	}()
	count()
}
