package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/latchkey-id/latchkey/internal/realm"
)

const selectFailures = "SELECT count, last_at, last_ip, locked_until, lockouts FROM failed_logins WHERE realm_id = $1 AND user_id = $2"

func scanFailures(r scanner) (f realm.FailedLogins, err error) {
	var last, locked int64
	err = r.Scan(&f.Count, &last, &f.LastIP, &locked, &f.Lockouts)
	f.LastAt, f.LockedUntil = instant(last), instant(locked)
	return f, err
}

// FailedLogins gives what is counted of an account; nothing counted is the zero value.
func (s *Store) FailedLogins(ctx context.Context, realmID, userID string) (realm.FailedLogins, error) {
	f, err := one(ctx, s.read, scanFailures, selectFailures, realmID, userID)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return f, err
}

// CountLoginAttempt counts a try before its password is looked at, so that tries
// side by side cannot pass the limit (S-83, CVE-2024-4629); whoever is right takes
// it back with ClearFailedLogins. locked says that this try is over already: while
// an account is locked nothing is counted.
func (s *Store) CountLoginAttempt(ctx context.Context, realmID, userID, ip string, b realm.BruteForce) (locked bool, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		// Nothing counted is no row to lock: the tries of one account wait for each other by name.
		if err := s.d.lock(ctx, tx, "login", realmID+"/"+userID); err != nil {
			return err
		}
		f, err := one(ctx, tx, scanFailures, selectFailures+s.d.update, realmID, userID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		now := s.now()
		if locked = now.Before(f.LockedUntil); locked {
			return nil
		}
		f = b.Count(f, now)
		_, err = exec(ctx, tx, `INSERT INTO failed_logins (realm_id, user_id, count, last_at, last_ip, locked_until, lockouts) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (realm_id, user_id) DO UPDATE SET count = excluded.count, last_at = excluded.last_at, last_ip = excluded.last_ip,
				locked_until = excluded.locked_until, lockouts = excluded.lockouts`,
			realmID, userID, f.Count, millis(f.LastAt), ip, millis(f.LockedUntil), f.Lockouts)
		return err
	})
	return locked, err
}

// ClearFailedLogins forgets what was counted: after a right password, or by an
// administrator. userID "" clears the whole realm.
func (s *Store) ClearFailedLogins(ctx context.Context, realmID, userID string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, "DELETE FROM failed_logins WHERE realm_id = $1 AND (user_id = $2 OR $2 = '')", realmID, userID)
		return err
	})
}
