package main_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	metricBehind   = "tuilivekit_exporter_journal_behind"
	metricFailures = "tuilivekit_exporter_journal_failures_total"
	metricDamaged  = "tuilivekit_exporter_journal_damaged_files_total"
	metricLost     = "tuilivekit_exporter_journal_lost_records_total"
	metricTorn     = "tuilivekit_exporter_journal_torn_commits_total"
)

// folder is a storage folder of a test.
type folder struct {
	t   *testing.T
	dir string
}

// newFolder returns the folder of an exporter that ran three times with three rooms
// each, first-0 to third-2, one commit after the other. It ended twice and crashed last.
func newFolder(t *testing.T) *folder {
	t.Helper()
	f := &folder{t, filepath.Join(t.TempDir(), "data")}
	for _, run := range []string{"first", "second", "third"} {
		e := f.start()
		for _, room := range []string{"-0", "-1", "-2"} {
			e.post(destroyedBody(run + room))
		}
		if run == "third" {
			e.kill()
		} else {
			e.stop()
		}
	}
	return f
}

func (f *folder) args() []string {
	return []string{"--webhook.sdk-app-id=" + appID, "--storage.path=" + f.dir}
}

func (f *folder) start() *exporter {
	f.t.Helper()
	return startExporter(f.t, f.args()...)
}

// copy returns a copy for a test of its own.
func (f *folder) copy(t *testing.T) *folder {
	t.Helper()
	c := &folder{t, filepath.Join(t.TempDir(), "data")}
	if err := os.CopyFS(c.dir, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	return c
}

// files returns the files whose name begins so, oldest first.
func (f *folder) files(prefix string) []string {
	f.t.Helper()
	paths, err := filepath.Glob(filepath.Join(f.dir, prefix+"*"))
	if err != nil || len(paths) == 0 {
		f.t.Fatalf("found no %s: %v", prefix, err)
	}
	slices.Sort(paths)
	return paths
}

func (f *folder) newest(prefix string) string {
	f.t.Helper()
	paths := f.files(prefix)
	return paths[len(paths)-1]
}

// contents are those of all files by their name.
func (f *folder) contents() map[string]string {
	f.t.Helper()
	contents := map[string]string{}
	for _, path := range f.files("") {
		contents[filepath.Base(path)] = string(f.read(path))
	}
	return contents
}

func (f *folder) read(path string) []byte {
	f.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		f.t.Fatal(err)
	}
	return data
}

func (f *folder) write(path string, data []byte) {
	f.t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// flipRoom flips a byte of a room in the newest file that has it.
func (f *folder) flipRoom(roomID string) {
	f.t.Helper()
	paths := f.files("journal-")
	slices.Reverse(paths)
	for _, path := range paths {
		if at := bytes.Index(f.read(path), []byte(roomID)); at >= 0 {
			f.flip(path, at)
			return
		}
	}
	f.t.Fatalf("%s is in no file", roomID)
}

func (f *folder) flip(path string, at int) {
	f.t.Helper()
	data := f.read(path)
	data[at] ^= 0x40
	f.write(path, data)
}

func (f *folder) flipMiddle(path string) {
	f.t.Helper()
	f.flip(path, len(f.read(path))/2)
}

// makeNewer makes a file one of the next version of the format: the magic stays, the
// version is one more, and the checksum over both is right.
func (f *folder) makeNewer(path string) {
	f.t.Helper()
	data := f.read(path)
	binary.LittleEndian.PutUint32(data[8:], binary.LittleEndian.Uint32(data[8:])+1)
	binary.LittleEndian.PutUint32(data[12:], crc32.Checksum(data[:12], crc32.MakeTable(crc32.Castagnoli)))
	f.write(path, data)
}

func (f *folder) remove(paths ...string) {
	f.t.Helper()
	for _, path := range paths {
		if err := os.Remove(path); err != nil {
			f.t.Fatal(err)
		}
	}
}

// TestDamagedStorage damages a folder and expects that all that can be known is
// recovered, that metrics say what can not, and that the evidence is kept.
func TestDamagedStorage(t *testing.T) {
	t.Parallel()
	whole := newFolder(t)
	for name, test := range map[string]struct {
		damage            func(f *folder)
		rooms             float64
		lost, files, torn float64
		again             string // a room that was lost: it can be counted again
		aside             string // what its name has that keeps the evidence
	}{
		"none":             {damage: func(*folder) {}, rooms: 9},
		"a commit":         {damage: func(f *folder) { f.flipRoom("third-1") }, rooms: 8, lost: 1, files: 1, again: "third-1", aside: ".damaged"},
		"two commits":      {damage: func(f *folder) { f.flipRoom("third-0"); f.flipRoom("third-1") }, rooms: 7, lost: 2, files: 1, again: "third-0", aside: ".damaged"},
		"the last commit":  {damage: func(f *folder) { f.flipRoom("third-2") }, rooms: 8, torn: 1, again: "third-2", aside: ".torn-"},
		"newest snapshot":  {damage: func(f *folder) { f.flipMiddle(f.newest("snapshot-")) }, rooms: 9, files: 1, aside: ".damaged"},
		"oldest snapshot":  {damage: func(f *folder) { f.flipMiddle(f.files("snapshot-")[0]) }, rooms: 9, files: 1, aside: ".damaged"},
		"empty snapshot":   {damage: func(f *folder) { f.write(f.newest("snapshot-"), nil) }, rooms: 9, files: 1, aside: ".damaged"},
		"missing snapshot": {damage: func(f *folder) { f.remove(f.newest("snapshot-")) }, rooms: 9},
		"snapshot and commit": {damage: func(f *folder) {
			f.flipMiddle(f.newest("snapshot-"))
			f.flipRoom("third-1")
		}, rooms: 8, lost: 1, files: 2, again: "third-1", aside: ".damaged"},
		"snapshot and the commits it has": {damage: func(f *folder) {
			f.flipMiddle(f.newest("snapshot-"))
			f.flipRoom("second-1")
		}, rooms: 8, lost: 1, files: 2, again: "second-1", aside: ".damaged"},
		"a commit that a snapshot has": {damage: func(f *folder) { f.flipRoom("second-1") }, rooms: 9, files: 1, aside: ".damaged"},
		"newest segment cut": {damage: func(f *folder) {
			path := f.newest("journal-")
			f.write(path, f.read(path)[:4096])
		}, rooms: 9, files: 1, aside: ".damaged"},
		"newest segment missing": {damage: func(f *folder) { f.remove(f.newest("journal-")) }, rooms: 6, files: 1, again: "third-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := whole.copy(t)
			test.damage(f)
			damaged := f.contents()
			e := f.start()
			e.expect("start", samples{metricDamaged: test.files, metricLost: test.lost, metricTorn: test.torn})
			if rooms := e.scrape().sum(metricRooms); rooms != test.rooms {
				t.Errorf("%v rooms, want %v", rooms, test.rooms)
			}
			eventually(t, "storage to be sound again", func() bool { return e.scrape()[metricBehind] == 0 })
			f.keeps(damaged, test.aside)
			want := test.rooms
			if test.again != "" {
				e.post(destroyedBody(test.again))
				want++
			}
			e.kill()

			e = f.start()
			e.expect("second start", samples{metricDamaged: 0, metricLost: 0, metricTorn: 0})
			if rooms := e.scrape().sum(metricRooms); rooms != want {
				t.Errorf("second start: %v rooms, want %v", rooms, want)
			}
			f.keeps(damaged, test.aside)
		})
	}
}

