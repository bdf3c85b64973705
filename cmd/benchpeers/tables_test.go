//go:build linux

package main

import (
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	t.Parallel()
	got := table{{"server", "× bare"}, {"exporter", "1.00"}, {"–", "10.25"}}.String()
	want := `| server   | × bare |
|----------|-------:|
| exporter |   1.00 |
| –        |  10.25 |
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestTablesShowEveryRun(t *testing.T) {
	t.Parallel()
	peers, all := []*peer{
		bare:     {name: "bare"},
		memory:   {name: "memory", counted: func(string) (uint64, error) { return 0, nil }},
		journal:  {name: "journal", counted: func(string) (uint64, error) { return 0, nil }},
		telegraf: {name: "telegraf", counted: func(string) (uint64, error) { return 0, nil }},
	}, make(runs)
	for i, p := range peers {
		for _, n := range connections() {
			all[runOf{p.name, n}] = []result{{
				rate: float64(1000 * (i + 1)), p50: time.Millisecond, p99: time.Second, cpu: float64(10 * (i + 1)),
				generator: 0.25, peak: 20e6, sent: 9, counted: uint64(6 + i),
			}}
		}
	}
	lines := strings.Split(peersTable(peers, all).String(), "\n")
	if len(lines) != 2+len(peers)*len(connections())+1 {
		t.Fatalf("%d lines", len(lines))
	}
	if got, want := strings.Join(strings.Fields(lines[4]), " "),
		"| journal | 1 | 3000 | 3.00 | 0.75 | 1.00 | 1000.00 | 30.0 | 3.00 | 0.75 | 20.0 | 25 % | 8 of 9 |"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// At one connection the flush of 1 ms and the bare request of 1 ms are the bound.
	lines = strings.Split(journalTable(all, peers, durations{time.Millisecond}).String(), "\n")
	if got, want := strings.Join(strings.Fields(lines[2]), " "), "| 1 | 1.00 | 1.00 | 500 | 3000 | 6.00 | 1.00 | 0.50 |"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
