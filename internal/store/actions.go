package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// Proof is what StopForAction writes: who proved themselves, and how.
type Proof struct {
	RealmID, RequestID          string
	BrowserHash, NewBrowserHash []byte // the value rotates: what was known before the proof is worth nothing after it (S-79)
	UserID                      string
	UserGate                    int64
	Methods                     []string
	AuthTime                    time.Time
	RememberMe                  bool
}

// StopForAction moves a request from open to acting: the user is proved, and
// there is no session before they have done what they have to do. ErrUsed: the
// request is not open in this browser; ErrGateMoved: the user changed since.
func (s *Store) StopForAction(ctx context.Context, p Proof) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.lockBrowser(ctx, tx, p.BrowserHash); err != nil {
			return err
		}
		if err := s.guard(ctx, tx, Gates{RealmID: p.RealmID, UserID: p.UserID, UserGate: p.UserGate}); err != nil {
			return err
		}
		err := must(ctx, tx, ErrUsed, `UPDATE auth_requests SET state = 'acting', user_id = $1, user_gate = $2, methods = $3, auth_time = $4, remember_me = $5
			WHERE realm_id = $6 AND id = $7 AND browser_hash = $8 AND state = 'open' AND expires_at > $9`,
			p.UserID, p.UserGate, strings.Join(p.Methods, " "), millis(p.AuthTime), p.RememberMe, p.RealmID, p.RequestID, p.BrowserHash, millis(s.now()))
		if err != nil {
			return err
		}
		return rebind(ctx, tx, p.RealmID, p.BrowserHash, p.NewBrowserHash)
	})
}

// ActionDone is what FinishAction writes.
type ActionDone struct {
	RequestID   string
	BrowserHash []byte
	User        *realm.User // as they are to be; Version and Gate are the ones that were read
	SharesEmail bool        // the realm allows several users with one address
	Password    *realm.Credential
	EndSessions bool   // end the user's other sessions
	KeepSession string // the one that goes on
}

// FinishAction writes what a required action changed, all or nothing. The proof of
// the login under way goes on to hold, with the user's new gate; every other one
// of this user is taken back by it. ErrGateMoved: the user changed since;
// ErrUsed: the request does not stand there in this browser; *ConflictError: the
// username or the address belongs to somebody else.
func (s *Store) FinishAction(ctx context.Context, a ActionDone) error {
	u := a.User
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.lockBrowser(ctx, tx, a.BrowserHash); err != nil {
			return err
		}
		if err := s.guardToChange(ctx, tx, Gates{RealmID: u.RealmID, UserID: u.ID, UserGate: u.Gate}); err != nil {
			return err
		}
		err := must(ctx, tx, ErrUsed, `UPDATE auth_requests SET user_gate = $1 WHERE realm_id = $2 AND id = $3 AND browser_hash = $4 AND expires_at > $5
			AND (state = 'open' OR (state = 'acting' AND user_id = $6))`, u.Gate+1, u.RealmID, a.RequestID, a.BrowserHash, millis(s.now()), u.ID)
		if err != nil {
			return err
		}
		if err := updateUser(ctx, tx, u, a.SharesEmail); err != nil {
			return err
		}
		if a.Password != nil {
			if err := s.swapPassword(ctx, tx, u.RealmID, u.ID, *a.Password); err != nil {
				return err
			}
		}
		if !a.EndSessions {
			return nil
		}
		_, err = s.endSessions(ctx, tx, "realm_id = $2 AND user_id = $3 AND id <> $4", u.RealmID, u.ID, a.KeepSession)
		return err
	})
}
