package main_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// report is what the simulator says that the totals must be.
type report struct {
	RoomsSent              uint64            `json:"rooms_sent"`
	RoomsAcknowledged      uint64            `json:"rooms_acknowledged"`
	RoomsUncertain         uint64            `json:"rooms_uncertain"`
	RequestsSent           uint64            `json:"requests_sent"`
	Retries                uint64            `json:"retries"`
	DuplicatesAcknowledged uint64            `json:"duplicates_acknowledged"`
	OtherAcknowledged      uint64            `json:"other_commands_acknowledged"`
	RejectedByStatus       map[string]uint64 `json:"rejected_by_status"`
	Errors                 map[string]uint64 `json:"errors"`
	PartialAnswers         uint64            `json:"partial_answers"`
	Series                 []simulated       `json:"series"`
	Categories             []simulated       `json:"categories"`
}

// simulated is one series of the main families, or of the membership families.
type simulated struct {
	SDKAppID       string `json:"sdk_app_id"`
	DestroyType    string `json:"destroy_type"`
	Category       string `json:"category"`
	RoomsDestroyed uint64 `json:"rooms_destroyed"`
	statistics
	RoomsWithoutStatistics uint64     `json:"rooms_without_statistics"`
	Observations           statistics `json:"observations"`
}

type statistics struct {
	Viewers     uint64 `json:"viewers"`
	Gifts       uint64 `json:"gifts"`
	GiftCoins   uint64 `json:"gift_coins"`
	GiftSenders uint64 `json:"gift_senders"`
	Likes       uint64 `json:"likes"`
}

// statisticNames are the statistics as metrics call them.
func statisticNames() []string {
	return []string{"viewers", "gifts", "gift_coins", "gift_senders", "likes"}
}

func (s statistics) named() map[string]uint64 {
	return map[string]uint64{"viewers": s.Viewers, "gifts": s.Gifts, "gift_coins": s.GiftCoins, "gift_senders": s.GiftSenders, "likes": s.Likes}
}

// startRoomsim starts the simulator for two apps and four named categories. Its
// patience is great, so that a slow machine does not turn an answer into a retry.
func startRoomsim(t *testing.T, change func(*exec.Cmd), url, tokenFile string, args ...string) *process {
	t.Helper()
	return startWith(t, change, "roomsim", append([]string{
		"--url=" + url, "--token-file=" + tokenFile, "--output=json", "--timeout=30s",
		"--sdk-app-id=" + appID, "--sdk-app-id=" + otherID,
		"--category=1=gaming", "--category=2=music", "--category=3=talk", "--category=4=shopping",
	}, args...)...)
}

// config is a configuration for the simulator's apps and categories. The token
// files are relative to it.
func config(tokenFiles string) string {
	return "apps:\n" +
		"  - sdk_app_id: " + appID + "\n    token_files: " + tokenFiles + "\n" +
		"  - sdk_app_id: " + otherID + "\n    token_files: " + tokenFiles + "\n" +
		"categories:\n  names: {1: gaming, 2: music, 3: talk, 4: shopping}\n"
}

// report waits for the simulator's end and fails the test unless every request
// was acknowledged at once.
func (p *process) report() report {
	p.t.Helper()
	if code := p.wait(); code != 0 {
		p.t.Fatalf("roomsim: exit code %d", code)
	}
	var r report
	if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil {
		p.t.Fatal(err)
	}
	if r.RoomsSent == 0 || r.RoomsAcknowledged != r.RoomsSent || r.Retries > 0 || r.PartialAnswers > 0 || len(r.RejectedByStatus) > 0 || len(r.Errors) > 0 {
		p.t.Fatalf("roomsim: not every request was acknowledged at once: %+v", r)
	}
	return r
}

// counters are the sums of reports as the exporter must show them: series of
// counters, those known from the configuration at 0 where no room came.
func counters(reports ...report) map[string]uint64 {
	sums := map[string]uint64{}
	labels := []string{"gaming", "music", "talk", "shopping", "none", "other"}
	for _, app := range []string{appID, otherID} {
		for _, category := range labels {
			(&simulated{SDKAppID: app, Category: category}).addMembership(sums)
			for _, destroyType := range []string{"user", "system", "other"} {
				(&simulated{SDKAppID: app, DestroyType: destroyType, Category: category}).addSeries(sums)
			}
		}
	}
	for _, r := range reports {
		for i := range r.Series {
			r.Series[i].addSeries(sums)
		}
		for i := range r.Categories {
			r.Categories[i].addMembership(sums)
		}
	}
	return sums
}

func (s *simulated) addSeries(sums map[string]uint64) {
	sums["tuilivekit_rooms_destroyed_total"+s.labels()] += s.RoomsDestroyed
	sums["tuilivekit_rooms_without_statistics_total"+s.labels()] += s.RoomsWithoutStatistics
	for name, value := range s.named() {
		sums["tuilivekit_"+name+"_total"+s.labels()] += value
	}
}

func (s *simulated) addMembership(sums map[string]uint64) {
	sums["tuilivekit_category_rooms_destroyed_total"+s.labels()] += s.RoomsDestroyed
	for name, value := range s.named() {
		sums["tuilivekit_category_"+name+"_total"+s.labels()] += value
	}
}

// labels are those of a series in the text format.
func (s *simulated) labels() string {
	pairs := []string{`category="` + s.Category + `"`, `sdk_app_id="` + s.SDKAppID + `"`}
	if s.DestroyType != "" {
		pairs = slices.Insert(pairs, 1, `destroy_type="`+s.DestroyType+`"`)
	}
	return "{" + strings.Join(pairs, ",") + "}"
}
