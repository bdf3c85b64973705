package ledger

import (
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

// TestLedgerIsItsModel runs random sequences of all that can happen to a ledger on
// a sound disk, power failures at any moment among them, and compares it with
// the model after each step.
func TestLedgerIsItsModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// Hidden behind the interface, because rapid asks for a deadline,
		// of which there is none in a bubble.
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
			s := &simulation{T: rt, tb: t, model: newModel(), settings: testSettings()}
			s.open(writeFiles(t, nil))
			defer func() { _ = s.close() }()
			for range rapid.IntRange(1, 25).Draw(rt, "steps") {
				s.step()
				s.compare()
			}
		})
	})
}

// simulation drives a ledger and its model side by side.
type simulation struct {
	*rapid.T
	tb       testing.TB
	model    *model
	settings Settings
	ledger   *Ledger
	dir      string
	disk     *simDisk
	observer *observations
	created  map[any]int64
	rooms    []*room.Destroyed
	closed   bool
}

func (s *simulation) close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	return s.ledger.Close()
}

func (s *simulation) open(dir string) {
	s.dir, s.disk = dir, newSimDisk(s.tb, dir, rapid.Uint64().Draw(s.T, "disk"))
	options, observer := testOptions(dir, s.disk)
	options.Settings = s.settings
	options.segmentSize = rapid.Int64Range(128, 4<<10).Draw(s.T, "segment size")
	options.snapshotAfter = rapid.Int64Range(1, 8<<10).Draw(s.T, "snapshot after")
	ledger, err := Open(options)
	if err != nil {
		s.Fatalf("Open: %v", err)
	}
	s.ledger, s.observer, s.closed = ledger, observer, false
	if r := observer.all().recovery; r.LostRecords > 0 || r.DamagedFiles > 0 {
		s.Fatalf("a crash was taken for damage: %+v", r)
	}
	s.model.configure(s.settings, now())
}

func (s *simulation) step() {
	switch action := rapid.SampledFrom([]string{
		"record", "record", "deliver again", "race", "configure", "wait", "restart", "crash", "crash",
	}).Draw(s.T, "action"); action {
	case "record":
		s.record(s.room("room"))
	case "deliver again":
		if len(s.rooms) > 0 {
			again := *rapid.SampledFrom(s.rooms).Draw(s.T, "again")
			again.Statistics = s.statistics("again")
			s.record(&again)
		}
	case "race":
		s.race()
	case "configure":
		s.settings = s.otherSettings()
		at := now()
		s.ledger.Configure(s.settings)
		s.model.configure(s.settings, at)
	case "wait":
		time.Sleep(time.Duration(rapid.Int64Range(1, int64(40*time.Minute)).Draw(s.T, "wait")))
	case "restart":
		before := s.ledger.View()
		if err := s.close(); err != nil {
			s.Fatalf("Close: %v", err)
		}
		s.open(s.dir)
		if now := s.ledger.View(); text(s.tb, now) != text(s.tb, before) {
			s.Fatalf("before the restart:\n%s\nand after:\n%s", text(s.tb, before), text(s.tb, now))
		}
	case "crash":
		s.crash()
	}
}

// record records one room and expects the model's answer.
func (s *simulation) record(d *room.Destroyed) {
	at := now() // Record may wait for others
	want := s.model.knows(d, at)
	if got := s.ledger.Record(d); got != want {
		s.Fatalf("Record(%s) = %t, want %t", d.RoomID, got, want)
	}
	if !want {
		s.model.count(d, at)
	}
	s.rooms = append(s.rooms, d)
}

// race records rooms at once, some of which are the same: one of each is new.
func (s *simulation) race() {
	rooms, at := s.racers(), now()
	duplicate := make([]bool, len(rooms))
	var group sync.WaitGroup
	for i, d := range rooms {
		group.Go(func() { duplicate[i] = s.ledger.Record(d) })
	}
	group.Wait()
	wasKnown := make(map[modelKey]bool)
	for _, d := range distinct(rooms) {
		wasKnown[keyOf(d)] = s.model.knows(d, at)
	}
	firsts := make(map[modelKey]int)
	for i, d := range rooms {
		if !duplicate[i] {
			firsts[keyOf(d)]++
			s.model.count(d, at)
		}
	}
	for key, known := range wasKnown {
		if known && firsts[key] != 0 || !known && firsts[key] != 1 {
			s.Fatalf("%v was new %d times; known before: %t", key, firsts[key], known)
		}
	}
	s.rooms = append(s.rooms, rooms...)
}

