package metrics

import (
	"math"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

// counter is a prometheus.Metric of one sum.
type counter struct {
	desc    *prometheus.Desc
	labels  []*dto.LabelPair // sorted by name, shared
	value   uint64
	created *timestamppb.Timestamp
}

// Desc implements prometheus.Metric.
func (c *counter) Desc() *prometheus.Desc { return c.desc }

// Write implements prometheus.Metric.
func (c *counter) Write(out *dto.Metric) error {
	out.Label = c.labels
	out.Counter = &dto.Counter{Value: proto.Float64(float64(c.value)), CreatedTimestamp: c.created}
	return nil
}

// histogram is a prometheus.Metric of one distribution.
type histogram struct {
	desc      *prometheus.Desc
	labels    []*dto.LabelPair // sorted by name, shared
	data      *totals.Histogram
	bounds    []float64
	created   *timestamppb.Timestamp
	rendering Rendering
}

// Desc implements prometheus.Metric.
func (h *histogram) Desc() *prometheus.Desc { return h.desc }

// Write implements prometheus.Metric.
func (h *histogram) Write(out *dto.Metric) error {
	out.Label = h.labels
	out.Histogram = &dto.Histogram{
		SampleCount:      proto.Uint64(h.data.Count),
		SampleSum:        proto.Float64(float64(h.data.Sum)),
		CreatedTimestamp: h.created,
	}
	if h.rendering.Classic {
		h.writeClassic(out.Histogram)
	}
	if h.rendering.Native {
		h.writeNative(out.Histogram)
	}
	return nil
}

func (h *histogram) writeClassic(out *dto.Histogram) {
	out.Bucket = make([]*dto.Bucket, len(h.bounds), len(h.bounds)+1)
	var cumulative uint64
	for i, bound := range h.bounds {
		cumulative += h.data.Classic[i]
		out.Bucket[i] = &dto.Bucket{
			UpperBound:      proto.Float64(bound),
			CumulativeCount: proto.Uint64(cumulative),
			Exemplar:        h.exemplar(i),
		}
	}
	// The formats add +Inf by themselves; it need only be there for an exemplar.
	if e := h.exemplar(len(h.bounds)); e != nil {
		out.Bucket = append(out.Bucket, &dto.Bucket{
			UpperBound:      proto.Float64(math.Inf(1)),
			CumulativeCount: proto.Uint64(h.data.Count),
			Exemplar:        e,
		})
	}
}

func (h *histogram) writeNative(out *dto.Histogram) {
	native := &h.data.Native
	out.Schema = proto.Int32(native.Schema)
	out.ZeroThreshold = proto.Float64(totals.NativeZeroThreshold)
	out.ZeroCount = proto.Uint64(native.Zero)
	out.PositiveSpan, out.PositiveDelta = spans(native.Buckets)
	if h.rendering.Classic {
		return // whoever reads the native buckets takes the classic ones' exemplars
	}
	for i := range h.data.Exemplars {
		if e := h.exemplar(i); e != nil {
			out.Exemplars = append(out.Exemplars, e)
		}
	}
}

// spans returns buckets as the protobuf format has them: runs of neighbours, and
// each count as the difference to the one before. Without any bucket there is
// an empty span, for that is what tells a native histogram without
// observations from a classic one.
func spans(buckets []totals.NativeBucket) ([]*dto.BucketSpan, []int64) {
	if len(buckets) == 0 {
		return []*dto.BucketSpan{{Offset: proto.Int32(0), Length: proto.Uint32(0)}}, nil
	}
	var (
		spans  []*dto.BucketSpan
		deltas = make([]int64, len(buckets))
		next   int32 // index behind the last bucket
		last   uint64
	)
	for i, b := range buckets {
		if i == 0 || b.Index != next {
			spans = append(spans, &dto.BucketSpan{Offset: proto.Int32(b.Index - next), Length: proto.Uint32(0)})
		}
		*spans[len(spans)-1].Length++
		deltas[i] = int64(b.Count - last)
		next, last = b.Index+1, b.Count
	}
	return spans, deltas
}

// exemplarLabel names the room of an exemplar.
const exemplarLabel = "room_id"

// exemplar returns the exemplar of classic bucket i, or nil when there is none.
// An id longer than OpenMetrics allows has none: cut short it would name another room.
func (h *histogram) exemplar(i int) *dto.Exemplar {
	e := &h.data.Exemplars[i]
	if !h.rendering.Exemplars || e.RoomID == "" ||
		len(exemplarLabel)+utf8.RuneCountInString(e.RoomID) > prometheus.ExemplarMaxRunes {
		return nil
	}
	return &dto.Exemplar{
		Label:     []*dto.LabelPair{{Name: proto.String(exemplarLabel), Value: proto.String(e.RoomID)}},
		Value:     proto.Float64(float64(e.Value)),
		Timestamp: timestamppb.New(time.UnixMilli(e.Time)),
	}
}
