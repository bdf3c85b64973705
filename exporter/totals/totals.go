// Package totals adds destroyed rooms up: counters and histograms per series as
// plain data, which can be encoded and decoded. It knows nothing of Prometheus'
// client, of HTTP or of files.
package totals

import (
	"slices"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// Key names a Series: the labels of all domain metrics.
type Key struct {
	SDKAppID    string
	DestroyType room.DestroyType
	Category    string // the room's first category
}

// Series is what all rooms of one Key add up to. Every room adds to exactly one.
type Series struct {
	Key
	Origin
	Rooms             uint64
	WithoutStatistics uint64 // rooms whose payload had no Statistic

	// Histograms are indexed by room.Statistic. A histogram's Sum is the
	// statistic's counter: both add the same numbers.
	Histograms [room.NumStatistics]Histogram

	epoch uint64
}

// MembershipKey names a Membership.
type MembershipKey struct {
	SDKAppID string
	Category string
}

// Membership is what all rooms add up to that carry a category at all, be it
// their first or not. A room adds to one Membership for each of its categories.
type Membership struct {
	MembershipKey
	Origin
	Rooms uint64
	Sums  [room.NumStatistics]uint64 // indexed by room.Statistic

	epoch uint64
}

// Origin tells when and how a series came to be.
type Origin struct {
	Created int64 // Unix milliseconds
	// Late says that a room brought the series into being, not the configuration.
	Late bool
}

// Totals holds all series. The zero value is not usable, see New. It must be
// used by one goroutine at a time; the Views it gives out may be read by any.
//
// Series are copied on write: a View shares them, and the first change after
// it puts a copy in the series' place. So a View costs a list of pointers and
// is never seen half changed.
type Totals struct {
	bounds      Bounds
	series      []*Series
	memberships []*Membership
	seriesAt    map[Key]int
	memberAt    map[MembershipKey]int
	epoch       uint64
}

// New returns empty totals whose classic histogram buckets have those bounds.
func New(bounds Bounds) *Totals {
	return &Totals{
		bounds:   bounds,
		seriesAt: make(map[Key]int),
		memberAt: make(map[MembershipKey]int),
	}
}

// View is all totals at one moment. Nothing in it may be changed. Series and
// memberships are in the order in which they came to be.
type View struct {
	Bounds      Bounds
	Series      []*Series
	Memberships []*Membership
}

// View returns the totals as they are now.
func (t *Totals) View() View {
	t.epoch++
	return View{
		Bounds:      t.bounds,
		Series:      append([]*Series(nil), t.series...),
		Memberships: append([]*Membership(nil), t.memberships...),
	}
}

// SetBounds changes the bounds of the classic buckets. Counts and sums stay as
// they are; see Histogram.rebucket for what becomes of the buckets.
func (t *Totals) SetBounds(bounds Bounds) {
	for _, statistic := range room.AllStatistics() {
		if slices.Equal(t.bounds[statistic], bounds[statistic]) {
			continue
		}
		for _, s := range t.series {
			h := &t.seriesOf(s.Key, s.Origin).Histograms[statistic]
			h.rebucket(t.bounds[statistic], bounds[statistic])
		}
	}
	t.bounds = bounds
}

// Expect makes sure that the series and memberships of an app exist, at zero if
// they are new, for every destroy type and each of the categories.
func (t *Totals) Expect(sdkAppID string, categories []string, now time.Time) {
	origin := Origin{Created: now.UnixMilli()}
	for _, category := range categories {
		for _, destroyType := range room.DestroyTypes() {
			t.seriesOf(Key{sdkAppID, destroyType, category}, origin)
		}
		t.membershipOf(MembershipKey{sdkAppID, category}, origin)
	}
}

// Add counts one room under the labels of its categories, the first of which
// names its series; there must be at least one, and none twice.
func (t *Totals) Add(r *room.Destroyed, labels []string, now time.Time) {
	origin := Origin{Created: now.UnixMilli(), Late: true}
	s := t.seriesOf(Key{r.SDKAppID, r.DestroyType, labels[0]}, origin)
	s.Rooms++
	if !r.Statistics.Present {
		s.WithoutStatistics++
	}
	exemplar := Exemplar{RoomID: r.RoomID, Time: now.UnixMilli()}
	for _, statistic := range room.AllStatistics() {
		if value, known := r.Statistics.Get(statistic); known {
			exemplar.Value = value
			s.Histograms[statistic].observe(t.bounds[statistic], exemplar)
		}
	}
	for _, label := range labels {
		m := t.membershipOf(MembershipKey{r.SDKAppID, label}, origin)
		m.Rooms++
		for _, statistic := range room.AllStatistics() {
			value, _ := r.Statistics.Get(statistic)
			m.Sums[statistic] = add(m.Sums[statistic], value)
		}
	}
}

// seriesOf returns the series of key for writing.
func (t *Totals) seriesOf(key Key, origin Origin) *Series {
	i, ok := t.seriesAt[key]
	if !ok {
		s := &Series{Key: key, Origin: origin, epoch: t.epoch}
		for _, statistic := range room.AllStatistics() {
			s.Histograms[statistic] = NewHistogram(t.bounds[statistic])
		}
		t.insertSeries(s)
		return s
	}
	s := t.series[i]
	if s.epoch != t.epoch {
		s = s.clone()
		s.epoch = t.epoch
		t.series[i] = s
	}
	return s
}

func (t *Totals) membershipOf(key MembershipKey, origin Origin) *Membership {
	i, ok := t.memberAt[key]
	if !ok {
		m := &Membership{MembershipKey: key, Origin: origin, epoch: t.epoch}
		t.insertMembership(m)
		return m
	}
	m := t.memberships[i]
	if m.epoch != t.epoch {
		copied := *m
		m = &copied
		m.epoch = t.epoch
		t.memberships[i] = m
	}
	return m
}

func (t *Totals) insertSeries(s *Series) {
	t.seriesAt[s.Key] = len(t.series)
	t.series = append(t.series, s)
}

func (t *Totals) insertMembership(m *Membership) {
	t.memberAt[m.MembershipKey] = len(t.memberships)
	t.memberships = append(t.memberships, m)
}

func (s *Series) clone() *Series {
	c := *s
	for i := range c.Histograms {
		c.Histograms[i] = s.Histograms[i].clone()
	}
	return &c
}

// add adds without wrapping around: a counter never goes backwards.
func add(a, b uint64) uint64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return ^uint64(0)
}
