package metrics_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/metrics"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

// only returns the one histogram of tuilivekit_room_viewers.
func only(t *testing.T, families map[string]*dto.MetricFamily) *dto.Histogram {
	t.Helper()
	viewers := families["tuilivekit_room_viewers"].GetMetric()
	if len(viewers) != 1 {
		t.Fatalf("%d histograms", len(viewers))
	}
	return viewers[0].GetHistogram()
}

func addRooms(sums *totals.Totals, values ...uint64) {
	for i, value := range values {
		sums.Add(ended(fmt.Sprintf("r%d", i), value), []string{"none"}, time.Unix(int64(i), 0))
	}
}

func TestFamilies(t *testing.T) {
	t.Parallel()
	sums := totals.New(smallBounds())
	addRooms(sums, 1)
	families := overProtobuf(t, gather(t, sums, all()))
	series := map[string]string{"sdk_app_id": appID, "destroy_type": "user", "category": "none"}
	membership := map[string]string{"sdk_app_id": appID, "category": "none"}
	want := map[string]map[string]string{
		"tuilivekit_rooms_destroyed_total":          series,
		"tuilivekit_rooms_without_statistics_total": series,
		"tuilivekit_category_rooms_destroyed_total": membership,
	}
	for _, statistic := range []string{"viewers", "gifts", "gift_coins", "gift_senders", "likes"} {
		want["tuilivekit_"+statistic+"_total"] = series
		want["tuilivekit_room_"+statistic] = series
		want["tuilivekit_category_"+statistic+"_total"] = membership
	}
	expect(t, "number of families", len(families), len(want))
	for name, labels := range want {
		family := families[name]
		expect(t, name+": labels", labelsOf(family.GetMetric()[0]), labels)
		wantType := dto.MetricType_COUNTER
		if strings.HasPrefix(name, "tuilivekit_room_") {
			wantType = dto.MetricType_HISTOGRAM
		}
		expect(t, name+": type", family.GetType(), wantType)
		warned := strings.Contains(family.GetHelp(), "do not sum over category")
		expect(t, name+": HELP warns", warned, strings.HasPrefix(name, "tuilivekit_category_"))
	}
}

// Every number is stamped with the time its series came to be, also after more
// rooms, and after it was written to disk and read again.
func TestCreatedTimestamps(t *testing.T) {
	t.Parallel()
	expected, late := time.UnixMilli(1763450000999), time.UnixMilli(1763450060001)
	sums := totals.New(smallBounds())
	sums.Expect(appID, []string{"none"}, expected)
	sums.Add(ended("a", 1), []string{"7"}, late)
	sums.Add(ended("b", 1), []string{"7", "none"}, late.Add(time.Hour))
	sums.Add(ended("c", 1), []string{"none"}, late.Add(time.Hour))

	var encoded strings.Builder
	if err := sums.View().Encode(&encoded); err != nil {
		t.Fatal(err)
	}
	restored, err := totals.Decode(strings.NewReader(encoded.String()))
	if err != nil {
		t.Fatal(err)
	}
	restored.Add(ended("d", 1), []string{"7"}, late.Add(2*time.Hour))

	for _, sums := range []*totals.Totals{sums, restored} {
		checked := 0
		for name, family := range overProtobuf(t, gather(t, sums, all())) {
			for _, m := range family.GetMetric() {
				created := m.GetCounter().GetCreatedTimestamp()
				if family.GetType() == dto.MetricType_HISTOGRAM {
					created = m.GetHistogram().GetCreatedTimestamp()
				}
				want := map[string]time.Time{"none": expected, "7": late}[labelsOf(m)["category"]]
				expect(t, name+": created", created.AsTime().UnixMilli(), want.UnixMilli())
				checked++
			}
		}
		// 12 families of 3 expected series and a late one, 6 of 2 memberships.
		expect(t, "timestamps", checked, 12*4+6*2)
	}
}

