package totals

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"pgregory.net/rapid"
)

func nativeCount(n *Native) uint64 {
	count := n.Zero
	for _, b := range n.Buckets {
		count += b.Count
	}
	return count
}

// factorOf is a growth factor for which client_golang chooses the schema.
var factorOf = map[int32]float64{3: 1.1, 2: 1.19, 1: 1.42, 0: 2}

// reference returns what client_golang makes of the values at a schema.
func reference(t fataler, schema int32, values []uint64) Native {
	t.Helper()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", NativeHistogramBucketFactor: factorOf[schema]})
	for _, value := range values {
		h.Observe(float64(value))
	}
	var metric dto.Metric
	if err := h.Write(&metric); err != nil {
		t.Fatalf("write: %v", err)
	}
	got := metric.GetHistogram()
	mustEqual(t, "zero threshold", got.GetZeroThreshold(), float64(NativeZeroThreshold))
	mustEqual(t, "schema", got.GetSchema(), schema)
	native := Native{Schema: got.GetSchema(), Zero: got.GetZeroCount()}
	var index int32
	var count int64
	deltas := got.GetPositiveDelta()
	for _, span := range got.GetPositiveSpan() {
		index += span.GetOffset()
		for range span.GetLength() {
			count, deltas = count+deltas[0], deltas[1:]
			if count > 0 { // it fills gaps of one or two
				native.Buckets = append(native.Buckets, NativeBucket{index, uint64(count)})
			}
			index++
		}
	}
	return native
}

func observeAll(values []uint64) Native {
	n := newNative()
	for _, value := range values {
		n.observe(value)
	}
	return n
}

func TestNativeAsClientGolang(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(genValue(), 0, NativeMaxBuckets).Draw(t, "values")
		mustEqual(t, "native", observeAll(values), reference(t, NativeMaxSchema, values))
	})
}

// Every power of two, every bound of a bucket and their neighbours.
func TestNativeIndexAtEdges(t *testing.T) {
	t.Parallel()
	var values []uint64
	for exponent := range 64 {
		for _, delta := range []int64{-2, -1, 0, 1, 2} {
			values = append(values, uint64(int64(1)<<exponent+delta))
		}
		for eighths := range 8 {
			bound := uint64(math.Exp2(float64(exponent) + float64(eighths)/8))
			values = append(values, bound-1, bound, bound+1)
		}
	}
	values = append(values, math.MaxInt64-1, math.MaxInt64, math.MaxUint64-1, math.MaxUint64)
	for _, value := range values {
		if value == 0 {
			continue
		}
		want := reference(t, NativeMaxSchema, []uint64{value}).Buckets[0].Index
		if got := nativeIndex(value); got != want {
			t.Errorf("index of %d is %d, want %d", value, got, want)
		}
	}
}

// spread returns values of n different buckets at NativeMaxSchema.
func spread(n int) []uint64 {
	values := make([]uint64, 0, n)
	last := int32(-1)
	for x := 1.0; len(values) < n; x *= math.Exp2(1.0 / 16) {
		value := uint64(x)
		if index := nativeIndex(value); index > last {
			values, last = append(values, value), index
		}
	}
	return values
}

func TestNativeResolutionFalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		buckets int
		schema  int32
	}{
		{0, 3}, {1, 3}, {159, 3}, {160, 3}, {161, 2}, {300, 2}, {400, 1}, {480, 1},
	} {
		values := spread(c.buckets)
		values = append(values, 0, 0, 0)
		native := observeAll(values)
		mustEqual(t, "native", native, reference(t, c.schema, values))
		mustEqual(t, "count", nativeCount(&native), uint64(len(values)))
		if len(native.Buckets) > NativeMaxBuckets {
			t.Errorf("%d buckets", len(native.Buckets))
		}
		// What comes later goes where it belongs at the schema now reached.
		values = append(values, values...)
		for _, value := range values[len(values)/2:] {
			native.observe(value)
		}
		mustEqual(t, "native, all twice", native, reference(t, c.schema, values))
	}
}

func TestNativeOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := spread(rapid.IntRange(0, 480).Draw(t, "buckets"))
		values = append(values, rapid.SliceOfN(genValue(), 0, 50).Draw(t, "more")...)
		want := observeAll(values)
		mustEqual(t, "count", nativeCount(&want), uint64(len(values)))
		shuffle := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		shuffle.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
		mustEqual(t, "native", observeAll(values), want)
		mustEqual(t, "native", want, reference(t, want.Schema, values))
	})
}
