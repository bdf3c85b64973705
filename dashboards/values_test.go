package dashboards_test

import (
	"math"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// compareValues compares what panels say with what the simulator knows.
func compareValues(t *testing.T, p *prometheus, dashboards []*dashboard, l *live, h history) {
	find := func(uid, title string) panel {
		t.Helper()
		for _, d := range dashboards {
			for _, q := range d.Panels {
				if d.UID == uid && q.Title == title {
					return q
				}
			}
		}
		t.Fatalf("there is no panel %q", title)
		return panel{}
	}
	expect := func(v view, q panel, at int, want result, tolerance float64) {
		t.Helper()
		got, err := p.instant(v, q.Targets[at].Expr)
		if err != nil {
			t.Fatal(err)
		}
		for labels, value := range want {
			if math.Abs(got[labels]-value) > tolerance*math.Abs(value)+1e-9 {
				t.Errorf("%s (%s) of %s is %v, want %v", q.Title, q.Targets[at].RefID, v.name+labels, got[labels], value)
			}
		}
		for labels, value := range got {
			if _, ok := want[labels]; !ok && value != 0 {
				t.Errorf("%s (%s) of %s is %v, want none", q.Title, q.Targets[at].RefID, v.name+labels, value)
			}
		}
	}
	titles := []string{"Rooms destroyed", "", "Viewers", "Gifts", "Coins", "Givers", "Likes"}

	for i, r := range l.replicas {
		// At the moment of a scrape, and with zeros at the beginning, totals are exact.
		v := view{name: "replica ", variables: map[string]string{"instance": r.web}, from: l.begin, to: l.scraped[i], rateInterval: 5 * time.Second}
		rooms := l.rooms[i]
		for f, family := range families() {
			if titles[f] != "" {
				expect(v, find("tuilivekit-rooms", titles[f]), 0, result{"{}": sum(rooms, family)}, 0)
				column := slices.Index([]int{0, 2, 3, 4, 5, 6}, f)
				expect(v, find("tuilivekit-rooms", "Totals by destroy type"), column, by(rooms, family, func(r sentRoom) []string { return []string{"destroy_type=" + r.DestroyType} }), 0)
				expect(v, find("tuilivekit-rooms", "Rooms that carry a category"), column, by(rooms, family, func(r sentRoom) []string {
					labels := []string{}
					for _, c := range r.Categories {
						labels = append(labels, "category="+c)
					}
					if len(labels) == 0 {
						labels = append(labels, "category=none")
					}
					return labels
				}), 0)
			}
		}
		for title, family := range map[string]string{"Rooms destroyed by category": "rooms_destroyed", "Viewers by category": "viewers", "Coins by category": "gift_coins"} {
			top := by(rooms, family, func(r sentRoom) []string { return []string{"category=" + r.Category} })
			rest := 0.0
			for _, labels := range smallest(top, 5) {
				rest += top[labels]
				delete(top, labels)
			}
			expect(v, find("tuilivekit-rooms", title), 0, top, 0)
			expect(v, find("tuilivekit-rooms", title), 1, result{"{}": rest}, 0)
		}
		expect(v, find("tuilivekit-rooms", "Coins per room"), 0, result{"{}": sum(rooms, "gift_coins") / (sum(rooms, "rooms_destroyed") - sum(rooms, "rooms_without_statistics"))}, 1e-9)
		expect(v, find("tuilivekit-rooms", "Gifts per viewer"), 0, result{"{}": sum(rooms, "gifts") / sum(rooms, "viewers")}, 1e-9)
		expect(v, find("tuilivekit-rooms", "Paying share"), 0, result{"{}": sum(rooms, "gift_senders") / sum(rooms, "viewers")}, 1e-9)
		expect(v, find("tuilivekit-rooms", "Rooms without statistics"), 0, result{"{}": sum(rooms, "rooms_without_statistics") / sum(rooms, "rooms_destroyed")}, 1e-9)
		comparePercentiles(t, p, v, rooms, find)
	}

	// Both replicas together: they are scraped at different moments, so a range's
	// ends are estimated by up to a scrape interval each.
	both := view{name: "both replicas ", variables: map[string]string{"job": "live"}, from: l.begin, to: max(l.scraped[0], l.scraped[1])}
	rooms := slices.Concat(l.rooms[0], l.rooms[1])
	expect(both, find("tuilivekit-rooms", "Rooms destroyed"), 0, result{"{}": sum(rooms, "rooms_destroyed")}, .1)
	expect(both, find("tuilivekit-rooms", "Coins"), 0, result{"{}": sum(rooms, "gift_coins")}, .1)
	expect(both, find("tuilivekit-exporter", "Exporters up"), 0, result{"{}": 2}, 0)
	expect(both, find("tuilivekit-exporter", "Exporters up"), 1, result{"{}": 2}, 0)
	expect(both, find("tuilivekit-exporter", "Configuration"), 0, result{"{}": 1}, 0)
	expect(both, find("tuilivekit-exporter", "Rejections in the range"), 0, result{"{reason=sdk_app_id}": 1, "{reason=sign}": 1, "{reason=request_time}": 1, "{reason=json}": 1}, .1)
	expect(both, find("tuilivekit-exporter", "Invalid fields in the range"), 0, result{"{field=RoomInfo.Category}": 1, "{field=Statistic.TotalViewers}": 1}, .1)

	// History: its replicas have a sample each quarter of an hour.
	past := view{name: "history ", variables: map[string]string{"job": "history"}, from: both.to - 86400, to: both.to}
	day := 24 * time.Hour
	for f, family := range families() {
		if titles[f] == "" || family == "gift_coins" || family == "gifts" || family == "likes" || family == "viewers" || family == "gift_senders" {
			continue // one great room at the edge of a day outweighs all others
		}
		expect(past, find("tuilivekit-rooms", strings.TrimSuffix(titles[f], " destroyed")+" in 30 days"), 0, result{"{}": sum(h.between(30*day, 0), family)}, .03)
		change := find("tuilivekit-rooms", titles[f]+": change")
		for at, period := range []time.Duration{day, 7 * day} {
			got, err := p.instant(past, change.Targets[at].Expr)
			want := sum(h.between(period, 0), family)/sum(h.between(2*period, period), family) - 1
			if err != nil || len(got) != 1 || math.Abs(got["{}"]-want) > .05 {
				t.Errorf("%s %d is %v, want %v: %v", change.Title, at, got, want, err)
			}
		}
	}
	past.rateInterval = time.Hour
	if got, err := p.overRange(view{variables: past.variables, from: past.to - 7200, to: past.to - 3600, step: time.Hour, rateInterval: time.Hour}, find("tuilivekit-exporter", "Snapshot time").Targets[0], ""); err != nil || math.Abs(got["{}"]-.075) > 1e-6 {
		t.Errorf("the median snapshot took %v, want 75 ms: %v", got, err)
	}
	// What the real rule says now is what the history was recorded as.
	const recorded = `sum(job_sdk_app_id_destroy_type_category:tuilivekit_rooms_destroyed:increase1d{job="history"})`
	for _, offset := range []string{"", " offset 2d", " offset 20d"} {
		expression := strings.Replace(recorded, "})", "}"+offset+")", 1)
		if offset != "" {
			expression = strings.Replace(strings.Replace(expression, "sum(", "sum(last_over_time(", 1), "}"+offset, "}[6h]"+offset+")", 1)
		}
		got, err := p.instant(past, expression)
		if want := sum(h.between(day, 0), "rooms_destroyed"); err != nil || math.Abs(got["{}"]-want) > .03*want {
			t.Errorf("%s is %v, want %v: %v", expression, got, want, err)
		}
	}
}

// comparePercentiles checks that each is in the native bucket of the true one, which
// is at most a tenth wide.
func comparePercentiles(t *testing.T, p *prometheus, v view, rooms []sentRoom, find func(uid, title string) panel) {
	byCategory := find("tuilivekit-distributions", "Percentiles by destroy type")
	for _, statistic := range families()[2:] {
		var values []float64
		for _, r := range rooms {
			if value, known := r.Statistics[statistic]; known && r.DestroyType == "user" {
				values = append(values, float64(value))
			}
		}
		sort.Float64s(values)
		for at, q := range []float64{0, .5, .9, .99} {
			got, err := p.instant(v, strings.ReplaceAll(byCategory.Targets[at].Expr, "${statistic}", statistic))
			if err != nil {
				t.Fatal(err)
			}
			value := got["{destroy_type=user}"]
			if at == 0 {
				if value != float64(len(values)) {
					t.Errorf("%s: %v observations, want %d", statistic, value, len(values))
				}
				continue
			}
			rank := q * float64(len(values))
			low, high := values[max(0, int(math.Ceil(rank))-1)], values[min(len(values)-1, int(rank))]
			if value < low/1.1-1e-6 || value > high*1.1+1e-6 {
				t.Errorf("%s: p%g is %v, want %v to %v within a bucket", statistic, 100*q, value, low, high)
			}
		}
	}
}

// by adds a family up over rooms by some labels.
func by(rooms []sentRoom, family string, labels func(sentRoom) []string) result {
	sums := result{}
	for _, r := range rooms {
		for _, label := range labels(r) {
			sums["{"+label+"}"] += r.of(family)
		}
	}
	return sums
}

// smallest returns the labels of all but the greatest n values.
func smallest(r result, n int) (all []string) {
	for labels := range r {
		all = append(all, labels)
	}
	slices.SortFunc(all, func(a, b string) int { return int(r[b] - r[a]) })
	return all[min(n, len(all)):]
}
