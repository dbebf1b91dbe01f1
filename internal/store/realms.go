package store

import (
	"context"
	"database/sql"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// Aggregate is a realm with all that belongs to it: what a new realm holds and
// what an import brings. Its maker sets every id.
type Aggregate struct {
	Realm            *realm.Realm
	Roles            []*realm.Role
	Composites       map[string][]string // role id → ids of the roles it contains
	Scopes           []*realm.ClientScope
	DefaultScopes    []string            // scope ids
	OptionalScopes   []string            // scope ids
	ScopeRoles       map[string][]string // client scope id → role ids
	Clients          []NewClient
	ClientScopeRoles map[string][]string // client id → role ids (Keycloak's scopeMappings)
	Groups           []*realm.Group
	GroupRoles       map[string][]string // group id → role ids
	DefaultGroups    []string            // group ids
	Users            []NewUser
	Administration   *Administration // what is made in master with it; nil for nothing
}

// CreateRealm writes a realm with everything in it in one transaction, or
// nothing. It returns a *ConflictError for a name that is taken.
func (s *Store) CreateRealm(ctx context.Context, a *Aggregate) error {
	second := ""
	if a.Administration != nil {
		second = a.Administration.Client.RealmID
	}
	return s.changeBoth(ctx, a.Realm.ID, second, func(tx *sql.Tx) error {
		if err := s.insertRealm(ctx, tx, a.Realm); err != nil {
			return err
		}
		for _, step := range []func(context.Context, *sql.Tx, *Aggregate) error{
			insertScopes, s.insertClients, insertRoles, insertScopeRoles, insertGroups, s.insertUsers,
		} {
			if err := step(ctx, tx, a); err != nil {
				return err
			}
		}
		if a.Administration == nil {
			return nil
		}
		return s.insertAdministration(ctx, tx, a.Administration)
	})
}

func (s *Store) insertRealm(ctx context.Context, tx *sql.Tx, r *realm.Realm) error {
	doc, sealed, err := s.realmDoc(r)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, "INSERT INTO realms (id, name, version, doc, sealed) VALUES ($1, $2, 0, $3, $4)", r.ID, r.Name, doc, sealed)
	return conflict(err, "realm", r.Name)
}

func (s *Store) scanRealm(row scanner) (*realm.Realm, error) {
	var id, name, doc string
	var version int64
	var sealed []byte
	if err := row.Scan(&id, &name, &version, &doc, &sealed); err != nil {
		return nil, err
	}
	r := &realm.Realm{}
	if err := decode(doc, r); err != nil {
		return nil, err
	}
	r.ID, r.Name, r.Version = id, name, version
	p, err := s.openPart(sealed, "realms", id)
	r.Extra = together(r.Extra, p.Extra)
	return r, err
}

const selectRealm = "SELECT id, name, version, doc, sealed FROM realms "

// RealmByName gives a realm, shared: do not change it.
func (s *Store) RealmByName(ctx context.Context, name string) (*realm.Realm, error) {
	return s.cachedRealm(ctx, "/name/"+name, selectRealm+"WHERE name = $1", name)
}

// RealmByID gives a realm, shared: do not change it.
func (s *Store) RealmByID(ctx context.Context, id string) (*realm.Realm, error) {
	return s.cachedRealm(ctx, id+"/realm", selectRealm+"WHERE id = $1", id)
}

func (s *Store) cachedRealm(ctx context.Context, key, query, arg string) (*realm.Realm, error) {
	return cached(ctx, s, key, func() (*realm.Realm, int, error) {
		r, err := one(ctx, s.read, s.scanRealm, query, arg)
		return r, 8 << 10, err
	})
}

// Realms gives all realms by name.
func (s *Store) Realms(ctx context.Context) ([]*realm.Realm, error) {
	return list(ctx, s.read, s.scanRealm, selectRealm+"ORDER BY name")
}

// UpdateRealm writes a realm back when its version is still the one that was read;
// otherwise ErrConflict.
func (s *Store) UpdateRealm(ctx context.Context, r *realm.Realm) error {
	return s.RenameRealm(ctx, r, Rename{})
}

// Rename says which client of which realm is renamed with a realm: what
// administers it.
type Rename struct{ RealmID, From, To string }

// RenameRealm is UpdateRealm for a realm with a new name.
func (s *Store) RenameRealm(ctx context.Context, r *realm.Realm, n Rename) error {
	doc, sealed, err := s.realmDoc(r)
	if err != nil {
		return err
	}
	return s.changeBoth(ctx, r.ID, n.RealmID, func(tx *sql.Tx) error {
		err := must(ctx, tx, ErrConflict, "UPDATE realms SET name = $1, doc = $2, sealed = $3 WHERE id = $4 AND version = $5", r.Name, doc, sealed, r.ID, r.Version)
		if err != nil || n.RealmID == "" {
			return conflict(err, "realm", r.Name)
		}
		return renameAdministration(ctx, tx, n.RealmID, n.From, n.To)
	})
}

// DeleteRealm deletes a realm and everything in it, and the client in another
// realm (master) that administers it; both "" for none.
func (s *Store) DeleteRealm(ctx context.Context, id, master, clientID string) error {
	return s.changeBoth(ctx, id, master, func(tx *sql.Tx) error {
		if err := must(ctx, tx, ErrNotFound, "DELETE FROM realms WHERE id = $1", id); err != nil {
			return err
		}
		return s.deleteAdministration(ctx, tx, master, clientID)
	})
}

// change runs a write to what is configured: the realm's version moves in the
// same transaction, so that other processes drop what they keep of it. The writes
// of one realm happen one after the other; logins do not wait for them.
func (s *Store) change(ctx context.Context, realmID string, do func(tx *sql.Tx) error) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if _, err := list(ctx, tx, scanInt, "SELECT 1 FROM realms WHERE id = $1"+s.d.update, realmID); err != nil {
			return err
		}
		if err := do(tx); err != nil {
			return err
		}
		if err := must(ctx, tx, ErrNotFound, "UPDATE realms SET version = version + 1 WHERE id = $1", realmID); err != nil {
			return err
		}
		return s.d.notify(ctx, tx, realmID)
	})
	s.cache.drop(realmID)
	return err
}
