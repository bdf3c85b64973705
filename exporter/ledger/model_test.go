package ledger

import (
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

// model is what a ledger must say, without files, batches or threads.
type model struct {
	settings Settings
	labels   *room.CategoryLabels
	totals   *totals.Totals
	rooms    uint64
	seen     map[modelKey]time.Time
}

type modelKey struct {
	sdkAppID, roomID string
	eventTime        int64
}

func keyOf(d *room.Destroyed) modelKey {
	return modelKey{d.SDKAppID, d.RoomID, d.EventTime.UnixMilli()}
}

func newModel() *model {
	return &model{totals: totals.New(totals.Bounds{}), seen: make(map[modelKey]time.Time)}
}

func (m *model) configure(s Settings, now time.Time) {
	m.settings = s
	m.totals.SetBounds(s.Bounds)
	m.labels = room.NewCategoryLabels(s.CategoryNames, s.CategoryLimit)
	for _, member := range m.totals.View().Memberships {
		m.labels.Restore(member.Category)
	}
	for _, sdkAppID := range s.SDKAppIDs {
		m.totals.Expect(sdkAppID, m.labels.Known(), now)
	}
}

// knows reports whether a room that arrives now is a duplicate.
func (m *model) knows(d *room.Destroyed, now time.Time) bool {
	at, found := m.seen[keyOf(d)]
	return found && at.Unix() >= now.Add(-m.settings.DedupeWindow).Unix()
}

func (m *model) count(d *room.Destroyed, now time.Time) {
	m.seen[keyOf(d)] = now
	m.rooms++
	labels, _ := m.labels.Append(nil, d.Categories)
	m.totals.Add(d, labels, now)
}

// created returns when each series and membership came to be.
func created(v totals.View) map[any]int64 {
	at := make(map[any]int64)
	for _, s := range v.Series {
		at[s.Key] = s.Created
	}
	for _, m := range v.Memberships {
		at[m.MembershipKey] = m.Created
	}
	return at
}

// distinct returns the rooms of a list, each once, in the order of the list.
func distinct(rooms []*room.Destroyed) (distinct []*room.Destroyed) {
	seen := make(map[modelKey]bool)
	for _, d := range rooms {
		if !seen[keyOf(d)] {
			seen[keyOf(d)] = true
			distinct = append(distinct, d)
		}
	}
	return distinct
}