// keeps expects that a file which is named as evidence is, has what a damaged file had.
func (f *folder) keeps(damaged map[string]string, aside string) {
	f.t.Helper()
	if aside == "" {
		return
	}
	for name, content := range f.contents() {
		if original, _, found := strings.Cut(name, aside); found && strings.Contains(damaged[original], content) {
			return
		}
	}
	f.t.Errorf("no file *%s* keeps what was damaged", aside)
}

// TestUnreadableStorage expects that the exporter does not start when it can not
// know what was counted, says which file is to blame, and changes nothing.
func TestUnreadableStorage(t *testing.T) {
	t.Parallel()
	whole := newFolder(t)
	for name, test := range map[string]struct {
		damage func(f *folder) (names string) // what the error must name
		want   string
	}{
		"all snapshots damaged": {func(f *folder) string {
			for _, path := range f.files("snapshot-") {
				f.flipMiddle(path)
			}
			return ""
		}, "no sound snapshot"},
		"all snapshots missing": {func(f *folder) string {
			f.remove(f.files("snapshot-")...)
			return ""
		}, "no sound snapshot"},
		"all snapshots damaged, no journal": {func(f *folder) string {
			f.remove(f.files("journal-")...)
			for _, path := range f.files("snapshot-") {
				f.flipMiddle(path)
			}
			return f.dir
		}, "can be read"},
		"everything damaged": {func(f *folder) string {
			for _, path := range f.files("") {
				f.write(path, make([]byte, 4096))
			}
			return f.dir
		}, "can be read"},
		"newer segment": {func(f *folder) string {
			f.makeNewer(f.newest("journal-"))
			return f.newest("journal-")
		}, "newer version"},
		"newer snapshot": {func(f *folder) string {
			f.makeNewer(f.newest("snapshot-"))
			return f.newest("snapshot-")
		}, "newer version"},
		"older snapshot newer": {func(f *folder) string {
			f.makeNewer(f.files("snapshot-")[0])
			return f.files("snapshot-")[0]
		}, "newer version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := whole.copy(t)
			names := test.damage(f)
			before := f.contents()
			code, _, stderr := run(t, "", "tuilivekit_exporter", withDefaults(f.args())...)
			if code != 1 || !strings.Contains(stderr, names) || !strings.Contains(stderr, test.want) || strings.Contains(stderr, "Listening") {
				t.Errorf("exit code %d, want 1 and an error with %q and %q\n%s", code, names, test.want, stderr)
			}
			compare(t, "content", f.contents(), before)
		})
	}
}
