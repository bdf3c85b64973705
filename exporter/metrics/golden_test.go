package metrics_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/metrics"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/room"
	"github.com/tuilivekit-exporter/tuilivekit_exporter/exporter/totals"
)

// Each sample is shown just so.
func TestSamplesExposed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"destroy-by-user", "destroy-by-system-without-statistic", "destroy-five-fields", "destroy-large-numbers",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			destroyed := sample(t, name+".json")
			synctest.Test(t, func(t *testing.T) {
				labels, _ := room.NewCategoryLabels(map[int64]string{1: "gaming", 2: "music"}, 50).Append(nil, destroyed.Categories)
				sums := totals.New(totals.DefaultBounds())
				sums.Add(destroyed, labels, time.Now())
				families := gather(t, sums, all())
				for ending, format := range formats() {
					golden(t, name+"."+ending, encode(t, families, format))
				}
			})
		})
	}
}

// A mix of expected and late series, in every way it can be rendered.
func TestRenderings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rendering metrics.Rendering
		golden    string
	}{
		// Text has no native buckets, so they make no difference.
		"classic and native": {metrics.Rendering{Classic: true, Native: true, Exemplars: true}, "classic"},
		"classic":            {metrics.Rendering{Classic: true, Exemplars: true}, "classic"},
		"native":             {metrics.Rendering{Native: true, Exemplars: true}, "native"},
		"without exemplars":  {metrics.Rendering{Classic: true, Native: true}, "without_exemplars"},
		"on hold":            {metrics.Rendering{Classic: true, Native: true, Exemplars: true, NewSeriesHold: time.Hour}, "on_hold"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sums := totals.New(smallBounds())
				sums.Expect(appID, []string{"gaming"}, time.Now())
				time.Sleep(time.Minute)
				sums.Add(ended("a", 0), []string{"gaming", "7"}, time.Now())
				sums.Add(ended("b", 7), []string{"gaming"}, time.Now())
				sums.Add(ended("c", 5000), []string{"7", "gaming"}, time.Now())
				families := gather(t, sums, c.rendering)
				for ending, format := range formats() {
					golden(t, c.golden+"."+ending, encode(t, families, format))
				}
			})
		})
	}
}

// Labels that need escaping are escaped.
func TestOddLabels(t *testing.T) {
	t.Parallel()
	sums := totals.New(smallBounds())
	sums.Add(ended("歌房 \"1\"\\\n", 1), []string{"Spiel \"&\" Spaß\\\n"}, time.Now())
	for _, format := range formats() {
		text := string(encode(t, gather(t, sums, metrics.Rendering{Classic: true, Exemplars: true}), format))
		for _, want := range []string{
			`tuilivekit_rooms_destroyed_total{category="Spiel \"&\" Spaß\\\n",destroy_type="user",sdk_app_id="1400000001"} 1`,
			`tuilivekit_category_rooms_destroyed_total{category="Spiel \"&\" Spaß\\\n",sdk_app_id="1400000001"} 1`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s has no line %s", format, want)
			}
		}
		if exemplar := `# {room_id="歌房 \"1\"\\\n"} 1.0 `; strings.Contains(text, exemplar) != strings.Contains(string(format), "openmetrics") {
			t.Errorf("%s: exemplar is there: %t", format, strings.Contains(text, exemplar))
		}
	}
}
