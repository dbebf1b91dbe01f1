package adminapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
)

func roleRoutes() []route {
	return []route{
		{http.MethodGet, "realms/{realm}/roles", []string{"view-realm", "manage-realm", "query-users", "view-users"}, (*API).listRoles},
		{http.MethodPost, "realms/{realm}/roles", []string{"manage-realm"}, (*API).createRole},
		{http.MethodGet, "realms/{realm}/roles/{role}", []string{"view-realm", "manage-realm", "view-users"}, (*API).showRole},
		{http.MethodDelete, "realms/{realm}/roles/{role}", []string{"manage-realm"}, (*API).deleteRole},
	}
}

const noRole = "Could not find role"

func (a *API) rolesOf(c *call, container string) ([]rep.Role, error) {
	table, err := a.Store.Roles(c.ctx(), c.realm.ID)
	if err != nil {
		return nil, err
	}
	out := []rep.Role{}
	for _, r := range table.ByID {
		if r.ClientID == container {
			out = append(out, rep.NewRole(r, c.realm.ID))
		}
	}
	slices.SortFunc(out, func(x, y rep.Role) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

func (a *API) listRoles(c *call) error {
	out, err := a.rolesOf(c, "")
	if err != nil {
		return err
	}
	return c.json(out)
}

func (a *API) listClientRoles(c *call) error {
	cl, err := a.client(c)
	if err != nil {
		return err
	}
	out, err := a.rolesOf(c, cl.ID)
	if err != nil {
		return err
	}
	return c.json(out)
}

func (a *API) role(c *call, container string) (*realm.Role, error) {
	table, err := a.Store.Roles(c.ctx(), c.realm.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range table.ByID {
		if r.ClientID == container && r.Name == c.path["role"] {
			return r, nil
		}
	}
	return nil, notFound(noRole)
}

func (a *API) showRole(c *call) error {
	r, err := a.role(c, "")
	if err != nil {
		return err
	}
	out := rep.NewRole(r, c.realm.ID)
	out.Attributes = r.Attributes
	return c.json(out)
}

func (a *API) showClientRole(c *call) error {
	cl, err := a.client(c)
	if err != nil {
		return err
	}
	r, err := a.role(c, cl.ID)
	if err != nil {
		return err
	}
	return c.json(rep.NewRole(r, c.realm.ID))
}

func (a *API) createRole(c *call) error {
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	sent, err := rep.DecodeRole(b)
	if err != nil {
		return err
	}
	if strings.TrimSpace(sent.Name) == "" {
		return refusal{http.StatusBadRequest, "role has no name", false}
	}
	r := &realm.Role{ID: realm.NewID(), RealmID: c.realm.ID, Name: sent.Name, Description: sent.Description, Attributes: sent.Attributes}
	if err := a.Store.CreateRole(c.ctx(), r); err != nil {
		return err
	}
	return c.created(r.Name)
}

func (a *API) deleteRole(c *call) error {
	r, err := a.role(c, "")
	if err != nil {
		return err
	}
	if r.ID == c.realm.DefaultRoleID {
		return refusal{http.StatusBadRequest, r.Name + " is default role of the realm and cannot be removed.", false}
	}
	if err := a.Store.DeleteRole(c.ctx(), c.realm.ID, r.ID); err != nil {
		return missing(err, noRole)
	}
	return c.noContent()
}
