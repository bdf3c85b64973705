package main_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var update = flag.Bool("update", false, "write the table of metrics into exporter/metrics/METRICS.md")

const (
	referenceFile = "../../exporter/metrics/METRICS.md"
	ownPrefix     = "tuilivekit_exporter_"
)

// TestMetricsReference keeps the table of metrics equal to what is exposed.
func TestMetricsReference(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := startExporter(t, "--config.file="+writeFile(t, dir, "exporter.yml", relayTo("unix:/nowhere")), "--storage.path="+filepath.Join(dir, "data"))
	e.destroy("room", "")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(e.get("/metrics")))
	if err != nil {
		t.Fatal(err)
	}
	var domain, own []string
	for _, name := range slices.Sorted(maps.Keys(families)) {
		switch {
		case strings.HasPrefix(name, ownPrefix):
			own = append(own, referenceRow(families[name]))
		case strings.HasPrefix(name, "tuilivekit_"):
			domain = append(domain, referenceRow(families[name]))
		case !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_"):
			t.Errorf("%s: METRICS.md has no place for it", name)
		}
	}
	content, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(content), "\n")
	isRow := func(line string) bool { return strings.HasPrefix(line, "| `tuilivekit_") }
	first := slices.IndexFunc(lines, isRow)
	if first < 0 {
		t.Fatalf("%s has no table", referenceFile)
	}
	end := first
	for end < len(lines) && isRow(lines[end]) {
		end++
	}
	want := append(domain, own...)
	if *update {
		text := strings.Join(slices.Concat(lines[:first], want, lines[end:]), "\n")
		if err := os.WriteFile(referenceFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	compare(t, "METRICS.md, to be written anew with -update", byName(lines[first:end]), byName(want))
	if !t.Failed() && !slices.Equal(lines[first:end], want) {
		t.Error("METRICS.md has rows twice or not in order: write it anew with -update")
	}
}

func byName(rows []string) map[string]string {
	named := map[string]string{}
	for _, row := range rows {
		name, rest, _ := strings.Cut(row[len("| "):], " | ")
		named[name] = rest
	}
	return named
}

// referenceRow returns a family as a row of the table.
func referenceRow(family *dto.MetricFamily) string {
	names := map[string]bool{}
	for _, metric := range family.Metric {
		for _, label := range metric.Label {
			names["`"+label.GetName()+"`"] = true
		}
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |", family.GetName(), strings.ToLower(family.GetType().String()),
		strings.Join(slices.Sorted(maps.Keys(names)), ", "), strings.ReplaceAll(family.GetHelp(), "|", `\|`))
}
