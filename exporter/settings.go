package exporter

import (
	"errors"
	"net/url"
	"strconv"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/config"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/ledger"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/relay"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/webhook"
)

func sdkAppID(app config.App) string { return strconv.FormatUint(app.SDKAppID, 10) }

func ledgerSettings(cfg *config.Config) ledger.Settings {
	settings := ledger.Settings{
		CategoryNames: cfg.Categories.Names,
		CategoryLimit: cfg.Categories.Limit,
		Bounds:        totals.DefaultBounds(),
		DedupeWindow:  cfg.Dedupe.Window,
	}
	for _, app := range cfg.Apps {
		settings.SDKAppIDs = append(settings.SDKAppIDs, sdkAppID(app))
	}
	buckets := cfg.Histograms.Buckets
	configured := totals.Bounds{
		room.Viewers:     buckets.Viewers,
		room.Gifts:       buckets.Gifts,
		room.GiftCoins:   buckets.GiftCoins,
		room.GiftSenders: buckets.GiftSenders,
		room.Likes:       buckets.Likes,
	}
	for statistic, bounds := range configured {
		if len(bounds) > 0 {
			settings.Bounds[statistic] = bounds
		}
	}
	return settings
}

// relayURL returns where requests are relayed to, or nil if they are not.
func relayURL(cfg *config.Config) *url.URL {
	if cfg.Relay.URL == "" {
		return nil
	}
	u, err := url.Parse(cfg.Relay.URL)
	if err != nil { // package config has parsed it before
		panic(err)
	}
	return u
}

// checkRelay returns an error if requests would be relayed to the exporter itself.
func checkRelay(cfg *config.Config, listenAddresses []string) error {
	if u := relayURL(cfg); u != nil && relay.IsOneOf(u, listenAddresses) {
		return errors.New("relay.url leads back to the exporter itself")
	}
	return nil
}

func webhookApps(cfg *config.Config) []webhook.App {
	apps := make([]webhook.App, 0, len(cfg.Apps))
	for _, app := range cfg.Apps {
		tokens := make([]string, 0, len(app.Tokens))
		for _, token := range app.Tokens {
			tokens = append(tokens, string(token))
		}
		apps = append(apps, webhook.App{SDKAppID: sdkAppID(app), Tokens: tokens})
	}
	return apps
}
