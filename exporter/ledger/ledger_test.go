package ledger

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

func TestInMemoryOnly(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	options, _ := testOptions("", nil)
	options.Logger = slog.New(slog.NewTextHandler(log, nil))
	l := mustOpen(t, options)
	recordAll(t, l, 0, 10)
	if !l.Record(numbered(3)) {
		t.Error("a duplicate counts")
	}
	if got := counted(l.View()); got != 10 {
		t.Errorf("%d rooms are counted, want 10", got)
	}
	if status := l.Status(); status != (Status{Identities: 10}) {
		t.Errorf("Status = %+v", status)
	}
	mustClose(t, l)
	if lines := strings.Count(log.String(), "\n"); lines != 1 || strings.Count(log.String(), "level=WARN") != 1 {
		t.Errorf("want one warning, got:\n%s", log)
	}
}

func TestDuplicateWithOtherStatistics(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	options, _ := testOptions(t.TempDir(), nil)
	options.Logger = slog.New(slog.NewTextHandler(log, nil))
	l := mustOpen(t, options)
	first := numbered(1)
	recordAll(t, l, 1, 2)
	if !l.Record(numbered(1)) || log.String() != "" {
		t.Errorf("a duplicate like the first is new, or logged:\n%s", log)
	}
	want := text(t, l.View())
	other := numbered(1)
	other.Statistics.Set(room.Likes, 77)
	check := func(when string) {
		t.Helper()
		if !l.Record(other) {
			t.Errorf("%s: a duplicate with other statistics is new", when)
		}
		if got := text(t, l.View()); got != want {
			t.Errorf("%s: the duplicate changed the totals from\n%s\nto\n%s", when, want, got)
		}
		if n := strings.Count(log.String(), "delivered again with other statistics"); n != 1 || !strings.Contains(log.String(), first.RoomID) {
			t.Errorf("%s: want one warning with the room's id, got:\n%s", when, log)
		}
	}
	check("in the same run")
	for _, when := range []string{"after a snapshot", "after another"} {
		mustClose(t, l)
		log = &logBuffer{}
		options.Logger = slog.New(slog.NewTextHandler(log, nil))
		l = mustOpen(t, options)
		check(when)
	}
	mustClose(t, l)
}

func TestWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, path := range []string{"", t.TempDir()} {
			options, _ := testOptions(path, nil)
			l := mustOpen(t, options)
			recordAll(t, l, 0, 1)
			time.Sleep(59 * time.Minute)
			if !l.Record(numbered(0)) {
				t.Error("a duplicate within the window counts")
			}
			recordAll(t, l, 1, 2)
			time.Sleep(61 * time.Second)
			// The duplicate did not prolong what the first began.
			if l.Record(numbered(0)) {
				t.Error("a room behind the window is a duplicate")
			}
			if got := l.Status().Identities; got != 2 {
				t.Errorf("%d identities are remembered, want 2", got)
			}
			mustClose(t, l)
		}
	})
}

// TestClockSetBack has a room's second sighting outlive its first.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	i := newIdentities()
	i.window = time.Hour
	start := time.Unix(1_700_000_000, 0)
	see := func(at time.Time, fingerprint uint32) {
		i.add(sighting{id: identity{1}, at: uint32(at.Unix()), fingerprint: fingerprint})
	}
	see(start, 1)
	see(start.Add(30*time.Minute), 2)
	i.forget(start.Add(61 * time.Minute))
	if fingerprint, found := i.find(identity{1}); !found || fingerprint != 2 {
		t.Errorf("find = %d, %t; want the second sighting", fingerprint, found)
	}
	i.forget(start.Add(91 * time.Minute))
	if _, found := i.find(identity{1}); found || len(i.seen) != 0 {
		t.Error("the second sighting is never forgotten")
	}
}

// TestRestartExactly compares everything over a clean restart and over a crash
// with its twin that was never restarted.
func TestRestartExactly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		options, observer := testOptions(t.TempDir(), nil)
		options.Settings.CategoryLimit = 2
		twinOptions, twinObserver := testOptions("", nil)
		twinOptions.Settings = options.Settings
		l, twin := mustOpen(t, options), mustOpen(t, twinOptions)
		overflows := 0
		for run := range 6 {
			for n := run * 20; n < run*20+20; n++ {
				d := numbered(n)
				d.Categories = append(d.Categories, int64(n%9))
				if l.Record(d) != twin.Record(d) {
					t.Fatalf("the twins do not agree on room %d", n)
				}
				time.Sleep(time.Duration(n) * time.Second)
			}
			overflows += observer.all().overflows
			if run%2 == 0 {
				mustClose(t, l)
			} else {
				l.committer.saving.Lock()
				options.Path = writeFiles(t, readFiles(t, options.Path))
				l.committer.saving.Unlock()
				mustClose(t, l)
			}
			// Renamed categories, other bounds, an app more.
			options.Settings.CategoryNames = map[int64]string{1: fmt.Sprint("name ", run)}
			options.Settings.SDKAppIDs = append(options.Settings.SDKAppIDs, fmt.Sprint(1400000002+run))
			options.Settings.Bounds = totals.Bounds{{float64(run), 100}, {5}, {0, 500}, {}, {float64(10 * run)}}
			options, observer = withObserver(options)
			l = mustOpen(t, options)
			twin.Configure(options.Settings)
			if got, want := text(t, l.View()), text(t, twin.View()); got != want {
				t.Fatalf("after run %d:\n%s\nwant\n%s", run, got, want)
			}
		}
		if want := twinObserver.all().overflows; overflows != want || want == 0 {
			t.Errorf("%d overflows were told, want %d", overflows, want)
		}
		mustClose(t, l)
	})
}

