package totals

import "github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"

// Bounds are the inclusive upper bounds of the classic buckets of each
// statistic's histogram, indexed by room.Statistic, ascending, without +Inf.
type Bounds [room.NumStatistics][]float64

// DefaultBounds reach from the smallest room to the largest known: 3 viewers to 50
// million, gifts worth 10^9 coins. Zero has a bucket of its own, because
// "no gift at all" is the question asked most.
func DefaultBounds() Bounds {
	return Bounds{
		room.Viewers:     {0, 1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 1e6, 1e7, 5e7},
		room.Gifts:       {0, 1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 1e6, 1e7},
		room.GiftCoins:   {0, 10, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 1e7, 1e8, 1e9},
		room.GiftSenders: {0, 1, 2, 5, 10, 20, 50, 100, 300, 1e3, 3e3, 1e4, 1e5, 1e6},
		room.Likes:       {0, 10, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 1e6, 1e7, 1e8, 1e9},
	}
}
