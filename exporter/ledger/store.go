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
	"strings"
	"syscall"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger/journal"
)

// keptSnapshots is how many snapshots stay: should the newest turn out damaged,
// the one before and the journal behind it give the same state.
const keptSnapshots = 2

// store is the directory that a ledger lives in:
//
//	journal-<first sequence>.seg     segments of the journal
//	snapshot-<sequence>.snap         the state after that entry
//	*.damaged, *.torn-<offset>       what could not be read, kept as evidence
type store struct {
	dir    string
	id     uint64
	disk   journal.Disk
	logger *slog.Logger
	lock   *os.File
	writer *journal.Writer

	// damaged are segments that are set aside after the next snapshot, when
	// nothing of theirs is needed any more.
	damaged []string
}

// Recovery tells what a start found.
type Recovery struct {
	Records      uint64 // read from the journal, behind the snapshot
	JournalBytes int64  // that they took
	LostRecords  uint64 // known to be missing
	DamagedFiles int
	TornBytes    int // behind the last commit
}

// openStore locks the directory, making it if need be, and recovers the state in
// it. Only one process at a time can have it open.
func openStore(dir string, disk journal.Disk, segmentSize int64, logger *slog.Logger) (_ *store, _ *state, _ Recovery, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, nil, Recovery{}, fmt.Errorf("open storage: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, nil, Recovery{}, fmt.Errorf("open storage: %w", err)
	}
	s := &store{dir: dir, disk: disk, logger: logger, lock: lock}
	state, recovery, err := s.recover()
	if err != nil {
		return nil, nil, Recovery{}, errors.Join(fmt.Errorf("recover storage: %w", err), lock.Close())
	}
	s.writer = journal.NewWriter(disk, dir, s.id, segmentSize)
	return s, state, recovery, nil
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
	state, damagedSnapshots, err := s.newestSnapshot()
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
	if fromZero && state.sequence == 0 && (len(damagedSnapshots) > 0 || len(report.Damages) > 0) {
		return nil, Recovery{}, fmt.Errorf("none of the files in %s can be read, so what was counted is not known;"+
			" restore them, or start from zero with an empty --storage.path", s.dir)
	}
	if s.id = id; s.id == 0 {
		s.id = newStoreID()
	}
	recovery, err := s.clean(report, damagedSnapshots, fromZero)
	return state, recovery, err
}

// newestSnapshot returns the state of the newest sound snapshot, or nil when there
// is none, and the paths of damaged newer ones.
func (s *store) newestSnapshot() (_ *state, damaged []string, _ error) {
	paths, err := snapshots(s.dir)
	if err != nil {
		return nil, nil, err
	}
	for _, path := range paths {
		state, id, err := readSnapshot(path)
		if err == nil {
			s.id = id
			return state, damaged, nil
		}
		var unreadable *fs.PathError
		if errors.Is(err, journal.ErrNewerVersion) || errors.As(err, &unreadable) {
			return nil, nil, fmt.Errorf("read %s: %w", path, err)
		}
		s.logger.Error("A snapshot is damaged; an older state and the journal stand in for it", "file", path, "err", err)
		damaged = append(damaged, path)
	}
	return nil, damaged, nil
}

// clean reports what recovery found, puts evidence aside and removes leftovers.
func (s *store) clean(report journal.Report, damagedSnapshots []string, fromZero bool) (Recovery, error) {
	recovery := Recovery{Records: report.Records, JournalBytes: report.Bytes, LostRecords: report.Lost}
	for _, path := range damagedSnapshots {
		aside, err := journal.SetAside(s.disk, path)
		if err != nil {
			return recovery, fmt.Errorf("set aside %s: %w", path, err)
		}
		s.logger.Error("Set a damaged snapshot aside", "file", aside)
		recovery.DamagedFiles++
	}
	seen := make(map[string]bool)
	for _, damage := range report.Damages {
		s.logger.Error("A journal segment is damaged; what can be read of it was recovered", "file", damage.Path, "err", damage.Reason)
		if !seen[damage.Path] {
			seen[damage.Path] = true
			s.damaged = append(s.damaged, damage.Path)
			recovery.DamagedFiles++
		}
	}
	if report.Lost > 0 {
		s.logger.Error("Records are missing in the journal: as many rooms may not be counted", "lost", report.Lost)
	}
	if report.Segments == 0 && !fromZero {
		s.logger.Error("The journal is missing: rooms counted since the last snapshot may be lost", "directory", s.dir)
		recovery.DamagedFiles++
	}
	if tail := report.Tail; tail != nil {
		aside, err := journal.CutTail(s.disk, s.dir, tail)
		if err != nil {
			return recovery, fmt.Errorf("cut the torn end of %s: %w", tail.Path, err)
		}
		s.logger.Warn("Cut a torn commit off the journal's end; a crash leaves one that was not acknowledged",
			"file", tail.Path, "bytes", len(tail.Bytes), "kept_in", aside)
		recovery.TornBytes = len(tail.Bytes)
	}
	for _, path := range report.Empty {
		if err := s.disk.Remove(path); err != nil {
			return recovery, fmt.Errorf("remove unused segment: %w", err)
		}
	}
	return recovery, nil
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

// save makes a snapshot durable, sets aside what it makes dispensable of
// damaged segments, and removes what no recovery will need.
func (s *store) save(snapshot *snapshot) error {
	if err := snapshot.write(s.disk, s.dir); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	for len(s.damaged) > 0 {
		aside, err := journal.SetAside(s.disk, s.damaged[0])
		if err != nil {
			return fmt.Errorf("set aside %s: %w", s.damaged[0], err)
		}
		s.logger.Error("Set a damaged journal segment aside", "file", aside)
		s.damaged = s.damaged[1:]
	}
	return s.prune()
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

// size returns the bytes that the directory's files take.
func (s *store) size() (bytes int64) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return 0
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			bytes += info.Size()
		}
	}
	return bytes
}

func (s *store) close() error {
	return errors.Join(s.writer.Close(), s.lock.Close())
}

func newStoreID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])                      // never fails
	return binary.LittleEndian.Uint64(b[:]) | 1 // 0 stands for none
}
