package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/provider"
	"golang.org/x/oauth2"
)

// Somebody else's client, with its defaults.
func TestAForeignClientLogsIn(t *testing.T) {
	s := start(t, nil)
	for _, realm := range []string{"strict", "lenient"} {
		t.Run(realm, func(t *testing.T) {
			ctx := t.Context()
			p, err := oidc.NewProvider(ctx, s.url+"/realms/"+realm)
			if err != nil {
				t.Fatal(err)
			}
			conf := oauth2.Config{ClientID: "app", ClientSecret: appSecret, Endpoint: p.Endpoint(), RedirectURL: callback, Scopes: []string{oidc.ScopeOpenID, "profile", "email"}}
			c := s.browser()
			page := s.get(c, conf.AuthCodeURL("st", oauth2.S256ChallengeOption(verifier), oidc.Nonce("n1")))
			done := s.send(c, http.MethodPost, formAction(t, page), url.Values{"username": {"alice"}, "password": {alicesPass}})
			tok, err := conf.Exchange(ctx, done.location.Query().Get("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := tok.Extra("id_token").(string)
			id, err := p.Verifier(&oidc.Config{ClientID: "app"}).Verify(ctx, raw)
			if err != nil || id.Nonce != "n1" || id.VerifyAccessToken(tok.AccessToken) != nil {
				t.Fatalf("%+v, %v", id, err)
			}
			info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(tok))
			if err != nil || info.Email != "alice@example.com" || info.Subject != id.Subject {
				t.Fatalf("%+v, %v", info, err)
			}
			tok.Expiry = time.Now().Add(-time.Hour)
			if again, err := conf.TokenSource(ctx, tok).Token(); err != nil || again.AccessToken == tok.AccessToken {
				t.Errorf("refresh: %v", err)
			}
		})
	}
}

func TestStrictProfile(t *testing.T) {
	s := start(t, nil)
	for name, change := range map[string]url.Values{
		"no PKCE":    {"code_challenge": nil, "code_challenge_method": nil},
		"plain PKCE": {"code_challenge": {verifier}, "code_challenge_method": {"plain"}},
	} {
		if a := s.get(s.browser(), s.authURL("strict", change)); a.status != 302 || a.location.Query().Get("error") != "invalid_request" || a.location.Query().Get("iss") == "" {
			t.Errorf("%s: %d %v", name, a.status, a.location)
		}
		if a := s.get(s.browser(), s.authURL("lenient", change)); a.status != 200 {
			t.Errorf("%s in Keycloak's profile: %d %v", name, a.status, a.location)
		}
	}
	if a := s.get(s.browser(), s.authURL("strict", url.Values{"redirect_uri": {"https://app.example/wild/x"}})); a.status != 400 {
		t.Errorf("a wildcard: %d", a.status)
	}
	wantError(t, s.token("strict", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {alicesPass}}), 400, "unauthorized_client",
		"Client not allowed for direct access grants")
	tokens := s.exchange("strict", s.code(s.browser(), "strict", nil))
	if h, c, err := jose.Unverified(tokens.text("access_token")); err != nil || h.Type != "at+jwt" || c["client_id"] != "app" || c["sub"] == nil {
		t.Errorf("RFC 9068: %+v %v %v", h, c, err)
	}
	if _, c, err := jose.Unverified(tokens.text("id_token")); err != nil || c["email"] != nil || c["sub"] == nil {
		t.Errorf("the ID token has what was not asked for: %v %v", c, err)
	}
}

func TestRefreshRotationInBothProfiles(t *testing.T) {
	s := start(t, nil)
	first := s.exchange("strict", s.code(s.browser(), "strict", nil)).text("refresh_token")
	second := s.refresh("strict", first).text("refresh_token")
	if again := s.refresh("strict", first).text("refresh_token"); again == "" || jtiOf(t, again) != jtiOf(t, second) {
		t.Error("a lost answer does not get the same successor")
	}
	third := s.refresh("strict", second)
	s.clock.move(11 * time.Second)
	wantError(t, s.refresh("strict", second), 400, "invalid_grant", "Maximum allowed refresh token reuse exceeded")
	wantError(t, s.refresh("strict", third.text("refresh_token")), 400, "invalid_grant", "Session doesn't have required client")
	if a := s.get(s.browser(), s.oidc("strict", "userinfo"), "Authorization", "Bearer "+third.text("access_token")); a.status != 401 {
		t.Errorf("the access token lives: %d", a.status)
	}
	lenient := s.exchange("lenient", s.code(s.browser(), "lenient", nil)).text("refresh_token")
	for range 3 {
		if a := s.refresh("lenient", lenient); a.status != 200 {
			t.Errorf("Keycloak's profile reuses: %d %s", a.status, a.body)
		}
	}
}

