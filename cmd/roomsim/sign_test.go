package main

import (
	"net/url"
	"testing"
	"time"
)

func TestSign(t *testing.T) {
	t.Parallel()
	const want = "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"
	if got := sign("xxxxyyyy", "1669872112"); got != want {
		t.Errorf("sign = %s, want %s", got, want)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	now := time.Unix(1669872112, 999_999_999)
	const (
		rest   = "&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI"
		signed = "&RequestTime=1669872112&Sign=17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"
	)
	for name, tc := range map[string]struct {
		spelling spelling
		token    string
		want     string
	}{
		"unsigned":     {spellings()[0], "", "SdkAppid=14&CallbackCommand=Live.CallbackAfterDestroyRoom" + rest},
		"signed":       {spellings()[0], "xxxxyyyy", "SdkAppid=14&CallbackCommand=Live.CallbackAfterDestroyRoom" + rest + signed},
		"other app id": {spellings()[1], "", "SdkAppId=14&CallbackCommand=Live.CallbackAfterDestroyRoom" + rest},
		"other both":   {spellings()[3], "xxxxyyyy", "SdkAppId=14&WebhookCommand=Live.CallbackAfterDestroyRoom" + rest + signed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hook := &webhook{appID: "14", command: commandDestroyRoom, spelling: tc.spelling}
			got := hook.query(tc.token, now)
			if got != tc.want {
				t.Errorf("query = %s\nwant    %s", got, tc.want)
			}
			if _, err := url.ParseQuery(got); err != nil {
				t.Errorf("parse query: %v", err)
			}
		})
	}
}

func TestSpellingsAreMixed(t *testing.T) {
	t.Parallel()
	seen := map[spelling]int{}
	p := newPlanner(testOptions(t))
	for range 2000 {
		seen[p.next(time.UnixMilli(1)).hook.spelling]++
	}
	for _, s := range spellings() {
		if seen[s] < 20 {
			t.Errorf("spelling %v: used %d times in 2000", s, seen[s])
		}
	}
	if usual := seen[spellings()[0]]; usual < 1500 {
		t.Errorf("usual spelling: used %d times in 2000, want most", usual)
	}
}
