package main_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// TestPipeline sends rooms the whole way from the sender to PromQL, where every
// number must be exactly what the simulator says that it sent.
func TestPipeline(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tokenFile := writeFile(t, dir, "sim.token", token)
	e := startExporter(t, "--config.file="+writeFile(t, dir, "exporter.yml", config("[sim.token]")))
	p := startPrometheus(t, e)

	zero := counters()
	eventually(t, "a scrape of all series at 0", func() bool {
		return len(p.query("", `{__name__=~"tuilivekit_(category_)?(rooms|viewers|gift|likes).*_total"}`)) == len(zero)
	})
	roomsFile := filepath.Join(dir, "rooms.jsonl")
	sent := startRoomsim(t, nil, e.webhook, tokenFile,
		"--rooms=20000", "--duplicates=0.05", "--other-commands=0.1", "--rooms-file="+roomsFile).report()
	end := float64(time.Now().UnixMilli()) / 1e3
	if sent.RoomsSent != 20_000 || sent.DuplicatesAcknowledged < 500 {
		t.Fatalf("the simulator sent %d rooms and %d duplicates", sent.RoomsSent, sent.DuplicatesAcknowledged)
	}
	eventually(t, "a scrape after the last room", func() bool {
		p.at = p.query("", "timestamp("+metricDuplicates+")")["{}"]
		if p.at <= end {
			p.at = 0
		}
		return p.at > 0
	})

	t.Run("counters", func(t *testing.T) {
		got := map[string]uint64{}
		for series, value := range p.query("", `{__name__=~"tuilivekit_.+_total", __name__!~"tuilivekit_exporter_.+"}`) {
			got[series] = uint64(value)
		}
		compare(t, "counter", got, counters(sent))
	})
	t.Run("increase", func(t *testing.T) {
		// Exact, for the range begins with zeros and ends with a sample.
		got, want, families := map[string]float64{}, map[string]float64{}, map[string]bool{}
		for series, value := range counters(sent) {
			want[series] = float64(value)
			family, _, _ := strings.Cut(series, "{")
			families[family] = true
		}
		for family := range families {
			maps.Copy(got, p.query(family, "increase("+family+"[1h])"))
		}
		compare(t, "increase", got, want)
	})
	t.Run("histograms", func(t *testing.T) { compareHistograms(t, p, sent) })
	t.Run("exporter", func(t *testing.T) {
		for expression, want := range map[string]uint64{
			metricDuplicates:                                           sent.DuplicatesAcknowledged,
			"sum(" + metricRejections + ")":                            0,
			"sum(" + metricRequests + ")":                              sent.RequestsSent,
			"sum(tuilivekit_exporter_webhook_ignored_total)":           sent.OtherAcknowledged,
			"histogram_count(tuilivekit_exporter_event_delay_seconds)": sent.RoomsAcknowledged,
			"tuilivekit_exporter_webhook_duration_seconds_count":       sent.RequestsSent,
		} {
			if got := slices.Collect(maps.Values(p.query("", expression))); !slices.Equal(got, []float64{float64(want)}) {
				t.Errorf("%s is %v, want %d", expression, got, want)
			}
		}
	})
	t.Run("exemplars", func(t *testing.T) { compareExemplars(t, p, roomsFile) })
	t.Run("promtool", func(t *testing.T) { checkExposition(t, e) })
}

