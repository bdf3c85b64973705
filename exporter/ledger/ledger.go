// Package ledger decides whether a destroyed room is new or a duplicate and
// counts the new ones. Identities and totals live and die together.
package ledger

import (
	"log/slog"
	"sync"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

// Settings are the part of the configuration that decides how rooms are counted.
type Settings struct {
	SDKAppIDs     []string
	CategoryNames map[int64]string
	CategoryLimit int
	Bounds        totals.Bounds
	DedupeWindow  time.Duration
}

// Observer is told what the ledger alone knows, from any goroutine.
type Observer interface {
	CategoryOverflow(sdkAppID string) // a room's category fell under room.CategoryOther
}

// Ledger counts rooms. All methods may be called from any goroutine.
type Ledger struct {
	logger   *slog.Logger
	observer Observer

	mu         sync.Mutex
	identities *identities
	categories *room.CategoryLabels
	totals     *totals.Totals
	labels     []string // reused by Record
}

// New returns a ledger that keeps everything in memory.
func New(settings Settings, observer Observer, logger *slog.Logger) *Ledger {
	l := &Ledger{
		logger:     logger,
		observer:   observer,
		identities: newIdentities(settings.DedupeWindow),
		totals:     totals.New(settings.Bounds),
	}
	l.Configure(settings)
	return l
}

// Configure puts new settings into force. Nothing that was counted is lost or
// moved: apps and names that are gone keep their series.
func (l *Ledger) Configure(settings Settings) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.identities.window = settings.DedupeWindow
	l.totals.SetBounds(settings.Bounds)
	l.categories = room.NewCategoryLabels(settings.CategoryNames, settings.CategoryLimit)
	for _, m := range l.totals.View().Memberships {
		l.categories.Restore(m.Category)
	}
	for _, sdkAppID := range settings.SDKAppIDs {
		l.totals.Expect(sdkAppID, l.categories.Known(), time.Now())
	}
}

// Record counts a room, unless it did so before within the window for
// duplicates. It does not keep destroyed.
func (l *Ledger) Record(destroyed *room.Destroyed) (duplicate bool) {
	id, fingerprint := identityOf(destroyed), fingerprintOf(&destroyed.Statistics)
	l.mu.Lock()
	now := time.Now()
	l.identities.forget(now)
	first, duplicate := l.identities.seen[id]
	if duplicate {
		l.mu.Unlock()
		if first.fingerprint != fingerprint {
			l.logger.Warn("A room was delivered again with other statistics; the first ones stand", "room", destroyed)
		}
		return true
	}
	l.identities.add(id, fingerprint, now)
	var overflowed bool
	l.labels, overflowed = l.categories.Append(l.labels[:0], destroyed.Categories)
	l.totals.Add(destroyed, l.labels, now)
	l.mu.Unlock()
	if overflowed {
		l.observer.CategoryOverflow(destroyed.SDKAppID)
	}
	return false
}

// View returns all totals at one moment.
func (l *Ledger) View() totals.View {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.totals.View()
}
