package adminapi

import (
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
)

func userRoutes() []route {
	view := []string{"view-users", "manage-users"}
	query := []string{"view-users", "manage-users", "query-users"}
	edit := []string{"manage-users"}
	return []route{
		{http.MethodGet, "realms/{realm}/users", query, (*API).listUsers},
		{http.MethodPost, "realms/{realm}/users", edit, (*API).createUser},
		{http.MethodGet, "realms/{realm}/users/count", query, (*API).countUsers},
		{http.MethodGet, "realms/{realm}/users/{user}", view, (*API).showUser},
		{http.MethodPost, "realms/{realm}/users/{user}", edit, (*API).postUser},
		{http.MethodPut, "realms/{realm}/users/{user}", edit, (*API).updateUser},
		{http.MethodDelete, "realms/{realm}/users/{user}", edit, (*API).deleteUser},
		{http.MethodPut, "realms/{realm}/users/{user}/reset-password", edit, (*API).resetPassword},
		{http.MethodGet, "realms/{realm}/attack-detection/brute-force/users/{user}", view, (*API).showFailures},
		{http.MethodDelete, "realms/{realm}/attack-detection/brute-force/users/{user}", edit, (*API).clearFailures},
		{http.MethodDelete, "realms/{realm}/attack-detection/brute-force/users", edit, (*API).clearFailures},
		{http.MethodPost, "realms/{realm}/users/{user}/logout", edit, (*API).logoutUser},
	}
}

const noUser = "User not found"

// userAccess drives what the admin console lets a person edit.
func (c *call) userAccess() map[string]bool {
	edit := c.can("manage-users")
	return map[string]bool{"manageGroupMembership": edit, "resetPassword": edit, "view": true, "mapRoles": edit, "impersonate": c.can("impersonation"), "manage": edit}
}

func (a *API) createUser(c *call) error {
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	u, err := a.Manage.CreateUserIf(c.ctx(), c.realm, b, a.mayJoin(c))
	if err != nil {
		return err
	}
	return c.created(u.ID)
}

func (a *API) user(c *call) (*realm.User, error) {
	u, err := a.Store.UserByID(c.ctx(), c.realm.ID, c.path["user"])
	return u, missing(err, noUser)
}

// postUser: Keycloak looks for the user before it looks at the method.
func (a *API) postUser(c *call) error {
	if _, err := a.user(c); err != nil {
		return err
	}
	return refusal{http.StatusMethodNotAllowed, "HTTP 405 Method Not Allowed", false}
}

func (a *API) showUser(c *call) error {
	u, err := a.user(c)
	if err != nil {
		return err
	}
	raw, err := rep.EncodeUser(u, c.userAccess())
	if err != nil {
		return err
	}
	return c.json(raw)
}

func (a *API) updateUser(c *call) error {
	if _, err := a.manageable(c); err != nil {
		return err
	}
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	if err := a.Manage.UpdateUser(c.ctx(), c.realm, c.path["user"], b); err != nil {
		return missing(err, noUser)
	}
	return c.noContent()
}

func (a *API) deleteUser(c *call) error {
	if _, err := a.manageable(c); err != nil {
		return err
	}
	if err := a.Store.DeleteUser(c.ctx(), c.realm.ID, c.path["user"]); err != nil {
		return missing(err, noUser)
	}
	return c.noContent()
}

func (a *API) resetPassword(c *call) error {
	if _, err := a.manageable(c); err != nil {
		return err
	}
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	cred, err := rep.DecodeCredential(b)
	if err != nil {
		return err
	}
	if err := a.Manage.SetPassword(c.ctx(), c.realm, c.path["user"], cred); err != nil {
		return err
	}
	return c.noContent()
}

// logoutUser asks for manage-users alone, whatever rights the user has, as Keycloak
// does and like endSession and logoutAll: to be logged out gives nobody a right.
func (a *API) logoutUser(c *call) error {
	if err := a.Store.LogOutUser(c.ctx(), c.realm.ID, c.path["user"]); err != nil {
		return missing(err, noUser)
	}
	return c.noContent()
}

func (a *API) showFailures(c *call) error {
	f, err := a.Store.FailedLogins(c.ctx(), c.realm.ID, c.path["user"])
	if err != nil {
		return err
	}
	ip := f.LastIP
	if ip == "" {
		ip = "n/a"
	}
	return c.json(map[string]any{"numFailures": f.Count, "numTemporaryLockouts": f.Lockouts, "numSecondaryAuthFailures": 0, "disabled": a.Now().Before(f.LockedUntil),
		"lastIPFailure": ip, "lastFailure": millis(f.LastAt), "failedLoginNotBefore": millis(f.LockedUntil) / 1000})
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (a *API) clearFailures(c *call) error {
	if err := a.Store.ClearFailedLogins(c.ctx(), c.realm.ID, c.path["user"]); err != nil {
		return err
	}
	return c.noContent()
}
