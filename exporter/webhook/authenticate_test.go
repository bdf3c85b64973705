package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

// The vector is the one the sender's documents show.
func TestSignatureVector(t *testing.T) {
	t.Parallel()
	const query = destroyQuery + "&RequestTime=1669872112&Sign=17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"
	synctest.Test(t, func(t *testing.T) {
		handler, w := newHandler(withTokens)
		time.Sleep(time.Until(time.Unix(1669872112, 0)))
		status, answer := serve(t, handler, query)
		expect(t, "status", status, http.StatusOK)
		expect(t, "answer", answer, okAnswer)
		expect(t, "counted", w.take().Counted, 1)
	})
}

// serve passes one small room to handler without a network, so that time can stand still.
func serve(t *testing.T, handler http.Handler, query string) (status int, answer string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/?"+query, strings.NewReader(smallRoom)))
	checkForm(t, recorder.Code, recorder.Header(), recorder.Body.Bytes())
	return recorder.Code, recorder.Body.String()
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	// A test that fakes time begins at midnight UTC on 2000-01-01.
	const start = 946684800
	at := func(seconds int) string { return strconv.Itoa(start + seconds) }
	signed := func(token, requestTime string) string {
		return destroyQuery + "&RequestTime=" + requestTime + "&Sign=" + sign(token, requestTime)
	}
	const genuine = webhook.Reason("")

	for name, c := range map[string]struct {
		query string
		wait  time.Duration // before the request
		want  webhook.Reason
	}{
		"now":                   {query: signed(currentToken, at(0)), want: genuine},
		"60 s old":              {query: signed(currentToken, at(-60)), want: genuine},
		"60 s and 1 ns old":     {query: signed(currentToken, at(-60)), wait: 1, want: webhook.ReasonRequestTime},
		"61 s old":              {query: signed(currentToken, at(-61)), want: webhook.ReasonRequestTime},
		"60 s ahead":            {query: signed(currentToken, at(60)), want: genuine},
		"61 s ahead":            {query: signed(currentToken, at(61)), want: webhook.ReasonRequestTime},
		"61 s ahead, 1 s later": {query: signed(currentToken, at(61)), wait: time.Second, want: genuine},
		"61 s old, not genuine": {query: signed("unknown", at(-61)), want: webhook.ReasonSign},

		"former token":                  {query: signed(formerToken, at(0)), want: genuine},
		"both tokens joined":            {query: signed(currentToken+formerToken, at(0)), want: webhook.ReasonSign},
		"empty token":                   {query: signed("", at(0)), want: webhook.ReasonSign},
		"token of another app":          {query: signed("other-apps-token", at(0)), want: webhook.ReasonSign},
		"app without token":             {query: strings.Replace(destroyQuery, appID, "1400000003", 1), want: genuine},
		"unknown app, genuine":          {query: strings.Replace(signed(currentToken, at(0)), appID, "1400000004", 1), want: webhook.ReasonSDKAppID},
		"app with a zero before":        {query: strings.Replace(signed(currentToken, at(0)), appID, "0"+appID, 1), want: webhook.ReasonSDKAppID},
		"app with a space behind":       {query: strings.Replace(signed(currentToken, at(0)), appID, appID+"+", 1), want: webhook.ReasonSDKAppID},
		"upper-case Sign":               {query: destroyQuery + "&RequestTime=" + at(0) + "&Sign=" + strings.ToUpper(sign(currentToken, at(0))), want: webhook.ReasonSign},
		"half a Sign":                   {query: destroyQuery + "&RequestTime=" + at(0) + "&Sign=" + sign(currentToken, at(0))[:32], want: webhook.ReasonSign},
		"Sign with something behind":    {query: signed(currentToken, at(0)) + "0", want: webhook.ReasonSign},
		"Sign of another RequestTime":   {query: destroyQuery + "&RequestTime=" + at(0) + "&Sign=" + sign(currentToken, at(1)), want: webhook.ReasonSign},
		"RequestTime a word":            {query: signed(currentToken, "now"), want: webhook.ReasonRequestTime},
		"RequestTime a fraction":        {query: signed(currentToken, at(0)+".5"), want: webhook.ReasonRequestTime},
		"RequestTime in milliseconds":   {query: signed(currentToken, at(0)+"000"), want: webhook.ReasonRequestTime},
		"RequestTime beyond 64 bits":    {query: signed(currentToken, "99999999999999999999"), want: webhook.ReasonRequestTime},
		"RequestTime the largest":       {query: signed(currentToken, "9223372036854775807"), want: webhook.ReasonRequestTime},
		"RequestTime the smallest":      {query: signed(currentToken, "-9223372036854775808"), want: webhook.ReasonRequestTime},
		"Sign twice, the same":          {query: signed(currentToken, at(0)) + "&sign=" + sign(currentToken, at(0)), want: genuine},
		"Sign twice, another":           {query: signed(currentToken, at(0)) + "&sign=" + sign(formerToken, at(0)), want: webhook.ReasonSign},
		"Sign twice, one empty":         {query: "Sign=&" + signed(currentToken, at(0)), want: webhook.ReasonSign},
		"RequestTime twice, another":    {query: signed(currentToken, at(0)) + "&RequestTime=" + at(1), want: webhook.ReasonSign},
		"SdkAppid twice, another":       {query: signed(currentToken, at(0)) + "&SdkAppId=1400000002", want: webhook.ReasonSign},
		"SdkAppid twice, other first":   {query: "SdkAppId=1400000002&" + signed(currentToken, at(0)), want: webhook.ReasonSign},
		"SdkAppid twice, unknown first": {query: "SdkAppId=1400000009&" + signed(currentToken, at(0)), want: webhook.ReasonSDKAppID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				handler, w := newHandler(func(o *webhook.Options) {
					withTokens(o)
					o.Apps = append(o.Apps,
						webhook.App{SDKAppID: "1400000002", Tokens: []string{"other-apps-token"}},
						webhook.App{SDKAppID: "1400000003"})
				})
				time.Sleep(c.wait)
				status, answer := serve(t, handler, c.query)
				if c.want == genuine {
					expect(t, "status", status, http.StatusOK)
					expect(t, "answer", answer, okAnswer)
					expect(t, "counted", w.take().Counted, 1)
					return
				}
				expect(t, "status", status, http.StatusForbidden)
				expect(t, "answer", answer, forbiddenAnswer)
				expectRejection(t, w, webhook.CommandDestroyRoom, c.want)
			})
		})
	}
}

// A forbidden request's whole response is the same whatever the reason.
func TestForbiddenResponsesAreTheSame(t *testing.T) {
	t.Parallel()
	handler, w := newHandler(withTokens)
	queries := map[webhook.Reason]string{
		webhook.ReasonSDKAppID:    strings.Replace(signedQuery(currentToken), appID, "1400000002", 1),
		webhook.ReasonSignMissing: destroyQuery,
		webhook.ReasonSign:        signedQuery("unknown"),
		webhook.ReasonRequestTime: destroyQuery + "&RequestTime=1&Sign=" + sign(currentToken, "1"),
	}
	type response struct {
		status int
		header http.Header
		body   string
	}
	responses := make(map[webhook.Reason]response)
	for reason, query := range queries {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/?"+query, strings.NewReader(smallRoom)))
		expectRejection(t, w, webhook.CommandDestroyRoom, reason)
		responses[reason] = response{recorder.Code, recorder.Header(), recorder.Body.String()}
	}
	for reason, got := range responses {
		expect(t, string(reason), got, responses[webhook.ReasonSign])
	}
	expect(t, "answer", responses[webhook.ReasonSign].body, forbiddenAnswer)
}
