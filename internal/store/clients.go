package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// NewClient is a client with its secret in clear: the store seals and hashes it.
type NewClient struct {
	Client *realm.Client
	Secret string // "" for none
}

// ClientFilter selects clients. The zero value selects all.
type ClientFilter struct {
	ClientID   string // exact, or a part of it with Search
	Search     bool
	First, Max int // Max 0 means no limit
}

func (s *Store) insertClients(ctx context.Context, tx *sql.Tx, a *Aggregate) error {
	for _, c := range a.Clients {
		if err := s.insertClient(ctx, tx, c); err != nil {
			return err
		}
	}
	return nil
}

// CreateClient adds a client, with further roles and users that belong to it
// (a service account), in one transaction.
func (s *Store) CreateClient(ctx context.Context, c NewClient, roles []*realm.Role, users []NewUser) error {
	return s.change(ctx, c.Client.RealmID, func(tx *sql.Tx) error {
		if err := s.insertClient(ctx, tx, c); err != nil {
			return err
		}
		if err := insertRoles(ctx, tx, &Aggregate{Roles: roles}); err != nil {
			return err
		}
		return s.insertUsers(ctx, tx, &Aggregate{Users: users})
	})
}

func (s *Store) insertClient(ctx context.Context, tx *sql.Tx, n NewClient) error {
	c := n.Client
	doc, part, err := s.clientDoc(c)
	if err != nil {
		return err
	}
	sealed, hash, err := s.sealSecret(c.ID, n.Secret)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `INSERT INTO clients (id, realm_id, client_id, version, gate, enabled, secret_sealed, secret_hash, doc, sealed)
		VALUES ($1, $2, $3, 1, 1, $4, $5, $6, $7, $8)`, c.ID, c.RealmID, c.ClientID, c.Enabled, sealed, hash, doc, part)
	if err != nil {
		return conflict(err, "clientId", c.ClientID)
	}
	return insertClientRelations(ctx, tx, c)
}

