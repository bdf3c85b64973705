package totals

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// modelHistogram is a histogram made in the most direct way from all observations.
func modelHistogram(bounds []float64, observations []Exemplar) (count, sum uint64, classic []uint64, exemplars []Exemplar) {
	classic, exemplars = make([]uint64, len(bounds)+1), make([]Exemplar, len(bounds)+1)
	for _, o := range observations {
		count++
		sum = saturated(sum, o.Value)
		i := modelBucket(bounds, o.Value)
		classic[i]++
		exemplars[i] = o
	}
	return count, sum, classic, exemplars
}

func modelBucket(bounds []float64, value uint64) int {
	for i, bound := range bounds {
		if float64(value) <= bound {
			return i
		}
	}
	return len(bounds)
}

func TestAddAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rooms := genCounted(40).Draw(t, "rooms")
		bounds := genBounds().Draw(t, "bounds")
		totals := New(bounds)
		addAll(totals, rooms)
		view := totals.View()
		mustEqual(t, "bounds", view.Bounds, bounds)
		checkSeries(t, view, rooms)
		checkMemberships(t, view, rooms)
	})
}

func checkSeries(t *rapid.T, view View, rooms []counted) {
	var keys []Key
	byKey := make(map[Key][]counted)
	for _, r := range rooms {
		key := Key{r.room.SDKAppID, r.room.DestroyType, r.labels[0]}
		if byKey[key] == nil {
			keys = append(keys, key)
		}
		byKey[key] = append(byKey[key], r)
	}
	mustEqual(t, "number of series", len(view.Series), len(keys))
	var all uint64
	for i, s := range view.Series {
		mustEqual(t, "order of series", s.Key, keys[i])
		of := byKey[s.Key]
		mustEqual(t, "origin", s.Origin, Origin{Created: of[0].at.UnixMilli(), Late: true})
		mustEqual(t, "rooms", s.Rooms, uint64(len(of)))
		all += s.Rooms
		var without uint64
		observations := [room.NumStatistics][]Exemplar{}
		for _, r := range of {
			if !r.room.Statistics.Present {
				without++
			}
			for _, statistic := range room.AllStatistics() {
				if value, known := r.room.Statistics.Get(statistic); known {
					observations[statistic] = append(observations[statistic], Exemplar{r.room.RoomID, value, r.at.UnixMilli()})
				}
			}
		}
		mustEqual(t, "rooms without statistics", s.WithoutStatistics, without)
		for statistic, h := range s.Histograms {
			count, sum, classic, exemplars := modelHistogram(view.Bounds[statistic], observations[statistic])
			mustEqual(t, "count", h.Count, count)
			mustEqual(t, "sum", h.Sum, sum)
			mustEqual(t, "classic buckets", h.Classic, classic)
			mustEqual(t, "exemplars", h.Exemplars, exemplars)
			mustEqual(t, "native count", nativeCount(&h.Native), count)
		}
	}
	mustEqual(t, "rooms of all series", all, uint64(len(rooms)))
}

func checkMemberships(t *rapid.T, view View, rooms []counted) {
	var want []Membership
	for _, r := range rooms {
		for _, label := range r.labels {
			key := MembershipKey{r.room.SDKAppID, label}
			i := slices.IndexFunc(want, func(m Membership) bool { return m.MembershipKey == key })
			if i < 0 {
				i = len(want)
				want = append(want, Membership{MembershipKey: key, Origin: Origin{Created: r.at.UnixMilli(), Late: true}})
			}
			want[i].Rooms++
			for _, statistic := range room.AllStatistics() {
				value, _ := r.room.Statistics.Get(statistic)
				want[i].Sums[statistic] = saturated(want[i].Sums[statistic], value)
			}
		}
	}
	got := make([]Membership, 0, len(want))
	for _, m := range content(view).Memberships {
		got = append(got, *m)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("memberships:\n got %+v\nwant %+v", got, want)
	}
}

func TestSumsSaturate(t *testing.T) {
	t.Parallel()
	totals := New(DefaultBounds())
	var before uint64
	for i, value := range []uint64{math.MaxInt64, math.MaxInt64, 1, 0, 1, math.MaxUint64, 5} {
		r := room.Destroyed{SDKAppID: "1", RoomID: "r"}
		r.Statistics.Present = true
		for _, statistic := range room.AllStatistics() {
			r.Statistics.Set(statistic, value)
		}
		totals.Add(&r, []string{"none", "7"}, start)
		want := []uint64{math.MaxInt64, math.MaxUint64 - 1, math.MaxUint64, math.MaxUint64, math.MaxUint64, math.MaxUint64, math.MaxUint64}[i]
		view := totals.View()
		for statistic := range room.NumStatistics {
			mustEqual(t, "sum", view.Series[0].Histograms[statistic].Sum, want)
			mustEqual(t, "count", view.Series[0].Histograms[statistic].Count, uint64(i+1))
			for _, m := range view.Memberships {
				mustEqual(t, "sum of membership", m.Sums[statistic], want)
			}
		}
		if want < before {
			t.Errorf("the sum fell from %d to %d", before, want)
		}
		before = want
	}
}

func TestExpect(t *testing.T) {
	t.Parallel()
	totals := New(DefaultBounds())
	totals.Expect("1", []string{"gaming", "none"}, start)
	view := totals.View()

	var keys []Key
	for _, s := range view.Series {
		keys = append(keys, s.Key)
		mustEqual(t, "origin", s.Origin, Origin{Created: start.UnixMilli()})
		mustEqual(t, "rooms", s.Rooms, uint64(0))
		for statistic, h := range s.Histograms {
			mustEqual(t, "histogram", h, NewHistogram(view.Bounds[statistic]))
		}
	}
	mustEqual(t, "keys", keys, []Key{
		{"1", room.DestroyedByUser, "gaming"}, {"1", room.DestroyedBySystem, "gaming"}, {"1", room.DestroyedByOther, "gaming"},
		{"1", room.DestroyedByUser, "none"}, {"1", room.DestroyedBySystem, "none"}, {"1", room.DestroyedByOther, "none"},
	})
	var members []Membership
	for _, m := range content(view).Memberships {
		members = append(members, *m)
	}
	mustEqual(t, "memberships", members, []Membership{
		{MembershipKey: MembershipKey{"1", "gaming"}, Origin: Origin{Created: start.UnixMilli()}},
		{MembershipKey: MembershipKey{"1", "none"}, Origin: Origin{Created: start.UnixMilli()}},
	})

	// What is there already keeps its origin and its counts, whoever brought it.
	r := room.Destroyed{SDKAppID: "1", RoomID: "r", DestroyType: room.DestroyedByUser}
	totals.Add(&r, []string{"none"}, start.Add(time.Minute))
	totals.Add(&r, []string{"7"}, start.Add(time.Minute))
	before := content(totals.View())
	totals.Expect("1", []string{"none", "gaming"}, start.Add(time.Hour))
	mustEqual(t, "after Expect again", content(totals.View()), before)
	late := before.Series[len(before.Series)-1]
	mustEqual(t, "late series", late.Origin, Origin{Created: start.Add(time.Minute).UnixMilli(), Late: true})
}
