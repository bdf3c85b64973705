package ledger

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// formWithin is how long a batch waits for more requests.
	formWithin = 2 * time.Millisecond
	// closeWithin is how long Close waits for a disk that does not answer.
	closeWithin = 5 * time.Second
	// failuresLogInterval is how often a disk that goes on failing is logged.
	failuresLogInterval = 10 * time.Second
)

// committer is what the goroutine needs that makes batches durable.
type committer struct {
	wake    chan struct{} // something may be there to commit
	closing chan struct{}
	stopped chan struct{} // the goroutine has ended

	journaled int64          // bytes since the last snapshot was begun; the goroutine's own
	saving    sync.Mutex     // held while a snapshot is written
	failures  rate.Sometimes // that are logged
}

func (l *Ledger) startCommitter(recovery Recovery) {
	l.options.Observer.Recovered(recovery)
	l.committer.wake = make(chan struct{}, 1)
	l.committer.closing = make(chan struct{})
	l.committer.stopped = make(chan struct{})
	l.committer.journaled = recovery.JournalBytes
	l.committer.failures.Interval = failuresLogInterval
	// A snapshot sets damaged files aside and closes gaps: it comes first.
	l.broken = recovery.DamagedFiles > 0 || recovery.LostRecords > 0
	l.behind = l.broken
	go l.commitAll()
	l.wakeCommitter()
}

func (l *Ledger) wakeCommitter() {
	select {
	case l.committer.wake <- struct{}{}:
	default: // it is awake already
	}
}

// commitAll commits what forms until the ledger closes, and then the rest.
func (l *Ledger) commitAll() {
	defer close(l.committer.stopped)
	for {
		select {
		case <-l.committer.wake:
			for l.commit() {
			}
		case <-l.committer.closing:
			for l.commit() {
			}
			return
		}
	}
}

// letForm lets a batch that began to form while the last one was flushed grow, within
// formWithin, until it has as many requests: those that one flush let go come back
// together, and are to share the next one too. Any batch may go on for as long as it still
// grows: each turn lets requests that are ready to run join it. A lone request does not wait.
func (l *Ledger) letForm() {
	start := time.Now()
	l.awaitExpected()
	size := -1
	for time.Since(start) < formWithin {
		before := size
		if size, _ = l.formed(); size == before {
			return
		}
		runtime.Gosched()
	}
}

// awaitExpected returns when the forming batch has as many requests as the last one had,
// or after formWithin. It does not wait for the first one.
func (l *Ledger) awaitExpected() {
	if size, expected := l.formed(); size == 0 || size >= expected {
		return
	}
	late := time.NewTimer(formWithin)
	defer late.Stop()
	for size, expected := l.formed(); size < expected; size, expected = l.formed() {
		select {
		case <-l.committer.wake:
		case <-late.C:
			return
		case <-l.committer.closing:
			return
		}
	}
}

// formed returns how many requests the forming batch has, and how many are expected.
func (l *Ledger) formed() (size, expected int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.forming.requests), l.expected
}

