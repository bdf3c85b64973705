package main_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	kills     = 104
	crashRate = 50 // rooms a second
)

// TestCrash kills the exporter over and over at random moments under load, in
// the middle of commits, snapshots and recoveries, and expects that neither it
// nor two Prometheus servers have missed a room, counted one twice or seen a counter jump.
func TestCrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tokenFile := writeFile(t, dir, "sim.token", token)
	args := []string{
		"--config.file=" + writeFile(t, dir, "exporter.yml", config("[sim.token]")), "--storage.path=" + filepath.Join(dir, "data"),
		"--webhook.listen-address=" + fixedAddress(t), "--web.listen-address=" + fixedAddress(t),
	}
	e := startExporter(t, args...)
	servers := map[string]*prometheus{
		"Prometheus":                         startPrometheusWith(t, e, "1s"),
		"Prometheus with created timestamps": startPrometheusWith(t, e, "1s", "created-timestamp-zero-ingestion"),
	}
	for name, p := range servers {
		eventually(t, name+" to scrape all series at 0", func() bool {
			return len(p.query("", `{__name__=~"tuilivekit_(category_)?(rooms|viewers|gift|likes).*_total"}`)) == len(counters())
		})
	}

	roomsFile := filepath.Join(dir, "rooms.jsonl")
	began := time.Now()
	sim := startRoomsim(t, nil, e.webhook, tokenFile, "--rooms=0", "--rate="+strconv.Itoa(crashRate), "--concurrency=32",
		"--retries=100000", "--duplicates=0.1", "--other-commands=0.05", "--rooms-file="+roomsFile)
	random := rand.New(rand.NewPCG(uint64(began.UnixNano()), 0))
	for kill := range kills {
		switch kill % 8 {
		case 0: // between two crashes, so that the servers see both sides of each
			now := float64(time.Now().UnixMilli()) / 1e3
			for name, p := range servers {
				eventually(t, name+" to scrape", func() bool { return p.lastScrape() > now })
			}
		case 2, 5: // while it starts
			e.kill()
			e = &exporter{process: start(t, "tuilivekit_exporter", withDefaults(args)...), client: e.client}
			time.Sleep(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
		default:
			time.Sleep(time.Duration(random.Int64N(int64(400 * time.Millisecond))))
		}
		e.kill()
		e = startExporter(t, args...)
	}
	sim.signal(syscall.SIGINT)
	sent := sim.fullReport()
	if sent.RoomsAcknowledged != sent.RoomsSent || sent.Errors["reset"] == 0 || sent.DuplicatesAcknowledged == 0 {
		t.Fatalf("the simulator must have sent every room until it was acknowledged, and some have lost their answer: %+v", sent)
	}
	end := float64(time.Now().UnixMilli()) / 1e3
	t.Logf("%d rooms in %d requests, %v without an answer, %d kills", sent.RoomsSent, sent.RequestsSent, sent.Errors, kills)

	rooms := readList(t, roomsFile)
	if uint64(len(rooms)) != sent.RoomsAcknowledged {
		t.Errorf("%d rooms listed, %d acknowledged", len(rooms), sent.RoomsAcknowledged)
	}
	want := counters(reportOf(rooms))
	compare(t, "the simulator's report", counters(sent.report), want)
	s := e.scrape()
	compare(t, "counter", s.counters(), want)
	compareBuckets(t, s, rooms)

	for name, p := range servers {
		t.Run(name, func(t *testing.T) {
			p.t = t
			eventually(t, "a scrape after the last room", func() bool {
				at := p.lastScrape()
				if at > end {
					p.at = at
				}
				return at > end
			})
			compareHistory(t, p, want, began)
			compareHistograms(t, p, sent.report)
		})
	}
}

// kill ends the exporter as a crash does, and returns when it is gone.
func (e *exporter) kill() {
	e.t.Helper()
	e.signal(syscall.SIGKILL)
	e.wait()
}