func insertClientRelations(ctx context.Context, tx *sql.Tx, c *realm.Client) error {
	for kind, values := range map[string][]string{"redirect": c.RedirectURIs, "origin": c.WebOrigins} {
		for i, v := range values {
			if _, err := exec(ctx, tx, "INSERT INTO client_uris (client_id, kind, position, value) VALUES ($1, $2, $3, $4)", c.ID, kind, i, v); err != nil {
				return err
			}
		}
	}
	for optional, names := range [][]string{c.DefaultScopes, c.OptionalScopes} {
		for i, name := range names {
			// A scope that the realm does not have is left out, as Keycloak does.
			if _, err := exec(ctx, tx, `INSERT INTO client_scope_links (client_id, scope_id, optional, position)
				SELECT $1, id, $2, $3 FROM client_scopes WHERE realm_id = $4 AND name = $5 ON CONFLICT DO NOTHING`, c.ID, optional == 1, i, c.RealmID, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// sealSecret gives the two forms a client secret is kept in: sealed, because
// administrators read it back, and its SHA-256 for the comparison.
func (s *Store) sealSecret(clientUUID, secret string) (sealed, hash []byte, err error) {
	if secret == "" {
		return nil, nil, nil
	}
	sealed, err = s.seal.Seal([]byte(secret), "clients", clientUUID, "secret")
	sum := sha256.Sum256([]byte(secret))
	return sealed, sum[:], wrap(err)
}

const selectClient = "SELECT id, realm_id, client_id, version, gate, enabled, secret_hash, doc, sealed FROM clients "

func (s *Store) scanClient(row scanner) (*realm.Client, error) {
	c, k := &realm.Client{}, realm.Client{}
	var doc string
	var sealed []byte
	if err := row.Scan(&k.ID, &k.RealmID, &k.ClientID, &k.Version, &k.Gate, &k.Enabled, &k.SecretHash, &doc, &sealed); err != nil {
		return nil, err
	}
	if err := decode(doc, c); err != nil {
		return nil, err
	}
	c.ID, c.RealmID, c.ClientID, c.Version, c.Gate, c.Enabled, c.SecretHash = k.ID, k.RealmID, k.ClientID, k.Version, k.Gate, k.Enabled, k.SecretHash
	p, err := s.openPart(sealed, "clients", c.ID)
	c.Extra, c.Attributes = together(c.Extra, p.Extra), together(c.Attributes, p.Attributes)
	return c, err
}

// AddressesOfClients gives the redirect URIs and web origins of all enabled
// clients of a realm, at most so many of them in all. Nothing else of the clients
// is filled in.
func (s *Store) AddressesOfClients(ctx context.Context, realmID string, most int) ([]*realm.Client, error) {
	type row struct{ client, kind, value string }
	rows, err := list(ctx, s.read, func(r scanner) (v row, err error) { err = r.Scan(&v.client, &v.kind, &v.value); return },
		`SELECT u.client_id, u.kind, u.value FROM client_uris u JOIN clients c ON c.id = u.client_id
			WHERE c.realm_id = $1 AND c.enabled = $2 ORDER BY u.client_id LIMIT $3`, realmID, true, most)
	var out []*realm.Client
	for _, v := range rows {
		if len(out) == 0 || out[len(out)-1].ID != v.client {
			out = append(out, &realm.Client{ID: v.client, RealmID: realmID})
		}
		c := out[len(out)-1]
		if v.kind == "origin" {
			c.WebOrigins = append(c.WebOrigins, v.value)
		} else {
			c.RedirectURIs = append(c.RedirectURIs, v.value)
		}
	}
	return out, err
}

func (s *Store) clientRelations(ctx context.Context, c *realm.Client) (err error) {
	uris := func(kind string) ([]string, error) {
		return list(ctx, s.read, scanText, "SELECT value FROM client_uris WHERE client_id = $1 AND kind = $2 ORDER BY position", c.ID, kind)
	}
	scopes := func(optional bool) ([]string, error) {
		return list(ctx, s.read, scanText, `SELECT s.name FROM client_scope_links l JOIN client_scopes s ON s.id = l.scope_id
			WHERE l.client_id = $1 AND l.optional = $2 ORDER BY l.position`, c.ID, optional)
	}
	if c.RedirectURIs, err = uris("redirect"); err != nil {
		return err
	}
	if c.WebOrigins, err = uris("origin"); err != nil {
		return err
	}
	if c.DefaultScopes, err = scopes(false); err != nil {
		return err
	}
	c.OptionalScopes, err = scopes(true)
	return err
}

// ClientByClientID gives the client with this client_id, shared: do not change it.
func (s *Store) ClientByClientID(ctx context.Context, realmID, clientID string) (*realm.Client, error) {
	return s.cachedClient(ctx, realmID+"/client/"+clientID, selectClient+"WHERE realm_id = $1 AND client_id = $2", realmID, clientID)
}

// ClientByID gives the client with this UUID, shared: do not change it.
func (s *Store) ClientByID(ctx context.Context, realmID, id string) (*realm.Client, error) {
	return s.cachedClient(ctx, realmID+"/clientid/"+id, selectClient+"WHERE realm_id = $1 AND id = $2", realmID, id)
}

func (s *Store) cachedClient(ctx context.Context, key, query string, args ...any) (*realm.Client, error) {
	return cached(ctx, s, key, func() (*realm.Client, int, error) {
		c, err := one(ctx, s.read, s.scanClient, query, args...)
		if err != nil {
			return nil, 0, err
		}
		return c, 4 << 10, s.clientRelations(ctx, c)
	})
}

// Clients gives the clients of a realm by client_id.
func (s *Store) Clients(ctx context.Context, realmID string, f ClientFilter) ([]*realm.Client, error) {
	where, value := `lower(client_id) LIKE lower($2) ESCAPE '\'`, "%"+escapeLike(f.ClientID)+"%"
	if !f.Search && f.ClientID != "" {
		where, value = "client_id = $2", f.ClientID
	}
	if f.Max == 0 {
		f.Max = 1 << 30
	}
	found, err := list(ctx, s.read, s.scanClient, selectClient+"WHERE realm_id = $1 AND "+where+" ORDER BY client_id LIMIT $3 OFFSET $4", realmID, value, atMost(f.Max), max(f.First, 0))
	if err != nil {
		return nil, err
	}
	for _, c := range found {
		if err := s.clientRelations(ctx, c); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(s)
}

// UpdateClient writes a client back when its version is the one that was read
// (ErrConflict). secret nil keeps the secret. The gate is raised, so that
// nothing decided on the older facts is issued.
func (s *Store) UpdateClient(ctx context.Context, c *realm.Client, secret *string) error {
	doc, part, err := s.clientDoc(c)
	if err != nil {
		return err
	}
	return s.change(ctx, c.RealmID, func(tx *sql.Tx) error {
		if err := changeService(ctx, tx, c); err != nil {
			return err
		}
		err := must(ctx, tx, ErrConflict, `UPDATE clients SET client_id = $1, enabled = $2, doc = $3, sealed = $4, version = version + 1, gate = gate + 1
			WHERE realm_id = $5 AND id = $6 AND version = $7`, c.ClientID, c.Enabled, doc, part, c.RealmID, c.ID, c.Version)
		if err != nil {
			return conflict(err, "clientId", c.ClientID)
		}
		for _, table := range []string{"DELETE FROM client_uris WHERE client_id = $1", "DELETE FROM client_scope_links WHERE client_id = $1"} {
			if _, err := exec(ctx, tx, table, c.ID); err != nil {
				return err
			}
		}
		if err := insertClientRelations(ctx, tx, c); err != nil || secret == nil {
			return err
		}
		return s.writeSecret(ctx, tx, c.ID, *secret)
	})
}

// changeService: the user that stands for a client goes when the client gets no more
// tokens for itself, so that nothing that it was given waits for the day when it
// does again, and is named after the client when that gets another name.
func changeService(ctx context.Context, tx *sql.Tx, c *realm.Client) error {
	if !c.ServiceAccounts {
		_, err := exec(ctx, tx, "DELETE FROM users WHERE realm_id = $1 AND service_client = $2", c.RealmID, c.ID)
		return err
	}
	old, err := one(ctx, tx, scanText, "SELECT client_id FROM clients WHERE realm_id = $1 AND id = $2", c.RealmID, c.ID)
	if errors.Is(err, ErrNotFound) || old == c.ClientID {
		return nil // one that is gone is said by the update of the client
	}
	if err != nil {
		return err
	}
	name := realm.ServiceAccountName(c.ClientID)
	_, err = exec(ctx, tx, "UPDATE users SET username = $1, version = version + 1, gate = gate + 1 WHERE realm_id = $2 AND service_client = $3", name, c.RealmID, c.ID)
	return conflict(err, "username", name)
}

func (s *Store) writeSecret(ctx context.Context, tx *sql.Tx, id, secret string) error {
	sealed, hash, err := s.sealSecret(id, secret)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, "UPDATE clients SET secret_sealed = $1, secret_hash = $2 WHERE id = $3", sealed, hash, id)
	return err
}

// DeleteClient deletes a client with its roles and everything given to it. The
// gates of those who had one of its roles are raised.
func (s *Store) DeleteClient(ctx context.Context, realmID, id string) error {
	return s.change(ctx, realmID, func(tx *sql.Tx) error { return s.deleteClient(ctx, tx, realmID, id) })
}

func (s *Store) deleteClient(ctx context.Context, tx *sql.Tx, realmID, id string) error {
	roles, err := list(ctx, tx, scanText, "SELECT id FROM roles WHERE realm_id = $1 AND client_id = $2 ORDER BY id", realmID, id)
	if err != nil {
		return err
	}
	for _, role := range roles {
		if err := s.raiseHolders(ctx, tx, realmID, role); err != nil {
			return err
		}
	}
	for _, q := range []string{"DELETE FROM users WHERE realm_id = $1 AND service_client = $2", "DELETE FROM scope_roles WHERE realm_id = $1 AND owner_id = $2"} {
		if _, err := exec(ctx, tx, q, realmID, id); err != nil {
			return err
		}
	}
	return must(ctx, tx, ErrNotFound, "DELETE FROM clients WHERE realm_id = $1 AND id = $2", realmID, id)
}

// ClientSecret gives a client's secret in clear, for administrators;
// ErrNotFound when it has none.
func (s *Store) ClientSecret(ctx context.Context, realmID, id string) (string, error) {
	sealed, err := one(ctx, s.read, func(r scanner) (b []byte, err error) { err = r.Scan(&b); return },
		"SELECT secret_sealed FROM clients WHERE realm_id = $1 AND id = $2", realmID, id)
	if err != nil {
		return "", err
	}
	if sealed == nil {
		return "", ErrNotFound
	}
	plain, err := s.seal.Open(sealed, "clients", id, "secret")
	return string(plain), wrap(err)
}
