package exporter

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"

	"github.com/julienschmidt/httprouter"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/prometheus/client_golang/prometheus/promhttp/zstd" // offers zstd to scrapers
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
)

// maxScrapes is how many scrapes are served at a time: each holds a rendering
// of all series, and a few Prometheus servers are all there should be.
const maxScrapes = 16

// checkTelemetryPath returns an error if metrics can't be served at path.
func checkTelemetryPath(path string) error {
	if !strings.HasPrefix(path, "/") || path == "/" || strings.ContainsAny(path, ":*") ||
		strings.HasPrefix(path, "/-/") || strings.HasPrefix(path, "/debug/pprof") {
		return fmt.Errorf("telemetry path %q must start with a slash, have no : or *, and be none of /, /-/… and /debug/pprof…", path)
	}
	return nil
}

// newTelemetry returns the handler of everything but webhooks.
func (e *Exporter) newTelemetry(metricsPath string, registry *prometheus.Registry) http.Handler {
	scrape := promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(e.logger.Handler(), slog.LevelError),
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: maxScrapes,
	})
	get := []string{http.MethodGet, http.MethodHead}
	router := httprouter.New()
	for _, route := range []struct {
		methods []string
		path    string
		handler http.HandlerFunc
	}{
		{get, metricsPath, e.lastScrape.watch(scrape)},
		{get, "/-/healthy", e.serveHealthy},
		{get, "/-/ready", e.serveReady},
		{[]string{http.MethodPost, http.MethodPut}, "/-/reload", e.serveReload},
		{get, "/", e.landingPage(metricsPath)},
		{get, "/debug/pprof/*profile", servePprof},
	} {
		for _, method := range route.methods {
			router.Handler(method, route.path, route.handler)
		}
	}
	return router
}

func (e *Exporter) serveHealthy(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "tuilivekit_exporter is healthy.")
}

func (e *Exporter) serveReady(w http.ResponseWriter, _ *http.Request) {
	if e.draining.Load() {
		http.Error(w, "tuilivekit_exporter is shutting down.", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "tuilivekit_exporter is ready.")
}

func (e *Exporter) serveReload(w http.ResponseWriter, _ *http.Request) {
	if err := e.Reload(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "Reloaded the configuration.")
}

func servePprof(w http.ResponseWriter, r *http.Request) {
	switch strings.TrimPrefix(r.URL.Path, "/debug/pprof/") {
	case "cmdline":
		pprof.Cmdline(w, r)
	case "profile":
		pprof.Profile(w, r)
	case "symbol":
		pprof.Symbol(w, r)
	case "trace":
		pprof.Trace(w, r)
	default:
		pprof.Index(w, r) // every other profile too
	}
}

// landingPage is made anew for each visit: it says what was counted so far.
func (e *Exporter) landingPage(metricsPath string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		page, err := web.NewLandingPage(web.LandingConfig{
			Name:        "tuilivekit_exporter",
			Description: "Prometheus exporter for rooms destroyed in TUILiveKit",
			Version:     version.Info(),
			Profiling:   "true",
			ExtraHTML:   e.counted(),
			Links: []web.LandingLinks{
				{Address: metricsPath, Text: "Metrics"},
				{Address: "/-/healthy", Text: "Health"},
				{Address: "/-/ready", Text: "Readiness"},
			},
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		page.ServeHTTP(w, r)
	}
}

// counted returns a table of what was counted, by app.
func (e *Exporter) counted() string {
	type row struct {
		rooms uint64
		sums  [room.NumStatistics]uint64
	}
	rows := make(map[string]*row)
	var apps []string
	for _, s := range e.ledger.View().Series {
		r, ok := rows[s.SDKAppID]
		if !ok {
			r = &row{}
			rows[s.SDKAppID] = r
			apps = append(apps, s.SDKAppID)
		}
		r.rooms += s.Rooms
		for i := range s.Histograms {
			r.sums[i] += s.Histograms[i].Sum
		}
	}
	slices.Sort(apps)
	var b strings.Builder
	b.WriteString("<h2>Counted</h2><table><tr><th>sdk_app_id</th><th>rooms destroyed</th>")
	for _, statistic := range room.AllStatistics() {
		fmt.Fprintf(&b, "<th>%s</th>", strings.ReplaceAll(statistic.String(), "_", " "))
	}
	b.WriteString("</tr>")
	for _, app := range apps {
		fmt.Fprintf(&b, "<tr><td>%s</td><td>%d</td>", app, rows[app].rooms)
		for _, sum := range rows[app].sums {
			fmt.Fprintf(&b, "<td>%d</td>", sum)
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</table>")
	return b.String()
}