func jtiOf(t *testing.T, token string) any {
	t.Helper()
	_, c, err := jose.Unverified(token)
	if err != nil {
		t.Fatal(err)
	}
	return c["jti"]
}

// S-11: whoever has only the code must not be able to log anybody out with it.
func TestS11AStolenCodeRevokesNothing(t *testing.T) {
	s := start(t, nil)
	code := s.code(s.browser(), "strict", nil)
	tokens := s.exchange("strict", code)
	for name, change := range map[string]url.Values{
		"another client":     {"client_id": {"other"}},
		"another verifier":   {"code_verifier": {strings.Repeat("a", 43)}},
		"another redirect":   {"redirect_uri": {"https://app.example/"}},
		"without a verifier": {"code_verifier": {""}},
	} {
		form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
		for k, v := range change {
			form[k] = v
		}
		if a := s.token("strict", form); a.status != 400 || a.text("error") != "invalid_grant" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := s.refresh("strict", tokens.text("refresh_token")); a.status != 200 {
		t.Errorf("the tokens were revoked: %s", a.body)
	}
	wantError(t, s.exchange("strict", code), 400, "invalid_grant", "Code not valid")
	if a := s.refresh("strict", tokens.text("refresh_token")); a.status == 200 {
		t.Error("a replay by the right client has to revoke")
	}
}

// S-11: single sign-on after a replay or a reuse begins the client's part of the
// session anew; what was given out before stays worth nothing, within the same
// second too, and what is given out now works.
func TestS11SingleSignOnBringsNothingBack(t *testing.T) {
	for name, end := range map[string]func(s *server, code, refresh string){
		"a replay": func(s *server, code, _ string) {
			wantError(t, s.exchange("strict", code), 400, "invalid_grant", "Code not valid")
		},
		"a reuse": func(s *server, _, refresh string) {
			second := s.refresh("strict", refresh).text("refresh_token")
			s.refresh("strict", second)
			wantError(t, s.refresh("strict", refresh), 400, "invalid_grant", "Maximum allowed refresh token reuse exceeded")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			b := s.browser()
			works := func(a answer) bool {
				return s.get(s.browser(), s.oidc("strict", "userinfo"), "Authorization", "Bearer "+a.text("access_token")).status == 200
			}
			code := s.code(b, "strict", nil)
			before := s.exchange("strict", code)
			if !works(before) {
				t.Fatal("a new access token is worth nothing")
			}
			end(s, code, before.text("refresh_token"))
			if works(before) {
				t.Fatal("the end changes nothing")
			}
			after := s.exchange("strict", s.code(b, "strict", nil))
			if after.text("session_state") != before.text("session_state") {
				t.Fatal("not the same session: the test shows nothing")
			}
			if !works(after) || !works(s.refresh("strict", after.text("refresh_token"))) {
				t.Error("what single sign-on gave is worth nothing")
			}
			if works(before) {
				t.Error("the access token of before the end works again")
			}
			if a := s.refresh("strict", before.text("refresh_token")); a.status == 200 {
				t.Error("the refresh token of before the end works again")
			}
		})
	}
}

// S-12: a failed redemption uses the code up.
func TestS12AWrongVerifierUsesTheCodeUp(t *testing.T) {
	s := start(t, nil)
	code := s.code(s.browser(), "strict", nil)
	wantError(t, s.token("strict", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {strings.Repeat("a", 43)}}),
		400, "invalid_grant", "PKCE verification failed: Code mismatch")
	wantError(t, s.exchange("strict", code), 400, "invalid_grant", "Code not valid")
}

