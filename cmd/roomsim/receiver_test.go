package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// receiver is a tiny exporter of its own: it decodes what arrives and counts each identity once. It shares nothing
// with the simulator but the contract.
type receiver struct {
	names map[int64]string
	token string
	// answer decides about the n-th request (from 1) of an identity; nil: everything is OK.
	answer func(w http.ResponseWriter, r *http.Request, roomID string, n int) (count bool)
	// lose decides whether the answer to the n-th request is lost after the room was counted; nil: never.
	lose func(roomID string, n int) bool

	mu       sync.Mutex
	requests map[string]int
	counted  map[string]bool
	// facts holds "series name statistic" and "member name statistic": sums, counts of observations.
	facts    map[string]uint64
	others   int
	problems []string
}

func newReceiver() *receiver {
	return &receiver{names: map[int64]string{}, requests: map[string]int{}, counted: map[string]bool{}, facts: map[string]uint64{}}
}

func (rc *receiver) problem(format string, args ...any) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.problems = append(rc.problems, fmt.Sprintf(format, args...))
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := map[string]string{}
	for key, values := range r.URL.Query() {
		query[strings.ToLower(key)] = values[0]
	}
	command := query["callbackcommand"] + query["webhookcommand"]
	var body struct {
		CallbackCommand   string
		RoomId, EventType string
		EventTime         int64
		RoomInfo          struct{ Category []int64 }
		Statistic         *struct {
			TotalViewers, TotalGiftsSent, TotalGiftCoins, TotalUniqueGiftSenders, TotalLikesReceived *uint64
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		rc.problem("body is no JSON: %v", err)
	}
	if r.Method != http.MethodPost || command != body.CallbackCommand || query["sdkappid"] == "" || query["contenttype"] != "json" {
		rc.problem("request is not as the contract says: %s %s for command %s", r.Method, r.URL, body.CallbackCommand)
	}
	if rc.token != "" {
		at, err := strconv.ParseInt(query["requesttime"], 10, 64)
		if err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Minute || query["sign"] != sign(rc.token, query["requesttime"]) {
			rc.problem("signature is wrong or stale: %s", r.URL.RawQuery)
		}
	}
	if command != "Live.CallbackAfterDestroyRoom" {
		rc.mu.Lock()
		rc.others++
		rc.mu.Unlock()
		fmt.Fprint(w, okAnswer)
		return
	}
	identity := fmt.Sprint(query["sdkappid"], "\x00", body.RoomId, "\x00", body.EventTime)
	rc.mu.Lock()
	rc.requests[identity]++
	n := rc.requests[identity]
	rc.mu.Unlock()
	if rc.answer != nil && !rc.answer(w, r, body.RoomId, n) {
		return
	}
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if !rc.counted[identity] {
		rc.counted[identity] = true
		destroyType := "other"
		switch body.EventType {
		case "DestroyByUser":
			destroyType = "user"
		case "DestroyBySystem":
			destroyType = "system"
		}
		labels := []string{}
		for _, id := range body.RoomInfo.Category {
			label := rc.names[id]
			if label == "" {
				label = fmt.Sprint(id)
			}
			labels = append(labels, label)
		}
		if len(labels) == 0 {
			labels = []string{"none"}
		}
		series := fmt.Sprintf("series %s/%s/%s ", query["sdkappid"], destroyType, labels[0])
		rc.facts[series+"rooms_destroyed"]++
		for _, label := range labels {
			rc.facts[fmt.Sprintf("member %s/%s rooms_destroyed", query["sdkappid"], label)]++
		}
		if body.Statistic == nil {
			rc.facts[series+"rooms_without_statistics"]++
		} else {
			s := body.Statistic
			for name, value := range map[string]*uint64{"viewers": s.TotalViewers, "gifts": s.TotalGiftsSent, "gift_coins": s.TotalGiftCoins,
				"gift_senders": s.TotalUniqueGiftSenders, "likes": s.TotalLikesReceived} {
				if value == nil {
					continue
				}
				rc.facts[series+name] += *value
				rc.facts[series+"observations "+name]++
				for _, label := range labels {
					rc.facts[fmt.Sprintf("member %s/%s %s", query["sdkappid"], label, name)] += *value
				}
			}
		}
	}
	if rc.lose != nil && rc.lose(body.RoomId, n) {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprint(w, okAnswer)
}

// readReport reads a JSON report as somebody else's program would: by its documented keys.
func readReport(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var rep map[string]any
	if err := json.Unmarshal(text, &rep); err != nil {
		t.Fatalf("report is no JSON: %v\n%s", err, text)
	}
	return rep
}

// factsOf brings the totals of a JSON report into the form of the receiver's.
func factsOf(rep map[string]any, series, categories string) map[string]uint64 {
	facts := map[string]uint64{}
	put := func(prefix string, object map[string]any) {
		for key, value := range object {
			if number, ok := value.(float64); ok {
				facts[prefix+key] = uint64(number)
			}
		}
	}
	for _, entry := range rep[series].([]any) {
		s := entry.(map[string]any)
		prefix := fmt.Sprintf("series %s/%s/%s ", s["sdk_app_id"], s["destroy_type"], s["category"])
		put(prefix, s)
		put(prefix+"observations ", s["observations"].(map[string]any))
	}
	for _, entry := range rep[categories].([]any) {
		c := entry.(map[string]any)
		put(fmt.Sprintf("member %s/%s ", c["sdk_app_id"], c["category"]), c)
	}
	return facts
}

// checkTotals compares what the receiver counted with what the report demands, uncertain rooms included: a receiver
// that counts rooms without acknowledging them must count all of those. Zeros count as absent.
func (rc *receiver) checkTotals(t *testing.T, rep map[string]any) {
	t.Helper()
	rc.mu.Lock()
	defer rc.mu.Unlock()
	for _, problem := range rc.problems {
		t.Error(problem)
	}
	want := factsOf(rep, "series", "categories")
	for key, value := range factsOf(rep, "uncertain_series", "uncertain_categories") {
		want[key] += value
	}
	for key, value := range want {
		if rc.facts[key] != value {
			t.Errorf("%s: receiver counted %d, report says %d", key, rc.facts[key], value)
		}
	}
	for key, value := range rc.facts {
		if _, ok := want[key]; !ok {
			t.Errorf("%s: receiver counted %d, report does not have it", key, value)
		}
	}
	if want := rep["rooms_acknowledged"].(float64) + rep["rooms_uncertain"].(float64); float64(len(rc.counted)) != want {
		t.Errorf("receiver counted %d rooms, report says %v", len(rc.counted), want)
	}
}

// checkNumbers compares plain numbers of the report.
func checkNumbers(t *testing.T, rep map[string]any, want map[string]float64) {
	t.Helper()
	for key, value := range want {
		if rep[key] != value {
			t.Errorf("%s = %v, want %v", key, rep[key], value)
		}
	}
}
