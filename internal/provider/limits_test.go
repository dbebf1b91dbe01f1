package provider_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/realm"
)

// change edits realm "lenient" behind everything.
func (s *server) change(edit func(*realm.Realm)) {
	s.t.Helper()
	in, err := s.store.RealmByName(s.t.Context(), "lenient")
	if err != nil {
		s.t.Fatal(err)
	}
	edited := *in
	edit(&edited)
	if err := s.store.UpdateRealm(s.t.Context(), &edited); err != nil {
		s.t.Fatal(err)
	}
}

// C17, CVE-2025-11429: remember-me switched off holds for those who are there.
func TestC17RememberMeSwitchedOff(t *testing.T) {
	s := start(t, nil)
	s.change(func(r *realm.Realm) { r.RememberMe = true })
	remembered, plain := s.browser(), s.browser()
	page := s.get(remembered, s.authURL("lenient", nil))
	done := s.send(remembered, http.MethodPost, formAction(t, page), url.Values{"username": {"alice"}, "password": {alicesPass}, "rememberMe": {"on"}})
	tokens := s.exchange("lenient", done.location.Query().Get("code"))
	s.code(plain, "lenient", nil)

	s.change(func(r *realm.Realm) { r.RememberMe = false })
	wantError(t, s.refresh("lenient", tokens.text("refresh_token")), 400, "invalid_grant", "Session not active")
	if a := s.get(s.browser(), s.oidc("lenient", "userinfo"), "Authorization", "Bearer "+tokens.text("access_token")); a.status != 401 {
		t.Errorf("userinfo: %d", a.status)
	}
	silent := s.authURL("lenient", url.Values{"prompt": {"none"}})
	if a := s.get(remembered, silent); a.location.Query().Get("error") != "login_required" {
		t.Errorf("single sign-on: %v", a.location)
	}
	if a := s.get(plain, silent); a.location.Query().Get("code") == "" {
		t.Errorf("a session of the browser ended too: %v", a.location)
	}
}

// Remember-me sessions live by their own limits where those are longer, and their
// cookie outlives the browser; the others' does not.
func TestRememberMeLivesByItsOwnLimits(t *testing.T) {
	s := start(t, nil)
	s.change(func(r *realm.Realm) {
		r.RememberMe = true
		r.Lifespans.SSOSessionIdle, r.Lifespans.SSOSessionIdleRememberMe = 1800, 7200
		r.Lifespans.SSOSessionMax, r.Lifespans.SSOSessionMaxRememberMe = 36000, 72000
	})
	for _, c := range []struct {
		name     string
		remember string
		idle     float64
		keep     int
		later    map[time.Duration]bool // does the session live then?
	}{
		{"not remembered", "", 1800, 0, map[time.Duration]bool{29 * time.Minute: true, 31 * time.Minute: false}},
		{"remembered", "on", 7200, 72000, map[time.Duration]bool{119 * time.Minute: true, 121 * time.Minute: false}},
	} {
		for after, lives := range c.later {
			t.Run(c.name+" after "+after.String(), func(t *testing.T) {
				b := s.browser()
				page := s.get(b, s.authURL("lenient", nil))
				done := s.send(b, http.MethodPost, formAction(t, page), url.Values{"username": {"alice"}, "password": {alicesPass}, "rememberMe": {c.remember}})
				for _, ck := range (&http.Response{Header: done.header}).Cookies() {
					if ck.Name == "KEYCLOAK_IDENTITY" && ck.MaxAge != c.keep {
						t.Errorf("the cookie is kept for %d seconds, want %d", ck.MaxAge, c.keep)
					}
				}
				tokens := s.exchange("lenient", done.location.Query().Get("code"))
				if got := tokens.json["refresh_expires_in"]; got != c.idle {
					t.Errorf("the refresh token lives %v, want %v", got, c.idle)
				}
				s.clock.move(after)
				defer s.clock.move(-after)
				if a := s.refresh("lenient", tokens.text("refresh_token")); (a.status == 200) != lives {
					t.Errorf("refresh: %d %s", a.status, a.body)
				}
			})
		}
	}
}

