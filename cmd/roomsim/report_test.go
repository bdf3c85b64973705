package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func testReport() *Report {
	return &Report{
		Version: "1.2.3", URL: "http://127.0.0.1:8080/<hook>", Seed: 1<<53 - 1, Interrupted: true,
		ElapsedSeconds: 1.5, AskedRate: 100, AchievedRate: 50.25, BehindSchedule: true, BehindSecondsMax: 2.5, BehindSecondsEnd: 1.25,
		RoomsSent: 10, RoomsAcknowledged: 3, RoomsRejected: 1, RoomsUncertain: 4, RoomsUnreachable: 2,
		RequestsSent: 30, Retries: 7, DuplicatesSent: 5, DuplicatesAcknowledged: 4, OtherCommandsSent: 3, OtherAcknowledged: 2,
		RejectedByStatus: map[int]uint64{403: 2, 500: 9}, Errors: map[string]uint64{errorTimeout: 8}, PartialAnswers: 6,
		LatencySeconds: Latency{P50: 0.001, P99: 0.25, Max: 1.125},
		Series: []Series{
			{"1400000001", "system", "none", 1, Statistics{}, 1, Statistics{}},
			{"1400000001", "user", "歌房", 2, Statistics{1001, 1002, 1003, 1004, 1005}, 0, Statistics{2, 1, 2, 2, 2}},
		},
		Categories:          []Category{{"1400000001", "歌房", 2, Statistics{2001, 2002, 2003, 2004, 2005}}},
		UncertainSeries:     []Series{{"1400000002", "other", "4", 4, Statistics{3001, 3002, 3003, 3004, 3005}, 0, Statistics{4, 4, 4, 4, 4}}},
		UncertainCategories: []Category{{"1400000002", "4", 4, Statistics{3001, 3002, 3003, 3004, 3005}}},
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := testReport().writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got Report
	decoder := json.NewDecoder(bytes.NewReader(out.Bytes()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if decoder.More() {
		t.Error("more than one object was written")
	}
	if !reflect.DeepEqual(&got, testReport()) {
		t.Errorf("report = %+v\nwant     %+v", got, testReport())
	}
	compact := new(bytes.Buffer)
	if err := json.Compact(compact, out.Bytes()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"series":[{"sdk_app_id":"1400000001","destroy_type":"system","category":"none","rooms_destroyed":1,"viewers":0,"gifts":0,"gift_coins":0,"gift_senders":0,"likes":0,"rooms_without_statistics":1,"observations":{"viewers":0,`,
		`"categories":[{"sdk_app_id":"1400000001","category":"歌房","rooms_destroyed":2,"viewers":2001,`,
		`"rejected_by_status":{"403":2,"500":9}`,
		`"url":"http://127.0.0.1:8080/<hook>"`,
	} {
		if !strings.Contains(compact.String(), want) {
			t.Errorf("report lacks %s:\n%s", want, compact)
		}
	}
}

// Nothing is null, so that a reader can always index and iterate.
func TestEmptyReport(t *testing.T) {
	t.Parallel()
	s := newSimulation(testOptions(t), nil, nil, nil)
	var out bytes.Buffer
	if err := s.report(0, true).writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "null") {
		t.Errorf("report has a null:\n%s", out.String())
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := testReport().writeText(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"  sdk_app_id  destroy_type  category  rooms_destroyed  viewers  gifts  gift_coins  gift_senders  likes  rooms_without_statistics\n",
		"  1400000001          user        歌房                2     1001   1002        1003          1004   1005                         0\n",
		"         sum                                        3     1001   1002        1003          1004   1005                         1\n",
		"!!! UNCERTAIN: 4 rooms",
		"!!! BEHIND SCHEDULE: the receiver did not keep up with 100 rooms/s, it took 50.2.\n!!! Rooms were sent up to 2.5s late, the last one 1.25s.\n",
		"  rooms acknowledged       3\n",
		"  duplicates               5 sent, 4 acknowledged\n",
		"  answers 403, not OK      2\n",
		"  errors, timeout          8\n",
		"  latency                  p50 1ms, p99 250ms, max 1.125s\n",
		"  seed                     9007199254740991\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("text lacks %q:\n%s", want, text)
		}
	}
	if !strings.HasPrefix(text, "Totals of a correct exporter") {
		t.Errorf("totals are not first:\n%s", text)
	}

	calm := testReport()
	calm.RoomsUncertain, calm.BehindSchedule = 0, false
	out.Reset()
	if err := calm.writeText(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "!!!") {
		t.Errorf("text of a good run is alarming:\n%s", out.String())
	}
}

func TestLatencies(t *testing.T) {
	t.Parallel()
	l := new(latencies)
	if got := l.quantile(0.99); got != 0 {
		t.Errorf("quantile of nothing = %v, want 0", got)
	}
	for i := range 1000 {
		l.add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := l.quantile(q); got < want || got > want+want*4/100 {
			t.Errorf("quantile(%v) = %v, want %v to 4 %% more", q, got, want)
		}
	}
	if l.max != time.Second {
		t.Errorf("max = %v, want 1s", l.max)
	}
}

func TestLatencyBounds(t *testing.T) {
	t.Parallel()
	previous := -1
	for _, v := range []uint64{0, 1, 31, 32, 33, 63, 64, 65, 127, 128, 1000, 1 << 20, 1<<20 + 1<<15, 1 << 40, 1<<63 - 1} {
		i := latencyIndex(v)
		upper := latencyUpper(i)
		if i <= previous && v > 65 || upper < v || float64(upper-v) > float64(v)/32+1 {
			t.Errorf("latencyIndex(%d) = %d with upper bound %d", v, i, upper)
		}
		previous = i
	}
}
