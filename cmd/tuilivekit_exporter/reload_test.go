package main_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// reload reloads by one of the two ways and waits until it happened.
func (e *exporter) reload(by string, wantSuccess bool) {
	e.t.Helper()
	messages := map[bool]string{true: "Reloaded the configuration", false: "Reloading the configuration failed"}
	before := strings.Count(e.stderr.String(), messages[wantSuccess])
	if by == "SIGHUP" {
		e.signal(syscall.SIGHUP)
	} else {
		status, body := request(e.t, e.client, http.MethodPost, e.web+"/-/reload", "")
		if (status == http.StatusOK) != wantSuccess || (!wantSuccess && status != http.StatusInternalServerError) {
			e.t.Errorf("POST /-/reload: status %d, want success: %t: %s", status, wantSuccess, body)
		}
	}
	eventually(e.t, "the reload to be logged", func() bool {
		return strings.Count(e.stderr.String(), messages[wantSuccess]) > before
	})
}

func TestReload(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"SIGHUP", "POST"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			const series = metricRooms + `{category="%",destroy_type="user",sdk_app_id="` + appID + `"}`
			named := func(name string) string { return strings.ReplaceAll(series, "%", name) }
			const head = "apps:\n  - sdk_app_id: " + appID + "\n    token_files: [sim.token]\n"
			dir := t.TempDir()
			writeFile(t, dir, "sim.token", token)
			file := writeFile(t, dir, "exporter.yml", head+"categories: {names: {1: gaming}}\n")
			e := startExporter(t, "--config.file="+file)
			expect := func(when string, want samples) {
				t.Helper()
				s := e.scrape()
				for series, value := range want {
					if got, ok := s[series]; !ok || got != value {
						t.Errorf("%s: %s is %v (there: %t), want %v", when, series, got, ok, value)
					}
				}
			}
			expect("start", samples{metricReloaded: 1, named("gaming"): 0})
			e.destroy("first", token)

			// A bad file changes nothing, neither in whole nor in part.
			writeFile(t, dir, "exporter.yml", strings.Replace(head, appID, otherID, 1)+"categories: {names: {1: games}, limit: many}\n")
			e.reload(by, false)
			if log := e.stderr.String(); !strings.Contains(log, file+":4: categories.limit") {
				t.Error("the log does not say where the file is bad")
			}
			if status := e.destroy("second", token); status != http.StatusOK {
				t.Errorf("after a bad file: status %d", status)
			}
			expect("bad file", samples{metricReloaded: 0, named("gaming"): 2})
			if strings.Contains(e.get("/metrics"), otherID) {
				t.Error("the bad file's app is in force")
			}

			writeFile(t, dir, "exporter.yml", head+"categories: {names: {1: games}}\nwebhook: {path: /hook/}\n")
			e.reload(by, true)
			if status := e.destroy("third", token); status != http.StatusNotFound {
				t.Errorf("the path of the old file: status %d", status)
			}
			e.webhook += "/hook"
			if status := e.destroy("fourth", token); status != http.StatusOK {
				t.Errorf("the path of the new file: status %d", status)
			}
			expect("good file", samples{metricReloaded: 1, named("gaming"): 2, named("games"): 1})
		})
	}
}

// TestTokenRotation rotates the token the way an operator does, old and new
// both valid in between, while webhooks signed with either flow.
func TestTokenRotation(t *testing.T) {
	t.Parallel()
	const newToken = "the-next-token"
	dir := t.TempDir()
	oldFile, newFile := writeFile(t, dir, "old.token", token), writeFile(t, dir, "new.token", newToken)
	file := writeFile(t, dir, "exporter.yml", config("[old.token]"))
	e := startExporter(t, "--config.file="+file)
	rooms := func() float64 { return e.scrape().sum(metricRooms) }
	flowing := func() {
		t.Helper()
		before := rooms()
		eventually(t, "more rooms", func() bool { return rooms() >= before+50 })
	}

	oldSender := startRoomsim(t, nil, e.webhook, oldFile, "--rooms=0", "--rate=200")
	flowing()
	if status := e.destroy("early", newToken); status != http.StatusForbidden {
		t.Errorf("the new token before the rotation: status %d", status)
	}
	writeFile(t, dir, "exporter.yml", config("[new.token, old.token]"))
	e.reload("SIGHUP", true)
	newSender := startRoomsim(t, nil, e.webhook, newFile, "--rooms=0", "--rate=200")
	flowing()
	for range 5 {
		e.reload("SIGHUP", true)
		e.reload("POST", true)
	}
	flowing()
	oldSender.signal(syscall.SIGINT)
	sentOld := oldSender.report()
	writeFile(t, dir, "exporter.yml", config("[new.token]"))
	e.reload("POST", true)
	flowing()
	if status := e.destroy("late", token); status != http.StatusForbidden {
		t.Errorf("the old token after the rotation: status %d", status)
	}
	newSender.signal(syscall.SIGINT)
	sentNew := newSender.report()

	s := e.scrape()
	compare(t, "counter", s.counters(), counters(sentOld, sentNew))
	if got, want := s[metricDuplicates], float64(sentOld.DuplicatesAcknowledged+sentNew.DuplicatesAcknowledged); got != want {
		t.Errorf("%v duplicates, want %v", got, want)
	}
	if rejected := s.sum(metricRejections); rejected != 2 {
		t.Errorf("%v rejections, want the 2 with a token that was not valid", rejected)
	}
}
