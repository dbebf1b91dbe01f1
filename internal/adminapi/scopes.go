package adminapi

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
)

func scopeRoutes() []route {
	view := []string{"view-clients", "manage-clients"}
	edit := []string{"manage-clients"}
	out := []route{
		{http.MethodGet, "realms/{realm}/client-scopes", view, (*API).listScopes},
		{http.MethodPost, "realms/{realm}/client-scopes", edit, (*API).createScope},
		{http.MethodGet, "realms/{realm}/client-scopes/{scope}", view, (*API).showScope},
		{http.MethodPut, "realms/{realm}/client-scopes/{scope}", edit, (*API).updateScope},
		{http.MethodDelete, "realms/{realm}/client-scopes/{scope}", edit, (*API).deleteScope},
	}
	for _, kind := range []struct {
		name     string
		optional bool
	}{{"default", false}, {"optional", true}} {
		ofRealm, ofClient := "realms/{realm}/default-"+kind.name+"-client-scopes", "realms/{realm}/clients/{client}/"+kind.name+"-client-scopes"
		list := func(a *API, c *call) error { return a.listAssigned(c, kind.optional) }
		put := func(a *API, c *call) error { return a.assign(c, kind.optional, true) }
		take := func(a *API, c *call) error { return a.assign(c, kind.optional, false) }
		out = append(out,
			route{http.MethodGet, ofRealm, view, list},
			route{http.MethodPut, ofRealm + "/{scope}", edit, put},
			route{http.MethodDelete, ofRealm + "/{scope}", edit, take},
			route{http.MethodGet, ofClient, view, list},
			route{http.MethodPut, ofClient + "/{scope}", edit, put},
			route{http.MethodDelete, ofClient + "/{scope}", edit, take})
	}
	return out
}

const noScope = "Could not find client scope"

func (a *API) listScopes(c *call) error {
	all, err := a.Store.ClientScopes(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	out := []json.RawMessage{}
	for _, s := range all {
		raw, err := rep.EncodeClientScope(s)
		if err != nil {
			return err
		}
		out = append(out, raw)
	}
	return c.json(out)
}

func (a *API) clientScope(c *call) (*realm.ClientScope, error) {
	all, err := a.Store.ClientScopes(c.ctx(), c.realm.ID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(s *realm.ClientScope) bool { return s.ID == c.path["scope"] })
	if i < 0 {
		return nil, notFound(noScope)
	}
	return all[i], nil
}

func (a *API) showScope(c *call) error {
	sc, err := a.clientScope(c)
	if err != nil {
		return err
	}
	raw, err := rep.EncodeClientScope(sc)
	if err != nil {
		return err
	}
	return c.json(raw)
}

func (a *API) createScope(c *call) error {
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	sc, err := a.Manage.CreateClientScope(c.ctx(), c.realm, b)
	if err != nil {
		return err
	}
	return c.created(sc.ID)
}

func (a *API) updateScope(c *call) error {
	sc, err := a.clientScope(c)
	if err != nil {
		return err
	}
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	sent := realm.ClientScope{Name: sc.Name}
	if err := rep.DecodeClientScope(b, &sent); err != nil {
		return err
	}
	if sent.Name != sc.Name {
		if err := a.withinScopes(c, []string{sc.Name}); err != nil {
			return err
		}
	}
	if err := a.Manage.UpdateClientScope(c.ctx(), sc, b); err != nil {
		return err
	}
	return c.noContent()
}

func (a *API) deleteScope(c *call) error {
	if err := a.Store.DeleteClientScope(c.ctx(), c.realm.ID, c.path["scope"]); err != nil {
		return missing(err, noScope)
	}
	return c.noContent()
}

// listAssigned gives the scopes that new clients get, or that one client has.
func (a *API) listAssigned(c *call, optional bool) error {
	names := [2][]string{}
	if c.path["client"] == "" {
		defaults, optionals, err := a.Store.DefaultClientScopes(c.ctx(), c.realm.ID)
		if err != nil {
			return err
		}
		names = [2][]string{defaults, optionals}
	} else {
		cl, err := a.client(c)
		if err != nil {
			return err
		}
		names = [2][]string{cl.DefaultScopes, cl.OptionalScopes}
	}
	pick := names[0]
	if optional {
		pick = names[1]
	}
	all, err := a.Store.ClientScopes(c.ctx(), c.realm.ID)
	if err != nil {
		return err
	}
	out := []map[string]string{}
	for _, s := range all {
		if slices.Contains(pick, s.Name) {
			out = append(out, map[string]string{"id": s.ID, "name": s.Name, "protocol": s.Protocol})
		}
	}
	return c.json(out)
}

// assign gives a scope to a client, or to every client to come. The roles that a
// scope lets through are rights too (CVE-2026-9795).
func (a *API) assign(c *call, optional, on bool) error {
	sc, err := a.clientScope(c)
	if err != nil {
		return notFound("Client scope not found")
	}
	if err := a.withinScopes(c, []string{sc.Name}); err != nil {
		return err
	}
	if c.path["client"] == "" {
		if err := a.Store.SetRealmScope(c.ctx(), c.realm.ID, sc.ID, optional, on); err != nil {
			return err
		}
		return c.noContent()
	}
	cl, err := a.manageableClient(c)
	if err != nil {
		return err
	}
	if cl.Protocol != sc.Protocol {
		return c.noContent() // as Keycloak: scopes of another protocol are left out
	}
	if err := a.Store.SetClientScope(c.ctx(), c.realm.ID, cl.ID, sc.ID, optional, on); err != nil {
		return err
	}
	return c.noContent()
}
