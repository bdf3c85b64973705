package main

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

const (
	destroyUser   = "user"
	destroySystem = "system"
	destroyOther  = "other"
)

// The five statistics of a room, in the order of statisticNames and statisticFields.
const (
	viewers = iota
	gifts
	giftCoins
	giftSenders
	likes
	statisticCount
)

func statisticNames() [statisticCount]string {
	return [statisticCount]string{"viewers", "gifts", "gift_coins", "gift_senders", "likes"}
}

// statistic is one number of a room. An unknown one was not in the payload: it adds nothing and is no observation.
type statistic struct {
	value uint64
	known bool
}

// room is one destroyed room: what is sent, and what a correct exporter makes of it.
type room struct {
	appID       string
	id          string
	eventTime   int64 // milliseconds
	eventType   string
	destroyType string
	categories  []category // distinct, at most three; the first is the label of the main families
	// hasStatistic is false when the payload has no Statistic at all; then no statistic is known.
	hasStatistic bool
	statistics   [statisticCount]statistic
}

// label is the room's category in the main families.
func (r *room) label() string {
	if len(r.categories) == 0 {
		return labelNone
	}
	return r.categories[0].label
}

const (
	// Shares of rooms. A reused RoomId belongs to another room when its EventTime differs, and so does the same
	// RoomId under another SDKAppID.
	shareReused           = 0.04
	shareReusedInOtherApp = 0.02
	shareRemembered       = 0.06
	maxRemembered         = 1 << 16

	maxViewers = 50_000_000
	maxGifts   = 100_000_000
	maxCoins   = 1_000_000_000
	maxLikes   = 1_000_000_000
)

// generator draws rooms. The same seed and options give the same rooms in order, but for their EventTime.
// It is not safe for concurrent use.
type generator struct {
	rng        *rand.Rand
	appIDs     []string
	categories []category
	// reuseAfter is how many rooms apart a RoomId comes back at the earliest: at a given rate that is a second,
	// which is how often the sender can use one.
	reuseAfter uint64
	sequence   uint64
	previous   *room // the room before this one, when its RoomId was new
	remembered []rememberedID
	scratch    []category
}

// rememberedID is the last use of a RoomId that may come back.
type rememberedID struct {
	appID     string
	id        string
	eventTime int64
	sequence  uint64
}

func newGenerator(seed uint64, appIDs []string, categories []category, rate float64) *generator {
	return &generator{
		rng:        rand.New(rand.NewPCG(seed, 1)),
		appIDs:     appIDs,
		categories: categories,
		reuseAfter: uint64(math.Ceil(rate)),
		scratch:    make([]category, len(categories)),
	}
}

// next draws the next room, destroyed at now. (SDKAppID, RoomId, EventTime) is never the same twice.
func (g *generator) next(now time.Time) *room {
	r := &room{eventTime: now.UnixMilli()}
	isNew := g.identify(r)
	g.sequence++
	if g.rng.Float64() < shareRemembered && len(g.remembered) < maxRemembered {
		g.remembered = append(g.remembered, rememberedID{r.appID, r.id, r.eventTime, g.sequence})
	}
	g.previous = nil
	if isNew {
		g.previous = r
	}
	g.drawEventType(r)
	g.drawCategories(r)
	g.drawStatistics(r)
	return r
}

// identify gives the room its app, RoomId and EventTime and says whether the RoomId is new. Each pair of app and
// RoomId is remembered at most once, with its latest EventTime, and only a RoomId of which there has been just
// one room moves to another app: both keep identities unique whatever the clock does.
func (g *generator) identify(r *room) bool {
	reuse := g.rng.Float64()
	app := g.rng.IntN(len(g.appIDs))
	r.appID = g.appIDs[app]
	if reuse < shareReused && len(g.remembered) > 0 && g.remembered[0].sequence+g.reuseAfter <= g.sequence {
		old := g.remembered[0]
		g.remembered = g.remembered[1:]
		r.appID, r.id = old.appID, old.id
		r.eventTime = max(r.eventTime, old.eventTime+1)
		return false
	}
	if reuse > 1-shareReusedInOtherApp && len(g.appIDs) > 1 && g.previous != nil {
		if g.previous.appID == r.appID {
			r.appID = g.appIDs[(app+1)%len(g.appIDs)]
		}
		r.id = g.previous.id
		return false
	}
	r.id = g.newRoomID()
	return true
}

