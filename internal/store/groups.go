package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
)

func insertGroups(ctx context.Context, tx *sql.Tx, a *Aggregate) error {
	for _, g := range a.Groups {
		if err := insertGroup(ctx, tx, g); err != nil {
			return err
		}
	}
	for id, roles := range a.GroupRoles {
		if err := link(ctx, tx, "INSERT INTO group_roles (group_id, role_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", []any{id}, roles); err != nil {
			return err
		}
	}
	if len(a.DefaultGroups) == 0 {
		return nil
	}
	return link(ctx, tx, "INSERT INTO default_groups (realm_id, group_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", []any{a.Realm.ID}, a.DefaultGroups)
}

func groupDoc(g *realm.Group) (string, error) {
	d := *g
	d.ID, d.RealmID, d.ParentID, d.Name, d.Path, d.Version = "", "", "", "", "", 0
	return encode(d)
}

func insertGroup(ctx context.Context, tx *sql.Tx, g *realm.Group) error {
	doc, err := groupDoc(g)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, "INSERT INTO realm_groups (id, realm_id, parent_id, name, version, doc) VALUES ($1, $2, $3, $4, 1, $5)", g.ID, g.RealmID, g.ParentID, g.Name, doc)
	return conflict(err, "group", g.Name)
}

func scanGroup(row scanner) (*realm.Group, error) {
	g, k := &realm.Group{}, realm.Group{}
	var doc string
	if err := row.Scan(&k.ID, &k.RealmID, &k.ParentID, &k.Name, &k.Version, &doc); err != nil {
		return nil, err
	}
	if err := decode(doc, g); err != nil {
		return nil, err
	}
	g.ID, g.RealmID, g.ParentID, g.Name, g.Version = k.ID, k.RealmID, k.ParentID, k.Name, k.Version
	return g, nil
}

// Groups gives all groups of a realm with their paths, shared.
func (s *Store) Groups(ctx context.Context, realmID string) ([]*realm.Group, error) {
	return cached(ctx, s, realmID+"/groups", func() ([]*realm.Group, int, error) {
		found, err := list(ctx, s.read, scanGroup, "SELECT id, realm_id, parent_id, name, version, doc FROM realm_groups WHERE realm_id = $1 ORDER BY name", realmID)
		byID := map[string]*realm.Group{}
		for _, g := range found {
			byID[g.ID] = g
		}
		for _, g := range found {
			g.Path = groupPath(g, byID)
		}
		return found, 512 * len(found), err
	})
}

func groupPath(g *realm.Group, byID map[string]*realm.Group) string {
	const deepest = 100 // a loop in the data must not hang a login
	path := ""
	for range deepest {
		path = "/" + strings.ReplaceAll(g.Name, "/", "~/") + path // as Keycloak writes a slash inside a name
		parent := byID[g.ParentID]
		if parent == nil {
			break
		}
		g = parent
	}
	return path
}

// GroupRoles gives the role ids of every group of a realm, shared.
func (s *Store) GroupRoles(ctx context.Context, realmID string) (map[string][]string, error) {
	return cached(ctx, s, realmID+"/grouproles", func() (map[string][]string, int, error) {
		pairs, err := list(ctx, s.read, func(r scanner) (p [2]string, err error) { err = r.Scan(&p[0], &p[1]); return },
			"SELECT gr.group_id, gr.role_id FROM group_roles gr JOIN realm_groups g ON g.id = gr.group_id WHERE g.realm_id = $1", realmID)
		out := map[string][]string{}
		for _, p := range pairs {
			out[p[0]] = append(out[p[0]], p[1])
		}
		return out, 128 * len(pairs), err
	})
}

// CreateGroup adds a group below its parent.
func (s *Store) CreateGroup(ctx context.Context, g *realm.Group) error {
	return s.change(ctx, g.RealmID, func(tx *sql.Tx) error {
		if err := parentIsThere(ctx, tx, g.RealmID, g.ParentID); err != nil {
			return err
		}
		return insertGroup(ctx, tx, g)
	})
}

func parentIsThere(ctx context.Context, tx *sql.Tx, realmID, parentID string) error {
	if parentID == "" {
		return nil
	}
	_, err := one(ctx, tx, scanText, "SELECT id FROM realm_groups WHERE realm_id = $1 AND id = $2", realmID, parentID)
	return err
}

// UpdateGroup writes a group's name and document back; its place stays.
func (s *Store) UpdateGroup(ctx context.Context, g *realm.Group) error {
	doc, err := groupDoc(g)
	if err != nil {
		return err
	}
	return s.change(ctx, g.RealmID, func(tx *sql.Tx) error {
		err := must(ctx, tx, ErrConflict, "UPDATE realm_groups SET name = $1, doc = $2, version = version + 1 WHERE realm_id = $3 AND id = $4 AND version = $5",
			g.Name, doc, g.RealmID, g.ID, g.Version)
		return conflict(err, "group", g.Name)
	})
}

// below selects a group ($2) of a realm ($1) and every group under it.
const below = `WITH RECURSIVE below (id) AS (SELECT id FROM realm_groups WHERE realm_id = $1 AND id = $2
	UNION SELECT g.id FROM realm_groups g JOIN below ON g.parent_id = below.id) `

