package main_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// provoke makes the exporter log what it can, and returns what it must not log.
func (e *exporter) provoke() (secrets []string) {
	e.t.Helper()
	e.destroy("room", token)
	e.destroy("room", "a wrong token")
	now := time.Now().Unix()
	for _, requestTime := range []int64{now, now - 3600} {
		for _, token := range []string{token, "a wrong token"} {
			text := strconv.FormatInt(requestTime, 10)
			signature := sign(token, text)
			secrets = append(secrets, signature)
			for _, url := range []string{"/", "/nowhere"} {
				for _, body := range []string{destroyedBody("again"), `{"RoomId":"again","EventTime":1,"Statistic":{"TotalViewers":-1}}`, "{", ""} {
					request(e.t, e.client, http.MethodPost, e.webhook+url+"?SdkAppid="+appID+
						"&CallbackCommand=Live.CallbackAfterDestroyRoom&RequestTime="+text+"&Sign="+signature, body)
				}
			}
		}
	}
	request(e.t, e.client, http.MethodPost, e.web+"/-/reload", "")
	e.signal(syscall.SIGTERM)
	if code := e.wait(); code != 0 {
		e.t.Errorf("exit code %d", code)
	}
	return append(secrets, token, "a wrong token")
}

func TestLogFormats(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "sim.token", token)
	file := writeFile(t, dir, "exporter.yml", config("[sim.token]"))
	for format, line := range map[string]*regexp.Regexp{
		"console": regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (DBG|INF|WRN|ERR) \S`),
		"logfmt":  regexp.MustCompile(`^time=\S+ level=(DEBUG|INFO|WARN|ERROR) msg=("[^"]+"|\S+)( |$)`),
		"json":    regexp.MustCompile(`^\{"time":"[^"]+","level":"(DEBUG|INFO|WARN|ERROR)","msg":"[^"]+".*\}$`),
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			e := startExporter(t, "--config.file="+file, "--log.format="+format, "--log.level=debug")
			secrets := e.provoke()
			log := e.stderr.String()
			if e.stdout.String() != "" {
				t.Errorf("something is on standard output: %s", e.stdout.String())
			}
			if strings.Contains(log, "\x1b") {
				t.Error("there are escape sequences, though no terminal")
			}
			for _, secret := range secrets {
				if strings.Contains(log, secret) {
					t.Errorf("the log shows %s", secret)
				}
			}
			for _, want := range []string{"Starting", "Listening on", "Rejected a webhook", "request_time", "Reloaded", "Stopped"} {
				if !strings.Contains(log, want) {
					t.Errorf("the log lacks %q", want)
				}
			}
			for text := range strings.Lines(log) {
				text = strings.TrimSuffix(text, "\n")
				if !line.MatchString(text) {
					t.Errorf("not a line of %s: %s", format, text)
				}
				if format == "json" && !json.Valid([]byte(text)) {
					t.Errorf("not valid JSON: %s", text)
				}
			}
		})
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "sim.token", token)
	file := writeFile(t, dir, "exporter.yml", "apps: [{sdk_app_id: 1, token_files: [gone.token]}]")
	code, _, stderr := run(t, "", "tuilivekit_exporter", withDefaults([]string{"--config.file=" + file, "--log.level=error"})...)
	if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, `"level":"ERROR"`) {
		t.Errorf("exit code %d, want 1 and nothing but the error\n%s", code, stderr)
	}
}
