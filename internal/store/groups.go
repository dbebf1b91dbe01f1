package store

import (
	"context"
	"database/sql"

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

func insertGroup(ctx context.Context, tx *sql.Tx, g *realm.Group) error {
	d := *g
	d.ID, d.RealmID, d.ParentID, d.Name, d.Path, d.Version = "", "", "", "", "", 0
	doc, err := encode(d)
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
		path = "/" + g.Name + path
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