func withObserver(options Options) (Options, *observations) {
	observer := &observations{}
	options.Observer = observer
	return options, observer
}

// openOnSlowDisk returns a ledger whose commits take 20 ms each, a write and a flush.
func openOnSlowDisk(t *testing.T) (*Ledger, *observations) {
	t.Helper()
	dir := t.TempDir()
	disk := newSimDisk(t, dir, 1)
	options, observer := testOptions(dir, disk)
	options.segmentSize = 1 << 20
	l := mustOpen(t, options)
	disk.mu.Lock()
	defer disk.mu.Unlock()
	disk.faults = func(int) fault { return fault{wait: 10 * time.Millisecond} }
	return l, observer
}

// TestGroupCommit lets rooms arrive while the disk is busy: they share one flush.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, observer := openOnSlowDisk(t)
		before := observer.all()
		start := time.Now()
		var group sync.WaitGroup
		for n := range 50 {
			group.Go(func() {
				time.Sleep(time.Duration(n) * time.Microsecond)
				l.Record(numbered(n))
			})
		}
		group.Wait()
		// The first room's write and flush, then those of all others.
		if took := time.Since(start); took != 40*time.Millisecond {
			t.Errorf("50 rooms took %s, want two commits of 20ms", took)
		}
		if after := observer.all(); after.commits != before.commits+2 || after.records != before.records+50 {
			t.Errorf("%d commits of %d records", after.commits-before.commits, after.records-before.records)
		}
		start = time.Now()
		recordAll(t, l, 50, 51)
		if took := time.Since(start); took != 20*time.Millisecond {
			t.Errorf("a lone room took %s, want 20ms", took)
		}
		mustClose(t, l)
	})
}

// TestBatchAwaitsOthers lets rooms arrive while the disk is busy, and others soon after:
// a batch is as large as the one before, unless that takes too long.
func TestBatchAwaitsOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, observer := openOnSlowDisk(t)
		before := observer.all()
		start := time.Now()
		var group sync.WaitGroup
		for n, times := range []struct{ arrives, counted time.Duration }{
			{0, 20 * time.Millisecond}, // alone
			{5 * time.Millisecond, 40 * time.Millisecond},
			{6 * time.Millisecond, 40 * time.Millisecond},
			{7 * time.Millisecond, 40 * time.Millisecond},
			{30 * time.Millisecond, 61 * time.Millisecond}, // with the next two
			{40500 * time.Microsecond, 61 * time.Millisecond},
			{41 * time.Millisecond, 61 * time.Millisecond},
			{50 * time.Millisecond, 83 * time.Millisecond}, // for whom no two others come
		} {
			group.Go(func() {
				time.Sleep(times.arrives)
				l.Record(numbered(n))
				if took := time.Since(start); took != times.counted {
					t.Errorf("room %d was counted at %s, want %s", n, took, times.counted)
				}
			})
		}
		group.Wait()
		if after := observer.all(); after.commits != before.commits+4 || after.records != before.records+8 {
			t.Errorf("%d commits of %d records", after.commits-before.commits, after.records-before.records)
		}
		for range 8 { // duplicates, which nothing is flushed for
			group.Go(func() { l.Record(numbered(1)) })
		}
		group.Wait()
		start = time.Now()
		recordAll(t, l, 100, 101)
		if took := time.Since(start); took != 20*time.Millisecond {
			t.Errorf("after duplicates a lone room took %s, want 20ms", took)
		}
		mustClose(t, l)
	})
}

// TestRestartsAreBounded crashes again and again after very little: what is kept
// stays within the bound all the same.
func TestRestartsAreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	options, _ := damageOptions(dir)
	options.segmentSize, options.snapshotAfter = 1<<10, 4<<10
	for n := range 100 {
		l := mustOpen(t, options)
		recordAll(t, l, n, n+1)
		l.committer.saving.Lock()
		dir = writeFiles(t, readFiles(t, options.Path))
		l.committer.saving.Unlock()
		mustClose(t, l)
		if err := os.RemoveAll(options.Path); err != nil {
			t.Fatal(err)
		}
		options.Path = dir
		segments, _ := filepath.Glob(filepath.Join(dir, "journal-*"))
		if len(segments) > 12 {
			t.Fatalf("%d segments are kept after %d crashes", len(segments), n+1)
		}
	}
}

func TestMakesItsDirectory(t *testing.T) {
	t.Parallel()
	options, _ := testOptions(filepath.Join(t.TempDir(), "a", "b"), nil)
	l := mustOpen(t, options)
	recordAll(t, l, 0, 1)
	mustClose(t, l)
	options.Path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(options.Path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(options); err == nil || !strings.Contains(err.Error(), options.Path) {
		t.Errorf("Open of a file: %v", err)
	}
}
