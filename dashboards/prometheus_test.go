package dashboards_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// reportVariable names the file that gets the report: each query with what it returned.
const reportVariable = "DASHBOARDS_REPORT"

// TestPrometheus runs every query of the dashboards on a real Prometheus that
// knows 38 days of simulated rooms, and has scraped two replicas while the
// simulator sent them more.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := simulateHistory(t, filepath.Join(dir, "data"))
	l := &live{replicas: [2]*replica{startReplica(t, startApp(t)), startReplica(t, "")}}
	alerts, err := os.ReadFile("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	p := startPrometheus(t, dir, `
global:
  scrape_interval: 1s
  evaluation_interval: 5s
  scrape_native_histograms: true
  always_scrape_classic_histograms: true
  scrape_protocols: [PrometheusProto, OpenMetricsText1.0.0, PrometheusText0.0.4]
rule_files: [`+writeFile(t, dir, "rules.yml", withInterval(t, "5s"))+`, `+writeFile(t, dir, "alerts.yml", string(alerts))+`]
scrape_configs:
  - job_name: live
    static_configs: [{targets: [`+l.replicas[0].web+`, `+l.replicas[1].web+`]}]
`)
	l.run(t, p)
	p.checkRules(t)

	dashboards := loadDashboards(t)
	exposed := p.metadata(t)
	t.Run("names", func(t *testing.T) { checkNames(t, p, dashboards, exposed) })
	t.Run("matchers", func(t *testing.T) {
		for _, d := range dashboards {
			for _, q := range d.Panels {
				for _, target := range q.Targets {
					for _, expr := range d.variants(target.Expr) {
						checkSelectors(t, p, d, q, expr)
					}
				}
			}
		}
	})
	t.Run("queries", func(t *testing.T) { runQueries(t, p, dashboards, l) })
	t.Run("values", func(t *testing.T) { compareValues(t, p, dashboards, l, h) })
	t.Run("exemplars", func(t *testing.T) { checkExemplars(t, p, dashboards, l) })
}

// checkRules fails the test if a rule can't be evaluated.
func (p *prometheus) checkRules(t *testing.T) {
	t.Helper()
	eventually(t, "all rules to be evaluated", func() bool {
		status, answer := request(t, http.MethodGet, p.url+"/api/v1/rules", "")
		if status != http.StatusOK || strings.Contains(answer, `"health":"err"`) {
			t.Fatalf("rules: status %d: %s", status, answer)
		}
		return !strings.Contains(answer, `"health":"unknown"`)
	})
}

// metadata returns the names of all metrics that Prometheus has from the replicas.
func (p *prometheus) metadata(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	var all []string
	if err := p.api("/api/v1/label/__name__/values", map[string][]string{"match[]": {`{job="live"}`}}, &all); err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		names[name] = true
	}
	return names
}

// unseen lists metrics that are on no panel, with the reason.
func unseen(name string) (reason string) {
	switch {
	case strings.HasPrefix(name, "go_"), strings.HasPrefix(name, "process_"):
		return "the runtime of Go and the process, which dashboards for any program show"
	case strings.HasPrefix(name, "scrape_"), name == "ALERTS", name == "ALERTS_FOR_STATE":
		return "Prometheus' own"
	case strings.Contains(name, ":"):
		return "recorded for alerts or other series"
	default:
		return ""
	}
}

// checkNames compares the metrics of dashboards and rules with those that exist.
func checkNames(t *testing.T, p *prometheus, dashboards []*dashboard, exposed map[string]bool) {
	shown := map[string]bool{}
	check := func(where, expr string) {
		paths, err := p.parse(view{rateInterval: time.Minute, to: 60}.fill(expr))
		if err != nil {
			t.Errorf("%s: %v", where, err)
		}
		for _, path := range paths {
			name := path[len(path)-1].Name
			shown[name] = true
			if !exposed[name] {
				t.Errorf("%s: there is no %q", where, name)
			}
		}
	}
	for _, file := range []string{"rules.yml", "alerts.yml"} {
		for _, group := range loadYAML[ruleFile](t, file).Groups {
			for _, rule := range group.Rules {
				check(rule.Record+rule.Alert, rule.Expr)
			}
		}
	}
	clear(shown) // metrics must be on a panel, not only in a rule
	for _, d := range dashboards {
		for _, q := range d.Panels {
			for _, target := range q.Targets {
				for _, expr := range d.variants(target.Expr) {
					check(d.UID+": "+q.Title, expr)
				}
			}
		}
	}
	for name := range exposed {
		base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, "")
		if !shown[name] && !shown[base] && unseen(name) == "" {
			t.Errorf("%s is on no panel", name)
		}
	}
}

// labelsOf returns the labels of a metric that its selectors must be matched by.
func labelsOf(name string) []string {
	switch {
	case strings.HasPrefix(name, "job_sdk_app_id_destroy_type_category:"):
		return []string{"job", "sdk_app_id", "destroy_type", "category"}
	case strings.HasPrefix(name, "tuilivekit_category_"):
		return []string{"job", "instance", "sdk_app_id", "category"}
	case name == "tuilivekit_exporter_category_overflow_total":
		return []string{"job", "instance", "sdk_app_id"}
	case strings.HasPrefix(name, "tuilivekit_") && !strings.HasPrefix(name, "tuilivekit_exporter_"):
		return []string{"job", "instance", "sdk_app_id", "destroy_type", "category"}
	default:
		return []string{"job", "instance"}
	}
}

// checkSelectors checks that a query is matched by each variable that applies, and
// reads counters and histograms through rates alone.
func checkSelectors(t *testing.T, p *prometheus, d *dashboard, q panel, expr string) {
	where := d.UID + ": " + q.Title
	names := map[string]string{}
	for _, name := range []string{"job", "instance", "sdk_app_id", "destroy_type", "category"} {
		names[name] = "the value of " + name
	}
	paths, err := p.parse(view{variables: names, rateInterval: time.Minute, to: 60}.fill(expr))
	if err != nil {
		t.Errorf("%s: %v", where, err)
	}
	for _, path := range paths {
		selector := path[len(path)-1]
		for _, label := range labelsOf(selector.Name) {
			if !slices.ContainsFunc(selector.Matchers, func(m struct{ Name, Type, Value string }) bool {
				return m.Name == label && m.Type == "=~" && m.Value == names[label]
			}) {
				t.Errorf("%s: %s is not matched by $%s", where, selector.Name, label)
			}
		}
		rated := slices.ContainsFunc(path, func(n node) bool {
			return slices.Contains([]string{"rate", "increase", "changes"}, n.Func.Name)
		})
		cumulative := regexp.MustCompile(`_(total|bucket|count|sum)$`).MatchString(selector.Name) ||
			regexp.MustCompile(`^tuilivekit_(room_.*|exporter_.*(delay|duration)_seconds)$`).MatchString(selector.Name)
		// What a start finds is counted before the first scrape: no rate would see it.
		atStart := regexp.MustCompile(`_journal_(recovered_records|torn_commits|lost_records|damaged_files)_total$`).MatchString(selector.Name)
		inUse := q.Title == "Categories in use" // counts series
		if cumulative != rated && !atStart && !inUse && selector.Name != "process_start_time_seconds" {
			t.Errorf("%s: %s is cumulative: %t, but read through a rate: %t", where, selector.Name, cumulative, rated)
		}
	}
}

// onlyZero lists queries that return zeros alone in this test, with the reason.
func onlyZero(uid, title, expr string) (reason string) {
	if regexp.MustCompile(`histogram_quantile\(0\.5, .*room_gift(s|_coins|_senders)\b`).MatchString(expr) {
		return "more than half of the simulator's rooms have no gift"
	}
	return map[string]string{
		"tuilivekit-exporter: Storage":                    "the disk of the test works",
		"tuilivekit-exporter: Failures":                   "the disk of the test works",
		"tuilivekit-exporter: Recovery at the last start": "a journal that only ended abruptly has no torn, lost or damaged parts",
	}[uid+": "+title]
}

// runQueries runs every query of every panel, annotation and variable. Each must
// return something, be it of the replicas that run or of the history.
func runQueries(t *testing.T, p *prometheus, dashboards []*dashboard, l *live) {
	to := min(l.scraped[0], l.scraped[1])
	views := []view{
		{name: "live", from: l.begin, to: to, step: time.Second, rateInterval: 5 * time.Second},
		{name: "history", variables: map[string]string{"job": "history"}, from: to - 86400, to: to, step: time.Hour, rateInterval: time.Hour},
	}
	var report strings.Builder
	for _, d := range dashboards {
		queries := 0
		fmt.Fprintf(&report, "# %s\n", d.Title)
		note := func(what, expr, in string, r result) {
			queries++
			fmt.Fprintf(&report, "%s | %s | %s | %s\n", what, expr, in, r.text())
		}
		for _, q := range d.Panels {
			for _, target := range q.Targets {
				for _, expr := range d.variants(target.Expr) {
					q, target := q, target
					target.Expr = expr
					answered, zero := false, false
					for _, v := range views {
						ask := func() (result, error) { return p.overRange(v, target, q.TimeFrom) }
						if target.Instant {
							ask = func() (result, error) { return p.instant(v, expr) }
						}
						r, err := ask()
						if err != nil {
							t.Errorf("%s: %s %s: %v", d.UID, q.Title, target.RefID, err)
							break
						}
						zero = zero || len(r) > 0
						if r.something() || len(r) > 0 && onlyZero(d.UID, q.Title, expr) != "" {
							note(q.Title+" "+target.RefID, expr, v.name, r)
							answered = true
							break
						}
					}
					if !answered {
						t.Errorf("%s: %s %s returned nothing, or zeros alone (%t): %s", d.UID, q.Title, target.RefID, zero, expr)
					}
				}
			}
		}
		for _, a := range d.Annotations.List {
			if a.BuiltIn != 0 {
				continue
			}
			r, err := p.overRange(views[0], target{Expr: a.Expr}, "")
			if err != nil || len(r) == 0 {
				t.Errorf("%s: annotation %s returned %v: %v", d.UID, a.Name, r, err)
			}
			note("annotation "+a.Name, a.Expr, "live", r)
		}
		for _, v := range d.Templating.List {
			found := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(v.Definition)
			if v.Type != "query" {
				continue
			}
			if found == nil || !strings.Contains(string(v.Query), v.Name) {
				t.Errorf("%s: variable %s asks for %q", d.UID, v.Name, v.Definition)
				continue
			}
			var values []string
			if err := p.api("/api/v1/label/"+found[2]+"/values", map[string][]string{"match[]": {views[0].fill(found[1])}}, &values); err != nil || len(values) == 0 || found[2] != v.Name {
				t.Errorf("%s: variable %s has values %v: %v", d.UID, v.Name, values, err)
			}
			note("variable "+v.Name, v.Definition, "live", result{strings.Join(values, ","): float64(len(values))})
		}
		t.Logf("%s: %d queries", d.Title, queries)
	}
	if file := os.Getenv(reportVariable); file != "" {
		if err := os.WriteFile(file, []byte(report.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("panel | query | data | value\n%s", report.String())
}

// checkExemplars checks that panels with exemplars on lead to rooms.
func checkExemplars(t *testing.T, p *prometheus, dashboards []*dashboard, l *live) {
	asked := 0
	for _, d := range dashboards {
		for _, q := range d.Panels {
			for _, target := range q.Targets {
				if !target.Exemplar {
					continue
				}
				asked++
				v := view{from: l.begin, to: max(l.scraped[0], l.scraped[1]) + 1, rateInterval: 5 * time.Second}
				var data []struct {
					Exemplars []struct{ Labels map[string]string }
				}
				values := map[string][]string{"query": {v.fill(target.Expr)}, "start": {seconds(v.from)}, "end": {seconds(v.to)}}
				if err := p.api("/api/v1/query_exemplars", values, &data); err != nil || len(data) == 0 || data[0].Exemplars[0].Labels["room_id"] == "" {
					t.Errorf("%s: %s has no exemplars with a room_id: %v", d.UID, q.Title, err)
				}
			}
		}
	}
	if asked != 15 {
		t.Errorf("%d queries have exemplars on, want 3 for each statistic", asked)
	}
}
