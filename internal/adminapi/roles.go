package adminapi

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
)

// roleRoutes are the same for roles of the realm, of a client, and by id.
func roleRoutes() []route {
	out := []route{
		{http.MethodGet, "realms/{realm}/roles", []string{"view-realm", "manage-realm"}, (*API).listRoles},
		{http.MethodGet, "realms/{realm}/clients/{client}/roles", []string{"view-clients", "manage-clients"}, (*API).listRoles},
	}
	for _, place := range []struct {
		prefix     string
		view, edit []string
	}{
		{"realms/{realm}/roles", []string{"view-realm", "manage-realm"}, []string{"manage-realm"}},
		{"realms/{realm}/clients/{client}/roles", []string{"view-clients", "manage-clients"}, []string{"manage-clients"}},
		{"realms/{realm}/roles-by-id", []string{"view-realm", "manage-realm", "view-clients", "manage-clients"}, []string{"manage-realm", "manage-clients"}},
	} {
		one := place.prefix + "/{role}"
		if !strings.HasSuffix(place.prefix, "by-id") {
			out = append(out,
				route{http.MethodPost, place.prefix, place.edit, (*API).createRole},
				route{http.MethodGet, one + "/users", place.view, (*API).roleUsers},
				route{http.MethodGet, one + "/groups", place.view, (*API).roleGroups})
		}
		out = append(out,
			route{http.MethodGet, one, place.view, (*API).showRole},
			route{http.MethodPut, one, place.edit, (*API).updateRole},
			route{http.MethodDelete, one, place.edit, (*API).deleteRole},
			route{http.MethodGet, one + "/composites", place.view, (*API).listComposites},
			route{http.MethodPost, one + "/composites", place.edit, (*API).addComposites},
			route{http.MethodDelete, one + "/composites", place.edit, (*API).removeComposites},
			route{http.MethodGet, one + "/composites/realm", place.view, (*API).listComposites},
			route{http.MethodGet, one + "/composites/clients/{of}", place.view, (*API).listComposites})
	}
	return out
}

const noRole = "Could not find role"

// container is the client whose roles the path speaks of, "" for the realm's own.
func (a *API) container(c *call) (string, error) {
	if c.path["client"] == "" {
		return "", nil
	}
	cl, err := a.client(c)
	if err != nil {
		return "", err
	}
	return cl.ID, nil
}

func (a *API) listRoles(c *call) error {
	container, err := a.container(c)
	if err != nil {
		return err
	}
	table, err := a.Store.Roles(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	search := strings.ToLower(c.query.Get("search"))
	found := ordered(table, func(r *realm.Role) bool {
		return r.ClientID == container && strings.Contains(strings.ToLower(r.Name+"\n"+r.Description), search)
	})
	if found, err = paged(c, found); err != nil {
		return err
	}
	if isBrief(c, true) {
		return c.json(represent(c, found))
	}
	return c.json(inFull(c, found))
}

// ordered gives the roles that pass, by name.
func ordered(table *store.RoleTable, pass func(r *realm.Role) bool) []*realm.Role {
	var out []*realm.Role
	for _, r := range table.ByID {
		if pass(r) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(x, y *realm.Role) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.ID, y.ID))
	})
	return out
}

// most is how long a list gets that nobody limits.
const most = 10_000

// paged cuts a list to first and max.
func paged[T any](c *call, all []T) ([]T, error) {
	first, limit, err := c.page(most)
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		limit = most
	}
	all = all[min(first, len(all)):]
	return all[:min(limit, len(all))], nil
}

// role gives the role of the path, by name or by id. Who is let in by one of two
// rights to a role by its id needs the one for its kind.
func (a *API) role(c *call) (*realm.Role, *store.RoleTable, error) {
	table, err := a.Store.Roles(c.ctx(), c.realm.ID)
	if err != nil {
		return nil, nil, err
	}
	if strings.Contains(c.r.URL.Path, "/roles-by-id/") {
		r, err := roleByID(c, table)
		return r, table, err
	}
	container, err := a.container(c)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range table.ByID {
		if r.ClientID == container && r.Name == c.path["role"] {
			return r, table, nil
		}
	}
	return nil, nil, notFound(noRole)
}

