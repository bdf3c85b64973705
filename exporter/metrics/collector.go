// Package metrics renders totals as Prometheus metrics and keeps the exporter's
// own. It only reads the totals.
package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

// Rendering says how totals are shown. At least one of Classic and Native is set.
type Rendering struct {
	Classic       bool          // histograms have classic buckets
	Native        bool          // histograms are native ones
	Exemplars     bool          // histograms carry the latest room_id of each bucket
	NewSeriesHold time.Duration // a series that a room brought into being shows 0 for so long
}

// Collector is a prometheus.Collector of the domain metrics. Each collection
// takes one view, so all families of a scrape are of the same moment.
type Collector struct {
	families families
	names    labelNames
	source   func() (totals.View, Rendering)
}

// labelNames are what all label pairs point to.
type labelNames struct{ sdkAppID, destroyType, category string }

// NewCollector returns a Collector that asks source at each collection, from
// any goroutine.
func NewCollector(source func() (totals.View, Rendering)) *Collector {
	return &Collector{
		families: newFamilies(),
		names:    labelNames{labelSDKAppID, labelDestroyType, labelCategory},
		source:   source,
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range c.families.all() {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	view, rendering := c.source()
	now := time.Now()
	for _, s := range view.Series {
		if rendering.holds(s.Origin, now) {
			s = emptySeries(s, view.Bounds)
		}
		c.collectSeries(metrics, s, &view.Bounds, rendering)
	}
	for _, m := range view.Memberships {
		if rendering.holds(m.Origin, now) {
			m = &totals.Membership{MembershipKey: m.MembershipKey, Origin: m.Origin}
		}
		c.collectMembership(metrics, m)
	}
}

// holds reports whether a series must still be shown at 0, so that increase() sees
// its first rooms.
func (r *Rendering) holds(origin totals.Origin, now time.Time) bool {
	return origin.Late && now.UnixMilli()-origin.Created < r.NewSeriesHold.Milliseconds()
}

// Holds reports whether anything of the view is shown at 0 that is more.
func (r *Rendering) Holds(view totals.View, now time.Time) bool {
	return slices.ContainsFunc(view.Series, func(s *totals.Series) bool { return r.holds(s.Origin, now) }) ||
		slices.ContainsFunc(view.Memberships, func(m *totals.Membership) bool { return r.holds(m.Origin, now) })
}

// emptySeries returns s as it was before its first room.
func emptySeries(s *totals.Series, bounds totals.Bounds) *totals.Series {
	empty := &totals.Series{Key: s.Key, Origin: s.Origin}
	for _, statistic := range room.AllStatistics() {
		empty.Histograms[statistic] = totals.NewHistogram(bounds[statistic])
	}
	return empty
}

func (c *Collector) collectSeries(metrics chan<- prometheus.Metric, s *totals.Series, bounds *totals.Bounds, rendering Rendering) {
	labels := []*dto.LabelPair{
		{Name: &c.names.category, Value: &s.Category},
		{Name: &c.names.destroyType, Value: proto.String(s.DestroyType.String())},
		{Name: &c.names.sdkAppID, Value: &s.SDKAppID},
	}
	created := timestamppb.New(time.UnixMilli(s.Created))
	counters := make([]counter, 2+room.NumStatistics)
	counters[0].set(c.families.rooms, labels, s.Rooms, created)
	counters[1].set(c.families.withoutStatistics, labels, s.WithoutStatistics, created)
	histograms := make([]histogram, room.NumStatistics)
	for _, statistic := range room.AllStatistics() {
		data := &s.Histograms[statistic]
		counters[2+statistic].set(c.families.sums[statistic], labels, data.Sum, created)
		histograms[statistic].set(c.families.histograms[statistic], labels, data, bounds[statistic], created, rendering)
		metrics <- &histograms[statistic]
	}
	for i := range counters {
		metrics <- &counters[i]
	}
}

func (c *Collector) collectMembership(metrics chan<- prometheus.Metric, m *totals.Membership) {
	labels := []*dto.LabelPair{
		{Name: &c.names.category, Value: &m.Category},
		{Name: &c.names.sdkAppID, Value: &m.SDKAppID},
	}
	created := timestamppb.New(time.UnixMilli(m.Created))
	counters := make([]counter, 1+room.NumStatistics)
	counters[0].set(c.families.categoryRooms, labels, m.Rooms, created)
	for _, statistic := range room.AllStatistics() {
		counters[1+statistic].set(c.families.categorySums[statistic], labels, m.Sums[statistic], created)
	}
	for i := range counters {
		metrics <- &counters[i]
	}
}
