// Package checksession serves the pages that an application keeps in a hidden
// frame: the session iframe (OpenID Connect Session Management 1.0, section 3.3),
// which tells whether the person's session is still the one that the application
// knows, and keycloak-js's question whether cookies work there at all.
//
// It reads no session and no cookie: the page's script compares KEYCLOAK_SESSION,
// which is a hash and proves nothing, with what the application has. Scripts and
// page are ui's. provider mounts it.
package checksession

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/token"
	"github.com/latchkey-id/latchkey/internal/ui"
	"github.com/latchkey-id/latchkey/internal/urls"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Realms resolves the realm of a request and the origin it came to.
type Realms interface {
	Resolve(r *http.Request) (*realm.Realm, urls.Realm, error)
}

// Endpoint is the pages and the question behind the session iframe.
type Endpoint struct {
	Realms Realms
	Store  *store.Store
	Errors web.ErrorWriter
}

// Mount registers the routes.
func (e *Endpoint) Mount(mux *http.ServeMux) {
	for pattern, h := range map[string]web.Handler{urls.CheckSessionPattern: e.page, urls.CheckSessionInitPattern: e.init,
		urls.ThirdPartySetPattern: e.cookies(ui.CookieSetScript), urls.ThirdPartyReadPattern: e.cookies(ui.CookieReadScript)} {
		mux.HandleFunc(pattern, web.Methods(map[string]http.HandlerFunc{http.MethodGet: web.Adapt(h, e.Errors)}))
	}
}

// cookies is one of the two pages that find out whether cookies work in a frame.
// They are the same for everybody and know no client: any site may frame them.
func (e *Endpoint) cookies(script ui.FrameScript) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, _, err := e.Realms.Resolve(r); err != nil {
			return err
		}
		return web.WriteFramed(w, ui.ScriptPage{Script: script}, "")
	}
}

// mostAddresses bounds what a page load reads, and mostAncestors the header. A
// realm with more lets any site frame the page: it shows nothing that could be
// clicked, and answers nobody whom init does not know.
const (
	mostAddresses = 1000
	mostAncestors = 100
)

// page is the session iframe. Only where a client of the realm lives may it be
// framed (S-74).
func (e *Endpoint) page(w http.ResponseWriter, r *http.Request) error {
	in, _, err := e.Realms.Resolve(r)
	if err != nil {
		return err
	}
	clients, err := e.Store.AddressesOfClients(r.Context(), in.ID, mostAddresses+1)
	if err != nil {
		return err
	}
	return web.WriteFramed(w, ui.ScriptPage{Script: ui.SessionScript}, ancestors(clients))
}

// ancestors are the sources of a frame-ancestors directive, "" for any.
func ancestors(clients []*realm.Client) string {
	addresses, sources := 0, []string{"'self'"}
	for _, c := range clients {
		addresses += len(c.WebOrigins) + len(c.RedirectURIs)
		for _, o := range token.WebOrigins(c) {
			if o == "*" {
				return ""
			}
			if s := source(o); s != "" && !slices.Contains(sources, s) {
				sources = append(sources, s)
			}
		}
	}
	if addresses > mostAddresses || len(sources) > mostAncestors {
		return ""
	}
	slices.Sort(sources)
	return strings.Join(sources, " ")
}

// hostSource is "host-source" of Content Security Policy Level 3, section 2.3.1,
// with a scheme and without wildcards.
var hostSource = regexp.MustCompile(`^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$`)

// source writes an origin as a source. What an administrator typed may not become
// another directive; the grammar has no IPv6 addresses, there the scheme has to do.
func source(origin string) string {
	if hostSource.MatchString(origin) {
		return strings.ToLower(origin)
	}
	if u, err := url.Parse(origin); err == nil && strings.HasPrefix(u.Host, "[") && (u.Scheme == "http" || u.Scheme == "https") {
		return u.Scheme + ":"
	}
	return ""
}

// init answers the page's question whether a client may ask from an origin: 204
// is yes, 403 is no, whatever the reason.
func (e *Endpoint) init(w http.ResponseWriter, r *http.Request) error {
	in, at, err := e.Realms.Resolve(r)
	if err != nil {
		return err
	}
	q, err := web.ParseQuery(r)
	if err != nil {
		return err
	}
	c, err := e.Store.ClientByClientID(r.Context(), in.ID, q.Get("client_id"))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err != nil || !c.Enabled || !mayAsk(c, q.Get("origin"), at.Origin) {
		w.WriteHeader(http.StatusForbidden)
		return nil
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// mayAsk: a client's web origins, and our own for our own applications.
func mayAsk(c *realm.Client, origin, own string) bool {
	allowed := token.WebOrigins(c)
	return origin != "" && (origin == own || slices.Contains(allowed, origin) || slices.Contains(allowed, "*"))
}
