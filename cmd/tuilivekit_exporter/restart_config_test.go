package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRestartWithOtherConfig changes the configuration between two runs: what was
// counted stays as it was, and counting goes on under the new one.
func TestRestartWithOtherConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "sim.token", token)
	const (
		app   = "  - sdk_app_id: %\n    token_files: [sim.token]\n"
		start = "categories: {names: {1: gaming}}\nhistograms:\n  buckets: {viewers: [0, 10, 100], likes: [5]}\n"
	)
	var e *exporter
	restart := func(content string, apps ...string) {
		t.Helper()
		if e != nil {
			e.stop()
		}
		head := "apps:\n"
		for _, id := range apps {
			head += strings.ReplaceAll(app, "%", id)
		}
		e = startExporter(t, "--config.file="+writeFile(t, dir, "exporter.yml", head+content), "--storage.path="+filepath.Join(dir, "data"))
	}
	series := func(name, category, more string) string {
		return fmt.Sprintf(`tuilivekit_%s{category=%q,destroy_type="user",sdk_app_id=%q%s}`, name, category, appID, more)
	}
	le := func(bound string) string { return series("room_viewers_bucket", "gaming", `,le="`+bound+`"`) }
	viewers := func(id string, n int) {
		t.Helper()
		e.post(strings.Replace(destroyedBody(id), `"TotalViewers":1`, fmt.Sprintf(`"TotalViewers":%d`, n), 1))
	}

	restart(start, appID)
	for i, n := range []int{0, 7, 10, 50, 500} {
		viewers(fmt.Sprintf("first-%d", i), n)
	}
	first := samples{
		series("rooms_destroyed_total", "gaming", ""): 5, series("viewers_total", "gaming", ""): 567,
		series("room_viewers_count", "gaming", ""): 5, series("room_viewers_sum", "gaming", ""): 567,
		le("0"): 1, le("10"): 3, le("100"): 4, le("+Inf"): 5,
	}
	e.expect("first run", first)

	// Buckets: a bound that stays keeps its count, a new one begins with what is
	// known to be below it.
	restart(strings.Replace(start, "[0, 10, 100]", "[10, 100, 200, 1000]", 1), appID)
	moved := samples{
		series("room_viewers_count", "gaming", ""): 5, series("room_viewers_sum", "gaming", ""): 567,
		le("10"): 3, le("100"): 4, le("200"): 4, le("1000"): 4, le("+Inf"): 5,
		series("room_likes_bucket", "gaming", `,le="5"`): 5,
	}
	e.expect("other buckets", moved)
	if _, there := e.scrape()[le("0")]; there {
		t.Error("other buckets: the bound 0 is still there")
	}
	viewers("second", 150)
	e.expect("other buckets and a room", samples{
		series("room_viewers_count", "gaming", ""): 6, series("room_viewers_sum", "gaming", ""): 717,
		le("10"): 3, le("100"): 4, le("200"): 5, le("1000"): 5, le("+Inf"): 6,
	})

	// A category under another name.
	restart(strings.Replace(start, "gaming", "games", 1), appID)
	viewers("renamed", 3)
	e.expect("renamed category", samples{
		series("rooms_destroyed_total", "gaming", ""): 6, series("rooms_destroyed_total", "games", ""): 1,
		series("viewers_total", "gaming", ""): 717, series("viewers_total", "games", ""): 3,
		`tuilivekit_category_rooms_destroyed_total{category="gaming",sdk_app_id="` + appID + `"}`: 6,
		`tuilivekit_category_rooms_destroyed_total{category="games",sdk_app_id="` + appID + `"}`:  1,
	})

	// One kind of histogram only, and back.
	restart(start+"  classic: false\n", appID)
	e.expect("no classic buckets", samples{series("room_viewers_count", "gaming", ""): 6})
	if _, there := e.scrape()[le("10")]; there {
		t.Error("no classic buckets: there are")
	}
	viewers("native-only", 20)
	histogram := func() (classic, native uint64) {
		t.Helper()
		for _, metric := range e.protobuf()["tuilivekit_room_viewers"].Metric {
			if labels := fmt.Sprint(metric.Label); !strings.Contains(labels, "gaming") || !strings.Contains(labels, "user") {
				continue
			}
			for _, bucket := range metric.Histogram.Bucket {
				classic = max(classic, bucket.GetCumulativeCount())
			}
			count := int64(metric.Histogram.GetZeroCount())
			var bucket int64
			for _, delta := range metric.Histogram.PositiveDelta {
				bucket += delta
				count += bucket
			}
			native = uint64(count)
		}
		return classic, native
	}
	if classic, native := histogram(); classic != 0 || native != 7 {
		t.Errorf("no classic buckets: they hold %d rooms and native ones %d, want 0 and 7", classic, native)
	}
	restart(start+"  native: false\n", appID)
	viewers("classic-only", 20)
	if classic, native := histogram(); classic != 8 || native != 0 {
		t.Errorf("no native buckets: classic ones hold %d rooms and they %d, want 8 and 0", classic, native)
	}
	restart(start, appID)
	if classic, native := histogram(); classic != 8 || native != 8 {
		t.Errorf("both again: classic buckets hold %d rooms and native ones %d, want 8 and 8", classic, native)
	}

	// Another app instead of the first.
	restart(start, otherID)
	if status := e.destroy("refused", token); status != 403 {
		t.Errorf("an app that was removed: status %d", status)
	}
	e.expect("other app", samples{
		series("rooms_destroyed_total", "gaming", ""):                                     8,
		strings.Replace(series("rooms_destroyed_total", "gaming", ""), appID, otherID, 1): 0,
	})
	restart(start, otherID, appID)
	viewers("back", 1)
	e.expect("both apps", samples{
		series("rooms_destroyed_total", "gaming", ""):                                     9,
		strings.Replace(series("rooms_destroyed_total", "gaming", ""), appID, otherID, 1): 0,
	})
}

