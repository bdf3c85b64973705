package totals

import (
	"fmt"
	"io"
	"testing"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// benchmarkTotals returns totals of n series, one room in each, and the rooms.
func benchmarkTotals(n int) (*Totals, []counted) {
	totals := New(DefaultBounds())
	rooms := make([]counted, n)
	for i := range rooms {
		r := room.Destroyed{SDKAppID: "1400000001", RoomID: fmt.Sprintf("room-%d", i), DestroyType: room.DestroyedByUser}
		r.Statistics.Present = true
		for _, statistic := range room.AllStatistics() {
			r.Statistics.Set(statistic, uint64(i*7)%5000)
		}
		rooms[i] = counted{room: r, labels: []string{fmt.Sprint(i)}, at: start}
	}
	addAll(totals, rooms)
	return totals, rooms
}

func perSeries(b *testing.B, run func(b *testing.B, totals *Totals, rooms []counted)) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("series=%d", n), func(b *testing.B) {
			totals, rooms := benchmarkTotals(n)
			b.ReportAllocs()
			run(b, totals, rooms)
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	perSeries(b, func(b *testing.B, totals *Totals, rooms []counted) {
		i := 0
		for b.Loop() {
			r := &rooms[i%len(rooms)]
			totals.Add(&r.room, r.labels, r.at)
			i++
		}
	})
}

// BenchmarkAddAfterView is the worst case: each room copies its series first.
func BenchmarkAddAfterView(b *testing.B) {
	totals, rooms := benchmarkTotals(1)
	b.ReportAllocs()
	for b.Loop() {
		totals.View()
		totals.Add(&rooms[0].room, rooms[0].labels, rooms[0].at)
	}
}

func BenchmarkView(b *testing.B) {
	perSeries(b, func(b *testing.B, totals *Totals, _ []counted) {
		for b.Loop() {
			totals.View()
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	perSeries(b, func(b *testing.B, totals *Totals, _ []counted) {
		view := totals.View()
		for b.Loop() {
			if err := view.Encode(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	})
}
