package webhook

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"
)

// Of each reason, the first rejections are logged and then one an interval.
const (
	rejectionsLoggedFirst = 5
	rejectionsLogInterval = 10 * time.Second
)

// RejectionLog logs rejected requests at level warn, rate-limited by reason, so
// that a flood of them does not become a flood of lines. It never logs a query:
// there are signatures in it. Safe for concurrent use; it outlives reloads.
type RejectionLog struct {
	logger *slog.Logger
	limits map[Reason]*rejectionLimit
}

type rejectionLimit struct {
	sometimes  rate.Sometimes
	suppressed atomic.Uint64 // since the last line
}

// NewRejectionLog returns a RejectionLog that writes to logger.
func NewRejectionLog(logger *slog.Logger) *RejectionLog {
	l := &RejectionLog{logger: logger, limits: make(map[Reason]*rejectionLimit)}
	for _, reason := range Reasons() {
		l.limits[reason] = &rejectionLimit{
			sometimes: rate.Sometimes{First: rejectionsLoggedFirst, Interval: rejectionsLogInterval},
		}
	}
	return l
}

func (l *RejectionLog) log(r *http.Request, status int, reason Reason, err error) {
	limit := l.limits[reason]
	logged := false
	limit.sometimes.Do(func() {
		logged = true
		q := parseQuery(r.URL.RawQuery)
		message := "Rejected a webhook"
		attrs := []slog.Attr{slog.String("reason", string(reason))}
		if status == 0 {
			message = "Did not count a webhook that the app answers"
		} else {
			attrs = append(attrs, slog.Int("status", status))
		}
		attrs = append(attrs,
			slog.String("remote", r.RemoteAddr),
			slog.String("method", shorten(r.Method)),
			slog.String("path", shorten(r.URL.Path)),
			slog.String("sdk_app_id", shorten(q.sdkAppID)),
			slog.String("command", shorten(q.command)),
		)
		if err != nil {
			attrs = append(attrs, slog.String("err", shorten(err.Error())))
		}
		if n := limit.suppressed.Swap(0); n > 0 {
			attrs = append(attrs, slog.Uint64("not_logged", n))
		}
		l.logger.LogAttrs(r.Context(), slog.LevelWarn, message, attrs...)
	})
	if !logged {
		limit.suppressed.Add(1)
	}
}

// shorten keeps what a stranger wrote from filling the log, or our answer to it.
func shorten(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	end := most
	for end > most-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
