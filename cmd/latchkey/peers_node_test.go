package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// What JavaScript programs use, with our provider: keycloak-js, Keycloak's own
// library for applications of one page, and openid-client, for programs on a
// server. The same programs play it at the original too.
func TestJavaScriptWithOurProvider(t *testing.T) {
	nodePrograms(t)
	browser := newBrowser(t)
	ours, _ := ourProvider(t, builtLatchkey(t))
	javaScriptStory(t, browser, ours)
}

func TestJavaScriptWithRealKeycloak(t *testing.T) {
	nodePrograms(t)
	browser := newBrowser(t)
	javaScriptStory(t, browser, realKeycloak(t))
}

func javaScriptStory(t *testing.T, browser string, at console) {
	t.Helper()
	app := startSPA(t, at) // one realm for both: to make one takes Keycloak seconds
	t.Run("keycloak-js", func(t *testing.T) { keycloakJSStory(t, browser, app) })
	t.Run("openid-client", func(t *testing.T) { openIDClientStory(t, app) })
}

// spa is test/javascript/spa.html at an origin of its own.
type spa struct {
	origin string
	v      values
	at     console
}

// keycloakJSStory is everything that the library asks a server for, except
// registration and the account console.
func keycloakJSStory(t *testing.T, browser string, app *spa) {
	t.Helper()
	tab := newTab(t, browser)

	for _, c := range []struct{ name, page string }{
		{"check-sso by a redirect", "onLoad=check-sso"},
		{"check-sso in a frame", "onLoad=check-sso&silent"},
	} {
		t.Run(c.name+", nobody is there", func(t *testing.T) { app.opens(t, tab, c.page, "nobody") })
	}
	t.Run("login-required", func(t *testing.T) {
		visit(t, tab, app.page("onLoad=login-required"))
		awaitAt(t, tab, app.v.authorization)
		submitLogin(t, tab, app.v.username, app.v.userPassword)
		app.answers(t, tab, "somebody")
		app.wantsToken(t, tab)
	})
	t.Run("loadUserInfo", func(t *testing.T) {
		got := promised[map[string]any](t, tab, "keycloak.loadUserInfo()")
		want := map[string]any{"sub": app.at.user(t, app.v), "email": "alice@example.com", "email_verified": true, "name": "Alice Liddell",
			"given_name": "Alice", "family_name": "Liddell", "preferred_username": "alice"}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
	t.Run("updateToken", func(t *testing.T) {
		before := ask(t, tab, chromedp.Evaluate[string]("keycloak.token"))
		if promised[bool](t, tab, "keycloak.updateToken(5)") {
			t.Error("a new token although the old one lives")
		}
		if !promised[bool](t, tab, "keycloak.updateToken(-1)") || ask(t, tab, chromedp.Evaluate[string]("keycloak.token")) == before {
			t.Error("no new token")
		}
		app.wantsToken(t, tab)
	})
	other := sameBrowserTab(t, tab)
	for _, c := range []struct{ name, page string }{
		{"check-sso in a frame", "onLoad=check-sso&silent"},
		{"check-sso by a redirect", "onLoad=check-sso"},
		{"response mode query", "onLoad=check-sso&mode=query"},
		{"login-required", "onLoad=login-required"},
	} {
		t.Run(c.name+", in a second tab", func(t *testing.T) {
			app.opens(t, other, c.page, "somebody")
			app.wantsToken(t, other)
		})
	}
	watching := sameBrowserTab(t, tab)
	app.opens(t, watching, "onLoad=check-sso&silent", "somebody")
	t.Run("logout in one tab, the others hear of it in their frames", func(t *testing.T) {
		app.logsOut(t, other, "GET")
		awaitTrue(t, watching, "happened.includes('onAuthLogout') && !keycloak.authenticated")
		awaitAt(t, tab, app.v.authorization) // it said login-required
		wantPasswordAsked(t, tab, app.v)
	})
	t.Run("logout by a form", func(t *testing.T) {
		submitLogin(t, tab, app.v.username, app.v.userPassword)
		app.answers(t, tab, "somebody")
		app.logsOut(t, tab, "POST")
		app.opens(t, tab, "onLoad=check-sso&silent", "nobody")
	})
}

func (s *spa) logsOut(t *testing.T, tab context.Context, method string) {
	t.Helper()
	run(t, tab, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Evaluate[any](fmt.Sprintf("void keycloak.logout({logoutMethod: %q, redirectUri: location.origin + '/out'})", method))(ctx, target)
		return err
	}))
	awaitAt(t, tab, s.origin+"/out")
}

// startSPA sets up a realm with a public client as the documentation of
// keycloak-js says, and serves the page.
func startSPA(t *testing.T, at console) *spa {
	t.Helper()
	lib := filepath.Join(nodePrograms(t), "node_modules", "keycloak-js", "lib", "keycloak.js")
	mux := http.NewServeMux()
	for path, file := range map[string]string{"/{$}": "../../test/javascript/spa.html", "/silent-check-sso.html": "../../test/javascript/silent-check-sso.html", "/keycloak.js": lib} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	}
	mux.HandleFunc("/out", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "logged out") })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	app := &spa{at: at, origin: server.URL}
	host, _ := url.Parse(at.base)
	app.origin = strings.Replace(app.origin, "127.0.0.1", host.Hostname(), 1) // one site, as http needs for frames with cookies
	app.v = at.newRealm(t, setup{redirect: app.origin + "/oidc/callback", client: map[string]any{"serviceAccountsEnabled": true, "protocolMappers": audience()}})
	at.do(t, http.MethodPost, "/realms/"+app.v.realm+"/clients", map[string]any{"clientId": "spa", "publicClient": true,
		"redirectUris": []string{app.origin + "/*"}, "webOrigins": []string{"+"}, "attributes": map[string]string{"post.logout.redirect.uris": "+", "pkce.code.challenge.method": "S256"}}, nil)
	at.giveRoles(t, app.v)
	return app
}

