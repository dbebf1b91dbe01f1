package bench

import (
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

func TestQuantile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[99-i] = time.Duration(i+1) * ms // in no order that helps
	}
	for _, c := range []struct {
		name string
		in   []time.Duration
		part float64
		want time.Duration
	}{
		{"of nothing", nil, 0.5, 0},
		{"of one", []time.Duration{7 * ms}, 0.99, 7 * ms},
		{"median of an odd number", []time.Duration{3 * ms, 1 * ms, 2 * ms}, 0.5, 2 * ms},
		{"median of an even number is a sample", []time.Duration{4 * ms, 1 * ms, 3 * ms, 2 * ms}, 0.5, 2 * ms},
		{"median of a hundred", hundred, 0.5, 50 * ms},
		{"p99 of a hundred", hundred, 0.99, 99 * ms},
		{"one outlier does not move the median", []time.Duration{1 * ms, 1 * ms, 900 * ms}, 0.5, 1 * ms},
		{"all of it", hundred, 1, 100 * ms},
		{"none of it", hundred, 0, 1 * ms},
	} {
		if got := quantile(c.in, c.part); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if hundred[0] != 100*ms {
		t.Error("the samples were sorted in place")
	}
}

func TestCompare(t *testing.T) {
	limit := func(name string) time.Duration {
		return map[string]time.Duration{limitBare: 1 * ms, limitRS256: 10 * ms, limitBareReads: 4 * ms}[name]
	}
	for _, c := range []struct {
		name          string
		by            yardstick
		whole, inside time.Duration
		net, best     time.Duration
		ratio         float64
	}{
		{"the whole against a handler", yardstick{parts: []part{{limitBareReads, 1}}}, 6 * ms, 2 * ms, 6 * ms, 4 * ms, 1.5},
		{"work alone, measured inside", yardstick{requests: 1, parts: []part{{limitRS256, 1}}}, 20 * ms, 12 * ms, 12 * ms, 10 * ms, 1.2},
		{"work alone, without transport", yardstick{requests: 1, parts: []part{{limitRS256, 1}}}, 13 * ms, 0, 12 * ms, 10 * ms, 1.2},
		{"two requests, two signatures", yardstick{requests: 2, parts: []part{{limitRS256, 2}}}, 27 * ms, 0, 25 * ms, 20 * ms, 1.25},
		{"several limits", yardstick{parts: []part{{limitRS256, 1}, {limitBareReads, 2.5}}}, 40 * ms, 0, 40 * ms, 20 * ms, 2},
		{"less than its transport is nothing", yardstick{requests: 9, parts: []part{{limitRS256, 1}}}, 3 * ms, 0, 0, 10 * ms, 0},
		{"a limit that was not measured", yardstick{parts: []part{{limitArgon2id, 1}}}, 3 * ms, 0, 3 * ms, 0, 0},
	} {
		net, best, ratio := c.by.compare(c.whole, c.inside, limit)
		if net != c.net || best != c.best || ratio != c.ratio {
			t.Errorf("%s: %v / %v = %v, want %v / %v = %v", c.name, net, best, ratio, c.net, c.best, c.ratio)
		}
	}
}

// A scenario that was not measured, or is over its goal, is missed; one without a
// goal never is.
func TestMissed(t *testing.T) {
	r := &Report{Servers: []Server{{Name: "s"}}}
	for name, took := range map[string]time.Duration{"met": 12 * ms, "at the goal": 20 * ms, "over": 21 * ms, "without goal": 900 * ms, "not measured": 0} {
		by := yardstick{parts: []part{{limitRS256, 1}}, goal: 2}
		if name == "without goal" {
			by.goal = 0
		}
		taken := samples{limitRS256: {10 * ms}}
		if took > 0 {
			taken["s/x"] = []time.Duration{took}
		}
		r.Servers[0].Figures = append(r.Servers[0].Figures, newFigure(scenario{name: name, by: by}, "s/x", taken))
	}
	missed := strings.Join(r.Missed(), "\n")
	for name, want := range map[string]bool{"met": false, "at the goal": false, "over": true, "without goal": false, "not measured": true} {
		if strings.Contains(missed, "s: "+name+" ") != want {
			t.Errorf("%s: %s", name, missed)
		}
	}
}
