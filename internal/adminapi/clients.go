package adminapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
)

func clientRoutes() []route {
	view := []string{"view-clients", "manage-clients"}
	edit := []string{"manage-clients"}
	return []route{
		{http.MethodGet, "realms/{realm}/clients", []string{"view-clients", "manage-clients", "query-clients"}, (*API).listClients},
		{http.MethodPost, "realms/{realm}/clients", []string{"manage-clients", "create-client"}, (*API).createClient},
		{http.MethodGet, "realms/{realm}/clients/{client}", view, (*API).showClient},
		{http.MethodPut, "realms/{realm}/clients/{client}", edit, (*API).updateClient},
		{http.MethodDelete, "realms/{realm}/clients/{client}", edit, (*API).deleteClient},
		{http.MethodGet, "realms/{realm}/clients/{client}/client-secret", view, (*API).showSecret},
		{http.MethodPost, "realms/{realm}/clients/{client}/client-secret", edit, (*API).newSecret},
		{http.MethodGet, "realms/{realm}/clients/{client}/service-account-user", view, (*API).serviceAccount},
		{http.MethodGet, "realms/{realm}/clients/{client}/client-secret/rotated", view, (*API).showRotated},
		{http.MethodDelete, "realms/{realm}/clients/{client}/client-secret/rotated", edit, (*API).forgetRotated},
	}
}

const noClient = "Could not find client"

// number reads a paging parameter; what is no number is 404, as Keycloak's.
func (c *call) number(name string, otherwise int) (int, error) {
	if !c.query.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(c.query.Get(name))
	if err != nil {
		return 0, notFound("HTTP 404 Not Found")
	}
	return n, nil
}

func (c *call) page(most int) (first, limit int, err error) {
	if first, err = c.number("first", 0); err != nil {
		return 0, 0, err
	}
	limit, err = c.number("max", most)
	return max(first, 0), limit, err
}

func (a *API) listClients(c *call) error {
	if q := c.query.Get("q"); q != "" {
		name, _, _ := strings.Cut(q, ":")
		return refuseAttributes(name)
	}
	first, limit, err := c.page(most)
	if err != nil {
		return err
	}
	if limit < 0 {
		limit = most
	}
	if !c.can("view-clients", "manage-clients") { // query-clients alone shows none
		return c.json([]any{})
	}
	found, err := a.Store.Clients(c.ctx(), c.realm.ID, store.ClientFilter{ClientID: c.query.Get("clientId"), Search: c.query.Get("search") == "true", First: first, Max: min(limit, most)})
	if err != nil {
		return err
	}
	out := []json.RawMessage{}
	for _, cl := range found {
		raw, err := a.encodeClient(c, cl)
		if err != nil {
			return err
		}
		out = append(out, raw)
	}
	return c.json(out)
}

// refuseAttributes: attributes are no columns, and Keycloak allows none in a search
// unless it is told.
func refuseAttributes(name string) error {
	return oauthError{http.StatusBadRequest, "invalid_request", "Attributes [" + name + "] not allowed for search"}
}

// encodeClient shows the secret to whoever may change the client: to know it is to
// be its service account.
func (a *API) encodeClient(c *call, cl *realm.Client) (json.RawMessage, error) {
	keeps, err := a.keepsRights(c, cl)
	if err != nil {
		return nil, err
	}
	canEdit, secret := c.can("manage-clients") && !keeps, ""
	if canEdit && !cl.Public {
		s, err := a.knownSecret(c, cl)
		if err != nil {
			return nil, err
		}
		secret = s
	}
	return rep.EncodeClient(cl, secret, map[string]bool{"view": true, "configure": canEdit, "manage": canEdit})
}

// knownSecret gives a client's secret, "" when it has none or the caller may not
// know it.
func (a *API) knownSecret(c *call, cl *realm.Client) (string, error) {
	if !c.can("manage-clients") || cl.Public {
		return "", nil
	}
	err := a.withinService(c, cl)
	if errors.Is(err, errForbidden) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	s, err := a.Store.ClientSecret(c.ctx(), c.realm.ID, cl.ID)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return s, err
}

