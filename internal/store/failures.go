package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

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

// LoginTry is a try to log in that was counted.
type LoginTry struct {
	Locked bool // the account is locked: this try is over already

	rules         realm.BruteForce
	before, after realm.FailedLogins
}

// CountLoginAttempt counts a try before its password is looked at, so that tries
// side by side cannot pass the limit (S-83, CVE-2024-4629); whoever is right takes
// it back with ClearFailedLogins. While an account is locked nothing of it is
// counted, and the try is written like one of nobody's.
func (s *Store) CountLoginAttempt(ctx context.Context, realmID, userID, ip string, b realm.BruteForce) (t LoginTry, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		f, err := s.lockFailures(ctx, tx, realmID, userID)
		if err != nil {
			return err
		}
		now := s.now().Truncate(time.Millisecond) // as it reads back
		if t = (LoginTry{Locked: now.Before(f.LockedUntil)}); t.Locked {
			return s.countNobody(ctx, tx, realmID, userID)
		}
		t.rules, t.before, t.after = b, f, b.Count(f, now)
		t.after.LastIP = ip
		return writeFailures(ctx, tx, realmID, userID, t.after)
	})
	return t, err
}

// ReturnLoginAttempt takes a try back whose password was never looked at, so that a
// flood of them locks nobody out, not even beside one wrong password. It costs what CountNobody costs.
func (s *Store) ReturnLoginAttempt(ctx context.Context, realmID, userID string, t LoginTry) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if t.Locked {
			return s.countNobody(ctx, tx, realmID, userID)
		}
		f, err := s.lockFailures(ctx, tx, realmID, userID)
		if err != nil {
			return err
		}
		return writeFailures(ctx, tx, realmID, userID, t.rules.Return(f, t.before, t.after))
	})
}

// CountNobody counts a try with a name that no user has. Nothing is done with the
// number: a try that is written takes longer than one that is not, and the time
// must not tell whether an account exists (S-82).
func (s *Store) CountNobody(ctx context.Context, realmID, name string) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return s.countNobody(ctx, tx, realmID, name) })
}

// countNobody spreads over 256 rows, so that names from outside cannot fill the
// disk and tries side by side do not wait for one row.
func (s *Store) countNobody(ctx context.Context, tx *sql.Tx, realmID, name string) error {
	sum := sha256.Sum256([]byte(name))
	row := "nobody-" + hex.EncodeToString(sum[:1]) // no user's id: those are UUIDs
	f, err := s.lockFailures(ctx, tx, realmID, row)
	if err != nil {
		return err
	}
	return writeFailures(ctx, tx, realmID, row, realm.FailedLogins{Count: f.Count + 1, LastAt: s.now()})
}

func (s *Store) lockFailures(ctx context.Context, tx *sql.Tx, realmID, userID string) (realm.FailedLogins, error) {
	// Nothing counted is no row to lock: the tries of one account wait for each other by name.
	if err := s.d.lock(ctx, tx, "login", realmID+"/"+userID); err != nil {
		return realm.FailedLogins{}, err
	}
	f, err := one(ctx, tx, scanFailures, selectFailures+s.d.update, realmID, userID)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return f, err
}

func writeFailures(ctx context.Context, tx *sql.Tx, realmID, userID string, f realm.FailedLogins) error {
	_, err := exec(ctx, tx, `INSERT INTO failed_logins (realm_id, user_id, count, last_at, last_ip, locked_until, lockouts) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (realm_id, user_id) DO UPDATE SET count = excluded.count, last_at = excluded.last_at, last_ip = excluded.last_ip,
			locked_until = excluded.locked_until, lockouts = excluded.lockouts`,
		realmID, userID, f.Count, millis(f.LastAt), f.LastIP, millis(f.LockedUntil), f.Lockouts)
	return err
}

// ClearFailedLogins forgets what was counted: after a right password, or by an
// administrator. userID "" clears the whole realm.
func (s *Store) ClearFailedLogins(ctx context.Context, realmID, userID string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, "DELETE FROM failed_logins WHERE realm_id = $1 AND (user_id = $2 OR $2 = '')", realmID, userID)
		return err
	})
}
