// Package webhook is the receiver's side of the sender's contract: it
// authenticates requests, decodes destroyed rooms, hands them on and answers.
// It knows nothing of Prometheus.
package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/relay"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// Recorder counts destroyed rooms.
type Recorder interface {
	// Record returns once the room is counted, now or by an earlier call. It may
	// be called from any goroutine and does not keep the room.
	Record(destroyed *room.Destroyed) (duplicate bool)
}

// Observer is told what happens to requests, from any goroutine.
type Observer interface {
	Received(command string) // each request, rejected or not
	Rejected(reason Reason)
	Ignored(command string)
	InvalidField(field string)
	Duplicate()
	Counted(destroyed *room.Destroyed, received time.Time)
	Handled(took time.Duration) // each request, rejected or not
}

// Options are what a Handler works with.
type Options struct {
	Path         string // the one path that is accepted when nothing is relayed; no : or *
	MaxBodyBytes int64  // of a destroyed room
	Apps         []App
	Recorder     Recorder
	Observer     Observer
	Rejections   *RejectionLog
	Logger       *slog.Logger

	// Relay forwards every request to the app, which answers in our place; nil:
	// we answer.
	Relay *relay.Relay
	// ForwardUnverified forwards requests too that are not authentic, uncounted.
	ForwardUnverified bool
}

// usualBody is more bytes than destroyed rooms usually have.
const usualBody = 16 << 10

// Handler answers webhooks. It is immutable: a new configuration is a new one.
type Handler struct {
	options Options
	apps    authenticator
	known   map[string]bool
	router  *httprouter.Router
	scratch sync.Pool
}

// scratch is what reading one body needs.
type scratch struct {
	body    []byte
	decoder Decoder
}

// New returns a Handler.
func New(options Options) *Handler {
	h := &Handler{
		options: options,
		apps:    newAuthenticator(options.Apps),
		known:   make(map[string]bool),
		router:  httprouter.New(),
		scratch: sync.Pool{New: func() any { return new(scratch) }},
	}
	for _, command := range Commands() {
		h.known[command] = true
	}
	h.router.RedirectTrailingSlash = false
	h.router.RedirectFixedPath = false
	h.router.HandleOPTIONS = false
	h.router.Handler(http.MethodPost, options.Path, http.HandlerFunc(h.post))
	h.router.MethodNotAllowed = http.HandlerFunc(h.methodNotAllowed)
	h.router.NotFound = http.HandlerFunc(h.notFound)
	return h
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	defer func() {
		h.options.Observer.Handled(time.Since(start))
		if cause := recover(); cause != nil {
			h.recovered(w, r, cause)
		}
	}()
	if h.options.Relay != nil {
		h.relay(w, r)
		return
	}
	h.router.ServeHTTP(w, r)
}

func (h *Handler) post(w http.ResponseWriter, r *http.Request) {
	received := time.Now()
	q := parseQuery(r.URL.RawQuery)
	h.options.Observer.Received(h.label(q.command))
	if reason := h.apps.check(&q, received); reason != "" {
		h.reject(w, r, http.StatusForbidden, reason, nil)
		return
	}
	switch q.command {
	case CommandDestroyRoom:
		h.destroyed(w, r, q.sdkAppID, received)
	case "":
		h.reject(w, r, http.StatusBadRequest, ReasonCommandMissing, errors.New("CallbackCommand is missing in the query"))
	default:
		h.options.Observer.Ignored(h.label(q.command))
		acknowledge(w)
	}
}

func (h *Handler) destroyed(w http.ResponseWriter, r *http.Request, sdkAppID string, received time.Time) {
	s := h.scratch.Get().(*scratch)
	defer h.scratch.Put(s)
	var err error
	if s.body, err = h.read(w, r, s.body); err != nil {
		status, reason, err := bodyError(err)
		h.reject(w, r, status, reason, err)
		return
	}
	if reason, err := h.count(&s.decoder, s.body, sdkAppID, received); err != nil {
		h.reject(w, r, http.StatusBadRequest, reason, err)
		return
	}
	acknowledge(w)
}