// newRoomID returns a RoomId of at most 48 bytes that was not there before: the sequence number makes it unique
// within its form, the prefix among the forms, and the random part tells two simulators apart.
func (g *generator) newRoomID() string {
	sequence, random := strconv.FormatUint(g.sequence, 36), strconv.FormatUint(uint64(g.rng.Uint32()), 36)
	switch n := g.rng.IntN(20); {
	case n < 8:
		return "live_" + sequence + "_" + random
	case n < 13: // all digits, like the ids of apps that number their rooms
		return strconv.FormatUint(g.sequence+1, 10) + strconv.FormatUint(1_000_000+uint64(g.rng.IntN(1_000_000)), 10)
	case n < 16:
		return "@TGS#" + random + "-" + sequence
	case n < 18:
		return "歌房-💃-\"" + sequence + "\"-" + random
	case n < 19:
		return `back\slash/` + sequence + "/" + random
	default:
		return "room " + sequence + " <&> é " + random
	}
}

func (g *generator) drawEventType(r *room) {
	switch p := g.rng.Float64(); {
	case p < 0.70:
		r.eventType, r.destroyType = "DestroyByUser", destroyUser
	case p < 0.98:
		r.eventType, r.destroyType = "DestroyBySystem", destroySystem
	case p < 0.99:
		r.eventType, r.destroyType = "DestroyByAudit", destroyOther
	default:
		r.eventType, r.destroyType = "DestroyByTimeout", destroyOther
	}
}

// drawCategories takes zero to three distinct categories; those given first on the command line are more popular.
func (g *generator) drawCategories(r *room) {
	var count int
	switch p := g.rng.Float64(); {
	case p < 0.15:
		count = 0
	case p < 0.65:
		count = 1
	case p < 0.90:
		count = 2
	default:
		count = 3
	}
	left := g.scratch[:copy(g.scratch, g.categories)]
	count = min(count, len(left))
	r.categories = make([]category, 0, count)
	for range count {
		u := g.rng.Float64()
		i := int(u * math.Sqrt(u) * float64(len(left)))
		r.categories = append(r.categories, left[i])
		left = append(left[:i], left[i+1:]...)
	}
}

// drawStatistics draws what happened in the room: log-normal viewers, and gifts that grow with them and are
// heavy-tailed, as are their prices. Every sum of rooms stays far below 2^53, so that float64 counters are exact.
func (g *generator) drawStatistics(r *room) {
	if g.rng.Float64() < 0.10 {
		return
	}
	r.hasStatistic = true
	var values [statisticCount]uint64
	if g.rng.Float64() >= 0.12 { // else nobody came
		v := limit(math.Exp(math.Log(4)+3.1*g.rng.NormFloat64()), 1, maxViewers)
		values[viewers] = uint64(v)
		if g.rng.Float64() < 0.45 {
			n := limit(g.pareto(0.9)*math.Sqrt(v)/2, 1, maxGifts)
			values[gifts] = uint64(n)
			values[giftCoins] = uint64(limit(math.Floor(n)*g.pareto(0.9), math.Floor(n), maxCoins))
			senders := math.Min(math.Floor(v), math.Floor(n))
			values[giftSenders] = uint64(limit(senders*math.Pow(g.rng.Float64(), 2), 1, senders))
		}
		values[likes] = uint64(limit(v*(g.pareto(1.3)-1), 0, maxLikes))
	}
	for i, value := range values {
		r.statistics[i] = statistic{value: value, known: true}
	}
	if g.rng.Float64() < 0.03 {
		for range 1 + g.rng.IntN(2) {
			r.statistics[g.rng.IntN(statisticCount)] = statistic{}
		}
	}
}

// pareto draws from 1 up, the tail heavier the smaller alpha.
func (g *generator) pareto(alpha float64) float64 {
	return math.Pow(1-g.rng.Float64(), -1/alpha)
}

func limit(x, low, high float64) float64 {
	return math.Min(math.Max(x, low), high)
}
