package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// maxOpenPerBrowser is how many logins may be under way in one browser; the
// oldest goes, so that a page that reloads itself cannot fill the disk.
const maxOpenPerBrowser = 16

// Gates are the facts that a decision was made on. What is handed out is
// written only while they still hold, in the same transaction.
type Gates struct {
	RealmID    string
	UserID     string
	UserGate   int64
	ClientID   string // client's UUID; "" when no client takes part
	ClientGate int64
	SessionID  string // "" while there is no session
}

// guard returns ErrGateMoved unless the gates hold inside this transaction, and
// go on to hold until it commits: the rows are locked, in the order user, client,
// session, which every transaction keeps. A session is one transaction's at a time,
// so that what is given out in it and its end never pass each other.
func (s *Store) guard(ctx context.Context, tx *sql.Tx, g Gates) error {
	return s.guardWith(ctx, tx, g, s.d.share)
}

// guardToChange is guard for a transaction that changes the user itself: two that
// shared the row first would wait for each other.
func (s *Store) guardToChange(ctx context.Context, tx *sql.Tx, g Gates) error {
	return s.guardWith(ctx, tx, g, s.d.update)
}

func (s *Store) guardWith(ctx context.Context, tx *sql.Tx, g Gates, user string) error {
	checks := []struct {
		query string
		args  []any
		skip  bool
	}{
		{"SELECT 1 FROM users WHERE realm_id = $1 AND id = $2 AND gate = $3" + user, []any{g.RealmID, g.UserID, g.UserGate}, false},
		{"SELECT 1 FROM clients WHERE realm_id = $1 AND id = $2 AND gate = $3" + s.d.share, []any{g.RealmID, g.ClientID, g.ClientGate}, g.ClientID == ""},
		{"SELECT 1 FROM sessions WHERE realm_id = $1 AND id = $2 AND ended_at = 0" + s.d.update, []any{g.RealmID, g.SessionID}, g.SessionID == ""},
	}
	for _, c := range checks {
		if c.skip {
			continue
		}
		if _, err := one(ctx, tx, scanInt, c.query, c.args...); err != nil {
			if errors.Is(err, ErrNotFound) {
				return ErrGateMoved
			}
			return err
		}
	}
	return nil
}

// CreateAuthRequest keeps a validated authorization request.
func (s *Store) CreateAuthRequest(ctx context.Context, r *realm.AuthRequest) error {
	params, err := encode(r.Params)
	if err != nil {
		return err
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.lockBrowser(ctx, tx, r.BrowserHash); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `INSERT INTO auth_requests (id, realm_id, client_id, browser_hash, state, params, origin, user_id, session_id, methods,
			auth_time, created_at, expires_at) VALUES ($1, $2, $3, $4, 'open', $5, $6, '', '', '', 0, $7, $8)`,
			r.ID, r.RealmID, r.ClientID, r.BrowserHash, params, r.Origin, millis(r.CreatedAt), millis(r.ExpiresAt))
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `DELETE FROM auth_requests WHERE browser_hash = $1 AND id NOT IN
			(SELECT id FROM auth_requests WHERE browser_hash = $1 ORDER BY created_at DESC, id = $2 DESC LIMIT $3)`, r.BrowserHash, r.ID, maxOpenPerBrowser)
		return err
	})
}

// AuthRequest gives a request that has not expired, or ErrNotFound.
func (s *Store) AuthRequest(ctx context.Context, realmID, id string) (*realm.AuthRequest, error) {
	return one(ctx, s.read, scanAuthRequest, `SELECT id, realm_id, client_id, browser_hash, state, params, origin, user_id, session_id, methods, auth_time,
		remember_me, user_gate, created_at, expires_at FROM auth_requests WHERE realm_id = $1 AND id = $2 AND expires_at > $3`, realmID, id, millis(s.now()))
}

func scanAuthRequest(row scanner) (*realm.AuthRequest, error) {
	r := &realm.AuthRequest{}
	var params, state, methods string
	var auth, created, expires int64
	err := row.Scan(&r.ID, &r.RealmID, &r.ClientID, &r.BrowserHash, &state, &params, &r.Origin, &r.UserID, &r.SessionID, &methods, &auth,
		&r.RememberMe, &r.UserGate, &created, &expires)
	if err != nil {
		return nil, err
	}
	r.State, r.Methods = realm.RequestState(state), strings.Fields(methods)
	r.AuthTime, r.CreatedAt, r.ExpiresAt = instant(auth), instant(created), instant(expires)
	return r, decode(params, &r.Params)
}

