// Package introspect is token introspection (RFC 7662) and revocation (RFC
// 7009): what a token is worth now, and the end of one.
//
// It verifies nothing itself: token does. Only a client that proved who it is may
// ask, and only about tokens that name it. provider mounts it.
package introspect

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/latchkey-id/latchkey/internal/clientauth"
	"github.com/latchkey-id/latchkey/internal/jose"
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

// Endpoint is both endpoints.
type Endpoint struct {
	Realms  Realms
	Store   *store.Store
	Clients *clientauth.Authenticator
	Issuer  *token.Issuer
	Logger  *slog.Logger
	Errors  web.ErrorWriter
}

// Mount registers the routes.
func (e *Endpoint) Mount(mux *http.ServeMux) {
	post := func(h web.Handler, others map[string]http.HandlerFunc) http.HandlerFunc {
		others[http.MethodPost] = web.Adapt(h, e.Errors)
		return web.Methods(others)
	}
	introspect := post(e.introspect, map[string]http.HandlerFunc{http.MethodOptions: web.Allow("HEAD, OPTIONS, POST")})
	revoke := post(e.revoke, map[string]http.HandlerFunc{http.MethodOptions: web.Preflight("POST, OPTIONS")})
	for _, end := range []string{"", "/{$}"} {
		mux.HandleFunc(urls.IntrospectPattern+end, introspect)
		mux.HandleFunc(urls.RevokePattern+end, revoke)
	}
}

// asked is one request at either endpoint.
type asked struct {
	realm  *realm.Realm
	at     urls.Realm
	client *realm.Client
	form   url.Values
}

// identify is one of clientauth's two ways to know the client.
type identify func(ctx context.Context, r *http.Request, form url.Values, in *realm.Realm) (*realm.Client, error)

func (e *Endpoint) ask(w http.ResponseWriter, r *http.Request, who identify) (*asked, error) {
	in, at, err := e.Realms.Resolve(r)
	if err != nil {
		return nil, err
	}
	if !in.Enabled {
		return nil, oauth.Refuse(oauth.RealmDisabled, "")
	}
	form, err := web.ParseForm(w, r)
	if err != nil {
		return nil, err
	}
	if err := web.Single(form); err != nil {
		return nil, err
	}
	c, err := who(r.Context(), r, form, in)
	return &asked{realm: in, at: at, client: c, form: form}, err
}

// introspect answers active:false for everything that the asking client may not
// know: "the authorization server ... SHOULD NOT include any additional
// information about an inactive token" (RFC 7662, section 2.2).
func (e *Endpoint) introspect(w http.ResponseWriter, r *http.Request) error {
	q, err := e.ask(w, r, e.Clients.Identify)
	if err != nil && oauth.ReasonOf(err) == oauth.WrongSecret {
		return oauth.RefuseBecause(oauth.IntrospectClientFailed, err)
	}
	if err != nil {
		return err
	}
	if q.client.Public {
		return oauth.Refuse(oauth.IntrospectClientPublic, "")
	}
	if !q.form.Has("token") {
		return oauth.Refuse(oauth.IntrospectTokenMissing, "")
	}
	if hint := q.form.Get("token_type_hint"); hint != "" && hint != "access_token" && hint != "refresh_token" {
		return oauth.Refuse(oauth.IntrospectTokenType, "")
	}
	doc, err := e.say(r.Context(), q)
	if err != nil {
		return err
	}
	if doc == nil {
		doc = []byte(`{"active":false}`)
	}
	web.NoStore(w) // what is active now is not for a cache
	web.WriteDocument(w, http.StatusOK, doc)
	return nil
}

// say looks where the hint says. "If the server is unable to locate the token using
// the given hint, it MUST extend its search across all of its supported token types"
// (RFC 7662, section 2.1); Keycloak's profile does so for a client that may know of
// tokens that are not for it, as a refresh token is for nobody but us.
func (e *Endpoint) say(ctx context.Context, q *asked) ([]byte, error) {
	if q.form.Get("token_type_hint") == "refresh_token" {
		return e.refresh(ctx, q)
	}
	doc, err := e.access(ctx, q)
	if doc == nil && err == nil && (withoutAudience(q.client) || q.realm.On(realm.IntrospectOwn, q.client)) {
		return e.refresh(ctx, q)
	}
	return doc, err
}

