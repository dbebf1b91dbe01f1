package adminapi

import (
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
)

// tree represents groups: what each one needs to know of the others.
type tree struct {
	a        *API
	c        *call
	groups   []*realm.Group
	children map[string]int
	roles    map[string][]string
	table    *store.RoleTable
	access   map[string]bool
}

func (a *API) tree(c *call, groups []*realm.Group) (*tree, error) {
	edit := c.can("manage-users")
	t := &tree{a: a, c: c, groups: groups, children: map[string]int{},
		access: map[string]bool{"view": true, "viewMembers": c.can("view-users", "manage-users"), "manageMembers": edit, "manage": edit, "manageMembership": edit}}
	for _, g := range groups {
		t.children[g.ParentID]++
	}
	var err error
	if t.table, err = a.Store.Roles(c.ctx(), c.realm.ID); err != nil {
		return nil, err
	}
	t.roles, err = a.Store.GroupRoles(c.ctx(), c.realm.ID)
	return t, err
}

func (t *tree) brief(g *realm.Group) *rep.GroupAnswer {
	n := t.children[g.ID]
	return &rep.GroupAnswer{ID: g.ID, Name: g.Name, Description: g.Description, Path: g.Path, ParentID: g.ParentID, SubGroupCount: &n, SubGroups: []*rep.GroupAnswer{}, Access: t.access}
}

func (t *tree) full(g *realm.Group) (*rep.GroupAnswer, error) {
	out := t.brief(g)
	out.Attributes, out.RealmRoles, out.ClientRoles = g.Attributes, []string{}, map[string][]string{}
	if out.Attributes == nil {
		out.Attributes = map[string][]string{}
	}
	for _, r := range ordered(t.table, func(r *realm.Role) bool { return slices.Contains(t.roles[g.ID], r.ID) }) {
		if r.ClientID == "" {
			out.RealmRoles = append(out.RealmRoles, r.Name)
			continue
		}
		cl, err := t.a.Store.ClientByID(t.c.ctx(), t.c.realm.ID, r.ClientID)
		if err != nil {
			return nil, err
		}
		out.ClientRoles[cl.ClientID] = append(out.ClientRoles[cl.ClientID], r.Name)
	}
	return out, nil
}

func (t *tree) one(g *realm.Group, brief bool) (*rep.GroupAnswer, error) {
	if brief {
		return t.brief(g), nil
	}
	return t.full(g)
}

// found gives the groups that a search finds, by name and by attributes; without
// one, all of them.
func found(c *call, groups []*realm.Group) []*realm.Group {
	search, wanted := strings.ToLower(c.query.Get("search")), attributesOf(c.query.Get("q"))
	return slices.DeleteFunc(slices.Clone(groups), func(g *realm.Group) bool {
		if slices.ContainsFunc(wanted, func(a store.Attribute) bool { return !slices.Contains(g.Attributes[a.Name], a.Value) }) {
			return true
		}
		if c.query.Get("exact") == "true" {
			return search != "" && !strings.EqualFold(g.Name, search)
		}
		return !strings.Contains(strings.ToLower(g.Name), search)
	})
}

// listGroups answers with the groups at the top, or with the way to each that a
// search finds. populateHierarchy=false gives those alone.
func (a *API) listGroups(c *call) error {
	if !c.can("view-users", "manage-users") { // query-groups alone shows none
		return c.json([]any{})
	}
	groups, err := a.Store.Groups(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	picked, searched := found(c, groups), c.query.Get("search") != "" || len(attributesOf(c.query.Get("q"))) > 0
	if !searched {
		picked = childrenOf(groups, "")
	}
	if picked, err = paged(c, picked); err != nil {
		return err
	}
	t, err := a.tree(c, groups)
	if err != nil {
		return err
	}
	brief := isBrief(c, true)
	if searched && c.query.Get("populateHierarchy") != "false" {
		return t.answerWays(picked, brief)
	}
	return t.answer(picked, brief)
}

func childrenOf(groups []*realm.Group, parent string) []*realm.Group {
	return slices.DeleteFunc(slices.Clone(groups), func(g *realm.Group) bool { return g.ParentID != parent })
}

func (t *tree) answer(groups []*realm.Group, brief bool) error {
	out := []*rep.GroupAnswer{}
	for _, g := range groups {
		one, err := t.one(g, brief)
		if err != nil {
			return err
		}
		out = append(out, one)
	}
	return t.c.json(out)
}

// answerWays shows each group inside the groups above it.
func (t *tree) answerWays(groups []*realm.Group, brief bool) error {
	made := map[string]*rep.GroupAnswer{}
	top := []*rep.GroupAnswer{}
	above := parents(t.groups)
	all := make(map[string]*realm.Group, len(t.groups))
	for _, g := range t.groups {
		all[g.ID] = g
	}
	for _, g := range groups {
		way := upwards(above, g.ID)
		slices.Reverse(way)
		var parent *rep.GroupAnswer
		for _, id := range way {
			if made[id] == nil {
				one, err := t.one(all[id], brief)
				if err != nil {
					return err
				}
				made[id] = one
				if parent == nil {
					top = append(top, one)
				} else {
					parent.SubGroups = append(parent.SubGroups, one)
				}
			}
			parent = made[id]
		}
	}
	return t.c.json(top)
}

func (a *API) listChildren(c *call) error {
	g, groups, err := a.group(c)
	if err != nil {
		return err
	}
	picked, err := paged(c, found(c, childrenOf(groups, g.ID)))
	if err != nil {
		return err
	}
	t, err := a.tree(c, groups)
	if err != nil {
		return err
	}
	return t.answer(picked, isBrief(c, false))
}

func (a *API) countGroups(c *call) error {
	groups, err := a.Store.Groups(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	if c.query.Get("top") == "true" {
		groups = childrenOf(groups, "")
	}
	return c.json(map[string]int{"count": len(found(c, groups))})
}

func (a *API) listMembers(c *call) error {
	g, _, err := a.group(c)
	if err != nil {
		return err
	}
	first, limit, err := c.page(100)
	if err != nil {
		return err
	}
	members, err := a.Store.GroupMembers(c.ctx(), c.realm.ID, g.ID, first, min(limit, most))
	if err != nil {
		return err
	}
	return c.users(members, nil)
}

// answerGroups answers with groups as they are elsewhere than in a list of groups,
// with what they give when that is asked for.
func (a *API) answerGroups(c *call, groups []*realm.Group) error {
	if isBrief(c, true) {
		return a.briefGroups(c, groups)
	}
	groups, err := paged(c, groups)
	if err != nil {
		return err
	}
	t, err := a.tree(c, nil)
	if err != nil {
		return err
	}
	out := []*rep.GroupAnswer{}
	for _, g := range groups {
		one, err := t.full(g)
		if err != nil {
			return err
		}
		one.SubGroupCount, one.Access = nil, nil
		out = append(out, one)
	}
	return c.json(out)
}

// briefGroups answers with groups by name and path alone.
func (a *API) briefGroups(c *call, groups []*realm.Group) error {
	groups, err := paged(c, groups)
	if err != nil {
		return err
	}
	out := []*rep.GroupAnswer{}
	for _, g := range groups {
		out = append(out, &rep.GroupAnswer{ID: g.ID, Name: g.Name, Description: g.Description, Path: g.Path, ParentID: g.ParentID, SubGroups: []*rep.GroupAnswer{}})
	}
	return c.json(out)
}
