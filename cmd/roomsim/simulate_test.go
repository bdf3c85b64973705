package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// simulateJSON runs the whole program against a receiver and returns its exit code and report.
func simulateJSON(t *testing.T, ctx context.Context, url string, args ...string) (int, map[string]any, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := simulate(ctx, append([]string{"--url=" + url, "--output=json", "--seed=42", "--timeout=60s"}, args...), &stdout, &stderr)
	return code, readReport(t, stdout.Bytes()), stderr.String()
}

func serve(t *testing.T, rc *receiver) string {
	t.Helper()
	server := httptest.NewServer(rc)
	t.Cleanup(server.Close)
	return server.URL
}

func TestTotals(t *testing.T) {
	t.Parallel()
	fail := func(w http.ResponseWriter, status int) bool {
		w.WriteHeader(status)
		fmt.Fprint(w, `{"ActionStatus":"FAIL","ErrorInfo":"no","ErrorCode":1}`)
		return false
	}
	numbered := func(roomID string) bool { return roomID[0] >= '0' && roomID[0] <= '9' }
	for name, tc := range map[string]struct {
		args   []string
		answer func(w http.ResponseWriter, r *http.Request, roomID string, n int) bool
		lose   func(roomID string, n int) bool
		code   int
		check  func(t *testing.T, rep map[string]any)
	}{
		"all well": {
			check: func(t *testing.T, rep map[string]any) {
				checkNumbers(t, rep, map[string]float64{"rooms_sent": 1500, "rooms_acknowledged": 1500, "retries": 0, "seed": 42, "asked_rate": 0})
				if rep["requests_sent"] != 1500+rep["duplicates_sent"].(float64)+rep["other_commands_sent"].(float64) {
					t.Errorf("requests sent = %v, not rooms + duplicates + other commands", rep["requests_sent"])
				}
				if rep["duplicates_sent"] != rep["duplicates_acknowledged"] || rep["duplicates_sent"].(float64) < 300 {
					t.Errorf("duplicates sent %v, acknowledged %v, want about 450", rep["duplicates_sent"], rep["duplicates_acknowledged"])
				}
			},
		},
		"no duplicates": {
			args: []string{"--duplicates=0"},
			check: func(t *testing.T, rep map[string]any) {
				checkNumbers(t, rep, map[string]float64{"rooms_acknowledged": 1500, "duplicates_sent": 0})
			},
		},
		"500 then 200": {
			args: []string{"--rooms=300", "--concurrency=64", "--duplicates=0"},
			answer: func(w http.ResponseWriter, _ *http.Request, _ string, n int) bool {
				return n > 1 || fail(w, http.StatusInternalServerError)
			},
			check: func(t *testing.T, rep map[string]any) {
				checkNumbers(t, rep, map[string]float64{"rooms_acknowledged": 300, "rooms_rejected": 0, "retries": 300})
				checkNumbers(t, rep["rejected_by_status"].(map[string]any), map[string]float64{"500": 300})
			},
		},
		"429 and 408 then 200": {
			args: []string{"--rooms=200", "--concurrency=64", "--duplicates=0"},
			answer: func(w http.ResponseWriter, _ *http.Request, _ string, n int) bool {
				return n > 2 || fail(w, []int{429, 408}[n-1])
			},
			check: func(t *testing.T, rep map[string]any) {
				checkNumbers(t, rep, map[string]float64{"rooms_acknowledged": 200, "retries": 400})
			},
		},
		"403 is final": {
			code: exitUnacknowledged,
			answer: func(w http.ResponseWriter, _ *http.Request, roomID string, _ int) bool {
				return !numbered(roomID) || fail(w, http.StatusForbidden)
			},
			check: func(t *testing.T, rep map[string]any) {
				rejected := rep["rooms_rejected"].(float64)
				if rejected < 100 || rejected+rep["rooms_acknowledged"].(float64) != 1500 {
					t.Errorf("rejected %v, acknowledged %v of 1500", rejected, rep["rooms_acknowledged"])
				}
				checkNumbers(t, rep, map[string]float64{"retries": 0, "rooms_uncertain": 0})
			},
		},
		"200 without OK is retried and rejected": {
			args: []string{"--rooms=40", "--concurrency=40", "--duplicates=0", "--retries=2", "--other-commands=0"},
			code: exitUnacknowledged,
			answer: func(w http.ResponseWriter, _ *http.Request, roomID string, _ int) bool {
				if numbered(roomID) {
					return fail(w, http.StatusOK)
				}
				fmt.Fprint(w, "OK")
				return false
			},
			check: func(t *testing.T, rep map[string]any) {
				checkNumbers(t, rep, map[string]float64{"rooms_acknowledged": 0, "rooms_rejected": 40, "retries": 80, "requests_sent": 120})
			},
		},
		"acknowledged by the duplicate alone": {
			args: []string{"--rooms=300", "--concurrency=1", "--duplicates=1", "--retries=0"},
			answer: func(w http.ResponseWriter, _ *http.Request, _ string, n int) bool {
				return n > 1 || fail(w, http.StatusServiceUnavailable)
			},
			check: func(t *testing.T, rep map[string]any) {
				checkNumbers(t, rep, map[string]float64{"rooms_acknowledged": 300, "rooms_rejected": 0, "duplicates_sent": 300})
			},
		},
		"counted, answer lost, then acknowledged": {
			args: []string{"--rooms=100", "--concurrency=32"},
			lose: func(_ string, n int) bool { return n == 1 },
			check: func(t *testing.T, rep map[string]any) {
				checkNumbers(t, rep, map[string]float64{"rooms_acknowledged": 100, "rooms_uncertain": 0})
				checkNumbers(t, rep["errors"].(map[string]any), map[string]float64{"reset": 100})
			},
		},
		"counted, all answers lost": {
			args: []string{"--rooms=400", "--retries=0", "--duplicates=0"},
			code: exitUnacknowledged,
			lose: func(roomID string, _ int) bool { return numbered(roomID) },
			check: func(t *testing.T, rep map[string]any) {
				uncertain := rep["rooms_uncertain"].(float64)
				if uncertain < 20 || uncertain+rep["rooms_acknowledged"].(float64) != 400 {
					t.Errorf("uncertain %v, acknowledged %v of 400", uncertain, rep["rooms_acknowledged"])
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rc := newReceiver()
			rc.names = map[int64]string{1: "gaming", 12: "music \"live\""}
			rc.token = "xxxxyyyy"
			rc.answer, rc.lose = tc.answer, tc.lose
			token := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(token, []byte("xxxxyyyy\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			args := withArgs([]string{"--rooms=1500", "--duplicates=0.3", "--other-commands=0.2", "--token-file=" + token,
				"--sdk-app-id=1400000001", "--sdk-app-id=1400000002", "--category=1=gaming", "--category=12=music \"live\"", "--category=3"}, tc.args)
			code, rep, stderr := simulateJSON(t, t.Context(), serve(t, rc), args...)
			if code != tc.code {
				t.Errorf("exit code = %d, want %d\n%s", code, tc.code, stderr)
			}
			rc.checkTotals(t, rep)
			tc.check(t, rep)
			if float64(rc.others) != rep["other_commands_sent"] || rep["other_commands_sent"] != rep["other_commands_acknowledged"] {
				t.Errorf("other commands: receiver saw %d, report %v sent, %v acknowledged", rc.others, rep["other_commands_sent"], rep["other_commands_acknowledged"])
			}
		})
	}
}

// withArgs replaces flags by those of the same name in more.
func withArgs(args, more []string) []string {
	var out []string
	for _, arg := range args {
		name, _, _ := strings.Cut(arg, "=")
		replaced := false
		for _, other := range more {
			replaced = replaced || strings.HasPrefix(other, name+"=")
		}
		if !replaced {
			out = append(out, arg)
		}
	}
	return append(out, more...)
}

func TestUnreachableIsNotUncertain(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	listener.Close()
	code, rep, stderr := simulateJSON(t, t.Context(), url, "--rooms=20", "--retries=1")
	if code != exitUnacknowledged {
		t.Errorf("exit code = %d, want %d", code, exitUnacknowledged)
	}
	checkNumbers(t, rep, map[string]float64{"rooms_sent": 20, "rooms_unreachable": 20, "rooms_uncertain": 0, "rooms_acknowledged": 0})
	if !strings.Contains(stderr, "could not be sent at all") {
		t.Errorf("stderr does not say so: %s", stderr)
	}
}

func TestPathIsKept(t *testing.T) {
	t.Parallel()
	paths := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths <- r.URL.EscapedPath()
		fmt.Fprint(w, `{"ActionStatus":"OK"}`)
	}))
	defer server.Close()
	code, rep, _ := simulateJSON(t, t.Context(), server.URL+"/a/b%2Fc", "--rooms=1", "--duplicates=0")
	if path := <-paths; code != exitOK || len(paths) != 0 || path != "/a/b%2Fc" {
		t.Errorf("exit code %d, path = %s, %d more", code, path, len(paths))
	}
	checkNumbers(t, rep, map[string]float64{"partial_answers": 1})
}

