package room_test

import (
	"bytes"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

func TestDestroyTypeOf(t *testing.T) {
	t.Parallel()
	for eventType, want := range map[string]struct {
		destroyType room.DestroyType
		label       string
	}{
		"DestroyByUser":   {room.DestroyedByUser, "user"},
		"DestroyBySystem": {room.DestroyedBySystem, "system"},
		"":                {room.DestroyedByOther, "other"},
		"destroybyuser":   {room.DestroyedByOther, "other"},
		"DestroyByUser ":  {room.DestroyedByOther, "other"},
		"DestroyByAdmin":  {room.DestroyedByOther, "other"},
		"user":            {room.DestroyedByOther, "other"},
	} {
		got := room.DestroyTypeOf(eventType)
		if got != want.destroyType || got.String() != want.label || !got.Valid() {
			t.Errorf("%q: got %d, %q, valid %t", eventType, got, got, got.Valid())
		}
	}
}

func TestDestroyTypes(t *testing.T) {
	t.Parallel()
	var zero room.DestroyType
	if zero != room.DestroyedByOther {
		t.Errorf("the zero value is %q", zero)
	}
	listed := make(map[room.DestroyType]bool)
	labels := make(map[string]bool)
	for _, destroyType := range room.DestroyTypes() {
		listed[destroyType] = true
		labels[destroyType.String()] = true
	}
	valid := 0
	for i := range 256 {
		destroyType := room.DestroyType(i)
		if destroyType.Valid() != listed[destroyType] {
			t.Errorf("%d: valid is %t, listed %t", i, destroyType.Valid(), listed[destroyType])
		}
		if destroyType.Valid() {
			valid++
		}
	}
	if valid != 3 || len(labels) != 3 {
		t.Errorf("%d valid types, labels %v", valid, labels)
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	want := map[room.Statistic]string{
		room.Viewers: "viewers", room.Gifts: "gifts", room.GiftCoins: "gift_coins",
		room.GiftSenders: "gift_senders", room.Likes: "likes",
	}
	all := room.AllStatistics()
	if len(all) != len(want) || len(all) != room.NumStatistics {
		t.Fatalf("%d statistics", len(all))
	}
	for i, statistic := range all {
		if int(statistic) != i || statistic.String() != want[statistic] {
			t.Errorf("statistic %d is %d, %q", i, statistic, statistic)
		}

		var s room.Statistics
		if value, known := s.Get(statistic); known || value != 0 {
			t.Errorf("%s is %d, known %t, before it is set", statistic, value, known)
		}
		for _, value := range []uint64{0, 1, math.MaxUint64} {
			s.Set(statistic, value)
			if got, known := s.Get(statistic); !known || got != value {
				t.Errorf("%s is %d, known %t, want %d", statistic, got, known, value)
			}
		}
		for _, other := range all {
			if _, known := s.Get(other); known != (other == statistic) {
				t.Errorf("%s is known: %t, when %s was set", other, known, statistic)
			}
		}
		if s.Present {
			t.Errorf("setting %s makes statistics present", statistic)
		}
	}
}

func TestDestroyedLogValue(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := &room.Destroyed{
		SDKAppID: "1400000001", RoomID: "歌房 1", EventTime: time.UnixMilli(1703589922780).UTC(),
		DestroyType: room.DestroyedBySystem, Operator: "admin", Owner: "brennanli", Categories: []int64{1},
	}
	slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key != "msg" {
			return slog.Attr{}
		}
		return a
	}})).Info("x", "room", d)
	const want = `msg=x room.sdk_app_id=1400000001 room.room_id="歌房 1" room.event_time=2023-12-26T11:25:22.780Z` +
		" room.destroy_type=system room.operator=admin room.owner=brennanli\n"
	if log.String() != want {
		t.Errorf("got %swant %s", log.String(), want)
	}
}
