// Package authorize is the authorization endpoint (RFC 6749, section 3.1;
// OpenID Connect Core 1.0, section 3.1.2): it validates a request in two phases,
// hands it to journey, and writes the answer that goes back to the client.
//
// Phase A knows no place to send anybody: what fails there renders a page. Phase
// B redirects with an error. The phase decides, not the error (S-04). It draws no
// login page (login does) and knows no password.
package authorize

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/oauth"
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

// Endpoint is the authorization endpoint.
type Endpoint struct {
	Realms  Realms
	Store   *store.Store
	Issuer  *token.Issuer
	Journey *journey.Journey
	Logger  *slog.Logger
	Now     func() time.Time
	Errors  web.ErrorWriter
}

// Mount registers the routes.
func (e *Endpoint) Mount(mux *http.ServeMux) {
	h := web.Adapt(e.serve, e.Errors)
	mux.HandleFunc(urls.AuthPattern, web.Methods(map[string]http.HandlerFunc{http.MethodGet: h, http.MethodPost: h, http.MethodOptions: web.Allow("GET, HEAD, OPTIONS, POST")}))
	mux.HandleFunc(urls.RegistrationsPattern, web.Adapt(e.registrations, e.Errors))
}

// registrations is where Keycloak begins a registration. It is not offered, and
// whoever comes here is told so.
func (e *Endpoint) registrations(_ http.ResponseWriter, r *http.Request) error {
	if _, _, err := e.Realms.Resolve(r); err != nil {
		return err
	}
	return oauth.Refuse(oauth.RegistrationNotAllowed, "")
}

func (e *Endpoint) serve(w http.ResponseWriter, r *http.Request) error {
	in, at, err := e.Realms.Resolve(r)
	if err != nil {
		return err
	}
	p, err := parameters(w, r)
	if err != nil {
		return err
	}
	if !in.Enabled {
		return oauth.Refuse(oauth.AuthRealmDisabled, "")
	}
	a := &request{realm: in, at: at, params: p}
	if err := e.phaseA(r.Context(), a); err != nil {
		return err
	}
	if err := e.phaseB(r.Context(), a); err != nil {
		e.Logger.InfoContext(r.Context(), "authorization request refused", "realm", in.Name, "client", a.client.ClientID, "reason", string(oauth.ReasonOf(err)), "err", err.Error())
		return e.respond(w, r, a.answer(in, at), journey.Outcome{Err: err})
	}
	return e.Journey.Start(w, r, e.visit(a))
}

// parameters are those of the query, or of the body of a POST: "The
// Authorization Server MUST support the use of the HTTP GET and POST methods"
// (OpenID Connect Core 1.0, 3.1.2.1). A POST with a query too is both together,
// so that nothing can stand in each with another value (S-05).
func parameters(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	p, err := web.ParseQuery(r)
	if err != nil || r.Method != http.MethodPost {
		return p, err
	}
	form, err := web.ParseForm(w, r)
	if err != nil {
		return nil, err
	}
	for name, values := range form {
		p[name] = append(p[name], values...)
	}
	return p, nil
}

// request is an authorization request under validation.
type request struct {
	realm  *realm.Realm
	at     urls.Realm
	params url.Values
	client *realm.Client
	about  string // the sub of id_token_hint, "" without one
}

// phaseA finds out whether there is a place to send the browser back to.
func (e *Endpoint) phaseA(ctx context.Context, a *request) error {
	for _, name := range []string{"client_id", "redirect_uri"} {
		if len(a.params[name]) > 1 {
			return oauth.Refuse(oauth.AuthInvalidRequest, name+" stands twice")
		}
	}
	if err := e.findClient(ctx, a); err != nil {
		return err
	}
	return checkRedirectURI(ctx, a)
}

