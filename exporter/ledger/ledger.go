// Package ledger decides whether a destroyed room is new or a duplicate, makes
// the new ones durable and counts them. Identities and totals derive from the
// same records, so they can not disagree.
package ledger

import (
	"log/slog"
	"sync"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger/journal"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

const (
	// answerWithin is how long a room waits for the disk before it is counted
	// from memory. It may meet a commit that takes almost as long, so twice
	// this must be well below the 2 s that the sender waits.
	answerWithin = 800 * time.Millisecond
	// retryAfter is how long a disk that failed is left alone.
	retryAfter = time.Second
	// maxUnsaved is how many records wait for a disk that does not answer: a
	// snapshot stands in for more of them.
	maxUnsaved = 1 << 16
	// usualRecord is more bytes than most records take.
	usualRecord = 128
	// snapshotAfter is how many bytes of journal call for a snapshot. All that is
	// ever kept is the journal from the older of two snapshots on, which is at
	// most twice as much and three segments that are not full (44 MiB with
	// journal.DefaultSegmentSize), besides what comes while a snapshot is
	// written; and three snapshots, the one being written among them, of 24
	// bytes for each room within the window and some kilobytes for each series.
	// Only evidence comes on top: what damage and torn commits left.
	snapshotAfter = 16 << 20
)

// Observer is told what the ledger alone knows, from any goroutine.
type Observer interface {
	// CategoryOverflow: a category of a room fell under room.CategoryOther.
	CategoryOverflow(sdkAppID string)
	// Recovered tells what a start found in storage.
	Recovered(Recovery)
	// Committed: records became durable with one flush, which took that long.
	Committed(records int, took time.Duration)
	// JournalFailed: the journal or a snapshot could not be written, or not in time.
	JournalFailed()
	// Snapshotted: a snapshot became durable.
	Snapshotted(took time.Duration)
}

// Options say where and how a ledger keeps what it counts.
type Options struct {
	Path     string // the directory; "" keeps everything in memory only
	Settings Settings
	Observer Observer
	Logger   *slog.Logger

	disk          journal.Disk // nil is the real one
	segmentSize   int64        // 0 is the default
	snapshotAfter int64        // 0 is the default
}

// Ledger counts rooms. Its methods may be called from any goroutine.
//
// A room that arrives joins the forming batch. One goroutine, the committer,
// takes batch after batch, writes it to the journal with a single flush, applies
// it to the state and lets its requests go. While the disk fails, or keeps a batch
// waiting too long, rooms are applied as they arrive and the ledger is behind;
// it no longer is once the disk holds all that the state has.
type Ledger struct {
	options Options
	store   *store // nil: in memory only

	mu         sync.Mutex
	state      *state
	forming    *batch   // arrived, not yet taken by the committer
	expected   int      // requests of the batch that it took last; 0 if there were none
	committing *batch   // the committer's, not yet applied; nil when there is none
	behind     bool     // requests are applied as they arrive
	broken     bool     // what the journal holds is uncertain: a snapshot of everything comes next
	unsaved    [][]byte // records applied that neither journal nor snapshot has yet; none while broken

	committer committer
}

// batch is entries that become durable together.
type batch struct {
	requests []*request
	done     chan struct{} // closed when all are applied
}

// request is an entry on its way to the state, and what became of it.
type request struct {
	entry       entry
	record      []byte // of the entry; nil in memory only
	id          identity
	fingerprint uint32

	duplicate  bool // its room was counted before
	differs    bool // and had other statistics
	overflowed bool // a category of its room fell under room.CategoryOther
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

// Open returns a ledger that goes on where the one before ended, or crashed, in
// the same directory. If it can not judge what is there, or another process has it
// open, it returns an error and leaves everything as it is.
func Open(options Options) (*Ledger, error) {
	l := &Ledger{
		options: options,
		state:   newState(),
		forming: newBatch(),
	}
	if l.options.disk == nil {
		l.options.disk = journal.OSDisk{}
	}
	if l.options.segmentSize == 0 {
		l.options.segmentSize = journal.DefaultSegmentSize
	}
	if l.options.snapshotAfter == 0 {
		l.options.snapshotAfter = snapshotAfter
	}
	if options.Path != "" {
		store, state, recovery, err := openStore(options.Path, l.options.disk, l.options.segmentSize, options.Logger)
		if err != nil {
			return nil, err
		}
		l.store, l.state = store, state
		l.startCommitter(recovery)
	} else {
		options.Logger.Warn("Counted rooms are kept in memory only: a restart starts from zero")
	}
	l.Configure(options.Settings)
	return l, nil
}

// Configure puts new settings into force for rooms recorded after. Nothing that
// was counted is lost or moved: apps and names that are gone keep their series.
func (l *Ledger) Configure(settings Settings) {
	l.do(&request{entry: entry{at: now(), settings: &settings}})
}

// Record counts a room unless it did so before within the window for duplicates.
// It returns once the room is durable, or counted from memory because the disk
// fails, after twice answerWithin at the latest. It does not keep destroyed.
func (l *Ledger) Record(destroyed *room.Destroyed) (duplicate bool) {
	r := &request{
		entry:       entry{at: now(), room: destroyed},
		id:          identityOf(destroyed),
		fingerprint: fingerprintOf(&destroyed.Statistics),
	}
	l.do(r)
	if r.differs {
		l.options.Logger.Warn("A room was delivered again with other statistics; the first ones stand", "room", destroyed)
	}
	if r.overflowed {
		l.options.Observer.CategoryOverflow(destroyed.SDKAppID)
	}
	return r.duplicate
}

// View returns all totals at one moment.
func (l *Ledger) View() totals.View {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.totals.View()
}

// Status is what the ledger holds at one moment.
type Status struct {
	Identities   int   // rooms remembered to know duplicates
	Behind       bool  // rooms are counted from memory, because the disk fails
	StorageBytes int64 // size of all files, as far as the disk answers; 0 in memory only
}

// Status returns what the ledger holds.
func (l *Ledger) Status() Status {
	l.mu.Lock()
	status := Status{Identities: len(l.state.identities.order), Behind: l.behind || len(l.unsaved) > 0}
	l.mu.Unlock()
	if l.store != nil {
		status.StorageBytes = l.store.size()
	}
	return status
}

// do returns when the request is applied.
func (l *Ledger) do(r *request) {
	if l.store != nil {
		r.record = appendEntry(make([]byte, 0, usualRecord), &r.entry)
	}
	l.mu.Lock()
	if l.store == nil || l.behind {
		l.applyUnsaved(r)
		l.mu.Unlock()
		return
	}
	l.forming.requests = append(l.forming.requests, r)
	done, size := l.forming.done, len(l.forming.requests)
	wake := size == 1 || size == l.expected
	l.mu.Unlock()
	if wake {
		l.wakeCommitter()
	}
	<-done
}

// applyUnsaved applies a request before it is durable. l.mu is held.
func (l *Ledger) applyUnsaved(r *request) {
	l.findDuplicate(r)
	l.apply(r)
	switch {
	case l.store == nil || r.duplicate || l.broken:
	case len(l.unsaved) == maxUnsaved:
		l.unsaved, l.broken = nil, true
	default:
		l.unsaved = append(l.unsaved, r.record)
	}
}

// findDuplicate asks the state whether it has the request's room already. l.mu is held.
func (l *Ledger) findDuplicate(r *request) {
	if r.entry.room == nil {
		return
	}
	l.state.identities.forget(r.entry.at)
	first, found := l.state.identities.find(r.id)
	r.duplicate, r.differs = found, found && first != r.fingerprint
}

// apply applies a request to the state unless it is a duplicate. l.mu is held.
func (l *Ledger) apply(r *request) {
	if !r.duplicate {
		r.overflowed = l.state.apply(&r.entry, r.id, r.fingerprint)
	}
}

// now returns the time as entries have it.
func now() time.Time { return time.UnixMilli(time.Now().UnixMilli()) }
