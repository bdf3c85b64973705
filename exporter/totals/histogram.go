package totals

import (
	"slices"
	"sort"
)

// Histogram is the distribution of one statistic over the rooms of a series, in
// classic and native buckets at once: both are always kept, so that either can
// be switched on at any time with its history.
type Histogram struct {
	Count   uint64
	Sum     uint64
	Classic []uint64 // not cumulative; one for each bound and, last, one for +Inf
	Native  Native
	// Exemplars holds the latest of each classic bucket; without a RoomID
	// where there was none.
	Exemplars []Exemplar
}

// Exemplar is one room behind an observation.
type Exemplar struct {
	RoomID string
	Value  uint64
	Time   int64 // when it was counted, in Unix milliseconds
}

// NewHistogram returns a histogram without observations.
func NewHistogram(bounds []float64) Histogram {
	return Histogram{
		Classic:   make([]uint64, len(bounds)+1),
		Exemplars: make([]Exemplar, len(bounds)+1),
		Native:    newNative(),
	}
}

func (h *Histogram) observe(bounds []float64, e Exemplar) {
	h.Count++
	h.Sum = add(h.Sum, e.Value)
	i := bucketOf(bounds, e.Value)
	h.Classic[i]++
	h.Exemplars[i] = e
	h.Native.observe(e.Value)
}

func (h Histogram) clone() Histogram {
	h.Classic = slices.Clone(h.Classic)
	h.Exemplars = slices.Clone(h.Exemplars)
	h.Native.Buckets = slices.Clone(h.Native.Buckets)
	return h
}

// bucketOf returns the index of the first bucket whose bound is not below value.
func bucketOf(bounds []float64, value uint64) int {
	return sort.SearchFloat64s(bounds, float64(value))
}

// rebucket moves what was counted under the bounds from to the bounds to, without
// pretending to know more than was kept. A bound that stays keeps its exact count. A
// new bound starts with the count of the next lower old one: all those rooms
// are known to lie below it. Count and Sum are untouched, and no cumulative
// bucket that stays ever decreases.
func (h *Histogram) rebucket(from, to []float64) {
	classic := make([]uint64, len(to)+1)
	for i, n := range h.Classic {
		at := len(to)
		if i < len(from) {
			at = sort.SearchFloat64s(to, from[i])
		}
		classic[at] += n
	}
	exemplars := make([]Exemplar, len(to)+1)
	for _, e := range h.Exemplars {
		if at := bucketOf(to, e.Value); e.Time > exemplars[at].Time {
			exemplars[at] = e
		}
	}
	h.Classic, h.Exemplars = classic, exemplars
}