func TestNativeBuckets(t *testing.T) {
	t.Parallel()
	type span struct {
		offset int32
		length uint32
	}
	for name, c := range map[string]struct {
		values []uint64
		zero   uint64
		spans  []span
		deltas []int64
	}{
		// An empty span says that it is a native histogram at all.
		"nothing":        {nil, 0, []span{{0, 0}}, nil},
		"zeros":          {[]uint64{0, 0}, 2, []span{{0, 0}}, nil},
		"ones":           {[]uint64{1, 1}, 0, []span{{0, 1}}, []int64{2}},
		"gaps":           {[]uint64{0, 1, 1, 2, 1000}, 1, []span{{0, 1}, {7, 1}, {71, 1}}, []int64{2, -1, 0}},
		"neighbours":     {[]uint64{16, 17, 17, 17, 18}, 0, []span{{32, 3}}, []int64{1, 2, -2}},
		"far away":       {[]uint64{math.MaxInt64}, 0, []span{{504, 1}}, []int64{1}},
		"far and nearby": {[]uint64{1, math.MaxInt64}, 0, []span{{0, 1}, {503, 1}}, []int64{1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sums := totals.New(smallBounds())
			addRooms(sums, c.values...)
			if len(c.values) == 0 {
				d := ended("r", 0)
				d.Statistics = room.Statistics{}
				sums.Add(d, []string{"none"}, time.Now())
			}
			for _, rendering := range []metrics.Rendering{{Native: true}, {Native: true, Classic: true}} {
				h := only(t, overProtobuf(t, gather(t, sums, rendering)))
				var spans []span
				for _, s := range h.GetPositiveSpan() {
					spans = append(spans, span{s.GetOffset(), s.GetLength()})
				}
				expect(t, "spans", spans, c.spans)
				expect(t, "deltas", h.GetPositiveDelta(), c.deltas)
				expect(t, "zero count", h.GetZeroCount(), c.zero)
				expect(t, "zero threshold", h.GetZeroThreshold(), math.Exp2(-128))
				expect(t, "schema", h.GetSchema(), int32(3))
				expect(t, "count", h.GetSampleCount(), uint64(len(c.values)))
				expect(t, "has classic buckets", len(h.GetBucket()) > 0, rendering.Classic)
			}
			h := only(t, overProtobuf(t, gather(t, sums, metrics.Rendering{Classic: true})))
			if h.Schema != nil || h.ZeroThreshold != nil || len(h.GetPositiveSpan()) > 0 || len(h.GetBucket()) != 3 {
				t.Errorf("classic alone: %v", h)
			}
		})
	}
}

func TestExemplars(t *testing.T) {
	t.Parallel()
	type exemplar struct {
		room  string
		value float64
		time  int64
	}
	read := func(e *dto.Exemplar) exemplar {
		if e == nil {
			return exemplar{}
		}
		expect(t, "labels of exemplar", len(e.GetLabel()), 1)
		expect(t, "label of exemplar", e.GetLabel()[0].GetName(), "room_id")
		return exemplar{e.GetLabel()[0].GetValue(), e.GetValue(), e.GetTimestamp().AsTime().Unix()}
	}
	sums := totals.New(smallBounds())
	addRooms(sums, 50, 7, 60, 5000, 8) // none of 0

	both := only(t, overProtobuf(t, gather(t, sums, all())))
	var inBuckets []exemplar
	for _, b := range both.GetBucket() {
		inBuckets = append(inBuckets, read(b.GetExemplar()))
	}
	expect(t, "in classic buckets", inBuckets, []exemplar{{}, {"r4", 8, 4}, {"r2", 60, 2}, {"r3", 5000, 3}})
	expect(t, "last bound", both.GetBucket()[3].GetUpperBound(), math.Inf(1))
	expect(t, "beside classic buckets", len(both.GetExemplars()), 0)

	native := only(t, overProtobuf(t, gather(t, sums, metrics.Rendering{Native: true, Exemplars: true})))
	var inNative []exemplar
	for _, e := range native.GetExemplars() {
		inNative = append(inNative, read(e))
	}
	expect(t, "in a native histogram", inNative, []exemplar{{"r4", 8, 4}, {"r2", 60, 2}, {"r3", 5000, 3}})

	for _, off := range []metrics.Rendering{{Classic: true, Native: true}, {Classic: true}, {Native: true}} {
		h := only(t, overProtobuf(t, gather(t, sums, off)))
		expect(t, "exemplars when off", len(h.GetExemplars()), 0)
		for _, b := range h.GetBucket() {
			expect(t, "exemplar when off", b.GetExemplar() == nil, true)
		}
	}
}

