package adminapi

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/token"
	"github.com/latchkey-id/latchkey/internal/web"
)

var errForbidden = errors.New("adminapi: no role that may do this")

// admit authenticates the bearer token and decides by the route's roles.
func (a *API) admit(c *call, rt *route) error {
	name, has := c.path["realm"]
	access, in, err := a.bearer(c)
	if err != nil {
		return err
	}
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		if err := a.Store.Refresh(c.r.Context()); err != nil { // rights are decided on what is, see rights.go
			return err
		}
	}
	roles, err := a.Issuer.RolesOf(c.r.Context(), in.ID, access)
	if err != nil {
		return err
	}
	c.sees = func(realmName string) bool { return holds(in.Name, roles, realmName) }
	c.can = func(any ...string) bool { return may(in.Name, roles, name, any) }
	c.canIn = func(realmName string, any ...string) bool { return may(in.Name, roles, realmName, any) }
	c.from, c.caller = in.Name, access.User.ID
	c.anywhere = administersAny(in.Name, roles)
	c.server = in.Name == manage.Master && slices.Contains(roles.Realm, adminRole)
	if err := web.AllowOrigin(c.w, c.r, token.WebOrigins(access.Client)); err != nil {
		return err
	}
	if c.w.Header().Get("Access-Control-Allow-Origin") != "" {
		c.w.Header().Set("Access-Control-Expose-Headers", "Location") // of what was made
	}
	if has {
		if c.realm, err = a.Store.RealmByName(c.r.Context(), name); err != nil {
			return missing(err, "Realm not found.")
		}
		if in.Name != manage.Master && in.Name != name {
			return errForbidden
		}
	}
	if len(rt.roles) > 0 && !c.can(rt.roles...) {
		return errForbidden
	}
	return nil
}

const adminRole = "admin"

// may: administrators of master may everything; others what the roles of the
// realm's own management client say. Who may make realms is said by master alone.
func may(tokenRealm string, have token.Roles, target string, any []string) bool {
	if tokenRealm == manage.Master && slices.Contains(have.Realm, adminRole) {
		return true
	}
	if slices.Contains(any, createRealmRole) {
		return tokenRealm == manage.Master && slices.Contains(have.Realm, createRealmRole)
	}
	if tokenRealm != manage.Master && tokenRealm != target { // realm-management is a name in every realm: a right over one's own
		return false
	}
	mine := have.Client[managementClient(tokenRealm, target)]
	return slices.ContainsFunc(any, func(role string) bool { return slices.Contains(mine, role) })
}

const createRealmRole = "create-realm"

func holds(tokenRealm string, have token.Roles, target string) bool {
	if tokenRealm == manage.Master && slices.Contains(have.Realm, adminRole) {
		return true
	}
	return (tokenRealm == target || tokenRealm == manage.Master) && len(have.Client[managementClient(tokenRealm, target)]) > 0
}

func administersAny(tokenRealm string, have token.Roles) bool {
	for clientID, roles := range have.Client {
		if _, yes := administers(tokenRealm, clientID); yes && len(roles) > 0 {
			return true
		}
	}
	return tokenRealm == manage.Master && (slices.Contains(have.Realm, adminRole) || slices.Contains(have.Realm, createRealmRole))
}

func managementClient(tokenRealm, target string) string {
	if tokenRealm == manage.Master {
		return target + "-realm"
	}
	return "realm-management"
}

// bearer verifies the token in the realm that it says it is from. That realm is
// only where to look for keys: the issuer is verified with them.
func (a *API) bearer(c *call) (*token.Access, *realm.Realm, error) {
	scheme, raw, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return nil, nil, oauth.Refuse(oauth.TokenMissing, "")
	}
	_, claims, err := jose.Unverified(raw)
	if err != nil {
		return nil, nil, oauth.RefuseBecause(oauth.TokenInvalid, err)
	}
	iss, _ := claims["iss"].(string)
	_, name, ok := strings.Cut(iss, "/realms/")
	if name, err = url.PathUnescape(name); !ok || err != nil {
		return nil, nil, oauth.Refuse(oauth.TokenInvalid, "no realm in iss")
	}
	in, err := a.Store.RealmByName(c.r.Context(), name)
	if err != nil {
		return nil, nil, oauth.RefuseBecause(oauth.TokenInvalid, err)
	}
	access, err := a.Issuer.Verify(c.r.Context(), in, c.origin, raw)
	return access, in, err
}
