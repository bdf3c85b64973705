package webhook

import (
	"net/url"
	"strings"
)

// query holds what the exporter needs of a webhook's query string.
type query struct {
	sdkAppID    string
	command     string
	requestTime string
	sign        string

	// repeated says that one of the keys that authenticate is there twice with
	// different values: the app behind could read the other one.
	repeated bool
}

// parseQuery reads a raw query string. Keys are matched without regard to case
// and in both spellings, for the sender's own pages differ. Of a command that
// is there twice the first counts. Pairs that are no valid encoding are passed over.
func parseQuery(raw string) (q query) {
	for pair := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(key)
		if err != nil {
			continue
		}
		var field *string
		switch {
		case strings.EqualFold(key, "SdkAppid"):
			field = &q.sdkAppID
		case strings.EqualFold(key, "CallbackCommand"), strings.EqualFold(key, "WebhookCommand"):
			field = &q.command
		case strings.EqualFold(key, "RequestTime"):
			field = &q.requestTime
		case strings.EqualFold(key, "Sign"):
			field = &q.sign
		default:
			continue
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			continue
		}
		if *field == "" {
			*field = value
		} else if *field != value && field != &q.command {
			q.repeated = true
		}
	}
	return q
}
