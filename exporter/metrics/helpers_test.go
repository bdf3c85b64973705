package metrics_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/metrics"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

const appID = "1400000001"

// all is how totals are shown by default.
func all() metrics.Rendering {
	return metrics.Rendering{Classic: true, Native: true, Exemplars: true}
}

// gather collects totals as a registry would, which checks their consistency.
func gather(t *testing.T, sums *totals.Totals, rendering metrics.Rendering) []*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.NewCollector(func() (totals.View, metrics.Rendering) {
		return sums.View(), rendering
	}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	return families
}

// formats are those a scraper can ask for in text, by the ending of golden files.
func formats() map[string]expfmt.Format {
	return map[string]expfmt.Format{
		"text.prom":        expfmt.NewFormat(expfmt.TypeTextPlain),
		"openmetrics.prom": expfmt.NewFormat(expfmt.TypeOpenMetrics),
	}
}

func encode(tb testing.TB, families []*dto.MetricFamily, format expfmt.Format) []byte {
	tb.Helper()
	var out bytes.Buffer
	encoder := expfmt.NewEncoder(&out, format)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			tb.Fatalf("encode: %v", err)
		}
	}
	if closer, ok := encoder.(expfmt.Closer); ok {
		if err := closer.Close(); err != nil {
			tb.Fatalf("end: %v", err)
		}
	}
	return out.Bytes()
}

// overProtobuf returns the families as a scraper that asks for protobuf gets them.
func overProtobuf(t *testing.T, families []*dto.MetricFamily) map[string]*dto.MetricFamily {
	t.Helper()
	format := expfmt.NewFormat(expfmt.TypeProtoDelim)
	decoder := expfmt.NewDecoder(bytes.NewReader(encode(t, families, format)), format)
	byName := make(map[string]*dto.MetricFamily)
	for range families {
		var family dto.MetricFamily
		if err := decoder.Decode(&family); err != nil {
			t.Fatalf("decode: %v", err)
		}
		byName[family.GetName()] = &family
	}
	return byName
}

// golden compares got with a file in testdata, byte for byte.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	gotLines, wantLines := strings.SplitAfter(string(got), "\n"), strings.SplitAfter(string(want), "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Fatalf("%s:%d:\n got %swant %s", path, i+1, gotLines[i], wantLines[i])
		}
	}
	t.Fatalf("%s: got %d lines, want %d", path, len(gotLines), len(wantLines))
}

// sample returns the destroyed room of one of the sender's sample bodies.
func sample(t *testing.T, name string) *room.Destroyed {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("../webhook/testdata/samples", name))
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := webhook.NewDecoder().Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	decoded.Room.SDKAppID = appID
	return &decoded.Room
}

// ended returns a room that ended with the same number in every statistic.
func ended(id string, value uint64) *room.Destroyed {
	d := &room.Destroyed{SDKAppID: appID, RoomID: id, DestroyType: room.DestroyedByUser, EventTime: time.UnixMilli(1)}
	d.Statistics.Present = true
	for _, statistic := range room.AllStatistics() {
		d.Statistics.Set(statistic, value)
	}
	return d
}

// smallBounds has the same few buckets for every histogram.
func smallBounds() (bounds totals.Bounds) {
	for i := range bounds {
		bounds[i] = []float64{0, 10, 100}
	}
	return bounds
}

func labelsOf(m *dto.Metric) map[string]string {
	labels := make(map[string]string)
	for _, pair := range m.GetLabel() {
		labels[pair.GetName()] = pair.GetValue()
	}
	return labels
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}
