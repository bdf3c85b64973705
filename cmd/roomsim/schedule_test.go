package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a network within one bubble of virtual time: real HTTP over in-memory connections.
type pipes struct {
	accepting chan net.Conn
	closed    chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepting:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.accepting <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// runVirtually runs a simulation against a receiver; to be called in a synctest bubble.
func runVirtually(t *testing.T, ctx context.Context, rc *receiver, args ...string) map[string]any {
	t.Helper()
	network := &pipes{accepting: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: rc}
	go server.Serve(network)
	opts := testOptions(t, args...)
	transport := newTransport(opts.concurrency)
	transport.DialContext = network.dial

	var report bytes.Buffer
	rep := newSimulation(opts, transport, nil, slog.New(slog.DiscardHandler)).run(ctx, nil)
	if err := rep.writeJSON(&report); err != nil {
		t.Fatal(err)
	}
	transport.CloseIdleConnections()
	// Waits, in virtual time, for the handlers that nobody waits for any more.
	if err := server.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	return readReport(t, report.Bytes())
}

func takes(d time.Duration) func(http.ResponseWriter, *http.Request, string, int) bool {
	return func(http.ResponseWriter, *http.Request, string, int) bool {
		time.Sleep(d)
		return true
	}
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request, string, int) bool
		args   []string
		stop   time.Duration // 0: not stopped
		behind bool
		want   map[string]float64
	}{
		"kept": {
			answer: takes(100 * time.Millisecond),
			args:   []string{"--rate=4", "--rooms=20", "--concurrency=1", "--duplicates=0"},
			want: map[string]float64{"rooms_acknowledged": 20, "achieved_rate": 4, "behind_seconds_max": 0, "behind_seconds_end": 0,
				"elapsed_seconds": 4.85},
		},
		"fractional": {
			answer: takes(0),
			args:   []string{"--rate=0.5", "--rooms=10", "--concurrency=1", "--duplicates=0"},
			want:   map[string]float64{"rooms_acknowledged": 10, "achieved_rate": 0.5, "behind_seconds_max": 0, "elapsed_seconds": 18},
		},
		// Due every half second, sent every second: the tenth room is due at 4.5 s and sent at 9 s.
		"not kept up": {
			answer: takes(time.Second),
			args:   []string{"--rate=2", "--rooms=10", "--concurrency=1", "--duplicates=0"},
			behind: true,
			want: map[string]float64{"rooms_acknowledged": 10, "asked_rate": 2, "achieved_rate": 10 / 9.5, "behind_seconds_max": 4.5,
				"behind_seconds_end": 4.5, "elapsed_seconds": 10},
		},
		"enough workers": {
			answer: takes(time.Second),
			args:   []string{"--rate=2", "--rooms=10", "--concurrency=2", "--duplicates=0"},
			want:   map[string]float64{"rooms_acknowledged": 10, "achieved_rate": 2, "behind_seconds_max": 0, "elapsed_seconds": 5.5},
		},
		// Without a schedule there is nothing to be behind of.
		"unscheduled": {
			answer: takes(time.Second),
			args:   []string{"--rooms=10", "--concurrency=2", "--duplicates=0"},
			want:   map[string]float64{"rooms_acknowledged": 10, "asked_rate": 0, "achieved_rate": 2, "behind_seconds_max": 0, "elapsed_seconds": 5},
		},
		// Eight workers wait for answers that don't come; what waits for a worker at the end is behind, though not sent.
		"stopped while stuck": {
			answer: takes(time.Hour),
			args:   []string{"--rate=10", "--rooms=0", "--retries=0", "--timeout=60s", "--duplicates=0"},
			stop:   20 * time.Second,
			behind: true,
			want:   map[string]float64{"rooms_sent": 8, "rooms_uncertain": 8, "behind_seconds_end": 19.2, "elapsed_seconds": 60.7},
		},
		"stopped": {
			answer: takes(300 * time.Millisecond),
			args:   []string{"--rate=10", "--rooms=0", "--duplicates=0"},
			stop:   10050 * time.Millisecond,
			want:   map[string]float64{"rooms_sent": 101, "rooms_acknowledged": 101, "behind_seconds_max": 0, "elapsed_seconds": 10.3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tc.stop > 0 {
					timer := time.AfterFunc(tc.stop, cancel)
					defer timer.Stop()
				}
				rc := newReceiver()
				rc.answer = tc.answer
				rep := runVirtually(t, ctx, rc, tc.args...)
				checkNumbers(t, rep, tc.want)
				if rep["behind_schedule"] != tc.behind || rep["interrupted"] != (tc.stop > 0) {
					t.Errorf("behind_schedule = %v, interrupted = %v", rep["behind_schedule"], rep["interrupted"])
				}
			})
		})
	}
}

