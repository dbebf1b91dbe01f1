package main_test

import (
	"context"
	"encoding/json"
	"net/http"
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

// The guide's library with our provider: test/flask/app.py on both of its
// branches, the story in a browser. The same program plays it at the original
// too, which shows that what passes here is no kindness of ours.
func TestFlaskWithOurProvider(t *testing.T) {
	flaskPrograms(t)
	browser, latchkey := newBrowser(t), builtLatchkey(t)
	for _, library := range flaskLibraries() {
		t.Run(library, func(t *testing.T) {
			ours, _ := ourProvider(t, latchkey)
			flaskStory(t, browser, ours, library)
		})
	}
}

func TestFlaskWithRealKeycloak(t *testing.T) {
	flaskPrograms(t)
	kc, browser := realKeycloak(t), newBrowser(t)
	for _, library := range flaskLibraries() {
		t.Run(library, func(t *testing.T) { flaskStory(t, browser, kc, library) })
	}
}

// Access tokens of two seconds: the library refreshes, and nobody is asked for
// the password a second time.
func TestFlaskRefreshesAtOurProvider(t *testing.T) {
	flaskPrograms(t)
	browser, latchkey := newBrowser(t), builtLatchkey(t)
	for _, library := range flaskLibraries() {
		t.Run(library, func(t *testing.T) {
			t.Parallel() // they mostly wait
			ours, process := ourProvider(t, latchkey)
			origin := "http://" + freeAddr(t)
			v := ours.newRealm(t, setup{redirect: origin + "/oidc/callback", realm: map[string]any{"accessTokenLifespan": 2}})
			startFlask(t, library, v).awaits(t, origin+"/")
			tab := newTab(t, browser)
			visit(t, tab, origin+"/protected")
			submitLogin(t, tab, v.username, v.userPassword)
			for range 2 {
				time.Sleep(3 * time.Second)
				visit(t, tab, origin+"/protected")
				wantAt(t, tab, origin+"/protected")
				wantAnswer(t, tab, library, ours.user(t, v))
			}
			for kind, least := range map[string]int{"LOGIN": 1, "CODE_TO_TOKEN": 1, "REFRESH_TOKEN": 2} {
				n := strings.Count(process.log.String(), "type="+kind+" realm="+v.realm)
				if n < least || (kind != "REFRESH_TOKEN" && n > least) {
					t.Errorf("the provider's log has %d events %s, want %d", n, kind, least)
				}
			}
		})
	}
}

// The values that the demo prints, in a Flask program instead of the demo's own
// application. Its realm and its client want PKCE, which flask-oidc does not
// speak: it is refused until an administrator says otherwise for this client.
func TestFlaskWithWhatTheDemoPrints(t *testing.T) {
	flaskPrograms(t)
	browser := newBrowser(t)
	d := startDemo(t)
	admin := console{base: d.Provider, username: d.AdminUsername, password: d.AdminPassword}
	origin := "http://" + freeAddr(t)
	v := values{realm: d.Realm, issuer: d.Issuer, clientID: d.ClientID, clientSecret: d.ClientSecret, token: d.TokenEndpoint, userinfo: d.UserinfoEndpoint,
		redirectURI: origin + "/oidc/callback"}
	admin.endpoints(t, &v)
	startFlask(t, "flask-oidc-2.4.0", v).awaits(t, origin+"/")
	tab := newTab(t, browser)
	visit(t, tab, origin+"/protected")
	wantAt(t, tab, origin+"/authorize?error=invalid_request")

	var clients []map[string]any
	admin.do(t, http.MethodGet, "/realms/"+d.Realm+"/clients?clientId="+d.ClientID, nil, &clients)
	if len(clients) != 1 {
		t.Fatalf("%d clients", len(clients))
	}
	attributes, _ := clients[0]["attributes"].(map[string]any)
	clients[0]["attributes"] = with(attributes, "latchkey.require.pkce", "false", "pkce.code.challenge.method", "")
	admin.do(t, http.MethodPut, "/realms/"+d.Realm+"/clients/"+clients[0]["id"].(string), clients[0], nil)

	visit(t, tab, origin+"/protected")
	wantPasswordAsked(t, tab, v)
	submitLogin(t, tab, d.Username, d.Password)
	wantAt(t, tab, origin+"/protected")
	wantUser(t, pageText(t, tab))
}

func flaskLibraries() []string { return []string{"flask-oidc-2.4.0", "flask-oidc-1.4.0"} }

func flaskStory(t *testing.T, browser string, at console, library string) {
	t.Helper()
	origin := "http://" + freeAddr(t)
	v := at.newRealm(t, setup{redirect: origin + "/oidc/callback", client: map[string]any{"directAccessGrantsEnabled": true, "protocolMappers": audience()}})
	startFlask(t, library, v).awaits(t, origin+"/")
	tab := newTab(t, browser)

	visit(t, tab, origin+"/")
	if got := pageText(t, tab); got != "Everybody may read this page." {
		t.Fatalf("the public page reads %q", got)
	}
	picture(t, tab, "1-public")
	visit(t, tab, origin+"/protected")
	wantAt(t, tab, v.authorization)
	picture(t, tab, "2-login")
	submitLogin(t, tab, v.username, "not the password")
	wantText(t, tab, "#input-error-username", "Invalid username or password.")
	submitLogin(t, tab, v.username, v.userPassword)
	wantAt(t, tab, origin+"/protected")
	wantAnswer(t, tab, library, at.user(t, v))
	picture(t, tab, "3-protected")

	// The library's logout is its own session's alone: the provider answers the
	// next visit without asking. When the provider's session ends too, the
	// password is asked for again, so the first one had really ended.
	visit(t, tab, origin+"/logout")
	wantAt(t, tab, origin+"/")
	picture(t, tab, "4-logged-out")
	visit(t, tab, origin+"/protected")
	wantAt(t, tab, origin+"/protected")
	wantAnswer(t, tab, library, at.user(t, v))
	visit(t, tab, origin+"/logout")
	visit(t, tab, v.endSession)
	if _, err := chromedp.RunResponse(tab, chromedp.Click("#kc-logout")); err != nil {
		t.Fatal(err)
	}
	picture(t, tab, "5-logged-out-at-the-provider")
	visit(t, tab, origin+"/protected")
	wantPasswordAsked(t, tab, v)

	flaskAPI(t, origin, v)
}

// flaskAPI plays accept_token: each request makes the library ask the provider's
// introspection endpoint.
func flaskAPI(t *testing.T, origin string, v values) {
	t.Helper()
	client := url.Values{"client_id": {v.clientID}, "client_secret": {v.clientSecret}, "username": {v.username}, "password": {v.userPassword},
		"scope": {"openid email"}}
	good := passwordToken(t, v.token, client)
	for _, c := range []struct {
		name, authorization string
		status              int
	}{
		{"no token", "", http.StatusUnauthorized},
		{"a token nobody issued", "Bearer " + good + "x", http.StatusUnauthorized},
		{"a word", "Bearer nonsense", http.StatusUnauthorized},
		{"a token of this provider", "Bearer " + good, http.StatusOK},
	} {
		if got := call(t, origin+"/api", c.authorization); got != c.status {
			t.Errorf("/api with %s answers %d, want %d", c.name, got, c.status)
		}
	}
	revoke(t, v, good)
	if got := call(t, origin+"/api", "Bearer "+good); got != http.StatusUnauthorized {
		t.Errorf("/api with a revoked token answers %d", got)
	}
}

// audience makes the client's own tokens say that they are for it: without that,
// introspection calls them inactive, as Keycloak 26.7 does.
func audience() []any {
	return []any{map[string]any{"name": "for the API", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
		"config": map[string]string{"included.client.audience": "guide-app", "access.token.claim": "true", "introspection.token.claim": "true"}}}
}

func call(t *testing.T, address, authorization string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	status, body := send(t, req)
	if status == http.StatusInternalServerError {
		t.Errorf("%s: %s", address, body)
	}
	return status
}

func revoke(t *testing.T, v values, token string) {
	t.Helper()
	form := url.Values{"token": {token}, "client_id": {v.clientID}, "client_secret": {v.clientSecret}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSuffix(v.token, "/token")+"/revoke", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if status, body := send(t, req); status != http.StatusOK {
		t.Fatalf("revoke: %d %s", status, body)
	}
}

// wantAnswer: 1.4.0 gives the fields that were asked for, 2.4.0 the whole profile.
func wantAnswer(t *testing.T, tab context.Context, library, sub string) {
	t.Helper()
	var got struct {
		Message string         `json:"message"`
		User    map[string]any `json:"user"`
	}
	text := ask(t, tab, chromedp.Text("pre"))
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v in %q", err, pageText(t, tab))
	}
	want := map[string]any{"email": "alice@example.com", "name": "Alice Liddell", "sub": sub}
	if library == "flask-oidc-2.4.0" {
		want = with(want, "email_verified", true, "preferred_username", "alice", "given_name", "Alice", "family_name", "Liddell")
	}
	if d := cmp.Diff(want, got.User); got.Message != "You are authenticated" || d != "" {
		t.Errorf("%q, %s", got.Message, d)
	}
}

// flaskPrograms is the folder that test/python made.
func flaskPrograms(t *testing.T) string {
	t.Helper()
	at := os.Getenv("LATCHKEY_TEST_PYTHON")
	if at == "" {
		needs(t, "the Flask libraries: test/python DIR, and DIR in LATCHKEY_TEST_PYTHON")
	}
	return at
}

// startFlask runs the program on one of the libraries of test/python.
func startFlask(t *testing.T, library string, v values) *peer {
	t.Helper()
	vars := append(v.variables(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "AUTHORIZATION_ENDPOINT="+v.authorization, "INTROSPECTION_ENDPOINT="+v.introspection)
	if strings.HasPrefix(library, "flask-oidc-1.") {
		vars = append(vars, "CLIENT_SECRETS="+filepath.Join(t.TempDir(), "client_secrets.json"))
	}
	return runPeer(t, exec.CommandContext(t.Context(), filepath.Join(flaskPrograms(t), library, "bin", "python"), "../../test/flask/app.py"), vars...)
}
