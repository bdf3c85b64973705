package room_test

import (
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

func TestCategoryLabels(t *testing.T) {
	t.Parallel()
	type step struct {
		ids        []int64
		want       []string
		overflowed bool
	}
	names := map[int64]string{1: "gaming", 2: "music", -3: "Spiel & Spaß"}

	for name, c := range map[string]struct {
		names   map[int64]string
		limit   int
		restore []string
		steps   []step
	}{
		"no category": {names: names, limit: 1, steps: []step{
			{ids: nil, want: []string{"none"}},
			{ids: []int64{}, want: []string{"none"}},
			{ids: []int64{9}, want: []string{"9"}}, // none takes no place
		}},
		"named": {names: names, limit: 5, steps: []step{
			{ids: []int64{1}, want: []string{"gaming"}},
			{ids: []int64{-3}, want: []string{"Spiel & Spaß"}},
		}},
		"unnamed": {names: names, limit: 5, steps: []step{
			{ids: []int64{0}, want: []string{"0"}},
			{ids: []int64{-1}, want: []string{"-1"}},
			{ids: []int64{math.MaxInt64}, want: []string{"9223372036854775807"}},
			{ids: []int64{math.MinInt64}, want: []string{"-9223372036854775808"}},
		}},
		"order is the room's": {names: names, limit: 5, steps: []step{
			{ids: []int64{9, 2, 5, 1}, want: []string{"9", "music", "5", "gaming"}},
			{ids: []int64{1, 5, 2, 9}, want: []string{"gaming", "5", "music", "9"}},
		}},
		"duplicates": {names: names, limit: 5, steps: []step{
			{ids: []int64{1, 1, 9, 1, 9}, want: []string{"gaming", "9"}},
		}},
		"beyond the limit": {names: names, limit: 2, steps: []step{
			{ids: []int64{10}, want: []string{"10"}},
			{ids: []int64{11}, want: []string{"11"}},
			{ids: []int64{12}, want: []string{"other"}, overflowed: true},
			{ids: []int64{10}, want: []string{"10"}},
			{ids: []int64{12, 13}, want: []string{"other"}, overflowed: true}, // both fall together
			{ids: []int64{12, 11, 13, 1}, want: []string{"other", "11", "gaming"}, overflowed: true},
			{ids: []int64{1, 12}, want: []string{"gaming", "other"}, overflowed: true},
			{ids: nil, want: []string{"none"}},
		}},
		"limit reached within a room": {limit: 1, steps: []step{
			{ids: []int64{7, 8}, want: []string{"7", "other"}, overflowed: true},
		}},
		"limit of zero": {names: names, limit: 0, steps: []step{
			{ids: []int64{1}, want: []string{"gaming"}},
			{ids: []int64{9}, want: []string{"other"}, overflowed: true},
		}},
		"named take no place": {names: names, limit: 1, steps: []step{
			{ids: []int64{1, 2, -3}, want: []string{"gaming", "music", "Spiel & Spaß"}},
			{ids: []int64{9}, want: []string{"9"}},
			{ids: []int64{10}, want: []string{"other"}, overflowed: true},
			{ids: []int64{1}, want: []string{"gaming"}}, // never overflow
		}},
		"restored": {names: names, limit: 2, restore: []string{"20", "-5"}, steps: []step{
			{ids: []int64{30}, want: []string{"other"}, overflowed: true},
			{ids: []int64{20}, want: []string{"20"}},
			{ids: []int64{-5}, want: []string{"-5"}},
		}},
		"restored twice takes one place": {limit: 2, restore: []string{"20", "20"}, steps: []step{
			{ids: []int64{30}, want: []string{"30"}},
			{ids: []int64{31}, want: []string{"other"}, overflowed: true},
		}},
		"restored beyond a lower limit": {limit: 1, restore: []string{"20", "21", "22"}, steps: []step{
			{ids: []int64{20, 21, 22}, want: []string{"20", "21", "22"}},
			{ids: []int64{23}, want: []string{"other"}, overflowed: true},
		}},
		"restored and named since": {names: names, limit: 5, restore: []string{"1"}, steps: []step{
			{ids: []int64{1}, want: []string{"gaming"}},
		}},
		"restored no integers": {limit: 1, restore: []string{"none", "other", "gaming", "", "007", "+5", "-0", "1e3", "9223372036854775808"}, steps: []step{
			{ids: []int64{7}, want: []string{"7"}},
			{ids: []int64{5}, want: []string{"other"}, overflowed: true},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			labels := room.NewCategoryLabels(c.names, c.limit)
			for _, label := range c.restore {
				labels.Restore(label)
			}
			for i, s := range c.steps {
				got, overflowed := labels.Append(nil, s.ids)
				if !slices.Equal(got, s.want) || overflowed != s.overflowed {
					t.Errorf("step %d, %v: got %q, overflowed %t, want %q, %t", i, s.ids, got, overflowed, s.want, s.overflowed)
				}
			}
		})
	}
}

// What Append finds in the slice stays, and is no duplicate of what it appends.
func TestCategoryLabelsAppendTo(t *testing.T) {
	t.Parallel()
	labels := room.NewCategoryLabels(nil, 5)
	got, _ := labels.Append([]string{"1", "none"}, []int64{1, 2, 1})
	if want := []string{"1", "none", "1", "2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got, _ = labels.Append(got, nil)
	if want := []string{"1", "none", "1", "2", "none"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCategoryLabelsKnown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		names map[int64]string
		want  []string
	}{
		{nil, []string{"none", "other"}},
		{map[int64]string{3: "b", 1: "c", 2: "a"}, []string{"a", "b", "c", "none", "other"}},
	} {
		labels := room.NewCategoryLabels(c.names, 5)
		labels.Append(nil, []int64{77}) // seen is not configured
		if got := labels.Known(); !slices.Equal(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// Whatever arrives, there are never more labels than the configuration allows.
func TestCategoryLabelsAreBounded(t *testing.T) {
	t.Parallel()
	const limit = 50
	labels := room.NewCategoryLabels(map[int64]string{5: "five"}, limit)
	distinct := make(map[string]bool)
	overflows := 0
	for id := range int64(1000) {
		got, overflowed := labels.Append(nil, []int64{id, -id})
		for _, label := range got {
			distinct[label] = true
			if n, err := strconv.ParseInt(label, 10, 64); err == nil && n != id && n != -id {
				t.Fatalf("category %d is %q", id, label)
			}
		}
		if overflowed {
			overflows++
		}
	}
	if want := limit + len([]string{"five", "other"}); len(distinct) != want {
		t.Errorf("%d labels, want %d", len(distinct), want)
	}
	// 0, 1, -1, …, 4, -4, -5, 6, -6, …, 25, -25 take the places.
	if want := 1000 - 26; overflows != want {
		t.Errorf("%d rooms overflowed, want %d", overflows, want)
	}
}
