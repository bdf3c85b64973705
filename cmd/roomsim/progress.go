package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

const progressInterval = 200 * time.Millisecond

// progress is the bar on the terminal. A nil one shows nothing.
type progress struct {
	bar *progressbar.ProgressBar
}

// newProgress returns nil unless w is a terminal. Zero rooms stand for no known end.
func newProgress(rooms uint64, w io.Writer) *progress {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	end := int64(rooms)
	if rooms == 0 {
		end = -1
	}
	return &progress{bar: progressbar.NewOptions64(end,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription("rooms"),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("rooms"),
		progressbar.OptionSetWidth(30),
		progressbar.OptionClearOnFinish(),
	)}
}

// follow shows how many rooms are settled until the returned function is called.
func (p *progress) follow(c *collector) (stop func()) {
	if p == nil {
		return func() {}
	}
	done := make(chan struct{})
	var following sync.WaitGroup
	following.Go(func() {
		ticker := time.NewTicker(progressInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				// A terminal that can't be written to is no reason to stop sending.
				_ = p.bar.Set64(int64(c.settled()))
			case <-done:
				_ = p.bar.Clear()
				return
			}
		}
	})
	return func() {
		close(done)
		following.Wait()
	}
}
