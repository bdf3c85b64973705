package webhook

import (
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/relay"
)

// relay hands a request on to the app, which answers it, and counts the room that
// it may tell of. Nothing that goes wrong with counting touches the answer.
func (h *Handler) relay(w http.ResponseWriter, r *http.Request) {
	received := time.Now()
	q := parseQuery(r.URL.RawQuery)
	command := h.label(q.command)
	h.options.Observer.Received(command)
	reason := h.apps.check(&q, received)
	switch {
	case reason != "" && !h.options.ForwardUnverified:
		h.reject(w, r, http.StatusForbidden, reason, nil)
	case reason != "":
		h.rejected(r, http.StatusForbidden, reason, nil)
		h.forward(w, r, command, relay.NewBody(r), func() {})
	case q.command == CommandDestroyRoom && r.Method == http.MethodPost:
		h.relayDestroyed(w, r, q.sdkAppID, received)
	default:
		h.forward(w, r, command, relay.NewBody(r), func() {})
	}
}

// relayDestroyed counts the room while the app works on the request. The answer
// waits for both.
func (h *Handler) relayDestroyed(w http.ResponseWriter, r *http.Request, sdkAppID string, received time.Time) {
	body := relay.KeepBody(r.Body, h.options.MaxBodyBytes)
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		h.countRelayed(r, body, sdkAppID, received)
	}()
	wait := func() { <-counted }
	defer wait() // a body must not be read after its handler, however that ends
	h.forward(w, r, CommandDestroyRoom, body, wait)
}

func (h *Handler) countRelayed(r *http.Request, body *relay.Body, sdkAppID string, received time.Time) {
	defer func() {
		if cause := recover(); cause != nil {
			h.options.Logger.Error("Counting a relayed room panicked", "panic", cause, "stack", string(debug.Stack()))
			h.rejected(r, http.StatusInternalServerError, ReasonInternal, errInternal)
		}
	}()
	contents, err := body.ReadAll()
	if err != nil {
		if errors.Is(err, relay.ErrBodyTooLarge) {
			err = &http.MaxBytesError{Limit: h.options.MaxBodyBytes}
		}
		status, reason, err := bodyError(err)
		h.rejected(r, status, reason, err)
		return
	}
	s := h.scratch.Get().(*scratch)
	defer h.scratch.Put(s)
	if reason, err := h.count(s.decoder, contents, sdkAppID, received); err != nil {
		h.rejected(r, http.StatusBadRequest, reason, err)
	}
}

// forward lets the app answer, and answers itself when the app does not. settled is
// called before the answer is written.
func (h *Handler) forward(w http.ResponseWriter, r *http.Request, command string, body *relay.Body, settled func()) {
	if failed := h.options.Relay.Forward(w, r, command, body, settled); failed != nil {
		settled()
		fail(w, failed.Status, failed.Error())
	}
}
