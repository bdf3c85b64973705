package ledger

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errDisk = errors.New("input/output error")

// faultKinds are what can become of a disk at its n-th operation. Until it is
// healed, in most of them.
var faultKinds = map[string]func(n int) func(op int) fault{
	"one error": func(n int) func(int) fault {
		return func(op int) fault {
			if op == n {
				return fault{err: errDisk}
			}
			return fault{}
		}
	},
	"one half done": func(n int) func(int) fault {
		return func(op int) fault {
			if op == n {
				return fault{err: errDisk, partial: true}
			}
			return fault{}
		}
	},
	"full": func(n int) func(int) fault {
		return func(op int) fault {
			if op >= n {
				return fault{err: errFull, partial: op%2 == 0}
			}
			return fault{}
		}
	},
	"on and off": func(n int) func(int) fault {
		return func(op int) fault {
			if op >= n && op%3 != n%3 {
				return fault{err: errDisk, partial: op%2 == 0}
			}
			return fault{}
		}
	},
	"hangs, then works": func(n int) func(int) fault {
		return func(op int) fault {
			if op == n {
				return fault{wait: time.Minute}
			}
			return fault{}
		}
	},
	"hangs, then fails": func(n int) func(int) fault {
		return func(op int) fault {
			if op == n {
				return fault{wait: time.Minute, err: errDisk, partial: op%2 == 0}
			}
			return fault{}
		}
	},
	"is slow": func(n int) func(int) fault {
		return func(op int) fault {
			if op >= n {
				return fault{wait: 790 * time.Millisecond}
			}
			return fault{}
		}
	},
}

// TestDiskFails fails the disk at each operation of a run.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	for name, kind := range faultKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, more := 1, true; more; n++ {
				synctest.Test(t, func(t *testing.T) { more = failAt(t, n, kind(n)) })
			}
		})
	}
}

// failAt runs a script on a disk with faults, of which the first comes at the n-th
// operation. It reports whether there was one.
func failAt(t *testing.T, n int, faults func(op int) fault) bool {
	fatalf := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("at operation %d: %s", n, fmt.Sprintf(format, args...))
	}
	dir := t.TempDir()
	disk := newSimDisk(t, dir, uint64(n))
	disk.faults = faults
	options, observer := testOptions(dir, disk)
	options.segmentSize, options.snapshotAfter = 512, 900
	opened := time.Now()
	l := mustOpen(t, options)
	if took := time.Since(opened); took >= 2*time.Second {
		fatalf("Open took %s", took)
	}

	rooms := uint64(0)
	record := func(rooms ...int) {
		t.Helper()
		start := time.Now()
		var group sync.WaitGroup
		for _, room := range rooms {
			group.Go(func() { l.Record(numbered(room)) })
		}
		group.Wait()
		if took := time.Since(start); took >= 2*time.Second {
			fatalf("Record of %v took %s", rooms, took)
		}
	}
	check := func(when string) {
		t.Helper()
		if got := counted(l.View()); got != rooms {
			fatalf("%s: %d rooms are counted, want %d", when, got, rooms)
		}
	}
	for step := range 12 {
		next := int(rooms)
		switch step % 4 {
		case 0, 1:
			record(next)
			rooms++
		case 2:
			record(next, next+1, next, 0) // the first and last are duplicates
			rooms += 2
		case 3:
			settings := testSettings()
			settings.CategoryNames[int64(step)] = fmt.Sprint("name ", step)
			l.Configure(settings)
		}
		check("while it fails")
		time.Sleep(300 * time.Millisecond)
	}

	disk.mu.Lock()
	disk.faults = nil
	failed := disk.ops >= n
	disk.mu.Unlock()
	time.Sleep(2 * time.Minute)
	record(int(rooms))
	rooms++
	check("after it was healed")
	if l.Status().Behind {
		fatalf("the ledger is still behind after the disk was healed")
	}
	if name := observer.all(); !failed && name.failures > 0 {
		fatalf("%d failures were told and there was none", name.failures)
	}
	before := l.View()

	image := disk.crash()
	_ = l.Close()
	options.Path = writeFiles(t, image)
	options.disk = newSimDisk(t, options.Path, uint64(n))
	options.Settings.CategoryNames[11] = "name 11"
	l = mustOpen(t, options)
	if got, want := sortedText(t, l.View()), sortedText(t, before); got != want {
		fatalf("before the crash:\n%s\nand after:\n%s", want, got)
	}
	for room := range int(rooms) {
		if !l.Record(numbered(room)) {
			fatalf("room %d was counted and then forgotten", room)
		}
	}
	check("after the crash")
	mustClose(t, l)
	return failed
}

// TestDiskHangs checks what cannot end while a disk hangs, and what must.
func TestDiskHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		disk := newSimDisk(t, dir, 1)
		options, observer := testOptions(dir, disk)
		l := mustOpen(t, options)
		disk.mu.Lock()
		disk.faults = func(int) fault { return fault{wait: time.Hour} }
		disk.mu.Unlock()
		recordAll(t, l, 0, 1) // meets the hang
		start := time.Now()
		const rooms = maxUnsaved + 10
		for n := 1; n < rooms; n++ {
			if l.Record(numbered(n)) {
				t.Fatalf("room %d is a duplicate", n)
			}
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("rooms waited %s for a disk known to hang", took)
		}
		if kept := len(l.unsaved); kept > maxUnsaved {
			t.Errorf("%d records are kept in memory", kept)
		}
		if observer.all().failures == 0 || !l.Status().Behind {
			t.Error("the hang was not told")
		}
		start = time.Now()
		if err := l.Close(); err == nil {
			t.Error("Close says nothing of the disk")
		}
		if took := time.Since(start); took != closeWithin {
			t.Errorf("Close took %s", took)
		}
		disk.mu.Lock()
		disk.faults = nil
		disk.mu.Unlock()
		time.Sleep(2 * time.Hour) // it ends in the background
		l = mustOpen(t, options)
		if got := counted(l.View()); got != rooms {
			t.Errorf("%d rooms are counted after the restart, want %d", got, rooms)
		}
		mustClose(t, l)
	})
}