// S-79: nothing that was known before the login is worth anything after it.
func TestS79LoginRotatesTheBrowser(t *testing.T) {
	s := start(t, nil)
	c := s.browser()
	page := s.get(c, s.authURL("strict", nil))
	before := cookies(t, s, c)
	other := s.get(c, s.authURL("strict", url.Values{"state": {"tab2"}}))
	done := s.send(c, http.MethodPost, formAction(t, page), url.Values{"username": {"alice"}, "password": {alicesPass}})
	if done.status != 302 {
		t.Fatal(done.body)
	}
	after := cookies(t, s, c)
	if before["AUTH_SESSION_ID"] == after["AUTH_SESSION_ID"] || after["KEYCLOAK_IDENTITY"] == "" {
		t.Errorf("before %v, after %v", before, after)
	}
	// The other tab's form is of before: it is answered by the session, and what it carries is not read.
	tab := s.send(c, http.MethodPost, formAction(t, other), url.Values{"username": {"mallory"}, "password": {"x"}})
	if tab.status != 302 || tab.location.Query().Get("code") == "" || tab.location.Query().Get("state") != "tab2" {
		t.Errorf("the other tab: %d %v", tab.status, tab.location)
	}
	twice := s.send(c, http.MethodPost, formAction(t, page), url.Values{"username": {"alice"}, "password": {alicesPass}})
	if twice.location == nil || twice.location.Query().Get("error") != "temporarily_unavailable" {
		t.Errorf("sent twice: %d %v", twice.status, twice.location)
	}
}

func cookies(t *testing.T, s *server, c *http.Client) map[string]string {
	t.Helper()
	u, err := url.Parse(s.url + "/realms/strict/")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, ck := range c.Jar.Cookies(u) {
		out[ck.Name] = ck.Value
	}
	return out
}

