package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settleTime is how long a folder must be quiet before its files are read: an
	// editor, or a copy of several files, is rarely done with its first write.
	settleTime = 250 * time.Millisecond
	// settleLimit is how long a folder that is never quiet is waited for.
	settleLimit = 2 * time.Second
	// lookAnyway is how often files are looked at without a sign of a change: network
	// file systems give none, nor does a system that has run out of watches.
	lookAnyway = 30 * time.Second
)

// A Watcher notices that files hold something else than before, however that came about: written in place, renamed
// over, or behind a symbolic link that leads elsewhere, as in Kubernetes' volumes.
type Watcher struct {
	files  func() []string
	logger *slog.Logger
	seen   [sha256.Size]byte
	warned bool
}

// NewWatcher returns a Watcher of the files that files names, each time it is asked. Called before these files are
// loaded, it misses no change.
func NewWatcher(logger *slog.Logger, files func() []string) *Watcher {
	return &Watcher{files: files, logger: logger, seen: fingerprint(files())}
}

// Run calls changed after each change, until ctx is done. A change is noticed within a second or two on local file
// systems, else within half a minute. Run may be called once.
func (w *Watcher) Run(ctx context.Context, changed func()) {
	for ctx.Err() == nil {
		w.round(ctx, changed)
	}
}

// round waits for one sign of a change. What it watches is set up anew each time: links may lead elsewhere by then,
// and the files be others.
func (w *Watcher) round(ctx context.Context, changed func()) {
	var (
		events chan fsnotify.Event
		errs   chan error
	)
	files := w.files()
	if notify, err := fsnotify.NewWatcher(); err == nil {
		defer notify.Close()
		events, errs = notify.Events, notify.Errors
		for _, folder := range folders(files) {
			if err := notify.Add(folder); err != nil {
				w.warn(err)
			}
		}
	} else {
		w.warn(err)
	}
	// Not before the folders are watched: a change from here on is a sign.
	if now := fingerprint(files); now != w.seen {
		w.seen = now
		changed()
		return
	}
	anyway := time.NewTimer(lookAnyway)
	defer anyway.Stop()
	select {
	case <-events:
	case <-errs: // signs were lost
	case <-anyway.C:
		return
	case <-ctx.Done():
		return
	}
	limit := time.NewTimer(settleLimit)
	defer limit.Stop()
	for {
		quiet := time.NewTimer(settleTime)
		select {
		case <-events:
			quiet.Stop()
		case <-errs:
			quiet.Stop()
		case <-quiet.C:
			return
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// warn tells once that changes are noticed late.
func (w *Watcher) warn(err error) {
	if !w.warned {
		w.warned = true
		w.logger.Warn("Watching the configuration failed, a change is noticed late", "within", lookAnyway, "err", err)
	}
}

// fingerprint is another one when any of the files holds something else.
func fingerprint(files []string) (sum [sha256.Size]byte) {
	all := sha256.New()
	for _, file := range files {
		var content [sha256.Size]byte
		state := ""
		// Anything but a regular file, a pipe for one, could hold us up for ever.
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			state = "not a file"
		} else if data, err := readFile(file, maxFileBytes); err != nil {
			state = err.Error()
		} else {
			content = sha256.Sum256(data)
		}
		fmt.Fprintf(all, "%q %q %x\n", file, state, content)
	}
	all.Sum(sum[:0])
	return sum
}

// folders returns the folders whose entries decide what the files are: their own and, where there are symbolic links on
// the way, those that hold the links. Of a file whose folder is missing it is the one in which that would appear.
func folders(files []string) []string {
	seen := map[string]bool{}
	var all []string
	for _, file := range files {
		path, err := filepath.Abs(file)
		if err != nil {
			continue
		}
		for _, folder := range foldersOnTheWay(path) {
			if !seen[folder] {
				seen[folder] = true
				all = append(all, folder)
			}
		}
	}
	return all
}

func foldersOnTheWay(path string) (all []string) {
	const maxLinks = 40 // as many as Linux follows
	for range maxLinks {
		link, target := firstLink(path)
		all = append(all, filepath.Dir(link))
		if target == "" {
			break
		}
		path = target
	}
	return all
}

// firstLink returns the first symbolic link on a clean, absolute path, and the path that goes on from what it leads to.
// Without a link it returns the path itself, or the first part of it that is missing, and "".
func firstLink(path string) (link, target string) {
	for end := 1; end <= len(path); end++ {
		if end < len(path) && path[end] != filepath.Separator {
			continue
		}
		part, rest := path[:end], path[end:]
		info, err := os.Lstat(part)
		if err != nil {
			return part, ""
		}
		if info.Mode()&os.ModeSymlink == 0 {
			continue
		}
		target, err := os.Readlink(part)
		if err != nil {
			return part, ""
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(part), target)
		}
		return part, filepath.Join(target, rest)
	}
	return path, ""
}
