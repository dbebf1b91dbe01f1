package store

import (
	"context"
	"database/sql"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// RoleTable is every role of a realm with its composites. It is shared: do not
// change it.
type RoleTable struct {
	ByID       map[string]*realm.Role
	Composites map[string][]string // role id → ids of the roles it contains
}

func insertRoles(ctx context.Context, tx *sql.Tx, a *Aggregate) error {
	for _, r := range a.Roles {
		if err := insertRole(ctx, tx, r); err != nil {
			return err
		}
	}
	for id, children := range a.Composites {
		if err := link(ctx, tx, "INSERT INTO role_composites (role_id, child_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", []any{id}, children); err != nil {
			return err
		}
	}
	return nil
}

func insertRole(ctx context.Context, tx *sql.Tx, r *realm.Role) error {
	doc, err := roleDoc(r)
	if err != nil {
		return err
	}
	client := sql.NullString{String: r.ClientID, Valid: r.ClientID != ""}
	_, err = exec(ctx, tx, "INSERT INTO roles (id, realm_id, client_id, container, name, version, doc) VALUES ($1, $2, $3, $4, $5, 1, $6)",
		r.ID, r.RealmID, client, r.ClientID, r.Name, doc)
	return conflict(err, "role", r.Name)
}

func roleDoc(r *realm.Role) (string, error) {
	d := *r
	d.ID, d.RealmID, d.ClientID, d.Name, d.Version, d.Composite = "", "", "", "", 0, false
	return encode(d)
}

func scanRole(row scanner) (*realm.Role, error) {
	r, k := &realm.Role{}, realm.Role{}
	var doc string
	if err := row.Scan(&k.ID, &k.RealmID, &k.ClientID, &k.Name, &k.Version, &doc); err != nil {
		return nil, err
	}
	if err := decode(doc, r); err != nil {
		return nil, err
	}
	r.ID, r.RealmID, r.ClientID, r.Name, r.Version = k.ID, k.RealmID, k.ClientID, k.Name, k.Version
	return r, nil
}

// Roles gives all roles of a realm, its clients' included.
func (s *Store) Roles(ctx context.Context, realmID string) (*RoleTable, error) {
	return cached(ctx, s, realmID+"/roles", func() (*RoleTable, int, error) {
		t, err := s.readRoles(ctx, realmID)
		if err != nil {
			return nil, 0, err
		}
		return t, 512 * len(t.ByID), nil
	})
}

func (s *Store) readRoles(ctx context.Context, realmID string) (*RoleTable, error) {
	t := &RoleTable{ByID: map[string]*realm.Role{}, Composites: map[string][]string{}}
	roles, err := list(ctx, s.read, scanRole, "SELECT id, realm_id, container, name, version, doc FROM roles WHERE realm_id = $1", realmID)
	if err != nil {
		return nil, err
	}
	for _, r := range roles {
		t.ByID[r.ID] = r
	}
	pairs, err := list(ctx, s.read, func(r scanner) (p [2]string, err error) { err = r.Scan(&p[0], &p[1]); return },
		"SELECT c.role_id, c.child_id FROM role_composites c JOIN roles r ON r.id = c.role_id WHERE r.realm_id = $1 ORDER BY c.role_id, c.child_id", realmID)
	for _, p := range pairs {
		t.Composites[p[0]] = append(t.Composites[p[0]], p[1])
		if parent := t.ByID[p[0]]; parent != nil {
			parent.Composite = true
		}
	}
	return t, err
}

// CreateRole adds a role that contains the children (ids of roles of its realm).
func (s *Store) CreateRole(ctx context.Context, r *realm.Role, children ...string) error {
	return s.change(ctx, r.RealmID, func(tx *sql.Tx) error {
		if err := insertRole(ctx, tx, r); err != nil {
			return err
		}
		return link(ctx, tx, insertComposite, []any{r.RealmID, r.ID}, children)
	})
}

// UpdateRole writes a role's name and document back.
func (s *Store) UpdateRole(ctx context.Context, r *realm.Role) error {
	doc, err := roleDoc(r)
	if err != nil {
		return err
	}
	return s.change(ctx, r.RealmID, func(tx *sql.Tx) error {
		err := must(ctx, tx, ErrConflict, "UPDATE roles SET name = $1, doc = $2, version = version + 1 WHERE realm_id = $3 AND id = $4 AND version = $5",
			r.Name, doc, r.RealmID, r.ID, r.Version)
		return conflict(err, "role", r.Name)
	})
}

// DeleteRole deletes a role. Whoever had it loses it, directly, by a group or by
// a role that contained it: their gates are raised.
func (s *Store) DeleteRole(ctx context.Context, realmID, id string) error {
	return s.change(ctx, realmID, func(tx *sql.Tx) error {
		if err := s.raiseHolders(ctx, tx, realmID, id); err != nil {
			return err
		}
		return must(ctx, tx, ErrNotFound, "DELETE FROM roles WHERE realm_id = $1 AND id = $2", realmID, id)
	})
}

// holding selects, of a role ($2) of a realm ($1), the roles that contain it
// (above, itself included) and the groups that give one of them (giving).
const holding = `WITH RECURSIVE above (id) AS (SELECT id FROM roles WHERE realm_id = $1 AND id = $2
		UNION SELECT c.role_id FROM role_composites c JOIN above ON c.child_id = above.id),
	giving (id) AS (SELECT gr.group_id FROM group_roles gr JOIN above ON gr.role_id = above.id
		UNION SELECT g.id FROM realm_groups g JOIN giving ON g.parent_id = giving.id) `

// raiseHolders raises the gates of everybody who has a role in any way. Whoever is
// given it meanwhile is waited for and found, or waits until it is over.
func (s *Store) raiseHolders(ctx context.Context, tx *sql.Tx, realmID, roleID string) error {
	for _, rows := range []string{"SELECT id FROM roles WHERE id IN (SELECT id FROM above) ORDER BY id", "SELECT id FROM realm_groups WHERE id IN (SELECT id FROM giving) ORDER BY id"} {
		if _, err := list(ctx, tx, scanText, holding+rows+s.d.exclusive, realmID, roleID); err != nil {
			return err
		}
	}
	_, err := exec(ctx, tx, holding+`UPDATE users SET gate = gate + 1 WHERE realm_id = $1 AND (id IN (SELECT ur.user_id FROM user_roles ur JOIN above ON ur.role_id = above.id)
			OR id IN (SELECT m.user_id FROM memberships m JOIN giving ON m.group_id = giving.id))`, realmID, roleID)
	return err
}

// insertComposite puts a role ($3) into another ($2), both of one realm ($1).
const insertComposite = `INSERT INTO role_composites (role_id, child_id) SELECT p.id, c.id FROM roles p JOIN roles c ON c.realm_id = p.realm_id
	WHERE p.realm_id = $1 AND p.id = $2 AND c.id = $3 ON CONFLICT DO NOTHING`

// SetComposites adds roles to a composite role and takes others out; whoever has
// it loses those, and has the gate raised. Roles of another realm are left out.
func (s *Store) SetComposites(ctx context.Context, realmID, roleID string, add, remove []string) error {
	return s.change(ctx, realmID, func(tx *sql.Tx) error {
		if len(remove) > 0 {
			if err := s.raiseHolders(ctx, tx, realmID, roleID); err != nil {
				return err
			}
		}
		if err := link(ctx, tx, insertComposite, []any{realmID, roleID}, add); err != nil {
			return err
		}
		return link(ctx, tx, "DELETE FROM role_composites WHERE role_id IN (SELECT id FROM roles WHERE realm_id = $1 AND id = $2) AND child_id = $3", []any{realmID, roleID}, remove)
	})
}

// RoleUsers gives the users that have a role directly, by username. limit -1 is no limit.
func (s *Store) RoleUsers(ctx context.Context, realmID, roleID string, first, limit int) ([]*realm.User, error) {
	return s.someUsers(ctx, "id IN (SELECT user_id FROM user_roles WHERE role_id = $2)", realmID, roleID, first, limit)
}