func TestRoomsFile(t *testing.T) {
	t.Parallel()
	rc := newReceiver()
	rc.answer = func(w http.ResponseWriter, _ *http.Request, roomID string, _ int) bool {
		if strings.HasPrefix(roomID, "live_") {
			w.WriteHeader(http.StatusForbidden)
			return false
		}
		return true
	}
	path := filepath.Join(t.TempDir(), "rooms.jsonl")
	_, rep, _ := simulateJSON(t, t.Context(), serve(t, rc), "--rooms=800", "--duplicates=0.5", "--rooms-file="+path, "--category=5=five", "--category=6")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rc.mu.Lock()
	defer rc.mu.Unlock()
	var lines int
	facts := map[string]uint64{}
	for line := range bytes.Lines(content) {
		var room struct {
			SDKAppID    string            `json:"sdk_app_id"`
			RoomID      string            `json:"room_id"`
			EventTime   int64             `json:"event_time"`
			DestroyType string            `json:"destroy_type"`
			Category    string            `json:"category"`
			Categories  []string          `json:"categories"`
			CategoryIDs []int64           `json:"category_ids"`
			Statistics  map[string]uint64 `json:"statistics"`
		}
		if err := json.Unmarshal(line, &room); err != nil {
			t.Fatalf("line is no JSON: %v\n%s", err, line)
		}
		lines++
		if !rc.counted[fmt.Sprint(room.SDKAppID, "\x00", room.RoomID, "\x00", room.EventTime)] {
			t.Errorf("receiver did not count %s", line)
		}
		if len(room.Categories) != len(room.CategoryIDs) {
			t.Errorf("categories and their ids differ: %s", line)
		}
		series := fmt.Sprintf("series %s/%s/%s ", room.SDKAppID, room.DestroyType, room.Category)
		facts[series+"rooms_destroyed"]++
		if room.Statistics == nil {
			facts[series+"rooms_without_statistics"]++
		}
		for name, value := range room.Statistics {
			facts[series+name] += value
		}
	}
	if float64(lines) != rep["rooms_acknowledged"] || lines == 0 || rep["rooms_rejected"] == 0.0 {
		t.Errorf("%d lines for %v acknowledged rooms, %v rejected", lines, rep["rooms_acknowledged"], rep["rooms_rejected"])
	}
	for key, want := range factsOf(rep, "series", "categories") {
		if strings.HasPrefix(key, "series") && !strings.Contains(key, "observations") && facts[key] != want {
			t.Errorf("%s: file has %d, report %d", key, facts[key], want)
		}
	}
}

