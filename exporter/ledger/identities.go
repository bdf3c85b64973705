package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// identity is a destroyed room's (SdkAppid, RoomId, EventTime), shortened to 128
// bits of SHA-256: two different rooms do not meet by chance or by intent.
type identity [16]byte

func identityOf(d *room.Destroyed) identity {
	b := make([]byte, 0, 128)
	b = binary.BigEndian.AppendUint64(b, uint64(d.EventTime.UnixMilli()))
	b = append(b, d.SDKAppID...) // digits, so that the next byte ends it
	b = append(b, 0)
	b = append(b, d.RoomID...)
	sum := sha256.Sum256(b)
	return identity(sum[:16])
}

// fingerprintOf tells apart, nearly always, the statistics of two deliveries of
// one room.
func fingerprintOf(s *room.Statistics) uint32 {
	var b [1 + room.NumStatistics*9]byte
	if s.Present {
		b[0] = 1
	}
	for _, statistic := range room.AllStatistics() {
		if value, known := s.Get(statistic); known {
			field := b[1+int(statistic)*9:]
			field[0] = 1
			binary.BigEndian.PutUint64(field[1:], value)
		}
	}
	sum := sha256.Sum256(b[:])
	return binary.BigEndian.Uint32(sum[:4])
}

// identities remembers the rooms of the last window.
type identities struct {
	window time.Duration
	// seen has the latest sighting of each room: its place in order, counted
	// from the first sighting ever. 32 bits suffice to tell those in order apart.
	seen map[identity]uint32
	// order has the oldest first. Its elements are never changed, so a
	// snapshot can share it.
	order     []sighting
	forgotten uint32 // sightings before order
}

// sighting is when a room was first seen: Unix seconds reach until 2106, at half
// the memory of a time in milliseconds.
type sighting struct {
	id          identity
	at          uint32
	fingerprint uint32
}

func newIdentities() *identities {
	return &identities{seen: make(map[identity]uint32)}
}

// forget forgets the rooms that the window has passed by now.
func (i *identities) forget(now time.Time) {
	oldest := now.Add(-i.window).Unix()
	for len(i.order) > 0 && int64(i.order[0].at) < oldest {
		// A clock that was set back can have a room here twice.
		if id := i.order[0].id; i.seen[id] == i.forgotten {
			delete(i.seen, id)
		}
		i.order = i.order[1:]
		i.forgotten++
	}
}

// find returns the fingerprint of the room first seen with that identity.
func (i *identities) find(id identity) (fingerprint uint32, found bool) {
	at, found := i.seen[id]
	if !found {
		return 0, false
	}
	return i.order[at-i.forgotten].fingerprint, true
}

// add remembers the sighting of a room.
func (i *identities) add(s sighting) {
	i.seen[s.id] = i.forgotten + uint32(len(i.order))
	i.order = append(i.order, s)
}
