package bench

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

// started is the own provider with a realm and a login.
func started(t testing.TB) (*own, *limits) {
	t.Helper()
	o, err := startOwn(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.close)
	if _, err := prepare(t.Context(), Options{}, o); err != nil {
		t.Fatal(err)
	}
	l, err := newLimits(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return o, l
}

// BenchmarkInside is what the server spends on a request, for the profiler.
func BenchmarkInside(b *testing.B) {
	o, _ := started(b)
	for _, sc := range scenarios() {
		if !sc.again {
			continue
		}
		b.Run(sc.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := sc.run(b.Context(), o.server, o.server.inside); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLimits(b *testing.B) {
	_, l := started(b)
	for _, p := range l.probes() {
		b.Run(p.key, func(b *testing.B) {
			for b.Loop() {
				if _, err := p.run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The whole of it in its least form: every limit and every request is measured
// once, and the realm is gone afterwards.
func TestRunMeasuresEverything(t *testing.T) {
	r, err := Run(t.Context(), Options{Runs: 2, Time: time.Minute, Dir: t.TempDir(), Progress: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if r.Runs != 2 || len(r.Servers) != 1 || len(r.Servers[0].Figures) != len(scenarios()) || len(r.Limits) != len(limitTexts()) {
		t.Fatalf("%+v", r)
	}
	for _, f := range r.Servers[0].Figures {
		if f.Median <= 0 || f.P99 < f.Median || f.Limit <= 0 || f.Ratio <= 0 {
			t.Errorf("%+v", f)
		}
	}
	for _, l := range r.Limits {
		if l.Median <= 0 {
			t.Errorf("%+v", l)
		}
	}
}

var _ = errors.Is
var _ = context.Background
