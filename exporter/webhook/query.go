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
// is there twice the first that is not empty counts. Pairs that are no valid
// encoding are passed over.
func parseQuery(raw string) (q query) {
	var seen uint8
	for pair := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(pair, "=")
		key, err := unescape(key)
		if err != nil {
			continue
		}
		var (
			field *string
			bit   uint8
		)
		switch {
		case strings.EqualFold(key, "SdkAppid"):
			field, bit = &q.sdkAppID, 1
		case strings.EqualFold(key, "CallbackCommand"), strings.EqualFold(key, "WebhookCommand"):
			field, bit = &q.command, 2
		case strings.EqualFold(key, "RequestTime"):
			field, bit = &q.requestTime, 4
		case strings.EqualFold(key, "Sign"):
			field, bit = &q.sign, 8
		default:
			continue
		}
		value, err = unescape(value)
		if err != nil {
			continue
		}
		if seen&bit != 0 && *field != value && field != &q.command {
			q.repeated = true
		}
		seen |= bit
		if *field == "" {
			*field = value
		}
	}
	return q
}

// unescape is url.QueryUnescape, which is slow to see that there is nothing to do.
func unescape(text string) (string, error) {
	if strings.IndexByte(text, '%') < 0 && strings.IndexByte(text, '+') < 0 {
		return text, nil
	}
	return url.QueryUnescape(text)
}
