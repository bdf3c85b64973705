// Command demo is an app backend for `make run-sidecar`: it lets every gift and message
// pass and says at the end how many webhooks of each command it got. It takes the address
// to listen on.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "demo: call it with the address to listen on, such as 127.0.0.1:8000")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	received := &commands{counts: make(map[string]int)}
	server := &http.Server{Addr: args[0], Handler: received, ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- server.Shutdown(context.Background())
	}()
	err := server.ListenAndServe()
	if errors.Is(err, http.ErrServerClosed) {
		err = <-stopped
	}
	received.print(os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	return 0
}

// commands counts webhooks by command. It may be used from any goroutine.
type commands struct {
	mu     sync.Mutex
	counts map[string]int
}

// ServeHTTP answers a webhook as the sender wants it.
func (c *commands) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	command := "" // its key is spelt in several ways
	for key, values := range r.URL.Query() {
		if strings.EqualFold(key, "CallbackCommand") || strings.EqualFold(key, "WebhookCommand") {
			command = values[0]
		}
	}
	c.mu.Lock()
	c.counts[command]++
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	// An error means that nobody waits for it any more.
	_, _ = io.WriteString(w, `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`)
}

func (c *commands) print(w io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, 0, len(c.counts))
	for name := range c.counts {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Fprintln(w, "\nThe app got these webhooks:")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range names {
		fmt.Fprintf(table, "  %s\t%d\n", name, c.counts[name])
	}
	_ = table.Flush() // nobody is left to tell
}
