//go:build linux

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// table is one in Markdown. The first row is its header.
type table [][]string

// String aligns the columns, so that the table can be read as it is: the first one
// that is not a number to the left, all others to the right.
func (t table) String() string {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for at, row := range t {
		for i, cell := range row {
			if i == 0 {
				fmt.Fprintf(&b, "| %-*s |", widths[i], cell)
			} else {
				fmt.Fprintf(&b, " %*s |", widths[i], cell)
			}
		}
		b.WriteString("\n")
		if at > 0 {
			continue
		}
		for i, width := range widths {
			if i == 0 {
				b.WriteString("|" + strings.Repeat("-", width+2) + "|")
			} else {
				b.WriteString(strings.Repeat("-", width+1) + ":|")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// peersTable shows all peers at all connections.
func peersTable(peers []*peer, all runs) table {
	t := table{{"server", "connections", "requests/s", "× bare", "× Telegraf", "p50 ms", "p99 ms",
		"CPU s/10⁶", "× bare", "× Telegraf", "peak MB", "load's CPU", "counted of sent"}}
	rate := func(r result) float64 { return r.rate }
	cpu := func(r result) float64 { return r.cpu }
	for _, n := range connections() {
		limit, other := all[runOf{peers[bare].name, n}], all[runOf{peers[telegraf].name, n}]
		for _, p := range peers {
			results := all[runOf{p.name, n}]
			t = append(t, []string{
				p.name, strconv.Itoa(n),
				fmt.Sprintf("%.0f", medianOf(results, rate)),
				ratio(ratioOf(results, limit, rate)), ratio(ratioOf(results, other, rate)),
				milliseconds(medianOf(results, func(r result) time.Duration { return r.p50 })),
				milliseconds(medianOf(results, func(r result) time.Duration { return r.p99 })),
				fmt.Sprintf("%.1f", medianOf(results, cpu)),
				ratio(ratioOf(results, limit, cpu)), ratio(ratioOf(results, other, cpu)),
				megabytes(medianOf(results, func(r result) int64 { return r.peak })),
				fmt.Sprintf("%.0f %%", 100*medianOf(results, func(r result) float64 { return r.generator })),
				counted(p, results),
			})
		}
	}
	return t
}

// counted tells how many rooms were counted of those sent, in all rounds.
func counted(p *peer, results []result) string {
	if p.counted == nil {
		return "–"
	}
	var counted, sent uint64
	for _, r := range results {
		counted += r.counted
		sent += r.sent
	}
	if counted == sent {
		return fmt.Sprintf("all %d", sent)
	}
	return fmt.Sprintf("%d of %d", counted, sent)
}

// journalTable shows what the disk allows: no request can be answered in less time
// than one flush and all that a bare request takes, and no more requests can share a
// flush than there are connections.
func journalTable(all runs, peers []*peer, flushes durations) table {
	t := table{{"connections", "flush p50 ms", "flush p99 ms", "bound, requests/s", "journal on", "of the bound", "p50 ms", "× (flush + bare at 1)"}}
	p50 := func(r result) time.Duration { return r.p50 }
	rate := func(r result) float64 { return r.rate }
	least := flushes.quantile(0.5) + medianOf(all[runOf{peers[bare].name, 1}], p50)
	for _, n := range connections() {
		results := all[runOf{peers[journal].name, n}]
		bound := min(float64(n)/least.Seconds(), medianOf(all[runOf{peers[bare].name, n}], rate))
		t = append(t, []string{
			strconv.Itoa(n),
			milliseconds(flushes.quantile(0.5)), milliseconds(flushes.quantile(0.99)),
			fmt.Sprintf("%.0f", bound),
			fmt.Sprintf("%.0f", medianOf(results, rate)),
			ratio(medianOf(results, rate) / bound),
			milliseconds(medianOf(results, p50)),
			ratio(medianOf(results, p50).Seconds() / least.Seconds()),
		})
	}
	return t
}

// scrapesTable shows webhooks without and with scrapes.
func scrapesTable(r scrapes) table {
	t := table{{"webhooks, 64 connections, 1,000 series", "p50 ms", "p99 ms"}}
	row := func(name string, l []latencies) {
		t = append(t, []string{name,
			milliseconds(medianOf(l, func(l latencies) time.Duration { return l.p50 })),
			milliseconds(medianOf(l, func(l latencies) time.Duration { return l.p99 }))})
	}
	row("without any scrape", r.without)
	row("that met one of a scrape each "+scrapeEach.String(), r.during)
	return append(t,
		[]string{"a scrape itself, under this load", milliseconds(r.took.quantile(0.5)), milliseconds(r.took.quantile(0.99))},
		[]string{fmt.Sprintf("peak MB when %d rooms were counted", dayOfRooms), megabytes(r.peak), ""})
}

// startsTable shows what a server takes before there is any load.
func startsTable(peers []*peer, starts [numPeers][]started) table {
	t := table{{"server", "ms to the first answer", "idle MB", "binary MB"}}
	for i, p := range peers {
		size := "–" // the bare handler is a part of this binary
		if i != bare {
			size = megabytes(starts[i][0].size)
		}
		t = append(t, []string{p.name,
			milliseconds(medianOf(starts[i], func(s started) time.Duration { return s.startUp })),
			megabytes(medianOf(starts[i], func(s started) int64 { return s.idle })), size})
	}
	return t
}

func ratio(r float64) string { return fmt.Sprintf("%.2f", r) }

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1e3) }

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/1e6) }
