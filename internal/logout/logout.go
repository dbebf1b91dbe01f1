// Package logout ends sessions: RP-Initiated Logout 1.0 in the browser, and
// Keycloak's older POST with a refresh token.
//
// A request with a valid id_token_hint acts at once; any other only shows a page
// with one button, so that a link on a foreign page logs nobody out (S-40). It
// is exempt from http.CrossOriginProtection by name for that reason. provider
// mounts it.
package logout

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/clientauth"
	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/seal"
	"github.com/latchkey-id/latchkey/internal/session"
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

// Endpoint is the end session endpoint.
type Endpoint struct {
	Realms     Realms
	Store      *store.Store
	Issuer     *token.Issuer
	Clients    *clientauth.Authenticator
	Cookies    *session.Cookies
	Seal       *seal.Ring
	Audit      *audit.Log
	Logger     *slog.Logger
	Now        func() time.Time
	PageErrors web.ErrorWriter
	JSONErrors web.ErrorWriter
}

// Mount registers the routes.
func (e *Endpoint) Mount(mux *http.ServeMux) {
	page := web.Adapt(e.browser, e.PageErrors)
	serve := web.Methods(map[string]http.HandlerFunc{http.MethodGet: page, http.MethodPost: e.post, http.MethodOptions: web.Preflight("GET, HEAD, OPTIONS, POST")})
	mux.HandleFunc(urls.LogoutPattern, serve)
	mux.HandleFunc(urls.LogoutPattern+"/{$}", serve)
	mux.HandleFunc(urls.LogoutConfirmPattern, web.Methods(map[string]http.HandlerFunc{http.MethodGet: page, http.MethodPost: web.Adapt(e.confirm, e.PageErrors)}))
}

// post is the old back-channel form when it carries a refresh token, the
// browser's otherwise.
func (e *Endpoint) post(w http.ResponseWriter, r *http.Request) {
	form, err := web.ParseForm(w, r)
	switch {
	case err != nil:
		e.PageErrors(w, r, err)
	case form.Has("refresh_token"):
		web.Adapt(func(w http.ResponseWriter, r *http.Request) error { return e.byRefreshToken(w, r, form) }, e.JSONErrors)(w, r)
	default:
		web.Adapt(func(w http.ResponseWriter, r *http.Request) error { return e.ask(w, r, form) }, e.PageErrors)(w, r)
	}
}

func (e *Endpoint) browser(w http.ResponseWriter, r *http.Request) error {
	q, err := web.ParseQuery(r)
	if err != nil {
		return err
	}
	return e.ask(w, r, q)
}

// asked is a logout request that was checked.
type asked struct {
	realm   *realm.Realm
	at      urls.Realm
	client  *realm.Client // nil when nothing names one
	hint    *jose.Token   // nil without a hint
	target  string        // "" for our own page
	state   string
	locales string // ui_locales
	current *realm.Session
}

func (e *Endpoint) ask(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, err := e.check(r, p)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-cache")
	if a.mayActAtOnce() {
		return e.finish(w, r, a)
	}
	lang := web.Language(r, a.locales)
	tokenText, err := e.formToken(a)
	if err != nil {
		return err
	}
	action := a.at.LogoutConfirm() + "?" + url.Values{"client_id": {clientID(a.client)}, "tab_id": {"1"}}.Encode()
	return web.WritePage(w, r, http.StatusOK, ui.LogoutPage{Lang: lang, RealmName: a.realm.Title(), Action: action, FormToken: tokenText})
}

// mayActAtOnce: the hint is of the session that this browser has, or it has none. "If
// the ID Token's sid Claim does not correspond to the RP's current session or a recent
// session at the OP, the OP SHOULD treat the logout request as suspect" (2): whoever got
// hold of an old ID token must not log its owner out today.
func (a *asked) mayActAtOnce() bool {
	return a.hint != nil && (a.current == nil || a.current.ID == a.hint.Text("sid"))
}

func clientID(c *realm.Client) string {
	if c == nil {
		return "account"
	}
	return c.ClientID
}