// commit commits the forming batch, if any, or mends the journal. It reports
// whether there may be more to do at once.
func (l *Ledger) commit() bool {
	l.letForm()
	l.mu.Lock()
	if l.broken {
		l.mu.Unlock()
		return l.mend()
	}
	batch, records := l.takeBatch()
	first := l.state.sequence + 1
	// What was counted from memory goes first: the state has it already.
	first -= uint64(len(l.unsaved))
	records = append(l.unsaved, records...)
	l.unsaved = nil
	if len(records) == 0 {
		l.finish(batch) // duplicates only, or nothing: there was no flush that lets them come back
		l.expected = 0
		l.mu.Unlock()
		return false
	}
	l.committing = batch
	l.mu.Unlock()

	overdue := time.AfterFunc(answerWithin, func() { l.overdue(batch) })
	start := time.Now()
	bytes, err := l.store.writer.Append(first, records)
	overdue.Stop()
	if err == nil {
		l.options.Observer.Committed(len(records), time.Since(start))
	} else {
		l.failed(err)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.committing == batch {
		l.finish(batch)
	} else if err == nil {
		l.options.Logger.Info("The disk answers again, all that was counted meanwhile follows", "took", time.Since(start))
	}
	l.broken = l.broken || err != nil
	l.behind = l.broken
	if l.broken {
		l.unsaved = nil
		l.finishForming()
	} else {
		l.snapshotWhenDue(bytes)
	}
	return true
}

// takeBatch returns the forming batch, its duplicates found, and the records of
// all others. l.mu is held.
func (l *Ledger) takeBatch() (*batch, [][]byte) {
	batch := l.forming
	l.forming, l.expected = newBatch(), len(batch.requests)
	records := make([][]byte, 0, len(batch.requests))
	within := make(map[identity]uint32, len(batch.requests))
	for _, r := range batch.requests {
		l.findDuplicate(r)
		if first, found := within[r.id]; found && r.entry.room != nil {
			r.duplicate, r.differs = true, first != r.fingerprint
		}
		if !r.duplicate {
			within[r.id] = r.fingerprint
			records = append(records, r.record)
		}
	}
	return batch, records
}

// finish applies a batch and lets its requests go. l.mu is held.
func (l *Ledger) finish(batch *batch) {
	for _, r := range batch.requests {
		l.apply(r)
	}
	close(batch.done)
	l.committing = nil
}

// finishForming applies the forming batch without waiting for the disk. l.mu is held.
func (l *Ledger) finishForming() {
	batch := l.forming
	l.forming = newBatch()
	for _, r := range batch.requests {
		l.applyUnsaved(r)
	}
	close(batch.done)
}

// overdue is called when a batch has waited for the disk as long as the sender
// may be kept waiting: from now on rooms are counted from memory. The write
// goes on, and decides what comes next when it ends.
func (l *Ledger) overdue(batch *batch) {
	l.mu.Lock()
	if l.committing != batch {
		l.mu.Unlock()
		return // it was done just now
	}
	l.behind = true
	l.finish(batch)
	l.finishForming()
	l.mu.Unlock()
	l.failed(fmt.Errorf("no answer from the disk within %s", answerWithin))
}

// failed tells that the disk failed.
func (l *Ledger) failed(err error) {
	l.options.Observer.JournalFailed()
	l.committer.failures.Do(func() {
		l.options.Logger.Error("Storage fails; rooms are counted from memory until it works again", "err", err)
	})
}

// mend makes the whole state durable with a snapshot, and lets the journal begin
// anew behind it. It reports whether to go on at once: after a failure, only when it
// was time to try again.
func (l *Ledger) mend() bool {
	l.committer.saving.Lock()
	defer l.committer.saving.Unlock()
	l.mu.Lock()
	snapshot := l.state.snapshot(l.store.id)
	l.broken = false // what comes now is unsaved again
	l.mu.Unlock()

	start := time.Now()
	err := l.store.save(&snapshot)
	if err == nil {
		err = l.store.writer.Begin(snapshot.sequence + 1)
	}
	if err != nil {
		l.mu.Lock()
		l.broken, l.unsaved = true, nil
		l.mu.Unlock()
		l.failed(err)
		select {
		case <-time.After(retryAfter):
			return true
		case <-l.committer.closing:
			return false
		}
	}
	l.options.Observer.Snapshotted(time.Since(start))
	l.options.Logger.Info("Storage works again, all counted rooms are durable", "records", snapshot.sequence)
	l.committer.journaled = 0
	l.mu.Lock()
	l.behind = l.broken
	l.mu.Unlock()
	return true
}

// snapshotWhenDue begins a snapshot in the background after enough journal.
// l.mu is held.
func (l *Ledger) snapshotWhenDue(bytes int64) {
	l.committer.journaled += bytes
	if l.committer.journaled < l.options.snapshotAfter || !l.committer.saving.TryLock() {
		return
	}
	l.committer.journaled = 0
	snapshot := l.state.snapshot(l.store.id)
	go l.save(&snapshot)
}

// save writes a snapshot. Should it fail, nothing is lost: the journal has it all.
func (l *Ledger) save(snapshot *snapshot) {
	defer l.committer.saving.Unlock()
	start := time.Now()
	if err := l.store.save(snapshot); err != nil {
		l.options.Observer.JournalFailed()
		l.options.Logger.Error("Writing a snapshot failed; the journal grows until one succeeds", "err", err)
		return
	}
	l.options.Observer.Snapshotted(time.Since(start))
}

// Close makes everything counted durable, with a snapshot so that the next start
// is quick. It returns an error when the disk fails, or does not answer in time.
// Requests must have ended before.
func (l *Ledger) Close() error {
	if l.store == nil {
		return nil
	}
	ended := make(chan error, 1)
	go func() { ended <- l.end() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(closeWithin):
		return fmt.Errorf("close storage: the disk did not answer within %s", closeWithin)
	}
}

func (l *Ledger) end() error {
	close(l.committer.closing)
	<-l.committer.stopped
	l.committer.saving.Lock()
	defer l.committer.saving.Unlock()
	l.mu.Lock()
	snapshot := l.state.snapshot(l.store.id)
	l.mu.Unlock()
	err := l.store.save(&snapshot)
	if err = errors.Join(err, l.store.close()); err != nil {
		return fmt.Errorf("close storage: %w", err)
	}
	return nil
}