func TestRoomsFileCannotBeCreated(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	code := simulate(t.Context(), []string{"--url=http://127.0.0.1:1", "--rooms-file=" + t.TempDir()}, &stdout, &stderr)
	if code != exitUsage || !strings.Contains(stderr.String(), "create rooms file") {
		t.Errorf("exit code %d, stderr %s", code, stderr.String())
	}
}

// Ctrl-C: the totals are those of what was acknowledged, and nothing was cut off.
func TestStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rc := newReceiver()
	rc.answer = func(http.ResponseWriter, *http.Request, string, int) bool {
		rc.mu.Lock()
		defer rc.mu.Unlock()
		if len(rc.counted) == 200 {
			cancel()
		}
		return true
	}
	code, rep, _ := simulateJSON(t, ctx, serve(t, rc), "--rooms=0", "--duplicates=0.5")
	if code != exitOK || rep["interrupted"] != true {
		t.Errorf("exit code %d, interrupted %v", code, rep["interrupted"])
	}
	rc.checkTotals(t, rep)
	if sent := rep["rooms_sent"].(float64); sent < 200 || sent != rep["rooms_acknowledged"] {
		t.Errorf("rooms sent %v, acknowledged %v", sent, rep["rooms_acknowledged"])
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestReportCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"text", "json"} {
		var stderr bytes.Buffer
		code := simulate(t.Context(), []string{"--url=" + serve(t, newReceiver()), "--rooms=3", "--output=" + output}, failingWriter{}, &stderr)
		if code != exitUnacknowledged || !strings.Contains(stderr.String(), "report could not be written") {
			t.Errorf("%s: exit code %d, stderr %s", output, code, stderr.String())
		}
	}
}
