package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const testID = 7

// write appends batches of records, numbered from first on, with a Writer of its own.
func write(t *testing.T, dir string, first uint64, batches ...int) (next uint64) {
	t.Helper()
	w := NewWriter(OSDisk{}, dir, testID, 512)
	for _, size := range batches {
		var records [][]byte
		for n := range size {
			records = append(records, record(first+uint64(n)))
		}
		if _, err := w.Append(first, records); err != nil {
			t.Fatal(err)
		}
		first += uint64(size)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return first
}

func record(sequence uint64) []byte { return fmt.Appendf(nil, "record %d", sequence) }

// read reads the journal and checks what it hands on.
func read(t *testing.T, dir string, from uint64) (Report, []uint64) {
	t.Helper()
	var sequences []uint64
	report, _, err := Read(dir, testID, from, func(sequence uint64, b []byte) error {
		if !bytes.Equal(b, record(sequence)) {
			t.Errorf("record %d is %q", sequence, b)
		}
		sequences = append(sequences, sequence)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return report, sequences
}

func numbers(from, to uint64) (numbers []uint64) {
	for ; from < to; from++ {
		numbers = append(numbers, from)
	}
	return numbers
}

func TestReadWhatWasWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	next := write(t, dir, 1, 1, 3, 100, 1, 7, 20, 20, 20)
	next = write(t, dir, next, 2)
	for _, from := range []uint64{1, 2, 50, next - 1, next, next + 5} {
		report, got := read(t, dir, from)
		if want := numbers(from, next); !slices.Equal(got, want) {
			t.Errorf("from %d: read %v, want %v", from, got, want)
		}
		if report.Lost != 0 || report.Damages != nil || report.Tail != nil || report.EndMissing {
			t.Errorf("from %d: %+v", from, report)
		}
	}
	segments, err := Segments(dir)
	if err != nil || len(segments) < 4 {
		t.Fatalf("%v, %v: want several segments", segments, err)
	}
	for i, path := range segments {
		if isClosed(path) != (i < len(segments)-1) {
			t.Errorf("%s is %d. of %d segments", path, i+1, len(segments))
		}
	}
}

func TestMissingSegments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		missing    int
		from, lost uint64
		endMissing bool
	}{
		{0, 1, 30, false},
		{1, 1, 30, false},
		{2, 1, 0, true},
		{0, 31, 0, false}, // a snapshot has it
	} {
		dir := t.TempDir()
		write(t, dir, 1, 30, 30, 30)
		segments, _ := Segments(dir)
		if err := os.Remove(segments[test.missing]); err != nil {
			t.Fatal(err)
		}
		report, _ := read(t, dir, test.from)
		if report.Lost != test.lost || report.EndMissing != test.endMissing {
			t.Errorf("without segment %d, from %d: %+v", test.missing, test.from, report)
		}
	}
}

func TestTornTail(t *testing.T) {
	t.Parallel()
	for _, committed := range []int{0, 3} {
		dir := t.TempDir()
		if committed > 0 {
			write(t, dir, 1, committed, 1)
		} else {
			write(t, dir, 1, 1)
		}
		segments, _ := Segments(dir)
		contents, err := os.ReadFile(segments[0])
		if err != nil {
			t.Fatal(err)
		}
		used := len(bytes.TrimRight(contents, "\x00"))
		clear(contents[used-3 : used])
		if err := os.WriteFile(segments[0], contents, 0o640); err != nil {
			t.Fatal(err)
		}
		report, got := read(t, dir, 1)
		if len(got) != committed || report.Tail == nil || len(report.Tail.Bytes) == 0 || report.Damages != nil {
			t.Fatalf("read %v, %+v", got, report)
		}
		aside, err := CutTail(OSDisk{}, dir, report.Tail)
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := os.ReadFile(aside); err != nil || !bytes.Equal(kept, report.Tail.Bytes) {
			t.Errorf("%s holds %q, %v", aside, kept, err)
		}
		// It goes on where the tail was, and no tail it is any more.
		next := write(t, dir, uint64(committed)+1, 2)
		report, got = read(t, dir, 1)
		if !slices.Equal(got, numbers(1, next)) || report.Tail != nil || report.Damages != nil || report.Lost != 0 {
			t.Errorf("after the cut: read %v, %+v", got, report)
		}
	}
}

func TestTailInTheMiddleIsDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, 1, 5, 5)
	segments, _ := Segments(dir)
	contents, _ := os.ReadFile(segments[0])
	contents[len(bytes.TrimRight(contents, "\x00"))-1] ^= 1
	if err := os.WriteFile(segments[0], contents, 0o640); err != nil {
		t.Fatal(err)
	}
	write(t, dir, 11, 5)
	report, got := read(t, dir, 1)
	if len(got) != 10 || report.Lost != 5 || len(report.Damages) != 1 || report.Tail != nil {
		t.Errorf("read %v, %+v", got, report)
	}
}

func TestAppendBeginsAnewAfterAnUnusedSegment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := NewWriter(OSDisk{}, dir, testID, 512)
	if err := w.Begin(1); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	next := write(t, dir, 1, 1)
	if _, got := read(t, dir, 1); !slices.Equal(got, numbers(1, next)) {
		t.Errorf("read %v", got)
	}
	// This one holds a record: it is not overwritten.
	if err := NewWriter(OSDisk{}, dir, testID, 512).Begin(1); err == nil {
		t.Error("a segment was overwritten")
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	for last, want := range map[uint64]int{0: 3, 29: 3, 30: 2, 59: 2, 60: 1, 90: 1, 1000: 1} {
		dir := t.TempDir()
		write(t, dir, 1, 30, 30, 30)
		if err := Remove(OSDisk{}, dir, last); err != nil {
			t.Fatal(err)
		}
		if segments, _ := Segments(dir); len(segments) != want {
			t.Errorf("up to %d removed: %v are left, want %d", last, segments, want)
		}
	}
}

func TestOtherStores(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	write(t, dir, 1, 20, 20)
	w := NewWriter(OSDisk{}, other, testID+1, 512)
	if _, err := w.Append(41, [][]byte{record(41)}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	foreign, _ := Segments(other)
	if err := os.Rename(foreign[0], filepath.Join(dir, filepath.Base(foreign[0]))); err != nil {
		t.Fatal(err)
	}
	report, got := read(t, dir, 1)
	if len(got) != 40 || len(report.Damages) != 1 {
		t.Errorf("read %v, %+v", got, report)
	}
	nothing := func(uint64, []byte) error { return nil }
	for _, id := range []uint64{0, testID + 2} {
		if _, _, err := Read(dir, id, 1, nothing); err == nil {
			t.Errorf("as store %d: read segments of two stores", id)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	nothing := func(uint64, []byte) error { return nil }
	if _, _, err := Read(filepath.Join(t.TempDir(), "none"), 0, 1, nothing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, segmentName(1)), 0o750); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(dir, 0, 1, nothing); err == nil {
		t.Error("a directory was read as a segment")
	}
	dir = t.TempDir()
	write(t, dir, 1, 1)
	if _, _, err := Read(dir, 0, 1, func(uint64, []byte) error { return os.ErrInvalid }); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("an error of the callback: %v", err)
	}
}