// S-72, S-73: login CSRF.
func TestLoginFormsOfOthersAreRefused(t *testing.T) {
	s := start(t, nil)
	attacker := s.browser()
	form := formAction(t, s.get(attacker, s.authURL("strict", nil)))
	right := url.Values{"username": {"alice"}, "password": {alicesPass}}
	victim := s.browser()
	s.get(victim, s.authURL("strict", nil))
	for name, a := range map[string]answer{
		"in a browser without cookies":   s.send(s.browser(), http.MethodPost, form, right),
		"in a browser with another form": s.send(victim, http.MethodPost, form, right),
	} {
		if a.status != 400 || strings.Contains(strings.Join(a.header.Values("Set-Cookie"), " "), "KEYCLOAK_IDENTITY") {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if a := s.send(attacker, http.MethodPost, form, right, "Sec-Fetch-Site", "cross-site"); a.status != 403 {
		t.Errorf("a cross-site form: %d", a.status)
	}
	u, err := url.Parse(form)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("session_code", "AAAA")
	u.RawQuery = q.Encode()
	if a := s.send(attacker, http.MethodPost, u.String(), right); a.status != 200 || strings.Contains(strings.Join(a.header.Values("Set-Cookie"), " "), "KEYCLOAK_IDENTITY") {
		t.Errorf("a form without its token logs in: %d", a.status)
	}
}

// S-88, CVE-2025-64101: a Host header chooses among what is configured.
func TestS88HostHeadersBuildNoLinks(t *testing.T) {
	s := start(t, func(c *provider.Config) { c.Origins = append(c.Origins, "https://sso.example") })
	for host, want := range map[string]string{"evil.example": s.url, "sso.example": "https://sso.example", "sso.example.evil": s.url} {
		a := s.get(s.browser(), s.url+"/realms/strict/.well-known/openid-configuration", "Host", host, "X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example")
		if a.text("issuer") != want+"/realms/strict" || strings.Contains(a.body, "evil") {
			t.Errorf("%s: issuer %s", host, a.text("issuer"))
		}
	}
}

func TestOriginsAreChecked(t *testing.T) {
	for _, o := range []string{"", "sso.example", "http://sso.example", "ftp://sso.example", "https://sso.example/path", "https://u@sso.example", "https://sso.example?x"} {
		_, err := provider.New(provider.Config{Origins: []string{o}, Cost: cheap()})
		if !errors.Is(err, provider.ErrOrigin) {
			t.Errorf("%q: %v", o, err)
		}
	}
}

// S-75: the headers of every kind of route.
func TestEveryRouteHasSecurityHeaders(t *testing.T) {
	s := start(t, nil)
	for _, path := range []string{"/", "/realms/strict", "/realms/nowhere", "/realms/strict/.well-known/openid-configuration", "/realms/strict/protocol/openid-connect/certs",
		"/realms/strict/protocol/openid-connect/auth", "/realms/strict/protocol/openid-connect/token", "/realms/strict/protocol/openid-connect/logout", "/admin/realms",
		"/realms/strict/login-actions/authenticate", "/setup/x", "/realms/strict/protocol/openid-connect/userinfo"} {
		h := s.get(s.browser(), s.url+path).header
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
		if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
}

// S-117: what is secret never reaches a log, at the chattiest level.
func TestS117NothingSecretReachesTheLog(t *testing.T) {
	s := start(t, nil)
	c := s.browser()
	code := s.code(c, "strict", url.Values{"state": {"canary-state"}})
	tokens := s.exchange("strict", code)
	s.exchange("strict", code)
	s.refresh("strict", tokens.text("refresh_token"))
	s.token("strict", url.Values{"grant_type": {"authorization_code"}, "client_secret": {"canary-wrong-secret"}})
	s.token("lenient", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"canary-wrong-password"}})
	s.get(c, s.oidc("strict", "userinfo"), "Authorization", "Bearer canary-bearer")
	s.get(c, s.oidc("strict", "logout")+"?id_token_hint="+tokens.text("id_token"))
	s.get(s.browser(), s.url+"/admin/realms", "Authorization", "Bearer "+tokens.text("access_token"))
	secrets := []string{code, alicesPass, appSecret, tokens.text("access_token"), tokens.text("refresh_token"), tokens.text("id_token"), "canary", verifier}
	for name, v := range cookies(t, s, c) {
		if name != "KEYCLOAK_SESSION" && v != "" {
			secrets = append(secrets, v)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log holds %.20q", secret)
		}
	}
	if !strings.Contains(s.log.String(), "reason=code_not_valid") {
		t.Error("the log does not say why: this test reads nothing")
	}
}

func TestKindsOfTokensAreNeverAcceptedForEachOther(t *testing.T) {
	s := start(t, nil)
	tokens := s.exchange("strict", s.code(s.browser(), "strict", nil))
	for _, kind := range []string{"id_token", "refresh_token"} {
		for _, address := range []string{s.oidc("strict", "userinfo"), s.url + "/admin/realms/strict"} {
			if a := s.get(s.browser(), address, "Authorization", "Bearer "+tokens.text(kind)); a.status != 401 {
				t.Errorf("%s at %s: %d", kind, address, a.status)
			}
		}
	}
	for _, kind := range []string{"id_token", "access_token"} {
		wantError(t, s.refresh("strict", tokens.text(kind)), 400, "invalid_grant", "Invalid refresh token")
	}
	if a := s.get(s.browser(), s.oidc("lenient", "userinfo"), "Authorization", "Bearer "+tokens.text("access_token")); a.status != 401 {
		t.Errorf("another realm takes the token: %d", a.status)
	}
}

func TestRegisteredRedirectURIsAreShownOnLoopbackAlone(t *testing.T) {
	s := start(t, nil)
	wrong := url.Values{"redirect_uri": {"https://app.example/wrong"}}
	if a := s.get(s.browser(), s.authURL("strict", wrong)); !strings.Contains(a.body, "https://app.example/wrong") || !strings.Contains(a.body, callback) {
		t.Error("a visitor on loopback does not see what was sent and what is registered")
	}
	public := start(t, func(c *provider.Config) { c.Origins = []string{"https://sso.example"} })
	if a := public.get(public.browser(), public.authURL("strict", wrong)); a.status != 400 || strings.Contains(a.body, callback) {
		t.Errorf("on the network: %d", a.status)
	}
}

func TestCookieFlags(t *testing.T) {
	for origin, want := range map[string]string{"": "SameSite=Lax", "https://sso.example": "Secure; SameSite=None"} {
		s := start(t, func(c *provider.Config) {
			if origin != "" {
				c.Origins = []string{origin}
			}
		})
		lines := s.get(s.browser(), s.authURL("strict", nil)).header.Values("Set-Cookie")
		if len(lines) == 0 {
			t.Errorf("%q: no cookie at all", origin)
		}
		for _, line := range lines {
			if !strings.Contains(line, want) || !strings.Contains(line, "HttpOnly") || !strings.Contains(line, "Path=/realms/strict/") {
				t.Errorf("%q: %s", origin, line)
			}
		}
	}
}

// S-120: a route without a right is forbidden, for everybody who is nobody.
func TestAdminAPIDeniesByDefault(t *testing.T) {
	s := start(t, nil)
	alice := s.token("lenient", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {alicesPass}}).text("access_token")
	for _, path := range []string{"realms", "realms/lenient", "realms/strict", "realms/master", "realms/lenient/users", "realms/lenient/clients", "realms/lenient/roles",
		"realms/lenient/client-scopes", "realms/lenient/users/count"} {
		for name, c := range map[string]struct {
			token string
			want  int
		}{"nobody": {"", 401}, "nonsense": {"x.y.z", 401}, "an ordinary user": {alice, 403}} {
			header := []string{}
			if c.token != "" {
				header = []string{"Authorization", "Bearer " + c.token}
			}
			if a := s.get(s.browser(), s.url+"/admin/"+path, header...); a.status != c.want {
				t.Errorf("%s at %s: %d %s", name, path, a.status, a.body)
			}
		}
	}
}

