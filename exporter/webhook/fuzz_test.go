package webhook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

var fieldOfStatistic = [room.NumStatistics]string{
	"TotalViewers", "TotalGiftsSent", "TotalGiftCoins", "TotalUniqueGiftSenders", "TotalLikesReceived",
}

func FuzzDecode(f *testing.F) {
	for _, sample := range sampleFiles(f) {
		f.Add(sample)
		f.Add(sample[:len(sample)/2])
		f.Add(append([]byte("\ufeff"), sample...))
	}
	for _, broken := range brokenBodies() {
		if len(broken.body) < 4096 { // what grows out of long ones takes minutes to minimize
			f.Add([]byte(broken.body))
		}
	}
	for _, body := range []string{
		`{"RoomId":5,"EventTime":1,"Statistic":{"TotalViewers":9223372036854775807,"TotalGiftsSent":9223372036854775808}}`,
		`{"\u0052oomId":"\u0041","EventTime":1,"RoomInfo":{"Category":[1,null,"2",3e1],"Owner_Account":12345678901234567890}}`,
		`{"RoomId":"r","EventTime":1,"EventType":3,"Operator_Account":false,"RoomInfo":7,"Statistic":null}`,
	} {
		f.Add([]byte(body))
	}
	// Whatever came before must leave nothing behind.
	reused := webhook.NewDecoder()
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		got, err := reused.Decode(body)
		if !bytes.Equal(body, before) {
			t.Fatal("Decode changed the body")
		}
		fresh, freshErr := webhook.NewDecoder().Decode(body)
		if !reflect.DeepEqual(got, fresh) || !reflect.DeepEqual(err, freshErr) {
			t.Fatalf("reused: %+v, %v\nfresh: %+v, %v", got, err, fresh, freshErr)
		}
		if err != nil {
			checkRefusal(t, got, err)
			return
		}
		var document map[string]any
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		if err := decoder.Decode(&document); err != nil || !json.Valid(body) {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		checkDecoded(t, got, document)

		clear(body) // got shares no memory with it
		if !reflect.DeepEqual(got, fresh) {
			t.Fatalf("changed with the body: %+v", got)
		}
	})
}

func checkRefusal(t *testing.T, got *webhook.Decoded, err error) {
	t.Helper()
	var invalid *webhook.InvalidBodyError
	if !errors.As(err, &invalid) || got != nil {
		t.Fatalf("got %+v, %T", got, err)
	}
	if !slices.Contains([]webhook.Reason{webhook.ReasonJSON, webhook.ReasonRoomID, webhook.ReasonEventTime}, invalid.Reason) {
		t.Errorf("reason is %q", invalid.Reason)
	}
}

// checkDecoded checks what was decoded against the document as encoding/json reads it.
func checkDecoded(t *testing.T, got *webhook.Decoded, document map[string]any) {
	t.Helper()
	d := got.Room
	if d.RoomID == "" || d.RoomID != textOf(document["RoomId"]) {
		t.Errorf("RoomID is %q of %v", d.RoomID, document["RoomId"])
	}
	if ms, ok := integerOf(document["EventTime"]); !ok || ms <= 0 || d.EventTime.UnixMilli() != ms {
		t.Errorf("EventTime is %v of %v", d.EventTime, document["EventTime"])
	}
	eventType, _ := document["EventType"].(string)
	if d.DestroyType != room.DestroyTypeOf(eventType) {
		t.Errorf("DestroyType is %v of %q", d.DestroyType, eventType)
	}
	info, _ := document["RoomInfo"].(map[string]any)
	if d.Operator != textOf(document["Operator_Account"]) || d.Owner != textOf(info["Owner_Account"]) {
		t.Errorf("accounts are %q and %q", d.Operator, d.Owner)
	}
	var categories []int64
	elements, _ := info["Category"].([]any)
	for _, element := range elements {
		if id, ok := integerOf(element); ok {
			categories = append(categories, id)
		}
	}
	if !slices.Equal(d.Categories, categories) {
		t.Errorf("categories are %v of %v", d.Categories, elements)
	}
	statistic, present := document["Statistic"].(map[string]any)
	if d.Statistics.Present != present {
		t.Errorf("statistics present is %t", d.Statistics.Present)
	}
	for _, s := range room.AllStatistics() {
		value, known := d.Statistics.Get(s)
		given := statistic[fieldOfStatistic[s]]
		want, ok := integerOf(given)
		ok = ok && want >= 0
		if known != ok || known && value != uint64(want) || value > math.MaxInt64 {
			t.Errorf("%s is %d, %t of %v", s, value, known, given)
		}
		invalid := slices.Contains(got.InvalidFields, "Statistic."+fieldOfStatistic[s])
		if invalid != (given != nil && !ok) {
			t.Errorf("%s invalid is %t of %v", s, invalid, given)
		}
	}
	for i, field := range got.InvalidFields {
		if !slices.Contains(webhook.Fields(), field) || slices.Contains(got.InvalidFields[:i], field) {
			t.Errorf("invalid fields are %q", got.InvalidFields)
		}
	}
}

// textOf returns a string, or an integer as it is written; "" for anything else.
func textOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		if !strings.ContainsAny(value.String(), ".eE") {
			return value.String()
		}
	}
	return ""
}

func integerOf(value any) (int64, bool) {
	number, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(number.String(), 10, 64)
	return n, err == nil
}
