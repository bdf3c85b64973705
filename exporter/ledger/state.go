package ledger

import (
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

// Settings are the part of the configuration that decides how rooms are counted.
type Settings struct {
	SDKAppIDs     []string         `json:"sdk_app_ids"`
	CategoryNames map[int64]string `json:"category_names"`
	CategoryLimit int              `json:"category_limit"`
	Bounds        totals.Bounds    `json:"bounds"`
	DedupeWindow  time.Duration    `json:"dedupe_window"` // nanoseconds
}

// state is what the entries so far add up to. It changes by apply alone, and the
// same entries in the same order always make the same state.
type state struct {
	sequence   uint64 // of the last entry
	settings   Settings
	identities *identities
	categories *room.CategoryLabels
	totals     *totals.Totals

	labels []string // reused
}

func newState() *state {
	return &state{
		identities: newIdentities(),
		categories: room.NewCategoryLabels(nil, 0),
		totals:     totals.New(totals.Bounds{}),
	}
}

// apply applies the next entry. A room in it is counted, duplicate or not:
// whoever makes entries asks the identities first. overflowed says that a category of
// the room fell under room.CategoryOther.
func (s *state) apply(e *entry, id identity, fingerprint uint32) (overflowed bool) {
	s.sequence++
	if e.settings != nil {
		s.configure(*e.settings, e.at)
		return false
	}
	s.identities.forget(e.at)
	s.identities.add(sighting{id: id, at: uint32(e.at.Unix()), fingerprint: fingerprint})
	s.labels, overflowed = s.categories.Append(s.labels[:0], e.room.Categories)
	s.totals.Add(e.room, s.labels, e.at)
	return overflowed
}

// configure puts settings into force. What was counted stays under the labels it
// was counted under; apps and names that are gone keep their series.
func (s *state) configure(settings Settings, now time.Time) {
	s.settings = settings
	s.identities.window = settings.DedupeWindow
	s.totals.SetBounds(settings.Bounds)
	s.restoreCategories()
	for _, sdkAppID := range settings.SDKAppIDs {
		s.totals.Expect(sdkAppID, s.categories.Known(), now)
	}
}

// restoreCategories makes the labels of the settings, with the unnamed
// categories that were seen already: each has a membership under its own label.
func (s *state) restoreCategories() {
	s.categories = room.NewCategoryLabels(s.settings.CategoryNames, s.settings.CategoryLimit)
	for _, m := range s.totals.View().Memberships {
		s.categories.Restore(m.Category)
	}
}