func TestAdminOfOneRealmSeesNoOther(t *testing.T) {
	s := start(t, nil)
	ctx := t.Context()
	realm, err := s.store.RealmByName(ctx, "lenient")
	if err != nil {
		t.Fatal(err)
	}
	u, err1 := s.store.UserByUsername(ctx, realm.ID, "alice")
	table, err2 := s.store.Roles(ctx, realm.ID)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for id, r := range table.ByID {
		if r.Name == "view-users" {
			if err := s.store.SetUserRoles(ctx, realm.ID, u.ID, []string{id}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	bearer := "Bearer " + s.token("lenient", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {alicesPass}}).text("access_token")
	for path, want := range map[string]int{"realms/lenient/users": 200, "realms/strict/users": 403, "realms/master/users": 403, "realms/lenient/clients": 403} {
		if a := s.get(s.browser(), s.url+"/admin/"+path, "Authorization", bearer); a.status != want {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := s.send(s.browser(), http.MethodPost, s.url+"/admin/realms/lenient/users", url.Values{}, "Authorization", bearer); a.status != 403 {
		t.Errorf("who may look may change: %d", a.status)
	}
}

// S-120: whoever may manage users must not become administrator by it.
func TestS120ManagingUsersIsNoWayUp(t *testing.T) {
	s := start(t, nil)
	doc := `{"realm":"up","enabled":true,"clients":[{"clientId":"app","secret":"` + appSecret + `","directAccessGrantsEnabled":true}],
		"roles":{"realm":[{"name":"harmless"},{"name":"hidden","composite":true,"composites":{"client":{"realm-management":["realm-admin"]}}}]},
		"groups":[{"name":"bosses","clientRoles":{"realm-management":["realm-admin"]},"subGroups":[{"name":"below"}]},{"name":"staff"}],
		"users":[{"username":"alice","enabled":true,"email":"alice@example.com","firstName":"A","lastName":"L","clientRoles":{"realm-management":["manage-users","view-users"]},"credentials":[{"type":"password","value":"` + alicesPass + `"}]},
			{"username":"boss","enabled":true,"clientRoles":{"realm-management":["realm-admin"]}},{"username":"bob","enabled":true}]}`
	if _, err := s.manage.CreateRealm(t.Context(), []byte(doc), false); err != nil {
		t.Fatal(err)
	}
	in, err := s.store.RealmByName(t.Context(), "up")
	if err != nil {
		t.Fatal(err)
	}
	table, err := s.store.Roles(t.Context(), in.ID)
	if err != nil {
		t.Fatal(err)
	}
	role := map[string]string{}
	for id, r := range table.ByID {
		role[r.Name] = id
	}
	id := func(name string) string {
		u, err := s.store.UserByUsername(t.Context(), in.ID, name)
		if err != nil {
			t.Fatal(err)
		}
		return u.ID
	}
	management, err := s.store.ClientByClientID(t.Context(), in.ID, "realm-management")
	if err != nil {
		t.Fatal(err)
	}
	bearer := "Bearer " + s.token("up", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {alicesPass}}).text("access_token")
	for _, c := range []struct {
		name, method, path, body string
		want                     int
	}{
		{"a harmless role", "POST", "/users/" + id("bob") + "/role-mappings/realm", `[{"id":"` + role["harmless"] + `"}]`, 204},
		{"a role she has herself", "POST", "/users/" + id("bob") + "/role-mappings/clients/" + management.ID, `[{"id":"` + role["view-users"] + `"}]`, 204},
		{"a right of the realm", "POST", "/users/" + id("alice") + "/role-mappings/clients/" + management.ID, `[{"id":"` + role["realm-admin"] + `"}]`, 403},
		{"a composite that contains it", "POST", "/users/" + id("alice") + "/role-mappings/realm", `[{"id":"` + role["hidden"] + `"}]`, 403},
		{"a new user in a group that has it", "POST", "/users", `{"username":"mallory","groups":["/bosses"]}`, 403},
		{"a new user in a group below it", "POST", "/users", `{"username":"mallory","groups":["bosses/below"]}`, 403},
		{"a new user in another group", "POST", "/users", `{"username":"carol","groups":["/staff"]}`, 201},
		{"the administrator's password", "PUT", "/users/" + id("boss") + "/reset-password", `{"type":"password","value":"x"}`, 403},
		{"the administrator's address", "PUT", "/users/" + id("boss"), `{"email":"mallory@example.com"}`, 403},
		{"the administrator's end", "DELETE", "/users/" + id("boss"), ``, 403},
		{"an ordinary user's password", "PUT", "/users/" + id("bob") + "/reset-password", `{"type":"password","value":"x"}`, 204},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, s.url+"/admin/realms/up"+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", bearer)
			req.Header.Set("Content-Type", "application/json")
			resp, err := s.browser().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != c.want {
				t.Errorf("got %d, want %d", resp.StatusCode, c.want)
			}
		})
	}
}

// S-81: a flood of logins leaves everything else alive.
func TestS81AFloodOfLoginsLeavesTheRestAlive(t *testing.T) {
	s := start(t, func(c *provider.Config) {
		c.Workers, c.Cost = 1, password.Cost{MemoryKiB: 32 << 10, Time: 4, Threads: 1}
	})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var busy, tried atomic.Int64
	for range 100 { // each hash far longer than its hundredth of the longest wait
		wg.Go(func() {
			for ctx.Err() == nil {
				a := s.token("lenient", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"wrong"}})
				tried.Add(1)
				if a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "" {
					busy.Add(1)
				}
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	var took []time.Duration
	for range 20 {
		began := time.Now()
		if a := s.get(s.browser(), s.oidc("strict", "certs")); a.status != 200 {
			t.Errorf("keys: %d", a.status)
		}
		took = append(took, time.Since(began))
	}
	if slices.Sort(took); took[10] > time.Second { // the middle one: a busy machine may hold up some
		t.Errorf("keys took %v", took)
	}
	for end := time.Now().Add(30 * time.Second); busy.Load() == 0 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	wg.Wait()
	if busy.Load() == 0 {
		t.Errorf("of %d logins none was told to come again", tried.Load())
	}
}

func TestImportedHashesLogIn(t *testing.T) {
	s := start(t, nil)
	ctx := t.Context()
	h := `{"realm":"imported","enabled":true,"clients":[{"clientId":"app","secret":"` + appSecret + `","directAccessGrantsEnabled":true}],"users":[{"username":"dave","enabled":true,"email":"dave@example.com","firstName":"D","lastName":"B","credentials":[
		{"type":"password","secretData":"{\"value\":\"lVHAWeLn/uhMXHO6rsd5ZR5FNw7qAK67yR0yqg3jH5poSr6DPu97DY4zCilMG7ZO3v0TtLVd45+2IS4hfhajUw==\",\"salt\":\"LatIpC6tapN/GuYZRv0Lug==\",\"additionalParameters\":{}}",
		"credentialData":"{\"hashIterations\":20000,\"algorithm\":\"pbkdf2\",\"additionalParameters\":{}}"}]}]}`
	if _, _, err := s.manage.Import(ctx, []byte(h), nil); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time with the better hash that the first has stored
		if a := s.token("imported", url.Values{"grant_type": {"password"}, "username": {"dave"}, "password": {"dave-password"}}); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	realm, err := s.store.RealmByName(ctx, "imported")
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.store.UserByUsername(ctx, realm.ID, "dave")
	if err != nil {
		t.Fatal(err)
	}
	creds, err := s.store.Credentials(ctx, realm.ID, u.ID)
	if err != nil || len(creds) != 1 || !strings.Contains(creds[0].Data, "argon2") {
		t.Errorf("the hash was not made better: %v %v", creds, err)
	}
}

func TestAPolicyThatIsNotEnforcedRefusesTheLogin(t *testing.T) {
	s := start(t, nil)
	if err := s.manage.UpdateRealm(t.Context(), "lenient", []byte(`{"passwordPolicy":"forceExpiredPasswordChange(30)"}`)); err != nil {
		t.Fatal(err)
	}
	c := s.browser()
	a := s.send(c, http.MethodPost, formAction(t, s.get(c, s.authURL("lenient", nil))), url.Values{"username": {"alice"}, "password": {alicesPass}})
	if a.status != 403 || !strings.Contains(a.body, "unenforced_policy") || !strings.Contains(a.body, "passwordPolicy") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if g := s.token("lenient", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {alicesPass}}); g.status != 403 {
		t.Errorf("another grant lets it through: %d %s", g.status, g.body)
	}
	realm, err := s.store.RealmByName(t.Context(), "lenient")
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.store.UserByUsername(t.Context(), realm.ID, "alice")
	if err != nil {
		t.Fatal(err)
	}
	if left, err := s.store.UserSessions(t.Context(), realm.ID, u.ID); err != nil || len(left) != 0 {
		t.Errorf("%d sessions are left of refused logins, %v", len(left), err)
	}
}

// I9: however many try side by side, no more than the limit are looked at.
func TestI9LockoutHoldsUnderParallelTries(t *testing.T) {
	s := start(t, nil)
	if err := s.manage.UpdateRealm(t.Context(), "lenient", []byte(`{"bruteForceProtected":true,"failureFactor":5,"quickLoginCheckMilliSeconds":0,"waitIncrementSeconds":60}`)); err != nil {
		t.Fatal(err)
	}
	try := func(pw string) answer {
		return s.token("lenient", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {pw}})
	}
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() { wantError(t, try("wrong"), 400, "invalid_grant", "Invalid user credentials") })
	}
	wg.Wait()
	looked := 0
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "msg=event") && strings.Contains(line, "wrong password") {
			looked++
		}
	}
	if looked != 5 {
		t.Errorf("%d passwords were looked at, the limit is 5", looked)
	}
	wantError(t, try(alicesPass), 400, "invalid_grant", "Invalid user credentials")
	c := s.browser()
	if a := s.send(c, http.MethodPost, formAction(t, s.get(c, s.authURL("lenient", nil))), url.Values{"username": {"alice"}, "password": {alicesPass}}); a.status != 200 ||
		!strings.Contains(a.body, "Invalid username or password.") {
		t.Errorf("the page: %d", a.status)
	}
	s.clock.move(61 * time.Second)
	if a := try(alicesPass); a.status != 200 {
		t.Errorf("after the wait: %d %s", a.status, a.body)
	}
}

