package adminapi

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/urls"
	"github.com/latchkey-id/latchkey/internal/web"
)

func groupRoutes() []route {
	view := []string{"view-users", "manage-users"}
	query := []string{"view-users", "manage-users", "query-groups"}
	edit := []string{"manage-users"}
	return []route{
		{http.MethodGet, "realms/{realm}/groups", query, (*API).listGroups},
		{http.MethodPost, "realms/{realm}/groups", edit, (*API).createGroup},
		{http.MethodGet, "realms/{realm}/groups/count", query, (*API).countGroups},
		{http.MethodGet, "realms/{realm}/groups/{group}", view, (*API).showGroup},
		{http.MethodPut, "realms/{realm}/groups/{group}", edit, (*API).updateGroup},
		{http.MethodDelete, "realms/{realm}/groups/{group}", edit, (*API).deleteGroup},
		{http.MethodGet, "realms/{realm}/groups/{group}/children", view, (*API).listChildren},
		{http.MethodPost, "realms/{realm}/groups/{group}/children", edit, (*API).createGroup},
		{http.MethodGet, "realms/{realm}/groups/{group}/members", view, (*API).listMembers},
		{http.MethodGet, "realms/{realm}/group-by-path/{path...}", view, (*API).showGroupByPath},
		{http.MethodGet, "realms/{realm}/users/{user}/groups", view, (*API).listUserGroups},
		{http.MethodGet, "realms/{realm}/users/{user}/groups/count", view, (*API).countUserGroups},
		{http.MethodPut, "realms/{realm}/users/{user}/groups/{group}", edit, (*API).joinGroup},
		{http.MethodDelete, "realms/{realm}/users/{user}/groups/{group}", edit, (*API).leaveGroup},
		{http.MethodGet, "realms/{realm}/default-groups", []string{"view-realm", "manage-realm"}, (*API).listDefaultGroups},
		{http.MethodPut, "realms/{realm}/default-groups/{group}", []string{"manage-realm"}, (*API).addDefaultGroup},
		{http.MethodDelete, "realms/{realm}/default-groups/{group}", []string{"manage-realm"}, (*API).removeDefaultGroup},
	}
}

const noGroup = "Could not find group by id"

// group gives the group of the path, and all groups.
func (a *API) group(c *call) (*realm.Group, []*realm.Group, error) {
	groups, err := a.Store.Groups(c.ctx(), c.realm.ID)
	if err != nil {
		return nil, nil, err
	}
	if g := byID(groups, c.path["group"]); g != nil {
		return g, groups, nil
	}
	return nil, nil, notFound(noGroup)
}

func byID(groups []*realm.Group, id string) *realm.Group {
	i := slices.IndexFunc(groups, func(g *realm.Group) bool { return g.ID == id })
	if i < 0 {
		return nil
	}
	return groups[i]
}

func (a *API) showGroup(c *call) error {
	g, groups, err := a.group(c)
	if err != nil {
		return err
	}
	return a.answerGroup(c, http.StatusOK, g, groups)
}

func (a *API) answerGroup(c *call, status int, g *realm.Group, groups []*realm.Group) error {
	t, err := a.tree(c, groups)
	if err != nil {
		return err
	}
	out, err := t.full(g)
	if err != nil {
		return err
	}
	if status == http.StatusCreated {
		out.SubGroupCount = nil // Keycloak does not count what was just made
	}
	return web.WriteJSON(c.w, status, out)
}

func (a *API) showGroupByPath(c *call) error {
	groups, err := a.Store.Groups(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(groups, func(g *realm.Group) bool { return g.Path == "/"+c.path["path"] })
	if i < 0 {
		return notFound("Group path does not exist")
	}
	return a.answerGroup(c, http.StatusOK, groups[i], groups)
}

// createGroup makes a group at the top, or below the group of the path. A body
// with the id of a group that is there moves that group.
func (a *API) createGroup(c *call) error {
	parent := ""
	if c.path["group"] != "" {
		g, _, err := a.group(c)
		if err != nil {
			return err
		}
		parent = g.ID
	}
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	var sent rep.Group
	if err := rep.DecodeGroup(b, &sent); err != nil {
		return err
	}
	if strings.TrimSpace(sent.Name) == "" {
		return refusal{http.StatusBadRequest, "Group name is missing", true}
	}
	if sent.ID != "" {
		return a.moveGroup(c, sent, parent)
	}
	g := &realm.Group{ID: realm.NewID(), RealmID: c.realm.ID, ParentID: parent, Name: sent.Name, Description: sent.Description, Attributes: sent.Attributes}
	if err := a.Store.CreateGroup(c.ctx(), g); err != nil {
		return groupError(err, sent.Name, parent)
	}
	c.w.Header().Set("Location", c.origin+urls.AdminRealmsPrefix+"/"+url.PathEscape(c.realm.Name)+"/groups/"+g.ID)
	if parent == "" {
		c.w.WriteHeader(http.StatusCreated)
		return nil
	}
	groups, err := a.Store.Groups(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	return a.answerGroup(c, http.StatusCreated, byID(groups, g.ID), groups)
}

func groupError(err error, name, parent string) error {
	if errors.Is(err, store.ErrExists) && parent == "" {
		return refusal{http.StatusConflict, "Top level group named '" + name + "' already exists.", true}
	}
	if errors.Is(err, store.ErrExists) {
		return refusal{http.StatusConflict, "Sibling group named '" + name + "' already exists.", true}
	}
	return missing(err, noGroup)
}

// moveGroup: the members get what stands above the new place, and lose what stood
// above the old one. Both, and what the group itself gives, are within the
// caller's rights, or nothing moves.
func (a *API) moveGroup(c *call, sent rep.Group, parent string) error {
	groups, err := a.Store.Groups(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	g := byID(groups, sent.ID)
	if g == nil {
		return notFound(noGroup)
	}
	if err := a.withinGroup(c, g.ID, true); err != nil {
		return err
	}
	if err := a.withinGroup(c, parent, false); err != nil {
		return err
	}
	err = a.Store.MoveGroup(c.ctx(), c.realm.ID, g.ID, parent)
	if errors.Is(err, store.ErrLoop) {
		return refusal{http.StatusBadRequest, "a group cannot be moved below itself", true}
	}
	if err != nil {
		return groupError(err, g.Name, parent)
	}
	return c.noContent()
}

func (a *API) updateGroup(c *call) error {
	old, _, err := a.group(c)
	if err != nil {
		return err
	}
	if err := a.withinGroup(c, old.ID, false); err != nil {
		return err
	}
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	sent := rep.Group{Name: old.Name, Description: old.Description}
	if err := rep.DecodeGroup(b, &sent); err != nil {
		return err
	}
	if strings.TrimSpace(sent.Name) == "" {
		return refusal{http.StatusBadRequest, "Group name is missing", true}
	}
	g := *old
	g.Name, g.Description = sent.Name, sent.Description
	if sent.Attributes != nil {
		g.Attributes = sent.Attributes
	}
	if err := a.Store.UpdateGroup(c.ctx(), &g); err != nil {
		return groupError(err, g.Name, g.ID) // "Sibling", at the top as well
	}
	return c.noContent()
}

func (a *API) deleteGroup(c *call) error {
	g, _, err := a.group(c)
	if err != nil {
		return err
	}
	if err := a.withinGroup(c, g.ID, true); err != nil {
		return err
	}
	if err := a.Store.DeleteGroup(c.ctx(), c.realm.ID, g.ID); err != nil {
		return missing(err, noGroup)
	}
	return c.noContent()
}
