package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// simulation is one run: a schedule that hands rooms to workers, and the workers that deliver them.
type simulation struct {
	opts      *options
	planner   *planner
	sender    *sender
	collector *collector
	logger    *slog.Logger
}

func newSimulation(opts *options, transport http.RoundTripper, roomsFile io.Writer, logger *slog.Logger) *simulation {
	c := newCollector(roomsFile, logger)
	return &simulation{
		opts:      opts,
		planner:   newPlanner(opts),
		sender:    newSender(opts, transport, c),
		collector: c,
		logger:    logger,
	}
}

// run sends all rooms, or those until ctx ends, and returns when every delivery begun has ended. It may be called
// once.
func (s *simulation) run(ctx context.Context, bar *progress) *Report {
	s.logger.Info("sending", "url", s.opts.url.String(), "rooms", s.opts.rooms, "seed", s.opts.seed)
	start := time.Now()
	stopBar := bar.follow(s.collector)

	// Unbuffered: the moment a worker takes a room is the moment it is sent.
	deliveries := make(chan delivery)
	var workers sync.WaitGroup
	for range s.opts.concurrency {
		workers.Go(func() {
			for d := range deliveries {
				s.work(ctx, d)
			}
		})
	}
	s.schedule(ctx, start, deliveries)
	close(deliveries)
	if ctx.Err() != nil {
		s.logger.Info("stopped; waiting for what is under way")
	}
	workers.Wait()
	stopBar()
	rep := s.report(time.Since(start), ctx.Err() != nil)
	rep.log(s.logger)
	return rep
}

// schedule hands over each room when it is due, or as soon after as a worker is free: the schedule does not wait
// for the receiver, so what could not be sent in time is behind it, and is caught up when possible.
func (s *simulation) schedule(ctx context.Context, start time.Time, deliveries chan<- delivery) {
	hand := func(d delivery) bool {
		select {
		case deliveries <- d:
			return true
		case <-ctx.Done():
			return false
		}
	}
	type lateDelivery struct {
		delivery
		after uint64
	}
	var late []lateDelivery
	defer func() {
		for _, d := range late {
			s.collector.dropped(d.hook)
		}
	}()
	wait := lateAfter(s.opts.rate)

	for sent := uint64(0); s.opts.rooms == 0 || sent < s.opts.rooms; sent++ {
		var due time.Time
		if s.opts.rate > 0 {
			due = start.Add(time.Duration(float64(sent) / s.opts.rate * float64(time.Second)))
			if !sleepUntil(ctx, due) {
				return
			}
		}
		for _, hook := range s.planner.nextOthers(time.Now()) {
			if !hand(delivery{hook: hook}) {
				return
			}
		}
		d := s.planner.next(time.Now())
		d.due = due
		if ctx.Err() != nil || !hand(d) {
			s.collector.behind(d.lateness())
			return
		}
		if d.repeat == repeatLate {
			late = append(late, lateDelivery{delivery{hook: d.hook, late: true}, sent + wait})
		}
		for len(late) > 0 && late[0].after <= sent {
			if !hand(late[0].delivery) {
				return
			}
			late = late[1:]
		}
	}
	for len(late) > 0 {
		if !hand(late[0].delivery) {
			return
		}
		late = late[1:]
	}
}

// work carries out one delivery and the repetitions that belong right beside it.
func (s *simulation) work(ctx context.Context, d delivery) {
	deliver := func(duplicate bool) {
		s.collector.delivered(d.hook, s.sender.deliver(d.hook), duplicate)
	}
	if d.hook.room == nil || d.late {
		deliver(d.late)
		return
	}
	s.collector.roomStarted(d.lateness())
	switch d.repeat {
	case repeatRacing:
		var racing sync.WaitGroup
		racing.Go(func() { deliver(true) })
		deliver(false)
		racing.Wait()
	case repeatAfter:
		deliver(false)
		if ctx.Err() != nil {
			s.collector.dropped(d.hook)
			return
		}
		deliver(true)
	default:
		deliver(false)
	}
}

// sleepUntil returns false when ctx ended first.
func sleepUntil(ctx context.Context, due time.Time) bool {
	wait := time.Until(due)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
