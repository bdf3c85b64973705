package ledger

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger/journal"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// FuzzDecodeEntry decodes any bytes: what decodes must encode to what decodes to the same.
func FuzzDecodeEntry(f *testing.F) {
	settings := testSettings()
	entries := []entry{{at: time.UnixMilli(1_700_000_000_000), settings: &settings}}
	for n := range 8 {
		entries = append(entries, entry{at: time.UnixMilli(int64(n) - 4), room: numbered(n)})
	}
	for _, e := range entries {
		b := appendEntry(nil, &e)
		f.Add(b)
		f.Add(b[:len(b)/2])
		decoded, err := decodeEntry(b)
		if err != nil || !reflect.DeepEqual(decoded, e) {
			f.Fatalf("encoded %+v, decoded %+v, %v", e, decoded, err)
		}
	}
	f.Add([]byte{entryRoom, 2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEntry(b)
		if err != nil {
			return
		}
		encoded := appendEntry(nil, &e)
		again, err := decodeEntry(encoded)
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("decoded %+v, encoded and decoded again %+v, %v", e, again, err)
		}
		if e.room != nil {
			newState().apply(&e, identityOf(e.room), fingerprintOf(&e.room.Statistics))
		}
	})
}

// FuzzDecodeSnapshot decodes any bytes with a checksum that fits: what decodes
// must be a state to go on with.
func FuzzDecodeSnapshot(f *testing.F) {
	s := newState()
	s.apply(&entry{at: time.UnixMilli(1_700_000_000_000), settings: new(testSettings())}, identity{}, 0)
	bodies := [][]byte{snapshotBody(f, s)}
	for n := range 5 {
		s.apply(&entry{at: time.UnixMilli(1_700_000_000_000), room: numbered(n)}, identity{byte(n)}, uint32(n))
	}
	bodies = append(bodies, snapshotBody(f, s))
	for _, body := range bodies {
		f.Add(body)
		f.Add(body[:len(body)/2])
		huge := bytes.Clone(body)
		binary.LittleEndian.PutUint64(huge[16:], 1<<60) // settings of that length
		f.Add(huge)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := decodeSnapshot(body)
		if err != nil {
			return
		}
		d := &room.Destroyed{SDKAppID: "1", RoomID: "r", EventTime: time.UnixMilli(1)}
		before := counted(s.totals.View())
		s.apply(&entry{at: time.UnixMilli(1_700_000_000_000), room: d}, identityOf(d), 0)
		if after := counted(s.totals.View()); after != before+1 {
			t.Fatalf("%d rooms, and with one more %d", before, after)
		}
	})
}

// snapshotBody returns what readSnapshot does of the state's snapshot.
func snapshotBody(tb testing.TB, s *state) []byte {
	tb.Helper()
	dir := tb.TempDir()
	snapshot := s.snapshot(1)
	if err := snapshot.write(journal.OSDisk{}, dir); err != nil {
		tb.Fatal(err)
	}
	body, _, err := readSnapshot(filepath.Join(dir, snapshotName(s.sequence)))
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		tb.Fatal(err)
	}
	return body
}
