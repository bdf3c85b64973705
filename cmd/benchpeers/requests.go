//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	sdkAppID = "1400000001"
	token    = "benchpeers"

	// identityDigits is the width of the part of a request that is its own.
	identityDigits = 12
)

// requests makes requests that each tell of another room. All is rendered before,
// but for the digits that make up the room's identity.
type requests struct {
	templates []template
	made      uint64
}

// template is a request with the places of the digits in it.
type template struct {
	request []byte
	places  []int
}

// newRequests returns requests that fall under so many first categories, each with
// rooms of all destroy types. They are valid for a minute from now, as signed.
func newRequests(categories int, now time.Time) *requests {
	const sizes = 7 // of rooms, from none to thousands of viewers
	r := &requests{}
	for category := range categories {
		for _, eventType := range []string{"DestroyByUser", "DestroyBySystem", "DestroyByAnother"} {
			size := len(r.templates) % sizes
			r.templates = append(r.templates, newTemplate(eventType, 1+category, 1<<(2*size)-1, now))
		}
	}
	return r
}

func newTemplate(eventType string, category, size int, now time.Time) template {
	identity := strings.Repeat("#", identityDigits)
	body := fmt.Sprintf(`{"CallbackCommand":"Live.CallbackAfterDestroyRoom","Operator_Account":"administrator","RoomId":"room_%s",`+
		`"EventType":%q,"EventTime":%d,"RoomInfo":{"RoomName":"Evening talk","RoomType":"Live","Owner_Account":144115216631667826,`+
		`"IsSeatEnabled":true,"TakeSeatMode":"FreeToTake","MaxMemberCount":400,"MaxSeatCount":4,"Category":[%d,%d],"CustomInfo":"",`+
		`"IsMessageDisabled":false,"CoverURL":"https://example.com/cover/%s.png","ActivityStatus":0,"IsPublicVisible":true,"ViewCount":0,`+
		`"BackgroundURL":"https://example.com/background.png","IsUnlimitedRoomEnabled":true},`+
		`"Statistic":{"TotalViewers":%d,"TotalGiftsSent":%d,"TotalGiftCoins":%d,"TotalUniqueGiftSenders":%d,"TotalLikesReceived":%d}}`,
		identity, eventType, now.UnixMilli(), category, category+1, identity,
		size*3, size, size*25, size/3, size*11)
	requestTime := strconv.FormatInt(now.Unix(), 10)
	sign := sha256.Sum256([]byte(token + requestTime))
	request := fmt.Sprintf("POST /?SdkAppid=%s&CallbackCommand=Live.CallbackAfterDestroyRoom&contenttype=json&ClientIP=127.0.0.1"+
		"&OptPlatform=RESTAPI&RequestTime=%s&Sign=%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		sdkAppID, requestTime, hex.EncodeToString(sign[:]), len(body), body)
	t := template{request: []byte(request)}
	for at := 0; ; {
		i := strings.Index(request[at:], identity)
		if i < 0 {
			return t
		}
		t.places = append(t.places, at+i)
		at += i + len(identity)
	}
}

// next returns the next request. It is valid until the next call.
func (r *requests) next() []byte {
	t := &r.templates[r.made%uint64(len(r.templates))]
	r.made++
	var digits [identityDigits]byte
	for i, n := len(digits)-1, r.made; i >= 0; i, n = i-1, n/10 {
		digits[i] = byte('0' + n%10)
	}
	for _, place := range t.places {
		copy(t.request[place:], digits[:])
	}
	return t.request
}
