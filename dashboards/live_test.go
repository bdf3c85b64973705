package dashboards_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	token   = "a-token"
	appID   = "1400000001"
	otherID = "1400000002"
)

// replica is a running exporter.
type replica struct {
	*process
	dir     string
	webhook string
	web     string // HOST:PORT, which is also the label instance
}

func startReplica(t *testing.T, relay string) *replica {
	t.Helper()
	r := &replica{dir: t.TempDir()}
	writeFile(t, r.dir, "exporter.token", token)
	r.configure(t, relay, "")
	r.start(t, "127.0.0.1:0")
	return r
}

func (r *replica) configure(t *testing.T, relay, more string) {
	t.Helper()
	text := "apps:\n  - {sdk_app_id: " + appID + ", token_files: [exporter.token]}\n  - {sdk_app_id: " + otherID + ", token_files: [exporter.token]}\n" +
		"categories: {names: {1: gaming, 2: music, 3: talk}, limit: 2}\nmetrics: {new_series_hold: 3s}\n"
	if relay != "" {
		text += "relay: {url: " + relay + "}\n"
	}
	writeFile(t, r.dir, "exporter.yml", text+more)
}

func (r *replica) start(t *testing.T, web string) {
	t.Helper()
	r.process = start(t, "tuilivekit_exporter", "--config.file="+filepath.Join(r.dir, "exporter.yml"), "--storage.path="+filepath.Join(r.dir, "data"),
		"--webhook.listen-address=127.0.0.1:0", "--web.listen-address="+web, "--log.format=logfmt")
	r.webhook = "http://" + r.listening(`msg="Listening on" listener=webhook`)
	r.web = r.listening(`msg="Listening on" listener=web `)
}

// restart ends the exporter and starts it again at the same address.
func (r *replica) restart(t *testing.T) {
	t.Helper()
	_ = r.cmd.Process.Kill() // what a crash does; the journal is read again
	<-r.ended
	r.start(t, r.web)
}

func (r *replica) reload(t *testing.T, want int) {
	t.Helper()
	if status, answer := request(t, http.MethodPost, "http://"+r.web+"/-/reload", ""); status != want {
		t.Fatalf("reload: status %d, want %d: %s", status, want, answer)
	}
}

// send sends one webhook, signed as of some time ago.
func (r *replica) send(t *testing.T, app, command, token string, ago time.Duration, body string) {
	t.Helper()
	at := strconv.FormatInt(time.Now().Add(-ago).Unix(), 10)
	sum := sha256.Sum256([]byte(token + at))
	request(t, http.MethodPost, r.webhook+"/?SdkAppid="+app+"&CallbackCommand="+command+"&RequestTime="+at+"&Sign="+hex.EncodeToString(sum[:]), body)
}

// live is what a simulator sent to two replicas while Prometheus scraped them.
type live struct {
	replicas [2]*replica
	rooms    [2][]sentRoom // by replica
	reports  [2]simulatorReport
	begin    float64    // before the first scrape, in Unix seconds
	scraped  [2]float64 // the last scrape of each
}

type simulatorReport struct {
	Duplicates uint64 `json:"duplicates_acknowledged"`
	Requests   uint64 `json:"requests_sent"`
	Rejected   uint64 `json:"rooms_rejected"`
	Errors     map[string]uint64
}

