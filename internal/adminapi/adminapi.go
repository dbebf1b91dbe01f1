// Package adminapi is Keycloak's admin REST API: a table of routes, each with the
// roles that may use it, over what manage and the store do.
//
// It denies by default: a route that is not in the table does not exist, and one
// without a matching role is forbidden (S-120). It draws no page. provider mounts
// it below /admin/, dispatched by hand because http.ServeMux cannot hold
// /admin/{realm}/console/ beside /admin/realms/….
package adminapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/token"
	"github.com/latchkey-id/latchkey/internal/urls"
	"github.com/latchkey-id/latchkey/internal/web"
)

// API is the admin REST API.
type API struct {
	Store  *store.Store
	Manage *manage.Manager
	Issuer *token.Issuer
	Origin func(r *http.Request) string
	Logger *slog.Logger
	Now    func() time.Time
}

// call is one request to a route: who asks, about which realm, with which
// parts of the path.
type call struct {
	r        *http.Request
	w        http.ResponseWriter
	origin   string
	realm    *realm.Realm // nil for the list of realms
	path     map[string]string
	query    url.Values
	can      func(roles ...string) bool                   // in the realm of the path
	canIn    func(realmName string, roles ...string) bool // in another one: master's clients hold rights over every realm
	sees     func(realmName string) bool
	anywhere bool   // an administrator of anything
	server   bool   // an administrator of the whole server
	from     string // the realm of the caller
	caller   string // the user
}

// route is a row of the table. Pattern parts in braces are names. Any of the
// roles is enough; none means that being logged in is (the handler looks itself).
type route struct {
	method, pattern string
	roles           []string
	run             func(a *API, c *call) error
}

// routes is the whole API.
func routes() []route {
	return slices.Concat(serverRoutes(), realmRoutes(), keyRoutes(), clientRoutes(), mapperRoutes(), scopeRoutes(), userRoutes(), credentialRoutes(), sessionRoutes(),
		groupRoutes(), mappingRoutes(), roleRoutes())
}

// Routes gives the method and the pattern of every route: what tests crawl.
func Routes() [][2]string {
	var out [][2]string
	for _, r := range routes() {
		out = append(out, [2]string{r.method, r.pattern})
	}
	return out
}

// Mount registers the API.
func (a *API) Mount(mux *http.ServeMux) {
	mux.HandleFunc(urls.AdminPrefix, web.Adapt(a.serve, a.refuse))
}

func (a *API) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodOptions {
		web.Preflight("DELETE, GET, OPTIONS, POST, PUT")(w, r)
		return nil
	}
	parts := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.EscapedPath(), urls.AdminPrefix), "/"), "/")
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // the server leaves the body out
	}
	rt, path, known := find(routes(), method, parts)
	switch {
	case !known && (parts[0] != "realms" || len(parts) < 2):
		return refusal{http.StatusNotFound, "Unable to find matching target resource method", false}
	case !known: // who may not come in does not learn which paths there are
		rt, path = &route{run: nothing}, map[string]string{"realm": unescaped(parts[1])}
	case rt == nil:
		return refusal{http.StatusMethodNotAllowed, "HTTP 405 Method Not Allowed", false}
	}
	c := &call{r: r, w: w, origin: a.Origin(r), path: path, query: r.URL.Query()}
	if err := a.admit(c, rt); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-cache")
	return rt.run(a, c)
}

func nothing(*API, *call) error { return notFound("HTTP 404 Not Found") }

func unescaped(part string) string {
	s, err := url.PathUnescape(part)
	if err != nil {
		return part
	}
	return s
}

// find gives the route of a path; known is false when no method has the path.
func find(table []route, method string, parts []string) (rt *route, path map[string]string, known bool) {
	for i := range table {
		got, ok := match(table[i].pattern, parts)
		if !ok {
			continue
		}
		known = true
		if table[i].method == method {
			return &table[i], got, true
		}
	}
	return nil, nil, known
}

// match compares a path with a pattern. {name...} at the end takes all the rest.
func match(pattern string, parts []string) (map[string]string, bool) {
	want := strings.Split(pattern, "/")
	rest := strings.HasSuffix(pattern, "...}")
	if len(want) > len(parts) || (!rest && len(want) < len(parts)) {
		return nil, false
	}
	got := map[string]string{}
	for i, w := range want {
		part, err := url.PathUnescape(parts[i])
		if rest && i == len(want)-1 {
			part, err = url.PathUnescape(strings.Join(parts[i:], "/"))
		}
		if err != nil {
			return nil, false
		}
		if name, ok := strings.CutPrefix(w, "{"); ok {
			got[strings.TrimSuffix(strings.TrimSuffix(name, "}"), "...")] = part
		} else if w != part {
			return nil, false
		}
	}
	return got, true
}

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

// body reads a JSON document of at most a megabyte; realm files may have 32.
func (c *call) body(most int64) ([]byte, error) {
	if kind := c.r.Header.Get("Content-Type"); strings.HasPrefix(kind, "application/x-www-form-urlencoded") {
		return nil, refusal{http.StatusUnsupportedMediaType, "The content-type header value did not match the value in @Consumes", false}
	}
	b, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, most))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, refusal{http.StatusRequestEntityTooLarge, "Request too large", false}
	}
	if err == nil {
		err = rep.CheckText(b)
	}
	return b, err
}

const (
	maxBody  = 1 << 20
	maxRealm = 32 << 20
)

// created answers 201 with the place of what was made, and nothing else.
func (c *call) created(parts ...string) error {
	at := c.origin + strings.TrimSuffix(c.r.URL.EscapedPath(), "/")
	for _, p := range parts {
		at += "/" + url.PathEscape(p)
	}
	c.w.Header().Set("Location", at)
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

func (c *call) noContent() error {
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *call) json(v any) error { return web.WriteJSON(c.w, http.StatusOK, v) }

func (c *call) ctx() context.Context { return c.r.Context() }
