package adminapi

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// userGroups gives the groups of the path's user that a search finds.
func (a *API) userGroups(c *call) ([]*realm.Group, error) {
	u, err := a.user(c)
	if err != nil {
		return nil, err
	}
	mine, err := a.Store.UserGroups(c.ctx(), c.realm.ID, u.ID)
	if err != nil {
		return nil, err
	}
	return a.groupsOf(c, mine)
}

func (a *API) groupsOf(c *call, ids []string) ([]*realm.Group, error) {
	groups, err := a.Store.Groups(c.ctx(), c.realm.ID)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found(c, groups), func(g *realm.Group) bool { return !slices.Contains(ids, g.ID) }), nil
}

func (a *API) listUserGroups(c *call) error {
	groups, err := a.userGroups(c)
	if err != nil {
		return err
	}
	return a.answerGroups(c, groups)
}

func (a *API) countUserGroups(c *call) error {
	groups, err := a.userGroups(c)
	if err != nil {
		return err
	}
	return c.json(map[string]int{"count": len(groups)})
}

// joinGroup and leaveGroup: a membership is every right of the group and of the
// groups above it.
func (a *API) joinGroup(c *call) error  { return a.setMembership(c, a.Store.JoinGroup) }
func (a *API) leaveGroup(c *call) error { return a.setMembership(c, a.Store.LeaveGroup) }

type membership func(ctx context.Context, realmID, userID, groupID string) error

func (a *API) setMembership(c *call, set membership) error {
	u, err := a.manageable(c)
	if err != nil {
		return err
	}
	g, _, err := a.group(c)
	if err != nil {
		return groupNotFound(err)
	}
	if err := a.withinGroup(c, g.ID, false); err != nil {
		return err
	}
	if err := set(c.ctx(), c.realm.ID, u.ID, g.ID); err != nil {
		return missing(err, noUser)
	}
	return c.noContent()
}

// groupNotFound: Keycloak says it in other words where a group is not the subject.
func groupNotFound(err error) error {
	if e, ok := errors.AsType[refusal](err); ok && e.status == http.StatusNotFound {
		return notFound("Group not found")
	}
	return err
}

func (a *API) listDefaultGroups(c *call) error {
	ids, err := a.Store.DefaultGroups(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	groups, err := a.groupsOf(c, ids)
	if err != nil {
		return err
	}
	return a.briefGroups(c, groups)
}

func (a *API) addDefaultGroup(c *call) error    { return a.setDefaultGroup(c, true) }
func (a *API) removeDefaultGroup(c *call) error { return a.setDefaultGroup(c, false) }

// setDefaultGroup: everybody who registers gets what a default group gives.
func (a *API) setDefaultGroup(c *call, on bool) error {
	g, _, err := a.group(c)
	if err != nil {
		return groupNotFound(err)
	}
	if err := a.withinGroup(c, g.ID, false); err != nil {
		return err
	}
	if err := a.Store.SetDefaultGroup(c.ctx(), c.realm.ID, g.ID, on); err != nil {
		return missing(err, "Group not found")
	}
	return c.noContent()
}