// count counts the room in body. An error is what is wrong with it.
func (h *Handler) count(decoder *Decoder, body []byte, sdkAppID string, received time.Time) (Reason, error) {
	decoded, err := decoder.Decode(body)
	if err != nil {
		var invalid *InvalidBodyError
		errors.As(err, &invalid)
		return invalid.Reason, err
	}
	for _, field := range decoded.InvalidFields {
		h.options.Observer.InvalidField(field)
	}
	destroyed := &decoded.Room
	destroyed.SDKAppID = sdkAppID
	if h.options.Recorder.Record(destroyed) {
		h.options.Observer.Duplicate()
	} else {
		h.options.Observer.Counted(destroyed, received)
	}
	return "", nil
}

// read reads the body into buffer, or a larger one, and returns it. A body that is too
// large by its own word is not read at all.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, buffer []byte) ([]byte, error) {
	limit := h.options.MaxBodyBytes
	switch {
	case r.ContentLength > limit:
		// The connection is of no use with such a body still on it.
		w.Header().Set("Connection", "close")
		return buffer, &http.MaxBytesError{Limit: limit}
	case r.ContentLength >= 0 && r.ContentLength <= usualBody:
		buffer = slices.Grow(buffer[:0], int(r.ContentLength))[:r.ContentLength]
		_, err := io.ReadFull(r.Body, buffer)
		return buffer, err
	default: // memory is taken for what arrives, not for what is promised
		all := bytes.NewBuffer(buffer[:0])
		_, err := all.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
		return all.Bytes(), err
	}
}

// bodyError tells what to answer when a body could not be read.
func bodyError(err error) (status int, _ Reason, _ error) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, ReasonBodySize, fmt.Errorf("body is larger than %d bytes", tooLarge.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		// Not err itself: it names our address behind whatever is in front.
		return http.StatusRequestTimeout, ReasonBodyTimeout, errors.New("body did not arrive in time")
	default:
		return http.StatusBadRequest, ReasonBodyIncomplete, fmt.Errorf("body is incomplete: %w", err)
	}
}

func (h *Handler) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	h.misdirected(r)
	w.Header().Set("Allow", http.MethodPost)
	h.reject(w, r, http.StatusMethodNotAllowed, ReasonMethod, errors.New("only POST is allowed"))
}

func (h *Handler) notFound(w http.ResponseWriter, r *http.Request) {
	h.misdirected(r)
	h.reject(w, r, http.StatusNotFound, ReasonPath, errors.New("no webhook is received at this path"))
}

func (h *Handler) misdirected(r *http.Request) {
	q := parseQuery(r.URL.RawQuery)
	h.options.Observer.Received(h.label(q.command))
}

// label returns the value of the label command.
func (h *Handler) label(command string) string {
	if h.known[command] {
		return command
	}
	return CommandOther
}

// reject answers FAIL, and says why unless the request is forbidden: whoever
// does not belong learns nothing from the answer.
func (h *Handler) reject(w http.ResponseWriter, r *http.Request, status int, reason Reason, err error) {
	info := "forbidden"
	if status != http.StatusForbidden {
		info = shorten(err.Error()) // it may quote a key of the body
	}
	fail(w, status, info)
	h.rejected(r, status, reason, err)
}

// rejected tells of a rejection: status is what it was answered with, 0 if the app
// answers.
func (h *Handler) rejected(r *http.Request, status int, reason Reason, err error) {
	h.options.Observer.Rejected(reason)
	h.options.Rejections.log(r, status, reason, err)
}

var errInternal = errors.New("internal error")

// recovered answers for a handler that panicked.
func (h *Handler) recovered(w http.ResponseWriter, r *http.Request, cause any) {
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	h.options.Logger.Error("Handling a webhook panicked", "panic", cause, "stack", string(debug.Stack()))
	h.reject(w, r, http.StatusInternalServerError, ReasonInternal, errInternal)
}