// fixedAddress returns a free address that stays free while nobody listens on it:
// no outgoing connection gets a port that low.
func fixedAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := "127.0.0.1:" + strconv.Itoa(20_000+rand.IntN(10_000))
		if listener, err := net.Listen("tcp", address); err == nil {
			listener.Close()
			return address
		}
	}
	t.Fatal("found no free port")
	return ""
}

// fullReport is a report with what a simulator can also see that meets trouble.
type fullReport struct {
	report
	RoomsUncertain      uint64      `json:"rooms_uncertain"`
	UncertainSeries     []simulated `json:"uncertain_series"`
	UncertainCategories []simulated `json:"uncertain_categories"`
}

// fullReport waits for the simulator's end, whatever it met.
func (p *process) fullReport() (r fullReport) {
	p.t.Helper()
	p.wait()
	if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil {
		p.t.Fatal(err)
	}
	return r
}

// lastScrape returns the time of the last scrape in Unix seconds, 0 if it failed.
func (p *prometheus) lastScrape() float64 {
	p.t.Helper()
	return p.query("", "timestamp("+metricDuplicates+")")["{}"]
}

// compareHistory compares all that Prometheus scraped with what the counters
// must have gained in the end, and with what the simulator can have sent by then.
func compareHistory(t *testing.T, p *prometheus, want map[string]uint64, began time.Time) {
	t.Helper()
	families, gained, increased := map[string]bool{}, map[string]float64{}, map[string]float64{}
	for series, value := range want {
		gained[series] = float64(value)
		family, _, _ := strings.Cut(series, "{")
		families[family] = true
	}
	rooms := map[float64]float64{} // by the time of the scrape
	got := map[string]float64{}
	for family := range families {
		for series, scrapes := range p.history(family) {
			got[series] = scrapes[len(scrapes)-1].value - scrapes[0].value
			for i, scrape := range scrapes {
				if i > 0 && scrape.value < scrapes[i-1].value {
					t.Errorf("%s fell from %v to %v", series, scrapes[i-1].value, scrape.value)
				}
				if family == metricRooms {
					rooms[scrape.time] += scrape.value
				}
			}
		}
		maps.Copy(increased, p.query(family, "increase("+family+"[1h])"))
		for labels, resets := range p.query("", "resets("+family+"[1h])") {
			if resets != 0 {
				t.Errorf("%s%s: %v resets", family, labels, resets)
			}
		}
	}
	compare(t, "last sample minus first", got, gained)
	compare(t, "increase", increased, gained)
	for _, name := range statisticNames() {
		for _, family := range []string{"tuilivekit_room_" + name, "tuilivekit_room_" + name + "_count", "tuilivekit_room_" + name + "_bucket"} {
			if resets := p.query("", "sum(resets("+family+"[1h]))"); resets["{}"] != 0 || len(resets) != 1 {
				t.Errorf("%s: %v resets", family, resets)
			}
		}
	}
	if len(rooms) < kills/8 {
		t.Errorf("only %d scrapes", len(rooms))
	}
	for at, counted := range rooms {
		// The answer is up to an interval younger than the time of its scrape.
		since := at + 1 - float64(began.UnixMilli())/1e3
		if due := crashRate*since + 1; counted > max(0, due) {
			t.Errorf("%v rooms were counted %v s after the first, when at most %v can have been sent", counted, since, due)
		}
	}
}

// scrapedValue is one sample that Prometheus scraped.
type scrapedValue struct{ time, value float64 }

// history returns all samples of a selector's series.
func (p *prometheus) history(selector string) map[string][]scrapedValue {
	p.t.Helper()
	var data struct {
		Result []struct {
			Metric map[string]string
			Values [][2]any
		}
	}
	p.api("/api/v1/query", map[string][]string{"query": {selector + "[1h]"}, "time": {strconv.FormatFloat(p.at, 'f', 3, 64)}}, &data)
	series := map[string][]scrapedValue{}
	for _, result := range data.Result {
		name := textLabels(result.Metric)
		for _, sample := range result.Values {
			value, err := strconv.ParseFloat(sample[1].(string), 64)
			if err != nil {
				p.t.Fatal(err)
			}
			series[name] = append(series[name], scrapedValue{sample[0].(float64), value})
		}
	}
	return series
}
