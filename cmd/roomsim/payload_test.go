package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// What a body says, read by another decoder, is what the totals take the room to be.
func TestPayloadSaysWhatTheRoomIs(t *testing.T) {
	t.Parallel()
	p := newPlanner(testOptions(t, "--category=1=gaming", "--category=2", "--category=3"))
	for i := range 8_000 {
		hook := p.next(time.UnixMilli(1763450000999)).hook
		r := hook.room
		var body struct {
			CallbackCommand, RoomId, EventType string
			EventTime                          int64
			RoomInfo                           *struct {
				RoomId   *string
				Category []int64
			}
			Statistic map[string]any
		}
		if err := json.Unmarshal(hook.body, &body); err != nil {
			t.Fatalf("room %d: body is no JSON: %v\n%s", i, err, hook.body)
		}
		if body.CallbackCommand != hook.command || body.RoomId != r.id || body.EventType != r.eventType || body.EventTime != r.eventTime {
			t.Fatalf("room %d: %s\nis not %+v", i, hook.body, r)
		}
		var ids []int64
		if body.RoomInfo != nil {
			ids = body.RoomInfo.Category
			if body.RoomInfo.RoomId != nil && *body.RoomInfo.RoomId != r.id {
				t.Fatalf("room %d: RoomInfo has another RoomId: %s", i, hook.body)
			}
		}
		if len(ids) != len(r.categories) {
			t.Fatalf("room %d: categories in %s\nare not %v", i, hook.body, r.categories)
		}
		for k, id := range ids {
			if id != r.categories[k].id {
				t.Fatalf("room %d: categories in %s\nare not %v", i, hook.body, r.categories)
			}
		}
		if (body.Statistic != nil) != r.hasStatistic {
			t.Fatalf("room %d: hasStatistic %v: %s", i, r.hasStatistic, hook.body)
		}
		for k, field := range []string{"TotalViewers", "TotalGiftsSent", "TotalGiftCoins", "TotalUniqueGiftSenders", "TotalLikesReceived"} {
			value, known := body.Statistic[field].(float64)
			if known != r.statistics[k].known || uint64(value) != r.statistics[k].value {
				t.Fatalf("room %d: %s of %s\nis not %+v", i, field, hook.body, r.statistics[k])
			}
		}
	}
}

func TestPayloadShapes(t *testing.T) {
	t.Parallel()
	p := newPlanner(testOptions(t))
	var all bytes.Buffer
	noInfo, noCategory, noStatistic := 0, 0, 0
	for range 5000 {
		body := p.next(time.UnixMilli(1763450000999)).hook.body
		all.Write(body)
		switch text := string(body); {
		case !strings.Contains(text, `"RoomInfo"`):
			noInfo++
		case !strings.Contains(text, `"Category":`):
			noCategory++
		}
		if !bytes.Contains(body, []byte(`"Statistic"`)) {
			noStatistic++
		}
	}
	if noInfo == 0 || noCategory == 0 || noStatistic == 0 {
		t.Errorf("bodies without RoomInfo %d, without Category %d, without Statistic %d: want some of each", noInfo, noCategory, noStatistic)
	}
	for _, want := range []string{
		`"Statistic":null`, `"Category":null`, `"Category":[]`, `"Owner_Account":14411`, `"Owner_Account":"`, `"Operator_Account":14411`,
		`"@TIM#SYSTEM"`, `"TotalMsgCount"`, `"TotalUniqueCommenters"`, `"GiftRanking"`, `💃`, `\"best\"`, `🎉`, `\\slash`, `\u000a`, `"ViewCount"`,
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no body contains %s", want)
		}
	}
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"", "plain", `"\`, "\x00\x1f\n\t", "歌房-💃", "é<&>\u2028", "\x7f"} {
		var got string
		encoded := appendString(nil, want)
		if err := json.Unmarshal(encoded, &got); err != nil || got != want {
			t.Errorf("%q is encoded as %s and read as %q, %v", want, encoded, got, err)
		}
	}
}

func TestOtherCommands(t *testing.T) {
	t.Parallel()
	p := newPlanner(testOptions(t, "--other-commands=2.5", "--sdk-app-id=1", "--sdk-app-id=2"))
	commands, apps, sent := map[string]int{}, map[string]int{}, 0
	const rooms = 4000
	for range rooms {
		for _, hook := range p.nextOthers(time.UnixMilli(1763450000999)) {
			var body struct{ CallbackCommand string }
			if err := json.Unmarshal(hook.body, &body); err != nil {
				t.Fatalf("body is no JSON: %v\n%s", err, hook.body)
			}
			if body.CallbackCommand != hook.command || hook.command == commandDestroyRoom || hook.room != nil {
				t.Fatalf("command %s with body %s", hook.command, hook.body)
			}
			commands[hook.command]++
			apps[hook.appID]++
			sent++
		}
	}
	if share := float64(sent) / rooms; share < 2.45 || share > 2.55 {
		t.Errorf("other commands a room = %v, want 2.5", share)
	}
	if len(commands) < 8 || len(apps) != 2 {
		t.Errorf("commands = %v, apps = %v: want many and both", commands, apps)
	}
}
