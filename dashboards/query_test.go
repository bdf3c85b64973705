package dashboards_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// view is how a dashboard is looked at: its variables and its time range.
type view struct {
	name         string
	variables    map[string]string // of those not named All is chosen
	from, to     float64           // Unix seconds
	step         time.Duration
	rateInterval time.Duration
}

// fill fills in variables as Grafana does: a name without braces is as long as it can be.
func (v view) fill(expr string) string {
	return regexp.MustCompile(`\$\w+|\$\{\w+\}`).ReplaceAllStringFunc(expr, func(name string) string {
		name = strings.Trim(name, "${}")
		if value, ok := v.variables[name]; ok {
			return value
		}
		switch name {
		case "__range":
			return strconv.Itoa(int(v.to-v.from)) + "s"
		case "__rate_interval":
			return v.rateInterval.String()
		case "job", "instance", "sdk_app_id", "destroy_type", "category":
			return ".+"
		case "top":
			return "5"
		default:
			return "$" + name // which no query can be parsed with
		}
	})
}

// result is what a query returned: the value of each series by its labels, over a
// range the greatest. A native histogram is its count of observations.
type result map[string]float64

// something tells whether there is any value but zero.
func (r result) something() bool {
	for _, value := range r {
		if value != 0 {
			return true
		}
	}
	return false
}

// text returns a few of the values.
func (r result) text() string {
	var all []string
	for _, labels := range slices.Sorted(maps.Keys(r)) {
		all = append(all, labels+" "+strconv.FormatFloat(r[labels], 'g', 6, 64))
	}
	if len(all) > 4 {
		all = append(all[:4], fmt.Sprintf("… %d series", len(all)))
	}
	return strings.Join(all, "; ")
}

// sample is a series as the API returns it.
type sample struct {
	Metric     map[string]string
	Value      []any
	Values     [][]any
	Histogram  []any
	Histograms [][]any
}

// greatest returns the greatest value that is a number.
func (s sample) greatest() (greatest float64, ok bool) {
	take := func(text any) {
		number, _ := text.(string)
		if value, err := strconv.ParseFloat(number, 64); err == nil && !math.IsNaN(value) && (!ok || value > greatest) {
			greatest, ok = value, true
		}
	}
	for _, point := range append(s.Values, s.Value) {
		if len(point) == 2 {
			take(point[1])
		}
	}
	for _, point := range append(s.Histograms, s.Histogram) {
		if len(point) == 2 {
			take(point[1].(map[string]any)["count"])
		}
	}
	return greatest, ok
}

// instant runs an instant query at the end of the view.
func (p *prometheus) instant(v view, expr string) (result, error) {
	return p.query("/api/v1/query", url.Values{"query": {v.fill(expr)}, "time": {seconds(v.to)}})
}

// overRange runs a range query. Where a panel has an interval of its own, its
// time is the last 30 days.
func (p *prometheus) overRange(v view, q target, timeFrom string) (result, error) {
	from, to, step := v.from, v.to, v.step
	if timeFrom == "30d" && q.Interval == "1d" {
		from, step = v.to-30*86400, 24*time.Hour
	}
	return p.query("/api/v1/query_range", url.Values{"query": {v.fill(q.Expr)}, "start": {seconds(from)}, "end": {seconds(to)}, "step": {seconds(step.Seconds())}})
}

func (p *prometheus) query(path string, values url.Values) (result, error) {
	var data struct{ Result json.RawMessage }
	if err := p.api(path, values, &data); err != nil {
		return nil, err
	}
	var samples []sample
	if err := json.Unmarshal(data.Result, &samples); err != nil {
		return nil, err
	}
	r := result{}
	for _, s := range samples {
		if value, ok := s.greatest(); ok {
			r[labels(s.Metric)] = value
		}
	}
	return r, nil
}

// labels returns the values of labels: enough to tell the series of a query apart.
func labels(metric map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(metric)) {
		all = append(all, name+"="+metric[name])
	}
	return "{" + strings.Join(all, ",") + "}"
}

func seconds(f float64) string { return strconv.FormatFloat(f, 'f', 3, 64) }

// node is a part of a parsed query.
type node struct {
	Type     string
	Name     string // of a selector
	Matchers []struct{ Name, Type, Value string }
	Func     struct{ Name string }
}

// parse returns the nodes of a query from the root to each selector.
func (p *prometheus) parse(expr string) (paths [][]node, err error) {
	var root any
	if err := p.api("/api/v1/parse_query", url.Values{"query": {expr}}, &root); err != nil {
		return nil, err
	}
	var walk func(tree any, above []node) error
	walk = func(tree any, above []node) error {
		switch tree := tree.(type) {
		case []any:
			for _, part := range tree {
				if err := walk(part, above); err != nil {
					return err
				}
			}
		case map[string]any:
			if kind, ok := tree["type"].(string); ok {
				var n node
				n.Type = kind
				data, err := json.Marshal(tree)
				if err != nil {
					return err
				}
				if kind == "call" || kind == "vectorSelector" || kind == "matrixSelector" {
					if err := json.Unmarshal(data, &n); err != nil {
						return err
					}
				}
				above = append(slices.Clone(above), n)
				if kind == "vectorSelector" || kind == "matrixSelector" {
					paths = append(paths, above)
					return nil
				}
			}
			for _, name := range []string{"expr", "lhs", "rhs", "args", "param"} {
				if err := walk(tree[name], above); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return paths, walk(root, nil)
}
