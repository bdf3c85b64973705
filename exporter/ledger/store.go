package ledger

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger/journal"
)

// keptSnapshots is how many snapshots stay: should the newest turn out damaged,
// the one before and the journal behind it give the same state.
const keptSnapshots = 2

// measureWithin is how long the size of the files may take to find out.
const measureWithin = 100 * time.Millisecond

// store is the directory that a ledger lives in:
//
//	journal-<first sequence>.open    newest segment of the journal
//	journal-<first sequence>.seg     those before it
//	snapshot-<sequence>.snap         the state after that entry
//	*.damaged, *.torn-<offset>       what could not be read, kept as evidence
type store struct {
	dir    string
	id     uint64
	disk   journal.Disk
	logger *slog.Logger
	lock   *os.File
	writer *journal.Writer

	measuring chan struct{} // holds one while it goes on
	bytes     atomic.Int64  // that all files took when last measured

	// The next save sets these aside: snapshots before it writes its own, which
	// may have the name of one, and segments behind, when nothing of theirs is
	// needed any more.
	damagedSnapshots []string
	damagedSegments  []string
}

// Recovery tells what a start found.
type Recovery struct {
	Records      uint64 // read from the journal, behind the snapshot
	JournalBytes int64  // of the segments they were in
	LostRecords  uint64 // known to be missing
	DamagedFiles int    // or missing ones
	TornBytes    int    // behind the last commit
}

// openStore locks the directory, making it if need be, and recovers the state in
// it. Only one process at a time can have it open.
func openStore(dir string, disk journal.Disk, segmentSize int64, logger *slog.Logger) (_ *store, _ *state, _ Recovery, err error) {
	if err := makeDir(disk, dir); err != nil {
		return nil, nil, Recovery{}, fmt.Errorf("open storage: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, nil, Recovery{}, fmt.Errorf("open storage: %w", err)
	}
	s := &store{dir: dir, disk: disk, logger: logger, lock: lock, measuring: make(chan struct{}, 1)}
	state, recovery, err := s.recover()
	if err != nil {
		return nil, nil, Recovery{}, errors.Join(fmt.Errorf("recover storage: %w", err), lock.Close())
	}
	s.writer = journal.NewWriter(disk, dir, s.id, segmentSize)
	return s, state, recovery, nil
}

// makeDir makes a directory, and those it is in, durable where there was none.
func makeDir(disk journal.Disk, dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeDir(disk, parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return disk.SyncDir(parent)
}

// lockDir takes a lock on the directory that ends with the process, however it
// ends, and leaves no file behind.
func lockDir(dir string) (*os.File, error) {
	lock, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("%s is in use by another process", dir)
	case err != nil:
		err = fmt.Errorf("lock %s: %w", dir, err)
	default:
		return lock, nil
	}
	return nil, errors.Join(err, lock.Close())
}

// recover reads the newest sound snapshot and the journal behind it. What is
// damaged is reported; nothing is started from zero that may have been more.
func (s *store) recover() (*state, Recovery, error) {
	s.removeTemporary()
	state, err := s.newestSnapshot()
	if err != nil {
		return nil, Recovery{}, err
	}
	fromZero := state == nil
	if fromZero {
		state = newState()
	}
	from := state.sequence + 1
	report, id, err := journal.Read(s.dir, s.id, from, func(sequence uint64, record []byte) error {
		if fromZero && state.sequence == 0 && sequence != 1 {
			return fmt.Errorf("there is no sound snapshot and the journal begins only with record %d, so what was counted before it is not known;"+
				" restore a snapshot-*.snap of this directory, or start from zero with an empty --storage.path", sequence)
		}
		e, err := decodeEntry(record)
		if err != nil {
			return fmt.Errorf("record %d: %w", sequence, err)
		}
		state.sequence = sequence - 1 // records may be missing before it
		if e.room == nil {
			state.apply(&e, identity{}, 0)
		} else {
			state.apply(&e, identityOf(e.room), fingerprintOf(&e.room.Statistics))
		}
		return nil
	})
	if err != nil {
		return nil, Recovery{}, err
	}
	if fromZero && state.sequence == 0 && (len(s.damagedSnapshots) > 0 || len(report.Damages) > 0) {
		return nil, Recovery{}, fmt.Errorf("none of the files in %s can be read, so what was counted is not known;"+
			" restore them, or start from zero with an empty --storage.path", s.dir)
	}
	if s.id = id; s.id == 0 {
		s.id = newStoreID()
	}
	return state, s.report(report, fromZero), nil
}

// newestSnapshot returns the state of the newest sound snapshot, or nil when there
// is none. All others are checked too: one day they may have to stand in.
func (s *store) newestSnapshot() (newest *state, _ error) {
	paths, err := snapshots(s.dir)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		body, id, err := readSnapshot(path)
		if err == nil && newest != nil && id != s.id {
			return nil, fmt.Errorf("%s belongs to another store than a newer snapshot; move away the one that does not belong here", path)
		}
		if err == nil && newest == nil {
			if newest, err = decodeSnapshot(body); err == nil {
				s.id = id
			}
		}
		var unreadable *fs.PathError
		if errors.Is(err, journal.ErrNewerVersion) || errors.As(err, &unreadable) {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if err != nil {
			s.logger.Error("A snapshot is damaged; another one and the journal stand in for it", "file", path, "err", err)
			s.damagedSnapshots = append(s.damagedSnapshots, path)
		}
	}
	return newest, nil
}

// report tells what recovery found and puts what a crash left out of the way. Should
// that fail, it does no harm where it is.
func (s *store) report(report journal.Report, fromZero bool) Recovery {
	recovery := Recovery{
		Records:      report.Records,
		JournalBytes: report.Bytes,
		LostRecords:  report.Lost,
		DamagedFiles: len(s.damagedSnapshots),
	}
	for _, damage := range report.Damages {
		s.logger.Error("A journal segment is damaged; what can be read of it was recovered", "file", damage.Path, "err", damage.Reason)
		if !slices.Contains(s.damagedSegments, damage.Path) {
			s.damagedSegments = append(s.damagedSegments, damage.Path)
			recovery.DamagedFiles++
		}
	}
	if report.Lost > 0 {
		s.logger.Error("Records are missing in the journal: as many rooms may not be counted", "lost", report.Lost)
	}
	if report.EndMissing && !(fromZero && report.Segments == 0) {
		s.logger.Error("The newest segment of the journal is missing: rooms counted last may be lost", "directory", s.dir)
		recovery.DamagedFiles++
	}
	if tail := report.Tail; tail != nil {
		recovery.TornBytes = len(tail.Bytes)
		aside, err := journal.CutTail(s.disk, s.dir, tail)
		if err != nil {
			s.logger.Warn("Keeping a copy of a torn commit failed", "file", tail.Path, "err", err)
		}
		s.logger.Warn("Cut a torn commit off the journal's end; a crash leaves one that was not acknowledged",
			"file", tail.Path, "bytes", len(tail.Bytes), "kept_in", aside)
	}
	return recovery
}

// removeTemporary removes what an end in mid-write left unfinished.
func (s *store) removeTemporary() {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return // the next to read the directory says so
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), journal.TemporarySuffix) {
			_ = s.disk.Remove(filepath.Join(s.dir, entry.Name())) // it is overwritten anyway
		}
	}
}

