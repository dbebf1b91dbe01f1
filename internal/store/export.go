package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// ReadRealm gives a realm with all that belongs to it, as CreateRealm takes it,
// read from one snapshot: what others write meanwhile is in it whole or not at
// all. Client secrets and credentials are opened. Everything is in a fixed order.
// It returns ErrNotFound for a name that no realm has.
func (s *Store) ReadRealm(ctx context.Context, name string) (*Aggregate, error) {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: s.d.snapshot})
	if err != nil {
		return nil, wrap(err)
	}
	r := &snapshot{s: s, q: tx, a: &Aggregate{}}
	err = r.run(ctx, name)
	return r.a, errors.Join(err, ignoreDone(tx.Rollback()))
}

// snapshot reads an aggregate through one transaction.
type snapshot struct {
	s *Store
	q queryer
	a *Aggregate
}

func (r *snapshot) run(ctx context.Context, name string) (err error) {
	if r.a.Realm, err = one(ctx, r.q, r.s.scanRealm, selectRealm+"WHERE name = $1", name); err != nil {
		return err
	}
	for _, step := range []func(context.Context, string) error{r.roles, r.scopes, r.clients, r.groups, r.users} {
		if err := step(ctx, r.a.Realm.ID); err != nil {
			return err
		}
	}
	return nil
}

// texts reads rows of texts.
func (r *snapshot) texts(ctx context.Context, columns int, query string, args ...any) ([][]string, error) {
	return list(ctx, r.q, func(row scanner) ([]string, error) {
		out, dest := make([]string, columns), make([]any, columns)
		for i := range out {
			dest[i] = &out[i]
		}
		return out, row.Scan(dest...)
	}, query, args...)
}

// lists gathers pairs: the first column's second ones.
func (r *snapshot) lists(ctx context.Context, query string, args ...any) (map[string][]string, error) {
	rows, err := r.texts(ctx, 2, query, args...)
	out := map[string][]string{}
	for _, p := range rows {
		out[p[0]] = append(out[p[0]], p[1])
	}
	return out, err
}

func (r *snapshot) roles(ctx context.Context, realmID string) (err error) {
	if r.a.Roles, err = list(ctx, r.q, scanRole, "SELECT id, realm_id, container, name, version, doc FROM roles WHERE realm_id = $1 ORDER BY container, name", realmID); err != nil {
		return err
	}
	r.a.Composites, err = r.lists(ctx, "SELECT c.role_id, c.child_id FROM role_composites c JOIN roles r ON r.id = c.role_id WHERE r.realm_id = $1", realmID)
	return err
}

func (r *snapshot) scopes(ctx context.Context, realmID string) (err error) {
	if r.a.Scopes, err = list(ctx, r.q, scanScope, "SELECT id, realm_id, name, version, doc FROM client_scopes WHERE realm_id = $1 ORDER BY name", realmID); err != nil {
		return err
	}
	for optional, into := range map[bool]*[]string{false: &r.a.DefaultScopes, true: &r.a.OptionalScopes} {
		if *into, err = list(ctx, r.q, scanText, "SELECT scope_id FROM realm_scopes WHERE realm_id = $1 AND optional = $2 ORDER BY position", realmID, optional); err != nil {
			return err
		}
	}
	if r.a.ScopeRoles, err = r.lists(ctx, "SELECT sr.owner_id, sr.role_id FROM scope_roles sr JOIN client_scopes s ON s.id = sr.owner_id WHERE sr.realm_id = $1", realmID); err != nil {
		return err
	}
	r.a.ClientScopeRoles, err = r.lists(ctx, "SELECT sr.owner_id, sr.role_id FROM scope_roles sr JOIN clients c ON c.id = sr.owner_id WHERE sr.realm_id = $1", realmID)
	return err
}

func (r *snapshot) clients(ctx context.Context, realmID string) error {
	found, err := list(ctx, r.q, r.s.scanClient, selectClient+"WHERE realm_id = $1 ORDER BY client_id", realmID)
	if err != nil {
		return err
	}
	sealed := map[string][]byte{}
	if _, err := list(ctx, r.q, func(row scanner) (id string, err error) {
		var b []byte
		err = row.Scan(&id, &b)
		sealed[id] = b
		return id, err
	}, "SELECT id, secret_sealed FROM clients WHERE realm_id = $1 AND secret_sealed IS NOT NULL", realmID); err != nil {
		return err
	}
	for _, c := range found {
		n := NewClient{Client: c}
		if b := sealed[c.ID]; b != nil {
			plain, err := r.s.seal.Open(b, "clients", c.ID, "secret")
			if err != nil {
				return wrap(err)
			}
			n.Secret = string(plain)
		}
		r.a.Clients = append(r.a.Clients, n)
	}
	return r.clientRelations(ctx, realmID, found)
}

