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
	Bytes    int64  // of the segments they were in
	Lost     uint64 // records that are missing between those that are there
	Damages  []Damage
	Tail     *Tail
	// EndMissing says that there was a newer segment than the newest that is
	// there, or that there is none at all.
	EndMissing bool
}

// Read hands on all readable records with a sequence number of at least from, in
// order, each once. id is the store's; if it is 0, that of the segments is
// taken, and returned. Read changes nothing. It returns an error if a file can
// not be read at all or is of a newer version (ErrNewerVersion), if it can not be
// said which segments belong to the store, or if fn returns one.
func Read(dir string, id, from uint64, fn func(sequence uint64, record []byte) error) (Report, uint64, error) {
	r := reader{id: id, idKnown: id != 0, next: from, fn: fn}
	segments, err := Segments(dir)
	if err != nil {
		return r.report, 0, err
	}
	for _, path := range segments {
		before := r.report.Records
		contents, err := os.ReadFile(path)
		if err == nil {
			err = r.segment(path, contents)
		}
		if err != nil {
			return r.report, 0, fmt.Errorf("read %s: %w", path, err)
		}
		if r.report.Records > before {
			r.report.Bytes += int64(len(contents))
		}
	}
	if r.foreign != "" && (r.own == 0 || !r.idKnown) {
		return r.report, 0, fmt.Errorf("%s belongs to another store than the files beside it;"+
			" move those away that do not belong here", r.foreign)
	}
	r.report.Segments = len(segments)
	r.report.EndMissing = len(segments) == 0 || isClosed(segments[len(segments)-1])
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
	id      uint64
	idKnown bool
	own     int    // sound segments of the store
	foreign string // a segment of another one
	next    uint64 // sequence number of the next record wanted
	behind  uint64 // sequence number behind the last block read
	fn      func(sequence uint64, record []byte) error
	report  Report // its Tail may turn out damage
}

func (r *reader) segment(path string, contents []byte) error {
	if first, _ := segmentFirst(path); first == r.behind {
		// The tail was cut at the start after its crash: this segment goes on
		// where it began.
		r.report.Tail = nil
	}
	header, err := decodeSegmentHeader(contents)
	if errors.Is(err, ErrNewerVersion) {
		return err
	}
	if err != nil {
		r.damaged(path, err.Error())
		return r.blocks(path, contents)
	}
	if r.id == 0 {
		r.id = header.id
	}
	if r.id != header.id {
		r.damaged(path, "belongs to another store")
		r.foreign = path
		return nil
	}
	r.own++
	if int64(len(contents)) != header.size {
		r.damaged(path, fmt.Sprintf("is %d bytes long and was made with %d", len(contents), header.size))
	}
	return r.blocks(path, contents)
}

// blocks reads the blocks of a segment and looks for more behind each damage.
func (r *reader) blocks(path string, contents []byte) error {
	end := written(contents)
	offset := headerSize
	for offset < end {
		if b, ok := decodeBlock(contents[offset:]); ok {
			if err := r.block(b); err != nil {
				return err
			}
			offset += b.size
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
	return nil
}

// written returns how long contents is without the zeros at its end: those are
// most of a new segment, so they are passed over a page at a time.
func written(contents []byte) int {
	var page [4096]byte
	for len(contents) >= len(page) && bytes.Equal(contents[len(contents)-len(page):], page[:]) {
		contents = contents[:len(contents)-len(page)]
	}
	return len(bytes.TrimRight(contents, "\x00"))
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
	r.tailWasDamage()
	r.behind = b.first + uint64(b.count)
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
