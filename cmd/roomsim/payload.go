package main

import (
	"math/rand/v2"
	"strconv"
)

func statisticFields() [statisticCount]string {
	return [statisticCount]string{"TotalViewers", "TotalGiftsSent", "TotalGiftCoins", "TotalUniqueGiftSenders", "TotalLikesReceived"}
}

// firstWideAccount is where accounts that are sent as bare integers begin: no float64 holds them all exactly.
const firstWideAccount = 1 << 57

// payload writes request bodies. Bodies are appended byte by byte, as building them must not be what limits the
// rate. It is not safe for concurrent use.
type payload struct {
	rng *rand.Rand
}

// destroyRoom returns the body for a room. What the room is stays exactly readable from it; everything around
// that comes and goes as it does at the sender.
func (p *payload) destroyRoom(r *room) []byte {
	b := make([]byte, 0, 1024)
	b = append(b, `{"CallbackCommand":"`+commandDestroyRoom+`","Operator_Account":`...)
	if r.destroyType == destroySystem {
		b = append(b, `"@TIM#SYSTEM"`...)
	} else {
		b = p.account(b)
	}
	b = append(b, `,"RoomId":`...)
	b = appendString(b, r.id)
	b = append(b, `,"EventType":`...)
	b = appendString(b, r.eventType)
	b = append(b, `,"EventTime":`...)
	b = strconv.AppendInt(b, r.eventTime, 10)
	if len(r.categories) > 0 || p.chance(0.75) {
		b = append(b, `,"RoomInfo":`...)
		b = p.roomInfo(b, r)
	}
	switch {
	case r.hasStatistic:
		b = append(b, `,"Statistic":`...)
		b = p.statistic(b, r)
	case p.chance(0.3):
		b = append(b, `,"Statistic":null`...)
	}
	return append(b, '}')
}

func (p *payload) roomInfo(b []byte, r *room) []byte {
	b = append(b, `{"RoomName":`...)
	b = appendString(b, p.roomName())
	b = append(b, `,"RoomType":"Live"`...)
	if p.chance(0.3) {
		b = append(b, `,"RoomId":`...)
		b = appendString(b, r.id)
	}
	if p.chance(0.95) {
		b = append(b, `,"Owner_Account":`...)
		b = p.account(b)
	}
	if p.chance(0.8) {
		b = append(b, `,"IsSeatEnabled":true,"TakeSeatMode":"ApplyToTake"`...)
	}
	if p.chance(0.5) {
		b = append(b, `,"MaxMemberCount":400`...)
	}
	if p.chance(0.9) {
		b = append(b, `,"MaxSeatCount":9`...)
	}
	b = p.category(b, r)
	switch {
	case p.chance(0.3):
		b = append(b, `,"CustomInfo":"{\"k\":\"v\",\"Category\":[99]}"`...)
	case p.chance(0.8):
		b = append(b, `,"CustomInfo":""`...)
	}
	if p.chance(0.8) {
		b = append(b, `,"IsMessageDisabled":false,"CoverURL":"https://example.com/cover.png?a=1&b=2","ActivityStatus":0,"IsPublicVisible":true`...)
	}
	if p.chance(0.7) {
		// Who is in the room as it ends, which is not how many ever came.
		b = append(b, `,"ViewCount":`...)
		b = strconv.AppendInt(b, int64(p.rng.IntN(100)), 10)
	}
	if p.chance(0.6) {
		b = append(b, `,"BackgroundURL":"","IsUnlimitedRoomEnabled":true`...)
	}
	return append(b, '}')
}

func (p *payload) category(b []byte, r *room) []byte {
	if len(r.categories) == 0 {
		switch p.rng.IntN(3) {
		case 0:
			return append(b, `,"Category":null`...)
		case 1:
			return append(b, `,"Category":[]`...)
		}
		return b
	}
	b = append(b, `,"Category":[`...)
	for i, c := range r.categories {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, c.id, 10)
	}
	return append(b, ']')
}

