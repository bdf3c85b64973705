package ledger

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger/journal"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

const million = 1_000_000

func benchOptions(dir string, disk journal.Disk) Options {
	return Options{
		Path: dir,
		Settings: Settings{
			SDKAppIDs:     []string{"1400000001"},
			CategoryNames: map[int64]string{1: "gaming", 2: "music"},
			CategoryLimit: 50,
			Bounds:        totals.DefaultBounds(),
			DedupeWindow:  24 * time.Hour,
		},
		Observer: &observations{},
		Logger:   slog.New(slog.DiscardHandler),
		disk:     disk,
	}
}

// liveRoom returns a room of the usual size, one of its own for each number.
func liveRoom(n int) *room.Destroyed {
	d := &room.Destroyed{
		SDKAppID:    "1400000001",
		RoomID:      "live_room_of_user_" + strconv.Itoa(n),
		EventTime:   time.UnixMilli(1_700_000_000_000 + int64(n)),
		DestroyType: room.DestroyedByUser,
		Categories:  []int64{int64(n % 8)},
		Statistics:  room.Statistics{Present: true},
	}
	for _, statistic := range room.AllStatistics() {
		d.Statistics.Set(statistic, uint64(n)*7919%100_000)
	}
	return d
}

// BenchmarkRecord counts rooms durably from several goroutines at a time.
func BenchmarkRecord(b *testing.B) {
	for _, concurrency := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprint("concurrency=", concurrency), func(b *testing.B) {
			l := mustOpen(b, benchOptions(b.TempDir(), journal.OSDisk{}))
			var next atomic.Int64
			measure(b, concurrency, func() { l.Record(liveRoom(int(next.Add(1)))) })
			mustClose(b, l)
		})
	}
}

// BenchmarkAppendAndSync is what to compare BenchmarkRecord with: each room is
// appended to a plain file that is flushed.
func BenchmarkAppendAndSync(b *testing.B) {
	for _, concurrency := range []int{1, 16} {
		b.Run(fmt.Sprint("concurrency=", concurrency), func(b *testing.B) {
			file, err := os.Create(filepath.Join(b.TempDir(), "file"))
			if err != nil {
				b.Fatal(err)
			}
			defer file.Close()
			var mu sync.Mutex
			record := appendEntry(nil, &entry{at: now(), room: liveRoom(1)})
			measure(b, concurrency, func() {
				mu.Lock()
				defer mu.Unlock()
				if _, err := file.Write(record); err != nil {
					b.Error(err)
				}
				if err := file.Sync(); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// measure calls fn b.N times and reports calls per second and how long they take.
func measure(b *testing.B, concurrency int, fn func()) {
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for range concurrency {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < b.N; i = int(next.Add(1)) - 1 {
				start := time.Now()
				fn()
				took[i] = time.Since(start)
			}
		})
	}
	group.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "p99-ms")
}

// BenchmarkMillion counts a million rooms within the window, and recovers them from
// the journal alone and from a snapshot.
func BenchmarkMillion(b *testing.B) {
	for range b.N {
		options := benchOptions(b.TempDir(), newUnsyncedDisk())
		options.snapshotAfter = 1 << 40
		before := heap()
		l := mustOpen(b, options)
		recordMillion(l)
		b.ReportMetric(float64(heap()-before)/(1<<20), "heap-MiB")
		b.ReportMetric(float64(l.Status().StorageBytes)/(1<<20), "journal-MiB")
		files, err := filepath.Glob(filepath.Join(options.Path, "*"))
		if err != nil {
			b.Fatal(err)
		}
		journalOnly := b.TempDir()
		for _, path := range files {
			if err := os.Link(path, filepath.Join(journalOnly, filepath.Base(path))); err != nil {
				b.Fatal(err)
			}
		}
		mustClose(b, l)
		for path, metric := range map[string]string{journalOnly: "replay-s", options.Path: "snapshot-s"} {
			options.Path = path
			start := time.Now()
			l := mustOpen(b, options)
			b.ReportMetric(time.Since(start).Seconds(), metric)
			if got := counted(l.View()); got != million {
				b.Fatalf("%d rooms are there", got)
			}
			mustClose(b, l)
			if metric == "snapshot-s" {
				b.ReportMetric(float64(l.store.size())/(1<<20), "disk-MiB")
			}
		}
	}
}

// BenchmarkMillionBounded keeps the journal at its bound while a million rooms are counted.
func BenchmarkMillionBounded(b *testing.B) {
	for range b.N {
		options := benchOptions(b.TempDir(), newUnsyncedDisk())
		l := mustOpen(b, options)
		peak := make(chan int64)
		done := make(chan struct{})
		go func() {
			var most int64
			for {
				most = max(most, l.store.size())
				select {
				case <-done:
					peak <- most
					return
				case <-time.After(time.Millisecond):
				}
			}
		}()
		recordMillion(l)
		close(done)
		b.ReportMetric(float64(<-peak)/(1<<20), "peak-disk-MiB")
		mustClose(b, l)
	}
}

func recordMillion(l *Ledger) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range 256 {
		group.Go(func() {
			for n := next.Add(1); n <= million; n = next.Add(1) {
				l.Record(liveRoom(int(n)))
			}
		})
	}
	group.Wait()
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
