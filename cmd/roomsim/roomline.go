package main

import "strconv"

// roomLine is the room as one line of the rooms file:
//
//	{"sdk_app_id":"1400000001","room_id":"live_1_abc","event_time":1763450000999,"destroy_type":"user",
//	 "category":"gaming","categories":["gaming","2"],"category_ids":[1,2],
//	 "statistics":{"viewers":3,"gifts":1,"gift_coins":10,"gift_senders":1,"likes":0}}
//
// event_time is in milliseconds. category is the label of the main families; categories and category_ids are empty
// when the room has none. statistics is null when the payload had none, and lacks what the payload lacked.
func roomLine(r *room) []byte {
	b := append(make([]byte, 0, 384), `{"sdk_app_id":`...)
	b = appendString(b, r.appID)
	b = append(b, `,"room_id":`...)
	b = appendString(b, r.id)
	b = append(b, `,"event_time":`...)
	b = strconv.AppendInt(b, r.eventTime, 10)
	b = append(b, `,"destroy_type":`...)
	b = appendString(b, r.destroyType)
	b = append(b, `,"category":`...)
	b = appendString(b, r.label())
	b = append(b, `,"categories":[`...)
	for i, c := range r.categories {
		b = appendString(appendComma(b, i), c.label)
	}
	b = append(b, `],"category_ids":[`...)
	for i, c := range r.categories {
		b = strconv.AppendInt(appendComma(b, i), c.id, 10)
	}
	b = append(b, `],"statistics":`...)
	if !r.hasStatistic {
		return append(b, "null}\n"...)
	}
	b = append(b, '{')
	written := 0
	for i, name := range statisticNames() {
		if !r.statistics[i].known {
			continue
		}
		b = appendString(appendComma(b, written), name)
		b = strconv.AppendUint(append(b, ':'), r.statistics[i].value, 10)
		written++
	}
	return append(b, "}}\n"...)
}

func appendComma(b []byte, before int) []byte {
	if before > 0 {
		return append(b, ',')
	}
	return b
}
