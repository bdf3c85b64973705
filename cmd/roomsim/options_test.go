package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// testOptions parses a command line as the program does, with a fixed seed and a URL that is not used.
func testOptions(t *testing.T, args ...string) *options {
	t.Helper()
	opts, err := parseOptions(append([]string{"--url=http://receiver.test/hook", "--seed=7"}, args...), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return opts
}

func TestParseOptions(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("  xxxxyyyy\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	got := testOptions(t)
	want := &options{
		url: got.url, appIDs: []string{"1400000001"}, rooms: 1000, concurrency: 8, duplicates: 0.05, retries: 5,
		categories: []category{{1, "1"}, {2, "2"}, {3, "3"}, {4, "4"}}, timeout: 2 * time.Second, seed: 7, output: "text",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("defaults = %+v\nwant       %+v", got, want)
	}
	if got.url.String() != "http://receiver.test/hook" {
		t.Errorf("url = %s, want its path kept", got.url)
	}

	got = testOptions(t, "--sdk-app-id=1", "--sdk-app-id=2", "--token-file="+token, "--rooms=0", "--rate=0.5",
		"--category=007=gaming", "--category=-3", "--output=json", "--other-commands=2.5")
	want = &options{
		url: got.url, appIDs: []string{"1", "2"}, token: "xxxxyyyy", rate: 0.5, concurrency: 8, duplicates: 0.05, retries: 5,
		categories: []category{{7, "gaming"}, {-3, "-3"}}, timeout: 2 * time.Second, seed: 7, output: "json", otherCommands: 2.5,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("options = %+v\nwant      %+v", got, want)
	}
}

func TestSeedIsDrawn(t *testing.T) {
	t.Parallel()
	seeds := map[uint64]bool{}
	for range 3 {
		opts, err := parseOptions([]string{"--url=http://receiver.test"}, os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		if opts.seed >= maxRandomSeed {
			t.Errorf("seed %d: is not exact in a float64", opts.seed)
		}
		seeds[opts.seed] = true
	}
	if len(seeds) != 3 {
		t.Errorf("seeds = %v, want three different ones", seeds)
	}
}

func TestParseOptionsErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": " \n", "long": strings.Repeat("x", 129)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		args string
		want string
	}{
		{"", "--url"},
		{"--url=localhost:8080", "http://"},
		{"--url=http://", "name a host"},
		{"--url=http://h/?a=b", "query"},
		{"--url=http://u:p@h/", "password"},
		{"--url=http://h --rate=-1", "--rate"},
		{"--url=http://h --rate=NaN", "--rate"},
		{"--url=http://h --rate=Inf", "--rate"},
		{"--url=http://h --concurrency=0", "--concurrency"},
		{"--url=http://h --duplicates=1.1", "--duplicates"},
		{"--url=http://h --duplicates=NaN", "--duplicates"},
		{"--url=http://h --other-commands=-1", "--other-commands"},
		{"--url=http://h --retries=-1", "--retries"},
		{"--url=http://h --timeout=0s", "--timeout"},
		{"--url=http://h --rooms=-1", "-1"},
		{"--url=http://h --output=yaml", "yaml"},
		{"--url=http://h --sdk-app-id=5 --sdk-app-id=5", "twice"},
		{"--url=http://h --sdk-app-id=x", "x"},
		{"--url=http://h --category=1 --category=1=a", "twice"},
		{"--url=http://h --category=1=a --category=2=a", "twice"},
		{"--url=http://h --category=1=2 --category=2", "twice"},
		{"--url=http://h --category=1=none", "none"},
		{"--url=http://h --category=1=other", "other"},
		{"--url=http://h --category=1=", "name"},
		{"--url=http://h --category=gaming", "integer"},
		{"--url=http://h --token-file=" + dir + "/empty", "empty"},
		{"--url=http://h --token-file=" + dir + "/long", "129"},
		{"--url=http://h --token-file=" + dir + "/missing", "missing"},
		{"--url=http://h --unknown", "unknown"},
	} {
		t.Run(tc.args, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := simulate(t.Context(), strings.Fields(tc.args), &stdout, &stderr); code != exitUsage {
				t.Errorf("exit code = %d, want %d", code, exitUsage)
			}
			if !strings.Contains(stderr.String(), tc.want) {
				t.Errorf("stderr = %q, want it to name %q", stderr.String(), tc.want)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{"--help": "--other-commands", "--version": "roomsim, version"} {
		var stdout, stderr bytes.Buffer
		if code := simulate(t.Context(), []string{arg}, &stdout, &stderr); code != exitOK {
			t.Errorf("%s: exit code = %d, want %d", arg, code, exitOK)
		}
		if strings.Count(stdout.String(), want) != 1 || stderr.Len() != 0 {
			t.Errorf("%s: stdout = %q, stderr = %q, want %q once on stdout", arg, stdout.String(), stderr.String(), want)
		}
	}
}
