package config

import (
	"fmt"
	"io"
	"log/slog"
)

const hidden = "<secret>"

// Secret is text that must not be printed. Every verb of fmt, slog and the text, JSON and YAML encoders show
// "<secret>" in its place; string(s) is the text itself.
type Secret string

// String returns "<secret>".
func (Secret) String() string { return hidden }

// Format writes "<secret>" for every verb. Without it %#v, and verbs that do not suit text, would print the text.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue returns "<secret>".
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText returns "<secret>".
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalYAML returns "<secret>".
func (Secret) MarshalYAML() (any, error) { return hidden, nil }
