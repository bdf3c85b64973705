package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

func newLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// withLog makes the handler log to w.
func withLog(w io.Writer) func(*webhook.Options) {
	return func(o *webhook.Options) {
		withTokens(o)
		o.Logger = newLogger(w)
		o.Rejections = webhook.NewRejectionLog(o.Logger)
	}
}

// drain returns the lines logged since the last call.
func drain(t *testing.T, log *bytes.Buffer) (lines []map[string]any) {
	t.Helper()
	decoder := json.NewDecoder(log)
	for decoder.More() {
		var line map[string]any
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		delete(line, "time")
		lines = append(lines, line)
	}
	return lines
}

// rejectedLine is what is logged of a request with query destroyQuery.
func rejectedLine(status int, reason webhook.Reason) map[string]any {
	return map[string]any{
		"level": "WARN", "msg": "Rejected a webhook", "reason": string(reason), "status": float64(status),
		"remote": "192.0.2.1:1234", "method": "POST", "path": "/",
		"sdk_app_id": appID, "command": webhook.CommandDestroyRoom,
	}
}

func TestRejectionLogIsRateLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		handler, _ := newHandler(withLog(&log))
		reject := func(times int) {
			for range times {
				status, _ := serve(t, handler, destroyQuery)
				expect(t, "status", status, http.StatusForbidden)
			}
		}
		plain := rejectedLine(http.StatusForbidden, webhook.ReasonSignMissing)
		counting := func(n int) map[string]any {
			line := rejectedLine(http.StatusForbidden, webhook.ReasonSignMissing)
			line["not_logged"] = float64(n)
			return line
		}

		reject(100)
		expect(t, "the first of a flood", drain(t, &log), []map[string]any{plain, plain, plain, plain, plain})
		time.Sleep(10*time.Second - 1)
		reject(1)
		expect(t, "just before the interval ends", len(drain(t, &log)), 0)
		time.Sleep(time.Nanosecond)
		reject(50)
		expect(t, "an interval later", drain(t, &log), []map[string]any{counting(96)})
		time.Sleep(time.Hour)
		reject(2)
		expect(t, "an hour later", drain(t, &log), []map[string]any{counting(49)})

		// Another reason has a limit of its own.
		serve(t, handler, strings.Replace(destroyQuery, appID, "1", 1))
		other := rejectedLine(http.StatusForbidden, webhook.ReasonSDKAppID)
		other["sdk_app_id"] = "1"
		expect(t, "another reason", drain(t, &log), []map[string]any{other})

		// What is not rejected is not logged.
		serve(t, handler, signedQuery(currentToken))
		expect(t, "accepted", len(drain(t, &log)), 0)
	})
}

// The log survives a reload, and so does its limit.
func TestRejectionLogOutlivesHandlers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		rejections := webhook.NewRejectionLog(newLogger(&log))
		for range 10 {
			handler, _ := newHandler(func(o *webhook.Options) {
				withTokens(o)
				o.Rejections = rejections
			})
			serve(t, handler, destroyQuery)
		}
		expect(t, "lines", len(drain(t, &log)), 5)
	})
}

func TestRejectionLogKeepsSecrets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		handler, w := newHandler(withLog(&log))
		now := fmt.Sprint(time.Now().Unix())
		secrets := []string{currentToken, formerToken, sign(currentToken, now), sign(currentToken, "1"), sign("unknown", now)}
		signed := func(token, requestTime string) string {
			return destroyQuery + "&RequestTime=" + requestTime + "&Sign=" + sign(token, requestTime)
		}
		serveBody := func(method, target, body string) {
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, httptest.NewRequest(method, target, strings.NewReader(body)))
			for _, secret := range secrets {
				if strings.Contains(recorder.Body.String(), secret) {
					t.Errorf("%s %s: answer %s", method, target, recorder.Body)
				}
			}
		}
		serveBody("POST", "/?"+signed(currentToken, "1"), smallRoom)
		serveBody("POST", "/?"+signed("unknown", now), smallRoom)
		serveBody("POST", "/?"+signed(currentToken, now)+"&sign=x", smallRoom)
		serveBody("POST", "/?"+strings.Replace(signed(currentToken, now), appID, "1", 1), smallRoom)
		serveBody("POST", "/?"+strings.Replace(signed(currentToken, now), "CallbackCommand", "x", 1), smallRoom)
		serveBody("POST", "/?"+signed(currentToken, now), "[]")
		serveBody("POST", "/?"+signed(currentToken, now), "{}")
		serveBody("POST", "/elsewhere?"+signed(currentToken, now), smallRoom)
		serveBody("GET", "/?"+signed(currentToken, now), "")
		w.panicNext("broken")
		serveBody("POST", "/?"+signed(currentToken, now), smallRoom)

		expect(t, "rejections", len(w.take().Rejected), 10)
		for _, secret := range secrets {
			if strings.Contains(log.String(), secret) {
				t.Errorf("%q is in the log:\n%s", secret, log.String())
			}
		}
		expect(t, "lines", len(drain(t, &log)), 11) // one more for the panic
	})
}

func TestRejectionLogShortens(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	handler, _ := newHandler(func(o *webhook.Options) {
		withLog(&log)(o)
		o.Apps = []webhook.App{{SDKAppID: appID}}
	})
	long := strings.Repeat("9", 10_000)
	short := strings.Repeat("9", 256) + "…"
	serveBody := func(method, target, body string) {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, target, strings.NewReader(body)))
	}
	serveBody(long, "/?"+destroyQuery, "")
	serveBody("POST", "/"+long, "")
	serveBody("POST", "/?SdkAppid="+long+"&CallbackCommand="+long, "")
	serveBody("POST", "/?"+destroyQuery, `{"`+long+`":1,"`+long+`":1}`)

	const duplicate = `body is not valid JSON: jsontext: duplicate object member name "`
	method := rejectedLine(http.StatusMethodNotAllowed, webhook.ReasonMethod)
	method["method"], method["err"] = short, "only POST is allowed"
	path := rejectedLine(http.StatusNotFound, webhook.ReasonPath)
	path["path"], path["err"] = "/"+short[1:], "no webhook is received at this path"
	path["sdk_app_id"], path["command"] = "", ""
	query := rejectedLine(http.StatusForbidden, webhook.ReasonSDKAppID)
	query["sdk_app_id"], query["command"] = short, short
	body := rejectedLine(http.StatusBadRequest, webhook.ReasonJSON)
	body["err"] = duplicate + short[len(duplicate):]
	expect(t, "lines", drain(t, &log), []map[string]any{method, path, query, body})
}
