package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"time"

	"github.com/prometheus/common/version"
)

const (
	// A run is behind its schedule when it was too late by behindAlways at any moment, or ended too late by
	// behindAtEnd while the rate missed what was asked by more than behindShare.
	behindAlways = time.Second
	behindAtEnd  = 10 * time.Millisecond
	behindShare  = 0.95
)

// Report is what --output=json prints as one object.
//
// Series and Categories are the totals a correct exporter must have gained: every acknowledged room counted once.
// Rooms that no try got an answer for, though the receiver may have seen one, are in UncertainSeries and
// UncertainCategories instead: what the exporter shows for them lies between nothing and that. Rooms that were
// refused in every answer are in neither, nor are those of which nothing could be sent at all.
//
// Seconds are fractional. Maps hold only what occurred.
type Report struct {
	Version     string `json:"version"`
	URL         string `json:"url"`
	Seed        uint64 `json:"seed"`
	Interrupted bool   `json:"interrupted"` // stopped by a signal before all rooms were sent

	ElapsedSeconds float64 `json:"elapsed_seconds"` // until the last answer
	AskedRate      float64 `json:"asked_rate"`      // rooms a second; 0: as fast as answered
	AchievedRate   float64 `json:"achieved_rate"`   // rooms a second that were sent, repetitions and other commands not counted
	BehindSchedule bool    `json:"behind_schedule"` // the receiver did not keep up with the asked rate
	// How much later than scheduled rooms were sent: the worst, and the last one, which after an interruption is the
	// one that was still waiting for its turn.
	BehindSecondsMax float64 `json:"behind_seconds_max"`
	BehindSecondsEnd float64 `json:"behind_seconds_end"`

	// rooms_sent = rooms_acknowledged + rooms_rejected + rooms_uncertain + rooms_unreachable
	RoomsSent         uint64 `json:"rooms_sent"`
	RoomsAcknowledged uint64 `json:"rooms_acknowledged"`
	RoomsRejected     uint64 `json:"rooms_rejected"`    // answered, never with OK
	RoomsUncertain    uint64 `json:"rooms_uncertain"`   // never acknowledged, and some try had no answer: may have been counted
	RoomsUnreachable  uint64 `json:"rooms_unreachable"` // no try got through to the receiver: can't have been counted

	RequestsSent           uint64            `json:"requests_sent"` // every try of every webhook
	Retries                uint64            `json:"retries"`
	DuplicatesSent         uint64            `json:"duplicates_sent"` // second deliveries, their retries not counted
	DuplicatesAcknowledged uint64            `json:"duplicates_acknowledged"`
	OtherCommandsSent      uint64            `json:"other_commands_sent"`
	OtherAcknowledged      uint64            `json:"other_commands_acknowledged"`
	RejectedByStatus       map[int]uint64    `json:"rejected_by_status"` // answers that were not OK, by HTTP status; 200 is an answer without ActionStatus OK
	Errors                 map[string]uint64 `json:"errors"`             // tries without an answer: timeout, reset, unreachable, other
	PartialAnswers         uint64            `json:"partial_answers"`    // acknowledged, but without all three mandatory fields
	LatencySeconds         Latency           `json:"latency_seconds"`

	Series              []Series   `json:"series"`
	Categories          []Category `json:"categories"`
	UncertainSeries     []Series   `json:"uncertain_series"`
	UncertainCategories []Category `json:"uncertain_categories"`
}

// Latency is the time from a try's beginning to its complete answer, of whatever kind; quantiles are at most 3 %
// too high.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Statistics has one number for each statistic of a room.
type Statistics struct {
	Viewers     uint64 `json:"viewers"`
	Gifts       uint64 `json:"gifts"`
	GiftCoins   uint64 `json:"gift_coins"`
	GiftSenders uint64 `json:"gift_senders"`
	Likes       uint64 `json:"likes"`
}

// Series is one series of the main families: each room is in exactly one. Category is the label of its first
// category, or "none".
type Series struct {
	SDKAppID       string `json:"sdk_app_id"`
	DestroyType    string `json:"destroy_type"`
	Category       string `json:"category"`
	RoomsDestroyed uint64 `json:"rooms_destroyed"`
	Statistics
	RoomsWithoutStatistics uint64     `json:"rooms_without_statistics"`
	Observations           Statistics `json:"observations"` // the number of rooms that had the statistic: the histograms' counts
}