// crash fails the power while rooms race, or while the ledger closes, and
// continues with what the disk has left. A room that was acknowledged before is
// counted; any other is, or is not, until it is delivered again.
func (s *simulation) crash() {
	s.disk.mu.Lock()
	s.disk.crashAt = s.disk.ops + rapid.IntRange(1, 12).Draw(s.T, "operations left")
	s.disk.mu.Unlock()
	rooms := s.racers()
	at := now()
	acknowledged := make([]bool, len(rooms))
	var group sync.WaitGroup
	for i, d := range rooms {
		group.Go(func() {
			s.ledger.Record(d)
			acknowledged[i] = !s.disk.crashed()
		})
	}
	group.Wait()
	if rapid.Bool().Draw(s.T, "close") {
		_ = s.close()
	}
	image := s.disk.crash()
	_ = s.close()
	wanted := make(map[modelKey]bool) // acknowledged
	for i, d := range rooms {
		wanted[keyOf(d)] = wanted[keyOf(d)] || acknowledged[i]
	}
	s.open(writeFiles(s.tb, image))
	if rapid.IntRange(0, 3).Draw(s.T, "crash again") == 0 {
		// Before the first room, such as in a loop of restarts.
		image := s.disk.crash()
		_ = s.close()
		s.open(writeFiles(s.tb, image))
	}
	var lost []func()
	for _, d := range distinct(rooms) {
		known, again := s.model.knows(d, at), now()
		duplicate := s.ledger.Record(d)
		if (known || wanted[keyOf(d)]) && !duplicate {
			s.Fatalf("%s was counted and acknowledged before the crash, and is lost (known long before: %t)", d.RoomID, known)
		}
		switch {
		case known:
		case duplicate:
			s.model.count(d, at)
		default:
			lost = append(lost, func() { s.model.count(d, again) })
		}
	}
	for _, count := range lost { // after those that the crash left
		count()
	}
	s.rooms = append(s.rooms, rooms...)
}

func (s *simulation) compare() {
	view := s.ledger.View()
	if got := counted(view); got != s.model.rooms {
		s.Fatalf("%d rooms are counted, want %d; files: %v", got, s.model.rooms, s.files())
	}
	if got, want := sortedText(s.tb, view), sortedText(s.tb, s.model.totals.View()); got != want {
		i := 0
		for i < len(got) && i < len(want) && got[i] == want[i] {
			i++
		}
		s.Fatalf("totals are\n%s\nwant\n%s", got[max(0, i-300):min(len(got), i+200)], want[max(0, i-300):min(len(want), i+200)])
	}
	now := created(view)
	for key, at := range s.created {
		if now[key] != at {
			s.Fatalf("%v was created at %d and now at %d", key, at, now[key])
		}
	}
	s.created = now
}

func (s *simulation) files() (names []string) {
	paths, _ := filepath.Glob(filepath.Join(s.dir, "*"))
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	return names
}

// room draws one of few identities, so that many meet.
func (s *simulation) room(label string) *room.Destroyed {
	return &room.Destroyed{
		SDKAppID:    rapid.SampledFrom([]string{"1400000001", "1400000002"}).Draw(s.T, label+" app"),
		RoomID:      "room-" + strconv.Itoa(rapid.IntRange(0, 20).Draw(s.T, label+" id")),
		EventTime:   time.UnixMilli(1_700_000_000_000 + rapid.Int64Range(0, 2).Draw(s.T, label+" event time")),
		DestroyType: rapid.SampledFrom(room.DestroyTypes()).Draw(s.T, label+" destroy type"),
		Categories:  rapid.SliceOfN(rapid.Int64Range(1, 5), 0, 3).Draw(s.T, label+" categories"),
		Statistics:  s.statistics(label),
	}
}

func (s *simulation) statistics(label string) (statistics room.Statistics) {
	statistics.Present = rapid.Bool().Draw(s.T, label+" statistics")
	for _, statistic := range room.AllStatistics() {
		if statistics.Present && rapid.Bool().Draw(s.T, label+" known") {
			statistics.Set(statistic, rapid.Uint64Range(0, 2000).Draw(s.T, label+" value"))
		}
	}
	return statistics
}

// racers draws rooms; one that is there twice is so with all its fields.
func (s *simulation) racers() (rooms []*room.Destroyed) {
	for range rapid.IntRange(1, 8).Draw(s.T, "distinct rooms") {
		rooms = append(rooms, s.room("racer"))
	}
	rooms = distinct(rooms)
	for range rapid.IntRange(0, 4).Draw(s.T, "repeated rooms") {
		rooms = append(rooms, rapid.SampledFrom(rooms).Draw(s.T, "repeated"))
	}
	return rooms
}

func (s *simulation) otherSettings() Settings {
	settings := testSettings()
	settings.SDKAppIDs = rapid.SampledFrom([][]string{{"1400000001"}, {"1400000002"}, {"1400000001", "1400000002"}}).Draw(s.T, "apps")
	settings.CategoryNames = rapid.SampledFrom([]map[int64]string{nil, {1: "gaming"}, {1: "music"}, {1: "music", 2: "gaming", 3: "chat"}}).Draw(s.T, "names")
	settings.Bounds = rapid.SampledFrom([]totals.Bounds{{}, settings.Bounds, {{3, 30}, {5, 7}, {1000}, {1}, {20}}}).Draw(s.T, "bounds")
	return settings
}
