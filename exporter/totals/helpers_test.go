package totals

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// counted is one room as it is passed to Add.
type counted struct {
	room   room.Destroyed
	labels []string
	at     time.Time
}

// genValue draws statistics of every size, those at the edges of buckets more often.
func genValue() *rapid.Generator[uint64] {
	return rapid.OneOf(
		rapid.Uint64Range(0, 12),
		rapid.SampledFrom([]uint64{100, 300, 1000, 1001, 1e6, 1 << 53, 1<<53 + 1, math.MaxInt64}),
		rapid.Custom(func(t *rapid.T) uint64 {
			return 1<<rapid.IntRange(0, 62).Draw(t, "power") + rapid.Uint64Range(0, 2).Draw(t, "more") - 1
		}),
		rapid.Uint64Range(0, math.MaxInt64),
	)
}

func genStatistics() *rapid.Generator[room.Statistics] {
	return rapid.Custom(func(t *rapid.T) (s room.Statistics) {
		if !rapid.Bool().Draw(t, "present") {
			return s
		}
		s.Present = true
		for _, statistic := range room.AllStatistics() {
			if rapid.IntRange(0, 4).Draw(t, "known") > 0 {
				s.Set(statistic, genValue().Draw(t, statistic.String()))
			}
		}
		return s
	})
}

// genCounted draws rooms, each counted a second after the one before.
func genCounted(most int) *rapid.Generator[[]counted] {
	one := rapid.Custom(func(t *rapid.T) counted {
		return counted{
			room: room.Destroyed{
				SDKAppID:    rapid.SampledFrom([]string{"1400000001", "1400000002"}).Draw(t, "app"),
				RoomID:      rapid.StringMatching(`[a-z]{1,4}`).Draw(t, "room"),
				DestroyType: rapid.SampledFrom(room.DestroyTypes()).Draw(t, "type"),
				Statistics:  genStatistics().Draw(t, "statistics"),
			},
			labels: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"none", "gaming", "7", "other"}), 1, 3, rapid.ID[string]).Draw(t, "labels"),
		}
	})
	return rapid.Custom(func(t *rapid.T) []counted {
		rooms := rapid.SliceOfN(one, 0, most).Draw(t, "rooms")
		for i := range rooms {
			rooms[i].at = start.Add(time.Duration(i) * time.Second)
		}
		return rooms
	})
}

var start = time.UnixMilli(1763450000999)

func genBounds() *rapid.Generator[Bounds] {
	return rapid.Custom(func(t *rapid.T) (bounds Bounds) {
		some := []float64{0, 0.5, 1, 2, 3, 5, 10, 100, 1000, 1001, 1e6, 1 << 53, 1e18, 1 << 63}
		for i := range bounds {
			bounds[i] = rapid.SliceOfNDistinct(rapid.SampledFrom(some), 0, len(some), rapid.ID[float64]).Draw(t, "bounds")
			slices.Sort(bounds[i])
			bounds[i] = slices.Clip(bounds[i])
			if len(bounds[i]) == 0 {
				bounds[i] = nil
			}
		}
		return bounds
	})
}

func addAll(totals *Totals, rooms []counted) {
	for i := range rooms {
		totals.Add(&rooms[i].room, rooms[i].labels, rooms[i].at)
	}
}

// deepCopy returns a copy of v that shares nothing with it.
func deepCopy(v View) View {
	c := View{}
	for i := range v.Bounds {
		c.Bounds[i] = slices.Clone(v.Bounds[i])
	}
	for _, s := range v.Series {
		series := *s
		for i, h := range s.Histograms {
			h.Classic = slices.Clone(h.Classic)
			h.Exemplars = slices.Clone(h.Exemplars)
			h.Native.Buckets = slices.Clone(h.Native.Buckets)
			series.Histograms[i] = h
		}
		c.Series = append(c.Series, &series)
	}
	for _, m := range v.Memberships {
		membership := *m
		c.Memberships = append(c.Memberships, &membership)
	}
	return c
}

// content returns a copy of v without what only says who may write to it.
func content(v View) View {
	c := deepCopy(v)
	for _, s := range c.Series {
		s.epoch = 0
	}
	for _, m := range c.Memberships {
		m.epoch = 0
	}
	return c
}

// saturated adds as a counter does that must never go backwards.
func saturated(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func mustEqual(t fataler, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func seriesOfRoom(t *testing.T, totals *Totals) *Series {
	t.Helper()
	view := totals.View()
	if len(view.Series) != 1 {
		t.Fatalf("%d series", len(view.Series))
	}
	return view.Series[0]
}
