package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// document reads the whole body into d.out.
func (d *Decoder) document() error {
	isObject, err := d.object(func(key []byte) (err error) {
		switch string(key) {
		case "RoomId":
			d.out.Room.RoomID, _, err = d.text()
		case "EventTime":
			var milliseconds int64
			milliseconds, d.hasEventTime, err = d.integer()
			d.hasEventTime = d.hasEventTime && milliseconds > 0
			d.out.Room.EventTime = time.UnixMilli(milliseconds)
		case "EventType":
			err = d.eventType()
		case "Operator_Account":
			d.out.Room.Operator, err = d.account("Operator_Account")
		case "RoomInfo":
			err = d.roomInfo()
		case "Statistic":
			err = d.statistic()
		default:
			err = d.json.SkipValue()
		}
		return err
	})
	if err == io.EOF {
		return errors.New("body is empty")
	}
	if err != nil {
		return fmt.Errorf("body is not valid JSON: %w", err)
	}
	if !isObject {
		return errors.New("body is not a JSON object")
	}
	if _, err := d.json.ReadToken(); err != io.EOF {
		return errors.New("body goes on behind its JSON object")
	}
	return nil
}

func (d *Decoder) eventType() error {
	if d.json.PeekKind() != '"' {
		return d.skip("EventType")
	}
	token, err := d.json.ReadToken()
	if err == nil {
		d.out.Room.DestroyType = room.DestroyTypeOf(token.String())
	}
	return err
}

func (d *Decoder) roomInfo() error {
	if d.json.PeekKind() != '{' {
		return d.skip("RoomInfo")
	}
	_, err := d.object(func(key []byte) (err error) {
		switch string(key) {
		case "Category":
			err = d.readCategories()
		case "Owner_Account":
			d.out.Room.Owner, err = d.account("RoomInfo.Owner_Account")
		default:
			err = d.json.SkipValue()
		}
		return err
	})
	return err
}

// readCategories reads an array of integers. An element that is none is unknown;
// the others stand.
func (d *Decoder) readCategories() error {
	if d.json.PeekKind() != '[' {
		return d.skip("RoomInfo.Category")
	}
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	d.categories = d.categories[:0]
	for d.json.PeekKind() != ']' {
		category, ok, err := d.integer()
		if err != nil {
			return err
		}
		if !ok {
			d.invalid("RoomInfo.Category")
			continue
		}
		d.categories = append(d.categories, category)
		d.out.Room.Categories = d.categories
	}
	_, err := d.json.ReadToken()
	return err
}

func (d *Decoder) statistic() error {
	if d.json.PeekKind() != '{' {
		return d.skip("Statistic")
	}
	d.out.Room.Statistics.Present = true
	_, err := d.object(func(key []byte) error {
		for _, s := range room.AllStatistics() {
			if field := fieldOf(s); string(key) == field[len("Statistic."):] {
				return d.number(s, field)
			}
		}
		return d.json.SkipValue()
	})
	return err
}

func (d *Decoder) number(s room.Statistic, field string) error {
	if d.json.PeekKind() == 'n' {
		return d.json.SkipValue()
	}
	value, ok, err := d.integer()
	if err != nil {
		return err
	}
	if !ok || value < 0 {
		d.invalid(field)
		return nil
	}
	d.out.Room.Statistics.Set(s, uint64(value))
	return nil
}

// account reads the name of a user; null is none.
func (d *Decoder) account(field string) (string, error) {
	if d.json.PeekKind() == 'n' {
		return "", d.json.SkipValue()
	}
	account, ok, err := d.text()
	if err == nil && !ok {
		d.invalid(field)
	}
	return account, err
}

// skip passes over a value of the wrong type; null is not wrong but missing.
func (d *Decoder) skip(field string) error {
	if d.json.PeekKind() != 'n' {
		d.invalid(field)
	}
	return d.json.SkipValue()
}

func (d *Decoder) invalid(field string) {
	if !slices.Contains(d.out.InvalidFields, field) {
		d.out.InvalidFields = append(d.out.InvalidFields, field)
	}
}

// text reads a string, or an integer as its digits: the sender writes names that
// look like numbers either way, beyond what a float could hold.
func (d *Decoder) text() (_ string, ok bool, _ error) {
	value, err := d.json.ReadValue()
	if err != nil {
		return "", false, err
	}
	switch value.Kind() {
	case '"':
		text, err := unquote(value)
		return string(text), true, err
	case '0':
		if !bytes.ContainsAny(value, ".eE") {
			return string(value), true, nil
		}
	}
	return "", false, nil
}

// integer reads a number that is written as an integer and fits 64 bits.
func (d *Decoder) integer() (_ int64, ok bool, _ error) {
	value, err := d.json.ReadValue()
	if err != nil || value.Kind() != '0' {
		return 0, false, err
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	return n, err == nil, nil
}

// unquote returns the text of a valid string. It may share the string's memory.
func unquote(quoted []byte) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	return jsontext.AppendUnquote(nil, quoted)
}

// object calls member with each key of the object that comes next; member must
// read the value, and key is valid until it does. Anything but an object is
// passed over.
func (d *Decoder) object(member func(key []byte) error) (isObject bool, _ error) {
	if d.json.PeekKind() != '{' {
		return false, d.json.SkipValue()
	}
	if _, err := d.json.ReadToken(); err != nil {
		return true, err
	}
	for d.json.PeekKind() != '}' {
		quoted, err := d.json.ReadValue()
		if err != nil {
			return true, err
		}
		key, err := unquote(quoted)
		if err != nil {
			return true, err
		}
		if err := member(key); err != nil {
			return true, err
		}
	}
	_, err := d.json.ReadToken()
	return true, err
}
