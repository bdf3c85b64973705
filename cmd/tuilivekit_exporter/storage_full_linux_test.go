package main_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fullDisk is an exporter on a small disk, and what it has acknowledged.
type fullDisk struct {
	*exporter
	disk  *disk
	args  []string
	sent  []report
	file  string // of the token
	rooms int    // sent by the test itself
}

// startOnDisk starts an exporter on a disk of some MiB.
func startOnDisk(t *testing.T, mebibytes int) *fullDisk {
	t.Helper()
	dir := t.TempDir()
	f := &fullDisk{disk: mountDisk(t, mebibytes<<20), file: writeFile(t, dir, "sim.token", token)}
	f.args = []string{"--config.file=" + writeFile(t, dir, "exporter.yml", config("[sim.token]")), "--storage.path=" + filepath.Join(f.disk.path, "data")}
	f.start()
	return f
}

func (f *fullDisk) start() {
	f.disk.t.Helper()
	f.exporter = startExporter(f.disk.t, f.args...)
}

// post sends a room, which must be acknowledged while the sender waits.
func (f *fullDisk) post() {
	f.t.Helper()
	client := http.Client{Transport: f.client.Transport, Timeout: senderWaits}
	response, err := client.Post(f.destroyedURL(token), "application/json", strings.NewReader(f.next()))
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || string(answer) != `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}` {
		f.t.Fatalf("status %d: %v: %s", response.StatusCode, err, answer)
	}
}

// next returns the body of another room.
func (f *fullDisk) next() string {
	f.rooms++
	return destroyedBody(fmt.Sprintf("room-%d", f.rooms))
}

// postLong sends a room whose record takes 100 KB of the journal: it has the same
// category over and over, and counts as any other.
func (f *fullDisk) postLong() {
	f.t.Helper()
	f.exporter.post(strings.Replace(f.next(), "[1]", "["+strings.Repeat("1,", 100_000)+"1]", 1))
}

// senderWaits is how long the sender waits for an answer.
const senderWaits = 2 * time.Second

// flow sends rooms as the sender does, each once.
func (f *fullDisk) flow() {
	f.t.Helper()
	f.sent = append(f.sent, startRoomsim(f.t, nil, f.webhook, f.file, "--rooms=200").report())
}

// serving expects that webhooks and health are as if nothing was, that failures
// are counted and rooms are held in memory.
func (f *fullDisk) serving(when string) {
	f.t.Helper()
	failures := f.scrape()[metricFailures]
	for range 5 {
		f.post()
	}
	f.flow()
	f.post()
	eventually(f.t, when+": more failures", func() bool { return f.scrape()[metricFailures] > failures })
	for _, path := range []string{"/-/ready", "/-/healthy"} {
		f.get(path)
	}
	f.expect(when, samples{metricBehind: 1})
	f.counted(when)
}

// recovers waits until the disk has everything, and expects that a crash loses nothing.
func (f *fullDisk) recovers(when string) {
	f.t.Helper()
	eventually(f.t, when+": the disk to have everything", func() bool { return f.scrape()[metricBehind] == 0 })
	f.kill()
	f.start()
	f.counted(when + ", after a crash")
	f.expect(when+", after a crash", samples{metricDamaged: 0, metricLost: 0})
}

// counted expects every acknowledged room once.
func (f *fullDisk) counted(when string) {
	f.t.Helper()
	n := uint64(f.rooms)
	own := simulated{SDKAppID: appID, DestroyType: "user", Category: "gaming", RoomsDestroyed: n,
		statistics: statistics{Viewers: n, Gifts: 2 * n, GiftCoins: 3 * n, GiftSenders: 4 * n, Likes: 5 * n}}
	member := own
	member.DestroyType = ""
	compare(f.t, when, f.scrape().counters(), counters(append(f.sent, report{Series: []simulated{own}, Categories: []simulated{member}})...))
}

// TestDiskFull fills the disk under a running exporter.
func TestDiskFull(t *testing.T) {
	if !withOwnMounts(t) {
		return
	}
	f := startOnDisk(t, 12)
	f.flow()
	f.disk.fill(0)
	eventually(t, "a commit that does not fit", func() bool {
		f.postLong()
		return f.scrape()[metricFailures] > 0
	})
	f.serving("full")
	// Nothing is written at the moment, so it can become read-only too.
	f.disk.remount(true)
	f.serving("full and read-only")
	f.disk.remount(false)
	f.serving("full again")
	f.disk.free()
	f.recovers("space")
	f.flow()
	f.recovers("more rooms")
}

// TestDiskFullAtStart starts the exporter on a disk that is full already, after a crash.
func TestDiskFullAtStart(t *testing.T) {
	if !withOwnMounts(t) {
		return
	}
	f := startOnDisk(t, 12)
	f.flow()
	f.kill()
	f.disk.fill(0)
	f.start()
	f.serving("full")
	f.disk.free()
	f.recovers("space")
}

// TestDiskNearlyFull leaves room for a snapshot, but for no segment of the journal.
func TestDiskNearlyFull(t *testing.T) {
	if !withOwnMounts(t) {
		return
	}
	f := startOnDisk(t, 12)
	f.flow()
	f.kill()
	f.disk.fill(1 << 20)
	f.start()
	f.serving("nearly full")
	if lines := strings.Count(f.stderr.String(), "\n"); lines > 50 {
		t.Errorf("%d lines of log", lines)
	}
	f.stop()
	f.start()
	f.counted("nearly full and ended")
	f.disk.free()
	f.flow()
	f.recovers("space")
}

// TestDiskReadOnly starts the exporter on a disk that is read-only.
func TestDiskReadOnly(t *testing.T) {
	if !withOwnMounts(t) {
		return
	}
	f := startOnDisk(t, 32)
	f.flow()
	f.kill()
	f.disk.remount(true)
	f.start()
	f.serving("read-only")
	f.disk.remount(false)
	f.recovers("writable")
}
