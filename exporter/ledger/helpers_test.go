package ledger

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger/journal"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

// told is what an Observer was told.
type told struct {
	recovery  Recovery
	commits   int
	records   int
	failures  int
	snapshots int
	overflows int
}

type observations struct {
	mu   sync.Mutex
	told told
}

func (o *observations) note(change func(*told)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.told)
}

func (o *observations) CategoryOverflow(string)   { o.note(func(t *told) { t.overflows++ }) }
func (o *observations) Recovered(r Recovery)      { o.note(func(t *told) { t.recovery = r }) }
func (o *observations) JournalFailed()            { o.note(func(t *told) { t.failures++ }) }
func (o *observations) Snapshotted(time.Duration) { o.note(func(t *told) { t.snapshots++ }) }
func (o *observations) Committed(n int, _ time.Duration) {
	o.note(func(t *told) { t.commits++; t.records += n })
}

func (o *observations) all() told {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.told
}

// logBuffer takes a log as text.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func testSettings() Settings {
	return Settings{
		SDKAppIDs:     []string{"1400000001"},
		CategoryNames: map[int64]string{1: "gaming"},
		CategoryLimit: 100,
		Bounds:        totals.Bounds{{1, 10, 100}, {5}, {0, 1000}, {}, {10, 20}},
		DedupeWindow:  time.Hour,
	}
}

// testOptions are of a small store, so that little fills segments.
func testOptions(dir string, disk journal.Disk) (Options, *observations) {
	observer := &observations{}
	return Options{
		Path:          dir,
		Settings:      testSettings(),
		Observer:      observer,
		Logger:        slog.New(slog.DiscardHandler),
		disk:          disk,
		segmentSize:   1 << 10,
		snapshotAfter: 4 << 10,
	}, observer
}

func mustOpen(tb testing.TB, options Options) *Ledger {
	tb.Helper()
	l, err := Open(options)
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	return l
}

func mustClose(tb testing.TB, l *Ledger) {
	tb.Helper()
	if err := l.Close(); err != nil {
		tb.Fatalf("Close: %v", err)
	}
}

// numbered returns a room of its own for each number.
func numbered(n int) *room.Destroyed {
	d := &room.Destroyed{
		SDKAppID:    "1400000001",
		RoomID:      "room-" + string(rune('a'+n%26)),
		EventTime:   time.UnixMilli(1_700_000_000_000 + int64(n)),
		DestroyType: room.DestroyTypes()[n%3],
	}
	for category := range n % 3 {
		d.Categories = append(d.Categories, int64(category+n%2))
	}
	if n%5 > 0 {
		d.Statistics.Present = true
		for _, statistic := range room.AllStatistics() {
			if (n+int(statistic))%7 > 0 {
				d.Statistics.Set(statistic, uint64(n*n%1000))
			}
		}
	}
	return d
}

func recordAll(tb testing.TB, l *Ledger, from, to int) {
	tb.Helper()
	for n := from; n < to; n++ {
		if l.Record(numbered(n)) {
			tb.Fatalf("room %d is a duplicate", n)
		}
	}
}

// counted returns how many rooms the view has.
func counted(v totals.View) (rooms uint64) {
	for _, s := range v.Series {
		rooms += s.Rooms
	}
	return rooms
}

// text returns all of a view, in order.
func text(tb testing.TB, v totals.View) string {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// sortedText returns all of a view that does not depend on which of two rooms
// that raced came first.
func sortedText(tb testing.TB, v totals.View) string {
	tb.Helper()
	v.Series = slices.Clone(v.Series)
	for i, s := range v.Series {
		copied := *s
		for j := range copied.Histograms {
			copied.Histograms[j].Exemplars = nil
		}
		v.Series[i] = &copied
	}
	slices.SortFunc(v.Series, func(a, b *totals.Series) int {
		return cmp.Or(strings.Compare(a.SDKAppID, b.SDKAppID), strings.Compare(a.Category, b.Category), cmp.Compare(a.DestroyType, b.DestroyType))
	})
	v.Memberships = slices.Clone(v.Memberships)
	slices.SortFunc(v.Memberships, func(a, b *totals.Membership) int {
		return cmp.Or(strings.Compare(a.SDKAppID, b.SDKAppID), strings.Compare(a.Category, b.Category))
	})
	return text(tb, v)
}
