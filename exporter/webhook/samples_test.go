package webhook_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

// sampleRooms are the rooms that the samples tell of.
func sampleRooms() map[string]room.Destroyed {
	return map[string]room.Destroyed{
		"destroy-by-user.json": {
			SDKAppID: appID, RoomID: "tandy-test-rest", EventTime: time.UnixMilli(1703589922780),
			DestroyType: room.DestroyedByUser, Operator: "admin", Owner: "144115216631667826",
			Categories: []int64{1, 2, 3}, Statistics: statistics(0, 0, 0, 0, 0),
		},
		"destroy-by-system-without-statistic.json": {
			SDKAppID: appID, RoomID: "871", EventTime: time.UnixMilli(1757003211874),
			DestroyType: room.DestroyedBySystem, Operator: "@TIM#SYSTEM", Owner: "20100031877",
		},
		"destroy-five-fields.json": {
			SDKAppID: appID, RoomID: "room_1024", EventTime: time.UnixMilli(1726000000123),
			DestroyType: room.DestroyedByUser, Operator: "administrator",
		},
		"destroy-large-numbers.json": {
			SDKAppID: appID, RoomID: `歌房-💃-"quoted"-42`, EventTime: time.UnixMilli(1763450000999),
			DestroyType: room.DestroyedByUser, Operator: "144115216631667827", Owner: "9007199254740993",
			Categories: []int64{7}, Statistics: statistics(48211904, 19040231, 9007199254740993, 301144, 4294967296),
		},
	}
}

func TestSamples(t *testing.T) {
	t.Parallel()
	url, w := newServer(t, withTokens)
	samples := sampleFiles(t)
	for name, want := range sampleRooms() {
		body := string(samples[name])
		received := []string{webhook.CommandDestroyRoom}

		status, answer := post(t, url, signedQuery(currentToken), body)
		expect(t, name+": status", status, http.StatusOK)
		expect(t, name+": answer", answer, okAnswer)
		expect(t, name+": told", w.take(), told{Received: received, Recorded: []room.Destroyed{want}, Counted: 1, Handled: 1})

		status, answer = post(t, url, signedQuery(currentToken), body)
		expect(t, name+" again: status", status, http.StatusOK)
		expect(t, name+" again: answer", answer, okAnswer)
		expect(t, name+" again: told", w.take(), told{Received: received, Duplicates: 1, Handled: 1})
	}
}

// Another command's body is never looked at: only its name in the query counts.
func TestSampleOfAnotherCommand(t *testing.T) {
	t.Parallel()
	url, w := newServer(t, nil)
	const command = "Live.CallbackAfterCreateRoom"
	body := string(sampleFiles(t)["create-room.json"])

	status, answer := post(t, url, "SdkAppid="+appID+"&CallbackCommand="+command, body)
	expect(t, "status", status, http.StatusOK)
	expect(t, "answer", answer, okAnswer)
	expect(t, "told", w.take(), told{Received: []string{command}, Ignored: []string{command}, Handled: 1})

	// Said to be a destroyed room, it has no RoomId where one belongs.
	status, answer = post(t, url, destroyQuery, body)
	expect(t, "status", status, http.StatusBadRequest)
	expect(t, "answer", answer, noRoomIDAnswer)
	expectRejection(t, w, webhook.CommandDestroyRoom, webhook.ReasonRoomID)
}

// Nothing of one body shows in what is decoded from the next.
func TestDecoderIsReusable(t *testing.T) {
	t.Parallel()
	bodies := []string{
		smallRoom, `{"RoomId":"r1"}`, `{"EventTime":5}`, `{}`, ``, `{"RoomId":"r1","EventTime":5,"RoomInfo":{"Category":[1,"x"]}`,
		`{"RoomId":"r1","EventTime":5,"EventType":5,"Statistic":{"TotalViewers":-1}}`,
	}
	for _, sample := range sampleFiles(t) {
		bodies = append(bodies, string(sample))
	}
	for _, first := range bodies {
		for _, second := range bodies {
			decoder := webhook.NewDecoder()
			// What comes of the first is checked when it is the second.
			_, _ = decoder.Decode([]byte(first))
			got, err := decoder.Decode([]byte(second))
			want, wantErr := webhook.NewDecoder().Decode([]byte(second))
			expect(t, second+" after "+first, got, want)
			expect(t, "error of "+second+" after "+first, err, wantErr)
		}
	}
}
