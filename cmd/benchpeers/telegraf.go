//go:build linux

package main

import (
	"fmt"
	"strings"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

// telegrafConfig configures Telegraf to count what the exporter counts, as far as
// it can: histograms with the same labels and bounds. It has no sums, for none of
// its aggregators adds up without starting anew each period; rooms are the +Inf
// bucket of any histogram. It checks no signature and knows no duplicates.
func telegrafConfig(webhook, scrape string) string {
	var b strings.Builder
	// Aggregates are pushed often so that a run need not wait long to see them.
	// Delay and grace are as long, lest rooms at either end of a period be dropped.
	fmt.Fprintf(&b, `
[agent]
  interval = "2s"
  flush_interval = "2s"
  precision = "1ns"
  omit_hostname = true
  quiet = true
[[inputs.http_listener_v2]]
  service_address = "tcp://%s"
  paths = ["/"]
  http_success_code = 200
  data_format = "json_v2"
  [inputs.http_listener_v2.tags]
    sdk_app_id = "%s"
  [[inputs.http_listener_v2.json_v2]]
    measurement_name = "tuilivekit_room"
    [[inputs.http_listener_v2.json_v2.tag]]
      path = "EventType"
      rename = "destroy_type"
    [[inputs.http_listener_v2.json_v2.tag]]
      path = "RoomInfo.Category.0"
      rename = "category"
      optional = true
`, webhook, sdkAppID)
	fields := [room.NumStatistics]string{
		room.Viewers:     "TotalViewers",
		room.Gifts:       "TotalGiftsSent",
		room.GiftCoins:   "TotalGiftCoins",
		room.GiftSenders: "TotalUniqueGiftSenders",
		room.Likes:       "TotalLikesReceived",
	}
	for statistic, field := range fields {
		fmt.Fprintf(&b, `    [[inputs.http_listener_v2.json_v2.field]]
      path = "Statistic.%s"
      rename = "%s"
      type = "int"
      optional = true
`, field, room.Statistic(statistic))
	}
	b.WriteString(`[[aggregators.histogram]]
  period = "2s"
  delay = "2s"
  grace = "2s"
  drop_original = true
`)
	for statistic, bounds := range totals.DefaultBounds() {
		fmt.Fprintf(&b, `  [[aggregators.histogram.config]]
    measurement_name = "tuilivekit_room"
    fields = ["%s"]
    buckets = [%s]
`, room.Statistic(statistic), strings.Join(strings.Fields(strings.Trim(fmt.Sprintf("%.1f", bounds), "[]")), ", "))
	}
	fmt.Fprintf(&b, `[[outputs.prometheus_client]]
  listen = "%s"
  expiration_interval = "0s"
`, scrape)
	return b.String()
}
