package exporter_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/config"
)

// A backend receives the webhooks and serves the metrics itself, in its own server.
func Example() {
	cfg, err := config.ForApps([]uint64{1400000001}, "")
	if err != nil {
		log.Fatal(err)
	}
	cfg.Webhook.Path = "/hooks/live"
	e, err := exporter.New(cfg, exporter.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()

	mux := http.NewServeMux()
	mux.Handle("/hooks/live", e.Webhook())
	mux.Handle("/metrics", e.Telemetry())
	backend := httptest.NewServer(mux)
	defer backend.Close()

	// What TUILiveKit sends when a room is destroyed.
	answer, err := http.Post(
		backend.URL+"/hooks/live?SdkAppid=1400000001&CallbackCommand=Live.CallbackAfterDestroyRoom&contenttype=json",
		"application/json",
		strings.NewReader(`{
			"CallbackCommand": "Live.CallbackAfterDestroyRoom",
			"RoomId": "room_1024",
			"EventType": "DestroyByUser",
			"EventTime": 1726000000123,
			"RoomInfo": {"Category": [7]},
			"Statistic": {"TotalViewers": 42, "TotalGiftsSent": 3, "TotalGiftCoins": 500, "TotalUniqueGiftSenders": 2, "TotalLikesReceived": 99}
		}`))
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))

	// What Prometheus gets.
	scrape, err := http.Get(backend.URL + "/metrics")
	if err != nil {
		log.Fatal(err)
	}
	defer scrape.Body.Close()
	for lines := bufio.NewScanner(scrape.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), `tuilivekit_viewers_total{category="7"`) {
			fmt.Println(lines.Text())
		}
	}
	// Output:
	// {"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}
	// tuilivekit_viewers_total{category="7",destroy_type="user",sdk_app_id="1400000001"} 42
}
