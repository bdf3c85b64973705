package main

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

const (
	commandDestroyRoom = "Live.CallbackAfterDestroyRoom"
	queryRest          = "&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI"
)

// spelling is one of the ways the sender's documents write the two keys that matter in the query.
type spelling struct {
	appID   string
	command string
}

func spellings() [4]spelling {
	return [4]spelling{
		{"SdkAppid", "CallbackCommand"},
		{"SdkAppId", "CallbackCommand"},
		{"SdkAppid", "WebhookCommand"},
		{"SdkAppId", "WebhookCommand"},
	}
}

// sign returns the lower-case hex SHA-256 over the token and RequestTime. The body is not signed.
func sign(token, requestTime string) string {
	sum := sha256.Sum256([]byte(token + requestTime))
	return hex.EncodeToString(sum[:])
}

// query returns the query string of one try made at now. Without a token the request is not signed.
func (w *webhook) query(token string, now time.Time) string {
	q := w.spelling.appID + "=" + w.appID + "&" + w.spelling.command + "=" + w.command + queryRest
	if token == "" {
		return q
	}
	requestTime := strconv.FormatInt(now.Unix(), 10)
	return q + "&RequestTime=" + requestTime + "&Sign=" + sign(token, requestTime)
}