// check validates a logout request. Reasons: HintInvalid,
// LogoutHintMissing, LogoutRedirectInvalid.
func (e *Endpoint) check(r *http.Request, p url.Values) (*asked, error) {
	if err := web.Single(p); err != nil {
		return nil, err
	}
	in, at, err := e.Realms.Resolve(r)
	if err != nil {
		return nil, err
	}
	a := &asked{realm: in, at: at, state: p.Get("state"), locales: p.Get("ui_locales")}
	if a.current, err = e.Cookies.Current(r.Context(), r, in); err != nil {
		return nil, err
	}
	if err := e.checkHint(r.Context(), a, p.Get("id_token_hint"), p.Get("client_id")); err != nil {
		return nil, err
	}
	if err := e.checkClient(r.Context(), a, p.Get("client_id"), p.Get("post_logout_redirect_uri") != ""); err != nil {
		return nil, err
	}
	return a, checkTarget(a, p.Get("post_logout_redirect_uri"))
}

// checkHint verifies an ID token of ours. It has to be the named client's: "When
// both client_id and id_token_hint are present, the OP MUST verify that the Client
// Identifier matches the one used when issuing the ID Token" (2).
func (e *Endpoint) checkHint(ctx context.Context, a *asked, hint, clientID string) error {
	if hint == "" {
		return nil
	}
	t, err := e.Issuer.Hint(ctx, a.realm, a.at.Origin, hint)
	if err != nil {
		return err
	}
	// A mapper can add audiences to an ID token; azp is whom it was issued to.
	if azp := t.Text("azp"); clientID != "" && azp != clientID {
		return oauth.Refuse(oauth.HintInvalid, "azp is "+azp)
	}
	a.hint = t
	return nil
}

func (e *Endpoint) checkClient(ctx context.Context, a *asked, id string, addressed bool) (err error) {
	if id == "" && a.hint != nil {
		id = a.hint.Text("azp")
	}
	if id == "" {
		return nil
	}
	a.client, err = e.Store.ClientByClientID(ctx, a.realm.ID, id)
	if errors.Is(err, store.ErrNotFound) && !addressed { // a person can log out of an application that is gone
		return nil
	}
	if errors.Is(err, store.ErrNotFound) {
		return oauth.Refuse(oauth.LogoutRedirectInvalid, "unknown client")
	}
	return err
}

func checkTarget(a *asked, target string) error {
	switch {
	case target == "":
		return nil
	case a.client == nil:
		return oauth.Refuse(oauth.LogoutHintMissing, "")
	}
	rules := oauth.RedirectRules{Exact: a.realm.On(realm.ExactRedirectURIs, a.client), RootURL: a.client.RootURL, AllowAnyHost: urls.IsLoopback(a.at.Origin)}
	if !oauth.MatchRedirectURI(PostLogoutURIs(a.client), target, rules) {
		return oauth.Refuse(oauth.LogoutRedirectInvalid, target)
	}
	a.target = target
	return nil
}

// PostLogoutURIs are the registered ones: the client attribute, in which "+"
// stands for the redirect URIs. Without the attribute the redirect URIs count,
// as for a client that Keycloak migrated.
func PostLogoutURIs(c *realm.Client) []string {
	attribute, ok := c.Attributes["post.logout.redirect.uris"]
	if !ok {
		attribute = "+"
	}
	var out []string
	for _, uri := range strings.Split(attribute, "##") {
		switch uri {
		case "+":
			out = append(out, c.RedirectURIs...)
		case "", "-":
		default:
			out = append(out, uri)
		}
	}
	return out
}

// finish ends the session of the hint, or of the browser whose button was pressed,
// and goes where the request said.
func (e *Endpoint) finish(w http.ResponseWriter, r *http.Request, a *asked) error {
	if id := a.sessionToEnd(); id != "" {
		if err := e.Store.EndSession(r.Context(), a.realm.ID, id); err != nil {
			return err
		}
		e.Audit.Record(r.Context(), a.realm, realm.Event{Type: audit.Logout, ClientID: clientID(a.client), SessionID: id, IP: web.RealIP(r.Context())})
	}
	e.Cookies.Clear(w, a.at)
	if err := e.Cookies.Renew(w, r, a.realm, a.at); err != nil {
		return err
	}
	if a.target == "" {
		lang := web.Language(r, a.locales)
		words := ui.MessagesFor(lang)
		page := ui.InfoPage{Lang: lang, RealmName: a.realm.Title(), Heading: words.LoggedOutTitle, Text: words.LoggedOutText}
		if a.client != nil {
			page.BackURL = a.client.Home()
		}
		return web.WritePage(w, r, http.StatusOK, page)
	}
	to := a.target
	if a.state != "" {
		to = urls.WithQuery(to, url.Values{"state": {a.state}})
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
	return nil
}

func (a *asked) sessionToEnd() string {
	switch {
	case a.hint != nil:
		return a.hint.Text("sid")
	case a.current != nil:
		return a.current.ID
	}
	return ""
}
