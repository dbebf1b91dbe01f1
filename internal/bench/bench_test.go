package bench

import (
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
			total := time.Duration(0)
			for b.Loop() {
				took, err := sc.run(b.Context(), o.server, o.server.inside)
				if err != nil {
					b.Fatal(err)
				}
				total += took
			}
			b.ReportMetric(float64(total.Nanoseconds())/float64(b.N), "inside-ns/op")
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

// The same requests at another server: the realm is made with its administrator
// and is gone afterwards; beside it stands the own provider.
func TestRunAtATarget(t *testing.T) {
	there, err := startOwn(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(there.close)
	o := Options{Runs: 1, Time: time.Minute, Dir: t.TempDir(), Progress: io.Discard, Target: there.base, Admin: there.admin, Password: there.password, Beside: true}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Servers) != 2 || r.Servers[1].Name != there.base {
		t.Fatalf("%+v", r.Servers)
	}
	for _, f := range r.Servers[1].Figures {
		if f.Median <= 0 || f.Inside != 0 {
			t.Errorf("%+v", f)
		}
	}
	realms, err := there.store.Realms(t.Context())
	if err != nil || len(realms) != 1 {
		t.Errorf("%d realms are left, %v", len(realms), err)
	}
}

func TestOptionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
	}{
		{"no run", Options{Time: time.Second}},
		{"too many", Options{Runs: MostRuns + 1, Time: time.Second}},
		{"no time", Options{Runs: 1}},
		{"too long", Options{Runs: 1, Time: MostTime + 1}},
		{"nobody to make a realm", Options{Runs: 1, Time: time.Second, Target: "http://127.0.0.1:1"}},
		{"another machine", Options{Runs: 1, Time: time.Second, Target: "http://sso.example", Admin: "a"}},
		{"a name that begins like this machine", Options{Runs: 1, Time: time.Second, Target: "http://localhost.sso.example", Admin: "a"}},
		{"an address of the network", Options{Runs: 1, Time: time.Second, Target: "http://192.0.2.1:8080", Admin: "a"}},
		{"another host than the one named", Options{Runs: 1, Time: time.Second, Target: "http://b.example", Remote: "a.example", Admin: "a"}},
		{"no scheme", Options{Runs: 1, Time: time.Second, Target: "127.0.0.1:8080", Admin: "a"}},
		{"a file", Options{Runs: 1, Time: time.Second, Target: "file:///etc/passwd", Admin: "a"}},
		{"a user in the URL", Options{Runs: 1, Time: time.Second, Target: "http://a:b@127.0.0.1", Admin: "a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Dir, c.o.Progress = t.TempDir(), io.Discard
			if _, err := Run(t.Context(), c.o); !errors.Is(err, ErrOptions) {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, o := range []Options{
		{Runs: 1, Time: time.Second, Target: "https://a.example", Remote: "a.example", Admin: "a"},
		{Runs: 1, Time: time.Second, Target: "http://[::1]:8080", Admin: "a"},
	} {
		if err := o.check(); err != nil {
			t.Errorf("%s: %v", o.Target, err)
		}
	}
}

// A name may lead anywhere: what counts is the address that is dialled.
func TestOnlyLoopbackIsDialled(t *testing.T) {
	for address, want := range map[string]bool{"127.0.0.1:80": true, "[::1]:80": true, "192.0.2.1:80": false, "[2001:db8::1]:80": false, "80": false} {
		if err := loopbackOnly("tcp", address, nil); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
}
