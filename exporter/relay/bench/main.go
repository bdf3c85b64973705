// Command bench compares ways from the sender to the app under the same load: straight,
// through a bare httputil.ReverseProxy, through nginx, and through the exporter. Each
// is a process of its own, as is the app. It prints ratios to the bare ReverseProxy,
// the medians of several rounds, in each of which all take turns.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

const (
	bare      = "bare ReverseProxy"
	straight  = "straight to the app"
	thruNginx = "nginx"
	exporter  = "exporter"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 1 && (args[0] == "app" || args[0] == "proxy") {
		fmt.Fprintln(stderr, serve(args[0], args[1:]))
		return 1
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var s settings
	flags.StringVar(&s.exporter, "exporter", "bin/tuilivekit_exporter", "the exporter's binary")
	flags.StringVar(&s.nginx, "nginx", "nginx", "nginx' binary")
	flags.IntVar(&s.rounds, "rounds", 7, "how often all take turns")
	flags.DurationVar(&s.turn, "turn", time.Second, "how long a turn is")
	flags.IntVar(&s.connections, "connections", 32, "connections of the sender, each with one request at a time")
	if flags.Parse(args) != nil {
		return 2
	}
	if err := bench(s, stdout); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

type settings struct {
	exporter, nginx     string
	rounds, connections int
	turn                time.Duration
}

// contest is a load on one of the ways.
type contest struct {
	way, load string
}

func bench(s settings, stdout io.Writer) (err error) {
	ways, stop, err := startWays(s)
	defer stop()
	if err != nil {
		return err
	}
	var contests []contest
	for _, load := range []string{loadCommand, loadRooms} {
		for _, way := range []string{straight, bare, thruNginx, exporter} {
			contests = append(contests, contest{way, load})
		}
	}
	results := make(map[contest][]result)
	for round := range s.rounds + 1 {
		slices.Reverse(contests) // so that none always follows the same
		for _, c := range contests {
			r, err := measure(ways[c.way], c.load, s.connections, s.turn)
			if err != nil {
				return fmt.Errorf("measure %s: %w", c.way, err)
			}
			if round > 0 { // the first is for warming up
				results[c] = append(results[c], r)
			}
		}
	}
	if contests[0].load != loadCommand {
		slices.Reverse(contests)
	}
	return print(stdout, contests, results)
}

func print(stdout io.Writer, contests []contest, results map[contest][]result) error {
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "load\tway\trequests/s\tp50\tp99\tthroughput\tp50\tp99\t")
	for _, c := range contests {
		own, base := results[c], results[contest{bare, c.load}]
		ratio := func(of func(result) float64) string {
			return fmt.Sprintf("%.2f", median(len(own), func(i int) float64 { return of(own[i]) / of(base[i]) }))
		}
		value := func(of func(result) float64) float64 {
			return median(len(own), func(i int) float64 { return of(own[i]) })
		}
		fmt.Fprintf(table, "%s\t%s\t%.0f\t%s\t%s\t%s\t%s\t%s\t\n", c.load, c.way, value(result.throughput),
			time.Duration(value(result.p50)).Round(time.Microsecond), time.Duration(value(result.p99)).Round(time.Microsecond),
			ratio(result.throughput), ratio(result.p50), ratio(result.p99))
	}
	return table.Flush()
}

func median(n int, value func(i int) float64) float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = value(i)
	}
	slices.SortFunc(values, cmp.Compare[float64])
	return (values[(n-1)/2] + values[n/2]) / 2
}
