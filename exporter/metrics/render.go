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

// The types here are what a scrape consists of, by the ten thousands. They hold
// the messages they are rendered to, so that a metric is one allocation and not
// one for each of its fields.

// counter is a prometheus.Metric of one sum.
type counter struct {
	desc   *prometheus.Desc
	labels []*dto.LabelPair // sorted by name, shared
	value  float64
	out    dto.Counter
}

func (c *counter) set(desc *prometheus.Desc, labels []*dto.LabelPair, value uint64, created *timestamppb.Timestamp) {
	c.desc, c.labels, c.value = desc, labels, float64(value)
	c.out.Value, c.out.CreatedTimestamp = &c.value, created
}

// Desc implements prometheus.Metric.
func (c *counter) Desc() *prometheus.Desc { return c.desc }

// Write implements prometheus.Metric.
func (c *counter) Write(out *dto.Metric) error {
	out.Label, out.Counter = c.labels, &c.out
	return nil
}

// histogram is a prometheus.Metric of one distribution.
type histogram struct {
	desc      *prometheus.Desc
	labels    []*dto.LabelPair // sorted by name, shared
	data      *totals.Histogram
	bounds    []float64
	rendering Rendering
	sum       float64
	out       dto.Histogram
}

func (h *histogram) set(desc *prometheus.Desc, labels []*dto.LabelPair, data *totals.Histogram, bounds []float64, created *timestamppb.Timestamp, rendering Rendering) {
	h.desc, h.labels, h.data, h.bounds, h.rendering = desc, labels, data, bounds, rendering
	h.sum = float64(data.Sum)
	h.out.SampleCount, h.out.SampleSum, h.out.CreatedTimestamp = &data.Count, &h.sum, created
}

// Desc implements prometheus.Metric.
func (h *histogram) Desc() *prometheus.Desc { return h.desc }

// Write implements prometheus.Metric. It may be called once.
func (h *histogram) Write(out *dto.Metric) error {
	if h.rendering.Classic {
		h.writeClassic()
	}
	if h.rendering.Native {
		h.writeNative()
	}
	out.Label, out.Histogram = h.labels, &h.out
	return nil
}

func (h *histogram) writeClassic() {
	n := len(h.bounds) + 1 // with +Inf
	buckets := make([]dto.Bucket, n)
	counts := make([]uint64, n)
	h.out.Bucket = make([]*dto.Bucket, 0, n)
	var cumulative uint64
	for i, observations := range h.data.Classic {
		cumulative += observations
		counts[i] = cumulative
		bucket := &buckets[i]
		bucket.CumulativeCount, bucket.Exemplar = &counts[i], h.exemplar(i)
		switch {
		case i < len(h.bounds):
			bucket.UpperBound = &h.bounds[i]
		case bucket.Exemplar != nil:
			bucket.UpperBound = proto.Float64(math.Inf(1))
		default:
			return // the formats add +Inf by themselves
		}
		h.out.Bucket = append(h.out.Bucket, bucket)
	}
}

func (h *histogram) writeNative() {
	native := &h.data.Native
	h.out.Schema = &native.Schema
	h.out.ZeroThreshold = proto.Float64(totals.NativeZeroThreshold)
	h.out.ZeroCount = &native.Zero
	h.out.PositiveSpan, h.out.PositiveDelta = spans(native.Buckets)
	if h.rendering.Classic {
		return // whoever reads the native buckets takes the classic ones' exemplars
	}
	for i := range h.data.Exemplars {
		if e := h.exemplar(i); e != nil {
			h.out.Exemplars = append(h.out.Exemplars, e)
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
	runs := 1
	for i := range buckets[1:] {
		if buckets[i+1].Index != buckets[i].Index+1 {
			runs++
		}
	}
	var (
		memory  = make([]dto.BucketSpan, 0, runs)
		offsets = make([]int32, 0, runs)
		lengths = make([]uint32, 0, runs)
		spans   = make([]*dto.BucketSpan, 0, runs)
		deltas  = make([]int64, len(buckets))
		next    int32 // index behind the last bucket
		last    uint64
	)
	for i, b := range buckets {
		if i == 0 || b.Index != next {
			n := len(spans)
			memory, offsets, lengths = memory[:n+1], append(offsets, b.Index-next), append(lengths, 0)
			memory[n].Offset, memory[n].Length = &offsets[n], &lengths[n]
			spans = append(spans, &memory[n])
		}
		lengths[len(lengths)-1]++
		deltas[i] = int64(b.Count - last)
		next, last = b.Index+1, b.Count
	}
	return spans, deltas
}

// exemplar is the message of one exemplar.
type exemplar struct {
	out    dto.Exemplar
	labels [1]*dto.LabelPair
	label  dto.LabelPair
	name   string
	value  float64
	time   timestamppb.Timestamp
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
	m := &exemplar{value: float64(e.Value)}
	m.name = exemplarLabel
	m.label.Name, m.label.Value = &m.name, &e.RoomID
	m.labels[0] = &m.label
	m.time.Seconds, m.time.Nanos = e.Time/1000, int32(e.Time%1000)*int32(time.Millisecond)
	m.out.Label, m.out.Value, m.out.Timestamp = m.labels[:], &m.value, &m.time
	return &m.out
}