// compareHistograms compares both kinds of each histogram with the rooms sent.
func compareHistograms(t *testing.T, p *prometheus, sent report) {
	counts, sums := map[string]float64{}, map[string]float64{}
	for series := range counters() {
		if labels, ok := strings.CutPrefix(series, metricRooms); ok {
			for _, name := range statisticNames() {
				counts[name+labels], sums[name+labels] = 0, 0
			}
		}
	}
	for _, s := range sent.Series {
		for _, name := range statisticNames() {
			counts[name+s.labels()] = float64(s.Observations.named()[name])
			sums[name+s.labels()] = float64(s.named()[name])
		}
	}
	kinds := []struct {
		what string
		want map[string]float64
		got  map[string]float64
	}{
		{`sum without(__name__) (%_count)`, counts, nil},
		{`sum without(__name__, le) (%_bucket{le="+Inf"})`, counts, nil},
		{`sum without(__name__) (%_sum)`, sums, nil},
		{`histogram_count(%)`, counts, nil},
		{`histogram_sum(%)`, sums, nil},
		{`histogram_count(increase(%[1h]))`, counts, nil},
		{`histogram_sum(increase(%[1h]))`, sums, nil},
	}
	for _, kind := range kinds {
		got := map[string]float64{}
		for _, name := range statisticNames() {
			maps.Copy(got, p.query(name, strings.ReplaceAll(kind.what, "%", "tuilivekit_room_"+name)))
		}
		compare(t, kind.what, got, kind.want)
	}
}

// sentRoom is a line of the simulator's list of acknowledged rooms.
type sentRoom struct {
	SDKAppID    string            `json:"sdk_app_id"`
	RoomID      string            `json:"room_id"`
	DestroyType string            `json:"destroy_type"`
	Category    string            `json:"category"`
	Statistics  map[string]uint64 `json:"statistics"`
}

// compareExemplars looks each exemplar up among the rooms sent: there must be
// one of its id and value in its series.
func compareExemplars(t *testing.T, p *prometheus, roomsFile string) {
	type observation struct {
		series, roomID string
		value          float64
	}
	sent := map[observation]bool{}
	file, err := os.Open(roomsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var room sentRoom
		if err := json.Unmarshal(lines.Bytes(), &room); err != nil {
			t.Fatal(err)
		}
		for name, value := range room.Statistics {
			s := simulated{SDKAppID: room.SDKAppID, DestroyType: room.DestroyType, Category: room.Category}
			sent[observation{name + s.labels(), room.RoomID, float64(value)}] = true
		}
	}
	if err := lines.Err(); err != nil || len(sent) == 0 {
		t.Fatalf("read %d rooms: %v", len(sent), err)
	}
	for _, name := range statisticNames() {
		for _, kind := range []string{"", "_bucket"} {
			family := "tuilivekit_room_" + name + kind
			exemplars := p.exemplars(family)
			if len(exemplars) == 0 {
				t.Errorf("%s has no exemplars", family)
			}
			for _, e := range exemplars {
				delete(e.series, "__name__")
				delete(e.series, "le")
				if o := (observation{name + textLabels(e.series), e.roomID, e.value}); !sent[o] {
					t.Errorf("%s: exemplar %+v is of no room that was sent", family, o)
				}
			}
		}
	}
}

// checkExposition has promtool check the text format in each encoding.
func checkExposition(t *testing.T, e *exporter) {
	decoders := map[string]func(io.Reader) (io.Reader, error){
		"identity": func(r io.Reader) (io.Reader, error) { return r, nil },
		"gzip":     func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd":     func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	}
	for encoding, decode := range decoders {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.web+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept-Encoding", encoding)
		response, err := e.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if got := response.Header.Get("Content-Encoding"); got != encoding && encoding != "identity" {
			t.Errorf("asked for %s, got Content-Encoding %q", encoding, got)
		}
		plain, err := decode(response.Body)
		if err != nil {
			t.Fatalf("%s: %v", encoding, err)
		}
		text, err := io.ReadAll(plain)
		if err != nil || !strings.Contains(string(text), metricRooms) {
			t.Fatalf("%s: %v: %s", encoding, err, last(string(text)))
		}
		if code, stdout, stderr := run(t, string(text), tool(t, "promtool"), "check", "metrics"); code != 0 || stdout+stderr != "" {
			t.Errorf("%s: promtool check metrics: exit code %d\n%s%s", encoding, code, stdout, stderr)
		}
	}
}