// save makes a snapshot durable, sets damaged files aside, and removes what no
// recovery will need. It is called by one goroutine at a time.
func (s *store) save(snapshot *snapshot) error {
	if err := s.setAside(&s.damagedSnapshots); err != nil {
		return err
	}
	if err := snapshot.write(s.disk, s.dir); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if err := s.setAside(&s.damagedSegments); err != nil {
		return err
	}
	return s.prune()
}

// setAside sets the files aside and empties the list.
func (s *store) setAside(damaged *[]string) error {
	if len(*damaged) == 0 {
		return nil
	}
	for len(*damaged) > 0 {
		path := (*damaged)[0]
		aside, err := journal.SetAside(s.disk, path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("set aside %s: %w", path, err)
		}
		s.logger.Error("Set a damaged file aside", "file", aside)
		*damaged = (*damaged)[1:]
	}
	return s.disk.SyncDir(s.dir)
}

// prune removes snapshots beyond keptSnapshots and the journal before the oldest
// that stays. As long as there are fewer, all of the journal stays.
func (s *store) prune() error {
	paths, err := snapshots(s.dir)
	if err != nil || len(paths) < keptSnapshots {
		return err
	}
	for _, path := range paths[keptSnapshots:] {
		err = errors.Join(err, s.disk.Remove(path))
	}
	oldest, _ := snapshotSequence(paths[keptSnapshots-1])
	return errors.Join(err, journal.Remove(s.disk, s.dir, oldest))
}

// size returns the bytes that the directory's files take, or took when the disk
// last answered: whoever asks does not wait for one that fails.
func (s *store) size() int64 {
	measured := make(chan struct{})
	select {
	case s.measuring <- struct{}{}:
		go func() {
			s.measure()
			<-s.measuring
			close(measured)
		}()
		select {
		case <-measured:
		case <-time.After(measureWithin):
		}
	default: // it has not answered since
	}
	return s.bytes.Load()
}

func (s *store) measure() {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return
	}
	var bytes int64
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			bytes += info.Size()
		}
	}
	s.bytes.Store(bytes)
}

func (s *store) close() error {
	return errors.Join(s.writer.Close(), s.lock.Close())
}

func newStoreID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])                      // never fails
	return binary.LittleEndian.Uint64(b[:]) | 1 // 0 stands for none
}