func roleByID(c *call, table *store.RoleTable) (*realm.Role, error) {
	r := table.ByID[c.path["role"]]
	if r == nil {
		return nil, notFound("Could not find role with id")
	}
	needs := []string{"manage-realm"}
	if r.ClientID != "" {
		needs = []string{"manage-clients"}
	}
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodHead {
		needs = append(needs, strings.Replace(needs[0], "manage", "view", 1))
	}
	if !c.can(needs...) {
		return nil, errForbidden
	}
	return r, nil
}

// manageableRole gives the role of the path, if the caller has every right that
// comes with it.
func (a *API) manageableRole(c *call) (*realm.Role, *store.RoleTable, error) {
	r, table, err := a.role(c)
	if err != nil {
		return nil, nil, err
	}
	if err := a.noRights(c, r.ClientID); err != nil {
		return nil, nil, err
	}
	return r, table, a.within(c, table, []string{r.ID})
}

func (a *API) showRole(c *call) error {
	r, _, err := a.role(c)
	if err != nil {
		return err
	}
	return c.json(rep.FullRole(r, c.realm.ID))
}

func (a *API) createRole(c *call) error {
	container, err := a.container(c)
	if err != nil {
		return err
	}
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	var sent rep.Role
	if err := rep.DecodeRole(b, &sent); err != nil {
		return err
	}
	if strings.TrimSpace(sent.Name) == "" {
		return refusal{http.StatusBadRequest, "role has no name", false}
	}
	r := &realm.Role{ID: realm.NewID(), RealmID: c.realm.ID, ClientID: container, Name: sent.Name, Description: sent.Description, Attributes: sent.Attributes}
	if err := errors.Join(a.noRights(c, container), a.rightWithin(c, r)); err != nil {
		return err
	}
	children, err := a.namedComposites(c, sent.Composites)
	if err != nil {
		return err
	}
	if err := a.Store.CreateRole(c.ctx(), r, children...); err != nil {
		return err
	}
	return c.created(r.Name)
}

// namedComposites finds the roles that a new role says it contains.
func (a *API) namedComposites(c *call, sent *rep.Composites) ([]string, error) {
	if sent == nil {
		return nil, nil
	}
	table, err := a.Store.Roles(c.ctx(), c.realm.ID)
	if err != nil {
		return nil, err
	}
	var ids []string
	add := func(container string, names []string) error {
		for _, name := range names {
			found := ordered(table, func(r *realm.Role) bool { return r.ClientID == container && r.Name == name })
			if len(found) == 0 {
				return notFound("Could not find composite role")
			}
			ids = append(ids, found[0].ID)
		}
		return nil
	}
	if err := add("", sent.Realm); err != nil {
		return nil, err
	}
	for clientID, names := range sent.Client {
		cl, err := a.Store.ClientByClientID(c.ctx(), c.realm.ID, clientID)
		if err != nil {
			return nil, missing(err, noClient)
		}
		if err := add(cl.ID, names); err != nil {
			return nil, err
		}
	}
	return ids, a.within(c, table, ids)
}

func (a *API) updateRole(c *call) error {
	old, _, err := a.manageableRole(c)
	if err != nil {
		return err
	}
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	sent := rep.Role{Name: old.Name, Description: old.Description}
	if err := rep.DecodeRole(b, &sent); err != nil {
		return err
	}
	if strings.TrimSpace(sent.Name) == "" {
		return refusal{http.StatusBadRequest, "role has no name", false}
	}
	r := *old
	r.Name, r.Description = sent.Name, sent.Description
	if sent.Attributes != nil {
		r.Attributes = sent.Attributes
	}
	if err := a.rightWithin(c, &r); err != nil {
		return err
	}
	err = a.Store.UpdateRole(c.ctx(), &r)
	if errors.Is(err, store.ErrExists) {
		return conflictOnPut{}
	}
	if err != nil {
		return err
	}
	return c.noContent()
}

func (a *API) deleteRole(c *call) error {
	r, _, err := a.manageableRole(c)
	if err != nil {
		return err
	}
	if r.ID == c.realm.DefaultRoleID {
		return refusal{http.StatusBadRequest, r.Name + " is default role of the realm and cannot be removed.", true}
	}
	if err := a.Store.DeleteRole(c.ctx(), c.realm.ID, r.ID); err != nil {
		return missing(err, noRole)
	}
	return c.noContent()
}
