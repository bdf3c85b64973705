// Package room is the domain: a destroyed room, its statistics and the labels
// it is counted under. It imports nothing of the exporter's other packages.
package room

import (
	"log/slog"
	"time"
)

// Destroyed is one destroyed room as Live.CallbackAfterDestroyRoom tells it.
type Destroyed struct {
	// SDKAppID, RoomID and EventTime are the identity of the event: the
	// sender has no event id, and a RoomID is reused over time.
	SDKAppID  string // decimal digits
	RoomID    string // any text, never empty
	EventTime time.Time

	DestroyType DestroyType
	Operator    string // account that ended the room; empty when unknown
	Owner       string // account that owned the room; empty when unknown
	Categories  []int64
	Statistics  Statistics
}

// LogValue groups what identifies the room and who ended it.
func (d *Destroyed) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("sdk_app_id", d.SDKAppID),
		slog.String("room_id", d.RoomID),
		slog.Time("event_time", d.EventTime),
		slog.String("destroy_type", d.DestroyType.String()),
		slog.String("operator", d.Operator),
		slog.String("owner", d.Owner),
	)
}

// DestroyType says who ended a room. Its zero value is DestroyedByOther.
type DestroyType uint8

const (
	DestroyedByOther  DestroyType = iota // an EventType not known here, or none
	DestroyedByUser                      // EventType DestroyByUser
	DestroyedBySystem                    // EventType DestroyBySystem
	numDestroyTypes
)

// DestroyTypes lists every DestroyType.
func DestroyTypes() []DestroyType {
	return []DestroyType{DestroyedByUser, DestroyedBySystem, DestroyedByOther}
}

// DestroyTypeOf returns the DestroyType of the sender's EventType, which is an
// open set: what is not known is DestroyedByOther.
func DestroyTypeOf(eventType string) DestroyType {
	switch eventType {
	case "DestroyByUser":
		return DestroyedByUser
	case "DestroyBySystem":
		return DestroyedBySystem
	default:
		return DestroyedByOther
	}
}

// Valid reports whether t is one of DestroyTypes.
func (t DestroyType) Valid() bool { return t < numDestroyTypes }

// String returns the value of the label destroy_type.
func (t DestroyType) String() string {
	switch t {
	case DestroyedByUser:
		return "user"
	case DestroyedBySystem:
		return "system"
	default:
		return "other"
	}
}
