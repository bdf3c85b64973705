package main

import (
	"math/bits"
	"time"
)

const (
	latencySubBits = 5 // 32 steps per power of two: quantiles are at most 3 % too high
	latencySteps   = 1 << latencySubBits
)

// latencies is a histogram of durations in constant memory. It is not safe for concurrent use.
type latencies struct {
	counts [64 * latencySteps]uint64
	total  uint64
	max    time.Duration
}

func (l *latencies) add(d time.Duration) {
	d = max(d, 0)
	l.counts[latencyIndex(uint64(d))]++
	l.total++
	l.max = max(l.max, d)
}

// quantile returns the upper bound of the step that holds the q-th of the sorted durations, 0 if there are none.
func (l *latencies) quantile(q float64) time.Duration {
	rank := max(1, uint64(q*float64(l.total)+0.5))
	var seen uint64
	for i, count := range l.counts {
		seen += count
		if count > 0 && seen >= rank {
			return min(time.Duration(latencyUpper(i)), l.max)
		}
	}
	return 0
}

// latencyIndex: small values have a step each; above, the highest bits after the leading one choose it.
func latencyIndex(v uint64) int {
	if v < latencySteps {
		return int(v)
	}
	shift := bits.Len64(v) - 1 - latencySubBits
	return (shift+1)*latencySteps + int(v>>shift) - latencySteps
}

func latencyUpper(index int) uint64 {
	if index < latencySteps {
		return uint64(index)
	}
	shift := index/latencySteps - 1
	return (uint64(index%latencySteps+latencySteps+1) << shift) - 1
}
