// Package grant is the token endpoint (RFC 6749, section 3.2): it parses once,
// authenticates the client once, and lets one file per grant type say who may get
// what. Making the tokens, and the last decision, are token.Issue's.
//
// It draws no page and keeps no state. provider mounts it.
package grant

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/clientauth"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/token"
	"github.com/latchkey-id/latchkey/internal/urls"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Realms resolves the realm of a request and the origin it came to.
type Realms interface {
	Resolve(r *http.Request) (*realm.Realm, urls.Realm, error)
}

// Passwords finds the user that a name and a password belong to; journey does.
type Passwords interface {
	Check(ctx context.Context, in *realm.Realm, username, password string) (*realm.User, error)
}

// Endpoint is the token endpoint.
type Endpoint struct {
	Realms    Realms
	Store     *store.Store
	Clients   *clientauth.Authenticator
	Issuer    *token.Issuer
	Passwords Passwords
	Audit     *audit.Log
	Logger    *slog.Logger
	Now       func() time.Time
	Errors    web.ErrorWriter
}

// Mount registers the routes.
func (e *Endpoint) Mount(mux *http.ServeMux) {
	serve := web.Methods(map[string]http.HandlerFunc{http.MethodPost: web.Adapt(e.serve, e.Errors), http.MethodOptions: web.Preflight("POST, OPTIONS")})
	mux.HandleFunc(urls.TokenPattern, serve)
	mux.HandleFunc(urls.TokenPattern+"/{$}", serve)
}

// request is one token request: what every grant starts from.
type request struct {
	realm  *realm.Realm
	at     urls.Realm
	client *realm.Client
	form   url.Values
	ip     string
}

// grantType is one grant: what it is called in the log, and what it does.
type grantType struct {
	event, failed string
	run           func(ctx context.Context, q *request) (*token.Response, error)
}

func (e *Endpoint) grants() map[string]grantType {
	return map[string]grantType{
		"authorization_code": {audit.CodeToToken, audit.CodeToTokenError, e.authorizationCode},
		"refresh_token":      {audit.RefreshToken, audit.RefreshTokenError, e.refreshToken},
		"password":           {audit.Login, audit.LoginError, e.password},
		"client_credentials": {audit.ClientLogin, audit.ClientLoginError, e.clientCredentials},
	}
}

func (e *Endpoint) serve(w http.ResponseWriter, r *http.Request) error {
	in, at, err := e.Realms.Resolve(r)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(w, r)
	if err != nil {
		return err
	}
	g, err := e.choose(in, form)
	if err != nil {
		return err
	}
	client, err := e.Clients.Authenticate(r.Context(), r, form, in)
	if err != nil {
		e.Audit.Refused(r.Context(), in, realm.Event{Type: g.failed, ClientID: form.Get("client_id"), IP: web.RealIP(r.Context())}, err)
		return err
	}
	if err := web.AllowOrigin(w, r, token.WebOrigins(client)); err != nil {
		return err
	}
	return e.answer(w, r, g, &request{realm: in, at: at, client: client, form: form, ip: web.RealIP(r.Context())})
}

// choose finds the grant. Keycloak looks at the form before the client.
func (e *Endpoint) choose(in *realm.Realm, form url.Values) (grantType, error) {
	if err := web.Single(form); err != nil {
		return grantType{}, err
	}
	if form.Get("grant_type") == "" {
		return grantType{}, oauth.Refuse(oauth.MissingGrantType, "")
	}
	if !in.Enabled {
		return grantType{}, oauth.Refuse(oauth.RealmDisabled, "")
	}
	g, ok := e.grants()[form.Get("grant_type")]
	if !ok {
		return grantType{}, oauth.Refuse(oauth.UnsupportedGrantType, "")
	}
	return g, nil
}

func (e *Endpoint) answer(w http.ResponseWriter, r *http.Request, g grantType, q *request) error {
	ctx := r.Context()
	event := realm.Event{ClientID: q.client.ClientID, IP: q.ip}
	resp, err := g.run(ctx, q)
	if errors.Is(err, store.ErrGateMoved) { // changed twice while it was decided
		err = oauth.RefuseBecause(oauth.SessionNotActive, err)
	}
	if err != nil {
		event.Type = g.failed
		e.Audit.Refused(ctx, q.realm, event, err)
		return err
	}
	event.Type, event.SessionID = g.event, resp.SessionState
	e.Audit.Record(ctx, q.realm, event)
	web.NoStore(w)
	return web.WriteJSON(w, http.StatusOK, resp)
}

// scopes resolves a granted or requested scope parameter for the client.
func (e *Endpoint) scopes(ctx context.Context, q *request, parameter string) (token.Scopes, error) {
	all, err := e.Store.ClientScopes(ctx, q.realm.ID)
	if err != nil {
		return token.Scopes{}, err
	}
	return token.ResolveScopes(q.client, all, parameter)
}

// session loads a session that must live, with its user.
func (e *Endpoint) session(ctx context.Context, q *request, sessionID string) (*realm.Session, *store.Person, error) {
	p, err := e.Store.Presence(ctx, q.realm.ID, sessionID, q.client.ID, "")
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, oauth.Refuse(oauth.SessionNotActive, "")
	}
	if err != nil {
		return nil, nil, err
	}
	return p.Session, p.Person, nil
}
