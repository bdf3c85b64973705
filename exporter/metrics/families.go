package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// Labels of the domain metrics.
const (
	labelSDKAppID    = "sdk_app_id"
	labelDestroyType = "destroy_type"
	labelCategory    = "category"
)

// families are the descriptions of all domain metrics.
type families struct {
	rooms             *prometheus.Desc
	withoutStatistics *prometheus.Desc
	sums              [room.NumStatistics]*prometheus.Desc
	histograms        [room.NumStatistics]*prometheus.Desc
	categoryRooms     *prometheus.Desc
	categorySums      [room.NumStatistics]*prometheus.Desc
}

func newFamilies() families {
	series := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("tuilivekit_"+name, help, []string{labelSDKAppID, labelDestroyType, labelCategory}, nil)
	}
	membership := func(name, help string) *prometheus.Desc {
		const warning = " A room is counted under each of its categories: do not sum over category."
		return prometheus.NewDesc("tuilivekit_category_"+name, help+warning, []string{labelSDKAppID, labelCategory}, nil)
	}
	return families{
		rooms: series("rooms_destroyed_total", "Rooms destroyed."),
		withoutStatistics: series("rooms_without_statistics_total",
			"Rooms destroyed whose payload had no Statistic: counted as destroyed, absent from every histogram."),
		sums: [room.NumStatistics]*prometheus.Desc{
			room.Viewers:     series("viewers_total", "Room entries: the same user entering N times counts N."),
			room.Gifts:       series("gifts_total", "Gifts sent."),
			room.GiftCoins:   series("gift_coins_total", "Coins that the gifts sent were worth."),
			room.GiftSenders: series("gift_senders_total", "Users that sent gifts, unique within a room, added over rooms."),
			room.Likes:       series("likes_total", "Likes received."),
		},
		histograms: [room.NumStatistics]*prometheus.Desc{
			room.Viewers:     series("room_viewers", "Room entries of a room."),
			room.Gifts:       series("room_gifts", "Gifts sent in a room."),
			room.GiftCoins:   series("room_gift_coins", "Coins that the gifts sent in a room were worth."),
			room.GiftSenders: series("room_gift_senders", "Unique users that sent gifts in a room."),
			room.Likes:       series("room_likes", "Likes received in a room."),
		},
		categoryRooms: membership("rooms_destroyed_total", "Rooms destroyed that carry the category."),
		categorySums: [room.NumStatistics]*prometheus.Desc{
			room.Viewers:     membership("viewers_total", "Room entries of rooms that carry the category."),
			room.Gifts:       membership("gifts_total", "Gifts sent in rooms that carry the category."),
			room.GiftCoins:   membership("gift_coins_total", "Coins that gifts were worth in rooms that carry the category."),
			room.GiftSenders: membership("gift_senders_total", "Users that sent gifts in rooms that carry the category, unique within a room, added over rooms."),
			room.Likes:       membership("likes_total", "Likes received in rooms that carry the category."),
		},
	}
}

func (f *families) all() []*prometheus.Desc {
	all := []*prometheus.Desc{f.rooms, f.withoutStatistics, f.categoryRooms}
	all = append(all, f.sums[:]...)
	all = append(all, f.histograms[:]...)
	return append(all, f.categorySums[:]...)
}
