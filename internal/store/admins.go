package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// Administration is the client in realm master whose roles administer another
// realm: made, renamed and deleted with it, in one transaction.
type Administration struct {
	Client     *realm.Client
	Roles      []*realm.Role
	Composites map[string][]string
	HolderID   string // a user of master who gets all of the roles, "" for nobody
}

func (s *Store) insertAdministration(ctx context.Context, tx *sql.Tx, a *Administration) error {
	if err := s.insertClient(ctx, tx, NewClient{Client: a.Client}); err != nil {
		return err
	}
	if err := insertRoles(ctx, tx, &Aggregate{Roles: a.Roles, Composites: a.Composites}); err != nil {
		return err
	}
	if a.HolderID == "" {
		return nil
	}
	for _, r := range a.Roles {
		if _, err := exec(ctx, tx, "INSERT INTO user_roles (user_id, role_id) SELECT id, $1 FROM users WHERE realm_id = $2 AND id = $3", r.ID, a.Client.RealmID, a.HolderID); err != nil {
			return err
		}
	}
	return nil
}

// CreateAdministration adds what administers a realm to one that is there already.
func (s *Store) CreateAdministration(ctx context.Context, a *Administration) error {
	return s.change(ctx, a.Client.RealmID, func(tx *sql.Tx) error { return s.insertAdministration(ctx, tx, a) })
}

// renameAdministration gives the client another client_id; one that is not there
// is no error.
func renameAdministration(ctx context.Context, tx *sql.Tx, realmID, from, to string) error {
	_, err := exec(ctx, tx, "UPDATE clients SET client_id = $1, version = version + 1, gate = gate + 1 WHERE realm_id = $2 AND client_id = $3", to, realmID, from)
	return conflict(err, "clientId", to)
}

// deleteAdministration deletes the client; whoever had its roles has the gate raised.
func (s *Store) deleteAdministration(ctx context.Context, tx *sql.Tx, realmID, clientID string) error {
	id, err := one(ctx, tx, scanText, "SELECT id FROM clients WHERE realm_id = $1 AND client_id = $2", realmID, clientID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.deleteClient(ctx, tx, realmID, id)
}

// changeBoth is change for a write that reaches into a second realm ("" for none),
// and for one after which the realm is not there any more.
func (s *Store) changeBoth(ctx context.Context, realmID, second string, do func(tx *sql.Tx) error) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		// Two realms are always locked in one order.
		if _, err := list(ctx, tx, scanInt, "SELECT 1 FROM realms WHERE id = $1 OR id = $2 ORDER BY id"+s.d.update, realmID, second); err != nil {
			return err
		}
		if err := do(tx); err != nil {
			return err
		}
		for _, id := range []string{realmID, second} {
			if _, err := exec(ctx, tx, "UPDATE realms SET version = version + 1 WHERE id = $1", id); err != nil {
				return err
			}
			if err := s.d.notify(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	s.cache.drop(realmID)
	s.cache.drop(second)
	return err
}
