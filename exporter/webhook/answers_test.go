package webhook_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	const (
		destroy = webhook.CommandDestroyRoom
		gift    = "Live.CallbackBeforeSendGift"

		notPOST    = `{"ActionStatus":"FAIL","ErrorInfo":"only POST is allowed","ErrorCode":405}`
		notHere    = `{"ActionStatus":"FAIL","ErrorInfo":"no webhook is received at this path","ErrorCode":404}`
		tooLarge   = `{"ActionStatus":"FAIL","ErrorInfo":"body is larger than 1024 bytes","ErrorCode":413}`
		noCommand  = `{"ActionStatus":"FAIL","ErrorInfo":"CallbackCommand is missing in the query","ErrorCode":400}`
		notObject  = `{"ActionStatus":"FAIL","ErrorInfo":"body is not a JSON object","ErrorCode":400}`
		otherAppID = "1400000002"
	)
	signed := signedQuery(currentToken)
	signature := signed[len(destroyQuery):] // with the & before it
	rejected := func(command string, reason webhook.Reason) told {
		return told{Received: []string{command}, Rejected: []webhook.Reason{reason}, Handled: 1}
	}
	ignored := func(command string) told {
		return told{Received: []string{command}, Ignored: []string{command}, Handled: 1}
	}
	counted := told{
		Received: []string{destroy}, Counted: 1, Handled: 1,
		Recorded: []room.Destroyed{{SDKAppID: appID, RoomID: "r1", EventTime: sampleRooms()["destroy-by-user.json"].EventTime}},
	}
	withCommand := func(command string) string {
		return "SdkAppid=" + appID + "&CallbackCommand=" + command + signature
	}

	for name, c := range map[string]struct {
		method string // POST when empty
		path   string // /hook when empty
		query  string
		body   string
		status int
		answer string
		told   told
	}{
		"new room":             {query: signed, body: smallRoom, status: 200, answer: okAnswer, told: counted},
		"another command":      {query: withCommand(gift), body: smallRoom, status: 200, answer: okAnswer, told: ignored(gift)},
		"unknown command":      {query: withCommand("Live.New"), body: smallRoom, status: 200, answer: okAnswer, told: ignored("other")},
		"command in lowercase": {query: withCommand(strings.ToLower(destroy)), body: smallRoom, status: 200, answer: okAnswer, told: ignored("other")},
		"body of no interest":  {query: withCommand(gift), body: "\xff", status: 200, answer: okAnswer, told: ignored(gift)},
		"no command":           {query: withCommand(""), body: smallRoom, status: 400, answer: noCommand, told: rejected("other", webhook.ReasonCommandMissing)},

		"wrong app":              {query: strings.Replace(signed, appID, otherAppID, 1), body: smallRoom, status: 403, answer: forbiddenAnswer, told: rejected(destroy, webhook.ReasonSDKAppID)},
		"no app":                 {query: "CallbackCommand=" + destroy + signature, body: smallRoom, status: 403, answer: forbiddenAnswer, told: rejected(destroy, webhook.ReasonSDKAppID)},
		"no query":               {body: smallRoom, status: 403, answer: forbiddenAnswer, told: rejected("other", webhook.ReasonSDKAppID)},
		"no signature":           {query: destroyQuery, body: smallRoom, status: 403, answer: forbiddenAnswer, told: rejected(destroy, webhook.ReasonSignMissing)},
		"no Sign":                {query: destroyQuery + "&RequestTime=1669872112", body: smallRoom, status: 403, answer: forbiddenAnswer, told: rejected(destroy, webhook.ReasonSignMissing)},
		"no RequestTime":         {query: destroyQuery + "&Sign=" + sign(currentToken, ""), body: smallRoom, status: 403, answer: forbiddenAnswer, told: rejected(destroy, webhook.ReasonSignMissing)},
		"unknown token":          {query: signedQuery("unknown"), body: smallRoom, status: 403, answer: forbiddenAnswer, told: rejected(destroy, webhook.ReasonSign)},
		"stale":                  {query: destroyQuery + "&RequestTime=1669872112&Sign=17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061", body: smallRoom, status: 403, answer: forbiddenAnswer, told: rejected(destroy, webhook.ReasonRequestTime)},
		"forbidden, not command": {query: destroyQuery[:strings.Index(destroyQuery, "&")], body: smallRoom, status: 403, answer: forbiddenAnswer, told: rejected("other", webhook.ReasonSignMissing)},
		"forbidden, not body":    {query: destroyQuery, body: "not JSON", status: 403, answer: forbiddenAnswer, told: rejected(destroy, webhook.ReasonSignMissing)},

		"GET":           {method: "GET", query: signed, status: 405, answer: notPOST, told: rejected(destroy, webhook.ReasonMethod)},
		"PUT":           {method: "PUT", query: signed, body: smallRoom, status: 405, answer: notPOST, told: rejected(destroy, webhook.ReasonMethod)},
		"OPTIONS":       {method: "OPTIONS", query: signed, status: 405, answer: notPOST, told: rejected(destroy, webhook.ReasonMethod)},
		"method of own": {method: "BREW", query: signed, status: 405, answer: notPOST, told: rejected(destroy, webhook.ReasonMethod)},
		"other path":    {path: "/", query: signed, body: smallRoom, status: 404, answer: notHere, told: rejected(destroy, webhook.ReasonPath)},
		"slash behind":  {path: "/hook/", query: signed, body: smallRoom, status: 404, answer: notHere, told: rejected(destroy, webhook.ReasonPath)},
		"other case":    {path: "/Hook", query: signed, body: smallRoom, status: 404, answer: notHere, told: rejected(destroy, webhook.ReasonPath)},
		"unclean path":  {path: "//hook", query: signed, body: smallRoom, status: 404, answer: notHere, told: rejected(destroy, webhook.ReasonPath)},
		"GET elsewhere": {method: "GET", path: "/nope", status: 404, answer: notHere, told: rejected("other", webhook.ReasonPath)},

		"body too large": {query: signed, body: smallRoom + strings.Repeat(" ", 1024), status: 413, answer: tooLarge, told: rejected(destroy, webhook.ReasonBodySize)},
		"not an object":  {query: signed, body: "[]", status: 400, answer: notObject, told: rejected(destroy, webhook.ReasonJSON)},
		"no RoomId":      {query: signed, body: `{"EventTime":1}`, status: 400, answer: noRoomIDAnswer, told: rejected(destroy, webhook.ReasonRoomID)},
		"no EventTime":   {query: signed, body: `{"RoomId":"r1"}`, status: 400, answer: noTimeAnswer, told: rejected(destroy, webhook.ReasonEventTime)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, w := newServer(t, func(o *webhook.Options) {
				withTokens(o)
				o.Path, o.MaxBodyBytes = "/hook", 1024
			})
			if c.method == "" {
				c.method = http.MethodPost
			}
			if c.path == "" {
				c.path = "/hook"
			}
			status, answer := send(t, c.method, url+c.path, c.query, strings.NewReader(c.body))
			expect(t, "status", status, c.status)
			expect(t, "answer", answer, c.answer)
			expect(t, "told", w.take(), c.told)
		})
	}
}

