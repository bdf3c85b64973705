package ledger

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// An entry is one record of the journal: everything that changes the state is
// one, so that the same entries in the same order give the same state.
type entry struct {
	at       time.Time // milliseconds
	room     *room.Destroyed
	settings *Settings // instead of a room
}

const (
	entryRoom     = 1
	entrySettings = 2
)

// appendEntry appends e:
//
//	kind 1 | at, varint | room or JSON of the settings
//
// and a room as its identity, then what it adds to the totals. Operator and
// owner are not kept: nothing is counted by them.
func appendEntry(b []byte, e *entry) []byte {
	if e.settings != nil {
		settings, err := json.Marshal(e.settings)
		if err != nil { // texts, integers and finite bounds: can't be
			panic(err)
		}
		b = append(b, entrySettings)
		b = binary.AppendVarint(b, e.at.UnixMilli())
		return append(b, settings...)
	}
	b = append(b, entryRoom)
	b = binary.AppendVarint(b, e.at.UnixMilli())
	b = appendText(b, e.room.SDKAppID)
	b = appendText(b, e.room.RoomID)
	b = binary.AppendVarint(b, e.room.EventTime.UnixMilli())
	b = append(b, byte(e.room.DestroyType))
	b = binary.AppendUvarint(b, uint64(len(e.room.Categories)))
	for _, category := range e.room.Categories {
		b = binary.AppendVarint(b, category)
	}
	// One bit says that there were statistics, one for each that it is known.
	flags, values := byte(0), b
	if e.room.Statistics.Present {
		flags = 1
	}
	values = append(values, 0)
	for _, statistic := range room.AllStatistics() {
		if value, known := e.room.Statistics.Get(statistic); known {
			flags |= 2 << statistic
			values = binary.AppendUvarint(values, value)
		}
	}
	values[len(b)] = flags
	return values
}

func appendText(b []byte, text string) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// decodeEntry decodes what appendEntry appended. The entry shares no memory with b.
func decodeEntry(b []byte) (entry, error) {
	r := entryReader{rest: b}
	kind := r.byte()
	e := entry{at: time.UnixMilli(r.varint())}
	switch kind {
	case entrySettings:
		e.settings = &Settings{}
		if err := json.Unmarshal(r.rest, e.settings); err != nil {
			return entry{}, fmt.Errorf("decode settings: %w", err)
		}
		return e, nil
	case entryRoom:
		e.room = r.room()
		if r.broken || len(r.rest) > 0 || !e.room.DestroyType.Valid() {
			return entry{}, errors.New("decode room: record is malformed")
		}
		return e, nil
	default:
		return entry{}, fmt.Errorf("record is of kind %d, which is not known", kind)
	}
}

// entryReader reads the parts of an entry one by one. What is missing reads as
// zero and makes it broken.
type entryReader struct {
	rest   []byte
	broken bool
}

func (r *entryReader) room() *room.Destroyed {
	d := &room.Destroyed{
		SDKAppID:    r.text(),
		RoomID:      r.text(),
		EventTime:   time.UnixMilli(r.varint()),
		DestroyType: room.DestroyType(r.byte()),
	}
	count := r.uvarint()
	if count > uint64(len(r.rest)) {
		r.broken = true
		return d
	}
	for range count {
		d.Categories = append(d.Categories, r.varint())
	}
	flags := r.byte()
	d.Statistics.Present = flags&1 != 0
	for _, statistic := range room.AllStatistics() {
		if flags&(2<<statistic) != 0 {
			d.Statistics.Set(statistic, r.uvarint())
		}
	}
	return d
}

func (r *entryReader) byte() byte {
	if len(r.rest) == 0 {
		r.broken = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *entryReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	r.skip(n)
	return v
}

func (r *entryReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.skip(n)
	return v
}

func (r *entryReader) text() string {
	length := r.uvarint()
	if length > uint64(len(r.rest)) {
		r.broken = true
		return ""
	}
	text := string(r.rest[:length])
	r.rest = r.rest[length:]
	return text
}

func (r *entryReader) skip(n int) {
	if n <= 0 {
		r.broken = true
		r.rest = nil
		return
	}
	r.rest = r.rest[n:]
}
