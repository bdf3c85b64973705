package webhook_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

// small returns the room r1 at 1 ms, changed.
func small(change func(*room.Destroyed)) *room.Destroyed {
	d := &room.Destroyed{SDKAppID: appID, RoomID: "r1", EventTime: time.UnixMilli(1)}
	if change != nil {
		change(d)
	}
	return d
}

func withStatistics(s room.Statistics) *room.Destroyed {
	return small(func(d *room.Destroyed) { d.Statistics = s })
}

func withCategories(ids ...int64) *room.Destroyed {
	return small(func(d *room.Destroyed) { d.Categories = ids })
}

// A bodyCase's room is what must be recorded; without one the body is refused
// with answer and reason.
type bodyCase struct {
	body    string
	room    *room.Destroyed
	invalid []string
	answer  string
	reason  webhook.Reason
}

func runBodyCases(t *testing.T, cases map[string]bodyCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, w := newServer(t, nil)
			status, answer := post(t, url, destroyQuery, c.body)
			if c.room == nil {
				expect(t, "status", status, http.StatusBadRequest)
				expect(t, "answer", answer, c.answer)
				expectRejection(t, w, webhook.CommandDestroyRoom, c.reason)
				return
			}
			expect(t, "status", status, http.StatusOK)
			expect(t, "answer", answer, okAnswer)
			expect(t, "told", w.take(), told{
				Received: []string{webhook.CommandDestroyRoom}, Recorded: []room.Destroyed{*c.room},
				Invalid: c.invalid, Counted: 1, Handled: 1,
			})
		})
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	const roomID, eventTime = webhook.ReasonRoomID, webhook.ReasonEventTime
	named := func(id string) *room.Destroyed { return small(func(d *room.Destroyed) { d.RoomID = id }) }
	at := func(milliseconds int64) *room.Destroyed {
		return small(func(d *room.Destroyed) { d.EventTime = time.UnixMilli(milliseconds) })
	}
	long := strings.Repeat("歌", 1000)

	runBodyCases(t, map[string]bodyCase{
		"both":                     {body: `{"RoomId":"r1","EventTime":1}`, room: small(nil)},
		"the other way round":      {body: `{"EventTime":1,"RoomId":"r1"}`, room: small(nil)},
		"white space":              {body: "\r\n\t {\n\"RoomId\" : \"r1\"\r,\t\"EventTime\" : 1\n}\n \t", room: small(nil)},
		"unknown fields":           {body: `{"a":null,"b":[{"c":{}}],"RoomId":"r1","d":1e999,"EventTime":1,"e":"\u0000"}`, room: small(nil)},
		"keys escaped":             {body: `{"\u0052oomId":"r1","EventT\u0069me":1,"\u0053tatistic":{"Total\u0056iewers":3}}`, room: withStatistics(statistics(3))},
		"keys in another case":     {body: `{"roomid":"r1","EventTime":1}`, answer: noRoomIDAnswer, reason: roomID},
		"another key in lowercase": {body: `{"roomid":"r2","RoomId":"r1","EventTime":1}`, room: small(nil)},

		"RoomId escaped":       {body: `{"RoomId":"\u0072\u0031","EventTime":1}`, room: small(nil)},
		"RoomId of all sorts":  {body: `{"RoomId":"\ud83d\udc83 \"\\\/\b\f\n\r\t歌","EventTime":1}`, room: named("💃 \"\\/\b\f\n\r\t歌")},
		"RoomId long":          {body: `{"RoomId":"` + long + `","EventTime":1}`, room: named(long)},
		"RoomId an integer":    {body: `{"RoomId":871,"EventTime":1}`, room: named("871")},
		"RoomId above 2^64":    {body: `{"RoomId":123456789012345678901234567890,"EventTime":1}`, room: named("123456789012345678901234567890")},
		"RoomId negative":      {body: `{"RoomId":-5,"EventTime":1}`, room: named("-5")},
		"RoomId zero":          {body: `{"RoomId":0,"EventTime":1}`, room: named("0")},
		"RoomId a space":       {body: `{"RoomId":" ","EventTime":1}`, room: named(" ")},
		"RoomId missing":       {body: `{"EventTime":1}`, answer: noRoomIDAnswer, reason: roomID},
		"RoomId in RoomInfo":   {body: `{"RoomInfo":{"RoomId":"r1"},"EventTime":1}`, answer: noRoomIDAnswer, reason: roomID},
		"RoomId empty":         {body: `{"RoomId":"","EventTime":1}`, answer: noRoomIDAnswer, reason: roomID},
		"RoomId null":          {body: `{"RoomId":null,"EventTime":1}`, answer: noRoomIDAnswer, reason: roomID},
		"RoomId true":          {body: `{"RoomId":true,"EventTime":1}`, answer: noRoomIDAnswer, reason: roomID},
		"RoomId false":         {body: `{"RoomId":false,"EventTime":1}`, answer: noRoomIDAnswer, reason: roomID},
		"RoomId an object":     {body: `{"RoomId":{"RoomId":"r1"},"EventTime":1}`, answer: noRoomIDAnswer, reason: roomID},
		"RoomId an array":      {body: `{"RoomId":["r1"],"EventTime":1}`, answer: noRoomIDAnswer, reason: roomID},
		"RoomId a fraction":    {body: `{"RoomId":1.5,"EventTime":1}`, answer: noRoomIDAnswer, reason: roomID},
		"RoomId with exponent": {body: `{"RoomId":1e3,"EventTime":1}`, answer: noRoomIDAnswer, reason: roomID},
		"empty object":         {body: `{}`, answer: noRoomIDAnswer, reason: roomID},

		"EventTime largest":       {body: `{"RoomId":"r1","EventTime":9223372036854775807}`, room: at(1<<63 - 1)},
		"EventTime missing":       {body: `{"RoomId":"r1"}`, answer: noTimeAnswer, reason: eventTime},
		"EventTime null":          {body: `{"RoomId":"r1","EventTime":null}`, answer: noTimeAnswer, reason: eventTime},
		"EventTime zero":          {body: `{"RoomId":"r1","EventTime":0}`, answer: noTimeAnswer, reason: eventTime},
		"EventTime negative zero": {body: `{"RoomId":"r1","EventTime":-0}`, answer: noTimeAnswer, reason: eventTime},
		"EventTime negative":      {body: `{"RoomId":"r1","EventTime":-1703589922780}`, answer: noTimeAnswer, reason: eventTime},
		"EventTime a text":        {body: `{"RoomId":"r1","EventTime":"1703589922780"}`, answer: noTimeAnswer, reason: eventTime},
		"EventTime a fraction":    {body: `{"RoomId":"r1","EventTime":1703589922780.5}`, answer: noTimeAnswer, reason: eventTime},
		"EventTime with exponent": {body: `{"RoomId":"r1","EventTime":1e12}`, answer: noTimeAnswer, reason: eventTime},
		"EventTime 2^63":          {body: `{"RoomId":"r1","EventTime":9223372036854775808}`, answer: noTimeAnswer, reason: eventTime},
		"EventTime true":          {body: `{"RoomId":"r1","EventTime":true}`, answer: noTimeAnswer, reason: eventTime},
		"EventTime an array":      {body: `{"RoomId":"r1","EventTime":[1]}`, answer: noTimeAnswer, reason: eventTime},
	})
}

