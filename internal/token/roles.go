package token

import (
	"context"
	"slices"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Roles are the roles a token carries, by name: of the realm, and of each client
// by its client_id.
type Roles struct {
	Realm  []string
	Client map[string][]string
}

// Expand gives every role that comes with roles: they themselves, and what
// composites contain.
func Expand(t *store.RoleTable, direct ...[]string) map[string]bool {
	have := make(map[string]bool, 14) // more than most have
	queue := slices.Grow(slices.Concat(direct...), 16)
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		if have[id] || t.ByID[id] == nil {
			continue
		}
		have[id] = true
		queue = append(queue, t.Composites[id]...)
	}
	return have
}

// Effective gives the ids of every role a user has.
func (i *Issuer) Effective(ctx context.Context, realmID, userID string) (map[string]bool, *store.RoleTable, error) {
	t, err := i.Store.Roles(ctx, realmID)
	if err != nil {
		return nil, nil, err
	}
	direct, viaGroups, err := i.Store.UserRoles(ctx, realmID, userID)
	if err != nil {
		return nil, nil, err
	}
	return Expand(t, direct, viaGroups), t, nil
}

// effectiveOf is Effective for somebody whose roles were read already.
func (i *Issuer) effectiveOf(ctx context.Context, realmID string, p *store.Person) (map[string]bool, *store.RoleTable, error) {
	t, err := i.Store.Roles(ctx, realmID)
	if err != nil {
		return nil, nil, err
	}
	return Expand(t, p.RoleIDs, p.ViaGroupIDs), t, nil
}

// inScope limits the user's roles to what the client may carry: all of them
// with full scope, otherwise its own and those of its scope mappings and of the
// applied client scopes.
func (i *Issuer) inScope(ctx context.Context, c *realm.Client, s Scopes, have map[string]bool, t *store.RoleTable) (map[string]bool, error) {
	if c.FullScopeAllowed {
		return have, nil
	}
	var may []string
	for _, owner := range append([]string{c.ID}, scopeIDs(s)...) {
		ids, err := i.Store.ScopeRoles(ctx, c.RealmID, owner)
		if err != nil {
			return nil, err
		}
		may = append(may, ids...)
	}
	for id, r := range t.ByID {
		if r.ClientID == c.ID {
			may = append(may, id)
		}
	}
	allowed := Expand(t, may)
	out := map[string]bool{}
	for id := range have {
		if allowed[id] {
			out[id] = true
		}
	}
	return out, nil
}

func scopeIDs(s Scopes) []string {
	var ids []string
	for _, sc := range s.Applied {
		ids = append(ids, sc.ID)
	}
	return ids
}

// named turns role ids into names, sorted. Roles of clients that are gone are
// left out.
func (i *Issuer) named(ctx context.Context, realmID string, have map[string]bool, t *store.RoleTable) (Roles, error) {
	out := Roles{Realm: make([]string, 0, len(have)), Client: map[string][]string{}}
	byOwner := map[string][]string{}
	for id := range have {
		if r := t.ByID[id]; r.ClientID == "" {
			out.Realm = append(out.Realm, r.Name)
		} else {
			byOwner[r.ClientID] = append(byOwner[r.ClientID], r.Name)
		}
	}
	slices.Sort(out.Realm)
	for owner, names := range byOwner {
		c, err := i.Store.ClientByID(ctx, realmID, owner)
		if err != nil {
			return Roles{}, err
		}
		slices.Sort(names)
		out.Client[c.ClientID] = names
	}
	return out, nil
}

// RolesOf gives the roles that an access token stands for now: the user's, as
// they are in the store, within what its client may carry. A lightweight token
// carries none itself, and a role that was taken away counts at once.
func (i *Issuer) RolesOf(ctx context.Context, realmID string, a *Access) (Roles, error) {
	have, table, err := i.effectiveOf(ctx, realmID, a.User)
	if err != nil {
		return Roles{}, err
	}
	if have, err = i.inScope(ctx, a.Client, Scopes{}, have, table); err != nil {
		return Roles{}, err
	}
	return i.named(ctx, realmID, have, table)
}

// anyReadsRoles reports whether a mapper that is switched on for one of the
// documents reads the user's roles.
func anyReadsRoles(g Grant, to []target) bool {
	reads := func(m realm.Mapper) bool {
		switch m.Type {
		case "oidc-usermodel-realm-role-mapper", "oidc-usermodel-client-role-mapper", "oidc-audience-resolve-mapper":
			return slices.ContainsFunc(to, func(t target) bool { return on(m, t) && fits(m.Type, t) })
		}
		return false
	}
	return slices.ContainsFunc(g.Client.Mappers, reads) ||
		slices.ContainsFunc(g.Scopes.Applied, func(sc *realm.ClientScope) bool { return slices.ContainsFunc(sc.Mappers, reads) })
}
