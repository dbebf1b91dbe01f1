package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// Alive says from when on a session still lives: with and without remember me.
// An expired session is not ended by anybody; it just is no longer counted.
type Alive struct {
	Seen, Started, RememberSeen, RememberStarted time.Time
	Offline                                      bool // offline sessions, and no others
}

const alive = ` AND s.ended_at = 0 AND s.offline = $7 AND ((NOT s.remember_me AND s.last_seen_at > $3 AND s.started_at > $4)
	OR (s.remember_me AND s.last_seen_at > $5 AND s.started_at > $6))`

func (a Alive) args(realmID, id string) []any {
	return []any{realmID, id, millis(a.Seen), millis(a.Started), millis(a.RememberSeen), millis(a.RememberStarted), a.Offline}
}

// LiveSession is a session as administrators see it.
type LiveSession struct {
	realm.Session
	Username string
	Clients  map[string]string // client UUID → client_id
}

const selectLive = `SELECT s.id, s.user_id, u.username, s.started_at, s.last_seen_at, s.remember_me, s.ip FROM sessions s JOIN users u ON u.id = s.user_id
	WHERE s.realm_id = $1 AND `

// LiveUserSessions gives a user's living sessions, newest first.
func (s *Store) LiveUserSessions(ctx context.Context, realmID, userID string, a Alive, first, limit int) ([]LiveSession, error) {
	return s.liveSessions(ctx, "s.user_id = $2", a, realmID, userID, first, limit)
}

// LiveClientSessions gives the living sessions in which a client takes part.
func (s *Store) LiveClientSessions(ctx context.Context, realmID, clientID string, a Alive, first, limit int) ([]LiveSession, error) {
	return s.liveSessions(ctx, "s.id IN (SELECT session_id FROM client_sessions WHERE client_id = $2 AND ended_at = 0)", a, realmID, clientID, first, limit)
}

func (s *Store) liveSessions(ctx context.Context, condition string, a Alive, realmID, id string, first, limit int) ([]LiveSession, error) {
	found, err := list(ctx, s.read, func(r scanner) (l LiveSession, err error) {
		var started, seen int64
		err = r.Scan(&l.ID, &l.UserID, &l.Username, &started, &seen, &l.RememberMe, &l.IP)
		l.StartedAt, l.LastSeenAt = instant(started), instant(seen)
		return l, err
	}, selectLive+condition+alive+" ORDER BY s.started_at DESC, s.id LIMIT $8 OFFSET $9", append(a.args(realmID, id), atMost(limit), max(first, 0))...)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].Clients, err = s.clientsOf(ctx, realmID, found[i].ID); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (s *Store) clientsOf(ctx context.Context, realmID, sessionID string) (map[string]string, error) {
	pairs, err := list(ctx, s.read, scanPair, `SELECT c.id, c.client_id FROM client_sessions p JOIN clients c ON c.id = p.client_id
		WHERE p.realm_id = $1 AND p.session_id = $2 AND p.ended_at = 0`, realmID, sessionID)
	out := map[string]string{}
	for _, p := range pairs {
		out[p[0]] = p[1]
	}
	return out, err
}

func scanPair(r scanner) (p [2]string, err error) {
	err = r.Scan(&p[0], &p[1])
	return p, err
}

// SessionCount is how many living sessions a client takes part in.
type SessionCount struct {
	ID, ClientID string
	Count        int
}

// CountClientSessions counts the living sessions of one client.
func (s *Store) CountClientSessions(ctx context.Context, realmID, clientID string, a Alive) (int, error) {
	return one(ctx, s.read, func(r scanner) (n int, err error) { err = r.Scan(&n); return }, `SELECT count(*) FROM client_sessions p JOIN sessions s ON s.id = p.session_id
		WHERE p.realm_id = $1 AND p.client_id = $2 AND p.ended_at = 0`+alive, a.args(realmID, clientID)...)
}

// ClientSessionCounts counts the living sessions of every client that has some.
func (s *Store) ClientSessionCounts(ctx context.Context, realmID string, a Alive) ([]SessionCount, error) {
	return list(ctx, s.read, func(r scanner) (c SessionCount, err error) { err = r.Scan(&c.ID, &c.ClientID, &c.Count); return }, `SELECT c.id, c.client_id, count(*)
		FROM client_sessions p JOIN sessions s ON s.id = p.session_id JOIN clients c ON c.id = p.client_id
		WHERE p.realm_id = $1 AND c.realm_id = $2 AND p.ended_at = 0`+alive+" GROUP BY c.id, c.client_id ORDER BY c.client_id", a.args(realmID, realmID)...)
}

// LogoutAll ends every session of a realm with everything given out in them, and
// writes the realm's new not-before, in one transaction. ErrConflict: the realm
// was changed since it was read.
func (s *Store) LogoutAll(ctx context.Context, r *realm.Realm) error {
	doc, sealed, err := s.realmDoc(r)
	if err != nil {
		return err
	}
	now := millis(s.now())
	return s.change(ctx, r.ID, func(tx *sql.Tx) error {
		if err := must(ctx, tx, ErrConflict, "UPDATE realms SET doc = $1, sealed = $2 WHERE id = $3 AND version = $4", doc, sealed, r.ID, r.Version); err != nil {
			return err
		}
		for _, q := range []string{
			"UPDATE sessions SET ended_at = $1, token_hash = NULL WHERE realm_id = $2 AND ended_at = 0",
			"UPDATE client_sessions SET ended_at = $1 WHERE realm_id = $2 AND ended_at = 0",
			"UPDATE refresh_families SET revoked_at = $1 WHERE realm_id = $2 AND revoked_at = 0 AND NOT offline",
			"UPDATE codes SET expires_at = $1 WHERE realm_id = $2 AND used_at = 0 AND expires_at > $1",
		} {
			if _, err := exec(ctx, tx, q, now, r.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// Forget drops what is kept in memory of a realm: it is read anew.
func (s *Store) Forget(realmID string) { s.cache.drop(realmID) }