func (e *Endpoint) findClient(ctx context.Context, a *request) (err error) {
	id := a.params.Get("client_id")
	if id == "" {
		return oauth.Refuse(oauth.AuthClientMissing, "")
	}
	a.client, err = e.Store.ClientByClientID(ctx, a.realm.ID, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return oauth.Refuse(oauth.AuthClientNotFound, "")
	case err != nil:
		return err
	case !a.client.Enabled:
		return oauth.Refuse(oauth.AuthClientDisabled, "")
	case a.client.BearerOnly:
		return oauth.Refuse(oauth.AuthBearerOnly, "")
	}
	return nil
}

func checkRedirectURI(ctx context.Context, a *request) error {
	sent := a.params.Get("redirect_uri")
	rules := oauth.RedirectRules{Exact: a.realm.On(realm.ExactRedirectURIs, a.client), RootURL: rootURL(a), AllowAnyHost: urls.IsLoopback(a.at.Origin)}
	if oauth.MatchRedirectURI(a.client.RedirectURIs, sent, rules) {
		return nil
	}
	err := oauth.Refuse(oauth.RedirectURIInvalid, sent)
	if !urls.IsLoopback(a.at.Origin) || !urls.IsLoopbackHost(web.RealIP(ctx)) {
		return err // what is registered is nobody's business on the network
	}
	details := []ui.Detail{{Name: "Sent", Value: orNothing(sent)}}
	for _, uri := range a.client.RedirectURIs {
		details = append(details, ui.Detail{Name: "Registered", Value: uri})
	}
	return &web.Detailed{Err: err, Details: details}
}

func orNothing(s string) string {
	if s == "" {
		return "(nothing)"
	}
	return s
}

// rootURL is what relative redirect URIs stand on: the client's root, or the
// provider itself for its own consoles.
func rootURL(a *request) string {
	switch root := a.client.RootURL; root {
	case "", "${authBaseUrl}", "${authAdminUrl}":
		return a.at.Origin
	default:
		return root
	}
}

func (e *Endpoint) visit(a *request) *journey.Visit {
	now := e.Now()
	p := a.params
	life := realm.Seconds(a.realm.Lifespans.AccessCodeLogin)
	return &journey.Visit{Realm: a.realm, At: a.at, Client: a.client, Request: &realm.AuthRequest{
		ID: newID(), RealmID: a.realm.ID, ClientID: a.client.ID, State: realm.RequestOpen, Origin: a.at.Origin, CreatedAt: now, ExpiresAt: now.Add(life),
		Params: realm.AuthParams{ResponseType: p.Get("response_type"), ResponseMode: p.Get("response_mode"), RedirectURI: p.Get("redirect_uri"),
			State: p.Get("state"), StateSent: p.Has("state"), Scope: p.Get("scope"), Nonce: p.Get("nonce"), CodeChallenge: p.Get("code_challenge"),
			CodeChallengeMethod: challengeMethod(p), Prompt: p.Get("prompt"), MaxAge: maxAge(p), LoginHint: p.Get("login_hint"), Subject: a.about,
			UILocales: p.Get("ui_locales"), ACRValues: p.Get("acr_values")},
	}}
}

func (a *request) answer(in *realm.Realm, at urls.Realm) *journey.Visit {
	p := a.params
	return &journey.Visit{Realm: in, At: at, Client: a.client, Request: &realm.AuthRequest{Params: realm.AuthParams{
		RedirectURI: p.Get("redirect_uri"), ResponseMode: p.Get("response_mode"), ResponseType: p.Get("response_type"), State: p.Get("state"), StateSent: p.Has("state")}}}
}

// challengeMethod: "Defaults to "plain" if not present in the request" (RFC 7636, 4.3).
func challengeMethod(p url.Values) string {
	if p.Get("code_challenge") != "" && p.Get("code_challenge_method") == "" {
		return oauth.MethodPlain
	}
	return p.Get("code_challenge_method")
}

func hasToken(responseType string, names ...string) bool {
	for _, t := range strings.Fields(responseType) {
		for _, n := range names {
			if t == n {
				return true
			}
		}
	}
	return false
}
