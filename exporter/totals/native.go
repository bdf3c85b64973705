package totals

import (
	"math"
	"slices"
	"sort"
)

const (
	// NativeMaxSchema is the resolution a native histogram starts with: each
	// bucket is 2^(2^-3) = 1.09 times as wide as the one below, the widest
	// growth that stays within a factor of 1.1.
	NativeMaxSchema = 3
	// NativeMaxBuckets is how many buckets a native histogram has at most.
	// One more, and the resolution is halved; nothing is ever reset.
	NativeMaxBuckets = 160
	// NativeZeroThreshold is the width of the zero bucket, which holds zeros
	// only: statistics are integers. The value is Prometheus' own default.
	NativeZeroThreshold = 2.938735877055719e-39 // 2^-128
)

// Native is a Prometheus native histogram with standard exponential buckets
// (https://prometheus.io/docs/specs/native_histograms/).
type Native struct {
	Schema  int32
	Zero    uint64         // observations of zero
	Buckets []NativeBucket // populated ones only, by ascending index
}

// NativeBucket counts observations in (2^((Index-1)*2^-Schema), 2^(Index*2^-Schema)].
type NativeBucket struct {
	Index int32
	Count uint64
}

func newNative() Native { return Native{Schema: NativeMaxSchema} }

func (n *Native) observe(value uint64) {
	if value == 0 {
		n.Zero++
		return
	}
	index := nativeIndex(value)
	for schema := int32(NativeMaxSchema); schema > n.Schema; schema-- {
		index = halve(index)
	}
	at, found := slices.BinarySearchFunc(n.Buckets, index, func(b NativeBucket, index int32) int {
		return int(b.Index - index)
	})
	if found {
		n.Buckets[at].Count++
		return
	}
	n.Buckets = slices.Insert(n.Buckets, at, NativeBucket{Index: index, Count: 1})
	for len(n.Buckets) > NativeMaxBuckets {
		n.halveResolution()
	}
}

// halveResolution merges each two neighbouring buckets into one.
func (n *Native) halveResolution() {
	n.Schema--
	merged := n.Buckets[:0]
	for _, b := range n.Buckets {
		b.Index = halve(b.Index)
		if last := len(merged) - 1; last >= 0 && merged[last].Index == b.Index {
			merged[last].Count += b.Count
			continue
		}
		merged = append(merged, b)
	}
	n.Buckets = merged
}

// halve returns the index, one schema lower, of the bucket that contains
// bucket index.
func halve(index int32) int32 { return (index + 1) >> 1 }

// nativeIndex returns the index of value's bucket at NativeMaxSchema.
func nativeIndex(value uint64) int32 {
	// Upper bounds of the buckets within one power of two, scaled to
	// math.Frexp's range: 2^(i/8) / 2.
	bounds := [1 << NativeMaxSchema]float64{
		0.5, 0.5452538663326288, 0.5946035575013605, 0.6484197773255048,
		0.7071067811865475, 0.7711054127039704, 0.8408964152537144, 0.9170040432046711,
	}
	fraction, exponent := math.Frexp(float64(value))
	return int32(sort.SearchFloat64s(bounds[:], fraction) + (exponent-1)*len(bounds))
}
