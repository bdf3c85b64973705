package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// DefaultSegmentSize is a few ten thousand rooms.
const DefaultSegmentSize = 4 << 20

// Writer appends to a journal. It is used by one goroutine at a time.
type Writer struct {
	disk        Disk
	dir         string
	id          uint64
	segmentSize int64

	file   File // nil before the first Append and after a failure
	path   string
	offset int64
	size   int64 // of file
	buffer []byte
}

// NewWriter returns a Writer that begins a new segment with its first Append. id
// marks all segments of one store. A segment larger than segmentSize is made
// only for a commit that does not fit otherwise.
func NewWriter(disk Disk, dir string, id uint64, segmentSize int64) *Writer {
	return &Writer{disk: disk, dir: dir, id: id, segmentSize: segmentSize}
}

// Append makes records durable, of which the first has the sequence number
// first: when it returns nil they survive a power failure. After an error they
// may be there or not, and the next Append begins a new segment: what a disk
// holds that failed to flush is not known. size is what the commit took.
func (w *Writer) Append(first uint64, records [][]byte) (size int64, err error) {
	w.buffer = appendBlock(w.buffer[:0], first, records)
	if w.file != nil && w.offset+int64(len(w.buffer)) > w.size {
		if err := w.Close(); err != nil {
			return 0, err
		}
	}
	if w.file == nil {
		if err := w.begin(first); err != nil {
			return 0, err
		}
	}
	if err := w.write(); err != nil {
		w.abandon()
		return 0, fmt.Errorf("append to journal: %w", err)
	}
	if w.offset == headerSize {
		w.closeOlder()
	}
	w.offset += int64(len(w.buffer))
	return int64(len(w.buffer)), nil
}

func (w *Writer) write() error {
	if _, err := w.file.WriteAt(w.buffer, w.offset); err != nil {
		return err
	}
	return w.file.Sync()
}

// closeOlder names all segments but this one as those that another follows. It
// is called after the first commit: from then on this one is missed if it is
// missing. Should it fail, all that is lost is that.
func (w *Writer) closeOlder() {
	segments, _ := Segments(w.dir)
	for _, path := range segments {
		if path != w.path && !isClosed(path) && !exists(closedName(path)) {
			_ = w.disk.Rename(path, closedName(path))
		}
	}
}

// Begin begins a new segment, whose first record will have the sequence number
// first, so that it is known to be possible.
func (w *Writer) Begin(first uint64) error {
	w.buffer = w.buffer[:0]
	if err := w.Close(); err != nil {
		return err
	}
	return w.begin(first)
}

// begin makes a new segment. It gets its name only when it is whole, so that a
// segment that is too short was damaged and not just never finished.
func (w *Writer) begin(first uint64) (err error) {
	header := segmentHeader{id: w.id, size: max(w.segmentSize, headerSize+int64(len(w.buffer)))}
	path := filepath.Join(w.dir, segmentName(first))
	defer func() {
		if err != nil {
			err = fmt.Errorf("begin journal segment: %w", err)
		}
	}()
	for _, existing := range []string{path, closedName(path)} {
		if exists(existing) && !w.unused(existing) {
			return fmt.Errorf("%s exists already", existing)
		}
	}
	name := path + TemporarySuffix
	if err := w.disk.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	file, err := w.disk.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close(), w.disk.Remove(name))
		}
	}()
	contents := make([]byte, header.size)
	copy(contents, header.encode())
	if _, err := file.Write(contents); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := w.disk.Rename(name, path); err != nil {
		return err
	}
	name = path
	if err := w.disk.SyncDir(w.dir); err != nil {
		return err
	}
	w.file, w.path, w.offset, w.size = file, path, headerSize, header.size
	return nil
}

// unused reports whether a file is a sound segment in which nothing was ever written,
// such as one of a start that got no further.
func (w *Writer) unused(path string) bool {
	contents, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	header, err := decodeSegmentHeader(contents)
	return err == nil && header.id == w.id && len(bytes.TrimRight(contents[headerSize:], "\x00")) == 0
}

// abandon gives the segment up after a failure.
func (w *Writer) abandon() {
	_ = w.file.Close() // it has failed already
	w.file = nil
}

// Close closes the segment. All that Append returned nil for is durable already.
func (w *Writer) Close() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	if err != nil {
		return fmt.Errorf("close journal segment: %w", err)
	}
	return nil
}
