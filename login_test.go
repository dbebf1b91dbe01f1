package latchkey_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey"
	"github.com/latchkey-id/latchkey/internal/jose"
)

func TestIDTokenIsChecked(t *testing.T) {
	for _, c := range []struct {
		name, check string
		change      func(p *op)
	}{
		{"another issuer", "issuer", func(p *op) { p.claims = set("iss", "https://evil.example/realms/demo") }},
		{"another audience", "audience", func(p *op) { p.claims = set("aud", "other") }},
		{"several audiences without azp", "authorized party", func(p *op) {
			p.claims = func(m map[string]any) { m["aud"] = []string{"app", "other"}; delete(m, "azp") }
		}},
		{"azp of another client", "authorized party", func(p *op) { p.claims = set("azp", "other") }},
		{"expired", "expiry", func(p *op) { p.claims = set("exp", time.Now().Add(-time.Hour).Unix()) }},
		{"no exp", "expiry", func(p *op) { p.claims = func(m map[string]any) { delete(m, "exp") } }},
		{"exp as a text", "form", func(p *op) { p.claims = set("exp", "9999999999") }},
		{"no iss", "issuer", func(p *op) { p.claims = without("iss") }},
		{"no aud", "audience", func(p *op) { p.claims = without("aud") }},
		{"aud is no text", "audience", func(p *op) { p.claims = set("aud", 1) }},
		{"no iat", "issued-at", func(p *op) { p.claims = without("iat") }},
		{"no sub at all", "subject", func(p *op) { p.claims = without("sub") }},
		{"sub is no text", "subject", func(p *op) { p.claims = set("sub", 1) }},
		{"another audience, azp is us", "audience", func(p *op) { p.claims = set("aud", []string{"other", "third"}) }},
		{"no kid, signed by a stranger", "signature", func(p *op) {
			p.sign = func(c map[string]any) string { k := p.other; k.ID = ""; return mustSign(p.t, k, c) }
		}},
		{"no kid, several keys, signed by none of them", "signature", func(p *op) {
			p.publish = []jose.Key{generate(p.t)}
			p.sign = func(c map[string]any) string { k := p.other; k.ID = ""; return mustSign(p.t, k, c) }
		}},
		{"issued in the future", "issued-at", func(p *op) { p.claims = set("iat", time.Now().Add(time.Hour).Unix()) }},
		{"nonce of another login", "nonce", func(p *op) { p.claims = set("nonce", "other") }},
		{"no nonce", "nonce", func(p *op) { p.claims = func(m map[string]any) { delete(m, "nonce") } }},
		{"no sub", "subject", func(p *op) { p.claims = set("sub", "") }},
		{"an access token", "kind", func(p *op) { p.claims = set("typ", "Bearer") }},
		{"at_hash of another token", "access token hash", func(p *op) { p.claims = set("at_hash", "AAAA") }},
		{"signed by a stranger", "signature", func(p *op) {
			p.sign = func(c map[string]any) string { k := p.other; k.ID = p.key.ID; return mustSign(p.t, k, c) }
		}},
		{"a kid nobody has", "no such key", func(p *op) { p.sign = func(c map[string]any) string { return mustSign(p.t, p.other, c) } }},
		{"alg none", "algorithm", func(p *op) {
			p.sign = func(map[string]any) string { return raw(`{"alg":"none"}`) + "." + raw(`{}`) + "." }
		}},
		{"a MAC with the client's secret", "algorithm", func(p *op) {
			p.sign = func(map[string]any) string { return raw(`{"alg":"HS256"}`) + "." + raw(`{}`) + ".AAAA" }
		}},
		{"no ID token", "no ID token", func(p *op) { p.sign = func(map[string]any) string { return "" } }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newOP(t)
			c.change(p)
			a := newApp(t, p, nil)
			wantReason(t, a, a.get("/protected"), 502, "id_token_refused")
			if !strings.Contains(a.log.String(), c.check) {
				t.Errorf("the log does not name %q:\n%s", c.check, a.log)
			}
			if tokens, users := p.count("/protocol/openid-connect/token"), p.count("/protocol/openid-connect/userinfo"); tokens != 1 || users != 0 {
				t.Errorf("the login goes on: %d calls of the token endpoint, %d of userinfo", tokens, users)
			}
		})
	}
}

