package main

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"
	"unicode/utf8"
)

func testGenerator(seed uint64) *generator {
	return newGenerator(seed, []string{"1400000001", "1400000002"}, []category{{1, "gaming"}, {2, "2"}, {3, "3"}, {4, "4"}}, 0)
}

func TestSameSeedSameRooms(t *testing.T) {
	t.Parallel()
	const rooms = 5000
	opts := testOptions(t, "--sdk-app-id=1", "--sdk-app-id=2", "--duplicates=0.3")
	now := time.UnixMilli(1763450000999)
	one, two := newPlanner(opts), newPlanner(opts)
	opts.seed++
	other := newPlanner(opts)
	same := 0
	for i := range rooms {
		a, b, c := one.next(now), two.next(now), other.next(now)
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("room %d differs:\n%+v %s\n%+v %s", i, a.hook.room, a.hook.body, b.hook.room, b.hook.body)
		}
		if a.hook.room.id == c.hook.room.id {
			same++
		}
	}
	if same > 0 {
		t.Errorf("another seed: %d of %d RoomIds are the same", same, rooms)
	}
}

// Neither the clock nor the other commands may change which rooms there are.
func TestRoomsDoNotDependOnTheRest(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	one := newPlanner(opts)
	mixed := *opts
	mixed.otherCommands, mixed.duplicates = 1.5, 0.9
	two := newPlanner(&mixed)
	start := time.UnixMilli(1763450000999)
	for i := range 3000 {
		a := one.next(start).hook.room
		two.nextOthers(start)
		b := two.next(start.Add(time.Duration(i) * time.Second)).hook.room
		a.eventTime, b.eventTime = 0, 0
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("room %d differs:\n%+v\n%+v", i, a, b)
		}
	}
}

func TestIdentitiesAreUnique(t *testing.T) {
	t.Parallel()
	start := time.UnixMilli(1763450000999)
	for name, clock := range map[string]func(i int) time.Time{
		"standing":  func(int) time.Time { return start },
		"advancing": func(i int) time.Time { return start.Add(time.Duration(i) * 50 * time.Microsecond) },
		"set back":  func(i int) time.Time { return start.Add(-time.Duration(i) * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			type identity struct {
				appID, roomID string
				eventTime     int64
			}
			seen := map[identity]bool{}
			apps := map[string]map[string]bool{}
			reused, otherApp := 0, 0
			g := testGenerator(11)
			for i := range 50_000 {
				r := g.next(clock(i))
				key := identity{r.appID, r.id, r.eventTime}
				if seen[key] {
					t.Fatalf("room %d: identity %+v was there before", i, key)
				}
				seen[key] = true
				if len(r.id) > 48 || r.id == "" || !utf8.ValidString(r.id) {
					t.Fatalf("room %d: RoomId %q has %d bytes", i, r.id, len(r.id))
				}
				switch before := apps[r.id]; {
				case before == nil:
					apps[r.id] = map[string]bool{}
				case before[r.appID]:
					reused++
				default:
					otherApp++
				}
				apps[r.id][r.appID] = true
			}
			if reused < 500 || otherApp < 200 {
				t.Errorf("RoomIds reused in the app %d times, in the other app %d times: too seldom", reused, otherApp)
			}
		})
	}
}

// At a given rate, a RoomId comes back after a second at the earliest, as at the sender.
func TestReuseTakesASecond(t *testing.T) {
	t.Parallel()
	const rate = 200
	g := newGenerator(3, []string{"1"}, nil, rate)
	last := map[string]int64{}
	reused := 0
	for i := range 20_000 {
		r := g.next(time.UnixMilli(1763450000999 + int64(i)*1000/rate))
		if before, ok := last[r.id]; ok {
			reused++
			if r.eventTime-before < 1000 {
				t.Fatalf("RoomId %q came back after %d ms", r.id, r.eventTime-before)
			}
		}
		last[r.id] = r.eventTime
	}
	if reused < 100 {
		t.Errorf("RoomIds were reused %d times in 20000", reused)
	}
}

