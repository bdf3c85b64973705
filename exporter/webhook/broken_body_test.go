package webhook_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

// A brokenBody is no JSON that the sender could have meant.
type brokenBody struct {
	body string
	info string // ErrorInfo of the answer
}

func brokenBodies() map[string]brokenBody {
	const (
		not    = "body is not valid JSON: jsontext: "
		behind = "body goes on behind its JSON object"
	)
	depth := func(n int) string {
		return `{"RoomId":"r1","EventTime":1,"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	tooDeep := not + `exceeded max depth within "/x` + strings.Repeat("/0", 23) + "/…" + strings.Repeat("/0", 25) + `" after offset `
	return map[string]brokenBody{
		"empty":            {"", "body is empty"},
		"white space":      {" \r\n\t", "body is empty"},
		"null":             {"null", "body is not a JSON object"},
		"a text":           {`"{}"`, "body is not a JSON object"},
		"a number":         {"1", "body is not a JSON object"},
		"an array":         {"[" + smallRoom + "]", "body is not a JSON object"},
		"no JSON":          {"RoomId=r1&EventTime=1", not + "invalid character 'R' at start of value"},
		"NUL":              {"\x00", not + `invalid character '\x00' at start of value`},
		"byte order mark":  {"\ufeff" + smallRoom, not + `invalid character '\ufeff' at start of value`},
		"UTF-16":           {"\xff\xfe{\x00}\x00", not + `invalid character '\xff' at start of value`},
		"trailing text":    {smallRoom + "x", behind},
		"trailing object":  {smallRoom + smallRoom, behind},
		"trailing brace":   {smallRoom + "}", behind},
		"trailing NUL":     {smallRoom + "\x00", behind},
		"trailing comment": {smallRoom + " // end", behind},

		"not closed":              {`{"RoomId":"r1","EventTime":1`, not + `unexpected EOF after offset 28`},
		"text not closed":         {`{"RoomId":"r1`, not + `unexpected EOF within "/RoomId" after offset 13`},
		"value missing":           {`{"RoomId":}`, not + `invalid character '}' at start of value within "/RoomId" after offset 10`},
		"comma at the end":        {`{"RoomId":"r1","EventTime":1,}`, not + `invalid character ',' at start of value after offset 28`},
		"comma missing":           {`{"RoomId":"r1" "EventTime":1}`, not + `invalid character '"' after object value (expecting ',' or '}') after offset 15`},
		"key no text":             {`{1:2}`, not + `object member name must be a string after offset 1`},
		"single quotes":           {`{'RoomId':'r1'}`, not + `invalid character '\'' at start of value after offset 1`},
		"number with zero before": {`{"RoomId":"r1","EventTime":01}`, not + `invalid character '1' after object value (expecting ',' or '}') after offset 28`},
		"NaN":                     {`{"RoomId":NaN}`, not + `invalid character 'N' at start of value within "/RoomId" after offset 10`},
		"control character":       {"{\"RoomId\":\"a\nb\"}", not + `invalid character '\n' in string (expecting non-control character) within "/RoomId" after offset 12`},
		"broken deep inside":      {`{"RoomId":"r1","EventTime":1,"RoomInfo":{"Category":[1,}}`, not + `invalid character ',' at start of value within "/RoomInfo/Category" after offset 54`},
		"broken in the unknown":   {`{"RoomId":"r1","EventTime":1,"x":{"y":tru}}`, not + `invalid character '}' in literal true (expecting 'e') within "/x/y" after offset 41`},
		"broken Statistic":        {`{"RoomId":"r1","EventTime":1,"Statistic":{"TotalViewers":--1}}`, not + `invalid character '-' in number (expecting digit) within "/Statistic/TotalViewers" after offset 58`},

		"invalid UTF-8 in RoomId":      {"{\"RoomId\":\"r\xff\",\"EventTime\":1}", not + `invalid UTF-8 within "/RoomId" after offset 12`},
		"invalid UTF-8 in the unknown": {"{\"x\":\"\xc3\x28\",\"RoomId\":\"r1\",\"EventTime\":1}", not + `invalid UTF-8 within "/x" after offset 6`},
		"invalid UTF-8 in a key":       {"{\"x\xff\":1,\"RoomId\":\"r1\",\"EventTime\":1}", not + `invalid UTF-8 after offset 3`},
		"lone surrogate":               {`{"RoomId":"\ud800","EventTime":1}`, not + "invalid surrogate pair `\\ud800\",\"Eve` in string within \"/RoomId\" after offset 11"},

		"key twice":                {`{"RoomId":"r1","RoomId":"r2","EventTime":1}`, not + `duplicate object member name "RoomId"`},
		"key twice, one escaped":   {`{"RoomId":"r1","\u0052oomId":"r2","EventTime":1}`, not + `duplicate object member name "RoomId"`},
		"key twice, both the same": {`{"RoomId":"r1","EventTime":1,"EventTime":1}`, not + `duplicate object member name "EventTime"`},
		"key twice in RoomInfo":    {`{"RoomId":"r1","EventTime":1,"RoomInfo":{"Category":[1],"Category":[2]}}`, not + `duplicate object member name "Category" within "/RoomInfo"`},
		"key twice in Statistic":   {`{"RoomId":"r1","EventTime":1,"Statistic":{"TotalViewers":1,"Total\u0056iewers":2}}`, not + `duplicate object member name "TotalViewers" within "/Statistic"`},
		"unknown key twice":        {`{"RoomId":"r1","EventTime":1,"x":1,"x":1}`, not + `duplicate object member name "x"`},
		"unknown key twice deep":   {`{"RoomId":"r1","EventTime":1,"x":[{"y":1,"y":1}]}`, not + `duplicate object member name "y" within "/x/0"`},
		"10,000 brackets":          {depth(10000), tooDeep + "10032"},
		"10,000 brackets, open":    {strings.Repeat("[", 10000), not + `unexpected EOF within "` + strings.Repeat("/0", 24) + "/…" + strings.Repeat("/0", 25) + `" after offset 10000`},
		"long key twice":           {`{"` + strings.Repeat("k", 5000) + `":1,"` + strings.Repeat("k", 5000) + `":1}`, not + `duplicate object member name "` + strings.Repeat("k", 192) + "…"},
	}
}

func TestBrokenBodies(t *testing.T) {
	t.Parallel()
	for name, c := range brokenBodies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, w := newServer(t, nil)
			status, answer := post(t, url, destroyQuery, c.body)
			expect(t, "status", status, http.StatusBadRequest)
			expect(t, "answer", answer, failAnswer(t, http.StatusBadRequest, c.info))
			expectRejection(t, w, webhook.CommandDestroyRoom, webhook.ReasonJSON)

			// Nothing of it is left for the next one.
			status, answer = post(t, url, destroyQuery, smallRoom)
			expect(t, "status of the next", status, http.StatusOK)
			expect(t, "answer to the next", answer, okAnswer)
			expect(t, "counted of the next", w.take().Counted, 1)
		})
	}
}

func TestInvalidBodyError(t *testing.T) {
	t.Parallel()
	_, err := webhook.NewDecoder().Decode([]byte(`{"RoomId":`))
	var invalid *webhook.InvalidBodyError
	if !errors.As(err, &invalid) || invalid.Reason != webhook.ReasonJSON || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

// One bracket less than too many is fine.
func TestDeepestBody(t *testing.T) {
	t.Parallel()
	url, w := newServer(t, nil)
	body := `{"RoomId":"r1","EventTime":1,"x":` + strings.Repeat("[", 9999) + strings.Repeat("]", 9999) + `}`
	status, _ := post(t, url, destroyQuery, body)
	expect(t, "status", status, http.StatusOK)
	expect(t, "recorded", len(w.take().Recorded), 1)
}