// The provider's document says which algorithms there are; nothing outside it is
// accepted, and of it neither "none" nor a MAC.
func TestAlgorithmsOfTheProvider(t *testing.T) {
	for _, c := range []struct {
		name, signs string
		listed      []string
		refused     bool
	}{
		{"ES256", jose.ES256, []string{"RS256", "ES256"}, false},
		{"EdDSA", jose.EdDSA, []string{"RS256", "EdDSA"}, false},
		{"ES384", jose.ES384, []string{"ES384"}, false},
		{"ES512", jose.ES512, []string{"ES512"}, false},
		{"PS256", jose.PS256, []string{"PS256"}, false},
		{"RS512", jose.RS512, []string{"RS512"}, false},
		{"RS256 where none is listed", jose.RS256, nil, false},
		{"EdDSA that is not listed", jose.EdDSA, []string{"RS256", "ES256"}, true},
		{"ES256 that is not listed", jose.ES256, []string{"EdDSA"}, true},
		{"ES256 where none is listed", jose.ES256, nil, true},
		{"a MAC that is listed", jose.HS512, []string{"HS512"}, true},
		{"none that is listed", "none", []string{"none"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newOP(t)
			p.meta = set("id_token_signing_alg_values_supported", c.listed)
			if c.signs == "none" {
				p.sign = func(map[string]any) string { return raw(`{"alg":"none"}`) + "." + raw(`{}`) + "." }
			} else {
				p.key = generateFor(t, c.signs)
			}
			a := newApp(t, p, nil)
			if !c.refused {
				a.logIn()
				return
			}
			wantReason(t, a, a.get("/protected"), 502, "id_token_refused")
			if !strings.Contains(a.log.String(), "algorithm") {
				t.Errorf("the log does not name the algorithm:\n%s", a.log)
			}
		})
	}
}

func set(claim string, v any) func(map[string]any) { return func(m map[string]any) { m[claim] = v } }

func without(claim string) func(map[string]any) { return func(m map[string]any) { delete(m, claim) } }

func mustSign(t *testing.T, k jose.Key, c map[string]any) string {
	t.Helper()
	s, err := jose.Sign(k, "JWT", c)
	if err != nil {
		t.Error(err)
	}
	return s
}

