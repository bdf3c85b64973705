package totals

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

func TestDefaultBounds(t *testing.T) {
	t.Parallel()
	for statistic, bounds := range DefaultBounds() {
		if bounds[0] != 0 || len(bounds) > 15 {
			t.Errorf("%s: %v", room.Statistic(statistic), bounds)
		}
		for i := 1; i < len(bounds); i++ {
			if bounds[i-1] >= bounds[i] {
				t.Errorf("%s: %v is not below %v", room.Statistic(statistic), bounds[i-1], bounds[i])
			}
		}
	}
}

// A bound keeps all who are known to lie below it, and gains nobody else.
func TestSetBoundsAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bounds := genBounds().Draw(t, "bounds")
		totals := New(bounds)
		var (
			values  []uint64
			sum     uint64
			known   = cumulative(bounds[room.Gifts], nil) // by bound
			always  = slices.Clone(bounds[room.Gifts])    // bounds that never went away
			samples = make(map[int]Exemplar)              // by bucket
		)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "set bounds") {
				bounds = genBounds().Draw(t, "bounds")
				totals.SetBounds(bounds)
				known = cumulative(bounds[room.Gifts], known)
				always = slices.DeleteFunc(always, func(b float64) bool { return !slices.Contains(bounds[room.Gifts], b) })
				samples = latest(bounds[room.Gifts], samples)
				continue
			}
			value := genValue().Draw(t, "value")
			r := room.Destroyed{SDKAppID: "1", RoomID: rapid.StringMatching("[a-z]{3}").Draw(t, "room")}
			r.Statistics.Present = true
			r.Statistics.Set(room.Gifts, value)
			at := start.Add(time.Duration(len(values)) * time.Second)
			totals.Add(&r, []string{"none"}, at)
			values, sum = append(values, value), saturated(sum, value)
			for bound := range known {
				if float64(value) <= bound {
					known[bound]++
				}
			}
			samples[modelBucket(bounds[room.Gifts], value)] = Exemplar{r.RoomID, value, at.UnixMilli()}
		}
		mustEqual(t, "bounds", totals.View().Bounds, bounds)
		if len(values) == 0 {
			return
		}
		h := totals.View().Series[0].Histograms[room.Gifts]
		mustEqual(t, "count", h.Count, uint64(len(values)))
		mustEqual(t, "sum", h.Sum, sum)
		mustEqual(t, "native count", nativeCount(&h.Native), h.Count)
		mustEqual(t, "number of buckets", len(h.Classic), len(bounds[room.Gifts])+1)
		var below uint64
		for i, bound := range bounds[room.Gifts] {
			below += h.Classic[i]
			mustEqual(t, "known to be below", below, known[bound])
			var true uint64
			for _, value := range values {
				if float64(value) <= bound {
					true++
				}
			}
			if below > true || slices.Contains(always, bound) && below != true {
				t.Fatalf("%d are said to be below %v, %d are; bounds that were always there: %v", below, bound, true, always)
			}
		}
		mustEqual(t, "count below +Inf", below+h.Classic[len(bounds[room.Gifts])], h.Count)
		for i, e := range h.Exemplars {
			mustEqual(t, "exemplar", e, samples[i])
		}
	})
}

// cumulative returns how many are known to be below each of the bounds, given
// what was known of the bounds before.
func cumulative(bounds []float64, before map[float64]uint64) map[float64]uint64 {
	after := make(map[float64]uint64)
	for _, bound := range bounds {
		after[bound] = 0
		for old, n := range before {
			if old <= bound {
				after[bound] = max(after[bound], n)
			}
		}
	}
	return after
}

// latest returns the latest exemplar of each bucket.
func latest(bounds []float64, exemplars map[int]Exemplar) map[int]Exemplar {
	after := make(map[int]Exemplar)
	for e := range maps.Values(exemplars) {
		if i := modelBucket(bounds, e.Value); e.Time > after[i].Time {
			after[i] = e
		}
	}
	return after
}

func TestSetBounds(t *testing.T) {
	t.Parallel()
	totals := New(Bounds{room.Viewers: {1, 10, 100}, room.Likes: {5}})
	for i, value := range []uint64{0, 1, 7, 10, 55, 99, 100, 5000} {
		r := room.Destroyed{SDKAppID: "1", RoomID: string(rune('a' + i))}
		r.Statistics.Set(room.Viewers, value)
		r.Statistics.Set(room.Likes, value)
		totals.Add(&r, []string{"none"}, start.Add(time.Duration(i)*time.Second))
	}
	exemplar := func(id string, value uint64) Exemplar {
		return Exemplar{id, value, start.Add(time.Duration(id[0]-'a') * time.Second).UnixMilli()}
	}
	likes := seriesOfRoom(t, totals).Histograms[room.Likes]
	for _, c := range []struct {
		bounds    []float64
		classic   []uint64
		exemplars []Exemplar
	}{
		{[]float64{1, 10, 100}, []uint64{2, 2, 3, 1}, []Exemplar{exemplar("b", 1), exemplar("d", 10), exemplar("g", 100), exemplar("h", 5000)}},
		// Of the 3 between 10 and 100 nobody knows which are below 50.
		{[]float64{10, 50, 100}, []uint64{4, 0, 3, 1}, []Exemplar{exemplar("d", 10), {}, exemplar("g", 100), exemplar("h", 5000)}},
		{[]float64{10}, []uint64{4, 4}, []Exemplar{exemplar("d", 10), exemplar("h", 5000)}},
		// What was forgotten stays so.
		{[]float64{1, 10, 100}, []uint64{0, 4, 0, 4}, []Exemplar{{}, exemplar("d", 10), {}, exemplar("h", 5000)}},
		{nil, []uint64{8}, []Exemplar{exemplar("h", 5000)}},
		{[]float64{1e9}, []uint64{0, 8}, []Exemplar{exemplar("h", 5000), {}}},
	} {
		totals.SetBounds(Bounds{room.Viewers: c.bounds, room.Likes: {5}})
		s := seriesOfRoom(t, totals)
		h := s.Histograms[room.Viewers]
		mustEqual(t, "classic", h.Classic, c.classic)
		mustEqual(t, "exemplars", h.Exemplars, c.exemplars)
		mustEqual(t, "count", h.Count, uint64(8))
		mustEqual(t, "sum", h.Sum, uint64(5272))
		mustEqual(t, "another statistic", s.Histograms[room.Likes], likes)
	}
}