// MoveGroup gives a group another parent, "" for the top. Its members lose what
// the old place gave them: their gates are raised. ErrLoop: the parent stands
// below the group.
func (s *Store) MoveGroup(ctx context.Context, realmID, id, parentID string) error {
	return s.change(ctx, realmID, func(tx *sql.Tx) error {
		if err := parentIsThere(ctx, tx, realmID, parentID); err != nil {
			return err
		}
		loops, err := list(ctx, tx, scanText, below+"SELECT id FROM below WHERE id = $3", realmID, id, parentID)
		if err != nil {
			return err
		}
		if len(loops) > 0 {
			return ErrLoop
		}
		if err := s.raiseMembers(ctx, tx, realmID, id); err != nil {
			return err
		}
		return conflict(must(ctx, tx, ErrNotFound, "UPDATE realm_groups SET parent_id = $3, version = version + 1 WHERE realm_id = $1 AND id = $2", realmID, id, parentID), "group", id)
	})
}

// raiseMembers raises the gates of everybody in a group or under it. Whoever joins
// meanwhile is waited for and found, or waits until it is over.
func (s *Store) raiseMembers(ctx context.Context, tx *sql.Tx, realmID, groupID string) error {
	if _, err := list(ctx, tx, scanText, below+"SELECT id FROM realm_groups WHERE id IN (SELECT id FROM below) ORDER BY id"+s.d.exclusive, realmID, groupID); err != nil {
		return err
	}
	_, err := exec(ctx, tx, below+`UPDATE users SET gate = gate + 1 WHERE realm_id = $1
		AND id IN (SELECT m.user_id FROM memberships m JOIN below ON below.id = m.group_id)`, realmID, groupID)
	return err
}

// DeleteGroup deletes a group with all groups under it. Members lose what it gave
// them: their gates are raised.
func (s *Store) DeleteGroup(ctx context.Context, realmID, id string) error {
	return s.change(ctx, realmID, func(tx *sql.Tx) error {
		if err := s.raiseMembers(ctx, tx, realmID, id); err != nil {
			return err
		}
		return must(ctx, tx, ErrNotFound, below+"DELETE FROM realm_groups WHERE realm_id = $1 AND id IN (SELECT id FROM below)", realmID, id)
	})
}

// SetGroupRoles adds roles to a group and takes others away. Who loses one, in
// the group or under it, has the gate raised. Roles of another realm are left out.
func (s *Store) SetGroupRoles(ctx context.Context, realmID, groupID string, add, remove []string) error {
	return s.change(ctx, realmID, func(tx *sql.Tx) error {
		if len(remove) > 0 {
			if err := s.raiseMembers(ctx, tx, realmID, groupID); err != nil {
				return err
			}
		}
		if err := link(ctx, tx, `INSERT INTO group_roles (group_id, role_id) SELECT g.id, r.id FROM realm_groups g JOIN roles r ON r.realm_id = g.realm_id
			WHERE g.realm_id = $1 AND g.id = $2 AND r.id = $3 ON CONFLICT DO NOTHING`, []any{realmID, groupID}, add); err != nil {
			return err
		}
		return link(ctx, tx, "DELETE FROM group_roles WHERE group_id IN (SELECT id FROM realm_groups WHERE realm_id = $1 AND id = $2) AND role_id = $3", []any{realmID, groupID}, remove)
	})
}

// GroupMembers gives the direct members of a group by username. limit -1 is no limit.
func (s *Store) GroupMembers(ctx context.Context, realmID, groupID string, first, limit int) ([]*realm.User, error) {
	return s.someUsers(ctx, "id IN (SELECT user_id FROM memberships WHERE group_id = $2)", realmID, groupID, first, limit)
}

// JoinGroup makes a user a member of a group. ErrNotFound: one of them is not in
// this realm.
func (s *Store) JoinGroup(ctx context.Context, realmID, userID, groupID string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := bothThere(ctx, tx, realmID, userID, groupID); err != nil {
			return err
		}
		_, err := exec(ctx, tx, "INSERT INTO memberships (user_id, group_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", userID, groupID)
		return err
	})
}

func bothThere(ctx context.Context, tx *sql.Tx, realmID, userID, groupID string) error {
	_, err := one(ctx, tx, scanText, "SELECT u.id FROM users u JOIN realm_groups g ON g.realm_id = u.realm_id WHERE u.realm_id = $1 AND u.id = $2 AND g.id = $3",
		realmID, userID, groupID)
	return err
}

// LeaveGroup ends a membership. What the group gave is lost: the gate is raised.
func (s *Store) LeaveGroup(ctx context.Context, realmID, userID, groupID string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := bothThere(ctx, tx, realmID, userID, groupID); err != nil {
			return err
		}
		n, err := exec(ctx, tx, "DELETE FROM memberships WHERE user_id = $1 AND group_id = $2", userID, groupID)
		if err != nil || n == 0 {
			return err
		}
		_, err = exec(ctx, tx, "UPDATE users SET gate = gate + 1 WHERE realm_id = $1 AND id = $2", realmID, userID)
		return err
	})
}

// DefaultGroups gives the ids of the groups that a new user joins.
func (s *Store) DefaultGroups(ctx context.Context, realmID string) ([]string, error) {
	return list(ctx, s.read, scanText, "SELECT group_id FROM default_groups WHERE realm_id = $1 ORDER BY group_id", realmID)
}

// SetDefaultGroup makes a group one that new users join, or no longer.
func (s *Store) SetDefaultGroup(ctx context.Context, realmID, groupID string, on bool) error {
	return s.change(ctx, realmID, func(tx *sql.Tx) error {
		if err := parentIsThere(ctx, tx, realmID, groupID); err != nil {
			return err
		}
		query := "DELETE FROM default_groups WHERE realm_id = $1 AND group_id = $2"
		if on {
			query = "INSERT INTO default_groups (realm_id, group_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
		}
		_, err := exec(ctx, tx, query, realmID, groupID)
		return err
	})
}