// Category is one series of the membership families: a room is in that of each of its categories, or in "none".
type Category struct {
	SDKAppID       string `json:"sdk_app_id"`
	Category       string `json:"category"`
	RoomsDestroyed uint64 `json:"rooms_destroyed"`
	Statistics
}

func newStatistics(v [statisticCount]uint64) Statistics {
	return Statistics{Viewers: v[viewers], Gifts: v[gifts], GiftCoins: v[giftCoins], GiftSenders: v[giftSenders], Likes: v[likes]}
}

// report sums up a run that had its last answer after elapsed.
func (s *simulation) report(elapsed time.Duration, interrupted bool) *Report {
	c := s.collector
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &Report{
		Version:                version.Version,
		URL:                    s.opts.url.String(),
		Seed:                   s.opts.seed,
		Interrupted:            interrupted,
		ElapsedSeconds:         elapsed.Seconds(),
		AskedRate:              s.opts.rate,
		BehindSecondsMax:       c.maxBehind.Seconds(),
		BehindSecondsEnd:       c.lastBehind.Seconds(),
		RoomsSent:              c.roomsSent,
		RoomsAcknowledged:      c.roomsAcknowledged,
		RoomsRejected:          c.roomsRejected,
		RoomsUncertain:         c.roomsUncertain,
		RoomsUnreachable:       c.roomsUnreachable,
		RequestsSent:           c.requests,
		Retries:                c.retries,
		DuplicatesSent:         c.duplicatesSent,
		DuplicatesAcknowledged: c.duplicatesAcknowledged,
		OtherCommandsSent:      c.otherSent,
		OtherAcknowledged:      c.otherAcknowledged,
		RejectedByStatus:       maps.Clone(c.rejectedAnswers),
		Errors:                 maps.Clone(c.errors),
		PartialAnswers:         c.partialAnswers,
		LatencySeconds: Latency{
			P50: c.latencies.quantile(0.50).Seconds(),
			P99: c.latencies.quantile(0.99).Seconds(),
			Max: c.latencies.max.Seconds(),
		},
		Series:              c.acknowledged.sortedSeries(),
		Categories:          c.acknowledged.sortedCategories(),
		UncertainSeries:     c.uncertain.sortedSeries(),
		UncertainCategories: c.uncertain.sortedCategories(),
	}
	r.rate(elapsed, c.maxBehind, c.lastBehind)
	return r
}

// rate works out the achieved rate and whether it is behind the schedule. A schedule that is kept gives every room,
// the last included, its share of a second; without a schedule, rooms are sent as long as there are answers.
func (r *Report) rate(elapsed, maxBehind, lastBehind time.Duration) {
	sent := float64(r.RoomsSent)
	if r.AskedRate == 0 {
		if elapsed > 0 {
			r.AchievedRate = sent / elapsed.Seconds()
		}
		return
	}
	if sent > 0 {
		r.AchievedRate = sent / (sent/r.AskedRate + lastBehind.Seconds())
	}
	r.BehindSchedule = maxBehind > behindAlways || lastBehind > behindAtEnd && r.AchievedRate < behindShare*r.AskedRate
}

func (r *Report) unacknowledged() uint64 {
	return r.RoomsRejected + r.RoomsUncertain + r.RoomsUnreachable
}

// writeJSON writes the report as one indented JSON object.
func (r *Report) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// log says what must not be missed even when nobody reads the report.
func (r *Report) log(logger *slog.Logger) {
	if r.RoomsUncertain > 0 {
		logger.Error("rooms are UNCERTAIN: sent, never answered; they may or may not have been counted", "rooms", r.RoomsUncertain)
	}
	if r.RoomsRejected > 0 {
		logger.Error("rooms were rejected in every answer", "rooms", r.RoomsRejected)
	}
	if r.RoomsUnreachable > 0 {
		logger.Error("rooms could not be sent at all", "rooms", r.RoomsUnreachable)
	}
	if r.BehindSchedule {
		logger.Warn("receiver did not keep up with the asked rate", "asked", r.AskedRate, "achieved", r.AchievedRate,
			"behind_seconds_max", r.BehindSecondsMax, "behind_seconds_end", r.BehindSecondsEnd)
	}
}
