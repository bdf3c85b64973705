package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger/journal"
)

// smallStore returns the files of a store that a crash ended after rooms rooms, each of
// them acknowledged, and the store's options.
func smallStore(t *testing.T, rooms int, snapshotAfter int64) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	options, _ := damageOptions(dir)
	options.snapshotAfter = snapshotAfter
	l := mustOpen(t, options)
	for n := range rooms {
		recordAll(t, l, n, n+1)
		awaitSnapshot(l)
	}
	files := readFiles(t, dir)
	mustClose(t, l)
	return files
}

// awaitSnapshot returns when no snapshot is half done.
func awaitSnapshot(l *Ledger) {
	l.committer.saving.Lock()
	defer l.committer.saving.Unlock()
}

func damageOptions(dir string) (Options, *observations) {
	disk := newUnsyncedDisk()
	options, observer := testOptions(dir, disk)
	options.segmentSize = 512
	options.Settings.SDKAppIDs = nil // a snapshot that can be tried bit by bit
	return options, observer
}

// unsyncedDisk is the real disk, but waits for nothing.
type unsyncedDisk struct{ journal.OSDisk }

func newUnsyncedDisk() journal.Disk { return unsyncedDisk{} }

type unsyncedFile struct{ journal.File }

func (unsyncedFile) Sync() error { return nil }

func (unsyncedDisk) SyncDir(string) error { return nil }

func (d unsyncedDisk) Create(path string) (journal.File, error) {
	file, err := d.OSDisk.Create(path)
	return unsyncedFile{file}, err
}

// checkDamaged opens a store after damage and checks that nothing is lost without a
// word. damaged are contents that must still be somewhere in the directory.
func checkDamaged(t *testing.T, files map[string][]byte, rooms uint64, what string, damaged ...[]byte) {
	t.Helper()
	dir := writeFiles(t, files)
	options, observer := damageOptions(dir)
	l, err := Open(options)
	if err != nil {
		if !strings.Contains(err.Error(), dir) && !errors.Is(err, journal.ErrNewerVersion) {
			t.Fatalf("%s: Open says %q and not where", what, err)
		}
		if after := readFiles(t, dir); !maps.EqualFunc(after, files, bytes.Equal) {
			t.Fatalf("%s: Open refused and changed files from %v to %v", what, names(files), names(after))
		}
		return
	}
	recovered := counted(l.View())
	said := observer.all().recovery
	told := said.LostRecords > 0 || said.DamagedFiles > 0 || said.TornBytes > 0
	if recovered > rooms || recovered < rooms && !told {
		t.Fatalf("%s: %d of %d rooms are there, and Recovered says %+v", what, recovered, rooms, said)
	}
	recordAll(t, l, 10_000, 10_003)
	mustClose(t, l)
	after := readFiles(t, dir)
	for _, evidence := range damaged {
		if told && !holds(after, evidence) {
			t.Fatalf("%s: the damaged bytes are gone; files: %v, recovery: %+v", what, names(after), said)
		}
	}
	options, observer = damageOptions(dir)
	l = mustOpen(t, options)
	if again := observer.all().recovery; again.LostRecords > 0 || again.DamagedFiles > 0 || again.TornBytes > 0 {
		t.Fatalf("%s: the second start says %+v; files: %v", what, again, names(after))
	}
	if got := counted(l.View()); got != recovered+3 {
		t.Fatalf("%s: %d rooms after the second start, want %d", what, got, recovered+3)
	}
	mustClose(t, l)
}

// glance does only the first half of checkDamaged: in dir, whose file name it changes.
func glance(t *testing.T, dir, name string, contents []byte, rooms uint64, what string) {
	t.Helper()
	rewrite(t, filepath.Join(dir, name), contents)
	store, state, said, err := openStore(dir, newUnsyncedDisk(), 512, slog.New(slog.DiscardHandler))
	if err != nil {
		return
	}
	if err := store.close(); err != nil {
		t.Fatal(err)
	}
	told := said.LostRecords > 0 || said.DamagedFiles > 0 || said.TornBytes > 0
	if recovered := counted(state.totals.View()); recovered > rooms || recovered < rooms && !told {
		t.Fatalf("%s: %d of %d rooms are there, and the recovery says %+v", what, recovered, rooms, said)
	}
	torn, _ := filepath.Glob(filepath.Join(dir, "*.torn-*"))
	for _, path := range torn {
		_ = os.Remove(path)
	}
}

