package webhook

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// Decoded is what the body of a Live.CallbackAfterDestroyRoom says of its room.
type Decoded struct {
	Room room.Destroyed // without its SDKAppID, which is in the query
	// InvalidFields names, each once, the fields that were there but not what
	// they should be, see Fields. They are unknown.
	InvalidFields []string
}

// Fields lists the fields that can turn out invalid, by their path in the body.
func Fields() []string {
	fields := []string{"EventType", "Operator_Account", "RoomInfo", "RoomInfo.Category", "RoomInfo.Owner_Account", "Statistic"}
	for _, s := range room.AllStatistics() {
		fields = append(fields, fieldOf(s))
	}
	return fields
}

func fieldOf(s room.Statistic) string {
	return [room.NumStatistics]string{
		room.Viewers:     "Statistic.TotalViewers",
		room.Gifts:       "Statistic.TotalGiftsSent",
		room.GiftCoins:   "Statistic.TotalGiftCoins",
		room.GiftSenders: "Statistic.TotalUniqueGiftSenders",
		room.Likes:       "Statistic.TotalLikesReceived",
	}[s]
}

// InvalidBodyError says why a body is no destroyed room.
type InvalidBodyError struct {
	Reason Reason // ReasonJSON, ReasonRoomID or ReasonEventTime
	Err    error
}

func (e *InvalidBodyError) Error() string { return e.Err.Error() }

// Unwrap returns what was wrong with the body.
func (e *InvalidBodyError) Unwrap() error { return e.Err }

// Decoder reads bodies of Live.CallbackAfterDestroyRoom. It keeps its buffers
// from one body to the next and serves one goroutine at a time.
type Decoder struct {
	json *jsontext.Decoder
	out  Decoded

	hasEventTime bool
}

// NewDecoder returns a Decoder.
func NewDecoder() *Decoder {
	return &Decoder{json: jsontext.NewDecoder(bytes.NewBuffer(nil))}
}

// Decode reads one body, which must be a single JSON object as RFC 8259 and, for
// what that leaves open, RFC 7493 have it: valid UTF-8, no key twice in an
// object, nothing behind it; nested no deeper than 10,000. The error is an
// *InvalidBodyError. Nothing that is returned shares memory with body.
func (d *Decoder) Decode(body []byte) (Decoded, error) {
	d.json.Reset(bytes.NewBuffer(body))
	d.out, d.hasEventTime = Decoded{}, false
	err := d.document()
	out := d.out
	d.out = Decoded{}
	switch {
	case err != nil:
		return Decoded{}, &InvalidBodyError{ReasonJSON, err}
	case out.Room.RoomID == "":
		return Decoded{}, &InvalidBodyError{ReasonRoomID, errors.New("RoomId is missing or not a text")}
	case !d.hasEventTime:
		return Decoded{}, &InvalidBodyError{ReasonEventTime, errors.New("EventTime is missing or not a positive integer of milliseconds")}
	}
	return out, nil
}
