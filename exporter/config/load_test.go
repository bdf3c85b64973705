package config

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// minimal is what a file with one app and nothing else amounts to: every default, spelled out.
func minimal() *Config {
	return &Config{
		Apps:       []App{{SDKAppID: 1400000001}},
		Webhook:    Webhook{Path: "/", MaxBodyBytes: 1048576},
		Categories: Categories{Limit: 50},
		Histograms: Histograms{Classic: true, Native: true},
		Metrics:    Metrics{NewSeriesHold: 0, Exemplars: true},
		Dedupe:     Dedupe{Window: 24 * time.Hour},
		Relay:      Relay{URL: "", Timeout: 1900 * time.Millisecond, Unverified: "reject", MaxInFlight: 1024},
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	all := &Config{
		Apps: []App{
			{
				SDKAppID:   1400000001,
				TokenFiles: []string{"current.token", "previous.token", "current.token"},
				Tokens:     []Secret{"example-token-current", "example-token-previous", "example-token-current"},
			},
			{SDKAppID: math.MaxUint64},
			{SDKAppID: 1},
		},
		Webhook:    Webhook{Path: "/live/hook/", MaxBodyBytes: 65536},
		Categories: Categories{Names: map[int64]string{1: "gaming", 2: "music", -3: "Größe: 4", 0: "true"}},
		Histograms: Histograms{
			Native: true,
			Buckets: Buckets{
				Viewers:   []float64{1, 10, 100},
				Gifts:     []float64{0, 0.5, 1000},
				GiftCoins: []float64{10},
				Likes:     []float64{5},
			},
		},
		Metrics: Metrics{NewSeriesHold: 90 * time.Second},
		Dedupe:  Dedupe{Window: 7 * 24 * time.Hour},
		Relay:   Relay{URL: "http://127.0.0.1:8000", Timeout: 500 * time.Millisecond, Unverified: "forward", MaxInFlight: 64},
	}
	for file, want := range map[string]*Config{
		"all.yml":     all,
		"minimal.yml": minimal(),
		"nulls.yml":   minimal(),
		"json.yml":    minimal(),
		"windows.yml": minimal(),
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			got, err := Load(filepath.Join("testdata/good", file))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %#v\nwant %#v", got, want)
			}
		})
	}
}

// Values that the files above have no room for, all of them good.
func TestLoadAccepts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"webhook: {path: /hook}",
		"webhook: {path: '/a-b_c.d~e/@,;=+()'}",
		"webhook: {max_body_bytes: 67108864}",
		"categories: {names: {1: None, 2: '1.5', 3: v2, 4: '-'}}",
		"metrics: {new_series_hold: 0}",
		"relay: {url: https://app.example.com}",
		"relay: {url: HTTP://app.example.com/}",
		"relay: {url: 'http://[::1]:8000'}",
		"relay: {url: unix:/run/app.sock}",
		"relay: {url: unix:///run/app.sock}",
		"relay: {timeout: 1999ms}",
	} {
		if _, err := load("x.yml", []byte("apps: [{sdk_app_id: 1}]\n"+text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestLoadTokenRotation(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "exporter.yml")
	write(t, path, "apps: [{sdk_app_id: 1, token_files: [sub/app.token, "+filepath.Join(folder, "other.token")+"]}]")
	if err := os.Mkdir(filepath.Join(folder, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "other.token"), "other")
	for _, token := range []string{"first", strings.Repeat("é", 128)} {
		write(t, filepath.Join(folder, "sub/app.token"), "\n"+token+" \r\n")
		cfg, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if want := []Secret{Secret(token), "other"}; !reflect.DeepEqual(cfg.Apps[0].Tokens, want) {
			t.Errorf("got tokens %q, want %q", plain(cfg.Apps[0].Tokens), plain(want))
		}
	}
	if err := os.Remove(filepath.Join(folder, "sub/app.token")); err != nil {
		t.Fatal(err)
	}
	if cfg, err := Load(path); err == nil {
		t.Errorf("without the token file: got %+v and no error", cfg)
	}
}

func TestLoadUnreadable(t *testing.T) {
	t.Parallel()
	_, err := Load("testdata/none.yml")
	if want := "testdata/none.yml: cannot be read: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("missing file: got %v, want %s", err, want)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v is not fs.ErrNotExist", err)
	}
	_, err = Load("testdata")
	if want := "testdata: cannot be read: is a directory"; err == nil || err.Error() != want {
		t.Errorf("folder: got %v, want %s", err, want)
	}
}

