package adminapi

import (
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/token"
)

// mapped is somebody who has roles.
type mapped struct {
	direct    []string        // role ids
	effective map[string]bool // with composites, and with what stands above
	table     *store.RoleTable
	set       func(add, remove []string) error
}

// mapped gives the owner that the path names. change asks for one that the caller
// may change: who has no right more than the caller.
func (a *API) mapped(c *call, change bool) (*mapped, error) {
	table, err := a.Store.Roles(c.ctx(), c.realm.ID)
	if err != nil {
		return nil, err
	}
	m := &mapped{table: table}
	switch {
	case c.path["user"] != "":
		err = a.mapUser(c, m, change)
	case c.path["group"] != "":
		err = a.mapGroup(c, m, change)
	case c.path["client"] != "":
		err = a.mapClient(c, m, change)
	default:
		err = a.mapScope(c, m)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (a *API) mapUser(c *call, m *mapped, change bool) error {
	look := a.user
	if change {
		look = a.manageable
	}
	u, err := look(c)
	if err != nil {
		return err
	}
	var viaGroups []string
	if m.direct, viaGroups, err = a.Store.UserRoles(c.ctx(), c.realm.ID, u.ID); err != nil {
		return err
	}
	m.effective = token.Expand(m.table, m.direct, viaGroups)
	m.set = func(add, remove []string) error { return a.Store.SetUserRoles(c.ctx(), c.realm.ID, u.ID, add, remove) }
	return nil
}

func (a *API) mapGroup(c *call, m *mapped, change bool) error {
	g, groups, err := a.group(c)
	if err != nil {
		return err
	}
	if change {
		if err := a.withinGroup(c, g.ID, false); err != nil {
			return err
		}
	}
	roles, err := a.Store.GroupRoles(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	m.direct = roles[g.ID]
	var all []string
	for _, id := range chain(groups, g.ID) {
		all = append(all, roles[id]...)
	}
	m.effective = token.Expand(m.table, all)
	m.set = func(add, remove []string) error { return a.Store.SetGroupRoles(c.ctx(), c.realm.ID, g.ID, add, remove) }
	return nil
}

// mapClient: a client's own roles are always within its scope.
func (a *API) mapClient(c *call, m *mapped, change bool) error {
	look := a.client
	if change {
		look = a.manageableClient
	}
	cl, err := look(c)
	if err != nil {
		return err
	}
	if m.direct, err = a.Store.ScopeRoles(c.ctx(), c.realm.ID, cl.ID); err != nil {
		return err
	}
	var own []string
	for _, r := range ordered(m.table, func(r *realm.Role) bool { return r.ClientID == cl.ID }) {
		own = append(own, r.ID)
	}
	m.effective = token.Expand(m.table, m.direct, own)
	m.set = func(add, remove []string) error {
		return a.Store.SetScopeRoles(c.ctx(), c.realm.ID, cl.ID, add, remove)
	}
	return nil
}

func (a *API) mapScope(c *call, m *mapped) error {
	sc, err := a.clientScope(c)
	if err != nil {
		return err
	}
	if m.direct, err = a.Store.ScopeRoles(c.ctx(), c.realm.ID, sc.ID); err != nil {
		return err
	}
	m.effective = token.Expand(m.table, m.direct)
	m.set = func(add, remove []string) error {
		return a.Store.SetScopeRoles(c.ctx(), c.realm.ID, sc.ID, add, remove)
	}
	return nil
}