// Authentication is what Authenticate writes.
type Authentication struct {
	RequestID      string
	BrowserHash    []byte             // the browser that the request is bound to
	NewBrowserHash []byte             // the value rotates at a login (S-79); the same for single sign-on
	Session        realm.Session      // made in the same transaction
	Existing       bool               // the session is there already: single sign-on, or the same user again
	Proved         bool               // of an existing session: the user proved themselves again, and its cookie is new
	From           realm.RequestState // open, or acting when required actions came between; "" is open
	Gates          Gates
}

// Authenticate moves a request from open (or acting) to authenticated, makes or touches the
// session and binds the browser's other requests to the browser's new value,
// all or nothing. ErrUsed: the request does not stand there in this browser.
func (s *Store) Authenticate(ctx context.Context, a Authentication) error {
	now := millis(s.now())
	if a.From == "" {
		a.From = realm.RequestOpen
	}
	if a.Existing {
		a.Gates.SessionID = a.Session.ID // locked with the rest, before the requests
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.lockBrowser(ctx, tx, a.BrowserHash); err != nil {
			return err
		}
		if err := s.guard(ctx, tx, a.Gates); err != nil {
			return err
		}
		err := must(ctx, tx, ErrUsed, `UPDATE auth_requests SET state = 'authenticated', user_id = $1, session_id = $2, methods = $3, auth_time = $4
			WHERE realm_id = $5 AND id = $6 AND browser_hash = $7 AND state = $9 AND expires_at > $8 AND (state = 'open' OR user_id = $1)`,
			a.Session.UserID, a.Session.ID, strings.Join(a.Session.Methods, " "), millis(a.Session.AuthTime), a.Gates.RealmID, a.RequestID, a.BrowserHash, now, string(a.From))
		if err != nil {
			return err
		}
		if err := rebind(ctx, tx, a.Gates.RealmID, a.BrowserHash, a.NewBrowserHash); err != nil {
			return err
		}
		switch {
		case a.Existing && !a.Proved: // a proof in another tab meanwhile has made the cookie worthless that this one came with
			return must(ctx, tx, ErrGateMoved, "UPDATE sessions SET last_seen_at = $1 WHERE realm_id = $2 AND id = $3 AND ended_at = 0 AND token_hash = $4",
				now, a.Gates.RealmID, a.Session.ID, a.Session.TokenHash)
		case a.Existing:
			return must(ctx, tx, ErrGateMoved, `UPDATE sessions SET last_seen_at = $1, auth_time = $2, methods = $3, token_hash = $4
				WHERE realm_id = $5 AND id = $6 AND ended_at = 0`, now, millis(a.Session.AuthTime), strings.Join(a.Session.Methods, " "), a.Session.TokenHash, a.Gates.RealmID, a.Session.ID)
		}
		return insertSession(ctx, tx, a.Session)
	})
}

// lockBrowser lets one transaction at a time work on the requests of a browser:
// their number is bounded, and a login changes all of them. It is taken before any
// row.
func (s *Store) lockBrowser(ctx context.Context, tx *sql.Tx, hash []byte) error {
	return s.d.lock(ctx, tx, "browser", string(hash))
}

// rebind takes the requests that a browser has under way along to its new value.
func rebind(ctx context.Context, tx *sql.Tx, realmID string, from, to []byte) error {
	_, err := exec(ctx, tx, "UPDATE auth_requests SET browser_hash = $1 WHERE realm_id = $2 AND browser_hash = $3", to, realmID, from)
	return err
}

// RenewBrowser takes the logins that a browser has only begun along to its new
// value. What somebody has proved already stays behind, out of reach: it is for the
// end of a session.
func (s *Store) RenewBrowser(ctx context.Context, realmID string, from, to []byte) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.lockBrowser(ctx, tx, from); err != nil {
			return err
		}
		_, err := exec(ctx, tx, "UPDATE auth_requests SET browser_hash = $1 WHERE realm_id = $2 AND browser_hash = $3 AND state = 'open'", to, realmID, from)
		return err
	})
}

// Issued is what FinishAuthRequest writes.
type Issued struct {
	RequestID   string
	BrowserHash []byte
	Code        realm.Code
	ClientLife  time.Duration // the longest that a client's part of a session lives; 0 is as long as the session
	Gates       Gates
}

// FinishAuthRequest moves a request from authenticated to done, with its code
// and the client's part of the session, while the gates hold. ErrUsed: it was
// not authenticated in this browser; ErrGateMoved: decide again.
func (s *Store) FinishAuthRequest(ctx context.Context, i Issued) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.guard(ctx, tx, i.Gates); err != nil {
			return err
		}
		err := must(ctx, tx, ErrUsed, "UPDATE auth_requests SET state = 'done' WHERE realm_id = $1 AND id = $2 AND browser_hash = $3 AND state = 'authenticated'",
			i.Gates.RealmID, i.RequestID, i.BrowserHash)
		if err != nil {
			return err
		}
		if err := startClientSession(ctx, tx, realm.ClientSession{SessionID: i.Code.SessionID, ClientID: i.Code.ClientID, RealmID: i.Code.RealmID,
			Scope: i.Code.Scope, RedirectURI: i.Code.RedirectURI, StartedAt: s.now()}, i.ClientLife); err != nil {
			return err
		}
		return insertCode(ctx, tx, i.Code)
	})
}

