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

	"github.com/latchkey-id/latchkey/internal/manage"
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
