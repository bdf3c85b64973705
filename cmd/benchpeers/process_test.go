//go:build linux

package main

import (
	"testing"
	"time"
)

func TestParseCPU(t *testing.T) {
	t.Parallel()
	const stat = "4242 (a ) name) S 1 4242 4242 0 -1 4194560 900 0 0 0 123 45 0 0 20 0 9 0 11111 2222 333"
	got, err := parseCPU(stat)
	if want := 1680 * time.Millisecond; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if _, err := parseCPU("4242 (name) S 1"); err == nil {
		t.Error("no error")
	}
}

func TestParseMemory(t *testing.T) {
	t.Parallel()
	const status = "Name:\tx\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n"
	got, err := parseMemory(status, residentPeak)
	if err != nil || got != 20<<20 {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := parseMemory(status, "VmSwap"); err == nil {
		t.Error("no error")
	}
}

func TestSumOf(t *testing.T) {
	t.Parallel()
	const exposition = `# TYPE rooms_total counter
rooms_total{category="1"} 3
rooms_total{category="}"} 1.5e+06
rooms_total_other{category="1"} 9
viewers_bucket{le="1"} 7
viewers_bucket{le="+Inf"} 8
`
	for _, c := range []struct {
		prefix, label string
		want          uint64
	}{{"rooms_total{", "", 1500003}, {"viewers_bucket{", `le="+Inf"`, 8}, {"none{", "", 0}} {
		if got, err := sumOf(exposition, c.prefix, c.label); err != nil || got != c.want {
			t.Errorf("%s: got %d, %v", c.prefix, got, err)
		}
	}
	if _, err := sumOf("x{} y\n", "x{", ""); err == nil {
		t.Error("no error")
	}
}
