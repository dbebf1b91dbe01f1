// Package userinfo is the userinfo endpoint (OpenID Connect Core 1.0, section
// 5.3): the claims of whoever an access token stands for.
//
// It verifies nothing itself: token does. provider mounts it.
package userinfo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/token"
	"github.com/latchkey-id/latchkey/internal/urls"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Realms resolves the realm of a request and the origin it came to.
type Realms interface {
	Resolve(r *http.Request) (*realm.Realm, urls.Realm, error)
}

// Endpoint is the userinfo endpoint.
type Endpoint struct {
	Realms Realms
	Issuer *token.Issuer
	Logger *slog.Logger
	Errors web.ErrorWriter // for what is no refusal of a token
}

// Mount registers the routes.
func (e *Endpoint) Mount(mux *http.ServeMux) {
	h := web.Adapt(e.serve, e.refuse)
	serve := web.Methods(map[string]http.HandlerFunc{http.MethodGet: h, http.MethodPost: h, http.MethodOptions: web.Preflight("GET, HEAD, OPTIONS, POST")})
	mux.HandleFunc(urls.UserinfoPattern, serve)
	mux.HandleFunc(urls.UserinfoPattern+"/{$}", serve)
}

func (e *Endpoint) serve(w http.ResponseWriter, r *http.Request) error {
	in, at, err := e.Realms.Resolve(r)
	if err != nil {
		return err
	}
	raw, err := bearer(w, r)
	if err != nil {
		return err
	}
	a, err := e.Issuer.Verify(r.Context(), in, at.Origin, raw)
	if err != nil {
		return err
	}
	if err := web.AllowOrigin(w, r, token.WebOrigins(a.Client)); err != nil {
		return err
	}
	if !a.HasScope(token.OpenID) {
		return oauth.Refuse(oauth.ScopeWithoutOpenID, "")
	}
	if a.Lightweight() {
		return oauth.Refuse(oauth.TokenLightweight, "")
	}
	claims, signed, err := e.claims(r.Context(), in, at, a)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-cache, no-store")
	w.Header().Set("Pragma", "no-cache")
	if signed != "" {
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = io.WriteString(w, signed) // the visitor may be gone: nothing to be done
		return nil
	}
	doc, err := jose.Marshal(claims)
	if err != nil {
		return err
	}
	web.WriteDocument(w, http.StatusOK, doc)
	return nil
}

// claims gives what the token's scope says, and the same as a JWT for a client
// that asks for one.
func (e *Endpoint) claims(ctx context.Context, in *realm.Realm, at urls.Realm, a *token.Access) (claims map[string]any, signed string, err error) {
	g, err := e.Issuer.GrantOf(ctx, in, at.Origin, a)
	if err != nil {
		return nil, "", err
	}
	if claims, err = e.Issuer.Userinfo(ctx, g); err != nil {
		return nil, "", err
	}
	signed, err = e.Issuer.SignedUserinfo(ctx, g, claims)
	return claims, signed, err
}

// bearer finds the token: "Clients MUST NOT use more than one method to transmit
// the token in each request" (RFC 6750, section 2). A token in the URL is not
// looked at: addresses end up in logs.
func bearer(w http.ResponseWriter, r *http.Request) (string, error) {
	scheme, header, ok := web.Authorization(r)
	if !strings.EqualFold(scheme, "Bearer") {
		header = ""
	}
	form, err := body(w, r)
	if err != nil {
		return "", err
	}
	sent := form.Get("access_token")
	switch {
	case !ok, header != "" && sent != "", len(form["access_token"]) > 1:
		return "", oauth.Refuse(oauth.TokenTwice, "")
	case header == "" && sent == "":
		return "", oauth.Refuse(oauth.TokenMissing, "")
	}
	return strings.TrimSpace(header + sent), nil
}

// body gives the form of a POST: "The HTTP request method is one for which the
// request-body has defined semantics. In particular, this means that the "GET" method
// MUST NOT be used" (RFC 6750, section 2.2).
func body(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		return nil, nil
	}
	return web.ParseForm(w, r)
}

// refuse writes RFC 6750, section 3: the challenge, and no body.
func (e *Endpoint) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch oauth.ReasonOf(err) {
	case oauth.TokenMissing, oauth.TokenInvalid, oauth.TokenTwice, oauth.TokenUserDisabled, oauth.TokenSessionGone, oauth.ScopeWithoutOpenID,
		oauth.TokenLightweight:
	default:
		e.Errors(w, r, err)
		return
	}
	a := oauth.AnswerTo(err)
	web.Log(e.Logger, r, a.Status, err)
	challenge := fmt.Sprintf("Bearer realm=%q", r.PathValue("realm"))
	if a.Code != "" {
		challenge += fmt.Sprintf(", error=%q, error_description=%q", a.Code, a.Description)
	}
	w.Header().Set("WWW-Authenticate", challenge)
	web.NoStore(w)
	w.WriteHeader(a.Status)
}
