package realm

import "time"

// Count is what one more wrong password makes of an account's failures, with
// Keycloak's rules: a pause longer than MaxDeltaTime starts anew; every
// FailureFactor failures the account waits longer, at most MaxFailureWait; two
// tries within QuickLoginCheckMillis wait at least MinimumQuickLoginWait.
func (b BruteForce) Count(f FailedLogins, now time.Time) FailedLogins {
	if f.Count > 0 && now.Sub(f.LastAt) > Seconds(b.MaxDeltaTime) {
		f = FailedLogins{}
	}
	quick := f.Count > 0 && now.Sub(f.LastAt) < time.Duration(b.QuickLoginCheckMillis)*time.Millisecond
	f.Count, f.LastAt = f.Count+1, now
	wait := b.wait(f.Count)
	if wait > 0 { // a lock for being quick is none of these
		f.Lockouts++
	} else if quick {
		wait = Seconds(b.MinimumQuickLoginWait)
	}
	if wait = min(wait, Seconds(b.MaxFailureWait)); wait > 0 {
		f.LockedUntil = now.Add(wait)
	}
	return f
}

// Return takes a try back out of f that Count made after of before. What others
// counted since stays; a lock stays as long as what is left of the count asks for.
func (b BruteForce) Return(f, before, after FailedLogins) FailedLogins {
	if f.Count == after.Count && f.LastAt.Equal(after.LastAt) && f.LockedUntil.Equal(after.LockedUntil) {
		return before
	}
	counted := b.locked(f.Count) > 0 && f.LockedUntil.Equal(f.LastAt.Add(b.locked(f.Count)))
	f.Count = max(f.Count-1, 0)
	switch wait := b.locked(f.Count); {
	case counted && wait > 0:
		f.LockedUntil = f.LastAt.Add(wait)
	case counted:
		f.LockedUntil, f.Lockouts = time.Time{}, max(f.Lockouts-1, 0)
	case !after.LockedUntil.Equal(before.LockedUntil) && f.LockedUntil.Equal(after.LockedUntil): // the try itself was too quick
		f.LockedUntil = before.LockedUntil
	}
	return f
}

// locked is how long the count alone locks.
func (b BruteForce) locked(count int) time.Duration {
	return min(b.wait(count), Seconds(b.MaxFailureWait))
}

func (b BruteForce) wait(count int) time.Duration {
	factor := max(b.FailureFactor, 1)
	if b.Strategy == "LINEAR" {
		return Seconds(max(b.WaitIncrement*(1+count-factor), 0))
	}
	return Seconds(b.WaitIncrement * (count / factor))
}
