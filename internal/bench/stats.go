package bench

import (
	"math"
	"slices"
	"time"
)

// samples are the times of each probe, by its key.
type samples map[string][]time.Duration

// median and p99 are 0 for a probe that never ran.
func (s samples) median(key string) time.Duration { return quantile(s[key], 0.5) }
func (s samples) p99(key string) time.Duration    { return quantile(s[key], 0.99) }

// quantile is the least sample that at least that part of all samples does not
// exceed (nearest rank).
func quantile(in []time.Duration, part float64) time.Duration {
	if len(in) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(in))
	rank := int(math.Ceil(part * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// part is a limit and how often a scenario needs it.
type part struct {
	limit string
	times float64
}

// yardstick is what a scenario is measured by.
type yardstick struct {
	requests int    // whose transport is no part of the limit; 0 where it is
	parts    []part // of the limit
	goal     float64
}

// compare gives what is compared, the limit, and how many times the limit it is.
// What is compared is the time inside the handler, 0 where it was not measured,
// or else the whole time less the bare handler's for every request. A limit of 0
// gives 0: there is nothing to compare with.
func (y yardstick) compare(whole, inside time.Duration, limit func(name string) time.Duration) (net, best time.Duration, ratio float64) {
	net = max(whole-time.Duration(y.requests)*limit(limitBare), 0)
	if y.requests > 0 && inside > 0 {
		net = inside
	}
	for _, p := range y.parts {
		best += time.Duration(p.times * float64(limit(p.limit)))
	}
	if best == 0 {
		return net, 0, 0
	}
	return net, best, float64(net) / float64(best)
}