func TestOtherFields(t *testing.T) {
	t.Parallel()
	const head = `{"RoomId":"r1","EventTime":1,`
	destroyedBy := func(by room.DestroyType) *room.Destroyed {
		return small(func(d *room.Destroyed) { d.DestroyType = by })
	}
	accounts := func(operator, owner string) *room.Destroyed {
		return small(func(d *room.Destroyed) { d.Operator, d.Owner = operator, owner })
	}

	runBodyCases(t, map[string]bodyCase{
		"EventType user":     {body: head + `"EventType":"DestroyByUser"}`, room: destroyedBy(room.DestroyedByUser)},
		"EventType system":   {body: head + `"EventType":"DestroyBySystem"}`, room: destroyedBy(room.DestroyedBySystem)},
		"EventType escaped":  {body: head + `"EventType":"Destroy\u0042yUser"}`, room: destroyedBy(room.DestroyedByUser)},
		"EventType new":      {body: head + `"EventType":"DestroyByMoon"}`, room: destroyedBy(room.DestroyedByOther)},
		"EventType null":     {body: head + `"EventType":null}`, room: destroyedBy(room.DestroyedByOther)},
		"EventType a number": {body: head + `"EventType":1}`, room: destroyedBy(room.DestroyedByOther), invalid: []string{"EventType"}},

		"accounts as texts":         {body: head + `"Operator_Account":"admin","RoomInfo":{"Owner_Account":"9007199254740993"}}`, room: accounts("admin", "9007199254740993")},
		"accounts as integers":      {body: head + `"Operator_Account":9007199254740993,"RoomInfo":{"Owner_Account":18446744073709551617}}`, room: accounts("9007199254740993", "18446744073709551617")},
		"accounts null":             {body: head + `"Operator_Account":null,"RoomInfo":{"Owner_Account":null}}`, room: small(nil)},
		"accounts empty":            {body: head + `"Operator_Account":"","RoomInfo":{"Owner_Account":""}}`, room: small(nil)},
		"accounts no texts":         {body: head + `"Operator_Account":true,"RoomInfo":{"Owner_Account":{"a":1}}}`, room: small(nil), invalid: []string{"Operator_Account", "RoomInfo.Owner_Account"}},
		"account with an exponent":  {body: head + `"Operator_Account":1e9}`, room: small(nil), invalid: []string{"Operator_Account"}},
		"account named like a room": {body: head + `"RoomInfo":{"RoomId":"r2","EventTime":5,"Operator_Account":"x"}}`, room: small(nil)},

		"RoomInfo null":     {body: head + `"RoomInfo":null}`, room: small(nil)},
		"RoomInfo empty":    {body: head + `"RoomInfo":{}}`, room: small(nil)},
		"RoomInfo an array": {body: head + `"RoomInfo":[{"Category":[1]}]}`, room: small(nil), invalid: []string{"RoomInfo"}},
		"RoomInfo a text":   {body: head + `"RoomInfo":"{}"}`, room: small(nil), invalid: []string{"RoomInfo"}},

		"Category missing":    {body: head + `"RoomInfo":{"RoomName":"x"}}`, room: small(nil)},
		"Category null":       {body: head + `"RoomInfo":{"Category":null}}`, room: small(nil)},
		"Category empty":      {body: head + `"RoomInfo":{"Category":[]}}`, room: small(nil)},
		"Category one":        {body: head + `"RoomInfo":{"Category":[7]}}`, room: withCategories(7)},
		"Category three":      {body: head + `"RoomInfo":{"Category":[3,1,2]}}`, room: withCategories(3, 1, 2)},
		"Category many":       {body: head + `"RoomInfo":{"Category":[1,2,3,4,5,6,7,8]}}`, room: withCategories(1, 2, 3, 4, 5, 6, 7, 8)},
		"Category repeated":   {body: head + `"RoomInfo":{"Category":[1,1]}}`, room: withCategories(1, 1)},
		"Category extremes":   {body: head + `"RoomInfo":{"Category":[-1,0,9223372036854775807,-9223372036854775808]}}`, room: withCategories(-1, 0, 1<<63-1, -1<<63)},
		"Category of a text":  {body: head + `"RoomInfo":{"Category":["1",2]}}`, room: withCategories(2), invalid: []string{"RoomInfo.Category"}},
		"Category of all":     {body: head + `"RoomInfo":{"Category":[null,true,{},[5],1.5,1e3,9223372036854775808,6]}}`, room: withCategories(6), invalid: []string{"RoomInfo.Category"}},
		"Category of nothing": {body: head + `"RoomInfo":{"Category":[null]}}`, room: small(nil), invalid: []string{"RoomInfo.Category"}},
		"Category an integer": {body: head + `"RoomInfo":{"Category":7}}`, room: small(nil), invalid: []string{"RoomInfo.Category"}},
		"Category a text":     {body: head + `"RoomInfo":{"Category":"7"}}`, room: small(nil), invalid: []string{"RoomInfo.Category"}},
		"Category an object":  {body: head + `"RoomInfo":{"Category":{"7":7}}}`, room: small(nil), invalid: []string{"RoomInfo.Category"}},
		"Category at the top": {body: head + `"Category":[1]}`, room: small(nil)},
		"all wrong at once": {
			body:    head + `"EventType":[],"Operator_Account":[],"RoomInfo":{"Category":{},"Owner_Account":[]},"Statistic":[]}`,
			room:    small(nil),
			invalid: []string{"EventType", "Operator_Account", "RoomInfo.Category", "RoomInfo.Owner_Account", "Statistic"},
		},
	})
}

