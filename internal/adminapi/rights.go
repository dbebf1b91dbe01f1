package adminapi

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// within refuses roles that carry a right which the caller does not have:
// otherwise whoever may manage users could make themselves administrator, by the
// role itself, by a composite that contains it, or by a group (S-120).
func (a *API) within(c *call, table *store.RoleTable, ids []string) error {
	seen := map[string]bool{}
	for queue := slices.Clone(ids); len(queue) > 0; {
		id := queue[0]
		queue = queue[1:]
		r := table.ByID[id]
		if seen[id] || r == nil {
			continue
		}
		seen[id] = true
		isRight, err := a.isRight(c, r)
		if err != nil {
			return err
		}
		if isRight && !c.can(r.Name) {
			return errForbidden
		}
		queue = append(queue, table.Composites[id]...)
	}
	return nil
}

// isRight reports whether a role lets its holder administer something.
func (a *API) isRight(c *call, r *realm.Role) (bool, error) {
	if r.ClientID == "" {
		return c.realm.Name == manage.Master && (r.Name == "admin" || r.Name == "create-realm"), nil
	}
	cl, err := a.Store.ClientByID(c.ctx(), c.realm.ID, r.ClientID)
	if err != nil {
		return false, err
	}
	return cl.ClientID == "realm-management" || (c.realm.Name == manage.Master && strings.HasSuffix(cl.ClientID, "-realm")), nil
}

// manageable gives the user of the path, if the caller has every right that this
// user has: who sets an administrator's password is that administrator.
func (a *API) manageable(c *call) (*realm.User, error) {
	u, err := a.user(c)
	if err != nil {
		return nil, err
	}
	have, table, err := a.Issuer.Effective(c.ctx(), c.realm.ID, u.ID)
	if err != nil {
		return nil, err
	}
	var ids []string
	for id := range have {
		ids = append(ids, id)
	}
	return u, a.within(c, table, ids)
}

// mayJoin looks at the groups of a new user: their roles are rights too.
func (a *API) mayJoin(c *call, doc []byte) error {
	var sent struct {
		Groups []string `json:"groups"`
	}
	if json.Unmarshal(doc, &sent) != nil || len(sent.Groups) == 0 {
		return nil // what does not parse is refused where it is read
	}
	groups, err := a.Store.Groups(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	roles, err := a.Store.GroupRoles(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	table, err := a.Store.Roles(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	var ids []string
	for _, g := range groups {
		for _, path := range sent.Groups { // a group gives the roles of those above it too
			if path = "/" + strings.Trim(path, "/"); path == g.Path || strings.HasPrefix(path, g.Path+"/") {
				ids = append(ids, roles[g.ID]...)
			}
		}
	}
	return a.within(c, table, ids)
}
