package totals

import (
	"bytes"
	"encoding/gob"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// recode returns what Decode makes of an encoded view.
func recode(t fataler, view View) *Totals {
	t.Helper()
	var encoded bytes.Buffer
	if err := view.Encode(&encoded); err != nil {
		t.Fatalf("%v", err)
	}
	decoded, err := Decode(&encoded)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return decoded
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		totals := New(genBounds().Draw(t, "bounds"))
		totals.Expect("1400000001", []string{"gaming"}, start)
		before, after := genCounted(20).Draw(t, "before"), genCounted(20).Draw(t, "after")
		addAll(totals, before)
		if rapid.Bool().Draw(t, "set bounds") {
			totals.SetBounds(genBounds().Draw(t, "bounds"))
		}
		decoded := recode(t, totals.View())
		mustEqual(t, "decoded", content(decoded.View()), content(totals.View()))

		// It goes on as the one it was made of.
		addAll(totals, after)
		addAll(decoded, after)
		mustEqual(t, "gone on", content(decoded.View()), content(totals.View()))
	})
}

func TestRoundTripOfNothing(t *testing.T) {
	t.Parallel()
	for _, bounds := range []Bounds{{}, DefaultBounds()} {
		mustEqual(t, "view", recode(t, New(bounds).View()).View(), View{Bounds: bounds})
	}
}

func TestRoundTripOfExtremes(t *testing.T) {
	t.Parallel()
	totals := New(DefaultBounds())
	for _, value := range append(spread(480), 0, math.MaxUint64, math.MaxUint64) {
		r := room.Destroyed{SDKAppID: "1", RoomID: "\xff\x00 歌房", DestroyType: room.DestroyedBySystem}
		r.Statistics.Present = true
		r.Statistics.Set(room.GiftCoins, value)
		totals.Add(&r, []string{"none"}, start)
	}
	mustEqual(t, "view", content(recode(t, totals.View()).View()), content(totals.View()))
	mustEqual(t, "schema", totals.View().Series[0].Histograms[room.GiftCoins].Native.Schema, int32(1))
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	// A view of two series of 3 rooms each, one of them without statistics.
	valid := func() View {
		totals := New(Bounds{{1, 10}, {1}, {1}, {1}, {1}})
		for _, destroyType := range []room.DestroyType{room.DestroyedByUser, room.DestroyedBySystem} {
			for value := range uint64(3) {
				r := room.Destroyed{SDKAppID: "1", RoomID: "r", DestroyType: destroyType}
				if value > 0 {
					r.Statistics.Present = true
					r.Statistics.Set(room.Viewers, value*5)
				}
				totals.Add(&r, []string{"none", "gaming"}, start)
			}
		}
		return totals.View()
	}
	recode(t, valid())

	for name, c := range map[string]struct {
		change func(v *View, h *Histogram)
		want   string
	}{
		"bounds not sorted":       {func(v *View, _ *Histogram) { v.Bounds[0] = []float64{10, 1} }, "bucket bounds are not ascending"},
		"bounds twice":            {func(v *View, _ *Histogram) { v.Bounds[0] = []float64{10, 10} }, "bucket bounds are not ascending"},
		"bounds no numbers":       {func(v *View, _ *Histogram) { v.Bounds[0] = []float64{math.NaN(), 10} }, "bucket bounds are not ascending"},
		"other bounds":            {func(v *View, _ *Histogram) { v.Bounds[0] = []float64{1} }, "3 buckets and 3 exemplars for 1 bounds"},
		"buckets missing":         {func(_ *View, h *Histogram) { h.Classic = nil }, "0 buckets and 3 exemplars for 2 bounds"},
		"exemplars missing":       {func(_ *View, h *Histogram) { h.Exemplars = h.Exemplars[:1] }, "3 buckets and 1 exemplars for 2 bounds"},
		"count wrong":             {func(_ *View, h *Histogram) { h.Count-- }, "1 observations, but 2 in classic and 2 in native buckets"},
		"classic wrong":           {func(_ *View, h *Histogram) { h.Classic[2]++ }, "2 observations, but 3 in classic and 2 in native buckets"},
		"native wrong":            {func(_ *View, h *Histogram) { h.Native.Zero++ }, "2 observations, but 2 in classic and 3 in native buckets"},
		"native not sorted":       {func(_ *View, h *Histogram) { h.Native.Buckets[0].Index = 1000 }, "native buckets are empty or not ascending"},
		"native twice":            {func(_ *View, h *Histogram) { h.Native.Buckets[0].Index = h.Native.Buckets[1].Index }, "native buckets are empty or not ascending"},
		"native empty":            {func(_ *View, h *Histogram) { h.Native.Buckets = append(h.Native.Buckets, NativeBucket{1000, 0}) }, "native buckets are empty or not ascending"},
		"schema too high":         {func(_ *View, h *Histogram) { h.Native.Schema = 4 }, "2 native buckets of schema 4"},
		"schema too low":          {func(_ *View, h *Histogram) { h.Native.Schema = -1 }, "2 native buckets of schema -1"},
		"too many native buckets": {manyNativeBuckets, "161 native buckets of schema 3"},
		"too few rooms":           {func(v *View, _ *Histogram) { v.Series[0].Rooms = 1 }, "2 observations of 1 rooms, 1 of them without statistics"},
		"more without than rooms": {func(v *View, _ *Histogram) { v.Series[0].WithoutStatistics = 4 }, "2 observations of 3 rooms, 4 of them without statistics"},
		"unknown destroy type":    {func(v *View, _ *Histogram) { v.Series[0].DestroyType = 99 }, "is there twice or has no valid destroy type"},
		"series twice":            {func(v *View, _ *Histogram) { v.Series[1].Key = v.Series[0].Key }, "is there twice or has no valid destroy type"},
		"membership twice":        {func(v *View, _ *Histogram) { v.Memberships[1].MembershipKey = v.Memberships[0].MembershipKey }, "is there twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			view := deepCopy(valid())
			c.change(&view, &view.Series[0].Histograms[room.Viewers])
			var encoded bytes.Buffer
			if err := view.Encode(&encoded); err != nil {
				t.Fatal(err)
			}
			decoded, err := Decode(&encoded)
			if err == nil || decoded != nil || !strings.HasPrefix(err.Error(), "decode totals: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v, want %q", decoded, err, c.want)
			}
		})
	}
}

