package latchkey_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey"
	"github.com/latchkey-id/latchkey/internal/jose"
)

// A provider changes its keys as it likes (OpenID Connect Core 1.0, 10.1.1): what
// names a key that is not known makes us read them once more.
func TestKeysOfTheProvider(t *testing.T) {
	withoutKid := func(p *op) {
		p.sign = func(c map[string]any) string { k := p.key; k.ID = ""; return mustSign(p.t, k, c) }
	}
	for _, c := range []struct {
		name   string
		reads  int // of the keys, in two logins
		before func(p *op)
		change func(p *op) // between the two logins
	}{
		{"the same key twice", 1, nil, nil},
		{"no kid, one key", 1, withoutKid, nil},
		{"no kid, several keys", 1, func(p *op) { withoutKid(p); p.publish = []jose.Key{generate(p.t), generate(p.t)} }, nil},
		{"no kid, and keys of other kinds", 1, func(p *op) { withoutKid(p); p.publish = []jose.Key{generateFor(p.t, jose.RS256)} }, nil},
		{"rotated right after the first login", 2, nil, func(p *op) { p.key = generate(p.t) }},
		{"rotated, the old key is still published", 2, nil, func(p *op) { p.publish = []jose.Key{p.key}; p.key = generate(p.t) }},
		{"rotated just before signing", 2, nil, func(p *op) {
			p.token = func(http.ResponseWriter, url.Values) bool { p.key = generate(p.t); return false }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newOP(t)
			if c.before != nil {
				c.before(p)
			}
			a := newApp(t, p, nil)
			a.logIn()
			if c.change != nil {
				c.change(p)
			}
			a.client = newClient(t)
			a.logIn()
			if n := p.count("/protocol/openid-connect/certs"); n != c.reads {
				t.Errorf("the keys were read %d times, want %d", n, c.reads)
			}
		})
	}
}

// OpenID Connect Core 1.0, 12.2: an ID token that comes with a refresh is of the
// same issuer, for the same person, for us, and of the same login.
func TestARefreshedIDTokenIsChecked(t *testing.T) {
	for _, c := range []struct {
		name, check string // "" where it is accepted
		claims      func(map[string]any)
	}{
		{"as it was", "", func(map[string]any) {}},
		{"another issuer", "issuer", set("iss", "https://evil.example/realms/demo")},
		{"another person", "subject", set("sub", "user-2")},
		{"no sub", "subject", without("sub")},
		{"another audience", "audience", set("aud", "other")},
		{"azp of another client", "authorized party", set("azp", "other")},
		{"no iat", "issued-at", without("iat")},
		{"the nonce of the login", "", set("nonce", "=")},
		{"the nonce of another login", "nonce", set("nonce", "other")},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newOP(t)
			p.life = 1
			a := newApp(t, p, nil)
			refreshing, nonce := false, any(nil)
			p.token = func(_ http.ResponseWriter, form url.Values) bool {
				refreshing = form.Get("grant_type") == "refresh_token"
				return false
			}
			p.claims = func(m map[string]any) {
				if !refreshing {
					nonce = m["nonce"]
					return
				}
				if c.claims(m); m["nonce"] == "=" {
					m["nonce"] = nonce
				}
			}
			got := a.get("/protected") // the access token has expired on the way back
			if c.check == "" {
				if got.status != 200 {
					t.Errorf("refused: %d %s\n%s", got.status, got.body, a.log)
				}
				return
			}
			wantReason(t, a, got, 502, "id_token_refused")
			if !strings.Contains(a.log.String(), c.check) {
				t.Errorf("the log does not name %q:\n%s", c.check, a.log)
			}
		})
	}
}

// Values of RFC 6749, 2.3.1, and of OpenID Connect Core 1.0, 9.
func TestHowTheClientProvesItself(t *testing.T) {
	const id, secret = "app: 1%", "a secret+of/the: app%&"
	for _, c := range []struct {
		name   string
		listed []string
		auth   latchkey.ClientAuth
		basic  bool
	}{
		{"nothing is listed", nil, "", true},
		{"both are listed", []string{"client_secret_post", "client_secret_basic"}, "", true},
		{"post alone is listed", []string{"client_secret_post"}, "", false},
		{"post is configured", []string{"client_secret_basic"}, latchkey.ClientSecretPost, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newOP(t)
			p.meta = func(m map[string]any) {
				if c.listed != nil {
					m["token_endpoint_auth_methods_supported"] = c.listed
				}
			}
			p.claims = func(m map[string]any) { m["aud"], m["azp"] = id, id }
			spy := &authSpy{}
			a := newApp(t, p, func(cfg *latchkey.Config) {
				cfg.ClientID, cfg.ClientSecret, cfg.ClientAuth, cfg.Transport = id, secret, c.auth, spy
			})
			p.token = func(_ http.ResponseWriter, form url.Values) bool {
				if want := map[bool]string{false: secret}[c.basic]; form.Get("client_secret") != want {
					t.Errorf("client_secret in the form is %q, want %q", form.Get("client_secret"), want)
				}
				return false
			}
			a.logIn()
			if (spy.user != "") != c.basic || c.basic && (unescaped(t, spy.user) != id || unescaped(t, spy.pass) != secret) {
				t.Errorf("Basic with %q and %q", spy.user, spy.pass)
			}
		})
	}
}