func TestDistribution(t *testing.T) {
	t.Parallel()
	const rooms = 100_000
	g := testGenerator(5)
	now := time.UnixMilli(1763450000999)
	var (
		destroyTypes    = map[string]int{}
		perApp          = map[string]int{}
		categoryCounts  [4]int
		without         int
		partly          int
		viewersSeen     []uint64
		coinsOverAll    uint64
		roomsWithGifts  int
		roomsManyGifts  int
		firstCategories = map[string]int{}
	)
	for range rooms {
		r := g.next(now)
		destroyTypes[r.destroyType]++
		perApp[r.appID]++
		categoryCounts[len(r.categories)]++
		firstCategories[r.label()]++
		distinct := slices.Clone(r.categories)
		slices.SortFunc(distinct, func(a, b category) int { return int(a.id - b.id) })
		if len(slices.Compact(distinct)) != len(r.categories) {
			t.Fatalf("categories %v: not distinct", r.categories)
		}
		known := 0
		for _, s := range r.statistics {
			if s.known {
				known++
			} else if s.value != 0 {
				t.Fatalf("unknown statistic has a value: %+v", r)
			}
		}
		if !r.hasStatistic {
			without++
			if known > 0 {
				t.Fatalf("statistics known without Statistic: %+v", r)
			}
			continue
		}
		if known < statisticCount {
			partly++
			if known < statisticCount-2 {
				t.Fatalf("only %d statistics known: %+v", known, r)
			}
			continue
		}
		v, n, c, s := r.statistics[viewers].value, r.statistics[gifts].value, r.statistics[giftCoins].value, r.statistics[giftSenders].value
		if s > v || s > n || c < n || (n > 0) != (s > 0) || c > 1e9 || v > 1e8 {
			t.Fatalf("not believable: viewers %d, gifts %d, coins %d, senders %d", v, n, c, s)
		}
		viewersSeen = append(viewersSeen, v)
		coinsOverAll += c
		if n > 0 {
			roomsWithGifts++
		}
		if n > 10_000 {
			roomsManyGifts++
		}
	}
	slices.Sort(viewersSeen)
	share := func(n int) float64 { return float64(n) / rooms }
	for _, tc := range []struct {
		name      string
		got       float64
		low, high float64
	}{
		{"destroyed by user", share(destroyTypes[destroyUser]), 0.69, 0.71},
		{"destroyed by system", share(destroyTypes[destroySystem]), 0.27, 0.29},
		{"destroyed otherwise", share(destroyTypes[destroyOther]), 0.015, 0.025},
		{"one of two apps", share(perApp["1400000001"]), 0.48, 0.52},
		{"no category", share(categoryCounts[0]), 0.14, 0.16},
		{"one category", share(categoryCounts[1]), 0.48, 0.52},
		{"three categories", share(categoryCounts[3]), 0.09, 0.11},
		{"least popular first category", share(firstCategories["4"]), 0.05, 0.25},
		{"without statistics", share(without), 0.095, 0.105},
		{"statistics in part", share(partly), 0.02, 0.035},
		{"rooms with gifts", share(roomsWithGifts), 0.2, 0.6},
		{"rooms with many gifts", share(roomsManyGifts), 1e-5, 0.01},
		{"median of viewers", float64(viewersSeen[len(viewersSeen)/2]), 2, 5},
		{"most viewers", float64(viewersSeen[len(viewersSeen)-1]), 1e5, 1e8},
		{"coins a room", float64(coinsOverAll) / rooms, 10, 1e5},
		{"sum in 2^53, of a billion rooms", float64(coinsOverAll) / rooms * 1e9, 0, math.Pow(2, 52)},
	} {
		if tc.got < tc.low || tc.got > tc.high {
			t.Errorf("%s = %v, want %v to %v", tc.name, tc.got, tc.low, tc.high)
		}
	}
}

func TestNoCategories(t *testing.T) {
	t.Parallel()
	g := newGenerator(1, []string{"1"}, []category{{9, "nine"}}, 0)
	counts := [2]int{}
	for range 1000 {
		counts[len(g.next(time.UnixMilli(1)).categories)]++
	}
	if counts[0] < 50 || counts[1] < 500 {
		t.Errorf("rooms with no and one category of one = %v", counts)
	}
}