// A client's part of a session may be shorter than the session; single sign-on
// begins another one.
func TestAClientsPartOfASessionEnds(t *testing.T) {
	s := start(t, nil)
	s.change(func(r *realm.Realm) { r.Lifespans.ClientSessionMax = 120 })
	b := s.browser()
	tokens := s.exchange("lenient", s.code(b, "lenient", nil))
	about(t, tokens, 120)
	s.clock.move(100 * time.Second)
	again := s.refresh("lenient", tokens.text("refresh_token"))
	about(t, again, 20)
	s.clock.move(21 * time.Second)
	wantError(t, s.refresh("lenient", again.text("refresh_token")), 400, "invalid_grant", "Token is not active")
	about(t, s.exchange("lenient", s.code(b, "lenient", nil)), 120)
}

// about: both tokens live so many seconds, less what has passed since.
func about(t *testing.T, a answer, seconds float64) {
	t.Helper()
	for _, name := range []string{"expires_in", "refresh_expires_in"} {
		if got, _ := a.json[name].(float64); got > seconds || got < seconds-10 {
			t.Errorf("%s is %v, want %v", name, a.json[name], seconds)
		}
	}
}

// A limit that is set later holds for the tokens that are out.
func TestAClientsPartOfASessionEndsByALaterLimit(t *testing.T) {
	s := start(t, nil)
	tokens := s.exchange("lenient", s.code(s.browser(), "lenient", nil))
	s.clock.move(100 * time.Second)
	s.change(func(r *realm.Realm) { r.Lifespans.ClientSessionMax = 60 })
	wantError(t, s.refresh("lenient", tokens.text("refresh_token")), 400, "invalid_grant", "Session not active")
}

// A stolen token that rotation has replaced does not come back when rotation is
// switched off.
func TestAnOldGenerationStaysDeadWithoutRotation(t *testing.T) {
	s := start(t, nil)
	s.change(func(r *realm.Realm) { r.RevokeRefreshToken = true })
	first := s.exchange("lenient", s.code(s.browser(), "lenient", nil)).text("refresh_token")
	second := s.refresh("lenient", first).text("refresh_token")
	s.change(func(r *realm.Realm) { r.RevokeRefreshToken = false })
	if a := s.refresh("lenient", second); a.status != 200 {
		t.Errorf("the newest one: %d %s", a.status, a.body)
	}
	wantError(t, s.refresh("lenient", first), 400, "invalid_grant", "Maximum allowed refresh token reuse exceeded")
	wantError(t, s.refresh("lenient", second), 400, "invalid_grant", "Session doesn't have required client")
}

