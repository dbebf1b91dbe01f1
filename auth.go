package latchkey

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/seal"
)

// Auth logs people in for one application at one provider. It is safe for
// concurrent use.
type Auth struct {
	cfg      Config
	ring     *seal.Ring
	prefix   string // of every cookie's name
	secure   bool
	callback *url.URL
	provider *provider
	keep     keeper
	refresh  refresher
}

// New checks a configuration. The error is a *ConfigError, never one of the
// network: the provider is first asked when somebody wants to log in.
func New(cfg Config) (*Auth, error) {
	cfg.defaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	ring, err := cfg.ring()
	if err != nil {
		return nil, err
	}
	callback, err := url.Parse(cfg.RedirectURI)
	if err != nil {
		return nil, problem("RedirectURI", "is %q, which is no URL", cfg.RedirectURI)
	}
	a := &Auth{cfg: cfg, ring: ring, prefix: cookiePrefix(&cfg), secure: callback.Scheme == "https", callback: callback, provider: newProvider(&cfg)}
	a.keep = cookieKeeper{a}
	if cfg.Store != nil {
		a.keep = storeKeeper{a}
	}
	return a, nil
}

// Routes of the package beside the callback.
const (
	loginPath  = "/oidc/login"
	logoutPath = "/oidc/logout"
)

// Mount registers the callback, at the path of RedirectURI, and /oidc/login and
// /oidc/logout. A route that the application has already is an error that names
// it: nothing is shadowed in silence.
func (a *Auth) Mount(mux *http.ServeMux) (err error) {
	routes := []struct {
		path    string
		handler http.HandlerFunc
	}{{a.callback.Path, a.serveCallback}, {loginPath, a.serveLogin}, {logoutPath, a.Logout}}
	for _, r := range routes {
		if pattern, ok := taken(mux, r.path); ok {
			return fmt.Errorf("latchkey: Mount: the application has a route %q where the package needs %s", pattern, r.path)
		}
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("latchkey: Mount: %v", p)
		}
	}()
	for _, r := range routes { // by method: "GET /" of the application is no clash
		mux.HandleFunc("GET "+r.path, r.handler)
		mux.HandleFunc("POST "+r.path, r.handler)
	}
	return nil
}

// taken finds a route for this very path; a subtree above it is none.
func taken(mux *http.ServeMux, path string) (string, bool) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		_, pattern := mux.Handler(&http.Request{Method: method, URL: &url.URL{Path: path}, Host: "localhost"})
		_, at, hasMethod := strings.Cut(pattern, " ")
		if !hasMethod {
			at = pattern
		}
		if at == path {
			return pattern, true
		}
	}
	return "", false
}

// Middleware tells the handlers below who is logged in, by UserFromContext. It
// never calls the provider, and nobody has to be logged in.
func (a *Auth) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := a.keep.load(r)
		if err != nil {
			a.cfg.Logger.Log(r.Context(), level(r, err), "latchkey: session not read", "err", err)
		}
		ctx := context.WithValue(r.Context(), sessionKey{a}, &loaded{s: s, err: err})
		if s != nil {
			ctx = withUser(ctx, newUser(s.Claims))
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// sessionKey holds the Auth: one process may have several, and none may take
// another's session for its own.
type sessionKey struct{ auth *Auth }

type loaded struct {
	s   *session
	err error
}

// current gives the session that Middleware has read, or reads it.
func (a *Auth) current(r *http.Request) (*session, error) {
	if l, ok := r.Context().Value(sessionKey{a}).(*loaded); ok {
		return l.s, l.err
	}
	return a.keep.load(r)
}

// RequireLogin lets only requests of logged-in people through. A person's GET is
// sent to the provider and comes back; anything else gets 401 with the address to
// log in at, because a redirect would lose its body or end in a CORS error.
func (a *Auth) RequireLogin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// What is shown to a person must not stay in a cache after the logout.
		w.Header().Set("Cache-Control", "no-store")
		s, err := a.current(r)
		if err != nil {
			a.fail(w, r, reasonStore, err)
			return
		}
		if s != nil {
			s, err = a.fresh(w, r, s)
		}
		switch {
		case err != nil:
			a.fail(w, r, reasonOf(err), err)
		case s != nil:
			a.clearLoop(w, r)
			ctx := context.WithValue(r.Context(), sessionKey{a}, &loaded{s: s}) // refreshed, perhaps
			next.ServeHTTP(w, r.WithContext(withUser(ctx, newUser(s.Claims))))
		case isNavigation(r):
			a.begin(w, r, r.URL.RequestURI(), false)
		default:
			a.unauthorized(w, r)
		}
	})
}

// isNavigation tells a person's click from a script's request. Browsers say so
// (Fetch Metadata); older ones are told by what they accept. A program that
// accepts anything, like curl, is shown where the login is.
func isNavigation(r *http.Request) bool {
	h := r.Header
	switch {
	case r.Method != http.MethodGet:
		return false
	case h.Get("Authorization") != "": // a bad token gets 401, never a login page
		return false
	case h.Get("Sec-Purpose") != "" || h.Get("Purpose") == "prefetch":
		return false
	case h.Get("Sec-Fetch-Mode") != "":
		return h.Get("Sec-Fetch-Mode") == "navigate" && slices.Contains([]string{"", "document", "iframe", "frame"}, h.Get("Sec-Fetch-Dest"))
	case strings.EqualFold(h.Get("X-Requested-With"), "XMLHttpRequest"):
		return false
	}
	accept := h.Get("Accept")
	return accept == "" || strings.Contains(accept, "text/html") || strings.Contains(accept, "*/*")
}

// LoginURL is the address that logs a person in and then goes to returnTo, a path
// of this application. Another site as returnTo becomes "/".
func (a *Auth) LoginURL(returnTo string) string {
	return loginPath + "?" + url.Values{"next": {returnAddress(returnTo)}}.Encode()
}

func (a *Auth) serveLogin(w http.ResponseWriter, r *http.Request) {
	a.begin(w, r, returnAddress(r.URL.Query().Get("next")), false)
}