func (r *snapshot) clientRelations(ctx context.Context, realmID string, clients []*realm.Client) error {
	for _, rel := range []struct {
		query string
		arg   any
		place func(*realm.Client) *[]string
	}{
		{"SELECT u.client_id, u.value FROM client_uris u JOIN clients c ON c.id = u.client_id WHERE c.realm_id = $1 AND u.kind = $2 ORDER BY u.client_id, u.position", "redirect",
			func(c *realm.Client) *[]string { return &c.RedirectURIs }},
		{"SELECT u.client_id, u.value FROM client_uris u JOIN clients c ON c.id = u.client_id WHERE c.realm_id = $1 AND u.kind = $2 ORDER BY u.client_id, u.position", "origin",
			func(c *realm.Client) *[]string { return &c.WebOrigins }},
		{clientScopeNames, false, func(c *realm.Client) *[]string { return &c.DefaultScopes }},
		{clientScopeNames, true, func(c *realm.Client) *[]string { return &c.OptionalScopes }},
	} {
		values, err := r.lists(ctx, rel.query, realmID, rel.arg)
		if err != nil {
			return err
		}
		for _, c := range clients {
			*rel.place(c) = values[c.ID]
		}
	}
	return nil
}

const clientScopeNames = `SELECT l.client_id, s.name FROM client_scope_links l JOIN client_scopes s ON s.id = l.scope_id
	WHERE s.realm_id = $1 AND l.optional = $2 ORDER BY l.client_id, l.position`

func (r *snapshot) groups(ctx context.Context, realmID string) (err error) {
	if r.a.Groups, err = list(ctx, r.q, scanGroup, "SELECT id, realm_id, parent_id, name, version, doc FROM realm_groups WHERE realm_id = $1 ORDER BY name, id", realmID); err != nil {
		return err
	}
	byID := map[string]*realm.Group{}
	for _, g := range r.a.Groups {
		byID[g.ID] = g
	}
	for _, g := range r.a.Groups {
		g.Path = groupPath(g, byID)
	}
	if r.a.GroupRoles, err = r.lists(ctx, "SELECT gr.group_id, gr.role_id FROM group_roles gr JOIN realm_groups g ON g.id = gr.group_id WHERE g.realm_id = $1", realmID); err != nil {
		return err
	}
	r.a.DefaultGroups, err = list(ctx, r.q, scanText, "SELECT group_id FROM default_groups WHERE realm_id = $1", realmID)
	return err
}

func (r *snapshot) users(ctx context.Context, realmID string) error {
	users, err := list(ctx, r.q, scanUser, selectUser+"WHERE realm_id = $1 ORDER BY username", realmID)
	if err != nil {
		return err
	}
	roles, err := r.lists(ctx, "SELECT ur.user_id, ur.role_id FROM user_roles ur JOIN users u ON u.id = ur.user_id WHERE u.realm_id = $1", realmID)
	if err != nil {
		return err
	}
	groups, err := r.lists(ctx, "SELECT m.user_id, m.group_id FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.realm_id = $1", realmID)
	if err != nil {
		return err
	}
	attributes, err := r.texts(ctx, 3, `SELECT a.user_id, a.name, a.value FROM user_attributes a JOIN users u ON u.id = a.user_id
		WHERE u.realm_id = $1 ORDER BY a.user_id, a.name, a.position`, realmID)
	if err != nil {
		return err
	}
	credentials, err := list(ctx, r.q, r.s.scanCredential, selectCredential+"WHERE realm_id = $1 ORDER BY user_id, priority, created_at, id", realmID)
	if err != nil {
		return err
	}
	byID := map[string]*NewUser{}
	r.a.Users = make([]NewUser, len(users))
	for i, u := range users {
		r.a.Users[i] = NewUser{User: u, RoleIDs: roles[u.ID], GroupIDs: groups[u.ID]}
		byID[u.ID] = &r.a.Users[i]
	}
	for _, a := range attributes {
		u := byID[a[0]].User
		if u.Attributes == nil {
			u.Attributes = map[string][]string{}
		}
		u.Attributes[a[1]] = append(u.Attributes[a[1]], a[2])
	}
	for _, c := range credentials {
		byID[c.UserID].Credentials = append(byID[c.UserID].Credentials, c)
	}
	return nil
}
