package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
)

func insertSession(ctx context.Context, tx *sql.Tx, n realm.Session) error {
	_, err := exec(ctx, tx, `INSERT INTO sessions (id, realm_id, user_id, token_hash, started_at, last_seen_at, auth_time, ended_at, remember_me, methods, ip,
		user_agent, offline) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11, $12)`,
		n.ID, n.RealmID, n.UserID, n.TokenHash, millis(n.StartedAt), millis(n.LastSeenAt), millis(n.AuthTime), n.RememberMe,
		strings.Join(n.Methods, " "), n.IP, printable(n.UserAgent), n.Offline)
	return err
}

// printable makes a header's bytes, which may be any, a text that both engines keep.
func printable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// startClientSession begins a client's part of a session, or goes on with the one
// that is there. One that ended, or has lived as long as it may, begins anew, at
// another moment than before whatever the nodes' clocks say: by its beginning the
// access tokens of one life of the part are told from those of another.
func startClientSession(ctx context.Context, tx *sql.Tx, c realm.ClientSession, most time.Duration) error {
	over := int64(-1) // nothing is as old
	if most > 0 {
		over = millis(c.StartedAt.Add(-most))
	}
	_, err := exec(ctx, tx, `INSERT INTO client_sessions (session_id, client_id, realm_id, started_at, last_seen_at, scope, redirect_uri, ended_at)
		VALUES ($1, $2, $3, $4, $4, $5, $6, 0)
		ON CONFLICT (session_id, client_id) DO UPDATE SET last_seen_at = excluded.last_seen_at, scope = excluded.scope,
			redirect_uri = excluded.redirect_uri, ended_at = 0,
			started_at = CASE WHEN client_sessions.ended_at = 0 AND client_sessions.started_at > $7 THEN client_sessions.started_at
				WHEN client_sessions.started_at < excluded.started_at THEN excluded.started_at ELSE client_sessions.started_at + 1 END`,
		c.SessionID, c.ClientID, c.RealmID, millis(c.StartedAt), c.Scope, c.RedirectURI, over)
	return err
}

// CreateSession makes a session without a browser, for a grant that logs a user
// in by itself, with the client's part of it, while the gates hold.
func (s *Store) CreateSession(ctx context.Context, n realm.Session, c realm.ClientSession, g Gates) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.guard(ctx, tx, g); err != nil {
			return err
		}
		if err := insertSession(ctx, tx, n); err != nil {
			return err
		}
		return startClientSession(ctx, tx, c, 0)
	})
}

const selectSession = `SELECT id, realm_id, user_id, token_hash, started_at, last_seen_at, auth_time, ended_at, remember_me, methods, ip, user_agent, offline
	FROM sessions `

func scanSession(row scanner) (*realm.Session, error) {
	n := &realm.Session{}
	var started, seen, auth, ended int64
	var methods string
	err := row.Scan(&n.ID, &n.RealmID, &n.UserID, &n.TokenHash, &started, &seen, &auth, &ended, &n.RememberMe, &methods, &n.IP, &n.UserAgent, &n.Offline)
	n.StartedAt, n.LastSeenAt, n.AuthTime, n.EndedAt = instant(started), instant(seen), instant(auth), instant(ended)
	n.Methods = strings.Fields(methods)
	return n, err
}

// Session gives a session, an ended one too: EndedAt says so.
func (s *Store) Session(ctx context.Context, realmID, id string) (*realm.Session, error) {
	return one(ctx, s.read, scanSession, selectSession+"WHERE realm_id = $1 AND id = $2", realmID, id)
}

// SessionByToken gives the session whose cookie has this hash, if it was not ended.
func (s *Store) SessionByToken(ctx context.Context, realmID string, tokenHash []byte) (*realm.Session, error) {
	return one(ctx, s.read, scanSession, selectSession+"WHERE realm_id = $1 AND token_hash = $2 AND ended_at = 0", realmID, tokenHash)
}

// UserSessions gives a user's sessions that were not ended, newest first.
func (s *Store) UserSessions(ctx context.Context, realmID, userID string) ([]*realm.Session, error) {
	return list(ctx, s.read, scanSession, selectSession+"WHERE realm_id = $1 AND user_id = $2 AND ended_at = 0 ORDER BY started_at DESC", realmID, userID)
}

// ClientSession gives one client's part of a session, an ended one too.
func (s *Store) ClientSession(ctx context.Context, realmID, sessionID, clientID string) (*realm.ClientSession, error) {
	return one(ctx, s.read, scanClientSession, `SELECT session_id, client_id, realm_id, started_at, last_seen_at, scope, redirect_uri, ended_at
		FROM client_sessions WHERE realm_id = $1 AND session_id = $2 AND client_id = $3`, realmID, sessionID, clientID)
}

// ClientSessions gives the clients' parts of a session that were not ended.
func (s *Store) ClientSessions(ctx context.Context, realmID, sessionID string) ([]*realm.ClientSession, error) {
	return list(ctx, s.read, scanClientSession, `SELECT session_id, client_id, realm_id, started_at, last_seen_at, scope, redirect_uri, ended_at
		FROM client_sessions WHERE realm_id = $1 AND session_id = $2 AND ended_at = 0 ORDER BY started_at`, realmID, sessionID)
}