// startApp starts the app behind the relay: it breaks off at gifts.
func startApp(t *testing.T) string {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.RawQuery, "Live.CallbackBeforeSendGift&RequestTime"):
			panic(http.ErrAbortHandler)
		case strings.Contains(r.URL.RawQuery, "Live.CallbackAfterCreateRoom&RequestTime"):
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`)
	}))
	t.Cleanup(app.Close)
	return app.URL
}

// run lets everything happen that a dashboard shows.
func (l *live) run(t *testing.T, p *prometheus) {
	t.Helper()
	scrapes := func(i int) result {
		r, err := p.query("/api/v1/query", map[string][]string{"query": {fmt.Sprintf(`timestamp(tuilivekit_exporter_webhook_duplicates_total{instance=%q})`, l.replicas[i].web)}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	after := func(at float64) {
		t.Helper()
		eventually(t, "a scrape of each replica", func() bool {
			for i := range l.replicas {
				l.scraped[i] = 0
				for _, value := range scrapes(i) {
					l.scraped[i] = value
				}
				if l.scraped[i] <= at {
					return false
				}
			}
			return true
		})
	}
	l.begin = now() - 1
	after(0)

	// The first rooms make the series of categories without a name, which show 0 for a while.
	for i, r := range l.replicas {
		l.rooms[i] = append(l.rooms[i], l.simulate(t, i, r, 250, 7+uint64(i))...)
	}
	for _, r := range l.replicas[:1] {
		r.send(t, "1500000000", "Live.CallbackAfterDestroyRoom", token, 0, "{}")
		r.send(t, appID, "Live.CallbackAfterDestroyRoom", "wrong", 0, "{}")
		r.send(t, appID, "Live.CallbackAfterDestroyRoom", token, time.Hour, "{}")
		r.send(t, appID, "Live.CallbackAfterDestroyRoom", token, 0, "no JSON")
		r.send(t, appID, "Live.CallbackBeforeSendGift", token, 0, "{}")
		r.send(t, appID, "Live.CallbackAfterCreateRoom", token, 0, "{}")
	}
	body := fmt.Sprintf(`{"EventType":"DestroyByUser","EventTime":%d,"RoomId":"odd","RoomInfo":{"Category":["x"]},"Statistic":{"TotalViewers":-1}}`, time.Now().UnixMilli())
	l.replicas[1].send(t, appID, "Live.CallbackAfterDestroyRoom", token, 0, body)
	l.rooms[1] = append(l.rooms[1], sentRoom{SDKAppID: appID, DestroyType: "user", Category: "none", Statistics: map[string]uint64{}})
	body = fmt.Sprintf(`{"EventType":"DestroyByUser","EventTime":%d,"RoomId":"odd","RoomInfo":{"Category":[99]},"Statistic":{"TotalViewers":3}}`, time.Now().UnixMilli()+1)
	l.replicas[1].send(t, appID, "Live.CallbackAfterDestroyRoom", token, 0, body)
	l.rooms[1] = append(l.rooms[1], sentRoom{SDKAppID: appID, DestroyType: "user", Category: "other", Categories: []string{"other"}, Statistics: map[string]uint64{"viewers": 3}})
	after(now() + 3)

	// A crash and a clean second life: its journal is read again.
	l.replicas[0].restart(t)
	after(now())
	for i, r := range l.replicas {
		l.rooms[i] = append(l.rooms[i], l.simulate(t, i, r, 250, 17+uint64(i))...)
	}
	after(now() + 6)
	l.replicas[0].reload(t, http.StatusOK)
	l.replicas[1].configure(t, "", "unknown_key: 1\n")
	l.replicas[1].reload(t, http.StatusInternalServerError)
	after(now() + 2)
}

// simulate sends rooms to a replica and returns them.
func (l *live) simulate(t *testing.T, i int, r *replica, rooms int, seed uint64) []sentRoom {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rooms.jsonl")
	code, stdout, stderr := run(t, "roomsim", "--url="+r.webhook, "--token-file="+filepath.Join(r.dir, "exporter.token"), "--rooms="+strconv.Itoa(rooms),
		"--sdk-app-id="+appID, "--sdk-app-id="+otherID, "--category=1=gaming", "--category=2=music", "--category=3=talk", "--category=4", "--category=5",
		"--duplicates=0.1", "--other-commands=0.2", "--timeout=30s", "--seed="+strconv.FormatUint(seed, 10), "--rooms-file="+file, "--output=json")
	var report simulatorReport
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 0 || report.Rejected > 0 || len(report.Errors) > 0 {
		t.Fatalf("roomsim: exit code %d: %v\n%s%s", code, err, stdout, stderr)
	}
	l.reports[i].Duplicates += report.Duplicates
	l.reports[i].Requests += report.Requests
	return readRooms(t, file)
}

func now() float64 { return float64(time.Now().UnixMilli()) / 1e3 }
