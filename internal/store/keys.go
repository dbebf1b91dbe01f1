package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/latchkey-id/latchkey/internal/realm"
)

const selectKey = "SELECT id, coalesce(realm_id, ''), use_for, algorithm, state, sealed, public, created_at, priority FROM signing_keys "

func scanKey(r scanner) (realm.SigningKey, error) {
	var k realm.SigningKey
	var created int64
	err := r.Scan(&k.ID, &k.RealmID, &k.Use, &k.Algorithm, &k.State, &k.Sealed, &k.Public, &created, &k.Priority)
	k.CreatedAt = instant(created)
	return k, err
}

// SigningKeys gives a realm's keys, newest first, shared.
func (s *Store) SigningKeys(ctx context.Context, realmID string) ([]realm.SigningKey, error) {
	return cached(ctx, s, realmID+"/keys", func() ([]realm.SigningKey, int, error) {
		keys, err := list(ctx, s.read, scanKey, selectKey+"WHERE realm_id = $1 ORDER BY priority DESC, algorithm, created_at DESC, id", realmID)
		return keys, 8192 * len(keys), err
	})
}

// AddSigningKey adds a key. Where the realm has an active key for the use and
// algorithm already, that one is returned: who comes second reads the first's.
func (s *Store) AddSigningKey(ctx context.Context, k realm.SigningKey) (realm.SigningKey, error) {
	err := s.change(ctx, k.RealmID, func(tx *sql.Tx) error { return insertKey(ctx, tx, k) })
	if !errors.Is(err, ErrExists) {
		return k, err
	}
	return one(ctx, s.read, scanKey, selectKey+"WHERE realm_id = $1 AND use_for = $2 AND algorithm = $3 AND state = 'active'", k.RealmID, k.Use, k.Algorithm)
}

func insertKey(ctx context.Context, tx *sql.Tx, k realm.SigningKey) error {
	id := sql.NullString{String: k.RealmID, Valid: k.RealmID != ""}
	_, err := exec(ctx, tx, `INSERT INTO signing_keys (id, realm_id, use_for, algorithm, state, sealed, public, created_at, priority)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, k.ID, id, k.Use, k.Algorithm, k.State, k.Sealed, k.Public, millis(k.CreatedAt), k.Priority)
	return err
}

// RotateSigningKey makes the key old passive and adds next, in one transaction.
// ErrConflict: old was not the active one any more.
func (s *Store) RotateSigningKey(ctx context.Context, old string, next realm.SigningKey) error {
	return s.change(ctx, next.RealmID, func(tx *sql.Tx) error {
		if err := must(ctx, tx, ErrConflict, "UPDATE signing_keys SET state = 'passive' WHERE id = $1 AND realm_id = $2 AND state = 'active'", old, next.RealmID); err != nil {
			return err
		}
		return insertKey(ctx, tx, next)
	})
}

// RetireSigningKey deletes a key, its private half included, and adds its
// successor unless next is nil, in one transaction. ErrConflict: the key is gone,
// or in another state than old says.
func (s *Store) RetireSigningKey(ctx context.Context, old realm.SigningKey, next *realm.SigningKey) error {
	return s.change(ctx, old.RealmID, func(tx *sql.Tx) error {
		if err := must(ctx, tx, ErrConflict, "DELETE FROM signing_keys WHERE id = $1 AND realm_id = $2 AND state = $3", old.ID, old.RealmID, old.State); err != nil {
			return err
		}
		if next == nil {
			return nil
		}
		return insertKey(ctx, tx, *next)
	})
}

// AddSpareKey keeps a key made ahead of need; RealmID is "".
func (s *Store) AddSpareKey(ctx context.Context, k realm.SigningKey) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return insertKey(ctx, tx, k) })
}

// SpareKeys counts the spare keys of an algorithm.
func (s *Store) SpareKeys(ctx context.Context, algorithm string) (int, error) {
	return one(ctx, s.read, scanInt,
		"SELECT count(*) FROM signing_keys WHERE realm_id IS NULL AND algorithm = $1", algorithm)
}

// TakeSpareKey takes a spare key out of the pool, or ErrNotFound.
func (s *Store) TakeSpareKey(ctx context.Context, algorithm string) (k realm.SigningKey, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		k, err = one(ctx, tx, scanKey, `DELETE FROM signing_keys WHERE id = (SELECT id FROM signing_keys WHERE realm_id IS NULL AND algorithm = $1 LIMIT 1`+s.d.skipLocked+`)
			RETURNING id, '', use_for, algorithm, state, sealed, public, created_at, priority`, algorithm)
		return err
	})
	return k, err
}
