package main

import (
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// newLogger returns a logger that writes to file: for people, in colour if a
// terminal reads it, or for machines. level and format are valid flag values.
func newLogger(file *os.File, level, format string) *slog.Logger {
	var minimum slog.Level
	if err := minimum.UnmarshalText([]byte(level)); err != nil {
		minimum = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: minimum}
	switch format {
	case logFormatJSON:
		return slog.New(slog.NewJSONHandler(file, options))
	case logFormatLogfmt:
		return slog.New(slog.NewTextHandler(file, options))
	default:
		return slog.New(tint.NewTextHandler(file, &tint.Options{
			Level:      minimum,
			TimeFormat: time.DateTime,
			NoColor:    !term.IsTerminal(int(file.Fd())),
		}))
	}
}
