package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// writeText writes the report as aligned tables, the totals first.
func (r *Report) writeText(w io.Writer) error {
	out := bufio.NewWriter(w)
	writeTotals(out, "Totals of a correct exporter, each acknowledged room counted once", r.Series, r.Categories)
	if r.RoomsUncertain > 0 {
		fmt.Fprintf(out, "\n!!! UNCERTAIN: %d rooms were sent and never answered. They may or may not have been counted.\n"+
			"!!! They are NOT in the totals above; the exporter may show up to this much more:\n", r.RoomsUncertain)
		writeTotals(out, "Uncertain", r.UncertainSeries, r.UncertainCategories)
	}
	fmt.Fprintln(out, "\nDelivery")
	r.writeDelivery(out)
	if r.BehindSchedule {
		fmt.Fprintf(out, "\n!!! BEHIND SCHEDULE: the receiver did not keep up with %v rooms/s, it took %.1f.\n"+
			"!!! Rooms were sent up to %s late, the last one %s.\n",
			r.AskedRate, r.AchievedRate, seconds(r.BehindSecondsMax), seconds(r.BehindSecondsEnd))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func newTable(w io.Writer, flags uint) *tabwriter.Writer {
	return tabwriter.NewWriter(w, 0, 0, 2, ' ', flags)
}

// writeTotals writes into a buffer that keeps the first error for its Flush.
func writeTotals(out *bufio.Writer, title string, series []Series, categories []Category) {
	fmt.Fprintf(out, "%s\n\n", title)
	table := newTable(out, tabwriter.AlignRight)
	fmt.Fprintln(table, "sdk_app_id\tdestroy_type\tcategory\trooms_destroyed\tviewers\tgifts\tgift_coins\tgift_senders\tlikes\trooms_without_statistics\t")
	var all Series
	for _, s := range series {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%d\t\n", s.SDKAppID, s.DestroyType, s.Category, s.RoomsDestroyed, s.Statistics.cells(), s.RoomsWithoutStatistics)
		all.RoomsDestroyed += s.RoomsDestroyed
		all.RoomsWithoutStatistics += s.RoomsWithoutStatistics
		all.Statistics = all.Statistics.plus(s.Statistics)
		all.Observations = all.Observations.plus(s.Observations)
	}
	fmt.Fprintf(table, "sum\t\t\t%d\t%s\t%d\t\n", all.RoomsDestroyed, all.Statistics.cells(), all.RoomsWithoutStatistics)
	table.Flush()

	fmt.Fprint(out, "\nObservations of the histograms\n\n")
	table = newTable(out, tabwriter.AlignRight)
	fmt.Fprintln(table, "sdk_app_id\tdestroy_type\tcategory\tviewers\tgifts\tgift_coins\tgift_senders\tlikes\t")
	for _, s := range series {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t\n", s.SDKAppID, s.DestroyType, s.Category, s.Observations.cells())
	}
	fmt.Fprintf(table, "sum\t\t\t%s\t\n", all.Observations.cells())
	table.Flush()

	fmt.Fprint(out, "\nBy each category of a room (not to be summed)\n\n")
	table = newTable(out, tabwriter.AlignRight)
	fmt.Fprintln(table, "sdk_app_id\tcategory\trooms_destroyed\tviewers\tgifts\tgift_coins\tgift_senders\tlikes\t")
	for _, c := range categories {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t\n", c.SDKAppID, c.Category, c.RoomsDestroyed, c.Statistics.cells())
	}
	table.Flush()
}

func (r *Report) writeDelivery(out *bufio.Writer) {
	table := newTable(out, 0)
	row := func(name, format string, values ...any) {
		fmt.Fprintf(table, "  %s\t%s\n", name, fmt.Sprintf(format, values...))
	}
	row("seed", "%d", r.Seed)
	row("elapsed", "%s", seconds(r.ElapsedSeconds))
	if r.Interrupted {
		row("interrupted", "yes")
	}
	if r.AskedRate > 0 {
		row("asked rate", "%v rooms/s", r.AskedRate)
		row("behind schedule", "at most %s, at the end %s", seconds(r.BehindSecondsMax), seconds(r.BehindSecondsEnd))
	}
	row("achieved rate", "%.1f rooms/s", r.AchievedRate)
	row("rooms sent", "%d", r.RoomsSent)
	row("rooms acknowledged", "%d", r.RoomsAcknowledged)
	row("rooms rejected", "%d", r.RoomsRejected)
	row("rooms uncertain", "%d", r.RoomsUncertain)
	row("rooms unreachable", "%d", r.RoomsUnreachable)
	row("requests sent", "%d", r.RequestsSent)
	row("retries", "%d", r.Retries)
	row("duplicates", "%d sent, %d acknowledged", r.DuplicatesSent, r.DuplicatesAcknowledged)
	row("other commands", "%d sent, %d acknowledged", r.OtherCommandsSent, r.OtherAcknowledged)
	for _, status := range sortedKeys(r.RejectedByStatus) {
		row(fmt.Sprintf("answers %d, not OK", status), "%d", r.RejectedByStatus[status])
	}
	for _, kind := range sortedKeys(r.Errors) {
		row("errors, "+kind, "%d", r.Errors[kind])
	}
	if r.PartialAnswers > 0 {
		row("answers lacking a field", "%d", r.PartialAnswers)
	}
	row("latency", "p50 %s, p99 %s, max %s", seconds(r.LatencySeconds.P50), seconds(r.LatencySeconds.P99), seconds(r.LatencySeconds.Max))
	table.Flush()
}

func (s Statistics) cells() string {
	return fmt.Sprintf("%d\t%d\t%d\t%d\t%d", s.Viewers, s.Gifts, s.GiftCoins, s.GiftSenders, s.Likes)
}

func (s Statistics) plus(o Statistics) Statistics {
	return Statistics{s.Viewers + o.Viewers, s.Gifts + o.Gifts, s.GiftCoins + o.GiftCoins, s.GiftSenders + o.GiftSenders, s.Likes + o.Likes}
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(10 * time.Microsecond).String()
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