func TestAnswerToHEAD(t *testing.T) {
	t.Parallel()
	url, w := newServer(t, nil)
	response, err := http.Head(url + "/?" + destroyQuery)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	expect(t, "status", response.StatusCode, http.StatusMethodNotAllowed)
	expect(t, "Allow", response.Header.Values("Allow"), []string{"POST"})
	expect(t, "Content-Type", response.Header.Values("Content-Type"), []string{"application/json"})
	expectRejection(t, w, webhook.CommandDestroyRoom, webhook.ReasonMethod)
}

// Every documented command has a label of its own.
func TestCommands(t *testing.T) {
	t.Parallel()
	url, w := newServer(t, nil)
	commands := webhook.Commands()
	expect(t, "number of commands", len(commands), 19)
	for _, command := range commands[1:] {
		status, answer := post(t, url, "SdkAppid="+appID+"&CallbackCommand="+command, "{}")
		expect(t, command+": status", status, http.StatusOK)
		expect(t, command+": answer", answer, okAnswer)
		expect(t, command+": told", w.take(), told{Received: []string{command}, Ignored: []string{command}, Handled: 1})
	}
}

// A path means itself, whatever a router would make of it.
func TestPath(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/live/hooks", "/live/"} {
		url, w := newServer(t, func(o *webhook.Options) { o.Path = path })
		status, _ := post(t, url+path, destroyQuery, smallRoom)
		expect(t, path+": status", status, http.StatusOK)
		expect(t, path+": counted", w.take().Counted, 1)
		status, _ = post(t, url+"/elsewhere", destroyQuery, smallRoom)
		expect(t, path+": status elsewhere", status, http.StatusNotFound)
		expectRejection(t, w, webhook.CommandDestroyRoom, webhook.ReasonPath)
	}
}