// manyNativeBuckets makes a histogram of one native bucket too many, right otherwise.
func manyNativeBuckets(v *View, h *Histogram) {
	h.Native.Buckets = nil
	for i := range int32(NativeMaxBuckets + 1) {
		h.Native.Buckets = append(h.Native.Buckets, NativeBucket{i, 1})
	}
	h.Count = NativeMaxBuckets + 1
	h.Classic = []uint64{h.Count, 0, 0}
	v.Series[0].Rooms = h.Count + v.Series[0].WithoutStatistics
}

func TestDecodeRefusesBrokenBytes(t *testing.T) {
	t.Parallel()
	totals := New(DefaultBounds())
	totals.Expect("1", []string{"none"}, start)
	var encoded bytes.Buffer
	if err := totals.View().Encode(&encoded); err != nil {
		t.Fatal(err)
	}
	for n := range encoded.Len() {
		if decoded, err := Decode(bytes.NewReader(encoded.Bytes()[:n])); err == nil || decoded != nil {
			t.Fatalf("the first %d of %d bytes: got %v, %v", n, encoded.Len(), decoded, err)
		}
	}
	var another bytes.Buffer
	if err := gob.NewEncoder(&another).Encode("a text"); err != nil {
		t.Fatal(err)
	}
	if decoded, err := Decode(&another); err == nil || decoded != nil {
		t.Errorf("another value: got %v, %v", decoded, err)
	}
}

// full is a disk without room for another byte.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, bytes.ErrTooLarge }

func TestEncodeReportsErrors(t *testing.T) {
	t.Parallel()
	err := New(DefaultBounds()).View().Encode(full{})
	if err == nil || !strings.HasPrefix(err.Error(), "encode totals: ") {
		t.Errorf("got %v", err)
	}
}
