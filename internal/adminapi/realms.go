package adminapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
)

func realmRoutes() []route {
	return []route{
		{http.MethodGet, "realms", nil, (*API).listRealms},
		{http.MethodPost, "realms", []string{"create-realm"}, (*API).createRealm},
		{http.MethodGet, "realms/{realm}", []string{"view-realm", "manage-realm", "realm-admin"}, (*API).showRealm},
		{http.MethodPut, "realms/{realm}", []string{"manage-realm"}, (*API).updateRealm},
		{http.MethodDelete, "realms/{realm}", []string{"manage-realm"}, (*API).deleteRealm},
	}
}

func (a *API) listRealms(c *call) error {
	all, err := a.Store.Realms(c.ctx())
	if err != nil {
		return err
	}
	out := []json.RawMessage{}
	for _, r := range all {
		if !c.sees(r.Name) {
			continue
		}
		raw, err := a.listedRealm(c, r)
		if err != nil {
			return err
		}
		out = append(out, raw)
	}
	if len(out) == 0 {
		return errForbidden
	}
	return c.json(out)
}

// listedRealm is the name alone for who administers something else in the realm:
// its settings are for those who may view them.
func (a *API) listedRealm(c *call, r *realm.Realm) (json.RawMessage, error) {
	if !c.canIn(r.Name, "view-realm", "manage-realm") {
		return json.Marshal(map[string]string{"realm": r.Name})
	}
	if isBrief(c, false) {
		return rep.EncodeBriefRealm(r)
	}
	return a.encodeRealm(c, r)
}

func (a *API) encodeRealm(c *call, r *realm.Realm) (json.RawMessage, error) {
	roles, err := a.Store.Roles(c.ctx(), r.ID)
	if err != nil {
		return nil, err
	}
	return rep.EncodeRealm(r, roles.ByID[r.DefaultRoleID])
}

// holder is who gets the rights over a realm that they make: whoever may make
// realms and has no right over all of them.
func (c *call) holder() string {
	if c.server || c.from != manage.Master {
		return ""
	}
	return c.caller
}

func (a *API) createRealm(c *call) error {
	b, err := c.body(maxRealm)
	if err != nil {
		return err
	}
	r, err := a.Manage.CreateRealmFor(c.ctx(), b, false, c.holder())
	if _, ok := errors.AsType[*rep.UnknownError](err); ok || errors.Is(err, rep.ErrJSON) {
		return refusal{http.StatusBadRequest, "unable to read contents from stream", true}
	}
	if err != nil {
		return err
	}
	return c.created(r.Name)
}

func (a *API) showRealm(c *call) error {
	raw, err := a.encodeRealm(c, c.realm)
	if err != nil {
		return err
	}
	return c.json(raw)
}

func (a *API) updateRealm(c *call) error {
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	if err := a.Manage.UpdateRealm(c.ctx(), c.realm.Name, b); err != nil {
		return err
	}
	return c.noContent()
}

func (a *API) deleteRealm(c *call) error {
	if err := a.Manage.DeleteRealm(c.ctx(), c.realm.Name); err != nil {
		return err
	}
	return c.noContent()
}