// S-82: neither words nor time tell whether a user exists. The bound is wide
// because machines are noisy; leaving the hash out would be ten times faster.
func TestS82UnknownUsersCostTheSame(t *testing.T) {
	s := start(t, func(c *provider.Config) { c.Cost = password.Cost{MemoryKiB: 7168, Time: 2, Threads: 1} })
	if _, err := s.manage.CreateRealm(t.Context(), []byte(`{"realm":"costly","enabled":true,"clients":[{"clientId":"app","secret":"`+appSecret+`","directAccessGrantsEnabled":true}],
		"users":[{"username":"alice","enabled":true,"credentials":[{"type":"password","value":"x"}]},{"username":"nopassword","enabled":true}]}`), false); err != nil {
		t.Fatal(err)
	}
	// A machine that does other things makes a try longer, never shorter: the least of
	// many tries counts, and more are made until it has settled. What costs no hash
	// never gets there.
	least := map[string]time.Duration{}
	apart := func() bool {
		for _, d := range least {
			if ratio := float64(d) / float64(least["alice"]); ratio < 0.5 || ratio > 2 {
				return true
			}
		}
		return false
	}
	for n := 0; n < 5 || n < 200 && apart(); n++ {
		for _, name := range []string{"alice", "nobody", "nopassword", "service-account-app"} {
			began := time.Now()
			wantError(t, s.token("costly", url.Values{"grant_type": {"password"}, "username": {name}, "password": {"wrong"}}), 400, "invalid_grant", "Invalid user credentials")
			if d := time.Since(began); least[name] == 0 || d < least[name] {
				least[name] = d
			}
		}
	}
	if apart() {
		t.Errorf("the times differ: %v", least)
	}
}

