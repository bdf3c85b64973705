package main_test

import (
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"
)

const (
	acceptText        = "text/plain; version=0.0.4"
	acceptOpenMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"
)

// TestRestart restarts the exporter in both ways and expects that nobody can
// tell from what it exposes of rooms, down to the byte.
func TestRestart(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*exporter){"ended": (*exporter).stop, "crashed": (*exporter).kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tokenFile := writeFile(t, dir, "sim.token", token)
			args := []string{"--config.file=" + writeFile(t, dir, "exporter.yml", config("[sim.token]")), "--storage.path=" + filepath.Join(dir, "data")}
			e := startExporter(t, args...)
			// Categories that the configuration does not name make series that only storage knows.
			sent := startRoomsim(t, nil, e.webhook, tokenFile, "--rooms=1000", "--category=77", "--category=78").report()
			twice := destroyedBody("twice")
			for _, e := range []*exporter{e, e} {
				e.post(twice)
			}
			text, openMetrics, protobuf := e.rooms(acceptText), e.rooms(acceptOpenMetrics), e.protobuf()
			if s := parseSamples(t, text); s.sum(metricRooms) != float64(sent.RoomsSent)+1 || s.sum(metricRooms, `category="77"`) == 0 {
				t.Fatalf("%v rooms, want %d", s.sum(metricRooms), sent.RoomsSent+1)
			}
			if !strings.Contains(openMetrics, `# {room_id="`) {
				t.Fatal("no exemplars to compare")
			}
			for _, histogram := range protobuf["tuilivekit_room_viewers"].Metric {
				if histogram.Histogram.CreatedTimestamp == nil || histogram.Histogram.Schema == nil {
					t.Fatalf("no created timestamp or native histogram to compare: %v", histogram)
				}
			}

			for range 2 {
				end(e)
				e = startExporter(t, args...)
				e.post(twice)
				equalLines(t, "text", e.rooms(acceptText), text)
				equalLines(t, "OpenMetrics", e.rooms(acceptOpenMetrics), openMetrics)
				restarted := e.protobuf()
				for name, family := range protobuf {
					if !proto.Equal(restarted[name], family) {
						t.Errorf("protobuf: %s is\n%v\nand was\n%v", name, restarted[name], family)
					}
				}
				if len(restarted) != len(protobuf) {
					t.Errorf("protobuf: %d families, and there were %d", len(restarted), len(protobuf))
				}
			}
		})
	}
}

// stop ends the exporter as it should end, and expects that it does.
func (e *exporter) stop() {
	e.t.Helper()
	e.signal(syscall.SIGTERM)
	if code := e.wait(); code != 0 {
		e.t.Fatalf("exit code %d after SIGTERM", code)
	}
}

// post sends the body of a destroyed room, which must be acknowledged.
func (e *exporter) post(body string) {
	e.t.Helper()
	if status, answer := request(e.t, e.client, http.MethodPost, e.destroyedURL(token), body); status != http.StatusOK {
		e.t.Fatalf("status %d: %s", status, answer)
	}
}

// exposition returns a scrape in the format that is asked for.
func (e *exporter) exposition(accept string) (body string, header http.Header) {
	e.t.Helper()
	request, err := http.NewRequestWithContext(e.t.Context(), http.MethodGet, e.web+"/metrics", nil)
	if err != nil {
		e.t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := e.client.Do(request)
	if err != nil {
		e.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		e.t.Fatalf("status %d: %v", response.StatusCode, err)
	}
	return string(data), response.Header
}

func isOfRooms(family string) bool {
	return strings.HasPrefix(family, "tuilivekit_") && !strings.HasPrefix(family, ownPrefix)
}

// rooms returns what a scrape in a text format says of rooms.
func (e *exporter) rooms(accept string) string {
	e.t.Helper()
	body, header := e.exposition(accept)
	if got := header.Get("Content-Type"); got[:strings.IndexByte(got, ';')] != accept[:strings.IndexByte(accept, ';')] {
		e.t.Fatalf("asked for %s, got %s", accept, got)
	}
	var of strings.Builder
	for line := range strings.Lines(body) {
		name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
		if isOfRooms(name) {
			of.WriteString(line)
		}
	}
	return of.String()
}

// protobuf returns the families of rooms of a scrape in the protobuf format.
func (e *exporter) protobuf() map[string]*dto.MetricFamily {
	e.t.Helper()
	format := expfmt.NewFormat(expfmt.TypeProtoDelim)
	body, header := e.exposition(string(format))
	if expfmt.ResponseFormat(header).FormatType() != expfmt.TypeProtoDelim {
		e.t.Fatalf("got %s", header.Get("Content-Type"))
	}
	families := map[string]*dto.MetricFamily{}
	decoder := expfmt.NewDecoder(strings.NewReader(body), format)
	for {
		family := &dto.MetricFamily{}
		err := decoder.Decode(family)
		if err == io.EOF {
			return families
		}
		if err != nil {
			e.t.Fatal(err)
		}
		if isOfRooms(family.GetName()) {
			families[family.GetName()] = family
		}
	}
}

// equalLines compares two texts and reports the lines that differ.
func equalLines(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	t.Errorf("%s: %d lines, want %d", what, len(gotLines), len(wantLines))
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Fatalf("%s, line %d: %s, want %s", what, i+1, gotLines[i], wantLines[i])
		}
	}
}

// expect compares some series of a scrape with what they must be.
func (e *exporter) expect(when string, want samples) {
	e.t.Helper()
	s := e.scrape()
	for _, series := range slices.Sorted(maps.Keys(want)) {
		if got, ok := s[series]; !ok || got != want[series] {
			e.t.Errorf("%s: %s is %v (there: %t), want %v", when, series, got, ok, want[series])
		}
	}
}
