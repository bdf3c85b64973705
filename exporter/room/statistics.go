package room

// Statistic names one of the numbers a room ends with.
type Statistic uint8

const (
	Viewers     Statistic = iota // room entries: the same user entering N times counts N
	Gifts                        // gifts sent
	GiftCoins                    // coins those gifts were worth
	GiftSenders                  // users that sent at least one gift, unique within the room
	Likes                        // likes received

	NumStatistics = 5
)

// AllStatistics lists every Statistic in order.
func AllStatistics() [NumStatistics]Statistic {
	return [NumStatistics]Statistic{Viewers, Gifts, GiftCoins, GiftSenders, Likes}
}

// String returns the statistic's name in metrics and configuration.
func (s Statistic) String() string {
	return [NumStatistics]string{"viewers", "gifts", "gift_coins", "gift_senders", "likes"}[s]
}

// Statistics are a room's final numbers. A number the payload did not carry is
// unknown, which is not zero. The zero value is a room without statistics.
type Statistics struct {
	// Present says that the payload had a Statistic object at all.
	Present bool

	known  uint8 // bit s: statistic s is known
	values [NumStatistics]uint64
}

// Set makes statistic s known.
func (s *Statistics) Set(statistic Statistic, value uint64) {
	s.known |= 1 << statistic
	s.values[statistic] = value
}

// Get returns statistic s and whether it is known.
func (s *Statistics) Get(statistic Statistic) (value uint64, known bool) {
	return s.values[statistic], s.known&(1<<statistic) != 0
}
