package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// kubeletVolume is a volume of a ConfigMap and a Secret.
type kubeletVolume struct {
	t           *testing.T
	dir         string
	generations int
}

// swap brings in new content the way kubelet does: each file is a link through
// ..data, which is renamed over, and then the folder it led to is removed.
func (v *kubeletVolume) swap(content map[string]string) {
	v.t.Helper()
	v.generations++
	generation := fmt.Sprintf("..2026_11_23_%d", v.generations)
	check := func(err error) {
		v.t.Helper()
		if err != nil {
			v.t.Fatal(err)
		}
	}
	check(os.Mkdir(filepath.Join(v.dir, generation), 0o700))
	for name, text := range content {
		writeFile(v.t, filepath.Join(v.dir, generation), name, text)
	}
	data, next := filepath.Join(v.dir, "..data"), filepath.Join(v.dir, "..data_tmp")
	before, _ := os.Readlink(data) // none at first
	check(os.Symlink(generation, next))
	check(os.Rename(next, data))
	for name := range content {
		if before == "" {
			check(os.Symlink(filepath.Join("..data", name), filepath.Join(v.dir, name)))
		}
	}
	if before != "" {
		check(os.RemoveAll(filepath.Join(v.dir, before)))
	}
}

// TestSecretRotation rotates the tokens of a Secret some times while signed
// webhooks flow. Nothing but the volume tells the exporter.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	volume := &kubeletVolume{t: t, dir: t.TempDir()}
	content := func(current, previous string) map[string]string {
		return map[string]string{"exporter.yml": config("[current.token, previous.token]"), "current.token": current, "previous.token": previous}
	}
	nth := func(i int) string { return fmt.Sprintf("token-%d", i) }
	volume.swap(content(nth(0), nth(0)))
	e := startExporter(t, "--config.file="+filepath.Join(volume.dir, "exporter.yml"))

	// The sender signs with one token at a time.
	var signWith, sent atomic.Int64
	ctx := t.Context()
	var senders sync.WaitGroup
	stop := make(chan struct{})
	var stopOnce sync.Once
	stopSenders := func() { stopOnce.Do(func() { close(stop) }); senders.Wait() }
	defer stopSenders()
	for sender := range 4 {
		client := newClient(t, nil)
		senders.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				select {
				case <-stop:
					return
				default:
				}
				with := nth(int(signWith.Load()))
				status, _, err := post(client, e.destroyedURL(with), destroyedBody(fmt.Sprintf("room-%d-%d", sender, i)))
				if err != nil || status != http.StatusOK {
					t.Errorf("signed with %s: status %d, %v", with, status, err)
					return
				}
				sent.Add(1)
			}
		})
	}
	flowing := func() {
		t.Helper()
		before := sent.Load()
		eventually(t, "more rooms", func() bool { return sent.Load() > before+50 || t.Failed() })
	}
	accepted := func(with string) bool {
		e.t.Helper()
		return e.destroy("probe of "+with, with) == http.StatusOK
	}

	const rotations = 3
	wantRejections := 0.0
	for i := range rotations {
		flowing()
		volume.swap(content(nth(i+1), nth(i)))
		eventually(t, "the new token to be accepted", func() bool {
			if accepted(nth(i + 1)) {
				return true
			}
			wantRejections++
			return false
		})
		flowing()
		signWith.Store(int64(i + 1))
		flowing()
		volume.swap(content(nth(i+1), nth(i+1)))
		eventually(t, "the old token to be refused", func() bool { return !accepted(nth(i)) })
		wantRejections++
		flowing()
	}

	// A broken volume changes nothing.
	volume.swap(map[string]string{"exporter.yml": "apps: none\n", "current.token": "", "previous.token": ""})
	eventually(t, "the reload to fail", func() bool { return e.scrape()[metricReloaded] == 0 })
	flowing()
	volume.swap(content(nth(rotations), nth(rotations)))
	eventually(t, "the repaired volume to be loaded", func() bool { return e.scrape()[metricReloaded] == 1 })
	flowing()

	stopSenders()
	s := e.scrape()
	if rejected := s.sum(metricRejections); rejected != wantRejections {
		t.Errorf("%v rejections, want the %v with a token that was not valid", rejected, wantRejections)
	}
	if rooms := s.sum(metricRooms); rooms < float64(sent.Load()) {
		t.Errorf("%v rooms, but %d were acknowledged", rooms, sent.Load())
	}
}

// post is request for a goroutine that is not the test's.
func post(client *http.Client, url, body string) (status int, answer string, err error) {
	response, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return response.StatusCode, string(data), err
}

// TestTerminationUnderLoad ends the exporter as kubelet does, while rooms come as
// fast as they are answered, some of categories that it never saw before.
func TestTerminationUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tokenFile := writeFile(t, dir, "sim.token", token)
	file := writeFile(t, dir, "exporter.yml", config("[sim.token]")+"metrics: {new_series_hold: 3s}\n")
	e := startExporter(t, "--config.file="+file, "--storage.path="+dir+"/data", "--shutdown.await-scrape=1m")
	simulator := startRoomsim(t, nil, e.webhook, tokenFile, "--rooms=0", "--retries=0", "--concurrency=16", "--category=77", "--category=78")
	eventually(t, "rooms", func() bool { return e.scrape().sum(metricRooms) > 500 })

	e.signal(syscall.SIGTERM)
	var s samples
	eventually(t, "the end after the last scrape", func() bool {
		response, err := e.client.Get(e.web + "/metrics")
		if err != nil {
			return true
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		s = parseSamples(t, string(text))
		return false
	})
	if code := e.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	simulator.signal(syscall.SIGINT)
	simulator.wait()
	var sent report
	if err := json.Unmarshal([]byte(simulator.stdout.String()), &sent); err != nil {
		t.Fatal(err)
	}
	if sent.RoomsAcknowledged < 500 {
		t.Fatalf("%d rooms acknowledged, want a load", sent.RoomsAcknowledged)
	}
	if len(sent.RejectedByStatus) > 0 {
		t.Errorf("refused: %v", sent.RejectedByStatus)
	}
	// Rooms whose connection was reset before an answer may have been counted.
	rooms, atLeast := s.sum(metricRooms), float64(sent.RoomsAcknowledged)
	if atMost := atLeast + float64(sent.RoomsUncertain); rooms < atLeast || rooms > atMost {
		t.Errorf("the last scrape carried %v rooms, want %v to %v", rooms, atLeast, atMost)
	}
	for series, want := range counters(sent) {
		if got, ok := s[series]; !ok || got < float64(want) {
			t.Errorf("the last scrape: %s is %v (there: %t), want at least %d", series, got, ok, want)
		}
	}
}
