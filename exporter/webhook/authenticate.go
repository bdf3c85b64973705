package webhook

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"time"
)

// maxClockSkew is how far RequestTime may be from now, as the sender documents it.
const maxClockSkew = 60 * time.Second

// App is an app whose webhooks are accepted.
type App struct {
	SDKAppID string // decimal digits
	// Tokens are those valid right now: two while the sender rotates them.
	// Without any, signatures are not checked.
	Tokens []string
}

// authenticator decides whether a request comes from the sender. It is
// immutable and safe for concurrent use.
type authenticator map[string][]string // tokens by SDKAppID

func newAuthenticator(apps []App) authenticator {
	a := make(authenticator, len(apps))
	for _, app := range apps {
		a[app.SDKAppID] = app.Tokens
	}
	return a
}

// check returns why the request is not authentic, or "" when it is. The
// signature is checked before its age, so that only a genuine one can be stale.
func (a authenticator) check(q *query, now time.Time) Reason {
	tokens, known := a[q.sdkAppID]
	switch {
	case !known:
		return ReasonSDKAppID
	case len(tokens) == 0:
		return ""
	case q.repeated:
		return ReasonSign
	case q.sign == "" || q.requestTime == "":
		return ReasonSignMissing
	case !signed(tokens, q.requestTime, q.sign):
		return ReasonSign
	case !fresh(q.requestTime, now):
		return ReasonRequestTime
	default:
		return ""
	}
}

// signed reports whether sign is that of one of the tokens, in a time that
// tells nothing of how close it came or to which.
func signed(tokens []string, requestTime, sign string) bool {
	valid := 0
	for _, token := range tokens {
		sum := sha256.Sum256([]byte(token + requestTime))
		var want [2 * sha256.Size]byte
		hex.Encode(want[:], sum[:])
		valid |= subtle.ConstantTimeCompare(want[:], []byte(sign))
	}
	return valid == 1
}

func fresh(requestTime string, now time.Time) bool {
	seconds, err := strconv.ParseInt(requestTime, 10, 64)
	if err != nil {
		return false
	}
	age := now.Sub(time.Unix(seconds, 0))
	return -maxClockSkew <= age && age <= maxClockSkew
}
