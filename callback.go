package latchkey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
	"golang.org/x/oauth2"
)

const maxCallback = 16 << 10 // bytes of a form_post callback

// serveCallback is where the provider sends people back to.
func (a *Auth) serveCallback(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	p, err := callbackParams(w, r)
	if err != nil {
		a.fail(w, r, reasonCallback, err)
		return
	}
	t := a.takeTransaction(w, r, p.Get("state"))
	switch {
	case t == nil:
		a.unknownState(w, r, p.Get("state"))
	case t.Logout:
		http.Redirect(w, r, "/", http.StatusFound)
	case p.Has("iss") && p.Get("iss") != t.Issuer: // errors too can be mixed up (RFC 9207, 2.4)
		a.fail(w, r, reasonIss, fmt.Errorf("iss is %q, the login was begun at %q", p.Get("iss"), t.Issuer))
	case p.Get("error") != "":
		a.providerError(w, r, t, p)
	default:
		a.finish(w, r, t, p)
	}
}

func callbackParams(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	p := r.URL.Query()
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, maxCallback)
		if err := r.ParseForm(); err != nil {
			return nil, err
		}
		p = r.PostForm
	default:
		return nil, fmt.Errorf("method %s", r.Method)
	}
	for name, values := range p {
		if len(values) > 1 {
			return nil, fmt.Errorf("%s stands twice", name)
		}
	}
	return p, nil
}

// unknownState answers a callback whose login this browser did not begin, or has
// finished. With a living session nothing is wrong: the back button, a reload
// (defect 12). Without one it fails closed; a first time it is tried again by
// itself, because cookies do get lost.
func (a *Auth) unknownState(w http.ResponseWriter, r *http.Request, state string) {
	if s, err := a.current(r); err == nil && s != nil {
		http.Redirect(w, r, "/", http.StatusFound)
		return
	}
	if state == "" || strings.HasPrefix(state, retryMark) || !isNavigation(r) {
		a.fail(w, r, reasonState, errors.New("no transaction of this state in this browser"))
		return
	}
	a.begin(w, r, "/", true)
}

// providerError shows what the provider refused. Its text goes to the log: a page
// that repeats it could be made to say anything (P10).
func (a *Auth) providerError(w http.ResponseWriter, r *http.Request, t *transaction, p url.Values) {
	code := p.Get("error")
	if code == "temporarily_unavailable" && p.Get("error_description") == "authentication_expired" && !t.Retry {
		a.begin(w, r, t.Return, true)
		return
	}
	reason := reasonRefused
	if code == "access_denied" {
		reason = reasonDenied
	}
	a.fail(w, r, reason, fmt.Errorf("the provider answered %q: %q", code, p.Get("error_description")))
}

// finish exchanges the code, checks what comes and makes the session.
func (a *Auth) finish(w http.ResponseWriter, r *http.Request, t *transaction, p url.Values) {
	s, err := a.exchange(r.Context(), t, p)
	if err == nil {
		if old, _ := a.current(r); old != nil { // a new id at every login (S-79)
			err = a.keep.drop(w, r, old)
		}
	}
	if err == nil {
		err = a.keep.save(w, r, s)
	}
	if err != nil {
		a.fail(w, r, reasonOf(err), err)
		return
	}
	a.countLogin(w, r)
	http.Redirect(w, r, t.Return, http.StatusFound)
}

func (a *Auth) exchange(ctx context.Context, t *transaction, p url.Values) (*session, error) {
	m, err := a.provider.metadata(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkIss(m, t, p); err != nil {
		return nil, err
	}
	if p.Get("code") == "" {
		return nil, &loginError{reason: reasonCallback, err: errors.New("neither code nor error")}
	}
	answer, err := a.provider.token(ctx, m, url.Values{"grant_type": {"authorization_code"}, "code": {p.Get("code")}, "redirect_uri": {a.cfg.RedirectURI},
		"code_verifier": {t.Verifier}})
	if err != nil {
		return nil, err
	}
	id, err := a.verifyID(ctx, m, answer.IDToken, expected{nonce: t.Nonce, accessToken: answer.AccessToken})
	if err != nil {
		return nil, err
	}
	claims := neededClaims(id.Claims)
	if err := a.addUserinfo(ctx, m, answer.AccessToken, claims); err != nil {
		return nil, err
	}
	return &session{ID: random(), Claims: claims, IDToken: answer.IDToken, Token: a.oauthToken(answer), Until: a.cfg.Now().Add(a.cfg.SessionLife)}, nil
}

// checkIss: "clients MUST ... compare the iss parameter value ... with the issuer
// identifier of the authorization server where the authorization request was
// sent to" (RFC 9207, 2.4), against mix-up. A provider that promises it must send it.
func checkIss(m *metadata, t *transaction, p url.Values) error {
	iss, sent := p.Get("iss"), p.Has("iss")
	if (sent || m.IssInResponse) && iss != t.Issuer {
		return &loginError{reason: reasonIss, err: fmt.Errorf("iss is %q, the login was begun at %q", iss, t.Issuer)}
	}
	return nil
}

func (a *Auth) oauthToken(t *tokenAnswer) *oauth2.Token {
	tok := &oauth2.Token{AccessToken: t.AccessToken, TokenType: "Bearer", RefreshToken: t.RefreshToken}
	if t.ExpiresIn > 0 {
		tok.Expiry = a.cfg.Now().Add(time.Duration(t.ExpiresIn) * time.Second)
	}
	return tok
}

// addUserinfo adds the claims of the userinfo endpoint: "The sub Claim in the
// UserInfo Response MUST be verified to exactly match the sub Claim in the ID
// Token; if they do not match, the UserInfo Response values MUST NOT be used"
// (OpenID Connect Core 1.0, 5.3.2). The answer may be JSON or a signed JWT.
func (a *Auth) addUserinfo(ctx context.Context, m *metadata, accessToken string, claims map[string]any) error {
	if m.Userinfo == "" {
		return nil
	}
	body, kind, err := a.provider.get(ctx, m.Userinfo, accessToken)
	if err != nil {
		return err
	}
	var info map[string]any
	if kind == "application/jwt" {
		t, err := a.verifyUserinfo(ctx, m, string(body))
		if err != nil {
			return err
		}
		info = t
	} else if err := json.Unmarshal(body, &info); err != nil {
		return &loginError{reason: reasonUserinfo, err: fmt.Errorf("userinfo is no JSON: %w", err)}
	}
	if info["sub"] != claims["sub"] {
		return &loginError{reason: reasonUserinfo, err: fmt.Errorf("userinfo is about %v, the ID token about %v", info["sub"], claims["sub"])}
	}
	for k, v := range neededClaims(info) {
		if k != "iss" && k != "sid" && k != "auth_time" { // those are the ID token's to say
			claims[k] = v
		}
	}
	return nil
}

// verifyUserinfo verifies a signed userinfo answer, which has no exp.
func (a *Auth) verifyUserinfo(ctx context.Context, m *metadata, raw string) (map[string]any, error) {
	t, err := a.verifySigned(ctx, m, strings.TrimSpace(raw), jose.Expected{Algorithms: m.userinfoAlgorithms(), AnyExpiry: true})
	if err != nil {
		return nil, withReason(reasonUserinfo, err)
	}
	return t.Claims, nil
}
