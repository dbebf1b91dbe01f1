package adminapi

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/token"
)

// The checks of this file come before the write, not in its transaction. Between
// the two somebody else may give a role more rights. That is no way up: they could
// have done so after the write as well, and had then to have the rights themselves,
// whoever has the role. So a check may be overtaken by what comes while it is made,
// but must see all that was written before (Store.Refresh, once a write), and what
// it has looked at by name is written by id. A client names its scopes: so whoever
// gives a scope another name needs the rights that it lets through.

// within refuses roles that carry a right which the caller does not have:
// otherwise whoever may manage users could make themselves administrator, by the
// role itself, by a composite that contains it, or by a group (S-120).
func (a *API) within(c *call, table *store.RoleTable, ids []string) error {
	for id := range token.Expand(table, ids) {
		if err := a.rightWithin(c, table.ByID[id]); err != nil {
			return err
		}
	}
	return nil
}

// rightWithin looks at one role by itself. It is also asked about roles as they
// are to be: a role that gets another name may become a right by it (CVE-2026-9796).
func (a *API) rightWithin(c *call, r *realm.Role) error {
	over, isRight, err := a.rightOver(c, r)
	if err != nil {
		return err
	}
	if isRight && !c.canIn(over, r.Name) {
		return errForbidden
	}
	return nil
}

// rightOver gives the realm that a role lets its holder administer.
func (a *API) rightOver(c *call, r *realm.Role) (realmName string, isRight bool, err error) {
	if r.ClientID == "" {
		return c.realm.Name, c.realm.Name == manage.Master && (r.Name == adminRole || r.Name == createRealmRole), nil
	}
	cl, err := a.Store.ClientByID(c.ctx(), c.realm.ID, r.ClientID)
	if err != nil {
		return "", false, err
	}
	realmName, isRight = administers(c.realm.Name, cl.ClientID)
	return realmName, isRight, nil
}

// administers reports whether the roles of a client administer a realm, and which.
func administers(realmName, clientID string) (target string, yes bool) {
	if name, ok := strings.CutSuffix(clientID, "-realm"); ok && realmName == manage.Master {
		return name, true
	}
	return realmName, clientID == "realm-management"
}

// mayName refuses a client_id whose roles would be rights. Clients of that name
// come with their realm; whoever gave another client that name would have its
// roles. The server's administrator alone makes one where there is no such realm.
func mayName(c *call, clientID string) error {
	if _, yes := administers(c.realm.Name, clientID); yes && !c.server {
		return errForbidden
	}
	return nil
}

// keepsRights reports whether the roles of a client are the rights over a realm
// that is there. Nobody changes such a client or its roles, as with Keycloak: the
// realm would be left without administrators.
func (a *API) keepsRights(c *call, cl *realm.Client) (bool, error) {
	over, yes := administers(c.realm.Name, cl.ClientID)
	if !yes {
		return false, nil
	}
	_, err := a.Store.RealmByName(c.ctx(), over)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// noRights refuses the container of roles that are rights.
func (a *API) noRights(c *call, clientUUID string) error {
	if clientUUID == "" {
		return nil
	}
	cl, err := a.Store.ClientByID(c.ctx(), c.realm.ID, clientUUID)
	if err != nil {
		return missing(err, noClient)
	}
	keeps, err := a.keepsRights(c, cl)
	if err == nil && keeps {
		return errForbidden
	}
	return err
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
	return u, a.within(c, table, slices.Collect(maps.Keys(have)))
}

// manageableClient gives the client of the path, if the caller has every right
// that its service account has: who knows a client's secret is that account.
func (a *API) manageableClient(c *call) (*realm.Client, error) {
	cl, err := a.client(c)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(mayName(c, cl.ClientID), a.noRights(c, cl.ID)); err != nil {
		return nil, err
	}
	return cl, a.withinService(c, cl)
}

// withinService refuses a client whose service account has more rights than the caller.
func (a *API) withinService(c *call, cl *realm.Client) error {
	u, err := a.Store.ServiceAccountUser(c.ctx(), c.realm.ID, cl.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	have, table, err := a.Issuer.Effective(c.ctx(), c.realm.ID, u.ID)
	if err != nil {
		return err
	}
	return a.within(c, table, slices.Collect(maps.Keys(have)))
}

// withinScopes refuses client scopes, by name, that let a right through which the
// caller does not have: a client gets them by its own representation too.
func (a *API) withinScopes(c *call, names []string) error {
	if len(names) == 0 {
		return nil
	}
	all, err := a.Store.ClientScopes(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	table, err := a.Store.Roles(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	for _, sc := range all {
		if !slices.Contains(names, sc.Name) {
			continue
		}
		ids, err := a.Store.ScopeRoles(c.ctx(), c.realm.ID, sc.ID)
		if err != nil {
			return err
		}
		if err := a.within(c, table, ids); err != nil {
			return err
		}
	}
	return nil
}

// withinGroup refuses a group that gives rights which the caller does not have: by
// its own roles, by those of the groups above it, and with whole by those below.
func (a *API) withinGroup(c *call, id string, whole bool) error {
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
	around := chain(groups, id)
	if whole {
		around = append(around, under(groups, id)...)
	}
	var ids []string
	for _, g := range around {
		ids = append(ids, roles[g]...)
	}
	return a.within(c, table, ids)
}

// chain gives a group and all groups above it.
func chain(groups []*realm.Group, id string) []string { return upwards(parents(groups), id) }

func parents(groups []*realm.Group) map[string]string {
	out := make(map[string]string, len(groups))
	for _, g := range groups {
		out[g.ID] = g.ParentID
	}
	return out
}

func upwards(parents map[string]string, id string) []string {
	var out []string
	for ; id != "" && !slices.Contains(out, id); id = parents[id] {
		out = append(out, id)
	}
	return out
}

// under gives all groups below a group.
func under(groups []*realm.Group, id string) []string {
	children := map[string][]string{}
	for _, g := range groups {
		children[g.ParentID] = append(children[g.ParentID], g.ID)
	}
	seen, out := map[string]bool{id: true}, []string{}
	for queue := children[id]; len(queue) > 0; queue = queue[1:] {
		if seen[queue[0]] {
			continue
		}
		seen[queue[0]] = true
		out, queue = append(out, queue[0]), append(queue, children[queue[0]]...)
	}
	return out
}

// mayJoin looks at the groups of a new user: their roles are rights too.
func (a *API) mayJoin(c *call) func(groupIDs []string) error {
	return func(groupIDs []string) error {
		for _, id := range groupIDs {
			if err := a.withinGroup(c, id, false); err != nil {
				return err
			}
		}
		return nil
	}
}
