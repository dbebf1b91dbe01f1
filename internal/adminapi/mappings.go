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
