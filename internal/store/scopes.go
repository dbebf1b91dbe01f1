package store

import (
	"context"
	"database/sql"

	"github.com/latchkey-id/latchkey/internal/realm"
)

func insertScopes(ctx context.Context, tx *sql.Tx, a *Aggregate) error {
	for _, sc := range a.Scopes {
		if err := insertScope(ctx, tx, sc); err != nil {
			return err
		}
	}
	for optional, ids := range [][]string{a.DefaultScopes, a.OptionalScopes} {
		for i, id := range ids {
			if _, err := exec(ctx, tx, "INSERT INTO realm_scopes (realm_id, scope_id, optional, position) VALUES ($1, $2, $3, $4)", a.Realm.ID, id, optional == 1, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func insertScope(ctx context.Context, tx *sql.Tx, sc *realm.ClientScope) error {
	doc, err := scopeDoc(sc)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, "INSERT INTO client_scopes (id, realm_id, name, version, doc) VALUES ($1, $2, $3, 1, $4)", sc.ID, sc.RealmID, sc.Name, doc)
	return conflict(err, "scope", sc.Name)
}

func scopeDoc(sc *realm.ClientScope) (string, error) {
	d := *sc
	d.ID, d.RealmID, d.Name, d.Version = "", "", "", 0
	return encode(d)
}

func scanScope(row scanner) (*realm.ClientScope, error) {
	sc, k := &realm.ClientScope{}, realm.ClientScope{}
	var doc string
	if err := row.Scan(&k.ID, &k.RealmID, &k.Name, &k.Version, &doc); err != nil {
		return nil, err
	}
	if err := decode(doc, sc); err != nil {
		return nil, err
	}
	sc.ID, sc.RealmID, sc.Name, sc.Version = k.ID, k.RealmID, k.Name, k.Version
	return sc, nil
}

// ClientScopes gives all client scopes of a realm by name, shared.
func (s *Store) ClientScopes(ctx context.Context, realmID string) ([]*realm.ClientScope, error) {
	return cached(ctx, s, realmID+"/scopes", func() ([]*realm.ClientScope, int, error) {
		found, err := list(ctx, s.read, scanScope, "SELECT id, realm_id, name, version, doc FROM client_scopes WHERE realm_id = $1 ORDER BY name", realmID)
		return found, len(found) * 2048, err
	})
}

// DefaultClientScopes gives the names of the scopes that a new client gets.
func (s *Store) DefaultClientScopes(ctx context.Context, realmID string) (defaults, optionals []string, err error) {
	const query = `SELECT s.name FROM realm_scopes r JOIN client_scopes s ON s.id = r.scope_id
		WHERE r.realm_id = $1 AND r.optional = $2 ORDER BY r.position`
	if defaults, err = list(ctx, s.read, scanText, query, realmID, false); err != nil {
		return nil, nil, err
	}
	optionals, err = list(ctx, s.read, scanText, query, realmID, true)
	return defaults, optionals, err
}

// ScopeRoles gives the role ids that a client scope or a client is limited to
// when full scope is off (Keycloak's scope mappings), shared.
func (s *Store) ScopeRoles(ctx context.Context, realmID, ownerID string) ([]string, error) {
	return cached(ctx, s, realmID+"/scoperoles/"+ownerID, func() ([]string, int, error) {
		ids, err := list(ctx, s.read, scanText, "SELECT role_id FROM scope_roles WHERE realm_id = $1 AND owner_id = $2", realmID, ownerID)
		return ids, 64 * len(ids), err
	})
}

func insertScopeRoles(ctx context.Context, tx *sql.Tx, a *Aggregate) error {
	for _, owners := range []map[string][]string{a.ScopeRoles, a.ClientScopeRoles} {
		for owner, ids := range owners {
			if err := link(ctx, tx, "INSERT INTO scope_roles (realm_id, owner_id, role_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", []any{a.Realm.ID, owner}, ids); err != nil {
				return err
			}
		}
	}
	return nil
}

// CreateClientScope adds a client scope.
func (s *Store) CreateClientScope(ctx context.Context, sc *realm.ClientScope) error {
	return s.change(ctx, sc.RealmID, func(tx *sql.Tx) error { return insertScope(ctx, tx, sc) })
}

// UpdateClientScope writes a client scope back when its version is the one that
// was read (ErrConflict). The gates of the clients that have it are raised.
func (s *Store) UpdateClientScope(ctx context.Context, sc *realm.ClientScope) error {
	doc, err := scopeDoc(sc)
	if err != nil {
		return err
	}
	return s.change(ctx, sc.RealmID, func(tx *sql.Tx) error {
		err := must(ctx, tx, ErrConflict, "UPDATE client_scopes SET name = $1, doc = $2, version = version + 1 WHERE realm_id = $3 AND id = $4 AND version = $5",
			sc.Name, doc, sc.RealmID, sc.ID, sc.Version)
		if err != nil {
			return conflict(err, "scope", sc.Name)
		}
		return raiseClients(ctx, tx, sc.RealmID, sc.ID)
	})
}

// raiseClients raises the gates of a client, or of the clients that have a scope.
func raiseClients(ctx context.Context, tx *sql.Tx, realmID, ownerID string) error {
	_, err := exec(ctx, tx, `UPDATE clients SET gate = gate + 1 WHERE realm_id = $1
		AND (id = $2 OR id IN (SELECT client_id FROM client_scope_links WHERE scope_id = $2))`, realmID, ownerID)
	return err
}

// DeleteClientScope deletes a client scope; the gates of the clients that have it
// are raised.
func (s *Store) DeleteClientScope(ctx context.Context, realmID, id string) error {
	return s.change(ctx, realmID, func(tx *sql.Tx) error {
		if err := raiseClients(ctx, tx, realmID, id); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, "DELETE FROM scope_roles WHERE realm_id = $1 AND owner_id = $2", realmID, id); err != nil {
			return err
		}
		return must(ctx, tx, ErrNotFound, "DELETE FROM client_scopes WHERE realm_id = $1 AND id = $2", realmID, id)
	})
}

// SetRealmScope makes a client scope one that new clients get, as a default or as
// an optional one, or no longer.
func (s *Store) SetRealmScope(ctx context.Context, realmID, scopeID string, optional, on bool) error {
	return s.change(ctx, realmID, func(tx *sql.Tx) error {
		if !on {
			_, err := exec(ctx, tx, "DELETE FROM realm_scopes WHERE realm_id = $1 AND scope_id = $2 AND optional = $3", realmID, scopeID, optional)
			return err
		}
		_, err := exec(ctx, tx, `INSERT INTO realm_scopes (realm_id, scope_id, optional, position)
			SELECT realm_id, id, $3, (SELECT count(*) FROM realm_scopes WHERE realm_id = $1) FROM client_scopes WHERE realm_id = $1 AND id = $2
			ON CONFLICT (realm_id, scope_id) DO UPDATE SET optional = excluded.optional`, realmID, scopeID, optional)
		return err
	})
}

// SetClientScope gives a client a scope, as a default or as an optional one, or
// takes it away. The client's gate is raised.
func (s *Store) SetClientScope(ctx context.Context, realmID, clientID, scopeID string, optional, on bool) error {
	return s.change(ctx, realmID, func(tx *sql.Tx) error {
		if err := raiseClients(ctx, tx, realmID, clientID); err != nil {
			return err
		}
		if !on {
			_, err := exec(ctx, tx, `DELETE FROM client_scope_links WHERE client_id IN (SELECT id FROM clients WHERE realm_id = $1 AND id = $2)
				AND scope_id = $3 AND optional = $4`, realmID, clientID, scopeID, optional)
			return err
		}
		_, err := exec(ctx, tx, `INSERT INTO client_scope_links (client_id, scope_id, optional, position)
			SELECT c.id, s.id, $4, (SELECT count(*) FROM client_scope_links WHERE client_id = $2) FROM clients c JOIN client_scopes s ON s.realm_id = c.realm_id
			WHERE c.realm_id = $1 AND c.id = $2 AND s.id = $3 ON CONFLICT (client_id, scope_id) DO NOTHING`, realmID, clientID, scopeID, optional)
		return err
	})
}

// SetScopeRoles adds roles to what a client scope or a client (ownerID) is limited
// to and takes others away; then the clients' gates are raised. Roles of another
// realm are left out.
func (s *Store) SetScopeRoles(ctx context.Context, realmID, ownerID string, add, remove []string) error {
	return s.change(ctx, realmID, func(tx *sql.Tx) error {
		if len(remove) > 0 {
			if err := raiseClients(ctx, tx, realmID, ownerID); err != nil {
				return err
			}
		}
		if err := link(ctx, tx, `INSERT INTO scope_roles (realm_id, owner_id, role_id) SELECT realm_id, $2, id FROM roles WHERE realm_id = $1 AND id = $3
			ON CONFLICT DO NOTHING`, []any{realmID, ownerID}, add); err != nil {
			return err
		}
		return link(ctx, tx, "DELETE FROM scope_roles WHERE realm_id = $1 AND owner_id = $2 AND role_id = $3", []any{realmID, ownerID}, remove)
	})
}

// link runs one insert for each id, which is the last argument.
func link(ctx context.Context, tx *sql.Tx, query string, args []any, ids []string) error {
	for _, id := range ids {
		if _, err := exec(ctx, tx, query, append(args[:len(args):len(args)], id)...); err != nil {
			return err
		}
	}
	return nil
}
