//go:build linux

package main

import (
	"math"
	"slices"
	"time"
)

// durations are unordered measurements.
type durations []time.Duration

// quantile returns the smallest of the durations that a share q of all does not
// exceed; 0 when there are none. It sorts them.
func (d durations) quantile(q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	rank := int(math.Ceil(q * float64(len(d))))
	return d[min(max(rank, 1), len(d))-1]
}

// number is what a median is taken of.
type number interface{ ~int64 | ~float64 }

// medianOf returns the median of what value says of each of the results: the middle
// one or, of an even number, the mean of the two in the middle.
func medianOf[R any, N number](results []R, value func(R) N) N {
	values := make([]N, 0, len(results))
	for _, r := range results {
		values = append(values, value(r))
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// ratioOf returns the median of the ratios of two peers in each round: what changed
// between rounds touched both.
func ratioOf(results, others []result, value func(result) float64) float64 {
	ratios := make([]float64, 0, len(results))
	for round := range results {
		ratios = append(ratios, value(results[round])/value(others[round]))
	}
	return medianOf(ratios, func(r float64) float64 { return r })
}
