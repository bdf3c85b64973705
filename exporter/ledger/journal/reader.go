package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Damage is a segment in which something could not be read.
type Damage struct {
	Path   string
	Reason string
}

// Tail is what a crash left behind the last commit: a block that was never
// flushed, and so never acknowledged.
type Tail struct {
	Path   string
	Offset int64
	Bytes  []byte // up to the last that is not zero
}

// Report tells what Read found. Records before the first wanted one are not in it.
type Report struct {
	Segments int
	Records  uint64 // handed on
	Bytes    int64  // of the blocks they were in
	Last     uint64 // sequence number of the last record, or the one before the first wanted
	Lost     uint64 // records that are missing between those that are there
	Damages  []Damage
	Tail     *Tail
	// Empty lists sound segments in which nothing was ever written.
	Empty []string
}

// Read hands on all readable records with a sequence number of at least from, in
// order, each once. id is the store's; if it is 0, that of the first sound segment is
// taken, and returned. Read changes nothing. It returns an error if a file can
// not be read at all or is of a newer version (ErrNewerVersion), or if
// fn returns one.
func Read(dir string, id, from uint64, fn func(sequence uint64, record []byte) error) (Report, uint64, error) {
	r := reader{id: id, next: from, fn: fn}
	segments, err := Segments(dir)
	if err != nil {
		return r.report, 0, err
	}
	for _, path := range segments {
		if err := r.segment(path); err != nil {
			return r.report, 0, fmt.Errorf("read %s: %w", path, err)
		}
	}
	r.report.Segments = len(segments)
	r.report.Last = r.next - 1
	return r.report, r.id, nil
}

// Segments returns the paths of all segments, oldest first.
func Segments(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, entry := range entries {
		if _, ok := segmentFirst(entry.Name()); ok {
			paths = append(paths, filepath.Join(dir, entry.Name()))
		}
	}
	slices.Sort(paths)
	return paths, nil
}

type reader struct {
	id     uint64
	next   uint64 // sequence number of the next record wanted
	behind uint64 // sequence number behind the last block read
	fn     func(sequence uint64, record []byte) error
	report Report // its Tail may turn out damage
}

func (r *reader) segment(path string) error {
	contents, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	header, err := decodeSegmentHeader(contents)
	switch {
	case errors.Is(err, ErrNewerVersion):
		return err
	case err != nil:
		r.damaged(path, err.Error())
	case r.id == 0:
		r.id = header.id
	case r.id != header.id:
		r.damaged(path, "belongs to another store")
		return nil
	}
	if err == nil && int64(len(contents)) != header.size {
		r.damaged(path, fmt.Sprintf("is %d bytes long and was made with %d", len(contents), header.size))
	}
	return r.blocks(path, contents)
}

// blocks reads the blocks of a segment and looks for more behind each damage.
func (r *reader) blocks(path string, contents []byte) error {
	end := len(bytes.TrimRight(contents, "\x00"))
	offset, read := headerSize, 0
	for offset < end {
		if b, ok := decodeBlock(contents[offset:]); ok {
			if err := r.block(b); err != nil {
				return err
			}
			offset += b.size
			read++
			continue
		}
		next := findBlock(contents, offset+blockAlign)
		if next < 0 {
			r.tail(&Tail{Path: path, Offset: int64(offset), Bytes: contents[offset:end]})
			return nil
		}
		r.damaged(path, fmt.Sprintf("bytes %d to %d are damaged", offset, next))
		offset = next
	}
	if read == 0 && !r.isDamaged(path) {
		r.report.Empty = append(r.report.Empty, path)
	}
	return nil
}

// findBlock returns the offset of the first valid block at or behind offset, or -1.
func findBlock(contents []byte, offset int) int {
	for ; offset < len(contents); offset += blockAlign {
		if _, ok := decodeBlock(contents[offset:]); ok {
			return offset
		}
	}
	return -1
}

// tail takes what is unreadable up to the end of a segment for a torn tail, until
// what follows shows that it was more.
func (r *reader) tail(tail *Tail) {
	if r.isDamaged(tail.Path) {
		return // the file is evidence as a whole
	}
	r.tailWasDamage()
	r.report.Tail = tail
}

func (r *reader) tailWasDamage() {
	if tail := r.report.Tail; tail != nil {
		r.damaged(tail.Path, fmt.Sprintf("bytes from %d on are damaged", tail.Offset))
		r.report.Tail = nil
	}
}

func (r *reader) block(b block) error {
	if b.first == r.behind {
		// The tail was cut at the start after its crash: this block goes on
		// where it began.
		r.report.Tail = nil
	}
	r.tailWasDamage()
	r.behind = b.first + uint64(b.count)
	if r.behind > r.next {
		r.report.Bytes += int64(b.size)
	}
	return b.each(func(sequence uint64, record []byte) error {
		if sequence < r.next {
			return nil
		}
		r.report.Lost += sequence - r.next
		r.report.Records++
		r.next = sequence + 1
		return r.fn(sequence, record)
	})
}

func (r *reader) damaged(path, reason string) {
	r.report.Damages = append(r.report.Damages, Damage{Path: path, Reason: reason})
}

func (r *reader) isDamaged(path string) bool {
	return slices.ContainsFunc(r.report.Damages, func(d Damage) bool { return d.Path == path })
}