// What Keycloak's realm says about reuse: so many uses beyond the first.
func TestRefreshTokenMaxReuse(t *testing.T) {
	s := start(t, nil)
	s.change(func(r *realm.Realm) { r.RevokeRefreshToken, r.RefreshTokenMaxReuse = true, 2 })
	token := s.exchange("lenient", s.code(s.browser(), "lenient", nil)).text("refresh_token")
	for range 3 {
		if a := s.refresh("lenient", token); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	wantError(t, s.refresh("lenient", token), 400, "invalid_grant", "Maximum allowed refresh token reuse exceeded")
}

// Permanent lockout is not enforced: with brute force protection it refuses every
// login, and says so; without it it means nothing.
func TestPermanentLockoutRefuses(t *testing.T) {
	for _, c := range []struct {
		protected bool
		status    int
	}{{false, 200}, {true, 403}} {
		s := start(t, nil)
		s.change(func(r *realm.Realm) { r.BruteForce.PermanentLockout, r.BruteForce.Protected = true, c.protected })
		a := s.token("lenient", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {alicesPass}})
		if a.status != c.status {
			t.Errorf("protected %v: %d %s", c.protected, a.status, a.body)
		}
		if _, err := s.manage.CreateRealm(t.Context(), mustJSON(t, map[string]any{"realm": "new", "permanentLockout": true, "bruteForceProtected": c.protected}), false); err != nil {
			t.Errorf("the admin API's way: %v", err)
		}
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// H5: however somebody spells an account, it is one account.
func TestH5SpellingsShareOneCounter(t *testing.T) {
	s := start(t, nil)
	s.change(func(r *realm.Realm) {
		r.BruteForce.Protected, r.BruteForce.FailureFactor, r.BruteForce.QuickLoginCheckMillis = true, 4, 0
	})
	try := func(name, pw string) answer {
		return s.token("lenient", url.Values{"grant_type": {"password"}, "username": {name}, "password": {pw}})
	}
	for _, name := range []string{"alice", "ALICE", " alice ", "Alice@Example.com"} {
		wantError(t, try(name, "wrong"), 400, "invalid_grant", "Invalid user credentials")
	}
	for _, name := range []string{"alice", "alice@example.com"} {
		wantError(t, try(name, alicesPass), 400, "invalid_grant", "Invalid user credentials")
	}
}

// Tries for nobody are written too (S-82), lock nobody out and fill no disk.
func TestTriesForNobodyAreCountedAndBounded(t *testing.T) {
	s := start(t, nil)
	s.change(func(r *realm.Realm) { r.BruteForce.Protected, r.BruteForce.FailureFactor = true, 1 })
	in, err := s.store.RealmByName(t.Context(), "lenient")
	if err != nil {
		t.Fatal(err)
	}
	rows := func() (n, tries int) {
		for i := range 256 {
			f, err := s.store.FailedLogins(t.Context(), in.ID, fmt.Sprintf("nobody-%02x", i))
			if err != nil {
				t.Fatal(err)
			}
			if f.Count > 0 {
				n, tries = n+1, tries+f.Count
			}
		}
		return n, tries
	}
	const names = 600
	for i := range names {
		if err := s.store.CountNobody(t.Context(), in.ID, fmt.Sprint("nobody", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n, tries := rows(); tries != names || n < 128 {
		t.Errorf("%d tries in %d rows", tries, n)
	}
	for range 3 {
		wantError(t, s.token("lenient", url.Values{"grant_type": {"password"}, "username": {"nobody"}, "password": {"x"}}), 400, "invalid_grant", "Invalid user credentials")
	}
	if _, tries := rows(); tries != names+3 {
		t.Errorf("%d tries, want %d: the password grant counts none for nobody", tries, names+3)
	}
}

// use.refresh.tokens: a client that wants none gets none, and its session ends like any other.
func TestAClientWithoutRefreshTokens(t *testing.T) {
	s := start(t, nil)
	s.byAdmin(t, http.MethodPut, "clients/"+s.clientID(t), map[string]any{"clientId": "app", "attributes": map[string]string{"use.refresh.tokens": "false"}})
	b := s.browser()
	tokens := s.exchange("lenient", s.code(b, "lenient", nil))
	if tokens.text("refresh_token") != "" || tokens.json["refresh_expires_in"] != 0.0 || tokens.text("access_token") == "" || tokens.text("session_state") == "" {
		t.Errorf("%s", tokens.body)
	}
	s.get(b, s.oidc("lenient", "logout")+"?"+url.Values{"id_token_hint": {tokens.text("id_token")}}.Encode())
	if a := s.get(s.browser(), s.oidc("lenient", "userinfo"), "Authorization", "Bearer "+tokens.text("access_token")); a.status != 401 {
		t.Errorf("after the logout: %d", a.status)
	}
}

// Whoever is remembered and proves themselves once more stays remembered.
func TestReauthenticationKeepsRememberMe(t *testing.T) {
	s := start(t, nil)
	s.change(func(r *realm.Realm) { r.RememberMe = true })
	b := s.browser()
	first := s.get(b, s.authURL("lenient", nil))
	s.send(b, http.MethodPost, formAction(t, first), url.Values{"username": {"alice"}, "password": {alicesPass}, "rememberMe": {"on"}})
	again := s.get(b, s.authURL("lenient", url.Values{"prompt": {"login"}}))
	done := s.send(b, http.MethodPost, formAction(t, again), url.Values{"password": {alicesPass}})
	for _, ck := range (&http.Response{Header: done.header}).Cookies() {
		if ck.Name == "KEYCLOAK_IDENTITY" && ck.MaxAge <= 0 {
			t.Errorf("the cookie ends with the browser: %v", ck)
		}
	}
}

// S-42: a browser is another one after a logout. A login that it had only begun
// goes on; what somebody had proved in it does not.
func TestS42LogoutRenewsTheBrowser(t *testing.T) {
	s := start(t, nil)
	b := s.browser()
	begun := formAction(t, s.get(b, s.authURL("lenient", nil)))
	tokens := s.exchange("lenient", s.code(b, "lenient", nil))
	out := s.get(b, s.oidc("lenient", "logout")+"?"+url.Values{"id_token_hint": {tokens.text("id_token")}}.Encode())
	values := map[string]string{}
	for _, ck := range (&http.Response{Header: out.header}).Cookies() {
		values[ck.Name] = ck.Value
	}
	if values["AUTH_SESSION_ID"] == "" || values["KEYCLOAK_IDENTITY"] != "" || values["KEYCLOAK_SESSION"] != "" {
		t.Errorf("cookies: %v", values)
	}
	page := s.send(b, http.MethodPost, begun, url.Values{"username": {"alice"}, "password": {alicesPass}})
	if page.status != 200 || !strings.Contains(page.body, "kc-form-login") { // its form token is of the old browser: shown anew
		t.Fatalf("a login that was begun: %d %s", page.status, page.body)
	}
	if done := s.send(b, http.MethodPost, formAction(t, page), url.Values{"username": {"alice"}, "password": {alicesPass}}); done.status != 302 {
		t.Errorf("%d %s", done.status, done.body)
	}

	s.byAdmin(t, http.MethodPut, "users/"+s.userID(t, "alice"), map[string]any{"requiredActions": []string{"UPDATE_PASSWORD"}})
	two := s.browser()
	proved := s.send(two, http.MethodPost, formAction(t, s.get(two, s.authURL("lenient", nil))), url.Values{"username": {"alice"}, "password": {alicesPass}})
	if proved.status != 302 || !strings.Contains(proved.location.Path, "required-action") {
		t.Fatalf("%d %v", proved.status, proved.location)
	}
	s.get(two, s.oidc("lenient", "logout")+"?"+url.Values{"id_token_hint": {tokens.text("id_token")}}.Encode())
	if after := s.get(two, proved.location.String()); after.status != 400 {
		t.Errorf("what was proved before the logout goes on: %d", after.status)
	}
}

// A client that asks for a signed answer gets one that can be mistaken for nothing
// else, or none at all.
func TestUserinfoIsSignedForWhoAsks(t *testing.T) {
	s := start(t, nil)
	ask := func(algorithm string) (answer, string) {
		s.byAdmin(t, http.MethodPut, "clients/"+s.clientID(t), map[string]any{"clientId": "app", "attributes": map[string]string{"user.info.response.signature.alg": algorithm}})
		access := s.exchange("lenient", s.code(s.browser(), "lenient", nil)).text("access_token")
		return s.get(s.browser(), s.oidc("lenient", "userinfo"), "Authorization", "Bearer "+access), access
	}
	for _, algorithm := range []string{"RS256", "ES256"} {
		a, access := ask(algorithm)
		header, claims, err := jose.Unverified(a.body)
		if err != nil || a.header.Get("Content-Type") != "application/jwt" || header.Algorithm != algorithm || claims["aud"] != "app" || claims["iss"] != s.url+"/realms/lenient" ||
			claims["email"] != "alice@example.com" || claims["exp"] != nil || claims["typ"] != nil {
			t.Errorf("%s: %s %+v %v %v", algorithm, a.header.Get("Content-Type"), header, claims, err)
		}
		if again := s.get(s.browser(), s.oidc("lenient", "userinfo"), "Authorization", "Bearer "+a.body); again.status != 401 || a.body == access {
			t.Errorf("%s: the answer is taken for an access token: %d", algorithm, again.status)
		}
	}
	if a, _ := ask("unsigned"); a.text("email") != "alice@example.com" {
		t.Errorf("unsigned: %d %s", a.status, a.body)
	}
	for _, algorithm := range []string{"none", "HS256", "nonsense"} {
		if a, _ := ask(algorithm); a.status != 500 || strings.Contains(a.body, "alice") {
			t.Errorf("%s: %d %s", algorithm, a.status, a.body)
		}
	}
}

// A token that was made without claims gets none at userinfo either.
func TestALightweightTokenIsNotForUserinfo(t *testing.T) {
	s := start(t, nil)
	s.byAdmin(t, http.MethodPut, "clients/"+s.clientID(t), map[string]any{"clientId": "app", "attributes": map[string]string{"client.use.lightweight.access.token.enabled": "true"}})
	access := s.exchange("lenient", s.code(s.browser(), "lenient", nil)).text("access_token")
	a := s.get(s.browser(), s.oidc("lenient", "userinfo"), "Authorization", "Bearer "+access)
	if a.status != 401 || !strings.Contains(a.header.Get("WWW-Authenticate"), "Lightweight access token not allowed") {
		t.Errorf("%d %v", a.status, a.header)
	}
}

// An audience mapper adds readers to the ID token; as a hint for a logout it stays
// the token of the client that it was made for.
func TestFurtherAudiencesOfAnIDToken(t *testing.T) {
	s := start(t, nil)
	s.byAdmin(t, http.MethodPut, "clients/"+s.clientID(t), map[string]any{"clientId": "app", "protocolMappers": []map[string]any{{"name": "aud", "protocol": "openid-connect",
		"protocolMapper": "oidc-audience-mapper", "config": map[string]string{"id.token.claim": "true", "included.client.audience": "other"}}}})
	b := s.browser()
	hint := s.exchange("lenient", s.code(b, "lenient", nil)).text("id_token")
	_, claims, err := jose.Unverified(hint)
	if aud, _ := claims["aud"].([]any); err != nil || len(aud) != 2 || aud[0] != "app" || aud[1] != "other" || claims["azp"] != "app" {
		t.Errorf("%v %v", claims, err)
	}
	out := func(client string) answer {
		return s.get(b, s.oidc("lenient", "logout")+"?"+url.Values{"id_token_hint": {hint}, "client_id": {client}}.Encode())
	}
	if a := out("other"); a.status != 400 || !strings.Contains(a.body, "id_token_hint_invalid") {
		t.Errorf("another audience: %d", a.status)
	}
	if a := out("app"); a.status != 200 || !strings.Contains(a.body, "You are logged out") {
		t.Errorf("the client: %d %s", a.status, a.body)
	}
}

// Another node's clock may be behind the one of the node that signed.
func TestWhatAnotherNodeHasJustSignedIsGood(t *testing.T) {
	s := start(t, nil)
	tokens := s.exchange("lenient", s.code(s.browser(), "lenient", nil))
	for _, c := range []struct {
		behind time.Duration
		want   int
	}{{5 * time.Second, 200}, {15 * time.Second, 401}} {
		s.clock.move(-c.behind)
		if got := s.userinfo("lenient", tokens.text("access_token")); got != c.want {
			t.Errorf("%v behind: %d, want %d", c.behind, got, c.want)
		}
		if a := s.refresh("lenient", tokens.text("refresh_token")); (a.status == 200) != (c.want == 200) {
			t.Errorf("%v behind: refresh: %d %s", c.behind, a.status, a.body)
		}
		s.clock.move(c.behind)
	}
}

// S-40: "If the ID Token's sid Claim does not correspond to the RP's current session …
// the OP SHOULD treat the logout request as suspect" (RP-Initiated Logout 1.0, 2). An
// ID token outlives its session; with it alone nobody logs its owner out of the next.
func TestS40AHintOfAnotherSessionAsks(t *testing.T) {
	s := start(t, nil)
	logIn := func() (*http.Client, answer) {
		b := s.browser()
		return b, s.exchange("lenient", s.code(b, "lenient", nil))
	}
	ended, old := logIn()
	s.get(ended, s.oidc("lenient", "logout")+"?"+url.Values{"id_token_hint": {old.text("id_token")}}.Encode())
	_, elsewhere := logIn()
	here, current := logIn()
	for name, hint := range map[string]answer{"a session that has ended": old, "a session in another browser": elsewhere} {
		a := s.get(here, s.oidc("lenient", "logout")+"?"+url.Values{"id_token_hint": {hint.text("id_token")}, "post_logout_redirect_uri": {callback}}.Encode())
		if a.status != 200 || !strings.Contains(a.body, "kc-logout") {
			t.Errorf("%s: %d %v", name, a.status, a.location)
		}
	}
	for name, tokens := range map[string]answer{"this browser": current, "the other one": elsewhere} {
		if a := s.refresh("lenient", tokens.text("refresh_token")); a.status != 200 {
			t.Errorf("the session of %s has ended: %d", name, a.status)
		}
	}
	page := s.get(here, s.oidc("lenient", "logout")+"?"+url.Values{"id_token_hint": {old.text("id_token")}, "post_logout_redirect_uri": {callback}, "state": {"bye"}}.Encode())
	token := regexp.MustCompile(`name="session_code" value="([^"]+)"`).FindStringSubmatch(page.body)
	if token == nil {
		t.Fatalf("no form: %s", page.body)
	}
	done := s.send(here, http.MethodPost, formAction(t, page), url.Values{"session_code": {token[1]}, "confirmLogout": {"Logout"}})
	if done.location == nil || done.location.String() != callback+"?state=bye" {
		t.Errorf("the button: %d %v", done.status, done.location)
	}
	if a := s.refresh("lenient", current.text("refresh_token")); a.status != 400 {
		t.Errorf("after the button: %d", a.status)
	}
}