// giveRoles gives the user a role of the realm and one of the page's client.
func (c console) giveRoles(t *testing.T, v values) {
	t.Helper()
	realm := "/realms/" + v.realm
	var clients []struct {
		ID string `json:"id"`
	}
	c.do(t, http.MethodGet, realm+"/clients?clientId=spa", nil, &clients)
	for at, to := range map[string]string{realm + "/roles": "/role-mappings/realm", realm + "/clients/" + clients[0].ID + "/roles": "/role-mappings/clients/" + clients[0].ID} {
		c.do(t, http.MethodPost, at, map[string]any{"name": "reader"}, nil)
		var role map[string]any
		c.do(t, http.MethodGet, at+"/reader", nil, &role)
		c.do(t, http.MethodPost, realm+"/users/"+c.user(t, v)+to, []any{role}, nil)
	}
}

func (s *spa) page(query string) string {
	return s.origin + "/?" + query + "&" + url.Values{"url": {s.at.base}, "realm": {s.v.realm}}.Encode()
}

func (s *spa) opens(t *testing.T, tab context.Context, query, want string) {
	t.Helper()
	visit(t, tab, s.page(query))
	s.answers(t, tab, want)
}

// answers waits for what init promised.
func (s *spa) answers(t *testing.T, tab context.Context, want string) {
	t.Helper()
	awaitTrue(t, tab, "window.answer !== undefined")
	if got := ask(t, tab, chromedp.Evaluate[string]("window.answer")); got != want {
		t.Fatalf("init says %q, want %q", got, want)
	}
	if at := ask(t, tab, chromedp.Location()); strings.Contains(at, "state=") {
		t.Errorf("what the provider answered stands in the address still: %s", at)
	}
}

// wantsToken looks at what the library made of the tokens.
func (s *spa) wantsToken(t *testing.T, tab context.Context) {
	t.Helper()
	var got map[string]any
	text := ask(t, tab, chromedp.Evaluate[string](`JSON.stringify({user: keycloak.subject, name: keycloak.idTokenParsed.name, session: keycloak.sessionId === keycloak.tokenParsed.sid,
		realm: keycloak.hasRealmRole('reader'), client: keycloak.hasResourceRole('reader'), none: keycloak.hasRealmRole('nobody'), expired: keycloak.isTokenExpired(5),
		refresh: keycloak.refreshTokenParsed.typ, issuer: keycloak.tokenParsed.iss, origins: keycloak.tokenParsed['allowed-origins']})`))
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"user": s.at.user(t, s.v), "name": "Alice Liddell", "session": true, "realm": true, "client": true, "none": false, "expired": false,
		"refresh": "Refresh", "issuer": s.v.issuer, "origins": []any{s.origin}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// openIDClientStory compares what test/javascript/openid-client.mjs saw.
func openIDClientStory(t *testing.T, app *spa) {
	t.Helper()
	dir := t.TempDir() // imports are looked for beside the program
	program, err := os.ReadFile("../../test/javascript/openid-client.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.mjs"), program, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(nodePrograms(t), "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(dir, "main.mjs"))
	cmd.Env = append(os.Environ(), append(app.v.variables(), "USERNAME="+app.v.username, "PASSWORD="+app.v.userPassword)...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	sub, none := app.at.user(t, app.v), map[string]any{"active": false}
	want := map[string]any{
		"nobody there, prompt=none": "login_required", "sub": sub, "token type": "bearer",
		"userinfo": map[string]any{"sub": sub, "email": "alice@example.com", "email_verified": true, "name": "Alice Liddell", "given_name": "Alice",
			"family_name": "Liddell", "preferred_username": "alice"},
		"userinfo of somebody else": "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED", "one login for both": true, "refreshed, the same person": true,
		"introspection":             map[string]any{"active": true, "username": "alice", "client_id": "guide-app", "roles": true},
		"introspection of nonsense": none, "introspection of a revoked one": none, "userinfo with a revoked one": "OAUTH_WWW_AUTHENTICATE_CHALLENGE",
		"after the logout": app.v.redirectURI + "?state=out", "prompt=none after the logout": "login_required", "refresh after the logout": "invalid_grant",
		"for itself": []any{"access_token", "expires_in", "not-before-policy", "refresh_expires_in", "scope", "token_type"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func promised[T any](t *testing.T, tab context.Context, expression string) T {
	t.Helper()
	return ask(t, tab, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// awaitTrue asks again and again, over any number of pages.
func awaitTrue(t *testing.T, tab context.Context, expression string) {
	t.Helper()
	var last error
	for range 600 {
		var yes bool
		if yes, last = chromedp.Run(tab, chromedp.Evaluate[bool](expression)); last == nil && yes {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("never: %s (%v); at %s", expression, last, ask(t, tab, chromedp.Location()))
}

func awaitAt(t *testing.T, tab context.Context, address string) {
	t.Helper()
	awaitTrue(t, tab, fmt.Sprintf("location.href.startsWith(%q) && document.readyState === 'complete'", address))
}

// nodePrograms is the folder that test/node filled.
func nodePrograms(t *testing.T) string {
	t.Helper()
	at := os.Getenv("LATCHKEY_TEST_NODE")
	if at == "" {
		needs(t, "the JavaScript libraries: test/node DIR, and DIR in LATCHKEY_TEST_NODE")
	}
	return at
}
