package adminapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/rep"
)

func credentialRoutes() []route {
	view := []string{"view-users", "manage-users"}
	edit := []string{"manage-users"}
	const user = "realms/{realm}/users/{user}"
	return []route{
		{http.MethodGet, user + "/credentials", view, (*API).listCredentials},
		{http.MethodDelete, user + "/credentials/{credential}", edit, (*API).deleteCredential},
		{http.MethodPut, user + "/credentials/{credential}/userLabel", edit, (*API).labelCredential},
		{http.MethodPost, user + "/credentials/{credential}/moveToFirst", edit, (*API).moveCredential},
		{http.MethodPost, user + "/credentials/{credential}/moveAfter/{after}", edit, (*API).moveCredential},
		{http.MethodGet, user + "/configured-user-storage-credential-types", view, (*API).listStorageCredentials},
		{http.MethodPut, user + "/disable-credential-types", edit, (*API).disableCredentials},
		{http.MethodGet, user + "/federated-identity", view, (*API).listIdentities},
	}
}

const noCredential = "Credential not found"

// listCredentials shows what a user logs in with, never the secret part.
func (a *API) listCredentials(c *call) error {
	u, err := a.user(c)
	if err != nil {
		return err
	}
	all, err := a.Store.Credentials(c.ctx(), c.realm.ID, u.ID)
	if err != nil {
		return err
	}
	out := []rep.Credential{}
	for _, one := range all {
		out = append(out, rep.Credential{ID: one.ID, Type: one.Type, UserLabel: one.Label, CreatedDate: millis(one.CreatedAt), CredentialData: one.Data})
	}
	return c.json(out)
}

func (a *API) deleteCredential(c *call) error {
	u, err := a.manageable(c)
	if err != nil {
		return err
	}
	if err := a.Store.DeleteCredential(c.ctx(), c.realm.ID, u.ID, c.path["credential"]); err != nil {
		return missing(err, noCredential)
	}
	return c.noContent()
}

func (a *API) labelCredential(c *call) error {
	u, err := a.manageable(c)
	if err != nil {
		return err
	}
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	label := strings.TrimSpace(string(b))
	var quoted string // a text, or the same as JSON
	if json.Unmarshal(b, &quoted) == nil {
		label = quoted
	}
	if utf8.RuneCountInString(label) > 255 || !utf8.ValidString(label) {
		return refusal{http.StatusBadRequest, "a label has at most 255 characters", true}
	}
	if err := a.Store.LabelCredential(c.ctx(), c.realm.ID, u.ID, c.path["credential"], label); err != nil {
		return missing(err, noCredential)
	}
	return c.noContent()
}

func (a *API) moveCredential(c *call) error {
	u, err := a.manageable(c)
	if err != nil {
		return err
	}
	if err := a.Store.MoveCredential(c.ctx(), c.realm.ID, u.ID, c.path["credential"], c.path["after"]); err != nil {
		return missing(err, noCredential)
	}
	return c.noContent()
}

// listStorageCredentials: there are no other user stores that could hold some.
func (a *API) listStorageCredentials(c *call) error {
	if _, err := a.user(c); err != nil {
		return err
	}
	return c.json([]string{})
}

// disableCredentials: no type can be disabled, and every user says so
// (disableableCredentialTypes is empty).
func (a *API) disableCredentials(c *call) error {
	if _, err := a.manageable(c); err != nil {
		return err
	}
	return c.noContent()
}

// listIdentities gives the accounts elsewhere that an import brought with a user.
func (a *API) listIdentities(c *call) error {
	u, err := a.user(c)
	if err != nil {
		return err
	}
	if raw, ok := u.Extra["federatedIdentities"]; ok {
		return c.json(raw)
	}
	return c.json([]any{})
}