// A file that is at the limit loads, one byte more is refused.
func TestLoadLimitsSize(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "exporter.yml")
	text := "apps: [{sdk_app_id: 1}]\n#"
	text += strings.Repeat("x", maxFileBytes-len(text))
	write(t, path, text)
	if _, err := Load(path); err != nil {
		t.Fatal(err)
	}
	write(t, path, text+"x")
	_, err := Load(path)
	if want := path + ": is larger than 65536 bytes"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Without the limit each of these keeps the parser busy for minutes, or ends the process for want of stack or memory.
func TestLoadLimitsDepth(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"[", "{a: ", "- ", "? ", "[[],", "!a ", "- ? [", "[\n", "{a:\n"} {
		text := strings.Repeat(unit, maxFileBytes/len(unit))
		_, err := load("x.yml", []byte(text))
		if err == nil || !strings.HasSuffix(err.Error(), ": is nested too deeply") {
			t.Errorf("%q: got %v", unit, err)
		}
	}
	shallow := bytes.Repeat([]byte("["), maxDepth-1)
	_, err := load("x.yml", append([]byte("a: "), append(shallow, bytes.Repeat([]byte("]"), maxDepth-1)...)...))
	if err == nil || strings.Contains(err.Error(), "deep") {
		t.Errorf("at the limit: got %v, want only errors about keys", err)
	}
}

func TestForApps(t *testing.T) {
	t.Parallel()
	const file = "testdata/good/previous.token"
	tests := []struct {
		name      string
		ids       []uint64
		tokenFile string
		want      []App
		wantErr   string
	}{
		{name: "one", ids: []uint64{1400000001}, want: []App{{SDKAppID: 1400000001}}},
		{
			name: "two with a token", ids: []uint64{2, 1}, tokenFile: file,
			want: []App{
				{SDKAppID: 2, TokenFiles: []string{file}, Tokens: []Secret{"example-token-previous"}},
				{SDKAppID: 1, TokenFiles: []string{file}, Tokens: []Secret{"example-token-previous"}},
			},
		},
		{name: "none", wantErr: "--webhook.sdk-app-id: at least one app is needed"},
		{name: "zero", ids: []uint64{1, 0}, wantErr: "--webhook.sdk-app-id: must be a whole number from 1 to 18446744073709551615, not 0"},
		{name: "twice", ids: []uint64{1, 2, 1}, wantErr: "--webhook.sdk-app-id: 1 is given twice"},
		{
			name: "token file missing", ids: []uint64{1}, tokenFile: "testdata/none.token",
			wantErr: "--webhook.token-file: testdata/none.token: cannot be read: no such file or directory",
		},
		{
			name: "token file empty", ids: []uint64{1}, tokenFile: "testdata/bad/empty.token",
			wantErr: "--webhook.token-file: testdata/bad/empty.token: is empty",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := ForApps(test.ids, test.tokenFile)
			if test.wantErr != "" {
				if err == nil || err.Error() != test.wantErr {
					t.Fatalf("got error %v, want %s", err, test.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := minimal()
			want.Apps = test.want
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %#v\nwant %#v", got, want)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// plain shows secrets in the errors of tests.
func plain(secrets []Secret) []string {
	var texts []string
	for _, s := range secrets {
		texts = append(texts, string(s))
	}
	return texts
}