// rewrite replaces a file's contents without emptying it before, which some file
// systems take for a reason to flush it.
func rewrite(t *testing.T, path string, contents []byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o640)
	if err == nil {
		_, err = file.WriteAt(contents, 0)
		err = errors.Join(err, file.Truncate(int64(len(contents))), file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// holds reports whether the contents, or as much as a torn tail has of them, are
// in one of the files.
func holds(files map[string][]byte, contents []byte) bool {
	for name, kept := range files {
		if bytes.Equal(kept, contents) || strings.Contains(name, ".torn-") && bytes.Contains(contents, kept) {
			return true
		}
	}
	return false
}

func names(files map[string][]byte) []string { return slices.Sorted(maps.Keys(files)) }

// nameOf returns the name of the n-th file whose name begins so; from the last
// on if n is negative.
func nameOf(t *testing.T, files map[string][]byte, prefix string, n int) string {
	t.Helper()
	var found []string
	for _, name := range names(files) {
		if strings.HasPrefix(name, prefix) {
			found = append(found, name)
		}
	}
	if n < 0 {
		n += len(found)
	}
	if n < 0 || n >= len(found) {
		t.Fatalf("no %s… number %d among %v", prefix, n, names(files))
	}
	return found[n]
}

func with(files map[string][]byte, name string, contents []byte) map[string][]byte {
	files = maps.Clone(files)
	files[name] = contents
	return files
}

func TestDamagedJournal(t *testing.T) {
	t.Parallel()
	const rooms = 12
	files := smallStore(t, rooms, 1<<20)
	for n := range 3 { // the last is the newest
		name := nameOf(t, files, "journal-", n)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			contents := files[name]
			used := len(bytes.TrimRight(contents, "\x00"))
			dir := writeFiles(t, files)
			for size := range contents {
				cut, what := contents[:size], fmt.Sprintf("cut at %d", size)
				glance(t, dir, name, cut, rooms, what)
				if size <= used && size%16 == 0 {
					checkDamaged(t, with(files, name, cut), rooms, what, cut)
				}
			}
			for bit := range len(contents) * 8 {
				if bit/8 > used && bit%8 != bit/8%8 {
					continue // a bit in each byte that was never written
				}
				flipped, what := flip(contents, bit)
				glance(t, dir, name, flipped, rooms, what)
				if bit/8 <= used && bit%(8*16+1) == 0 {
					checkDamaged(t, with(files, name, flipped), rooms, what, flipped)
				}
			}
		})
	}
}

func TestDamagedSnapshot(t *testing.T) {
	t.Parallel()
	const rooms = 12
	files := smallStore(t, rooms, 300)
	for _, n := range []int{-1, -2} {
		name := nameOf(t, files, "snapshot-", n)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			contents := files[name]
			path := filepath.Join(t.TempDir(), name)
			try := func(damaged []byte, what string, full bool) {
				rewrite(t, path, damaged)
				if _, _, err := readSnapshot(path); err == nil {
					t.Fatalf("%s: not noticed", what)
				}
				if full {
					checkDamaged(t, with(files, name, damaged), rooms, what, damaged)
				}
			}
			for size := range contents {
				try(contents[:size], fmt.Sprintf("cut at %d", size), size%128 == 0)
			}
			for bit := range len(contents) * 8 {
				flipped, what := flip(contents, bit)
				try(flipped, what, bit%(8*128+1) == 0)
			}
		})
	}
}

