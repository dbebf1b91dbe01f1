package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// CreateRefreshFamily starts a line of refresh tokens, while the gates hold and the
// client's part of the session is the one that began at Part; zero: any that lives.
func (s *Store) CreateRefreshFamily(ctx context.Context, f realm.RefreshFamily, g Gates) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.guard(ctx, tx, g); err != nil {
			return err
		}
		if err := s.guardClientSession(ctx, tx, f); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `INSERT INTO refresh_families (id, realm_id, client_id, user_id, session_id, scope, nonce, auth_time, acr, generation, uses, rotated_at,
			started_at, expires_at, revoked_at, offline) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, $10, $10, $11, 0, $12)`,
			f.ID, f.RealmID, f.ClientID, f.UserID, f.SessionID, f.Scope, f.Nonce, millis(f.AuthTime), f.ACR, millis(s.now()), millis(f.ExpiresAt), f.Offline)
		return err
	})
}

// guardClientSession: a code that was replayed while it is being exchanged has
// ended the client's part of the session; nothing may follow, not even when
// single sign-on has begun the part anew meanwhile.
func (s *Store) guardClientSession(ctx context.Context, tx *sql.Tx, f realm.RefreshFamily) error {
	_, err := one(ctx, tx, scanInt, "SELECT 1 FROM client_sessions WHERE session_id = $1 AND client_id = $2 AND ended_at = 0 AND (started_at = $3 OR $3 = 0)"+s.d.share,
		f.SessionID, f.ClientID, millis(f.Part))
	if errors.Is(err, ErrNotFound) {
		return ErrGateMoved
	}
	return err
}

const selectFamily = `SELECT id, realm_id, client_id, user_id, session_id, scope, nonce, auth_time, acr, generation, uses, rotated_at, started_at, expires_at,
	revoked_at, offline, ` + partStarted + ` FROM refresh_families g WHERE realm_id = $1 AND id = $2`

func scanFamily(row scanner) (*realm.RefreshFamily, error) {
	f := &realm.RefreshFamily{}
	var auth, rotated, started, expires, revoked, part int64
	err := row.Scan(&f.ID, &f.RealmID, &f.ClientID, &f.UserID, &f.SessionID, &f.Scope, &f.Nonce, &auth, &f.ACR, &f.Generation, &f.Uses, &rotated, &started,
		&expires, &revoked, &f.Offline, &part)
	f.Part = instant(part)
	f.AuthTime, f.RotatedAt, f.StartedAt, f.ExpiresAt, f.RevokedAt = instant(auth), instant(rotated), instant(started), instant(expires), instant(revoked)
	return f, err
}

// RefreshFamily gives a family, a revoked one too: RevokedAt says so.
func (s *Store) RefreshFamily(ctx context.Context, realmID, id string) (*realm.RefreshFamily, error) {
	return byKeys(ctx, s, scanFamily, selectFamily, realmID, id)
}

// Rotate says how RotateRefresh decides.
type Rotate struct {
	Generation int64         // of the token that was sent
	Rotation   bool          // each use makes the next generation
	MaxReuse   int           // uses of one generation beyond the first (refreshTokenMaxReuse)
	Grace      time.Duration // in which the token just replaced gets the same successor again
	ExpiresAt  time.Time     // the family's new expiry
}

// RotateRefresh uses a refresh token: use check, rotation, successor and the
// session's sign of life are one transaction (S-31). It returns the family as it is then. Without rotation the
// generation stays. A generation that is older than the grace allows ends the
// family in the same transaction and returns ErrUsed; ErrGateMoved: decide again.
func (s *Store) RotateRefresh(ctx context.Context, realmID, id string, r Rotate, g Gates) (*realm.RefreshFamily, error) {
	var after *realm.RefreshFamily
	reused := false
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.guard(ctx, tx, g); err != nil {
			return err
		}
		f, err := one(ctx, tx, scanFamily, selectFamily+s.d.update, realmID, id)
		if err != nil {
			return err
		}
		now := s.now()
		if !f.RevokedAt.IsZero() || !f.ExpiresAt.After(now) {
			return ErrNotFound
		}
		after, reused = rotated(*f, r, now)
		if reused {
			return revokeFamily(ctx, tx, f, millis(now))
		}
		if f.Part.IsZero() {
			return ErrGateMoved
		}
		if err := touchSession(ctx, tx, f, now); err != nil {
			return err
		}
		return must(ctx, tx, ErrGateMoved, `UPDATE refresh_families SET generation = $1, uses = $2, rotated_at = $3, expires_at = $4
			WHERE realm_id = $5 AND id = $6 AND generation = $7 AND uses = $8 AND revoked_at = 0`,
			after.Generation, after.Uses, millis(after.RotatedAt), millis(after.ExpiresAt), realmID, id, f.Generation, f.Uses)
	})
	if err == nil && reused {
		return nil, ErrUsed
	}
	return after, err
}

// rotated decides what a use does to the family: pure, so that it is tested as
// a table.
func rotated(f realm.RefreshFamily, r Rotate, now time.Time) (after *realm.RefreshFamily, reused bool) {
	f.ExpiresAt = r.ExpiresAt
	switch {
	case !r.Rotation && r.Generation == f.Generation:
		return &f, false
	case r.Generation == f.Generation && f.Uses < r.MaxReuse:
		f.Uses++
		return &f, false
	case r.Generation == f.Generation:
		f.Generation, f.Uses, f.RotatedAt = f.Generation+1, 0, now
		return &f, false
	case r.Generation == f.Generation-1 && f.Uses == 0 && now.Sub(f.RotatedAt) < r.Grace:
		return &f, false // the answer was lost on its way: the same successor once more (S-32)
	}
	return nil, true
}

// revokeFamily ends the family, the client's part of the session, and with it
// the other families and the codes of that part: what they would give out is dead at birth.
func revokeFamily(ctx context.Context, tx *sql.Tx, f *realm.RefreshFamily, now int64) error {
	for _, q := range []string{
		"UPDATE client_sessions SET ended_at = $1 WHERE session_id = $2 AND client_id = $3 AND ended_at = 0",
		"UPDATE codes SET expires_at = $1 WHERE session_id = $2 AND client_id = $3 AND used_at = 0 AND expires_at > $1",
	} {
		if _, err := exec(ctx, tx, q, now, f.SessionID, f.ClientID); err != nil {
			return err
		}
	}
	_, err := exec(ctx, tx, `UPDATE refresh_families SET revoked_at = $1 WHERE session_id = $2 AND client_id = $3 AND revoked_at = 0 AND (offline = $4 OR id = $5)`,
		now, f.SessionID, f.ClientID, f.Offline, f.ID)
	return err
}