// TestNewSeriesHold expects that a series born while running is 0 for as long
// as configured and then what it is, whatever restarts there are in between.
func TestNewSeriesHold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "sim.token", token)
	configure := func(hold string) string {
		return writeFile(t, dir, "exporter.yml", config("[sim.token]")+"metrics: {new_series_hold: "+hold+"}\n")
	}
	born := func(id string, category string) string {
		return strings.Replace(destroyedBody(id), `[1]`, `[`+category+`]`, 1)
	}
	held := func(category string, rooms float64) samples {
		labels := fmt.Sprintf(`{category=%q,destroy_type="user",sdk_app_id=%q}`, category, appID)
		return samples{
			metricRooms + labels: rooms, "tuilivekit_viewers_total" + labels: rooms, "tuilivekit_room_viewers_count" + labels: rooms,
			fmt.Sprintf(`tuilivekit_category_rooms_destroyed_total{category=%q,sdk_app_id=%q}`, category, appID): rooms,
		}
	}
	args := []string{"--config.file=" + configure("1h"), "--storage.path=" + filepath.Join(dir, "data")}
	e := startExporter(t, args...)
	e.post(born("late", "77"))
	e.post(destroyedBody("known"))
	for range 2 {
		e.expect("held", held("77", 0))
		e.expect("a series known from the configuration", held("gaming", 1))
		e.stop()
		e = startExporter(t, args...)
	}
	configure("0s")
	e.reload("SIGHUP", true)
	e.expect("no longer held", held("77", 1))

	// It ends by itself, at the same moment as if there had been no restart.
	const hold = 4 * time.Second
	configure(hold.String())
	e.reload("SIGHUP", true)
	before := time.Now()
	e.post(born("short", "78"))
	restarted := false
	rooms := metricRooms + `{category="78",destroy_type="user",sdk_app_id="` + appID + `"}`
	eventually(t, "the end of the hold", func() bool {
		value, there := e.scrape()[rooms]
		if value == 0 && !restarted {
			e.kill()
			e = startExporter(t, args...)
			restarted = true
		}
		if !there || value > 0 && time.Since(before) < hold {
			t.Fatalf("after %v: %v (there: %t), want 0 for %v", time.Since(before), value, there, hold)
		}
		return value > 0
	})
	e.expect("held as long as it should", held("78", 1))
	if !restarted {
		t.Error("it was never 0")
	}
}
