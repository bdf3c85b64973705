// Command roomsim sends realistic, signed Live.CallbackAfterDestroyRoom webhooks to a URL and prints at the end
// exactly what the totals of a correct exporter must be. It shares no code with the exporter: it is the other
// side of the contract, and so a check that does not repeat the exporter's mistakes.
//
// Exit codes: 0 all rooms that were sent were acknowledged (also after Ctrl-C), 1 some room never was, or the
// report or the rooms file could not be written, 2 the command line or a file it names is wrong.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitOK             = 0
	exitUnacknowledged = 1
	exitUsage          = 2
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Once the first signal is in, the default handling is back: a second one kills.
	context.AfterFunc(ctx, stop)
	return simulate(ctx, os.Args[1:], os.Stdout, os.Stderr)
}

// simulate is the whole program but for the process around it. The report goes to stdout, everything else to
// stderr. When ctx ends, it stops sending, waits for the deliveries under way and reports as usual.
func simulate(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parseOptions(args, stdout)
	if err != nil {
		fmt.Fprintf(stderr, "roomsim: error: %v, try --help\n", err)
		return exitUsage
	}
	if opts == nil { // --help or --version
		return exitOK
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))

	roomsFile, closeRoomsFile, err := createRoomsFile(opts.roomsFile)
	if err != nil {
		fmt.Fprintf(stderr, "roomsim: error: %v\n", err)
		return exitUsage
	}
	transport := newTransport(opts.concurrency)
	defer transport.CloseIdleConnections()

	rep := newSimulation(opts, transport, roomsFile, logger).run(ctx, newProgress(opts.rooms, stderr))

	code := exitOK
	if rep.unacknowledged() > 0 {
		code = exitUnacknowledged
	}
	if err := closeRoomsFile(); err != nil {
		logger.Error("rooms file is incomplete", "err", err)
		code = exitUnacknowledged
	}
	write := rep.writeText
	if opts.output == outputJSON {
		write = rep.writeJSON
	}
	if err := write(stdout); err != nil {
		logger.Error("report could not be written", "err", err)
		code = exitUnacknowledged
	}
	return code
}

// createRoomsFile opens the list of acknowledged rooms. Without a path, the writer is nil. Writing errors are
// kept by the buffer and come back from the returned close function.
func createRoomsFile(path string) (io.Writer, func() error, error) {
	if path == "" {
		return nil, func() error { return nil }, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, nil, fmt.Errorf("create rooms file: %w", err)
	}
	buffered := bufio.NewWriterSize(file, 1<<16)
	return buffered, func() error {
		flushErr := buffered.Flush()
		if err := file.Close(); flushErr == nil {
			flushErr = err
		}
		if flushErr != nil {
			return fmt.Errorf("write rooms file: %w", flushErr)
		}
		return nil
	}, nil
}

// newTransport keeps every connection alive that the workers and the racing duplicates can use at once, and
// speaks HTTP/1.1 alone, so that two deliveries at the same moment are two connections.
func newTransport(concurrency int) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Protocols:           protocols,
		Proxy:               http.ProxyFromEnvironment,
		MaxIdleConns:        2 * concurrency,
		MaxIdleConnsPerHost: 2 * concurrency,
		DisableCompression:  true,
	}
}