func flip(contents []byte, bit int) (flipped []byte, what string) {
	flipped = slices.Clone(contents)
	flipped[bit/8] ^= 1 << (bit % 8)
	return flipped, fmt.Sprintf("bit %d of byte %d flipped", bit%8, bit/8)
}

func TestMissingAndForeignFiles(t *testing.T) {
	t.Parallel()
	const rooms = 40
	own, foreign := smallStore(t, rooms, 1500), smallStore(t, 60, 1500)
	newer := func(contents []byte) []byte {
		contents = slices.Clone(contents)
		header := journal.AppendFileHeader(nil, 0)
		copy(header, contents[:8])
		header[8] = journal.Version + 1
		checksum := journal.Checksum(header[:12])
		header[12], header[13], header[14], header[15] = byte(checksum), byte(checksum>>8), byte(checksum>>16), byte(checksum>>24)
		copy(contents, header)
		return contents
	}
	random := bytes.Repeat([]byte("no file of ours\n"), 40)
	for _, prefix := range []string{"journal-", "snapshot-"} {
		last := -1
		for _, n := range []int{0, 1, last} {
			name := nameOf(t, own, prefix, n)
			for what, contents := range map[string][]byte{
				"missing":       nil,
				"empty":         {},
				"random":        random,
				"zeros":         make([]byte, 512),
				"foreign":       foreign[nameOf(t, foreign, prefix, n)],
				"newer version": newer(own[name]),
			} {
				t.Run(fmt.Sprintf("%s%d %s", prefix, n, what), func(t *testing.T) {
					t.Parallel()
					if what == "missing" {
						files := maps.Clone(own)
						delete(files, name)
						checkDamaged(t, files, rooms, what)
						return
					}
					checkDamaged(t, with(own, name, contents), rooms, what, contents)
					if what == "newer version" {
						options, _ := damageOptions(writeFiles(t, with(own, name, contents)))
						if _, err := Open(options); !errors.Is(err, journal.ErrNewerVersion) {
							t.Errorf("Open: %v, want ErrNewerVersion", err)
						}
					}
				})
			}
		}
	}
	t.Run("all snapshots", func(t *testing.T) {
		t.Parallel()
		files := maps.Clone(own)
		maps.DeleteFunc(files, func(name string, _ []byte) bool { return strings.HasPrefix(name, "snapshot-") })
		options, _ := damageOptions(writeFiles(t, files))
		if _, err := Open(options); err == nil || !strings.Contains(err.Error(), "no sound snapshot") {
			t.Errorf("Open: %v", err)
		}
	})
	t.Run("all segments", func(t *testing.T) {
		t.Parallel()
		files := maps.Clone(own)
		maps.DeleteFunc(files, func(name string, _ []byte) bool { return strings.HasPrefix(name, "journal-") })
		checkDamaged(t, files, rooms, "without journal")
	})
}

// TestDamageIsTold checks the words and names that an operator sees.
func TestDamageIsTold(t *testing.T) {
	t.Parallel()
	files := smallStore(t, 40, 1500)
	segment, snapshot := nameOf(t, files, "journal-", -2), nameOf(t, files, "snapshot-", -1)
	files[segment] = slices.Clone(files[segment])
	files[segment][100] ^= 1
	files[snapshot] = slices.Clone(files[snapshot])
	files[snapshot][100] ^= 1
	dir := writeFiles(t, files)
	log := &logBuffer{}
	options, observer := damageOptions(dir)
	options.Logger = slog.New(slog.NewTextHandler(log, nil))
	l := mustOpen(t, options)
	mustClose(t, l)
	if r := observer.all().recovery; r.DamagedFiles != 2 {
		t.Errorf("Recovered(%+v), want 2 damaged files", r)
	}
	for _, name := range []string{segment + ".damaged", snapshot + ".damaged"} {
		if found, _ := filepath.Glob(filepath.Join(dir, name)); len(found) != 1 {
			t.Errorf("no file %s", name)
		}
		if !strings.Contains(log.String(), name) {
			t.Errorf("the log does not name %s:\n%s", name, log)
		}
	}
}
