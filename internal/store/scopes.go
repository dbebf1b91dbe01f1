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

// link runs one insert for each id, which is the last argument.
func link(ctx context.Context, tx *sql.Tx, query string, args []any, ids []string) error {
	for _, id := range ids {
		if _, err := exec(ctx, tx, query, append(args[:len(args):len(args)], id)...); err != nil {
			return err
		}
	}
	return nil
}