func raw(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestWhatTheProviderMayGetWrong(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		status       int
		change       func(p *op)
	}{
		{"iss of another provider (mix-up)", "issuer_of_answer_wrong", 502, func(p *op) {
			p.answer = func(q url.Values) url.Values { q.Set("iss", "https://evil.example"); return q }
		}},
		{"iss promised and not sent", "issuer_of_answer_wrong", 502, func(p *op) {
			p.answer = func(q url.Values) url.Values { q.Del("iss"); return q }
		}},
		{"an error of another provider (mix-up)", "issuer_of_answer_wrong", 502, func(p *op) {
			p.answer = func(q url.Values) url.Values { q.Set("iss", "https://evil.example"); return failed(q, "access_denied") }
		}},
		{"an error without iss", "access_denied", 403, func(p *op) {
			p.answer = func(q url.Values) url.Values { q.Del("iss"); return failed(q, "access_denied") }
		}},
		{"unavailable, and no login that expired", "login_refused", 502, func(p *op) {
			p.answer = func(q url.Values) url.Values { return failed(q, "temporarily_unavailable") }
		}},
		{"a login that expired, by another error", "login_refused", 502, func(p *op) {
			p.answer = func(q url.Values) url.Values {
				q = failed(q, "server_error")
				q.Set("error_description", "authentication_expired")
				return q
			}
		}},
		{"metadata of another issuer", "issuer_mismatch", 502, func(p *op) { p.meta = set("issuer", "https://other.example") }},
		{"userinfo about nobody", "userinfo_refused", 502, func(p *op) {
			p.userinfo = func(w http.ResponseWriter) { reply(w, 200, map[string]any{"email": "alice@example.com"}) }
		}},
		{"userinfo about somebody else", "userinfo_refused", 502, func(p *op) {
			p.userinfo = func(w http.ResponseWriter) { reply(w, 200, map[string]any{"sub": "user-2"}) }
		}},
		{"userinfo fails", "provider_answer_unusable", 503, func(p *op) { p.userinfo = func(w http.ResponseWriter) { reply(w, 500, nil) } }},
		{"wrong secret", "client_refused", 502, func(p *op) { p.token = refuse(401, "unauthorized_client") }},
		{"code refused", "code_refused", 502, func(p *op) { p.token = refuse(400, "invalid_grant") }},
		{"the token endpoint fails", "provider_answer_unusable", 503, func(p *op) { p.token = refuse(500, "") }},
		{"access denied", "access_denied", 403, func(p *op) { p.answer = func(q url.Values) url.Values { return failed(q, "access_denied") } }},
		{"any other error", "login_refused", 502, func(p *op) { p.answer = func(q url.Values) url.Values { return failed(q, "server_error") } }},
		{"neither code nor error", "callback_malformed", 400, func(p *op) { p.answer = func(q url.Values) url.Values { q.Del("code"); return q } }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newOP(t)
			c.change(p)
			a := newApp(t, p, nil)
			wantReason(t, a, a.get("/protected"), c.status, c.reason)
			if n := p.count("/protocol/openid-connect/token"); n > 1 {
				t.Errorf("the token endpoint was asked %d times: a retry burns the code", n)
			}
			if n := p.count("/protocol/openid-connect/auth"); n > 1 {
				t.Errorf("the login was begun %d times", n)
			}
		})
	}
}

// The log says which value was copied wrongly, and where the right one stands.
func TestLogSaysWhichValueIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		change       func(p *op, c *latchkey.Config)
		log          []string
	}{
		{"no such realm", "issuer_mismatch", func(p *op, c *latchkey.Config) { c.Issuer = p.server.URL + "/realms/nowhere" },
			[]string{"answered 404", "/realms/nowhere", "Realm settings"}},
		{"wrong secret", "client_refused", func(p *op, _ *latchkey.Config) { p.token = refuse(401, "unauthorized_client") },
			[]string{"unauthorized_client", "ClientID", "Credentials"}},
		{"a client that is not there", "client_refused", func(p *op, _ *latchkey.Config) { p.token = refuse(401, "invalid_client") },
			[]string{"invalid_client", "ClientID", "Credentials"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newOP(t)
			a := newApp(t, p, func(cfg *latchkey.Config) { c.change(p, cfg) })
			wantReason(t, a, a.get("/protected"), 502, c.reason)
			for _, want := range c.log {
				if !strings.Contains(a.log.String(), want) {
					t.Errorf("the log does not say %q:\n%s", want, a.log)
				}
			}
		})
	}
}

func refuse(status int, code string) func(http.ResponseWriter, url.Values) bool {
	return func(w http.ResponseWriter, _ url.Values) bool {
		reply(w, status, map[string]any{"error": code})
		return true
	}
}

func failed(q url.Values, code string) url.Values {
	q.Del("code")
	q.Set("error", code)
	q.Set("error_description", `<script>alert("hostile")</script>`)
	return q
}

func TestErrorPageEchoesNothing(t *testing.T) {
	p := newOP(t)
	p.answer = func(q url.Values) url.Values { return failed(q, "server_error") }
	a := newApp(t, p, nil)
	got := a.get("/protected", "Accept", "text/html")
	if strings.Contains(got.body, "hostile") || !strings.Contains(got.body, "login_refused") {
		t.Errorf("the page: %s", got.body)
	}
	if csp := got.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
}

