package main_test

import (
	"strings"
	"testing"
)

// TestStorageInUse starts a second exporter on the folder of a first one.
func TestStorageInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"--webhook.sdk-app-id=" + appID, "--storage.path=" + dir}
	e := startExporter(t, args...)
	code, stdout, stderr := run(t, "", "tuilivekit_exporter", withDefaults(args)...)
	if code != 1 || stdout != "" || !strings.Contains(stderr, dir+" is in use by another process") || strings.Contains(stderr, "Listening") {
		t.Errorf("exit code %d, want 1 and an error that names the folder\n%s%s", code, stdout, stderr)
	}
	// The first one has not noticed, and the folder is free as soon as it is gone.
	e.post(destroyedBody("room"))
	e.kill()
	if rooms := startExporter(t, args...).scrape().sum(metricRooms); rooms != 1 {
		t.Errorf("%v rooms, want 1", rooms)
	}
}

// TestInMemoryOnly expects that nobody counts in memory only without being told.
func TestInMemoryOnly(t *testing.T) {
	t.Parallel()
	e := startExporter(t, "--webhook.sdk-app-id="+appID, "--storage.path=")
	e.post(destroyedBody("room"))
	if s := e.scrape(); s.sum(metricRooms) != 1 || s["tuilivekit_exporter_journal_size_bytes"] != 0 {
		t.Errorf("%v rooms and %v bytes of storage", s.sum(metricRooms), s["tuilivekit_exporter_journal_size_bytes"])
	}
	e.reload("POST", true)
	e.stop()
	if warnings := strings.Count(e.stderr.String(), "in memory only"); warnings != 1 {
		t.Errorf("%d warnings, want 1", warnings)
	}
	stored := startExporter(t, "--webhook.sdk-app-id="+appID, "--storage.path="+t.TempDir())
	if strings.Contains(stored.stderr.String(), "in memory only") {
		t.Error("it warns though it has a folder")
	}
}