// DenyAuthRequest ends a request that gives the client an error.
func (s *Store) DenyAuthRequest(ctx context.Context, realmID, id string, browserHash []byte) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return must(ctx, tx, ErrUsed, `UPDATE auth_requests SET state = 'denied' WHERE realm_id = $1 AND id = $2 AND browser_hash = $3
			AND state IN ('open', 'acting', 'authenticated')`, realmID, id, browserHash)
	})
}

// ReopenAuthRequest takes a request back to its start: nobody has proved anything.
func (s *Store) ReopenAuthRequest(ctx context.Context, realmID, id string, browserHash []byte) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return must(ctx, tx, ErrUsed, `UPDATE auth_requests SET state = 'open', user_id = '', session_id = '', methods = '' WHERE realm_id = $1 AND id = $2
			AND browser_hash = $3 AND state IN ('open', 'acting') AND expires_at > $4`, realmID, id, browserHash, millis(s.now()))
	})
}

// restartable is how long after its beginning a request can be begun again.
const restartable = 24 * time.Hour

// RestartAuthRequest takes a request that has expired unanswered back to its start,
// for another life: it is the stored one, and nobody has proved anything. ErrUsed:
// there is none in this browser, or it is too old.
func (s *Store) RestartAuthRequest(ctx context.Context, realmID, id string, browserHash []byte, life time.Duration) error {
	now := s.now()
	return s.tx(ctx, func(tx *sql.Tx) error {
		return must(ctx, tx, ErrUsed, `UPDATE auth_requests SET state = 'open', user_id = '', session_id = '', methods = '', expires_at = $1 WHERE realm_id = $2 AND id = $3
			AND browser_hash = $4 AND state IN ('open', 'acting') AND expires_at <= $5 AND created_at > $6`,
			millis(now.Add(life)), realmID, id, browserHash, millis(now), millis(now.Add(-restartable)))
	})
}

func insertCode(ctx context.Context, tx *sql.Tx, c realm.Code) error {
	_, err := exec(ctx, tx, `INSERT INTO codes (hash, realm_id, client_id, user_id, session_id, redirect_uri, scope, nonce, code_challenge, code_challenge_method,
		auth_time, acr, expires_at, used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0)`,
		c.Hash, c.RealmID, c.ClientID, c.UserID, c.SessionID, c.RedirectURI, c.Scope, c.Nonce, c.CodeChallenge, c.CodeChallengeMethod,
		millis(c.AuthTime), c.ACR, millis(c.ExpiresAt))
	return err
}

// ConsumeCode uses a code up by one conditional UPDATE. A replay returns ErrUsed
// with the code, so that the caller can revoke what it gave out; a code that is
// unknown or expired is ErrNotFound.
func (s *Store) ConsumeCode(ctx context.Context, realmID string, hash []byte) (*realm.Code, error) {
	now := millis(s.now())
	var won int64
	var c *realm.Code
	err := s.tx(ctx, func(tx *sql.Tx) (err error) {
		won, err = exec(ctx, tx, "UPDATE codes SET used_at = $1 WHERE realm_id = $2 AND hash = $3 AND used_at = 0 AND expires_at > $1", now, realmID, hash)
		if err != nil {
			return err
		}
		// In the same transaction: a replay ends the part only after this.
		c, err = one(ctx, tx, scanCode, `SELECT hash, realm_id, client_id, user_id, session_id, redirect_uri, scope, nonce, code_challenge, code_challenge_method,
			auth_time, acr, expires_at, used_at, `+partStarted+` FROM codes g WHERE realm_id = $1 AND hash = $2`, realmID, hash)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case won == 1:
		return c, nil
	case c.UsedAt.IsZero():
		return nil, ErrNotFound
	}
	return c, ErrUsed
}

func scanCode(row scanner) (*realm.Code, error) {
	c := &realm.Code{}
	var auth, expires, used, part int64
	err := row.Scan(&c.Hash, &c.RealmID, &c.ClientID, &c.UserID, &c.SessionID, &c.RedirectURI, &c.Scope, &c.Nonce, &c.CodeChallenge, &c.CodeChallengeMethod,
		&auth, &c.ACR, &expires, &used, &part)
	c.AuthTime, c.ExpiresAt, c.UsedAt, c.Part = instant(auth), instant(expires), instant(used), instant(part)
	return c, err
}
