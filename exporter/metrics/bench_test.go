package metrics_test

import (
	"fmt"
	"io"
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
func fromTotals(n int) prometheus.Gatherer {
	sums := totals.New(totals.DefaultBounds())
	for series := range n {
		for i := range roomsPerSeries {
			sums.Add(ended(fmt.Sprintf("room-%d-%d", series, i), valueOf(series, i)), []string{fmt.Sprint(series)}, time.UnixMilli(1))
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.NewCollector(func() (totals.View, metrics.Rendering) { return sums.View(), all() }))
	return registry
}

// fromVecs exposes the same families as client_golang's own metrics.
func fromVecs(n int) prometheus.Gatherer {
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
		histograms[i] = prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tuilivekit_room_" + statistic.String(), Help: statistic.String(), Buckets: totals.DefaultBounds()[i],
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160,
		}, series)
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
	for _, n := range []int{1, 100, 10_000} {
		for _, source := range []struct {
			name string
			make func(n int) prometheus.Gatherer
		}{{"totals", fromTotals}, {"client_golang", fromVecs}} {
			for _, format := range []struct {
				name   string
				format expfmt.Format
			}{
				{"text", expfmt.NewFormat(expfmt.TypeTextPlain)},
				{"openmetrics", expfmt.NewFormat(expfmt.TypeOpenMetrics)},
				{"protobuf", expfmt.NewFormat(expfmt.TypeProtoDelim)},
			} {
				b.Run(fmt.Sprintf("series=%d/%s/from=%s", n, format.name, source.name), func(b *testing.B) {
					registry := source.make(n)
					b.ReportAllocs()
					for b.Loop() {
						families, err := registry.Gather()
						if err != nil {
							b.Fatal(err)
						}
						encoder := expfmt.NewEncoder(io.Discard, format.format)
						for _, family := range families {
							if err := encoder.Encode(family); err != nil {
								b.Fatal(err)
							}
						}
					}
				})
			}
		}
	}
}