func TestIntrospectionAndRevocation(t *testing.T) {
	s := start(t, nil)
	ask := func(realm, endpoint, client, token string, more url.Values) answer {
		form := url.Values{"client_id": {client}, "client_secret": {appSecret}, "token": {token}}
		for k, v := range more {
			form[k] = v
		}
		return s.send(s.browser(), http.MethodPost, s.oidc(realm, endpoint), form)
	}
	tokens := s.exchange("strict", s.code(s.browser(), "strict", nil))
	access, refresh := tokens.text("access_token"), tokens.text("refresh_token")
	refreshHint := url.Values{"token_type_hint": {"refresh_token"}}
	if a := ask("strict", "token/introspect", "app", access, nil); a.json["active"] != true || a.text("username") != "alice" || a.text("client_id") != "app" {
		t.Errorf("its own token in the strict profile: %s", a.body)
	}
	if a := ask("strict", "token/introspect", "app", refresh, refreshHint); a.json["active"] != true || a.json["reuse_id"] != nil {
		t.Errorf("its own refresh token: %s", a.body)
	}
	for name, a := range map[string]answer{
		"another client":                  ask("strict", "token/introspect", "other", access, nil),
		"another client, a refresh token": ask("strict", "token/introspect", "other", refresh, refreshHint),
		"another realm":                   ask("lenient", "token/introspect", "app", access, nil),
		"nonsense":                        ask("strict", "token/introspect", "app", "x.y.z", nil),
		"an ID token":                     ask("strict", "token/introspect", "app", tokens.text("id_token"), nil),
		"its own, which Keycloak's profile hides": ask("lenient", "token/introspect", "app", s.exchange("lenient", s.code(s.browser(), "lenient", nil)).text("access_token"), nil),
	} {
		if a.status != 200 || strings.TrimSpace(a.body) != `{"active":false}` {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	wantError(t, ask("strict", "token/introspect", "app", access, url.Values{"client_secret": {"wrong"}}), 401, "invalid_client", "Client authentication failed.")
	wantError(t, ask("strict", "token/introspect", "spa", access, nil), 403, "invalid_request", "Client not allowed.")
	wantError(t, ask("strict", "revoke", "other", access, nil), 400, "invalid_request", "Unmatching clients")
	wantError(t, ask("strict", "revoke", "other", refresh, nil), 400, "invalid_request", "Unmatching clients")
	for name, form := range map[string]url.Values{"revoke: no secret": {"client_secret": nil}, "revoke: a wrong secret": {"client_secret": {"wrong"}}, "revoke: no client": {"client_id": nil}} {
		if a := ask("strict", "revoke", "app", access, form); a.status != 401 || a.text("error") == "" || s.userinfo("strict", access) != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := ask("strict", "revoke", "app", "x.y.z", url.Values{"token_type_hint": {"x"}}); a.status != 200 {
		t.Errorf("nonsense is revoked: %d %s", a.status, a.body)
	}
	if a := ask("strict", "revoke", "app", access, nil); a.status != 200 || a.body != "" {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
	if a := s.get(s.browser(), s.oidc("strict", "userinfo"), "Authorization", "Bearer "+access); a.status != 401 {
		t.Errorf("a revoked token at userinfo: %d", a.status)
	}
	next := s.refresh("strict", refresh)
	if next.status != 200 {
		t.Errorf("the refresh token lives on: %s", next.body)
	}
	ask("strict", "revoke", "app", next.text("refresh_token"), nil)
	if a := s.refresh("strict", next.text("refresh_token")); a.status != 400 {
		t.Errorf("a revoked refresh token: %d", a.status)
	}
	if got := s.userinfo("strict", next.text("access_token")); got != 401 {
		t.Errorf("the access token beside a revoked refresh token: %d", got)
	}
}

func BenchmarkDiscovery(b *testing.B) {
	s := start(b, nil)
	c := &http.Client{}
	for b.Loop() {
		s.get(c, s.url+"/realms/strict/.well-known/openid-configuration")
	}
}

func BenchmarkBareHandler(b *testing.B) {
	doc, err := json.Marshal(map[string]string{"a": strings.Repeat("x", 2500)})
	if err != nil {
		b.Fatal(err)
	}
	s := &server{t: b}
	bare := newBare(doc)
	defer bare.Close()
	c := &http.Client{}
	for b.Loop() {
		s.get(c, bare.URL)
	}
}

// BenchmarkLogin is a whole login: page, form, code, tokens, at full cost.
func BenchmarkLogin(b *testing.B) {
	s := start(b, func(c *provider.Config) { c.Cost = password.Keycloak() })
	for b.Loop() {
		if a := s.exchange("strict", s.code(s.browser(), "strict", nil)); a.status != 200 {
			b.Fatal(a.body)
		}
	}
}