func unescaped(t *testing.T, s string) string {
	t.Helper()
	u, err := url.QueryUnescape(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// authSpy sees how the provider is asked.
type authSpy struct {
	user, pass         string
	bearers, addresses []string
}

func (s *authSpy) RoundTrip(r *http.Request) (*http.Response, error) {
	s.addresses = append(s.addresses, r.URL.String())
	if h := r.Header.Get("Authorization"); strings.HasPrefix(h, "Bearer ") {
		s.bearers = append(s.bearers, h)
	}
	if user, pass, ok := r.BasicAuth(); ok {
		s.user, s.pass = user, pass
	}
	return http.DefaultTransport.RoundTrip(r)
}

// RFC 6750, 2.1, and 2.3: the access token is in the header, and in no address.
func TestTheAccessTokenTravelsInTheHeader(t *testing.T) {
	p := newOP(t)
	spy := &authSpy{}
	a := newApp(t, p, func(cfg *latchkey.Config) { cfg.Transport = spy })
	a.logIn()
	if len(spy.bearers) != 1 || !strings.HasPrefix(spy.bearers[0], "Bearer access-") {
		t.Errorf("userinfo was asked with %q", spy.bearers)
	}
	for _, at := range spy.addresses {
		if strings.Contains(at, "access-") || strings.Contains(at, "code=") {
			t.Errorf("a secret in an address: %s", at)
		}
	}
}

// An error may come by a POST too (OAuth 2.0 Form Post Response Mode, 2), and is
// bound to the login like a code.
func TestAnErrorByFormPost(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	for _, c := range []struct {
		name, reason string
		status       int
		form         url.Values
	}{
		{"of another provider", "issuer_of_answer_wrong", 502, url.Values{"error": {"login_required"}, "iss": {"https://evil.example"}}},
		{"of nobody's login", "login_state_missing", 400, url.Values{"error": {"login_required"}, "iss": {p.issuer()}, "state": {"other"}}},
		{"with a code", "login_refused", 502, url.Values{"error": {"login_required"}, "code": {"x"}, "iss": {p.issuer()}}},
		{"as it should be", "login_refused", 502, url.Values{"error": {"login_required"}, "iss": {p.issuer()}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a.client = newClient(t)
			begun := mustParse(t, a.do(a.noRedirect(), http.MethodGet, "/protected").header.Get("Location")).Query()
			if c.form.Get("state") != "other" {
				c.form.Set("state", begun.Get("state"))
			}
			resp, err := a.noRedirect().PostForm(a.server.URL+"/oidc/callback", c.form)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			wantReason(t, a, answer{resp.StatusCode, string(b), resp.Header, ""}, c.status, c.reason)
			if n := p.count("/protocol/openid-connect/token"); n != 0 {
				t.Errorf("the token endpoint was asked %d times", n)
			}
		})
	}
}

// RP-Initiated Logout 1.0, 3: state comes back as it was sent. A callback with
// another one, or none, is nobody's logout.
func TestTheStateOfALogout(t *testing.T) {
	for _, c := range []struct {
		name, state string // "=" for the right one
		status      int
		at          string
	}{
		{"the right one", "=", 302, "/"},
		{"another one", "other", 302, "/protocol/openid-connect/auth"}, // a new login, once
		{"none", "", 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newOP(t)
			a := newApp(t, p, nil)
			a.logIn()
			out := mustParse(t, a.do(a.noRedirect(), http.MethodGet, "/logout").header.Get("Location"))
			state := c.state
			if state == "=" {
				state = out.Query().Get("state")
			}
			got := a.do(a.noRedirect(), http.MethodGet, "/oidc/callback?"+url.Values{"state": {state}}.Encode(), "Sec-Fetch-Mode", "navigate")
			if at := mustParse(t, got.header.Get("Location")).Path; got.status != c.status || at != c.at && at != "/realms/demo"+c.at {
				t.Errorf("%d to %s", got.status, at)
			}
			for _, v := range got.header.Values("Set-Cookie") {
				if strings.Contains(v, "-s0=") && !strings.Contains(v, "Max-Age=0") {
					t.Errorf("a session: %s", v)
				}
			}
		})
	}
}
