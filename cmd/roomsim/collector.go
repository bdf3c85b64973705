package main

import (
	"io"
	"log/slog"
	"sync"
	"time"
)

// collector hears of everything that happens and keeps the totals. Its methods may be called from any goroutine.
type collector struct {
	logger *slog.Logger

	mu           sync.Mutex
	roomsFile    io.Writer // nil: no list; its errors are reported when it is closed
	acknowledged *totals
	uncertain    *totals

	roomsSent, roomsSettled                uint64
	roomsAcknowledged, roomsRejected       uint64
	roomsUncertain, roomsUnreachable       uint64
	requests, retries, partialAnswers      uint64
	duplicatesSent, duplicatesAcknowledged uint64
	otherSent, otherAcknowledged           uint64
	rejectedAnswers                        map[int]uint64
	errors                                 map[string]uint64
	latencies                              latencies
	maxBehind, lastBehind                  time.Duration
}

func newCollector(roomsFile io.Writer, logger *slog.Logger) *collector {
	return &collector{
		logger:          logger,
		roomsFile:       roomsFile,
		acknowledged:    newTotals(),
		uncertain:       newTotals(),
		rejectedAnswers: map[int]uint64{},
		errors:          map[string]uint64{},
	}
}

// roomStarted: a worker has taken up a room, this much after the schedule wanted it.
func (c *collector) roomStarted(behind time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roomsSent++
	c.lastBehind = behind
	c.maxBehind = max(c.maxBehind, behind)
}

// behind: a room was this late when sending was stopped, and was not sent.
func (c *collector) behind(late time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastBehind = late
	c.maxBehind = max(c.maxBehind, late)
}

func (c *collector) retried() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retries++
}

// tried counts one request. The first of each kind of trouble is logged; the report has them all.
func (c *collector) tried(r result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	if r.status == 0 {
		c.errors[r.failure]++
		if c.errors[r.failure] == 1 {
			c.logger.Warn("request was not answered; more of this kind are only counted", "kind", r.failure, "err", r.err)
		}
		return
	}
	c.latencies.add(r.latency)
	if !r.ok {
		c.rejectedAnswers[r.status]++
		if c.rejectedAnswers[r.status] == 1 {
			c.logger.Warn("request was not acknowledged; more of this kind are only counted", "status", r.status)
		}
	}
	if r.partial {
		c.partialAnswers++
	}
}

// delivered ends one delivery of a webhook, and with the last one settles what the room is in the totals. A room
// is added to them with its first acknowledgement, never again.
func (c *collector) delivered(hook *webhook, o outcome, duplicate bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if hook.room == nil {
		c.otherSent++
		if o.acknowledged {
			c.otherAcknowledged++
		}
		return
	}
	if duplicate {
		c.duplicatesSent++
		if o.acknowledged {
			c.duplicatesAcknowledged++
		}
	}
	if o.acknowledged && !hook.outcome.acknowledged {
		c.roomsAcknowledged++
		c.acknowledged.add(hook.room)
		c.list(hook.room)
	}
	hook.outcome = hook.outcome.merge(o)
	c.ended(hook)
}

// dropped ends a repetition that is not going to be sent.
func (c *collector) dropped(hook *webhook) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended(hook)
}

// ended must be called with the mutex held.
func (c *collector) ended(hook *webhook) {
	hook.open--
	if hook.open > 0 {
		return
	}
	c.roomsSettled++
	switch {
	case hook.outcome.acknowledged:
	case hook.outcome.silent:
		c.roomsUncertain++
		c.uncertain.add(hook.room)
	case hook.outcome.answered:
		c.roomsRejected++
	default:
		c.roomsUnreachable++
	}
}

// list must be called with the mutex held.
func (c *collector) list(r *room) {
	if c.roomsFile != nil {
		_, _ = c.roomsFile.Write(roomLine(r))
	}
}

// settled is the number of rooms whose fate is known.
func (c *collector) settled() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roomsSettled
}
