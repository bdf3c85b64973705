package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// listedRoom is a line of the simulator's list with what pipeline tests have no use for.
type listedRoom struct {
	sentRoom
	EventTime  int64    `json:"event_time"`
	Categories []string `json:"categories"`
}

// readList returns the acknowledged rooms of the simulator's list, and fails the
// test if one is there twice.
func readList(t *testing.T, path string) []listedRoom {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rooms []listedRoom
	seen := map[string]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var room listedRoom
		if err := json.Unmarshal(lines.Bytes(), &room); err != nil {
			t.Fatal(err)
		}
		identity := fmt.Sprint(room.SDKAppID, " ", room.EventTime, " ", room.RoomID)
		if seen[identity] {
			t.Fatalf("the simulator lists room %s twice", identity)
		}
		seen[identity] = true
		rooms = append(rooms, room)
	}
	if err := lines.Err(); err != nil || len(rooms) == 0 {
		t.Fatalf("read %d rooms: %v", len(rooms), err)
	}
	return rooms
}

// reportOf is what a list of rooms adds up to.
func reportOf(rooms []listedRoom) (r report) {
	for _, room := range rooms {
		var s simulated
		s.SDKAppID, s.RoomsDestroyed = room.SDKAppID, 1
		for name, field := range map[string]*uint64{
			"viewers": &s.Viewers, "gifts": &s.Gifts, "gift_coins": &s.GiftCoins, "gift_senders": &s.GiftSenders, "likes": &s.Likes,
		} {
			*field = room.Statistics[name]
		}
		categories := room.Categories
		if len(categories) == 0 {
			categories = []string{"none"}
		}
		for _, category := range categories {
			s.Category = category
			r.Categories = append(r.Categories, s)
		}
		s.DestroyType, s.Category = room.DestroyType, room.Category
		if room.Statistics == nil {
			s.RoomsWithoutStatistics = 1
		}
		r.Series = append(r.Series, s)
	}
	return r
}

// compareBuckets compares every count, sum and classic bucket of the rooms'
// histograms with a list of rooms.
func compareBuckets(t *testing.T, s samples, rooms []listedRoom) {
	t.Helper()
	observed := map[string][]uint64{} // by histogram and labels
	for _, room := range rooms {
		series := simulated{SDKAppID: room.SDKAppID, DestroyType: room.DestroyType, Category: room.Category}
		for name, value := range room.Statistics {
			key := "tuilivekit_room_" + name + series.labels()
			observed[key] = append(observed[key], value)
		}
	}
	got, want := map[string]uint64{}, map[string]uint64{}
	for series, value := range s {
		name, labels, _ := strings.Cut(series, "{")
		if !strings.HasPrefix(name, "tuilivekit_room_") {
			continue
		}
		end := strings.LastIndexByte(name, '_')
		bound := ""
		if suffix := name[end:]; suffix == "_bucket" {
			labels, bound, _ = strings.Cut(labels, `,le="`)
			labels += "}"
		}
		got[series] = uint64(value)
		want[series] = aggregate(t, observed[name[:end]+"{"+labels], name[end:], strings.TrimSuffix(bound, `"}`))
	}
	for key := range observed {
		if series := strings.Replace(key, "{", "_count{", 1); want[series] == 0 {
			t.Errorf("%s is missing", series)
		}
	}
	compare(t, "histogram", got, want)
}

// aggregate returns what one sample of a histogram of such values must be.
func aggregate(t *testing.T, values []uint64, suffix, bound string) (n uint64) {
	t.Helper()
	switch suffix {
	case "_count":
		return uint64(len(values))
	case "_sum":
		for _, value := range values {
			n += value
		}
		return n
	}
	upper, err := strconv.ParseFloat(bound, 64)
	if err != nil {
		t.Fatalf("bound %q: %v", bound, err)
	}
	for _, value := range values {
		if float64(value) <= upper {
			n++
		}
	}
	return n
}