// Whatever the receiver did in the time of a try that had no answer, the room is uncertain unless a later one has.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	slowTries := func(slow int) func(http.ResponseWriter, *http.Request, string, int) bool {
		return func(_ http.ResponseWriter, _ *http.Request, _ string, n int) bool {
			if n <= slow {
				time.Sleep(3 * time.Second)
			}
			return true
		}
	}
	for name, tc := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request, string, int) bool
		want   map[string]float64
		errors float64
	}{
		// 2 s, 50 ms, 2 s, 100 ms, answered at once.
		"answered in the end": {
			slowTries(2),
			map[string]float64{"rooms_acknowledged": 6, "rooms_uncertain": 0, "retries": 12, "requests_sent": 18, "elapsed_seconds": 4.15},
			12,
		},
		"never answered": {
			slowTries(9),
			map[string]float64{"rooms_acknowledged": 0, "rooms_uncertain": 6, "retries": 12, "requests_sent": 18, "elapsed_seconds": 6.15},
			18,
		},
		"silence, then refused": {
			func(w http.ResponseWriter, _ *http.Request, _ string, n int) bool {
				if n == 1 {
					time.Sleep(3 * time.Second)
				}
				w.WriteHeader(http.StatusForbidden)
				return false
			},
			map[string]float64{"rooms_acknowledged": 0, "rooms_uncertain": 6, "rooms_rejected": 0, "retries": 6, "elapsed_seconds": 2.05},
			6,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rc := newReceiver()
				rc.answer = tc.answer
				rep := runVirtually(t, t.Context(), rc, "--rooms=6", "--duplicates=0", "--retries=2")
				checkNumbers(t, rep, tc.want)
				checkNumbers(t, rep["errors"].(map[string]any), map[string]float64{"timeout": tc.errors})
			})
		})
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for try, want := range []time.Duration{50, 100, 200, 400, 800, 1000, 1000} {
		if got := backoff(try); got != want*time.Millisecond {
			t.Errorf("backoff(%d) = %v, want %v ms", try, got, int(want))
		}
	}
	if got := backoff(1 << 40); got != maxBackoff {
		t.Errorf("backoff of a late try = %v, want %v", got, maxBackoff)
	}
}

// Each kind of repetition comes when it should, and with the very same body.
func TestRepetitions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		arrivals := map[string][]time.Time{}
		rc := newReceiver()
		rc.answer = func(_ http.ResponseWriter, _ *http.Request, roomID string, _ int) bool {
			rc.mu.Lock()
			arrivals[roomID] = append(arrivals[roomID], time.Now())
			rc.mu.Unlock()
			time.Sleep(time.Second)
			return true
		}
		rep := runVirtually(t, t.Context(), rc, "--rooms=60", "--rate=0.01", "--duplicates=1", "--retries=0", "--category=1")
		checkNumbers(t, rep, map[string]float64{"rooms_acknowledged": 60, "duplicates_sent": 60, "duplicates_acknowledged": 60, "requests_sent": 120})
		rc.checkTotals(t, rep)
		racing, after, late := 0, 0, 0
		for roomID, times := range arrivals {
			for i := 1; i < len(times); i += 2 {
				switch gap := times[i].Sub(times[i-1]); {
				case gap == 0:
					racing++
				case gap == time.Second:
					after++
				case gap > 50*time.Second && gap <= lateWithin:
					late++
				default:
					t.Errorf("room %q: repeated after %v", roomID, gap)
				}
			}
		}
		if racing < 10 || after < 10 || late < 10 || racing+after+late != 60 {
			t.Errorf("repeated at once %d, right after %d, late %d: want about 20 each", racing, after, late)
		}
	})
}
