package config

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	badAppID     = "must be a whole number from 1 to 18446744073709551615, not 0"
	maxBodyBytes = 64 << 20 // far beyond any webhook: each is held in memory
	senderWait   = 2 * time.Second
)

// validate adds to p all that is wrong with the values of a decoded configuration.
func validate(c *Config, p *problems) {
	validateApps(c.Apps, p)
	validateWebhook(c.Webhook, p)
	validateCategories(c.Categories, p)
	validateHistograms(c.Histograms, p)
	if c.Metrics.NewSeriesHold < 0 {
		p.add("metrics.new_series_hold", "must not be negative")
	}
	if c.Dedupe.Window <= 0 {
		p.add("dedupe.window", "must be above 0")
	}
	validateRelay(c.Relay, p)
}

func validateApps(apps []App, p *problems) {
	if len(apps) == 0 {
		p.add("apps", "at least one app is needed")
	}
	lines := map[uint64]int{}
	for i, app := range apps {
		key := fmt.Sprintf("apps[%d].sdk_app_id", i)
		first, used := lines[app.SDKAppID]
		switch {
		case app.SDKAppID == 0 && !p.has(key):
			p.add(key, "is missing")
		case app.SDKAppID == 0:
			p.add(key, badAppID)
		case used:
			p.add(key, "%d is already used on line %d", app.SDKAppID, first)
		default:
			lines[app.SDKAppID] = p.line(key)
		}
	}
}

func validateWebhook(w Webhook, p *problems) {
	const key = "webhook.path"
	clean := path.Clean(w.Path)
	if strings.HasSuffix(w.Path, "/") && clean != "/" {
		clean += "/"
	}
	switch {
	case !strings.HasPrefix(w.Path, "/"):
		p.add(key, "must start with /")
	case strings.ContainsAny(w.Path, ":*"):
		p.add(key, "must not hold : or *")
	case strings.ContainsAny(w.Path, " !$&?"):
		p.add(key, "must not hold a space or any of ! $ & ?, which the sender does not accept")
	case (&url.URL{Path: w.Path, RawPath: w.Path}).EscapedPath() != w.Path:
		p.add(key, "must not hold characters that a URL would have to escape")
	case clean != w.Path:
		p.add(key, "must be written without empty, . and .. parts: %s", clean)
	}
	if w.MaxBodyBytes < 1 || w.MaxBodyBytes > maxBodyBytes {
		p.add("webhook.max_body_bytes", "must be from 1 to %d, not %d", maxBodyBytes, w.MaxBodyBytes)
	}
}

func validateCategories(c Categories, p *problems) {
	// In the order of the file, or the line of a repeated name would be that of the first of the two.
	ids := make([]int64, 0, len(c.Names))
	for id := range c.Names {
		ids = append(ids, id)
	}
	key := func(id int64) string { return fmt.Sprintf("categories.names.%d", id) }
	slices.SortFunc(ids, func(a, b int64) int {
		return cmp.Or(cmp.Compare(p.line(key(a)), p.line(key(b))), cmp.Compare(a, b))
	})
	used := map[string]int64{}
	for _, id := range ids {
		name := c.Names[id]
		first, taken := used[name]
		switch {
		case strings.TrimSpace(name) == "":
			p.add(key(id), "must not be empty")
		case name == "none" || name == "other":
			p.add(key(id), "%q is reserved", name)
		case isInteger(name):
			p.add(key(id), "must not be an integer: %q would pass for an unnamed category", name)
		case taken:
			p.add(key(id), "%s is already the name of %d on line %d", quote(name), first, p.line(key(first)))
		default:
			used[name] = id
		}
	}
	if c.Limit < 0 {
		p.add("categories.limit", "must not be negative")
	}
}

func isInteger(s string) bool {
	digits := strings.TrimLeft(s, "+-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

func validateHistograms(h Histograms, p *problems) {
	validateBuckets(h.Buckets.Viewers, "viewers", p)
	validateBuckets(h.Buckets.Gifts, "gifts", p)
	validateBuckets(h.Buckets.GiftCoins, "gift_coins", p)
	validateBuckets(h.Buckets.GiftSenders, "gift_senders", p)
	validateBuckets(h.Buckets.Likes, "likes", p)
	if !h.Classic && !h.Native {
		p.add("histograms", "classic and native must not both be false")
	}
}

func validateBuckets(bounds []float64, name string, p *problems) {
	for i, bound := range bounds {
		key := fmt.Sprintf("histograms.buckets.%s[%d]", name, i)
		text := strconv.FormatFloat(bound, 'g', -1, 64)
		switch {
		case math.Signbit(bound):
			p.add(key, "must not be negative: %s", text)
		case i > 0 && bound <= bounds[i-1]:
			p.add(key, "must be above the bound before it: %s", text)
		}
	}
}

func validateRelay(r Relay, p *problems) {
	if wrong := wrongRelayURL(r.URL); wrong != "" {
		p.add("relay.url", "%s", wrong)
	}
	if r.Timeout <= 0 || r.Timeout >= senderWait {
		p.add("relay.timeout", "must be above 0 and below the %s that the sender waits", senderWait)
	}
	if r.Unverified != UnverifiedReject && r.Unverified != UnverifiedForward {
		p.add("relay.unverified", "must be %s or %s, not %s", UnverifiedReject, UnverifiedForward, quote(r.Unverified))
	}
	if r.MaxInFlight < 1 {
		p.add("relay.max_in_flight", "must be above 0")
	}
}

// wrongRelayURL says what is wrong with a URL, never what it is: it may hold a password.
func wrongRelayURL(raw string) string {
	if raw == "" {
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "is not a URL"
	}
	switch {
	case u.User != nil:
		return "must have no user or password"
	case strings.ContainsAny(raw, "?#"):
		return "must have no query or fragment"
	case u.Scheme == "unix":
		if u.Host != "" || !filepath.IsAbs(u.Path) || strings.HasSuffix(u.Path, "/") {
			return "must name a socket by its absolute path, such as unix:/run/app.sock"
		}
	case u.Scheme != "http" && u.Scheme != "https":
		return "must begin with http://, https:// or unix:/"
	case u.Hostname() == "":
		return "must have a host"
	case u.Path != "" && u.Path != "/":
		return "must have no path: requests keep theirs"
	case u.Port() != "":
		if port, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
			return "must have a port from 1 to 65535"
		}
	}
	return ""
}
