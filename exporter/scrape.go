package exporter

import (
	"context"
	"net/http"
	"sync"
)

// lastScrape waits for a scrape that began after nothing more was counted.
type lastScrape struct {
	holding func() bool // a scrape of now would not show all of it yet

	mu      sync.Mutex
	awaited bool
	carried chan struct{} // closed after such a scrape
}

func newLastScrape(holding func() bool) *lastScrape {
	return &lastScrape{holding: holding, carried: make(chan struct{})}
}

// watch returns handler, watched.
func (s *lastScrape) watch(handler http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		awaited := s.awaited
		s.mu.Unlock()
		awaited = awaited && !s.holding()
		answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		handler.ServeHTTP(answer, r)
		// A scraper that was refused or hung up half-way comes again; one that
		// filters families has not seen all.
		if awaited && answer.status == http.StatusOK && r.Method == http.MethodGet &&
			r.Context().Err() == nil && !r.URL.Query().Has("name[]") {
			s.carry()
		}
	}
}

// statusWriter keeps the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (s *lastScrape) carry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.carried:
	default:
		close(s.carried)
	}
}

// await returns after a scrape that began after this call was answered, or with
// ctx's error.
func (s *lastScrape) await(ctx context.Context) error {
	s.mu.Lock()
	s.awaited = true
	s.mu.Unlock()
	select {
	case <-s.carried:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
