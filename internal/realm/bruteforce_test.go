package realm_test

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
)

func TestBruteForceCount(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	b := realm.BruteForce{FailureFactor: 3, WaitIncrement: 60, MaxFailureWait: 150, MinimumQuickLoginWait: 30, QuickLoginCheckMillis: 1000, MaxDeltaTime: 3600}
	linear := b
	linear.Strategy = "LINEAR"
	for _, c := range []struct {
		name   string
		rules  realm.BruteForce
		before realm.FailedLogins
		count  int
		wait   time.Duration
	}{
		{"the first", b, realm.FailedLogins{}, 1, 0},
		{"the second", b, realm.FailedLogins{Count: 1, LastAt: now.Add(-time.Minute)}, 2, 0},
		{"the third waits", b, realm.FailedLogins{Count: 2, LastAt: now.Add(-time.Minute)}, 3, time.Minute},
		{"the sixth waits longer", b, realm.FailedLogins{Count: 5, LastAt: now.Add(-time.Minute)}, 6, 2 * time.Minute},
		{"never longer than the most", b, realm.FailedLogins{Count: 29, LastAt: now.Add(-time.Minute)}, 30, 150 * time.Second},
		{"too quick", b, realm.FailedLogins{Count: 1, LastAt: now.Add(-time.Millisecond)}, 2, 30 * time.Second},
		{"after a long pause it starts anew", b, realm.FailedLogins{Count: 2, LastAt: now.Add(-2 * time.Hour)}, 1, 0},
		{"linear, below the factor", linear, realm.FailedLogins{Count: 1, LastAt: now.Add(-time.Minute)}, 2, 0},
		{"linear", linear, realm.FailedLogins{Count: 3, LastAt: now.Add(-time.Minute)}, 4, 2 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.rules.Count(c.before, now)
			wait := time.Duration(0)
			if !got.LockedUntil.IsZero() {
				wait = got.LockedUntil.Sub(now)
			}
			if got.Count != c.count || wait != c.wait {
				t.Errorf("count %d, wait %v; want %d, %v", got.Count, wait, c.count, c.wait)
			}
			if lockout := wait > 0 && c.name != "too quick"; (got.Lockouts == 1) != lockout {
				t.Errorf("%d lockouts: those for being quick are not counted, the others are", got.Lockouts)
			}
		})
	}
}

func TestATryIsTakenBack(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	b := realm.BruteForce{FailureFactor: 3, WaitIncrement: 60, MaxFailureWait: 150, MaxDeltaTime: 3600, MinimumQuickLoginWait: 30, QuickLoginCheckMillis: 1000}
	none := realm.FailedLogins{}
	one := b.Count(none, now)
	two := b.Count(one, now.Add(time.Second))
	three := b.Count(two, now.Add(2*time.Second))
	tooQuick := b.Count(one, now.Add(time.Millisecond))
	for _, c := range []struct {
		name             string
		now, was, became realm.FailedLogins
		count, lockouts  int
		locked           bool
	}{
		{"the only one", one, none, one, 0, 0, false},
		{"another one came", two, none, one, 1, 0, false},
		{"the one that locked", three, two, three, 2, 0, false},
		{"the one that locked, after another was taken back", b.Return(three, none, one), two, three, 1, 0, false},
		{"the one before the one that locked: two are no three", three, one, two, 2, 0, false},
		{"one of four wrong ones: three still lock", b.Count(three, now.Add(2*time.Minute)), one, two, 3, 2, true},
		{"one before another that was too quick", tooQuick, none, one, 1, 0, true},
		{"the one that was too quick, after another was taken back", b.Return(tooQuick, none, one), one, tooQuick, 0, 0, false},
		{"cleared meanwhile", none, none, one, 0, 0, false},
	} {
		got := b.Return(c.now, c.was, c.became)
		if got.Count != c.count || got.Lockouts != c.lockouts || got.LockedUntil.IsZero() == c.locked {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
