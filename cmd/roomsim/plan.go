package main

import (
	"math/rand/v2"
	"time"
)

// webhook is one request to be made until it is acknowledged.
type webhook struct {
	appID    string
	command  string
	spelling spelling
	body     []byte
	room     *room // nil for another command
	outcome  outcome
	// open is how many deliveries of the webhook are still to end; guarded by the collector's mutex, as is outcome.
	open int
}

// repeat says when a webhook is delivered a second time.
type repeat int

const (
	repeatNever repeat = iota
	repeatRacing
	repeatAfter
	repeatLate
)

const (
	// lateRooms is how many rooms lie between a webhook and its late repetition, or as many as an hour brings.
	lateRooms  = 2000
	lateWithin = time.Hour
)

// delivery is one piece of work for a worker.
type delivery struct {
	hook   *webhook
	repeat repeat
	late   bool      // the late repetition itself
	due    time.Time // when the schedule wanted a room to go; zero if nothing was scheduled
}

// lateness is how much the delivery is behind the schedule by now.
func (d delivery) lateness() time.Duration {
	if d.due.IsZero() {
		return 0
	}
	return max(0, time.Since(d.due))
}

// planner decides what is sent for each room: its webhook, the repetitions, the other commands around it. It is
// not safe for concurrent use.
type planner struct {
	rooms   *generator
	payload *payload
	// wire draws what does not change the rooms, so that the shares of repetitions and of other commands don't.
	wire          *rand.Rand
	others        *payload
	duplicates    float64
	otherCommands float64
	spellings     [4]spelling
}

func newPlanner(opts *options) *planner {
	rooms := newGenerator(opts.seed, opts.appIDs, opts.categories, opts.rate)
	wire := rand.New(rand.NewPCG(opts.seed, 2))
	return &planner{
		rooms:         rooms,
		payload:       &payload{rng: rooms.rng},
		wire:          wire,
		others:        &payload{rng: wire},
		duplicates:    opts.duplicates,
		otherCommands: opts.otherCommands,
		spellings:     spellings(),
	}
}

// next returns the next room's webhook and how it is repeated.
func (p *planner) next(now time.Time) delivery {
	r := p.rooms.next(now)
	hook := &webhook{appID: r.appID, command: commandDestroyRoom, body: p.payload.destroyRoom(r), room: r, open: 1}
	hook.spelling = p.drawSpelling()
	d := delivery{hook: hook}
	if p.wire.Float64() < p.duplicates {
		hook.open = 2
		d.repeat = repeatRacing + repeat(p.wire.IntN(3))
	}
	return d
}

// nextOthers returns the webhooks of other commands that go before the next room.
func (p *planner) nextOthers(now time.Time) []*webhook {
	count := int(p.otherCommands)
	if p.wire.Float64() < p.otherCommands-float64(count) {
		count++
	}
	hooks := make([]*webhook, 0, count)
	for range count {
		appID := p.rooms.appIDs[p.wire.IntN(len(p.rooms.appIDs))]
		hook := p.others.otherCommand(appID, now.UnixMilli())
		hook.spelling = p.drawSpelling()
		hook.open = 1
		hooks = append(hooks, hook)
	}
	return hooks
}

// drawSpelling mostly takes the first one.
func (p *planner) drawSpelling() spelling {
	return p.spellings[max(0, p.wire.IntN(20)-16)]
}

// lateAfter is how many rooms a late repetition waits.
func lateAfter(rate float64) uint64 {
	if rate == 0 || rate*lateWithin.Seconds() > lateRooms {
		return lateRooms
	}
	return uint64(rate * lateWithin.Seconds())
}