func TestExpiredLoginIsTriedOnceMore(t *testing.T) {
	p := newOP(t)
	n := 0
	p.answer = func(q url.Values) url.Values {
		if n++; n == 1 {
			q.Del("code")
			q.Set("error", "temporarily_unavailable")
			q.Set("error_description", "authentication_expired")
		}
		return q
	}
	a := newApp(t, p, nil)
	a.logIn()
	n = -10 // and for ever, another time
	p.answer = func(q url.Values) url.Values {
		q.Del("code")
		q.Set("error", "temporarily_unavailable")
		q.Set("error_description", "authentication_expired")
		return q
	}
	b := newApp(t, p, nil)
	wantReason(t, b, b.get("/protected"), 502, "login_refused")
}

func TestLoginLoopIsNoticed(t *testing.T) {
	p := newOP(t)
	p.life = 1
	p.token = func(w http.ResponseWriter, form url.Values) bool {
		if form.Get("grant_type") == "refresh_token" {
			return refuse(400, "invalid_grant")(w, form)
		}
		return false
	}
	a := newApp(t, p, nil)
	got := a.get("/protected")
	wantReason(t, a, got, 500, "login_loop")
}

func TestLostCookieIsTriedOnceAndThenExplained(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	a.client.Jar = nil // a browser that returns nothing
	got := a.get("/protected")
	wantReason(t, a, got, 400, "login_state_missing")
	if n := p.count("/protocol/openid-connect/auth"); n != 2 {
		t.Errorf("the provider was asked %d times, want 2", n)
	}
}

func TestOnlyTheBrowserThatBeganFinishes(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	callback := callbackOf(t, a, "/protected")
	victim := newClient(t)
	victim.CheckRedirect = a.noRedirect().CheckRedirect
	got := a.do(victim, http.MethodGet, callback)
	for _, c := range got.header.Values("Set-Cookie") {
		if strings.Contains(c, "-s0=") {
			t.Errorf("login CSRF: the victim got a session: %s", c)
		}
	}
	if n := p.count("/protocol/openid-connect/token"); n != 0 {
		t.Error("the code was exchanged")
	}
}

func TestTransactionsAreBounded(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	for range 20 {
		a.do(a.noRedirect(), http.MethodGet, "/protected")
	}
	if n := len(a.client.Jar.Cookies(mustParse(t, a.server.URL))); n > 8 {
		t.Errorf("%d cookies pile up", n)
	}
}

func TestP9LogoutFromAnotherSite(t *testing.T) {
	for _, c := range []struct {
		name, method, site string
		status             int
		out                bool
	}{
		{"typed", "GET", "none", 302, true},
		{"a link of ours", "GET", "same-origin", 302, true},
		{"an old browser", "GET", "", 302, true},
		{"a link elsewhere", "GET", "cross-site", 200, false},
		{"another subdomain", "GET", "same-site", 200, false},
		{"a form of ours", "POST", "same-origin", 302, true},
		{"a form elsewhere", "POST", "cross-site", 403, false},
		{"a form without a token", "POST", "", 403, false},
		{"another method", "DELETE", "same-origin", 403, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newOP(t)
			a := newApp(t, p, nil)
			a.logIn()
			header := []string{"Accept", "text/html"}
			if c.site != "" {
				header = append(header, "Sec-Fetch-Site", c.site)
			}
			if got := a.do(a.noRedirect(), c.method, "/logout", header...); got.status != c.status {
				t.Errorf("got %d", got.status)
			}
			if in := a.do(a.noRedirect(), http.MethodGet, "/protected").status == 200; in == c.out {
				t.Errorf("logged in: %v", in)
			}
		})
	}
}

func TestLogoutWithoutASessionOrAProvider(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	if got := a.get("/logout"); got.at != a.server.URL+"/" || len(p.calls) != 0 {
		t.Errorf("nobody logged in: %s, calls %v", got.at, p.calls)
	}
}

