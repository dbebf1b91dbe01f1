package adminapi

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/token"
)

// mappingRoutes are the same for what a user and a group have (role-mappings) and
// for what a client and a client scope are limited to (scope-mappings).
func mappingRoutes() []route {
	var out []route
	for _, owner := range []struct {
		prefix string
		view   string
		edit   string
	}{
		{"realms/{realm}/users/{user}/role-mappings", "view-users", "manage-users"},
		{"realms/{realm}/groups/{group}/role-mappings", "view-users", "manage-users"},
		{"realms/{realm}/clients/{client}/scope-mappings", "view-clients", "manage-clients"},
		{"realms/{realm}/client-scopes/{scope}/scope-mappings", "view-clients", "manage-clients"},
	} {
		view, edit := []string{owner.view, owner.edit}, []string{owner.edit}
		out = append(out, route{http.MethodGet, owner.prefix, view, (*API).allMappings})
		for _, of := range []string{"/realm", "/clients/{of}"} {
			out = append(out,
				route{http.MethodGet, owner.prefix + of, view, (*API).directMappings},
				route{http.MethodPost, owner.prefix + of, edit, (*API).addMappings},
				route{http.MethodDelete, owner.prefix + of, edit, (*API).removeMappings},
				route{http.MethodGet, owner.prefix + of + "/available", view, (*API).availableMappings},
				route{http.MethodGet, owner.prefix + of + "/composite", view, (*API).effectiveMappings})
		}
	}
	return out
}

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

// mappedClient gives the client whose roles are mapped.
func (a *API) mappedClient(c *call) (*realm.Client, error) {
	cl, err := a.Store.ClientByID(c.ctx(), c.realm.ID, c.path["of"])
	return cl, missing(err, "Client not found")
}

// allMappings answers with what an owner has directly, by client_id.
func (a *API) allMappings(c *call) error {
	m, err := a.mapped(c, false)
	if err != nil {
		return err
	}
	out := map[string]any{}
	clients := map[string]any{}
	for _, container := range containers(m) {
		found := represent(c, ordered(m.table, func(r *realm.Role) bool { return r.ClientID == container && slices.Contains(m.direct, r.ID) }))
		if container == "" {
			out["realmMappings"] = found
			continue
		}
		cl, err := a.Store.ClientByID(c.ctx(), c.realm.ID, container)
		if err != nil {
			return err
		}
		clients[cl.ClientID] = map[string]any{"id": cl.ID, "client": cl.ClientID, "mappings": found}
	}
	if len(clients) > 0 {
		out["clientMappings"] = clients
	}
	return c.json(out)
}

// containers gives the clients, "" for the realm, that an owner has roles of.
func containers(m *mapped) []string {
	have := map[string]bool{}
	for _, id := range m.direct {
		if r := m.table.ByID[id]; r != nil {
			have[r.ClientID] = true
		}
	}
	return slices.Collect(maps.Keys(have))
}

// answerMappings answers with the roles of the path's container that pass.
func (a *API) answerMappings(c *call, pass func(m *mapped, r *realm.Role) (bool, error)) error {
	if c.path["of"] != "" {
		if _, err := a.mappedClient(c); err != nil {
			return err
		}
	}
	m, err := a.mapped(c, false)
	if err != nil {
		return err
	}
	found := []*realm.Role{}
	for _, r := range ordered(m.table, func(r *realm.Role) bool { return r.ClientID == c.path["of"] }) {
		ok, err := pass(m, r)
		if err != nil {
			return err
		}
		if ok {
			found = append(found, r)
		}
	}
	if strings.HasSuffix(c.r.URL.Path, "/composite") && !isBrief(c, true) {
		return c.json(inFull(c, found))
	}
	return c.json(represent(c, found))
}

func (a *API) directMappings(c *call) error {
	return a.answerMappings(c, func(m *mapped, r *realm.Role) (bool, error) { return slices.Contains(m.direct, r.ID), nil })
}

func (a *API) effectiveMappings(c *call) error {
	return a.answerMappings(c, func(m *mapped, r *realm.Role) (bool, error) { return m.effective[r.ID], nil })
}

// availableMappings are the roles that could be added, by this caller: none for who
// may only look.
func (a *API) availableMappings(c *call) error {
	edit := "manage-clients"
	if c.path["user"] != "" || c.path["group"] != "" {
		edit = "manage-users"
	}
	return a.answerMappings(c, func(m *mapped, r *realm.Role) (bool, error) {
		if !c.can(edit) {
			return false, nil
		}
		err := a.within(c, m.table, []string{r.ID})
		if errors.Is(err, errForbidden) {
			return false, nil
		}
		return err == nil && !slices.Contains(m.direct, r.ID), err
	})
}

func (a *API) addMappings(c *call) error    { return a.setMappings(c, true) }
func (a *API) removeMappings(c *call) error { return a.setMappings(c, false) }

func (a *API) setMappings(c *call, add bool) error {
	if c.path["of"] != "" {
		if _, err := a.mappedClient(c); err != nil {
			return err
		}
	}
	m, err := a.mapped(c, true)
	if err != nil {
		return err
	}
	ids, err := c.namedRoles(m, add)
	if err != nil {
		return err
	}
	if err := a.within(c, m.table, ids); err != nil {
		return err
	}
	plus, minus := ids, []string(nil)
	if !add {
		plus, minus = nil, ids
	}
	if err := m.set(plus, minus); err != nil {
		return err
	}
	return c.noContent()
}

// namedRoles gives the roles of the body. A deletion without a body is of all that
// are mapped, as with Keycloak.
func (c *call) namedRoles(m *mapped, add bool) ([]string, error) {
	b, err := c.body(maxBody)
	if err != nil {
		return nil, err
	}
	if !add && len(bytes.TrimSpace(b)) == 0 {
		return slices.DeleteFunc(slices.Clone(m.direct), func(id string) bool {
			r := m.table.ByID[id]
			return r == nil || r.ClientID != c.path["of"]
		}), nil
	}
	sent, err := rolesIn(b)
	if err != nil {
		return nil, err
	}
	return theirs(m.table, c.path["of"], sent)
}

// theirs gives the ids of the sent roles, each of the container that the path names.
func theirs(table *store.RoleTable, container string, sent []rep.Role) ([]string, error) {
	var ids []string
	for _, s := range sent {
		r := table.ByID[s.ID]
		if r == nil || r.ClientID != container {
			return nil, notFound("Role not found")
		}
		ids = append(ids, r.ID)
	}
	return ids, nil
}

// isBrief says whether an answer leaves out what is kept beside the names.
func isBrief(c *call, otherwise bool) bool {
	if !c.query.Has("briefRepresentation") {
		return otherwise
	}
	return strings.EqualFold(c.query.Get("briefRepresentation"), "true")
}
