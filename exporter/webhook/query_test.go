package webhook

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseQuery(t *testing.T) {
	t.Parallel()
	const destroy = CommandDestroyRoom
	for raw, want := range map[string]query{
		"": {},
		"SdkAppid=1400000001&CallbackCommand=" + destroy + "&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI": {sdkAppID: "1400000001", command: destroy},
		"SdkAppId=1&CallbackCommand=c":                         {sdkAppID: "1", command: "c"},
		"SDKAPPID=1&CALLBACKCOMMAND=c":                         {sdkAppID: "1", command: "c"},
		"sdkappid=1&callbackcommand=c":                         {sdkAppID: "1", command: "c"},
		"SdkAppid=1&WebhookCommand=c":                          {sdkAppID: "1", command: "c"},
		"SdkAppid=1&webhookCOMMAND=c":                          {sdkAppID: "1", command: "c"},
		"RequestTime=5&Sign=abc":                               {requestTime: "5", sign: "abc"},
		"REQUESTTIME=5&sIGN=abc":                               {requestTime: "5", sign: "abc"},
		"%53dkAppid=%31%34&Callback%43ommand=Live%2ECallback":  {sdkAppID: "14", command: "Live.Callback"},
		"sdk_app_id=1&SdkAppidX=2&XSign=3":                     {},
		"Callback+Command=c":                                   {},
		"CallbackCommand=a+b%20c":                              {command: "a b c"},
		"CallbackCommand=a=b":                                  {command: "a=b"},
		"CallbackCommand":                                      {},
		"CallbackCommand=":                                     {},
		"&&=&=x&SdkAppid=1&&":                                  {sdkAppID: "1"},
		"SdkAppid=1;Sign=2":                                    {sdkAppID: "1;Sign=2"},
		"SdkAppid=%zz&CallbackCommand=%&Sign=%2&RequestTime=5": {requestTime: "5"},
		"SdkAppid=%zz&SdkAppid=2":                              {sdkAppID: "2"},
		"%zz=1&SdkAppid=2":                                     {sdkAppID: "2"},
		"SdkAppid=1&SdkAppId=1&sign=a&Sign=a&RequestTime=5&requesttime=5": {sdkAppID: "1", sign: "a", requestTime: "5"},
		"SdkAppid=1&SdkAppid=2":              {sdkAppID: "1", repeated: true},
		"SdkAppid=2&SDKAPPID=1":              {sdkAppID: "2", repeated: true},
		"SdkAppid=1&%53dkAppid=2":            {sdkAppID: "1", repeated: true},
		"SdkAppid=1&SdkAppid=":               {sdkAppID: "1", repeated: true},
		"SdkAppid=&SdkAppid=1":               {sdkAppID: "1", repeated: true},
		"Sign=a&Sign=A":                      {sign: "a", repeated: true},
		"Sign=a&Sign=b&Sign=a":               {sign: "a", repeated: true},
		"RequestTime=5&RequestTime=05":       {requestTime: "5", repeated: true},
		"CallbackCommand=a&WebhookCommand=b": {command: "a"},
		"WebhookCommand=b&CallbackCommand=a": {command: "b"},
		"CallbackCommand=&WebhookCommand=b":  {command: "b"},
		"SdkAppid=" + strings.Repeat("1", 5000) + "&Sign=" + strings.Repeat("&", 5000): {sdkAppID: strings.Repeat("1", 5000)},
	} {
		if got := parseQuery(raw); got != want {
			t.Errorf("%.100q:\n got %+v\nwant %+v", raw, got, want)
		}
	}
}

// Where the standard library reads a query without complaint, it reads the same.
func FuzzParseQuery(f *testing.F) {
	for _, raw := range []string{
		"SdkAppid=1400000001&CallbackCommand=Live.CallbackAfterDestroyRoom&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI",
		"sdkappid=1&webhookcommand=%4cive&RequestTime=1669872112&Sign=17773bc3",
		"SdkAppid=1&SdkAppId=2", "Sign=&sign=a", "%zz=1&=&&Sign=%", "a;b=c", "CallbackCommand=a+b",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := parseQuery(raw)
		if again := parseQuery(raw); again != got {
			t.Fatalf("got %+v, then %+v", got, again)
		}
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		for _, c := range []struct {
			got  string
			keys []string
		}{
			{got.sdkAppID, []string{"sdkappid"}},
			{got.command, []string{"callbackcommand", "webhookcommand"}},
			{got.requestTime, []string{"requesttime"}},
			{got.sign, []string{"sign"}},
		} {
			given := valuesOf(values, c.keys)
			delete(given, "")
			if c.got == "" && len(given) > 0 || c.got != "" && !given[c.got] {
				t.Errorf("%q: got %q, given %v", c.keys, c.got, given)
			}
		}
		differ := len(valuesOf(values, []string{"sdkappid"})) > 1 ||
			len(valuesOf(values, []string{"requesttime"})) > 1 || len(valuesOf(values, []string{"sign"})) > 1
		if got.repeated != differ {
			t.Errorf("repeated is %t: %q", got.repeated, values)
		}
	})
}

// valuesOf returns the distinct values of all keys that are one of names but for case.
func valuesOf(values url.Values, names []string) map[string]bool {
	found := make(map[string]bool)
	for key, vs := range values {
		for _, name := range names {
			if strings.EqualFold(key, name) {
				for _, v := range vs {
					found[v] = true
				}
			}
		}
	}
	return found
}

func TestShorten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{strings.Repeat("a", 256), strings.Repeat("a", 256)},
		{strings.Repeat("a", 257), strings.Repeat("a", 256) + "…"},
		{strings.Repeat("a", 255) + "é", strings.Repeat("a", 255) + "…"},
		{strings.Repeat("a", 253) + "💃", strings.Repeat("a", 253) + "…"},
		{strings.Repeat("a", 254) + "é" + "b", strings.Repeat("a", 254) + "é…"},
	} {
		if got := shorten(c.in); got != c.want || !utf8.ValidString(got) {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
	// What is no UTF-8 is cut as well.
	if got := shorten(strings.Repeat("\x80", 1000)); len(got) > 256+len("…") {
		t.Errorf("got %d bytes", len(got))
	}
}