func TestStatistic(t *testing.T) {
	t.Parallel()
	const (
		head    = `{"RoomId":"r1","EventTime":1,"Statistic":`
		viewers = "Statistic.TotalViewers"
	)
	one := func(value string) string { return head + `{"TotalViewers":` + value + `}}` }
	unknown := []string{viewers}
	none := withStatistics(room.Statistics{Present: true})

	runBodyCases(t, map[string]bodyCase{
		"missing":  {body: `{"RoomId":"r1","EventTime":1}`, room: small(nil)},
		"null":     {body: head + `null}`, room: small(nil)},
		"empty":    {body: head + `{}}`, room: none},
		"an array": {body: head + `[1]}`, room: small(nil), invalid: []string{"Statistic"}},
		"a text":   {body: head + `"TotalViewers"}`, room: small(nil), invalid: []string{"Statistic"}},
		"a number": {body: head + `5}`, room: small(nil), invalid: []string{"Statistic"}},
		"all": {
			body: head + `{"TotalLikesReceived":5,"TotalUniqueGiftSenders":4,"TotalGiftCoins":3,"TotalGiftsSent":2,"TotalViewers":1}}`,
			room: withStatistics(statistics(1, 2, 3, 4, 5)),
		},
		"new fields": {
			body: head + `{"TotalViewers":1,"TotalMsgCount":-8,"TotalUniqueCommenters":"x","New":{"TotalGiftsSent":9}}}`,
			room: withStatistics(statistics(1)),
		},

		"value zero":          {body: one("0"), room: withStatistics(statistics(0))},
		"value negative zero": {body: one("-0"), room: withStatistics(statistics(0))},
		"value 2^53+1":        {body: one("9007199254740993"), room: withStatistics(statistics(9007199254740993))},
		"value 2^63-1":        {body: one("9223372036854775807"), room: withStatistics(statistics(1<<63 - 1))},
		"value 2^63":          {body: one("9223372036854775808"), room: none, invalid: unknown},
		"value null":          {body: one("null"), room: none},
		"value negative":      {body: one("-1"), room: none, invalid: unknown},
		"value a fraction":    {body: one("1.5"), room: none, invalid: unknown},
		"value 1.0":           {body: one("1.0"), room: none, invalid: unknown},
		"value 1e3":           {body: one("1e3"), room: none, invalid: unknown},
		"value a text":        {body: one(`"5"`), room: none, invalid: unknown},
		"value a boolean":     {body: one("true"), room: none, invalid: unknown},
		"value an array":      {body: one("[5]"), room: none, invalid: unknown},
		"value an object":     {body: one("{}"), room: none, invalid: unknown},
		"one wrong, others not": {
			body: head + `{"TotalViewers":-1,"TotalGiftsSent":2,"TotalGiftCoins":"x","TotalUniqueGiftSenders":null,"TotalLikesReceived":5}}`,
			room: withStatistics(func() (s room.Statistics) {
				s.Present = true
				s.Set(room.Gifts, 2)
				s.Set(room.Likes, 5)
				return s
			}()),
			invalid: []string{viewers, "Statistic.TotalGiftCoins"},
		},
		"all wrong": {
			body: head + `{"TotalViewers":-1,"TotalGiftsSent":-1,"TotalGiftCoins":-1,"TotalUniqueGiftSenders":-1,"TotalLikesReceived":-1}}`,
			room: none,
			invalid: []string{viewers, "Statistic.TotalGiftsSent", "Statistic.TotalGiftCoins",
				"Statistic.TotalUniqueGiftSenders", "Statistic.TotalLikesReceived"},
		},
	})
}
