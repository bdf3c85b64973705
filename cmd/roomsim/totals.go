package main

import (
	"cmp"
	"slices"
)

// totals is what a correct exporter shows after counting each added room once. All sums are integers. It is not
// safe for concurrent use.
type totals struct {
	series     map[seriesKey]*sums
	categories map[categoryKey]*sums
}

type seriesKey struct {
	appID       string
	destroyType string
	category    string
}

type categoryKey struct {
	appID    string
	category string
}

type sums struct {
	rooms             uint64
	withoutStatistics uint64
	values            [statisticCount]uint64
	observations      [statisticCount]uint64
}

func newTotals() *totals {
	return &totals{series: map[seriesKey]*sums{}, categories: map[categoryKey]*sums{}}
}

// add counts a room in its one series, and as a member of each of its categories.
func (t *totals) add(r *room) {
	sumsOf(t.series, seriesKey{r.appID, r.destroyType, r.label()}).add(r)
	if len(r.categories) == 0 {
		sumsOf(t.categories, categoryKey{r.appID, labelNone}).add(r)
	}
	for _, c := range r.categories {
		sumsOf(t.categories, categoryKey{r.appID, c.label}).add(r)
	}
}

func sumsOf[K comparable](m map[K]*sums, key K) *sums {
	s := m[key]
	if s == nil {
		s = &sums{}
		m[key] = s
	}
	return s
}

func (s *sums) add(r *room) {
	s.rooms++
	if !r.hasStatistic {
		s.withoutStatistics++
	}
	for i, stat := range r.statistics {
		if stat.known {
			s.values[i] += stat.value
			s.observations[i]++
		}
	}
}

// sortedSeries returns the series by app, destroy type and category.
func (t *totals) sortedSeries() []Series {
	out := make([]Series, 0, len(t.series))
	for key, s := range t.series {
		out = append(out, Series{
			SDKAppID:               key.appID,
			DestroyType:            key.destroyType,
			Category:               key.category,
			RoomsDestroyed:         s.rooms,
			Statistics:             newStatistics(s.values),
			RoomsWithoutStatistics: s.withoutStatistics,
			Observations:           newStatistics(s.observations),
		})
	}
	slices.SortFunc(out, func(a, b Series) int {
		return cmp.Or(cmp.Compare(a.SDKAppID, b.SDKAppID), cmp.Compare(a.DestroyType, b.DestroyType), cmp.Compare(a.Category, b.Category))
	})
	return out
}

// sortedCategories returns the memberships by app and category.
func (t *totals) sortedCategories() []Category {
	out := make([]Category, 0, len(t.categories))
	for key, s := range t.categories {
		out = append(out, Category{SDKAppID: key.appID, Category: key.category, RoomsDestroyed: s.rooms, Statistics: newStatistics(s.values)})
	}
	slices.SortFunc(out, func(a, b Category) int {
		return cmp.Or(cmp.Compare(a.SDKAppID, b.SDKAppID), cmp.Compare(a.Category, b.Category))
	})
	return out
}