func (p *payload) statistic(b []byte, r *room) []byte {
	b = append(b, '{')
	empty := true
	for i, field := range statisticFields() {
		if !r.statistics[i].known {
			continue
		}
		if !empty {
			b = append(b, ',')
		}
		empty = false
		b = append(append(append(b, '"'), field...), `":`...)
		b = strconv.AppendUint(b, r.statistics[i].value, 10)
	}
	if p.chance(0.4) {
		b = append(b, `,"TotalMsgCount":`...)
		b = strconv.AppendInt(b, int64(p.rng.IntN(1_000_000)), 10)
		b = append(b, `,"TotalUniqueCommenters":`...)
		b = strconv.AppendInt(b, int64(p.rng.IntN(10_000)), 10)
	}
	if p.chance(0.05) {
		b = append(b, `,"GiftRanking":[{"Account":"u1","TotalGiftCoins":1}],"PeakTime":null`...)
	}
	return append(b, '}')
}

// account appends an account as a string or as a bare integer: both are seen, and may not be rounded.
func (p *payload) account(b []byte) []byte {
	switch p.rng.IntN(4) {
	case 0:
		return strconv.AppendUint(b, firstWideAccount+p.rng.Uint64N(1<<50), 10)
	case 1:
		b = append(b, '"')
		b = strconv.AppendUint(b, 20_100_000_000+p.rng.Uint64N(1_000_000_000), 10)
		return append(b, '"')
	case 2:
		return append(b, `"administrator"`...)
	default:
		b = append(b, `"host_`...)
		b = strconv.AppendUint(b, p.rng.Uint64N(1_000_000), 36)
		return append(b, '"')
	}
}

func (p *payload) roomName() string {
	switch p.rng.IntN(8) {
	case 0:
		return "新年晚会 🎉"
	case 1:
		return `the "best" room`
	case 2:
		return "soirée\n2nd line\t👩‍👩‍👧"
	case 3:
		return ""
	default:
		return "live name"
	}
}

func (p *payload) chance(share float64) bool {
	return p.rng.Float64() < share
}

// appendString appends s, which must be valid UTF-8, as a JSON string.
func appendString(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// otherCommand returns a command that is not Live.CallbackAfterDestroyRoom, and a body for it. Some look much
// like a destroyed room; all of them must be answered and none counted.
func (p *payload) otherCommand(appID string, eventTime int64) *webhook {
	commands := [...]string{
		"Live.CallbackBeforeSendGift", "Live.CallbackBeforeSendGift", "Group.CallbackBeforeSendMsg", "Group.CallbackAfterSendMsg",
		"Live.CallbackAfterCreateRoom", "Live.CallbackAfterUpdateRoomInfo", "Live.CallbackAfterMemberStateChanged",
		"Mic.CallbackAfterSeatInfoChanged", "Follow.CallbackAfterFollowAdd", "Room.CallbackAfterDestroyRoom", "Live.CallbackAfterSomethingNew",
	}
	command := commands[p.rng.IntN(len(commands))]
	b := make([]byte, 0, 512)
	b = append(b, `{"CallbackCommand":"`+command+`","Operator_Account":`...)
	b = p.account(b)
	b = append(b, `,"RoomId":"room_`...)
	b = strconv.AppendUint(b, uint64(p.rng.Uint32()), 36)
	b = append(b, `","EventTime":`...)
	b = strconv.AppendInt(b, eventTime, 10)
	switch command {
	case "Live.CallbackBeforeSendGift":
		b = append(b, `,"GiftInfo":{"GiftId":"rocket 🚀","GiftCount":10,"Coins":500},"TotalGiftCoins":5000`...)
	case "Live.CallbackAfterCreateRoom", "Live.CallbackAfterUpdateRoomInfo":
		b = append(b, `,"RoomInfo":{"RoomName":"live name","RoomType":"Live","MaxSeatCount":8,"Category":[1]}`...)
	case "Room.CallbackAfterDestroyRoom", "Live.CallbackAfterSomethingNew":
		b = append(b, `,"EventType":"DestroyByUser","RoomInfo":{"Category":[1]},"Statistic":{"TotalViewers":7,"TotalGiftsSent":7,"TotalGiftCoins":7,"TotalUniqueGiftSenders":7,"TotalLikesReceived":7}`...)
	case "Group.CallbackBeforeSendMsg", "Group.CallbackAfterSendMsg":
		b = append(b, `,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hello \"all\" 👋"}}]`...)
	}
	return &webhook{appID: appID, command: command, body: append(b, '}')}
}
