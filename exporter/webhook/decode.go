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
	switch s {
	case room.Viewers:
		return "Statistic.TotalViewers"
	case room.Gifts:
		return "Statistic.TotalGiftsSent"
	case room.GiftCoins:
		return "Statistic.TotalGiftCoins"
	case room.GiftSenders:
		return "Statistic.TotalUniqueGiftSenders"
	case room.Likes:
		return "Statistic.TotalLikesReceived"
	default:
		return ""
	}
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
	json jsontext.Decoder
	body bytes.Buffer
	out  Decoded

	hasEventTime bool
	categories   []int64 // what those in out are kept in
}

// NewDecoder returns a Decoder.
func NewDecoder() *Decoder { return &Decoder{} }

// Decode reads one body, which must be a single JSON object as RFC 8259 and, for
// what that leaves open, RFC 7493 have it: valid UTF-8, no key twice in an
// object, nothing behind it; nested no deeper than 10,000. The error is an
// *InvalidBodyError. What is returned is valid until the next call, and shares no
// memory with body.
func (d *Decoder) Decode(body []byte) (*Decoded, error) {
	d.body = *bytes.NewBuffer(body) // which the decoder reads in place
	d.json.Reset(&d.body)
	d.out, d.hasEventTime = Decoded{}, false
	err := d.document()
	switch {
	case err != nil:
		return nil, &InvalidBodyError{ReasonJSON, err}
	case d.out.Room.RoomID == "":
		return nil, &InvalidBodyError{ReasonRoomID, errors.New("RoomId is missing or not a text")}
	case !d.hasEventTime:
		return nil, &InvalidBodyError{ReasonEventTime, errors.New("EventTime is missing or not a positive integer of milliseconds")}
	}
	return &d.out, nil
}
