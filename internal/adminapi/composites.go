package adminapi

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
)

// listComposites gives what a role contains: all of it, the realm's roles (…/realm)
// or one client's (…/clients/{of}).
func (a *API) listComposites(c *call) error {
	r, table, err := a.role(c)
	if err != nil {
		return err
	}
	of, onlyRealm := c.path["of"], strings.HasSuffix(c.r.URL.Path, "/composites/realm")
	if of != "" {
		if _, err := a.mappedClient(c); err != nil {
			return err
		}
	}
	children, search := table.Composites[r.ID], strings.ToLower(c.query.Get("search"))
	found := ordered(table, func(child *realm.Role) bool {
		return slices.Contains(children, child.ID) && strings.Contains(strings.ToLower(child.Name), search) && (of == "" || child.ClientID == of) && (!onlyRealm || child.ClientID == "")
	})
	if found, err = paged(c, found); err != nil {
		return err
	}
	return c.json(represent(c, found))
}

// represent gives the brief representations of roles.
func represent(c *call, roles []*realm.Role) []rep.Role {
	out := []rep.Role{}
	for _, r := range roles {
		out = append(out, rep.NewRole(r, c.realm.ID))
	}
	return out
}

// inFull gives the representations of roles with their attributes.
func inFull(c *call, roles []*realm.Role) []rep.Role {
	out := []rep.Role{}
	for _, r := range roles {
		out = append(out, rep.FullRole(r, c.realm.ID))
	}
	return out
}

func (a *API) addComposites(c *call) error    { return a.setComposites(c, true) }
func (a *API) removeComposites(c *call) error { return a.setComposites(c, false) }

// setComposites: what a role contains, its holders have. So the caller needs every
// right of the role and of what is put into it.
func (a *API) setComposites(c *call, add bool) error {
	r, table, err := a.manageableRole(c)
	if err != nil {
		return err
	}
	sent, err := c.sentRoles()
	if err != nil {
		return err
	}
	var ids []string
	for _, s := range sent {
		if table.ByID[s.ID] == nil {
			return notFound("Could not find composite role")
		}
		ids = append(ids, s.ID)
	}
	if err := a.within(c, table, ids); err != nil {
		return err
	}
	plus, minus := ids, []string(nil)
	if !add {
		plus, minus = nil, ids
	}
	if err := a.Store.SetComposites(c.ctx(), c.realm.ID, r.ID, plus, minus); err != nil {
		return err
	}
	return c.noContent()
}

// sentRoles reads a list of roles.
func (c *call) sentRoles() ([]rep.Role, error) {
	b, err := c.body(maxBody)
	if err != nil {
		return nil, err
	}
	return rolesIn(b)
}

func rolesIn(b []byte) (sent []rep.Role, err error) {
	if err := json.Unmarshal(b, &sent); err != nil {
		return nil, rep.ErrJSON
	}
	return sent, nil
}

// roleUsers and roleGroups are for who may see the role and the people.
func (a *API) roleUsers(c *call) error {
	if !c.can("view-users", "manage-users") {
		return errForbidden
	}
	r, _, err := a.role(c)
	if err != nil {
		return err
	}
	first, limit, err := c.page(100)
	if err != nil {
		return err
	}
	found, err := a.Store.RoleUsers(c.ctx(), c.realm.ID, r.ID, first, min(limit, most))
	if err != nil {
		return err
	}
	return c.users(found, c.userAccess())
}

// users answers with users; access says what the caller may do with each.
func (c *call) users(found []*realm.User, access map[string]bool) error {
	encode := rep.EncodeUser
	if isBrief(c, false) {
		encode = rep.EncodeBriefUser
	}
	out := []json.RawMessage{}
	for _, u := range found {
		raw, err := encode(u, access)
		if err != nil {
			return err
		}
		out = append(out, raw)
	}
	return c.json(out)
}

func (a *API) roleGroups(c *call) error {
	if !c.can("view-users", "manage-users") {
		return errForbidden
	}
	r, _, err := a.role(c)
	if err != nil {
		return err
	}
	roles, err := a.Store.GroupRoles(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	groups, err := a.Store.Groups(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	groups = slices.DeleteFunc(slices.Clone(groups), func(g *realm.Group) bool { return !slices.Contains(roles[g.ID], r.ID) })
	return a.answerGroups(c, groups)
}
