package totals

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// A view stays what it was when it was taken, whatever is done to the totals.
func TestViewsAreImmutable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rooms := genCounted(40).Draw(t, "rooms")
		totals := New(genBounds().Draw(t, "bounds"))
		var views, copies []View
		for i := range rooms {
			// Few series of small values: the same buckets are written to again and again.
			rooms[i].room.SDKAppID, rooms[i].room.DestroyType = "1400000001", room.DestroyedByUser
			for _, statistic := range room.AllStatistics() {
				if value, known := rooms[i].room.Statistics.Get(statistic); known {
					rooms[i].room.Statistics.Set(statistic, value%20)
				}
			}
			switch rapid.IntRange(0, 4).Draw(t, "before") {
			case 0:
				totals.SetBounds(genBounds().Draw(t, "bounds"))
			case 1:
				totals.Expect(rooms[i].room.SDKAppID, rooms[i].labels, rooms[i].at)
			case 2, 3:
				view := totals.View()
				views, copies = append(views, view), append(copies, deepCopy(view))
			}
			totals.Add(&rooms[i].room, rooms[i].labels, rooms[i].at)
		}
		totals.SetBounds(genBounds().Draw(t, "bounds"))
		for i := range views {
			mustEqual(t, "view", views[i], copies[i])
		}
	})
}

// How often a view is taken makes no difference to what is counted.
func TestViewsDoNotDisturb(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rooms := genCounted(40).Draw(t, "rooms")
		bounds := genBounds().Draw(t, "bounds")
		seldom, often := New(bounds), New(bounds)
		addAll(seldom, rooms)
		for i := range rooms {
			often.View()
			addAll(often, rooms[i:i+1])
		}
		mustEqual(t, "view", content(often.View()), content(seldom.View()))
	})
}

// Views may be read while the totals go on counting.
func TestViewsAreSafeToRead(t *testing.T) {
	t.Parallel()
	totals := New(DefaultBounds())
	views := make(chan View)
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for view := range views {
			if err := view.Encode(&bytes.Buffer{}); err != nil {
				failed <- err
				return
			}
		}
	}()
	r := room.Destroyed{SDKAppID: "1", RoomID: "r"}
	for i := range uint64(200) {
		r.Statistics.Set(room.Viewers, i)
		totals.Add(&r, []string{"none"}, start.Add(time.Duration(i)))
		select {
		case views <- totals.View():
		case err := <-failed:
			t.Fatal(err)
		}
	}
	close(views)
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}

func TestEmptyView(t *testing.T) {
	t.Parallel()
	mustEqual(t, "view", New(DefaultBounds()).View(), View{Bounds: DefaultBounds()})
}
