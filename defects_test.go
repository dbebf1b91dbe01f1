package latchkey_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey"
	"github.com/latchkey-id/latchkey/internal/jose"
)

// The sixteen defects of the guide's library, each a test that it is not ours.

func TestDefect01MissingValueIsNamedWithItsPlace(t *testing.T) {
	good := latchkey.Config{Issuer: "https://sso.example/realms/r", ClientID: "app", ClientSecret: "s", RedirectURI: "https://app.example/oidc/callback"}
	for _, c := range []struct {
		name, field string
		change      func(*latchkey.Config)
	}{
		{"the issuer that the guide forgot", "Issuer", func(c *latchkey.Config) { c.Issuer = "" }},
		{"the guide's realm", "Issuer", func(c *latchkey.Config) { c.Issuer = "https://your-keycloak-domain/realms/your-realm" }},
		{"no client", "ClientID", func(c *latchkey.Config) { c.ClientID = "" }},
		{"the guide's client", "ClientID", func(c *latchkey.Config) { c.ClientID = "CLIENT_ID" }},
		{"the guide's secret", "ClientSecret", func(c *latchkey.Config) { c.ClientSecret = "CLIENT_SECRET" }},
		{"no callback", "RedirectURI", func(c *latchkey.Config) { c.RedirectURI = "" }},
		{"a callback without a path", "RedirectURI", func(c *latchkey.Config) { c.RedirectURI = "https://app.example/" }},
		{"an endpoint that is none", "TokenEndpoint", func(c *latchkey.Config) { c.TokenEndpoint = "token" }},
		{"a short key", "SessionKeys", func(c *latchkey.Config) { c.SessionKeys = [][]byte{[]byte("short")} }},
		{"the guide's key", "SessionKeys", func(c *latchkey.Config) { c.SessionKeys = [][]byte{[]byte("your-random-secret-your-random-secret")} }},
		{"a method that is none", "ClientAuth", func(c *latchkey.Config) { c.ClientAuth = "guess" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := good
			c.change(&cfg)
			_, err := latchkey.New(cfg)
			e, ok := errors.AsType[*latchkey.ConfigError](err)
			if !ok || e.Field != c.field {
				t.Fatalf("got %v, want a *ConfigError about %s", err, c.field)
			}
			if c.field != "SessionKeys" && c.field != "ClientAuth" && e.Where == "" {
				t.Error("it does not say where the value is to be found")
			}
		})
	}
	if _, err := latchkey.New(good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestDefect02ARouteOfTheApplicationIsNeverShadowed(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	for _, pattern := range []string{"/oidc/callback", "GET /oidc/callback", "/oidc/logout", "POST /oidc/login"} {
		mux := http.NewServeMux()
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
		if err := a.auth.Mount(mux); err == nil || !strings.Contains(err.Error(), pattern) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/logout", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	if err := a.auth.Mount(mux); err != nil {
		t.Errorf("the guide's own routes: %v", err)
	}
}

func TestDefect03LogoutEndsBothSessions(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	a.logIn()
	out := a.do(a.noRedirect(), http.MethodGet, "/logout")
	to, err := url.Parse(out.header.Get("Location"))
	if err != nil || to.Path != "/realms/demo/protocol/openid-connect/logout" {
		t.Fatalf("logout leads to %v, %v", to, err)
	}
	q := to.Query()
	if q.Get("id_token_hint") == "" || q.Get("client_id") != "app" || q.Get("post_logout_redirect_uri") != a.server.URL+"/oidc/callback" || q.Get("state") == "" {
		t.Errorf("the request lacks something: %v", q)
	}
	if back := a.get(to.String()); back.at != a.server.URL+"/" || back.body != "public" {
		t.Errorf("it ended at %s: %s", back.at, back.body)
	}
	if got := a.do(a.noRedirect(), http.MethodGet, "/protected"); got.status != http.StatusFound {
		t.Errorf("still logged in: %d", got.status)
	}
}

func TestDefect04UnknownKeysAreRefusedByName(t *testing.T) {
	file := filepath.Join(t.TempDir(), "client_secrets.json")
	for _, c := range []struct{ name, text, want string }{
		{"an unknown key", `{"web":{"client_id":"app","client_secrets":"x"}}`, "client_secrets"},
		{"two top-level keys", `{"web":{},"installed":{}}`, "top-level"},
		{"not JSON", `client_id=app`, "not JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(t, file, c.text)
			if _, err := latchkey.LoadClientSecrets(file); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	write(t, file, `{"anything":{"client_id":"app","client_secret":"s","auth_uri":"https://sso.example/realms/r/protocol/openid-connect/auth",
		"token_uri":"https://sso.example/t","userinfo_uri":"https://sso.example/u","redirect_uris":["http://localhost:5000/oidc/callback"]}}`)
	got, err := latchkey.LoadClientSecrets(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"app", "s", "https://sso.example/realms/r", "https://sso.example/t", "https://sso.example/u", "http://localhost:5000/oidc/callback"}
	if d := cmp.Diff(want, []string{got.ClientID, got.ClientSecret, got.Issuer, got.TokenEndpoint, got.UserinfoEndpoint, got.RedirectURI}); d != "" {
		t.Error(d)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDefect05LeewayIsUsed(t *testing.T) {
	for _, c := range []struct {
		name   string
		past   time.Duration
		leeway time.Duration
		ok     bool
	}{{"within 60 seconds", 50 * time.Second, 0, true}, {"beyond", 90 * time.Second, 0, false}, {"within what is configured", 90 * time.Second, 2 * time.Minute, true}} {
		t.Run(c.name, func(t *testing.T) {
			p := newOP(t)
			p.claims = func(m map[string]any) { m["exp"] = time.Now().Add(-c.past).Unix() }
			a := newApp(t, p, func(cfg *latchkey.Config) { cfg.Leeway = c.leeway })
			got := a.get("/protected")
			if c.ok != (got.status == 200) {
				t.Errorf("got %d %s", got.status, got.body)
			}
			if !c.ok && !strings.Contains(a.log.String(), "expiry") {
				t.Error("the log does not name the check")
			}
		})
	}
}

func TestDefect06ScriptsGet401AndFormsKeepTheirBody(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	for _, c := range []struct {
		name, method string
		header       []string
		status       int
	}{
		{"a click", "GET", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html"}, 302},
		{"a program", "GET", []string{"Accept", "*/*"}, 302},
		{"fetch", "GET", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, 401},
		{"an image", "GET", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, 401},
		{"prefetch", "GET", []string{"Sec-Purpose", "prefetch", "Sec-Fetch-Mode", "navigate"}, 401},
		{"XMLHttpRequest of an old browser", "GET", []string{"X-Requested-With", "XMLHttpRequest", "Accept", "*/*"}, 401},
		{"what accepts JSON alone", "GET", []string{"Accept", "application/json"}, 401},
		{"a bearer token", "GET", []string{"Authorization", "Bearer x", "Accept", "text/html"}, 401},
		{"a form", "POST", []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html"}, 401},
		{"DELETE", "DELETE", nil, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := a.do(a.noRedirect(), c.method, "/protected?x=1", c.header...)
			if got.status != c.status {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			if c.status == 401 && !strings.Contains(got.body, "/oidc/login?next=") {
				t.Errorf("the answer does not say where to log in: %s", got.body)
			}
		})
	}
}

func TestDefect07TabsDoNotCollide(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	var callbacks []string
	for _, tab := range []string{"/deep/1", "/deep/2", "/deep/3"} {
		first := a.do(a.noRedirect(), http.MethodGet, tab)
		back := a.do(a.noRedirect(), http.MethodGet, first.header.Get("Location"))
		callbacks = append(callbacks, back.header.Get("Location"))
	}
	for i := len(callbacks) - 1; i >= 0; i-- { // the last tab comes back first
		if got := a.get(callbacks[i]); got.body != "/deep/"+string(rune('1'+i)) {
			t.Errorf("tab %d ended with %d %q at %s", i+1, got.status, got.body, got.at)
		}
	}
}

func TestDefect08ConcurrentRefreshLogsNobodyOut(t *testing.T) {
	p := newOP(t)
	p.life = 1 // expires at once, leeway taken off
	used := map[string]bool{}
	var mu sync.Mutex
	p.token = func(w http.ResponseWriter, form url.Values) bool {
		if form.Get("grant_type") != "refresh_token" {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		time.Sleep(20 * time.Millisecond)
		if used[form.Get("refresh_token")] { // rotation: each works once
			reply(w, 400, map[string]any{"error": "invalid_grant"})
			return true
		}
		used[form.Get("refresh_token")] = true
		return false
	}
	a := newApp(t, p, nil)
	a.logIn()
	jar := a.client.Jar.Cookies(mustParse(t, a.server.URL))
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			req := httptest.NewRequest(http.MethodGet, a.server.URL+"/protected", nil)
			for _, c := range jar {
				req.AddCookie(c)
			}
			w := httptest.NewRecorder()
			a.server.Config.Handler.ServeHTTP(w, req)
			if w.Code != 200 {
				t.Errorf("one of six got %d %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	if len(used) != 2 { // the one of logIn's page, the one of the six
		t.Errorf("%d refresh tokens used, want 2", len(used))
	}
}

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestDefect09PublicPagesNeverNeedTheProvider(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	if got := a.get("/"); got.status != 200 || len(p.calls) != 0 {
		t.Fatalf("a public page: %d, calls %v", got.status, p.calls)
	}
	a.logIn()
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	if got := a.get("/"); got.status != 200 {
		t.Errorf("provider down, logged in: %d", got.status)
	}
	if got := a.get("/protected"); got.status != 200 {
		t.Errorf("a session that lives needs no provider: %d", got.status)
	}
	fresh := newApp(t, p, nil)
	if got := fresh.get("/"); got.status != 200 {
		t.Errorf("provider down, new process: %d", got.status)
	}
	got := fresh.get("/protected")
	wantReason(t, fresh, got, 503, "provider_unreachable")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestDefect10SessionCookiesAreSealedAndBounded(t *testing.T) {
	p := newOP(t)
	big := strings.Repeat("group-", 1000)
	p.claims = func(m map[string]any) { m["groups"] = big }
	a := newApp(t, p, nil)
	a.logIn()
	for _, c := range a.client.Jar.Cookies(mustParse(t, a.server.URL)) {
		if strings.Contains(c.Value, "alice") || len(c.Value) > 4000 {
			t.Errorf("cookie %s has %d bytes, or can be read", c.Name, len(c.Value))
		}
	}
	out := a.do(a.noRedirect(), http.MethodGet, callbackOf(t, a, "/protected"))
	for _, line := range out.header.Values("Set-Cookie") {
		if !strings.Contains(line, "HttpOnly") || !strings.Contains(line, "SameSite=Lax") || !strings.Contains(line, "Path=/") {
			t.Errorf("flags: %s", line)
		}
	}
	p.userinfo = func(w http.ResponseWriter) {
		reply(w, 200, map[string]any{"sub": "user-1", "email": "alice@example.com", "groups": randomText(40000)})
	}
	b := newApp(t, p, nil)
	wantReason(t, b, b.get("/protected"), 500, "session_too_large")
	if !strings.Contains(b.log.String(), "groups") {
		t.Error("the log does not name the largest claim")
	}
	c := newApp(t, p, func(cfg *latchkey.Config) { cfg.Store = &latchkey.MemoryStore{} })
	c.logIn() // the store holds what cookies cannot
}

// callbackOf walks to the provider and gives the callback's address.
func callbackOf(t *testing.T, a *app, path string) string {
	t.Helper()
	c := &http.Client{Jar: newClient(t).Jar, CheckRedirect: a.noRedirect().CheckRedirect}
	first := a.do(c, http.MethodGet, path)
	back := a.do(c, http.MethodGet, first.header.Get("Location"))
	a.client.Jar = c.Jar
	return back.header.Get("Location")
}

// randomText does not compress.
func randomText(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = 'a' + byte(x>>24)%26
	}
	return string(b)
}

func TestDefect11SelectGivesTheAskedClaimsAlone(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	got := a.get("/protected")
	var m map[string]any
	if err := json.Unmarshal([]byte(got.body), &m); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"email": "alice@example.com", "name": "Alice Liddell", "sub": "user-1"}
	if d := cmp.Diff(want, m); d != "" {
		t.Error(d)
	}
}

func TestDefect12FailuresHaveAReasonAndReplaysRecover(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	callback := callbackOf(t, a, "/protected")
	if got := a.get(callback); got.status != 200 {
		t.Fatalf("the login: %d %s", got.status, got.body)
	}
	if got := a.get(callback); got.status != 200 || got.at != a.server.URL+"/" {
		t.Errorf("a replayed callback with a session: %d at %s", got.status, got.at)
	}
	b := newApp(t, p, nil)
	wantReason(t, b, b.get("/oidc/callback?state=x&code=y", "Sec-Fetch-Mode", "cors"), 400, "login_state_missing")
	wantReason(t, b, b.get("/oidc/callback"), 400, "login_state_missing")
	wantReason(t, b, b.get("/oidc/callback?state=x&state=y"), 400, "callback_malformed")
}

func TestDefect13FormPostAndSignedUserinfoWork(t *testing.T) {
	p := newOP(t)
	p.userinfo = func(w http.ResponseWriter) {
		s, err := jose.Sign(p.key, "JWT", map[string]any{"iss": p.issuer(), "aud": "app", "sub": "user-1", "email": "alice@example.com"})
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = w.Write([]byte(s))
	}
	a := newApp(t, p, nil)
	u := mustParse(t, callbackOf(t, a, "/protected"))
	resp, err := a.client.PostForm(a.server.URL+u.Path, u.Query())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || resp.Request.URL.Path != "/protected" {
		t.Errorf("form_post ended with %d at %s\n%s", resp.StatusCode, resp.Request.URL, a.log)
	}
}

// "userinfo_signing_alg_values_supported" is a list of its own (OpenID Connect
// Discovery 1.0, 3).
func TestDefect13UserinfoIsSignedAsTheProviderSays(t *testing.T) {
	for _, c := range []struct {
		name   string
		listed any
		passes bool
	}{
		{"an algorithm of its own list", []string{"RS256", "EdDSA"}, true},
		{"an algorithm that it does not list", []string{"RS256"}, false},
		{"no list: as ID tokens are", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newOP(t)
			also := generateFor(t, jose.EdDSA)
			p.publish = []jose.Key{also}
			p.meta = set("userinfo_signing_alg_values_supported", c.listed)
			p.userinfo = func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", "application/jwt")
				_, _ = w.Write([]byte(mustSign(t, also, map[string]any{"iss": p.issuer(), "aud": "app", "sub": "user-1", "email": "alice@example.com"})))
			}
			a := newApp(t, p, nil)
			got := a.get("/protected")
			if !c.passes {
				wantReason(t, a, got, 502, "userinfo_refused")
			} else if got.status != 200 {
				t.Errorf("%d %s\n%s", got.status, got.body, a.log)
			}
		})
	}
}

func TestDefect14NoCallToTheProviderForEachRequest(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	a.logIn()
	before := p.count("/protocol/openid-connect/token") + p.count("/protocol/openid-connect/userinfo") + p.count("/protocol/openid-connect/certs")
	for range 20 {
		a.logIn()
	}
	after := p.count("/protocol/openid-connect/token") + p.count("/protocol/openid-connect/userinfo") + p.count("/protocol/openid-connect/certs")
	if before != after {
		t.Errorf("%d calls for 20 pages", after-before)
	}
}

func TestDefect15DeepLinksAreKept(t *testing.T) {
	p := newOP(t)
	for _, link := range []string{"/deep/a,b(c)", "/deep/x?q=1,2&r=(3)", "/deep/a%2Cb", "/deep/ü", "/deep/a+b?c=%20d"} {
		a := newApp(t, p, nil)
		want := mustParse(t, link).RequestURI()
		if got := a.get(link); got.body != want {
			t.Errorf("%s ended with %d %q", link, got.status, got.body)
		}
	}
}

func TestDefect16TheRedirectURIIsTheOnlyOrigin(t *testing.T) {
	p := newOP(t)
	a := newApp(t, p, nil)
	req := httptest.NewRequest(http.MethodGet, "http://evil.example/protected", nil)
	req.Header.Set("X-Forwarded-Host", "evil.example")
	w := httptest.NewRecorder()
	a.server.Config.Handler.ServeHTTP(w, req)
	if got := mustParse(t, w.Header().Get("Location")).Query().Get("redirect_uri"); got != a.server.URL+"/oidc/callback" {
		t.Errorf("redirect_uri is %s", got)
	}
}
