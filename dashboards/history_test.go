package dashboards_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sentRoom is a line of the simulator's list of acknowledged rooms.
type sentRoom struct {
	SDKAppID    string            `json:"sdk_app_id"`
	DestroyType string            `json:"destroy_type"`
	Category    string            `json:"category"`
	Categories  []string          `json:"categories"`
	Statistics  map[string]uint64 `json:"statistics"`
}

// families are the counters of rooms without their affixes; the statistics among
// them have the simulator's names.
func families() []string {
	return []string{"rooms_destroyed", "rooms_without_statistics", "viewers", "gifts", "gift_coins", "gift_senders", "likes"}
}

// of returns what a room adds to a family.
func (r sentRoom) of(family string) float64 {
	switch {
	case family == "rooms_destroyed", family == "rooms_without_statistics" && r.Statistics == nil:
		return 1
	default:
		return float64(r.Statistics[family])
	}
}

// sum adds a family up over rooms.
func sum(rooms []sentRoom, family string) (total float64) {
	for _, r := range rooms {
		total += r.of(family)
	}
	return total
}

func readRooms(t *testing.T, path string) (rooms []sentRoom) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var r sentRoom
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		rooms = append(rooms, r)
	}
	if len(rooms) == 0 || lines.Err() != nil {
		t.Fatalf("read %d rooms: %v", len(rooms), lines.Err())
	}
	return rooms
}

const (
	historyStep = 15 * time.Minute
	historySpan = 38 * 24 * time.Hour
)

// history is what Prometheus knows of earlier: rooms of the simulator, spread
// evenly over 38 days and over two replicas of the job history. The first of
// them began anew at half the time.
type history struct {
	rooms []sentRoom // in the order of their ends
	start time.Time
}

// between returns the rooms that ended within (from, to] before the end.
func (h history) between(from, to time.Duration) []sentRoom {
	at := func(before time.Duration) int {
		return max(0, int(float64(len(h.rooms))*(1-before.Hours()/historySpan.Hours())))
	}
	return h.rooms[at(from):at(to)]
}

// simulateHistory lets the simulator send rooms and makes them blocks in dir.
func simulateHistory(t *testing.T, dir string) history {
	t.Helper()
	acknowledge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`)
	}))
	defer acknowledge.Close()
	lines := filepath.Join(t.TempDir(), "rooms.jsonl")
	if code, _, stderr := run(t, "roomsim", "--url="+acknowledge.URL, "--rooms=8000", "--seed=5", "--concurrency=1", "--duplicates=0", "--category=1=gaming", "--rooms-file="+lines); code != 0 {
		t.Fatalf("roomsim: exit code %d: %s", code, stderr)
	}
	h := history{rooms: readRooms(t, lines), start: time.Now().Add(-historySpan).Truncate(time.Second)}
	file := writeFile(t, t.TempDir(), "history.om", h.openMetrics())
	if code, stdout, stderr := run(t, tool(t, "promtool"), "tsdb", "create-blocks-from", "--max-block-duration=1440h", "openmetrics", "--quiet", file, dir); code != 0 {
		t.Fatalf("promtool: exit code %d\n%s%s", code, stdout, stderr)
	}
	return h
}

// openMetrics returns the counters of each replica, and the day and week that
// rules.yml recorded of them meanwhile.
func (h history) openMetrics() string {
	var text strings.Builder
	keys := map[string]bool{}
	key := func(r sentRoom) string {
		return fmt.Sprintf(`job="history",sdk_app_id=%q,destroy_type=%q,category=%q`, r.SDKAppID, r.DestroyType, r.Category)
	}
	for _, r := range h.rooms {
		keys[key(r)] = true
	}
	slots := int(historySpan / historyStep)
	upTo := func(slot int) int { return len(h.rooms) * slot / slots }
	for _, family := range families() {
		// sums[slot][key] of each replica since the start, resets left out.
		var sums [2][]map[string]float64
		running := [2]map[string]float64{{}, {}}
		for slot := range slots + 1 {
			for i := upTo(max(0, slot-1)); i < upTo(slot); i++ {
				running[i%2][key(h.rooms[i])] += h.rooms[i].of(family)
			}
			for replica := range sums {
				sums[replica] = append(sums[replica], maps.Clone(running[replica]))
			}
		}
		at := func(slot int) int64 { return h.start.Add(time.Duration(slot) * historyStep).Unix() }
		fmt.Fprintf(&text, "# TYPE tuilivekit_%s counter\n", family)
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			for replica := range sums {
				for slot := range slots + 1 {
					value := sums[replica][slot][k]
					if replica == 0 && slot >= slots/2 {
						value -= sums[replica][slots/2][k]
					}
					fmt.Fprintf(&text, "tuilivekit_%s_total{%s,instance=\"history-%d\"} %g %d\n", family, k, replica, value, at(slot))
				}
			}
		}
		for name, window := range map[string]int{"1d": 96, "1w": 7 * 96} {
			fmt.Fprintf(&text, "# TYPE job_sdk_app_id_destroy_type_category:tuilivekit_%s:increase%s gauge\n", family, name)
			for _, k := range slices.Sorted(maps.Keys(keys)) {
				for slot := 0; slot < slots; slot += 4 { // the last is left to the real rule
					before := max(0, slot-window)
					value := sums[0][slot][k] - sums[0][before][k] + sums[1][slot][k] - sums[1][before][k]
					fmt.Fprintf(&text, "job_sdk_app_id_destroy_type_category:tuilivekit_%s:increase%s{%s} %g %d\n", family, name, k, value, at(slot))
				}
			}
		}
	}
	// The exporters that the test runs are too young to write snapshots: these have one
	// each slot, which took between 50 and 100 ms.
	const snapshots = "tuilivekit_exporter_journal_snapshot_duration_seconds"
	fmt.Fprintf(&text, "# TYPE %s histogram\n", snapshots)
	for slot := range slots + 1 {
		for le, value := range map[string]int{"0.05": 0, "0.1": slot, "+Inf": slot} {
			fmt.Fprintf(&text, "%s_bucket{job=\"history\",instance=\"history-1\",le=%q} %d %d\n", snapshots, le, value, h.start.Add(time.Duration(slot)*historyStep).Unix())
		}
	}
	return text.String() + "# EOF\n"
}
