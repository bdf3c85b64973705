package metrics_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/metrics"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

// roomsPerSeries is how many rooms of different size each series has seen.
const roomsPerSeries = 20

func valueOf(series, i int) uint64 { return uint64((series*31 + i*i*i*97) % 100_000) }

// fromTotals exposes n series with the exporter's own collector.
func fromTotals(n int, rendering metrics.Rendering) prometheus.Gatherer {
	sums := totals.New(totals.DefaultBounds())
	for series := range n {
		for i := range roomsPerSeries {
			sums.Add(ended(fmt.Sprintf("room-%d-%d", series, i), valueOf(series, i)), []string{fmt.Sprint(series)}, time.UnixMilli(1))
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.NewCollector(func() (totals.View, metrics.Rendering) { return sums.View(), rendering }))
	return registry
}

// fromVecs exposes the same families as client_golang's own metrics.
func fromVecs(n int, rendering metrics.Rendering) prometheus.Gatherer {
	registry := prometheus.NewRegistry()
	series := []string{"sdk_app_id", "destroy_type", "category"}
	member := []string{"sdk_app_id", "category"}
	counter := func(name string, labels []string) *prometheus.CounterVec {
		vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tuilivekit_" + name + "_total", Help: name}, labels)
		registry.MustRegister(vec)
		return vec
	}
	rooms, without, members := counter("rooms_destroyed", series), counter("rooms_without_statistics", series), counter("category_rooms_destroyed", member)
	var sums, memberSums [room.NumStatistics]*prometheus.CounterVec
	var histograms [room.NumStatistics]*prometheus.HistogramVec
	for i, statistic := range room.AllStatistics() {
		sums[i], memberSums[i] = counter(statistic.String(), series), counter("category_"+statistic.String(), member)
		opts := prometheus.HistogramOpts{Name: "tuilivekit_room_" + statistic.String(), Help: statistic.String()}
		if rendering.Classic {
			opts.Buckets = totals.DefaultBounds()[i]
		}
		if rendering.Native {
			opts.NativeHistogramBucketFactor, opts.NativeHistogramMaxBucketNumber = 1.1, 160
		}
		histograms[i] = prometheus.NewHistogramVec(opts, series)
		registry.MustRegister(histograms[i])
	}
	for at := range n {
		category := fmt.Sprint(at)
		without.WithLabelValues(appID, "user", category)
		for i := range roomsPerSeries {
			rooms.WithLabelValues(appID, "user", category).Inc()
			members.WithLabelValues(appID, category).Inc()
			value := float64(valueOf(at, i))
			exemplar := prometheus.Labels{"room_id": fmt.Sprintf("room-%d-%d", at, i)}
			for s := range room.NumStatistics {
				sums[s].WithLabelValues(appID, "user", category).Add(value)
				memberSums[s].WithLabelValues(appID, category).Add(value)
				histograms[s].WithLabelValues(appID, "user", category).(prometheus.ExemplarObserver).ObserveWithExemplar(value, exemplar)
			}
		}
	}
	return registry
}

func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		for _, histograms := range []struct {
			name            string
			classic, native bool
		}{{"both", true, true}, {"classic", true, false}, {"native", false, true}} {
			for _, format := range []struct {
				name   string
				format expfmt.Format
			}{
				{"text", expfmt.NewFormat(expfmt.TypeTextPlain)},
				{"openmetrics", expfmt.NewFormat(expfmt.TypeOpenMetrics)},
				{"protobuf", expfmt.NewFormat(expfmt.TypeProtoDelim)},
			} {
				for _, source := range []struct {
					name string
					make func(n int, rendering metrics.Rendering) prometheus.Gatherer
				}{{"totals", fromTotals}, {"client_golang", fromVecs}} {
					rendering := metrics.Rendering{Classic: histograms.classic, Native: histograms.native, Exemplars: true}
					b.Run(fmt.Sprintf("series=%d/histograms=%s/%s/from=%s", n, histograms.name, format.name, source.name), func(b *testing.B) {
						benchmarkScrape(b, source.make(n, rendering), format.format)
					})
				}
			}
		}
	}
}

func benchmarkScrape(b *testing.B, registry prometheus.Gatherer, format expfmt.Format) {
	b.ReportAllocs()
	var size counting
	for b.Loop() {
		families, err := registry.Gather()
		if err != nil {
			b.Fatal(err)
		}
		size = 0
		encoder := expfmt.NewEncoder(&size, format)
		for _, family := range families {
			if err := encoder.Encode(family); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(size), "scraped-B")
}

// counting is an io.Writer that counts bytes.
type counting int64

func (c *counting) Write(p []byte) (int, error) {
	*c += counting(len(p))
	return len(p), nil
}
