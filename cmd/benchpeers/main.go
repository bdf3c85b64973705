//go:build linux

// Command benchpeers measures the exporter beside what people would use instead:
// in one run, on one machine, under the same load. It prints tables in Markdown.
package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
)

// connections are the keep-alive connections of the runs: each has one request
// under way at any time.
func connections() []int { return []int{1, 16, 64, 256} }

// options are the command line.
type options struct {
	exporter  string
	telegraf  string
	directory string
	rounds    int
	warmUp    time.Duration
	measure   time.Duration
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	var (
		opts  options
		serve string
	)
	app := kingpin.New("benchpeers", "Measures the exporter beside a bare handler and Telegraf under the same load.")
	app.HelpFlag.Short('h')
	app.Flag("exporter", "The exporter's binary.").Default("bin/tuilivekit_exporter").StringVar(&opts.exporter)
	app.Flag("telegraf", "Telegraf's binary.").Default(".tools/bin/telegraf").StringVar(&opts.telegraf)
	app.Flag("directory", "Directory for temporary files; its disk is the one that is measured.").Default("bin").StringVar(&opts.directory)
	app.Flag("rounds", "Rounds, each of which measures everything once; medians of them are shown.").Default("3").IntVar(&opts.rounds)
	app.Flag("warm-up", "Time under load before each measurement.").Default("500ms").DurationVar(&opts.warmUp)
	app.Flag("measure", "Time of each measurement.").Default("2s").DurationVar(&opts.measure)
	app.Flag("serve-bare", "Serve the bare handler at HOST:PORT and do nothing else.").Hidden().StringVar(&serve)
	if _, err := app.Parse(args); err != nil {
		fmt.Fprintf(os.Stderr, "benchpeers: %v, try --help\n", err)
		return 2
	}
	err := serveBare(serve)
	if serve == "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
		defer stop()
		err = opts.bench(ctx)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "benchpeers: %v\n", err)
		return 1
	}
	return 0
}

// bench measures everything and prints it.
func (o *options) bench(ctx context.Context) error {
	dir, err := os.MkdirTemp(o.directory, "benchpeers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	peers, err := newPeers(dir, o)
	if err != nil {
		return err
	}
	other, err := buildinfo.ReadFile(o.telegraf)
	if err != nil {
		return err
	}
	fmt.Printf("%s, %d cores, %s, %s, Telegraf %s; medians of %d rounds\n\n", time.Now().UTC().Format(time.DateOnly),
		runtime.NumCPU(), processor(), runtime.Version(), other.Main.Version, o.rounds)

	starts, err := measureStarts(ctx, peers)
	if err != nil {
		return err
	}
	var (
		flushes durations
		runs    = make(runs)
	)
	for range o.rounds {
		for _, n := range connections() {
			took, err := measureFlushes(dir)
			if err != nil {
				return err
			}
			flushes = append(flushes, took...)
			for _, p := range peers {
				result, err := o.measureRun(ctx, p, n)
				if err != nil {
					return fmt.Errorf("measure %s with %d connections: %w", p.name, n, err)
				}
				at := runOf{p.name, n}
				runs[at] = append(runs[at], result)
			}
		}
	}
	scrapes, err := o.measureScrapes(ctx, peers[journal])
	if err != nil {
		return fmt.Errorf("measure scrapes: %w", err)
	}
	fmt.Println(peersTable(peers, runs))
	fmt.Println(journalTable(runs, peers, flushes))
	fmt.Println(scrapesTable(scrapes))
	fmt.Println(startsTable(peers, starts))
	return nil
}

// processor returns the name of the machine's processor.
func processor() string {
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(cpuinfo)) {
		if name, found := strings.CutPrefix(line, "model name\t: "); found {
			return strings.TrimSpace(name)
		}
	}
	return runtime.GOARCH
}
