package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"

	"github.com/latchkey-id/latchkey/internal/realm"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (s *Store) insertCredential(ctx context.Context, tx *sql.Tx, u *realm.User, c realm.Credential) error {
	sealed, err := s.seal.Seal([]byte(c.Secret), "credentials", c.ID, "secret")
	if err != nil {
		return wrap(err)
	}
	_, err = exec(ctx, tx, `INSERT INTO credentials (id, realm_id, user_id, type, label, data, secret_sealed, created_at, priority, temporary)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, c.ID, u.RealmID, u.ID, c.Type, c.Label, c.Data, sealed, millis(c.CreatedAt), c.Priority, c.Temporary)
	return err
}

const selectCredential = "SELECT id, user_id, type, label, data, secret_sealed, created_at, priority, temporary FROM credentials "

func (s *Store) scanCredential(r scanner) (realm.Credential, error) {
	var c realm.Credential
	var sealed []byte
	var created int64
	if err := r.Scan(&c.ID, &c.UserID, &c.Type, &c.Label, &c.Data, &sealed, &created, &c.Priority, &c.Temporary); err != nil {
		return c, err
	}
	plain, err := s.seal.Open(sealed, "credentials", c.ID, "secret")
	c.Secret, c.CreatedAt = string(plain), instant(created)
	return c, err
}

// Credentials gives a user's credentials in order, their secrets opened.
func (s *Store) Credentials(ctx context.Context, realmID, userID string) ([]realm.Credential, error) {
	return list(ctx, s.read, s.scanCredential, selectCredential+"WHERE realm_id = $1 AND user_id = $2 ORDER BY priority, created_at", realmID, userID)
}

// SomePassword gives the password of somebody in the realm: the first whose id is
// not before at in the order of texts, or the first of all. ErrNotFound: nobody has
// a password.
func (s *Store) SomePassword(ctx context.Context, realmID, at string) (*realm.Credential, error) {
	c, err := one(ctx, s.read, s.scanCredential, selectCredential+`WHERE id = coalesce(
		(SELECT id FROM credentials WHERE realm_id = $1 AND type = 'password' AND id >= $2 ORDER BY id LIMIT 1),
		(SELECT id FROM credentials WHERE realm_id = $1 AND type = 'password' ORDER BY id LIMIT 1))`, realmID, at)
	return &c, err
}

// SetPassword replaces a user's password. The gate is raised; sessions live on
// until somebody ends them.
func (s *Store) SetPassword(ctx context.Context, realmID, userID string, c realm.Credential) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := must(ctx, tx, ErrNotFound, "UPDATE users SET gate = gate + 1 WHERE realm_id = $1 AND id = $2", realmID, userID); err != nil {
			return err
		}
		return s.swapPassword(ctx, tx, realmID, userID, c)
	})
}

// RehashPassword replaces the hash of a credential that was verified by a better
// one of the same password, while both are what was read: was as it stands there,
// gate the user's. ErrGateMoved: somebody has set another password since, and that
// one stays. Nothing else changes: nobody is logged out by it.
func (s *Store) RehashPassword(ctx context.Context, realmID string, gate int64, was realm.Credential, data, secret string) error {
	sealed, err := s.seal.Seal([]byte(secret), "credentials", was.ID, "secret")
	if err != nil {
		return wrap(err)
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		return must(ctx, tx, ErrGateMoved, `UPDATE credentials SET data = $1, secret_sealed = $2 WHERE realm_id = $3 AND user_id = $4 AND id = $5 AND data = $6
			AND EXISTS (SELECT 1 FROM users WHERE id = $4 AND gate = $7)`, data, sealed, realmID, was.UserID, was.ID, was.Data, gate)
	})
}

func (s *Store) swapPassword(ctx context.Context, tx *sql.Tx, realmID, userID string, c realm.Credential) error {
	if _, err := exec(ctx, tx, "DELETE FROM credentials WHERE realm_id = $1 AND user_id = $2 AND type = 'password'", realmID, userID); err != nil {
		return err
	}
	return s.insertCredential(ctx, tx, &realm.User{ID: userID, RealmID: realmID}, c)
}

// LabelCredential names one of a user's credentials.
func (s *Store) LabelCredential(ctx context.Context, realmID, userID, id, label string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return must(ctx, tx, ErrNotFound, "UPDATE credentials SET label = $1 WHERE realm_id = $2 AND user_id = $3 AND id = $4", label, realmID, userID, id)
	})
}

// DeleteCredential takes one way to log in away from a user. The gate is raised.
func (s *Store) DeleteCredential(ctx context.Context, realmID, userID, id string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := must(ctx, tx, ErrNotFound, "DELETE FROM credentials WHERE realm_id = $1 AND user_id = $2 AND id = $3", realmID, userID, id); err != nil {
			return err
		}
		return must(ctx, tx, ErrNotFound, "UPDATE users SET gate = gate + 1 WHERE realm_id = $1 AND id = $2", realmID, userID)
	})
}

// MoveCredential puts one of a user's credentials behind another, or in front of
// all when after is "".
func (s *Store) MoveCredential(ctx context.Context, realmID, userID, id, after string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		ids, err := list(ctx, tx, scanText, "SELECT id FROM credentials WHERE realm_id = $1 AND user_id = $2 ORDER BY priority, created_at, id", realmID, userID)
		if err != nil {
			return err
		}
		order, ok := reordered(ids, id, after)
		if !ok {
			return ErrNotFound
		}
		for i, one := range order {
			if _, err := exec(ctx, tx, "UPDATE credentials SET priority = $1 WHERE realm_id = $2 AND user_id = $3 AND id = $4", 10*(i+1), realmID, userID, one); err != nil {
				return err
			}
		}
		return nil
	})
}

// reordered is ids with one of them moved behind another; false when one is missing.
func reordered(ids []string, id, after string) ([]string, bool) {
	rest := slices.DeleteFunc(slices.Clone(ids), func(s string) bool { return s == id })
	at := 0
	if after != "" {
		at = slices.Index(rest, after) + 1
	}
	if len(rest) == len(ids) || (after != "" && at == 0) {
		return nil, false
	}
	return slices.Insert(rest, at, id), true
}
