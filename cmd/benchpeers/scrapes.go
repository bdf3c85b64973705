//go:build linux

package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// manyCategories makes 1,000 series, with all destroy types.
	manyCategories = 334
	// dayOfRooms fills a window for duplicates of a day.
	dayOfRooms = 100_000
	// scrapeEach is much more often than anybody scrapes.
	scrapeEach = 250 * time.Millisecond
)

// scrapes tells how scrapes and webhooks get along under full load.
type scrapes struct {
	peak            int64       // bytes of resident memory when a day of rooms was counted
	took            durations   // of a scrape
	without, during []latencies // of webhooks without any scrape, and of those that met one
}

// latencies are quantiles of one time.
type latencies struct{ p50, p99 time.Duration }

// span is when one scrape was under way.
type span struct{ begin, end time.Time }

// measureScrapes lets a server with many series be scraped under full load.
func (o *options) measureScrapes(ctx context.Context, p *peer) (r scrapes, err error) {
	const connections = 64
	s, err := p.start(manyCategories)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	l, err := connect(s.webhook, connections, s.requests)
	if err != nil {
		return r, err
	}
	defer l.close()
	_, err = whileScraped(s.scrape, func() error {
		return l.keep(func() bool { return s.requests.made < dayOfRooms })
	})
	if err != nil {
		return r, err
	}
	if r.peak, err = s.memory(residentPeak); err != nil {
		return r, err
	}
	for range o.rounds {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		l.answers = l.answers[:0]
		if err := l.keepFor(o.measure); err != nil {
			return r, err
		}
		r.without = append(r.without, latenciesOf(l.answers, nil))
		l.answers = l.answers[:0]
		spans, err := whileScraped(s.scrape, func() error { return l.keepFor(o.measure) })
		if err != nil {
			return r, err
		}
		r.during = append(r.during, latenciesOf(l.answers, spans))
		for _, s := range spans {
			r.took = append(r.took, s.end.Sub(s.begin))
		}
	}
	return r, l.drain()
}

// whileScraped calls do while the server is scraped again and again.
func whileScraped(address string, do func() error) (spans []span, err error) {
	var (
		scraping  sync.WaitGroup
		scrapeErr error
		stop      = make(chan struct{})
	)
	scraping.Go(func() {
		for scrapeErr == nil {
			select {
			case <-stop:
				return
			case <-time.After(scrapeEach):
			}
			s := span{begin: time.Now()}
			_, scrapeErr = scrape(address, false)
			s.end = time.Now()
			spans = append(spans, s)
		}
	})
	err = do()
	close(stop)
	scraping.Wait()
	return spans, errors.Join(err, scrapeErr)
}

// latenciesOf returns those of all answers, or of those that were awaited in any of spans.
func latenciesOf(answers []answer, spans []span) latencies {
	var took durations
	for _, a := range answers {
		begin := a.at.Add(-a.took)
		met := len(spans) == 0
		for _, s := range spans {
			met = met || begin.Before(s.end) && a.at.After(s.begin)
		}
		if met {
			took = append(took, a.took)
		}
	}
	return latencies{took.quantile(0.5), took.quantile(0.99)}
}
