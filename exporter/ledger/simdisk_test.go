package ledger

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger/journal"
)

var errCrashed = errors.New("the machine is off")

// simDisk does to real files what it is told, without flushing them, and
// remembers what a power failure would leave of them: contents that were synced,
// names that a SyncDir made durable, and anything of the rest. It can fail, too.
type simDisk struct {
	random *rand.Rand

	mu      sync.Mutex
	names   map[string]*inode // as the process sees them
	durable map[string]*inode // as of the last SyncDir
	pending []nameChange      // since then
	ops     int
	crashAt int               // the op at which the power fails; 0: never
	image   map[string][]byte // what it left
	faults  func(op int) fault
}

type inode struct {
	durable []byte
	written []extent // since the last Sync
}

type extent struct {
	offset int
	bytes  []byte
}

type nameChange struct {
	add, remove string
	file        *inode
}

// fault is what an operation meets; none if zero.
type fault struct {
	err     error
	partial bool // the operation takes effect in part, or whole, all the same
	wait    time.Duration
}

// newSimDisk returns a disk that durably holds the files now in dir.
func newSimDisk(tb testing.TB, dir string, seed uint64) *simDisk {
	d := &simDisk{random: rand.New(rand.NewPCG(seed, 1)), durable: map[string]*inode{}}
	for name, contents := range readFiles(tb, dir) {
		d.durable[filepath.Join(dir, name)] = &inode{durable: contents}
	}
	d.names = maps.Clone(d.durable)
	return d
}

// begin is called before each operation; effect records what it may leave behind.
func (d *simDisk) begin(effect func(partial bool)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.image != nil {
		return errCrashed
	}
	d.ops++
	var f fault
	if d.faults != nil {
		f = d.faults(d.ops)
	}
	if f.wait > 0 {
		d.mu.Unlock()
		time.Sleep(f.wait)
		d.mu.Lock()
		if d.image != nil {
			return errCrashed
		}
	}
	if f.err != nil && !f.partial {
		return f.err
	}
	effect(f.partial)
	if d.ops == d.crashAt {
		d.crashLocked()
		return errCrashed
	}
	return f.err
}

// crash returns what a power failure right now leaves of all files, by name.
func (d *simDisk) crash() map[string][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.image == nil {
		d.crashLocked()
	}
	return d.image
}

func (d *simDisk) crashed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.image != nil
}

func (d *simDisk) crashLocked() {
	names := maps.Clone(d.durable)
	for _, change := range d.pending {
		if d.random.IntN(2) == 0 {
			continue // undone
		}
		delete(names, change.remove)
		if change.add != "" {
			names[change.add] = change.file
		}
	}
	d.image = make(map[string][]byte)
	for _, path := range slices.Sorted(maps.Keys(names)) {
		d.image[filepath.Base(path)] = d.leaves(names[path])
	}
}

// leaves returns what is left of a file's contents.
func (d *simDisk) leaves(file *inode) []byte {
	contents := slices.Clone(file.durable)
	for _, e := range file.written {
		kept := slices.Clone(e.bytes)
		switch d.random.IntN(4) {
		case 0: // dropped
			continue
		case 1: // cut
			kept = kept[:d.random.IntN(len(kept)+1)]
		case 2: // garbled, or old and new mixed
			for at := 0; at < len(kept); at += 16 {
				part := kept[at:min(at+16, len(kept))]
				switch d.random.IntN(3) {
				case 0:
					copy(part, make([]byte, len(part)))
				case 1:
					part[d.random.IntN(len(part))] ^= byte(1 << d.random.IntN(8))
				}
			}
		}
		contents = overwrite(contents, e.offset, kept)
	}
	return contents
}

func overwrite(contents []byte, offset int, b []byte) []byte {
	if missing := offset + len(b) - len(contents); missing > 0 {
		contents = append(contents, make([]byte, missing)...)
	}
	copy(contents[offset:], b)
	return contents
}

func (d *simDisk) change(c nameChange) {
	delete(d.names, c.remove)
	if c.add != "" {
		d.names[c.add] = c.file
	}
	d.pending = append(d.pending, c)
}

func (d *simDisk) Create(path string) (journal.File, error) {
	file := &simFile{disk: d, inode: &inode{}}
	err := d.begin(func(bool) {
		if file.File, file.err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640); file.err == nil {
			d.change(nameChange{add: path, file: file.inode})
		}
	})
	if err = errors.Join(err, file.err); err != nil {
		return nil, err
	}
	return file, nil
}

func (d *simDisk) Rename(from, to string) (err error) {
	return errors.Join(d.begin(func(bool) {
		if err = os.Rename(from, to); err == nil {
			d.change(nameChange{add: to, remove: from, file: d.names[from]})
		}
	}), err)
}

func (d *simDisk) Remove(path string) (err error) {
	return errors.Join(d.begin(func(bool) {
		if err = os.Remove(path); err == nil {
			d.change(nameChange{remove: path})
		}
	}), err)
}

func (d *simDisk) SyncDir(string) error {
	return d.begin(func(partial bool) {
		if !partial && d.ops != d.crashAt {
			d.durable, d.pending = maps.Clone(d.names), nil
		}
	})
}

type simFile struct {
	*os.File
	disk  *simDisk
	inode *inode
	err   error
	at    int
}

func (f *simFile) Write(b []byte) (int, error) {
	n, err := f.WriteAt(b, int64(f.at))
	f.at += n
	return n, err
}

func (f *simFile) WriteAt(b []byte, offset int64) (n int, err error) {
	return n, errors.Join(f.disk.begin(func(partial bool) {
		if partial {
			b = b[:len(b)/2]
		}
		f.inode.written = append(f.inode.written, extent{int(offset), slices.Clone(b)})
		n, err = f.File.WriteAt(b, offset)
	}), err)
}

func (f *simFile) Sync() error {
	return f.disk.begin(func(partial bool) {
		if partial || f.disk.ops == f.disk.crashAt {
			return
		}
		for _, e := range f.inode.written {
			f.inode.durable = overwrite(f.inode.durable, e.offset, e.bytes)
		}
		f.inode.written = nil
	})
}

// readFiles returns the contents of all files in dir by name.
func readFiles(tb testing.TB, dir string) map[string][]byte {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, entry := range entries {
		contents, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			tb.Fatal(err)
		}
		files[entry.Name()] = contents
	}
	return files
}

// writeFiles makes a new directory with the files.
func writeFiles(tb testing.TB, files map[string][]byte) (dir string) {
	tb.Helper()
	dir = tb.TempDir()
	for name, contents := range files {
		if err := os.WriteFile(filepath.Join(dir, name), contents, 0o640); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// A fault of a full disk.
var errFull = &os.PathError{Op: "write", Path: "file", Err: syscall.ENOSPC}
