package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
)

const revokedToken = "token"

// RevokeToken keeps the jti of an access token until it has expired.
func (s *Store) RevokeToken(ctx context.Context, realmID, jti string, expires time.Time) error {
	if err := s.UseOnce(ctx, realmID, revokedToken, jti, expires); !errors.Is(err, ErrUsed) {
		return err
	}
	return nil
}

// TokenRevoked reports whether RevokeToken was called for it.
func (s *Store) TokenRevoked(ctx context.Context, realmID, jti string) (bool, error) {
	n, err := byKeys(ctx, s, scanInt,
		"SELECT count(*) FROM used_once WHERE realm_id = $1 AND kind = $2 AND value = $3", realmID, revokedToken, jti)
	return n > 0, err
}

// UseOnce uses a value up: the second call with it is ErrUsed, until it expires.
func (s *Store) UseOnce(ctx context.Context, realmID, kind, value string, expires time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return must(ctx, tx, ErrUsed, "INSERT INTO used_once (realm_id, kind, value, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
			realmID, kind, value, millis(expires))
	})
}

// CreateLink keeps the hash of a one-time link with its purpose.
func (s *Store) CreateLink(ctx context.Context, realmID, purpose string, hash []byte, expires time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, "INSERT INTO links (hash, realm_id, purpose, expires_at, used_at) VALUES ($1, $2, $3, $4, 0)", hash, realmID, purpose, millis(expires))
		return err
	})
}

// LinkWorks reports whether a link is unused and has not expired. It uses
// nothing up: a GET must not (S-87).
func (s *Store) LinkWorks(ctx context.Context, realmID, purpose string, hash []byte) (bool, error) {
	n, err := one(ctx, s.read, scanInt,
		"SELECT count(*) FROM links WHERE hash = $1 AND realm_id = $2 AND purpose = $3 AND used_at = 0 AND expires_at > $4", hash, realmID, purpose, millis(s.now()))
	return n > 0, err
}

// ConsumeLink uses a link up, or returns ErrUsed when it was used, has expired
// or never was.
func (s *Store) ConsumeLink(ctx context.Context, realmID, purpose string, hash []byte) error {
	now := millis(s.now())
	return s.tx(ctx, func(tx *sql.Tx) error {
		return must(ctx, tx, ErrUsed, "UPDATE links SET used_at = $1 WHERE hash = $2 AND realm_id = $3 AND purpose = $4 AND used_at = 0 AND expires_at > $1",
			now, hash, realmID, purpose)
	})
}

// AppendEvents keeps events.
func (s *Store) AppendEvents(ctx context.Context, events ...realm.Event) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		for _, e := range events {
			details, err := encode(e.Details)
			if err != nil {
				return err
			}
			if _, err := exec(ctx, tx, `INSERT INTO events (id, realm_id, time, kind, type, client_id, user_id, session_id, ip, error, details)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, e.ID, e.RealmID, millis(e.Time), e.Kind, e.Type, e.ClientID, e.UserID, e.SessionID, e.IP, e.Error, details); err != nil {
				return err
			}
		}
		return nil
	})
}