// OpenMetrics allows 128 characters for the names and values of an exemplar's labels.
func TestLongExemplars(t *testing.T) {
	t.Parallel()
	for id, shown := range map[string]bool{
		strings.Repeat("a", 121): true,
		strings.Repeat("a", 122): false,
		strings.Repeat("歌", 121): true,
		strings.Repeat("歌", 122): false,
	} {
		sums := totals.New(smallBounds())
		sums.Add(ended(id, 7), []string{"none"}, time.Now())
		classic := only(t, overProtobuf(t, gather(t, sums, all())))
		expect(t, "in a classic bucket", classic.GetBucket()[1].GetExemplar() != nil, shown)
		expect(t, "counted", classic.GetSampleCount(), uint64(1))
		native := only(t, overProtobuf(t, gather(t, sums, metrics.Rendering{Native: true, Exemplars: true})))
		expect(t, "in a native histogram", len(native.GetExemplars()) == 1, shown)
		text := string(encode(t, gather(t, sums, all()), formats()["openmetrics.prom"]))
		expect(t, "in OpenMetrics", strings.Contains(text, id), shown)
	}
}

// A series that a room brought into being shows 0 first, so that increase() sees the room.
func TestNewSeriesHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rendering := all()
		rendering.NewSeriesHold = time.Minute
		sums := totals.New(smallBounds())
		sums.Expect(appID, []string{"gaming"}, time.Now())
		created := time.Now().UnixMilli()
		sums.Add(ended("a", 7), []string{"gaming", "7"}, time.Now())
		sums.Add(ended("b", 7), []string{"7"}, time.Now())

		check := func(when string, held bool) {
			t.Helper()
			value := func(n float64) float64 {
				if held {
					return 0
				}
				return n
			}
			families := overProtobuf(t, gather(t, sums, rendering))
			for _, name := range []string{"tuilivekit_rooms_destroyed_total", "tuilivekit_viewers_total"} {
				each := map[bool]float64{false: 1, true: 7}[name == "tuilivekit_viewers_total"]
				got := make(map[string]float64)
				for _, m := range families[name].GetMetric() {
					labels := labelsOf(m)
					got[labels["destroy_type"]+" "+labels["category"]] = m.GetCounter().GetValue()
				}
				expect(t, when+": "+name, got, map[string]float64{
					"user gaming": each, "system gaming": 0, "other gaming": 0, "user 7": value(each),
				})
			}
			members := make(map[string]float64)
			for _, m := range families["tuilivekit_category_likes_total"].GetMetric() {
				members[labelsOf(m)["category"]] = m.GetCounter().GetValue()
			}
			expect(t, when+": memberships", members, map[string]float64{"gaming": 7, "7": value(14)})
			for _, m := range families["tuilivekit_room_viewers"].GetMetric() {
				if labelsOf(m)["category"] != "7" {
					continue
				}
				h := m.GetHistogram()
				expect(t, when+": count", float64(h.GetSampleCount()), value(1))
				expect(t, when+": sum", h.GetSampleSum(), value(7))
				expect(t, when+": bucket", float64(h.GetBucket()[1].GetCumulativeCount()), value(1))
				expect(t, when+": has an exemplar", h.GetBucket()[1].GetExemplar() != nil, !held)
				expect(t, when+": native buckets", float64(len(h.GetPositiveDelta())), value(1))
				expect(t, when+": schema", h.GetSchema(), int32(3))
				expect(t, when+": created", h.GetCreatedTimestamp().AsTime().UnixMilli(), created)
			}
		}
		check("at once", true)
		time.Sleep(time.Minute - time.Millisecond)
		check("before the end", true)
		time.Sleep(time.Millisecond)
		check("at the end", false)
		time.Sleep(time.Hour)
		check("long after", false)
	})
}
