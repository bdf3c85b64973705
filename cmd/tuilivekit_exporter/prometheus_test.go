package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// prometheus is a running Prometheus that scrapes one exporter each second.
type prometheus struct {
	*process
	url    string
	client *http.Client
	at     float64 // time of queries, in Unix seconds; 0: now
}

func startPrometheus(t *testing.T, target *exporter) *prometheus {
	t.Helper()
	return startPrometheusWith(t, target, "1s")
}

// startPrometheusWith starts one with another interval and further features.
func startPrometheusWith(t *testing.T, target *exporter, interval string, features ...string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	config := writeFile(t, dir, "prometheus.yml", `
global:
  scrape_interval: `+interval+`
  scrape_native_histograms: true
  always_scrape_classic_histograms: true
  scrape_protocols: [PrometheusProto, OpenMetricsText1.0.0, PrometheusText0.0.4]
scrape_configs:
  - job_name: exporter
    static_configs: [{targets: [`+strings.TrimPrefix(target.web, "http://")+`]}]
`)
	p := &prometheus{client: newClient(t, nil), process: start(t, tool(t, "prometheus"),
		"--config.file="+config, "--storage.tsdb.path="+dir, "--web.listen-address=127.0.0.1:0",
		"--enable-feature="+strings.Join(append(features, "exemplar-storage"), ","), "--log.format=logfmt")}
	line := regexp.MustCompile(`msg="Listening on" .*address=(127\.0\.0\.1:[0-9]+)`)
	eventually(t, "Prometheus to listen", func() bool {
		found := line.FindStringSubmatch(p.stderr.String())
		if found != nil {
			p.url = "http://" + found[1]
		}
		if !p.running() {
			t.Fatal("Prometheus did not start")
		}
		return found != nil
	})
	return p
}

// api calls Prometheus' HTTP API and decodes the data of its answer. It reports
// false as long as Prometheus is not ready.
func (p *prometheus) api(path string, query url.Values, data any) bool {
	p.t.Helper()
	status, body := request(p.t, p.client, http.MethodGet, p.url+path+"?"+query.Encode(), "")
	if status == http.StatusServiceUnavailable {
		return false
	}
	answer := struct{ Data any }{data}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		p.t.Fatalf("%s %v: status %d: %v: %s", path, query, status, err, body)
	}
	return true
}

// query returns the result of an instant query, by what labels remain in it,
// written like those of the text format, behind a prefix.
func (p *prometheus) query(prefix, expression string) map[string]float64 {
	p.t.Helper()
	values := url.Values{"query": {expression}}
	if p.at > 0 {
		values.Set("time", strconv.FormatFloat(p.at, 'f', 3, 64))
	}
	var data struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any // time, value as text
		}
	}
	result := map[string]float64{}
	if !p.api("/api/v1/query", values, &data) {
		return result
	}
	for _, sample := range data.Result {
		text, isFloat := sample.Value[1].(string)
		value, err := strconv.ParseFloat(text, 64)
		if !isFloat || err != nil {
			p.t.Fatalf("%s: %v is no float", expression, sample)
		}
		result[prefix+textLabels(sample.Metric)] = value
	}
	return result
}

// textLabels writes labels as the text format does, without those that Prometheus added.
func textLabels(metric map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(metric)) {
		if name != "__name__" && name != "job" && name != "instance" {
			pairs = append(pairs, fmt.Sprintf("%s=%q", name, metric[name]))
		}
	}
	return metric["__name__"] + "{" + strings.Join(pairs, ",") + "}"
}

// exemplar is one as Prometheus keeps it.
type exemplar struct {
	series map[string]string
	roomID string
	value  float64
}

// exemplars returns those of a selector's series from all the time of the test.
func (p *prometheus) exemplars(selector string) []exemplar {
	p.t.Helper()
	var data []struct {
		SeriesLabels map[string]string
		Exemplars    []struct {
			Labels map[string]string
			Value  string
		}
	}
	p.api("/api/v1/query_exemplars", url.Values{
		"query": {selector},
		"start": {strconv.FormatFloat(p.at-3600, 'f', 3, 64)},
		"end":   {strconv.FormatFloat(p.at+3600, 'f', 3, 64)},
	}, &data)
	var all []exemplar
	for _, series := range data {
		for _, e := range series.Exemplars {
			value, err := strconv.ParseFloat(e.Value, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			all = append(all, exemplar{series.SeriesLabels, e.Labels["room_id"], value})
		}
	}
	return all
}