// access says what an access token is worth, nil for nothing. Its audience is looked
// at in what would be said: a lightweight token itself names nobody.
func (e *Endpoint) access(ctx context.Context, q *asked) ([]byte, error) {
	a, err := e.Issuer.Verify(ctx, q.realm, q.at.Origin, q.form.Get("token"))
	if isRefusal(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	claims, asSigned, err := e.Issuer.Introspection(ctx, q.realm, q.at.Origin, a)
	if err != nil || !mayKnow(q, a, claims) {
		return nil, err
	}
	more := map[string]any{"active": true, "client_id": a.Client.ClientID, "username": a.User.Username, "token_type": "Bearer"}
	if asSigned { // nothing has changed since: written already
		return a.Token.With(more)
	}
	maps.Copy(claims, more)
	return jose.Marshal(claims)
}

// mayKnow: 26.7 tells a client only of tokens whose audience it is; the strict
// profile also of its own.
func mayKnow(q *asked, a *token.Access, claims map[string]any) bool {
	said := jose.Token{Claims: claims}
	if slices.Contains(said.Audience(), q.client.ClientID) || withoutAudience(q.client) {
		return true
	}
	return q.realm.On(realm.IntrospectOwn, q.client) && a.Client.ID == q.client.ID
}

func withoutAudience(c *realm.Client) bool {
	return c.Attributes["allow.token.introspection.without.audience.check"] == "true"
}

// refresh is access for a refresh token.
func (e *Endpoint) refresh(ctx context.Context, q *asked) ([]byte, error) {
	t, f, err := e.family(ctx, q)
	if isRefusal(err) {
		return nil, nil
	}
	if err != nil || t.ClientID != q.client.ClientID || !f.RevokedAt.IsZero() || f.Generation != t.Generation {
		return nil, err
	}
	a, err := e.Issuer.Alive(ctx, q.realm, t.Claims)
	if err != nil { // C4, C12: what it names is looked at again
		if isRefusal(err) {
			err = nil
		}
		return nil, err
	}
	out := t.Claims.Claims
	delete(out, "reuse_id")
	out["active"], out["client_id"], out["username"], out["token_type"] = true, t.ClientID, a.User.Username, "Refresh"
	return jose.Marshal(out)
}

func (e *Endpoint) family(ctx context.Context, q *asked) (*token.Refresh, *realm.RefreshFamily, error) {
	t, err := e.Issuer.ParseRefresh(ctx, q.realm, q.at.Origin, q.form.Get("token"))
	if err != nil {
		return nil, nil, err
	}
	f, err := e.Store.RefreshFamily(ctx, q.realm.ID, t.FamilyID)
	if errors.Is(err, store.ErrNotFound) {
		err = oauth.RefuseBecause(oauth.RefreshInvalid, err)
	}
	return t, f, err
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*oauth.Error](err)
	return ok
}

// revoke ends a token of the asking client. What is no token of anybody's is 200
// as well: "invalid tokens do not cause an error response since the client cannot
// handle such an error in a reasonable way" (RFC 7009, section 2.2).
func (e *Endpoint) revoke(w http.ResponseWriter, r *http.Request) error {
	q, err := e.ask(w, r, e.Clients.Authenticate)
	if err != nil {
		return err
	}
	if err := web.AllowOrigin(w, r, token.WebOrigins(q.client)); err != nil {
		return err
	}
	if q.form.Get("token") == "" {
		return oauth.Refuse(oauth.RevokeTokenMissing, "")
	}
	_, claims, err := jose.Unverified(q.form.Get("token"))
	if err != nil {
		return e.nothingToRevoke(w)
	}
	switch claims["typ"] { // chooses where to look; each of them verifies
	case "ID":
		return oauth.Refuse(oauth.RevokeTokenType, "")
	case "Refresh":
		err = e.revokeRefresh(r.Context(), q)
	default:
		err = e.revokeAccess(r.Context(), q)
	}
	if isRefusal(err) && oauth.ReasonOf(err) != oauth.RevokeWrongClient {
		return e.nothingToRevoke(w)
	}
	if err != nil {
		return err // a store that fails is no 200 (CVE-2020-15223)
	}
	web.NoStore(w)
	w.WriteHeader(http.StatusOK)
	return nil
}

func (e *Endpoint) nothingToRevoke(w http.ResponseWriter) error {
	web.NoStore(w)
	return web.WriteJSON(w, http.StatusOK, map[string]string{"error": "invalid_token", "error_description": "Invalid token"})
}

// revokeRefresh ends the client's part of the session.
func (e *Endpoint) revokeRefresh(ctx context.Context, q *asked) error {
	t, f, err := e.family(ctx, q)
	if err != nil {
		return err
	}
	if f.ClientID != q.client.ID || t.ClientID != q.client.ClientID {
		return oauth.Refuse(oauth.RevokeWrongClient, "")
	}
	return e.Store.EndClientSession(ctx, q.realm.ID, f.SessionID, f.ClientID)
}

func (e *Endpoint) revokeAccess(ctx context.Context, q *asked) error {
	a, err := e.Issuer.Verify(ctx, q.realm, q.at.Origin, q.form.Get("token"))
	if err != nil {
		return err
	}
	if a.Client.ID != q.client.ID {
		return oauth.Refuse(oauth.RevokeWrongClient, "")
	}
	until, _ := a.Token.Time("exp") // Verify has seen to it
	return e.Store.RevokeToken(ctx, q.realm.ID, a.Token.Text("jti"), until)
}
