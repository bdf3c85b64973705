package ledger

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger/journal"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

// A snapshot file is the whole state after one entry:
//
//	file header | store id 8 | sequence 8 | length of settings 8 | settings, JSON
//	| number of identities 8 | identities 24 each | totals | checksum of all before 4
const (
	snapshotMagic  = 0x31504e534b4b4c54 // "TLKKSNP1"
	snapshotPrefix = "snapshot-"
	snapshotSuffix = ".snap"
	sightingSize   = 24
)

// snapshot is a state at one moment, which no later change touches.
type snapshot struct {
	storeID  uint64
	sequence uint64
	settings Settings
	order    []sighting
	totals   totals.View
}

// snapshot costs lists of pointers: identities and totals are shared.
func (s *state) snapshot(storeID uint64) snapshot {
	return snapshot{
		storeID:  storeID,
		sequence: s.sequence,
		settings: s.settings,
		order:    s.identities.order[:len(s.identities.order):len(s.identities.order)],
		totals:   s.totals.View(),
	}
}

func snapshotName(sequence uint64) string {
	return fmt.Sprintf("%s%020d%s", snapshotPrefix, sequence, snapshotSuffix)
}

func snapshotSequence(path string) (sequence uint64, ok bool) {
	name := filepath.Base(path)
	digits, hasPrefix := strings.CutPrefix(name, snapshotPrefix)
	digits, hasSuffix := strings.CutSuffix(digits, snapshotSuffix)
	sequence, err := strconv.ParseUint(digits, 10, 64)
	return sequence, hasPrefix && hasSuffix && err == nil && snapshotName(sequence) == name
}

// snapshots returns the paths of all snapshots in dir, newest first.
func snapshots(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, entry := range entries {
		if _, ok := snapshotSequence(entry.Name()); ok {
			paths = append(paths, filepath.Join(dir, entry.Name()))
		}
	}
	slices.Sort(paths)
	slices.Reverse(paths)
	return paths, nil
}

// write makes the snapshot durable. Under its name it is there whole or not at all.
func (s *snapshot) write(disk journal.Disk, dir string) (err error) {
	path := filepath.Join(dir, snapshotName(s.sequence))
	if _, err := os.Lstat(path); err == nil {
		return disk.SyncDir(dir) // of the same state
	}
	temporary := path + journal.TemporarySuffix
	if err := disk.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	file, err := disk.Create(temporary)
	if err != nil {
		return err
	}
	name := temporary
	err = s.encode(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = disk.Rename(temporary, path)
	}
	if err == nil {
		name = path
		err = disk.SyncDir(dir)
	}
	if err != nil { // the next one may have another name
		return errors.Join(err, disk.Remove(name))
	}
	return nil
}

func (s *snapshot) encode(file io.Writer) error {
	w := &checksumWriter{to: bufio.NewWriterSize(file, 1<<20), sum: crc32.New(crc32.MakeTable(crc32.Castagnoli))}
	settings, err := json.Marshal(s.settings)
	if err != nil {
		return err
	}
	b := journal.AppendFileHeader(nil, snapshotMagic)
	b = binary.LittleEndian.AppendUint64(b, s.storeID)
	b = binary.LittleEndian.AppendUint64(b, s.sequence)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(settings)))
	b = append(b, settings...)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(s.order)))
	if _, err := w.Write(b); err != nil {
		return err
	}
	for _, sighting := range s.order {
		b = append(b[:0], sighting.id[:]...)
		b = binary.LittleEndian.AppendUint32(b, sighting.at)
		b = binary.LittleEndian.AppendUint32(b, sighting.fingerprint)
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	if err := s.totals.Encode(w); err != nil {
		return err
	}
	return w.finish()
}

// checksumWriter sums up what it writes.
type checksumWriter struct {
	to  *bufio.Writer
	sum hash.Hash32
}

func (w *checksumWriter) Write(b []byte) (int, error) {
	_, _ = w.sum.Write(b) // never fails
	return w.to.Write(b)
}

func (w *checksumWriter) finish() error {
	_, err := w.to.Write(binary.LittleEndian.AppendUint32(nil, w.sum.Sum32()))
	return errors.Join(err, w.to.Flush())
}

// readSnapshot returns what a sound snapshot file holds, for decodeSnapshot, and
// the store that it belongs to.
func readSnapshot(path string) (body []byte, storeID uint64, err error) {
	contents, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	if err := journal.CheckFileHeader(contents, snapshotMagic); err != nil {
		return nil, 0, err
	}
	if len(contents) < journal.FileHeaderSize+16+4 {
		return nil, 0, errors.New("is too short")
	}
	body, sum := contents[:len(contents)-4], contents[len(contents)-4:]
	if journal.Checksum(body) != binary.LittleEndian.Uint32(sum) {
		return nil, 0, errors.New("checksum does not match")
	}
	body = body[journal.FileHeaderSize:]
	if sequence, _ := snapshotSequence(path); sequence != binary.LittleEndian.Uint64(body[8:]) {
		return nil, 0, errors.New("has the name of another snapshot")
	}
	return body, binary.LittleEndian.Uint64(body), nil
}

func decodeSnapshot(body []byte) (*state, error) {
	r := snapshotReader{rest: body}
	s := newState()
	r.uint64() // the store's id
	s.sequence = r.uint64()
	settings := r.bytes(r.uint64())
	count := r.uint64()
	sightings := r.bytes(min(count, uint64(len(body))) * sightingSize)
	if r.broken {
		return nil, errors.New("snapshot is too short")
	}
	if err := json.Unmarshal(settings, &s.settings); err != nil {
		return nil, fmt.Errorf("decode settings: %w", err)
	}
	for ; len(sightings) > 0; sightings = sightings[sightingSize:] {
		s.identities.add(sighting{
			id:          identity(sightings[:16]),
			at:          binary.LittleEndian.Uint32(sightings[16:]),
			fingerprint: binary.LittleEndian.Uint32(sightings[20:]),
		})
	}
	s.identities.window = s.settings.DedupeWindow
	var err error
	if s.totals, err = totals.Decode(bytes.NewReader(r.rest)); err != nil {
		return nil, err
	}
	s.restoreCategories()
	return s, nil
}

type snapshotReader struct {
	rest   []byte
	broken bool
}

func (r *snapshotReader) uint64() uint64 {
	b := r.bytes(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (r *snapshotReader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.broken = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}