func (a *API) createClient(c *call) error {
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	sent := realm.Client{}
	if _, err := rep.DecodeClient(b, &sent); err != nil {
		return err
	}
	if err := errors.Join(mayName(c, sent.ClientID), a.withinScopes(c, slices.Concat(sent.DefaultScopes, sent.OptionalScopes))); err != nil {
		return err
	}
	cl, err := a.Manage.CreateClient(c.ctx(), c.realm, b)
	if err != nil {
		return err
	}
	return c.created(cl.ID)
}

func (a *API) client(c *call) (*realm.Client, error) {
	cl, err := a.Store.ClientByID(c.ctx(), c.realm.ID, c.path["client"])
	return cl, missing(err, noClient)
}

func (a *API) showClient(c *call) error {
	cl, err := a.client(c)
	if err != nil {
		return err
	}
	raw, err := a.encodeClient(c, cl)
	if err != nil {
		return err
	}
	return c.json(raw)
}

func (a *API) updateClient(c *call) error {
	cl, err := a.manageableClient(c)
	if err != nil {
		return err
	}
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	sent := realm.Client{ClientID: cl.ClientID}
	if _, err := rep.DecodeClient(b, &sent); err != nil {
		return err
	}
	if err := mayName(c, sent.ClientID); err != nil {
		return err
	}
	err = a.Manage.UpdateClient(c.ctx(), c.realm, cl.ID, b)
	if errors.Is(err, store.ErrExists) {
		return conflictOnPut{}
	}
	if err != nil {
		return err
	}
	return c.noContent()
}

// builtIn are the clients that a realm cannot do without.
func builtIn() []string {
	return []string{"account", "account-console", "admin-cli", "broker", "security-admin-console"}
}

func (a *API) deleteClient(c *call) error {
	cl, err := a.manageableClient(c)
	if err != nil {
		return err
	}
	if slices.Contains(builtIn(), cl.ClientID) {
		return oauthError{http.StatusBadRequest, "invalid_request", "Could not delete client"}
	}
	if err := a.Store.DeleteClient(c.ctx(), c.realm.ID, cl.ID); err != nil {
		return missing(err, noClient)
	}
	return c.noContent()
}

func (a *API) showSecret(c *call) error {
	cl, err := a.client(c)
	if err != nil {
		return err
	}
	secret, err := a.knownSecret(c, cl)
	if err != nil {
		return err
	}
	if secret == "" {
		return c.json(map[string]string{"type": "secret"})
	}
	return c.json(map[string]string{"type": "secret", "value": secret})
}

// showRotated: a secret that was replaced is void at once, none is kept beside it.
func (a *API) showRotated(c *call) error {
	if _, err := a.client(c); err != nil {
		return err
	}
	return notFound("Client does not have a rotated secret")
}

func (a *API) forgetRotated(c *call) error {
	if _, err := a.manageableClient(c); err != nil {
		return err
	}
	return c.noContent()
}

func (a *API) newSecret(c *call) error {
	cl, err := a.manageableClient(c)
	if err != nil {
		return err
	}
	secret, err := a.Manage.NewClientSecret(c.ctx(), c.realm, cl.ID)
	if err != nil {
		return err
	}
	return c.json(map[string]string{"type": "secret", "value": secret})
}

func (a *API) serviceAccount(c *call) error {
	cl, err := a.client(c)
	if err != nil {
		return err
	}
	u, err := a.Store.ServiceAccountUser(c.ctx(), c.realm.ID, cl.ID)
	if errors.Is(err, store.ErrNotFound) || !cl.ServiceAccounts {
		return refusal{http.StatusBadRequest, "Service account not enabled for the client '" + cl.ClientID + "'", false}
	}
	if err != nil {
		return err
	}
	raw, err := rep.EncodeUser(u, nil)
	if err != nil {
		return err
	}
	return c.json(raw)
}
