// The tests of this package prove the dashboards, rules and alerts: promtool and
// a linter check them, and a real Prometheus runs every query on rooms that the
// simulator sent.
package dashboards_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dashboard is what the tests read of a dashboard.
type dashboard struct {
	file string

	ID            *int     `json:"id"`
	UID           string   `json:"uid"`
	Title         string   `json:"title"`
	Description   string   `json:"description"`
	Tags          []string `json:"tags"`
	SchemaVersion int      `json:"schemaVersion"`
	Editable      *bool    `json:"editable"`
	Time          struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"time"`
	Links []struct {
		Type        string   `json:"type"`
		Tags        []string `json:"tags"`
		IncludeVars bool     `json:"includeVars"`
		KeepTime    bool     `json:"keepTime"`
	} `json:"links"`
	Annotations struct {
		List []annotation `json:"list"`
	} `json:"annotations"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

type annotation struct {
	Name       string        `json:"name"`
	BuiltIn    int           `json:"builtIn"`
	Expr       string        `json:"expr"`
	Datasource datasourceRef `json:"datasource"`
}

type datasourceRef struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type variable struct {
	Type       string          `json:"type"`
	Name       string          `json:"name"`
	Label      string          `json:"label"`
	Query      json.RawMessage `json:"query"`
	Definition string          `json:"definition"`
	Datasource datasourceRef   `json:"datasource"`
	Multi      bool            `json:"multi"`
	IncludeAll bool            `json:"includeAll"`
	AllValue   string          `json:"allValue"`
	Refresh    int             `json:"refresh"`
	Options    []struct {
		Value string `json:"value"`
	} `json:"options"`
}

type panel struct {
	ID          int           `json:"id"`
	Type        string        `json:"type"`
	Title       string        `json:"title"`
	Description string        `json:"description"`
	Datasource  datasourceRef `json:"datasource"`
	TimeFrom    string        `json:"timeFrom"`
	GridPos     struct{ H, W, X, Y int }
	Targets     []target `json:"targets"`
	FieldConfig struct {
		Defaults struct {
			Unit    string `json:"unit"`
			NoValue string `json:"noValue"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
	Options struct {
		YAxis struct {
			Unit     string `json:"unit"`
			Min, Max float64
		} `json:"yAxis"`
	} `json:"options"`
}

type target struct {
	RefID      string        `json:"refId"`
	Expr       string        `json:"expr"`
	Legend     string        `json:"legendFormat"`
	Format     string        `json:"format"`
	Instant    bool          `json:"instant"`
	Range      bool          `json:"range"`
	Exemplar   bool          `json:"exemplar"`
	Interval   string        `json:"interval"`
	Datasource datasourceRef `json:"datasource"`
}

// loadDashboards returns all dashboards of this folder.
func loadDashboards(t *testing.T) []*dashboard {
	t.Helper()
	files, err := filepath.Glob("*.json")
	if err != nil || len(files) != 3 {
		t.Fatalf("found dashboards %v, want 3: %v", files, err)
	}
	var all []*dashboard
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := &dashboard{file: file}
		if err := json.Unmarshal(data, d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, d)
	}
	return all
}

// variants returns an expression once for each value of the variable that names
// part of a metric.
func (d *dashboard) variants(expr string) []string {
	i := slices.IndexFunc(d.Templating.List, func(v variable) bool { return v.Name == "statistic" })
	if i < 0 || !strings.Contains(expr, "${statistic}") {
		return []string{expr}
	}
	var all []string
	for _, option := range d.Templating.List[i].Options {
		all = append(all, strings.ReplaceAll(expr, "${statistic}", option.Value))
	}
	return all
}
