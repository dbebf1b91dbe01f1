package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// tombstones stay this long behind expiry, so that a replay is still noticed.
const tombstones = time.Hour

// remembered is how long a session stays behind its end: who asks what became of
// it finds it, and a realm whose lifespans are made longer finds those of today.
const remembered = 24 * time.Hour

// Sweep deletes what expired an hour ago, and sessions that are over since a day,
// whether somebody ended them or nobody did, in batches, and passes over what
// another node is at. Nothing depends on it: expiry is decided when a row is read
// (S-38).
func (s *Store) Sweep(ctx context.Context) (int64, error) {
	now := s.now()
	var total int64
	for _, q := range []string{
		"DELETE FROM auth_requests WHERE id IN (SELECT id FROM auth_requests WHERE expires_at < $2 LIMIT $1",
		"DELETE FROM codes WHERE hash IN (SELECT hash FROM codes WHERE expires_at < $2 LIMIT $1",
		"DELETE FROM used_once WHERE (realm_id, kind, value) IN (SELECT realm_id, kind, value FROM used_once WHERE expires_at < $2 LIMIT $1",
		"DELETE FROM links WHERE hash IN (SELECT hash FROM links WHERE expires_at < $2 LIMIT $1",
		"DELETE FROM refresh_families WHERE id IN (SELECT id FROM refresh_families WHERE expires_at < $2 LIMIT $1",
	} {
		n, err := s.inBatches(ctx, q, millis(now.Add(-tombstones)))
		total += n
		if err != nil {
			return total, err
		}
	}
	// The last sign of life is before the end, and has an index.
	n, err := s.inBatches(ctx, "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE last_seen_at < $2 AND ended_at > 0 AND ended_at < $2 LIMIT $1", millis(now.Add(-remembered)))
	if total += n; err != nil {
		return total, err
	}
	n, err = s.sweepIdle(ctx, now.Add(-remembered))
	return total + n, err
}

// sweepIdle deletes sessions that show no sign of life for longer than their realm
// allows any. One that has lived for too long shows none either. Offline sessions
// have limits of their own.
func (s *Store) sweepIdle(ctx context.Context, now time.Time) (int64, error) {
	realms, err := s.Realms(ctx)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, r := range realms {
		idle := realm.Seconds(max(r.Lifespans.SSOSessionIdle, r.Lifespans.SSOSessionIdleRememberMe))
		n, err := s.inBatches(ctx, `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE last_seen_at < $2 AND realm_id = $3 AND ended_at = 0 AND NOT offline LIMIT $1`,
			millis(now.Add(-idle)), r.ID)
		if total += n; err != nil {
			return total, err
		}
	}
	return total, nil
}

// inBatches runs a DELETE whose first argument is how many rows it may take, and
// whose last parenthesis is open for the lock, until it finds fewer.
func (s *Store) inBatches(ctx context.Context, query string, args ...any) (total int64, err error) {
	const batch = 1000
	args = append([]any{batch}, args...)
	for n := int64(batch); n == batch; total += n {
		err := s.tx(ctx, func(tx *sql.Tx) (err error) {
			n, err = exec(ctx, tx, query+s.d.skipLocked+")", args...)
			return err
		})
		if err != nil {
			return total, err
		}
	}
	return total, nil
}