func TestSessionKeysRotate(t *testing.T) {
	p := newOP(t)
	older, newer := []byte("an older key of 32 bytes, made up!"), []byte("a newer key of 32 bytes, made up!!")
	now := [][]byte{older}
	a := newApp(t, p, func(c *latchkey.Config) { c.SessionKeys = now })
	a.logIn()
	for _, c := range []struct {
		name string
		keys [][]byte
		in   bool
	}{{"newer in front", [][]byte{newer, older}, true}, {"older gone", [][]byte{newer}, false}} {
		b := newApp(t, p, func(cfg *latchkey.Config) { cfg.SessionKeys, cfg.RedirectURI = c.keys, a.server.URL+"/oidc/callback" })
		b.client = a.client
		req := b.do(b.noRedirectWith(a.client), http.MethodGet, "/protected")
		if in := req.status == 200; in != c.in {
			t.Errorf("%s: logged in %v", c.name, in)
		}
	}
}

func (a *app) noRedirectWith(c *http.Client) *http.Client {
	return &http.Client{Jar: c.Jar, CheckRedirect: a.noRedirect().CheckRedirect}
}

func TestStoreKeepsNothingReadable(t *testing.T) {
	p := newOP(t)
	store := &spyStore{}
	a := newApp(t, p, func(c *latchkey.Config) { c.Store = store })
	a.logIn()
	if len(store.seen) == 0 || strings.Contains(store.seen, "alice") {
		t.Error("the store can read the session, or has none")
	}
	for _, c := range a.client.Jar.Cookies(mustParse(t, a.server.URL)) {
		if store.ids[c.Value] {
			t.Error("the store knows the cookie's value: whoever reads it can be anybody")
		}
	}
	a.get("/logout")
	if got := a.do(a.noRedirect(), http.MethodGet, "/protected"); got.status == 200 {
		t.Error("logged out, and still in")
	}
}

func TestSplitHorizon(t *testing.T) {
	p := newOP(t)
	inside := p.server.URL + "/realms/demo"
	p.meta = func(m map[string]any) {
		m["issuer"] = "https://sso.example/realms/demo"
		m["token_endpoint"], m["jwks_uri"] = "https://sso.example/t", "https://sso.example/k"
	}
	p.claims = set("iss", "https://sso.example/realms/demo")
	p.answer = func(q url.Values) url.Values { q.Set("iss", "https://sso.example/realms/demo"); return q }
	a := newApp(t, p, func(c *latchkey.Config) {
		c.Issuer, c.TokenEndpoint, c.UserinfoEndpoint = "https://sso.example/realms/demo", inside+"/protocol/openid-connect/token", inside+"/protocol/openid-connect/userinfo"
	})
	a.logIn()
}

// A provider may put new keys in the place of old ones at any moment: the next
// login asks for them, although the old ones were read a moment ago.
func TestKeysThatWereReplaced(t *testing.T) {
	named := func(name string) func(t *testing.T) jose.Key {
		return func(t *testing.T) jose.Key { k := generate(t); k.ID = name; return k }
	}
	for name, make := range map[string]func(t *testing.T) jose.Key{"with a new kid": generate, "under the old kid": named("the one key"), "without a kid": named("")} {
		t.Run(name, func(t *testing.T) {
			p := newOP(t)
			p.key = make(t)
			a := newApp(t, p, nil)
			a.logIn()
			p.mu.Lock()
			p.key = make(t)
			p.mu.Unlock()
			a.client = newClient(t)
			a.logIn()
		})
	}
}

func TestUnknownKidIsAskedForOnceInAWhile(t *testing.T) {
	p := newOP(t)
	p.sign = func(c map[string]any) string { return mustSign(t, p.other, c) }
	a := newApp(t, p, nil)
	for range 5 {
		a.get("/protected")
	}
	if n := p.count("/protocol/openid-connect/certs"); n > 2 {
		t.Errorf("forged tokens made %d requests for keys", n)
	}
}
