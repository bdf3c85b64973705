package dashboards_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// ruleFile is what the tests read of a file of rules.
type ruleFile struct {
	Groups []struct {
		Rules []struct {
			Record      string            `yaml:"record"`
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

// unitTests is what the tests read of a file of unit tests.
type unitTests struct {
	Tests []struct {
		Alerts []struct {
			Alert    string           `yaml:"alertname"`
			Expected []map[string]any `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
		Expressions []struct {
			Expr string `yaml:"expr"`
		} `yaml:"promql_expr_test"`
	} `yaml:"tests"`
}

func loadYAML[T any](t *testing.T, file string) (content T) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &content); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return content
}

func TestCheckRules(t *testing.T) {
	t.Parallel()
	if code, stdout, stderr := run(t, tool(t, "promtool"), "check", "rules", "--lint=all", "--lint-fatal", absolute(t, "rules.yml"), absolute(t, "alerts.yml")); code != 0 {
		t.Errorf("promtool check rules: exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestRecordingRules runs the unit tests on a copy of the rules that is evaluated
// each 6 hours: a month of evaluations each 5 minutes takes too long.
func TestRecordingRules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "rules.yml", withInterval(t, "6h"))
	tests, err := os.ReadFile("rules_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, dir, "rules_test.yml", string(tests))
	if code, stdout, stderr := run(t, tool(t, "promtool"), "test", "rules", file); code != 0 {
		t.Errorf("promtool test rules: exit code %d\n%s%s", code, stdout, stderr)
	}

	var all strings.Builder
	for _, test := range loadYAML[unitTests](t, "rules_test.yml").Tests {
		for _, e := range test.Expressions {
			all.WriteString(e.Expr + " ")
		}
	}
	for _, group := range loadYAML[ruleFile](t, "rules.yml").Groups {
		for _, rule := range group.Rules {
			if !regexp.MustCompile(regexp.QuoteMeta(rule.Record) + `\b`).MatchString(all.String()) {
				t.Errorf("%s has no value case in rules_test.yml", rule.Record)
			}
		}
	}
}

// withInterval returns rules.yml with another interval of evaluation.
func withInterval(t *testing.T, interval string) string {
	t.Helper()
	data, err := os.ReadFile("rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^    interval: .*$`).ReplaceAllString(string(data), "    interval: "+interval)
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	if code, stdout, stderr := run(t, tool(t, "promtool"), "test", "rules", absolute(t, "alerts_test.yml")); code != 0 {
		t.Errorf("promtool test rules: exit code %d\n%s%s", code, stdout, stderr)
	}

	firing, silent := map[string]bool{}, map[string]bool{}
	for _, test := range loadYAML[unitTests](t, "alerts_test.yml").Tests {
		for _, a := range test.Alerts {
			if len(a.Expected) > 0 {
				firing[a.Alert] = true
			} else {
				silent[a.Alert] = true
			}
		}
	}
	runbook, err := os.ReadFile("runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	entries := strings.Split(string(runbook), "\n## ")[1:]
	alerts := 0
	for _, group := range loadYAML[ruleFile](t, "alerts.yml").Groups {
		for _, rule := range group.Rules {
			alerts++
			if !firing[rule.Alert] || !silent[rule.Alert] {
				t.Errorf("%s lacks a case in which it fires, or one in which it does not", rule.Alert)
			}
			severity := rule.Labels["severity"]
			if severity != "critical" && severity != "warning" {
				t.Errorf("%s has severity %q", rule.Alert, severity)
			}
			if rule.Annotations["summary"] == "" || !strings.ContainsAny(rule.Annotations["description"], "{0123456789") {
				t.Errorf("%s has no summary, or no value in its description", rule.Alert)
			}
			const page = "https://github.com/tuilivekit-exporter/tuilivekit_exporter/blob/main/dashboards/runbook.md#"
			if got, want := rule.Annotations["runbook_url"], page+strings.ToLower(rule.Alert); got != want {
				t.Errorf("%s has runbook_url %s, want %s", rule.Alert, got, want)
			}
			found := false
			for _, entry := range entries {
				if name, text, _ := strings.Cut(entry, "\n"); name == rule.Alert {
					found = strings.Contains(text, "Severity: "+severity+".") && strings.Contains(text, "**What it means.**") &&
						strings.Contains(text, "**What to look at.**") && strings.Contains(text, "**What to do.**")
				}
			}
			if !found {
				t.Errorf("%s has no complete entry of its severity in the runbook", rule.Alert)
			}
		}
	}
	if len(entries) != alerts {
		t.Errorf("the runbook has %d entries for %d alerts", len(entries), alerts)
	}
}

func absolute(t *testing.T, file string) string {
	t.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