// partStarted is when the part of a session began that a row g was given out in, 0
// where it ended.
const partStarted = "coalesce((SELECT p.started_at FROM client_sessions p WHERE p.session_id = g.session_id AND p.client_id = g.client_id AND p.ended_at = 0), 0)"

func scanClientSession(row scanner) (*realm.ClientSession, error) {
	c := &realm.ClientSession{}
	var started, seen, ended int64
	err := row.Scan(&c.SessionID, &c.ClientID, &c.RealmID, &started, &seen, &c.Scope, &c.RedirectURI, &ended)
	c.StartedAt, c.LastSeenAt, c.EndedAt = instant(started), instant(seen), instant(ended)
	return c, err
}

// touchSession moves a session's last sign of life to now. Within ten seconds of
// the last one nothing is written.
func touchSession(ctx context.Context, tx *sql.Tx, f *realm.RefreshFamily, now time.Time) error {
	_, err := exec(ctx, tx, "UPDATE sessions SET last_seen_at = $1 WHERE realm_id = $2 AND id = $3 AND ended_at = 0 AND last_seen_at < $4",
		millis(now), f.RealmID, f.SessionID, millis(now.Add(-10*time.Second)))
	return err
}

// EndSession ends a session with everything given out in it, in one
// transaction. The row stays as a tombstone that no later write undoes (I4).
func (s *Store) EndSession(ctx context.Context, realmID, id string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		_, err := s.endSessions(ctx, tx, "realm_id = $2 AND id = $3", realmID, id)
		return err
	})
}

// EndUserSessions ends all sessions of a user and raises the user's gate.
func (s *Store) EndUserSessions(ctx context.Context, realmID, userID string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := must(ctx, tx, ErrNotFound, "UPDATE users SET gate = gate + 1 WHERE realm_id = $1 AND id = $2", realmID, userID); err != nil {
			return err
		}
		_, err := s.endSessions(ctx, tx, "realm_id = $2 AND user_id = $3", realmID, userID)
		return err
	})
}

// LogOutUser is EndUserSessions for somebody who is sent away: nothing that was given
// out before now is worth anything, a service account's tokens, which no session
// keeps, included.
func (s *Store) LogOutUser(ctx context.Context, realmID, userID string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		// Nobody else writes the row from here on: what is read is what is written back.
		if err := must(ctx, tx, ErrNotFound, "UPDATE users SET gate = gate + 1, version = version + 1 WHERE realm_id = $1 AND id = $2", realmID, userID); err != nil {
			return err
		}
		u, err := one(ctx, tx, scanUser, selectUser+"WHERE realm_id = $1 AND id = $2", realmID, userID)
		if err != nil {
			return err
		}
		u.NotBefore = s.now().Unix()
		doc, err := userDoc(u)
		if err != nil {
			return err
		}
		if _, err := exec(ctx, tx, "UPDATE users SET doc = $1 WHERE realm_id = $2 AND id = $3", doc, realmID, userID); err != nil {
			return err
		}
		_, err = s.endSessions(ctx, tx, "realm_id = $2 AND user_id = $3", realmID, userID)
		return err
	})
}

func (s *Store) endSessions(ctx context.Context, tx *sql.Tx, where string, args ...any) (int, error) {
	now := millis(s.now())
	ids, err := list(ctx, tx, scanText, "UPDATE sessions SET ended_at = $1, token_hash = NULL WHERE "+where+" AND ended_at = 0 RETURNING id", append([]any{now}, args...)...)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		for _, q := range []string{
			"UPDATE client_sessions SET ended_at = $1 WHERE session_id = $2 AND ended_at = 0",
			"UPDATE refresh_families SET revoked_at = $1 WHERE session_id = $2 AND revoked_at = 0 AND NOT offline",
			"UPDATE codes SET expires_at = $1 WHERE session_id = $2 AND used_at = 0 AND expires_at > $1",
		} {
			if _, err := exec(ctx, tx, q, now, id); err != nil {
				return 0, err
			}
		}
	}
	return len(ids), nil
}

// EndClientSession ends one client's part of a session with its refresh tokens:
// what a replayed code or refresh token leads to (RFC 6749, section 4.1.2).
func (s *Store) EndClientSession(ctx context.Context, realmID, sessionID, clientID string) error {
	now := millis(s.now())
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.lockSession(ctx, tx, realmID, sessionID); err != nil {
			return err
		}
		for _, q := range []string{
			"UPDATE client_sessions SET ended_at = $1 WHERE realm_id = $2 AND session_id = $3 AND client_id = $4 AND ended_at = 0",
			"UPDATE refresh_families SET revoked_at = $1 WHERE realm_id = $2 AND session_id = $3 AND client_id = $4 AND revoked_at = 0",
			"UPDATE codes SET expires_at = $1 WHERE realm_id = $2 AND session_id = $3 AND client_id = $4 AND used_at = 0 AND expires_at > $1",
		} {
			if _, err := exec(ctx, tx, q, now, realmID, sessionID, clientID); err != nil {
				return err
			}
		}
		return nil
	})
}

// lockSession makes a session this transaction's, as guard does. One that is not
// there is no error.
func (s *Store) lockSession(ctx context.Context, tx *sql.Tx, realmID, id string) error {
	_, err := list(ctx, tx, scanInt, "SELECT 1 FROM sessions WHERE realm_id = $1 AND id = $2"+s.d.update, realmID, id)
	return err
}
