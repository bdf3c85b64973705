package dashboards_test

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLint holds the dashboards to the rules of Grafana's dashboard linter that
// need no Prometheus; what needs a parsed query is in TestPrometheus.
func TestLint(t *testing.T) {
	t.Parallel()
	uids := map[string]bool{}
	for _, d := range loadDashboards(t) {
		if uids[d.UID] || !regexp.MustCompile(`^tuilivekit-[a-z]+$`).MatchString(d.UID) {
			t.Errorf("%s: uid %q is no fixed one of its own", d.file, d.UID)
		}
		uids[d.UID] = true
		t.Run(d.UID, func(t *testing.T) {
			t.Parallel()
			lintDashboard(t, d)
			lintVariables(t, d)
			lintGrid(t, d)
			for _, p := range d.Panels {
				lintPanel(t, p)
			}
		})
	}
}

func lintDashboard(t *testing.T, d *dashboard) {
	data, err := os.ReadFile(d.file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("__inputs")) || bytes.Contains(data, []byte("__requires")) {
		t.Error("has __inputs or __requires: it would have to be imported by hand")
	}
	if !bytes.Contains(data, []byte("\n  \"id\": null,\n")) {
		t.Error("id is not null")
	}
	if d.Editable == nil || *d.Editable {
		t.Error("editable is not false")
	}
	if d.SchemaVersion < 36 || d.SchemaVersion > 41 {
		t.Errorf("schemaVersion is %d, Grafana 11 and 12 have up to 41", d.SchemaVersion)
	}
	if d.Time.From != "now-24h" || d.Time.To != "now" {
		t.Errorf("opens on %+v, want the last 24 hours", d.Time)
	}
	if d.Title == "" || d.Description == "" || !slices.Contains(d.Tags, "tuilivekit") {
		t.Error("has no title, description or tag")
	}
	linked := false
	for _, link := range d.Links {
		linked = linked || link.Type == "dashboards" && slices.Contains(link.Tags, "tuilivekit") && link.IncludeVars && link.KeepTime
	}
	if !linked {
		t.Error("has no link to the other dashboards that keeps time and variables")
	}
	var names []string
	for _, a := range d.Annotations.List {
		if a.BuiltIn == 0 {
			names = append(names, a.Name)
			if a.Datasource.UID != "${datasource}" {
				t.Errorf("annotation %s has datasource %q", a.Name, a.Datasource.UID)
			}
		}
	}
	if want := []string{"Restarts", "Reloads", "Failed reloads"}; !slices.Equal(names, want) {
		t.Errorf("annotations are %v, want %v", names, want)
	}
}

func lintVariables(t *testing.T, d *dashboard) {
	want := []string{"datasource", "job", "instance", "sdk_app_id", "destroy_type", "category"}
	for i, v := range d.Templating.List {
		if v.Label == "" {
			t.Errorf("variable %s has no label", v.Name)
		}
		if i < len(want) && v.Name != want[i] {
			t.Errorf("variable %d is %s, want %s", i, v.Name, want[i])
		}
		switch v.Type {
		case "datasource":
			if i != 0 || string(v.Query) != `"prometheus"` {
				t.Errorf("the data source is %s", v.Query)
			}
		case "query":
			if !v.Multi || !v.IncludeAll || v.AllValue != ".+" || v.Refresh != 2 || v.Datasource.UID != "${datasource}" {
				t.Errorf("variable %s lacks multi, All as .+, refresh with the time range, or the data source variable", v.Name)
			}
		}
	}
}

// lintGrid checks that panels are within 24 columns, do not overlap, and fill each
// line below a row.
func lintGrid(t *testing.T, d *dashboard) {
	ids, cells := map[int]bool{}, map[[2]int]string{}
	bottom, row := 0, ""
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] {
			t.Errorf("panel %q has id %d, which is 0 or not its own", p.Title, p.ID)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("panel %q is outside of the grid: %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, taken := cells[[2]int{x, y}]; taken {
					t.Fatalf("panel %q overlaps %q", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		bottom = max(bottom, g.Y+g.H)
		if p.Type == "row" {
			row = p.Title
		}
		if row == "" {
			t.Errorf("panel %q is in no row", p.Title)
		}
	}
	if len(cells) != 24*bottom {
		t.Errorf("%d of %d cells are covered: there are gaps", len(cells), 24*bottom)
	}
}

func lintPanel(t *testing.T, p panel) {
	if p.Title == "" {
		t.Errorf("panel %d has no title", p.ID)
	}
	if p.Type == "row" {
		return
	}
	if !slices.Contains([]string{"stat", "timeseries", "table", "bargauge", "piechart", "heatmap"}, p.Type) {
		t.Errorf("%s: type %q is not one of the panels that Grafana brings", p.Title, p.Type)
	}
	if !strings.HasSuffix(p.Description, ".") || p.Datasource.UID != "${datasource}" || p.FieldConfig.Defaults.Unit == "" || p.FieldConfig.Defaults.NoValue == "" {
		t.Errorf("%s: lacks a description, the data source variable, a unit or a text for no value", p.Title)
	}
	if y := p.Options.YAxis; p.Type == "heatmap" && !strings.Contains(p.Targets[0].Expr, "_bucket") && !(0 < y.Min && y.Min < y.Max) {
		// Grafana makes the axis of the first cell there is. With that of the zero bucket it
		// would show nothing.
		t.Errorf("panel %q is of a native histogram: its axis needs a least above 0 and a most", p.Title)
	}
	if p.Type == "heatmap" && p.Options.YAxis.Unit == "" {
		t.Errorf("%s: the axis has no unit", p.Title)
	}
	if len(p.Targets) == 0 {
		t.Errorf("%s: asks for nothing", p.Title)
	}
	refs := map[string]bool{}
	for _, q := range p.Targets {
		if refs[q.RefID] || q.Datasource.UID != "${datasource}" || q.Instant == q.Range {
			t.Errorf("%s %s: wants a refId of its own, the data source variable, and one of instant and range", p.Title, q.RefID)
		}
		refs[q.RefID] = true
		// Instant values are of the whole range, graphs of each step.
		if q.Instant && strings.Contains(q.Expr, "$__rate_interval") || q.Range && p.Type == "stat" {
			t.Errorf("%s %s: is instant and of a step, or single and not instant", p.Title, q.RefID)
		}
		if regexp.MustCompile(`\$__interval\b`).MatchString(q.Expr) {
			t.Errorf("%s %s: has $__interval, want $__rate_interval", p.Title, q.RefID)
		}
		if q.Range && q.Format == "time_series" && (q.Legend == "" || q.Legend == "__auto") {
			t.Errorf("%s %s: has no legend", p.Title, q.RefID)
		}
		if q.Format == "table" && p.Type != "table" || p.Type == "heatmap" && q.Format != "heatmap" {
			t.Errorf("%s %s: format %q does not suit a %s", p.Title, q.RefID, q.Format, p.Type)
		}
	}
}
