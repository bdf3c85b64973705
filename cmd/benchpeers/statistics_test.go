//go:build linux

package main

import (
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	var hundred durations
	for i := 100; i > 0; i-- {
		hundred = append(hundred, time.Duration(i))
	}
	for _, c := range []struct {
		of   durations
		q    float64
		want time.Duration
	}{
		{nil, 0.5, 0}, {durations{7}, 0.5, 7}, {durations{7}, 0.99, 7}, {durations{3, 1, 2}, 0.5, 2},
		{hundred, 0, 1}, {hundred, 0.5, 50}, {hundred, 0.99, 99}, {hundred, 1, 100},
	} {
		if got := c.of.quantile(c.q); got != c.want {
			t.Errorf("quantile %g of %d durations is %d, not %d", c.q, len(c.of), got, c.want)
		}
	}
}

func TestMedians(t *testing.T) {
	t.Parallel()
	identity := func(f float64) float64 { return f }
	for _, c := range []struct {
		of   []float64
		want float64
	}{{[]float64{5}, 5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 9, 2}, 3}} {
		if got := medianOf(c.of, identity); got != c.want {
			t.Errorf("median of %v is %g", c.of, got)
		}
	}
	// Each round was twice as fast as the one before: the ratio stays.
	ours := []result{{rate: 1}, {rate: 2}, {rate: 4}}
	theirs := []result{{rate: 2}, {rate: 4}, {rate: 8}}
	if got := ratioOf(ours, theirs, func(r result) float64 { return r.rate }); got != 0.5 {
		t.Errorf("ratio is %g", got)
	}
}

func TestLatenciesOfThoseThatMetAScrape(t *testing.T) {
	t.Parallel()
	start := time.Unix(0, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	answers := []answer{
		{at(10), 5 * time.Millisecond},   // over before
		{at(25), 10 * time.Millisecond},  // into it
		{at(35), 3 * time.Millisecond},   // within
		{at(60), 60 * time.Millisecond},  // all around it
		{at(100), 20 * time.Millisecond}, // after
	}
	if got := latenciesOf(answers, []span{{at(20), at(40)}}); got != (latencies{10 * time.Millisecond, 60 * time.Millisecond}) {
		t.Errorf("got %v", got)
	}
	if got := latenciesOf(answers, nil); got != (latencies{10 * time.Millisecond, 60 * time.Millisecond}) {
		t.Errorf("of all: got %v", got)
	}
}
