package provider_test

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/provider"
	"github.com/latchkey-id/latchkey/internal/store"
	_ "modernc.org/sqlite" // a table is broken from outside
)

// These are the weaknesses of docs/weaknesses.md that no other test had caught.

// S-04, A12, A19, A20, A22: an address that is not registered is never gone to,
// whatever else is wrong with the request or right.
func TestS04NothingRedirectsToAnUnregisteredAddress(t *testing.T) {
	s := start(t, nil)
	changes := map[string]url.Values{"nothing else": nil, "an unknown response_type": {"response_type": {"x"}}, "no response_type": {"response_type": nil},
		"the implicit flow": {"response_type": {"token"}}, "an ID token": {"response_type": {"id_token"}, "nonce": {"n"}}, "the hybrid flow": {"response_type": {"code id_token"}},
		"an unknown scope": {"scope": {"openid nonsense"}}, "prompt=none": {"prompt": {"none"}}, "contradicting prompts": {"prompt": {"none login"}},
		"a request object": {"request": {"e30.e30."}}, "a request_uri": {"request_uri": {"https://evil.example/r"}}, "no PKCE": {"code_challenge": nil},
		"form_post": {"response_mode": {"form_post"}}, "form_post.jwt": {"response_mode": {"form_post.jwt"}}, "fragment": {"response_mode": {"fragment"}}, "an unknown mode": {"response_mode": {"x"}}}
	for _, address := range []string{"https://evil.example/cb", "javascript:alert(1)", "https://app.example/wild/../evil", "https://app.example/wild/%252e%252e/x", "//evil.example/cb"} {
		for name, change := range changes {
			for _, realm := range []string{"strict", "lenient"} {
				q := url.Values{"redirect_uri": {address}}
				for k, v := range change {
					q[k] = v
				}
				a := s.get(s.browser(), s.authURL(realm, q))
				if a.status != 400 || a.location != nil || strings.Contains(a.body, `action="https://evil`) {
					t.Errorf("%s, %s, %s: %d to %v", realm, address, name, a.status, a.location)
				}
			}
		}
	}
	if a := s.get(s.browser(), s.authURL("lenient", url.Values{"redirect_uri": {callback}, "response_type": {"x"}})); a.location == nil {
		t.Error("a registered address is not gone to either: this test would hold for nothing")
	}
}

// A10: what stands in a client's own query never stands for what we answer.
func TestA10TheClientsQueryShadowsNothing(t *testing.T) {
	s := start(t, nil)
	address := "https://app.example/wild/x?code=evil&state=evil&iss=evil&error=evil&session_state=evil&keep=1"
	c := s.browser()
	a := s.get(c, s.authURL("lenient", url.Values{"redirect_uri": {address}}))
	a = s.send(c, http.MethodPost, formAction(t, a), url.Values{"username": {"alice"}, "password": {alicesPass}})
	if a.location == nil {
		t.Fatalf("%d %s", a.status, a.body)
	}
	q := a.location.Query()
	for _, name := range []string{"code", "state", "iss", "session_state"} {
		if len(q[name]) != 1 || q.Get(name) == "evil" {
			t.Errorf("%s is %q", name, q[name])
		}
	}
	if q.Has("error") || q.Get("keep") != "1" {
		t.Errorf("an error of the client's own, or its query lost: %v", q)
	}
	for mode, to := range map[string]string{"fragment": `^https://app\.example/wild/x\?keep=1#state=st&.*code=`, "form_post": `action="https://app\.example/wild/x\?keep=1"`} {
		a = s.get(c, s.authURL("lenient", url.Values{"redirect_uri": {address}, "response_mode": {mode}, "prompt": {"none"}}))
		where := a.body
		if a.location != nil {
			where = a.location.String()
		}
		if !regexp.MustCompile(to).MatchString(where) || strings.Contains(where, "evil") {
			t.Errorf("%s: %s", mode, where)
		}
	}
}

// A14, A25: a logout ends at a registered address or here. C20: a link on a
// foreign page logs nobody out. C21: what was logged out stays out.
func TestA14C20C21Logout(t *testing.T) {
	s := start(t, nil)
	c := s.browser()
	tokens := s.exchange("strict", s.code(c, "strict", nil))
	before := cookies(t, s, c)
	end := s.oidc("strict", "logout")
	for _, target := range []string{"https://evil.example/", "https://app.example/cb/../x", "https://app.example.evil/cb", "https://app.example@evil.example/cb", `https://app.example\@evil.example/cb`,
		"//evil.example", "javascript:alert(1)", "https://app.example/%2e%2e/cb"} {
		a := s.get(c, end+"?"+url.Values{"id_token_hint": {tokens.text("id_token")}, "post_logout_redirect_uri": {target}}.Encode())
		if a.location != nil {
			t.Errorf("%s: on to %v", target, a.location)
		}
	}
	for _, query := range []string{"", "?post_logout_redirect_uri=" + url.QueryEscape(callback) + "&client_id=app", "?id_token_hint=x.y.z"} {
		a := s.get(c, end+query, "Sec-Fetch-Site", "cross-site")
		if a.location != nil || s.get(c, s.authURL("strict", url.Values{"prompt": {"none"}})).location.Query().Get("code") == "" {
			t.Errorf("%q: a link logs out: %d %v", query, a.status, a.location)
		}
	}
	a := s.get(c, end+"?"+url.Values{"id_token_hint": {tokens.text("id_token")}, "post_logout_redirect_uri": {callback}}.Encode())
	if a.location == nil || !strings.HasPrefix(a.location.String(), callback) {
		t.Fatalf("the right logout: %d %v %s", a.status, a.location, a.body)
	}
	old := s.browser() // somebody who has kept the cookies
	u, err := url.Parse(s.url + "/realms/strict/")
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range before {
		old.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: v, Path: "/realms/strict/"}})
	}
	if a := s.get(old, s.authURL("strict", url.Values{"prompt": {"none"}})); a.location == nil || a.location.Query().Get("error") != "login_required" {
		t.Errorf("the old cookies: %v", a.location)
	}
	if a := s.refresh("strict", tokens.text("refresh_token")); a.status != 400 {
		t.Errorf("refresh after the logout: %d", a.status)
	}
}

// S-40: an ID token for several clients is a hint for the one that it was issued to.
func TestS40AHintForSeveralIsTheIssuedClients(t *testing.T) {
	s := start(t, nil)
	s.alter("clients", "lenient", `{"protocolMappers":[{"name":"aud","protocol":"openid-connect","protocolMapper":"oidc-audience-mapper","config":{"included.client.audience":"other","id.token.claim":"true"}}]}`)
	c := s.browser()
	hint := s.exchange("lenient", s.code(c, "lenient", nil)).text("id_token")
	if _, claims, err := jose.Unverified(hint); err != nil || len(claims["aud"].([]any)) != 2 {
		t.Fatalf("aud %v, %v", claims["aud"], err)
	}
	ask := func(client string) answer {
		q := url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {callback}}
		if client != "" {
			q.Set("client_id", client)
		}
		return s.get(c, s.oidc("lenient", "logout")+"?"+q.Encode())
	}
	if a := ask("other"); a.status != 400 || a.location != nil {
		t.Errorf("for a client that is only in aud: %d %v", a.status, a.location)
	}
	if a := ask(""); a.location == nil || !strings.HasPrefix(a.location.String(), callback) {
		t.Errorf("for its own: %d %v", a.status, a.location)
	}
}

// B6, B7: a code and a refresh token are the client's that they were given to,
// and a code works in its time: one cell of the table passes.
func TestB6B7CodesAndRefreshTokensAreBound(t *testing.T) {
	s := start(t, nil)
	redeem := func(client, code string) int {
		return s.token("lenient", url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}).status
	}
	for _, c := range []struct {
		client string
		late   bool
		want   int
	}{{"app", false, 200}, {"app", true, 400}, {"other", false, 400}, {"other", true, 400}} {
		code := s.code(s.browser(), "lenient", nil)
		if c.late {
			s.clock.move(61 * time.Second)
		}
		if got := redeem(c.client, code); got != c.want {
			t.Errorf("client %s, late %v: %d", c.client, c.late, got)
		}
	}
	refresh := s.exchange("lenient", s.code(s.browser(), "lenient", nil)).text("refresh_token")
	for name, form := range map[string]url.Values{"another client": {"client_id": {"other"}}, "a public client": {"client_id": {"spa"}, "client_secret": {""}},
		"without a secret (C26)": {"client_secret": {""}}, "with another secret (C26)": {"client_secret": {"x"}}} {
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", refresh)
		if a := s.token("lenient", form); a.status == 200 || a.text("access_token") != "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := s.refresh("lenient", refresh); a.status != 200 {
		t.Errorf("its own client, afterwards: %d %s", a.status, a.body)
	}
}

// B9, B16, D-class: nothing is taken for what it is not, and nothing shortened
// or lengthened is taken at all.
func TestB9B16ValuesOfAnotherKindOrLength(t *testing.T) {
	s := start(t, nil)
	c := s.browser()
	page := s.get(c, s.authURL("strict", nil))
	form, err := url.Parse(formAction(t, page))
	if err != nil {
		t.Fatal(err)
	}
	open := cookies(t, s, c)
	code := s.code(c, "strict", nil)
	for name, v := range map[string]string{"the request's id": form.Query().Get("tab_id"), "the form's token": form.Query().Get("session_code"), "the browser's cookie": open["AUTH_SESSION_ID"],
		"shorter": code[:len(code)-1], "longer": code + "A", "the first part": strings.SplitN(code, ".", 2)[0], "spaces": code + " ", "empty": ""} {
		if a := s.exchange("strict", v); a.status != 400 || a.text("access_token") != "" {
			t.Errorf("%s as a code: %d %s", name, a.status, a.body)
		}
	}
	tokens := s.exchange("strict", code)
	for name, v := range tokens.json {
		text, ok := v.(string)
		if !ok || !strings.HasSuffix(name, "_token") {
			continue
		}
		if a := s.exchange("strict", text); a.status != 400 {
			t.Errorf("%s as a code: %d", name, a.status)
		}
		for _, cut := range []string{text[:len(text)-4], text + "AAAA", text + "."} {
			if a := s.get(s.browser(), s.oidc("strict", "userinfo"), "Authorization", "Bearer "+cut); a.status != 401 {
				t.Errorf("%s cut at userinfo: %d", name, a.status)
			}
			if a := s.refresh("strict", cut); a.status != 400 {
				t.Errorf("%s cut at refresh: %d", name, a.status)
			}
		}
	}
	u := &url.URL{Scheme: "http", Host: form.Host, Path: "/realms/strict/"}
	for _, ck := range c.Jar.Cookies(u) {
		ck.Value, ck.Path = ck.Value[:len(ck.Value)-1], "/realms/strict/"
		c.Jar.SetCookies(u, []*http.Cookie{ck})
	}
	if a := s.get(c, s.authURL("strict", url.Values{"prompt": {"none"}})); a.location == nil || a.location.Query().Get("error") != "login_required" {
		t.Errorf("cookies cut by a character: %v", a.location)
	}
}

// B20: no grant gives a scope that the client has not.
func TestB20NoGrantGivesAnotherScope(t *testing.T) {
	s := start(t, nil)
	for _, grant := range []string{"client_credentials", "password"} {
		form := url.Values{"grant_type": {grant}, "username": {"alice"}, "password": {alicesPass}, "scope": {"openid role_list nonsense"}}
		if a := s.token("lenient", form); a.status != 400 || a.text("error") != "invalid_scope" {
			t.Errorf("%s: %d %s", grant, a.status, a.body)
		}
	}
	tokens := s.exchange("lenient", s.code(s.browser(), "lenient", url.Values{"scope": {"openid"}}))
	a := s.token("lenient", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.text("refresh_token")}, "scope": {"openid phone"}})
	if a.status != 200 || strings.Contains(a.text("scope"), "phone") { // left out, as with Keycloak
		t.Errorf("refresh: %d %s", a.status, a.body)
	}
}

// C1: many refreshes at once make one successor.
func TestC1ParallelRefreshesMakeOneSuccessor(t *testing.T) {
	s := start(t, nil)
	first := s.exchange("strict", s.code(s.browser(), "strict", nil)).text("refresh_token")
	var mu sync.Mutex
	successors := map[any]bool{}
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			a := s.refresh("strict", first)
			if a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			successors[jtiOf(t, a.text("refresh_token"))] = true
		})
	}
	wg.Wait()
	if len(successors) != 1 {
		t.Errorf("%d successors", len(successors))
	}
}

// C3: a revocation that could not be written is not answered with 200.
func TestC3ARevocationThatIsNotStoredIsNoSuccess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "latchkey.db")
	s := start(t, func(c *provider.Config) {
		file, err := store.Open(t.Context(), store.Options{Path: path, Seal: c.Seal, Now: c.Now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		c.Store = file
	})
	tokens := s.exchange("strict", s.code(s.browser(), "strict", nil))
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)") // the server writes its spare keys meanwhile
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TRIGGER full BEFORE INSERT ON used_once BEGIN SELECT RAISE(FAIL, 'disk full'); END"); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"client_id": {"app"}, "client_secret": {appSecret}, "token": {tokens.text("access_token")}}
	if a := s.send(s.browser(), http.MethodPost, s.oidc("strict", "revoke"), form); a.status < 500 || strings.Contains(a.body, "disk full") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// C4 to C7, C9, C10: whoever and whatever is off gets nothing more, by any way.
func TestC6WhatIsOffGetsNothing(t *testing.T) {
	for off, turn := range map[string]func(s *server, realmName string){
		"the user": func(s *server, r string) { s.alter("users", r, `{"enabled":false}`) }, "the client": func(s *server, r string) { s.alter("clients", r, `{"enabled":false}`) },
		"the realm": func(s *server, r string) {
			if err := s.manage.UpdateRealm(s.t.Context(), r, []byte(`{"enabled":false}`)); err != nil {
				s.t.Fatal(err)
			}
		},
		"the session": func(s *server, r string) { s.alter("session", r, "") },
	} {
		t.Run(off, func(t *testing.T) {
			s := start(t, nil)
			c, waiting := s.browser(), s.browser()
			tokens := s.exchange("lenient", s.code(c, "lenient", nil))
			service := s.token("lenient", url.Values{"grant_type": {"client_credentials"}}).text("access_token")
			code, page := s.code(c, "lenient", nil), formAction(t, s.get(waiting, s.authURL("lenient", nil)))
			if tokens.status != 200 || service == "" {
				t.Fatal(tokens.body)
			}
			turn(s, "lenient")
			ask := func(token string) answer {
				return s.send(s.browser(), http.MethodPost, s.oidc("lenient", "token/introspect"), url.Values{"client_id": {"other"}, "client_secret": {appSecret}, "token": {token}})
			}
			got := map[string]bool{
				"a refresh":  s.refresh("lenient", tokens.text("refresh_token")).text("access_token") != "",
				"the code":   s.exchange("lenient", code).text("access_token") != "",
				"userinfo":   s.get(s.browser(), s.oidc("lenient", "userinfo"), "Authorization", "Bearer "+tokens.text("access_token")).status == 200,
				"sso":        hasCode(s.get(c, s.authURL("lenient", nil))),
				"introspect": ask(tokens.text("access_token")).json["active"] == true,
			}
			if off != "the session" {
				got["the password grant"] = s.token("lenient", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {alicesPass}}).text("access_token") != ""
				got["a login page that was open"] = hasCode(s.send(waiting, http.MethodPost, page, url.Values{"username": {"alice"}, "password": {alicesPass}}))
			}
			if off == "the client" || off == "the realm" {
				got["client credentials"] = s.token("lenient", url.Values{"grant_type": {"client_credentials"}}).text("access_token") != ""
			}
			for way, in := range got {
				if in {
					t.Errorf("%s is off, and %s works", off, way)
				}
			}
		})
	}
}

func hasCode(a answer) bool { return a.location != nil && a.location.Query().Get("code") != "" }

// alter changes alice, the client app, or ends all of alice's sessions.
func (s *server) alter(what, realmName, doc string) {
	s.t.Helper()
	ctx := s.t.Context()
	in, err := s.store0().RealmByName(ctx, realmName)
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := s.store0().UserByUsername(ctx, in.ID, "alice")
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := s.store0().ClientByClientID(ctx, in.ID, "app")
	if err != nil {
		s.t.Fatal(err)
	}
	switch what {
	case "users":
		err = s.manage.UpdateUser(ctx, in, u.ID, []byte(doc))
	case "clients":
		err = s.manage.UpdateClient(ctx, in, c.ID, []byte(doc))
	case "session":
		err = s.store0().EndUserSessions(ctx, in.ID, u.ID)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) store0() *store.Store { return s.manage.Store }

// C4, C30: a role that was taken away is in no later token.
func TestC4ALostRoleIsInNoLaterToken(t *testing.T) {
	s := start(t, nil)
	ctx := t.Context()
	if _, err := s.manage.CreateRealm(ctx, []byte(`{"realm":"grouped","enabled":true,"roles":{"realm":[{"name":"direct"},{"name":"lent"}]},"groups":[{"name":"g","realmRoles":["lent"]}],
		"clients":[{"clientId":"app","secret":"`+appSecret+`","directAccessGrantsEnabled":true}],
		"users":[{"username":"alice","enabled":true,"email":"a@example.com","firstName":"A","lastName":"L","groups":["/g"],"realmRoles":["direct"],"credentials":[{"type":"password","value":"`+alicesPass+`"}]}]}`), false); err != nil {
		t.Fatal(err)
	}
	tokens := s.token("grouped", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {alicesPass}, "scope": {"openid"}})
	roles := func(a answer) []string {
		_, c, err := jose.Unverified(a.text("access_token"))
		if err != nil {
			t.Fatalf("%v %s", err, a.body)
		}
		access, _ := c["realm_access"].(map[string]any)
		var out []string
		list, _ := access["roles"].([]any)
		for _, r := range list {
			out = append(out, r.(string))
		}
		slices.Sort(out)
		return out
	}
	if got := roles(tokens); !slices.Equal(got, []string{"direct", "lent"}) {
		t.Fatalf("before: %v", got)
	}
	in, err := s.store.RealmByName(ctx, "grouped")
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.store.UserByUsername(ctx, in.ID, "alice")
	if err != nil {
		t.Fatal(err)
	}
	table, err := s.store.Roles(ctx, in.ID)
	if err != nil {
		t.Fatal(err)
	}
	for id, r := range table.ByID {
		if r.Name == "direct" {
			if err := s.store.SetUserRoles(ctx, in.ID, u.ID, nil, []string{id}); err != nil {
				t.Fatal(err)
			}
		}
	}
	next := s.refresh("grouped", tokens.text("refresh_token"))
	if got := roles(next); !slices.Equal(got, []string{"lent"}) {
		t.Errorf("after the role was taken away: %v", got)
	}
	for id, r := range table.ByID {
		if r.Name == "lent" {
			if err := s.store.DeleteRole(ctx, in.ID, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := roles(s.refresh("grouped", next.text("refresh_token"))); len(got) != 0 {
		t.Errorf("after the group's role was deleted: %v", got)
	}
}

// C12: the latest of the realm's, the client's and the user's not-before counts.
func TestC12TheLatestNotBeforeCounts(t *testing.T) {
	for name, set := range map[string]func(s *server, at string){
		"realm": func(s *server, at string) {
			s.alter("clients", "lenient", `{"notBefore":1}`)
			if err := s.manage.UpdateRealm(s.t.Context(), "lenient", []byte(`{"notBefore":`+at+`}`)); err != nil {
				s.t.Fatal(err)
			}
		},
		"client": func(s *server, at string) { s.alter("clients", "lenient", `{"notBefore":`+at+`}`) },
		"user":   func(s *server, at string) { s.alter("users", "lenient", `{"notBefore":`+at+`}`) },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			tokens := s.exchange("lenient", s.code(s.browser(), "lenient", nil))
			at, err := json.Marshal(time.Now().Add(time.Minute).Unix())
			if err != nil {
				t.Fatal(err)
			}
			set(s, string(at))
			if a := s.get(s.browser(), s.oidc("lenient", "userinfo"), "Authorization", "Bearer "+tokens.text("access_token")); a.status != 401 {
				t.Errorf("userinfo: %d", a.status)
			}
			if a := s.refresh("lenient", tokens.text("refresh_token")); a.status != 400 {
				t.Errorf("refresh: %d", a.status)
			}
		})
	}
}

// C14: a token that a client got for itself can be revoked like any other.
func TestC14AServiceAccountsTokenIsRevoked(t *testing.T) {
	s := start(t, nil)
	token := s.token("strict", url.Values{"grant_type": {"client_credentials"}}).text("access_token")
	ask := func(endpoint string) answer {
		return s.send(s.browser(), http.MethodPost, s.oidc("strict", endpoint), url.Values{"client_id": {"app"}, "client_secret": {appSecret}, "token": {token}})
	}
	if a := ask("token/introspect"); a.json["active"] != true {
		t.Fatalf("before: %s", a.body)
	}
	if a := ask("revoke"); a.status != 200 {
		t.Fatal(a.body)
	}
	if a := ask("token/introspect"); strings.TrimSpace(a.body) != `{"active":false}` {
		t.Errorf("after: %s", a.body)
	}
}

// C15: one browser, two people: nobody's tokens become the other's.
func TestC15AnotherUserGetsAnotherSession(t *testing.T) {
	s := start(t, nil)
	in, err := s.store.RealmByName(t.Context(), "lenient")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.manage.CreateUser(t.Context(), in, []byte(`{"username":"bob","enabled":true,"email":"bob@example.com","firstName":"B","lastName":"B","credentials":[{"type":"password","value":"bobs password"}]}`)); err != nil {
		t.Fatal(err)
	}
	c := s.browser()
	alices := s.exchange("lenient", s.code(c, "lenient", nil))
	// The form asks for the password alone; a name that is sent all the same must not count.
	form := formAction(t, s.get(c, s.authURL("lenient", url.Values{"prompt": {"login"}})))
	if a := s.send(c, http.MethodPost, form, url.Values{"username": {"bob"}, "password": {"bobs password"}}); hasCode(a) {
		t.Error("bob has confirmed alice's login")
	}
	fresh := s.browser()
	page := s.get(fresh, s.authURL("lenient", nil))
	done := s.send(fresh, http.MethodPost, formAction(t, page), url.Values{"username": {"bob"}, "password": {"bobs password"}})
	bobs := s.exchange("lenient", done.location.Query().Get("code"))
	for name, tokens := range map[string]answer{"alice": alices, "bob": bobs} {
		_, c, err := jose.Unverified(s.refresh("lenient", tokens.text("refresh_token")).text("access_token"))
		if err != nil || c["preferred_username"] != name {
			t.Errorf("%s gets %v, %v", name, c["preferred_username"], err)
		}
	}
	if sid(t, alices) == sid(t, bobs) {
		t.Error("both have one session")
	}
}

func sid(t *testing.T, a answer) any {
	t.Helper()
	_, c, err := jose.Unverified(a.text("id_token"))
	if err != nil {
		t.Fatal(err)
	}
	return c["sid"]
}

// C17: a realm that forgets no longer remembers anybody.
func TestC17RememberMeEndsWithItsSwitch(t *testing.T) {
	s := start(t, nil)
	set := func(doc string) {
		if err := s.manage.UpdateRealm(t.Context(), "lenient", []byte(doc)); err != nil {
			t.Fatal(err)
		}
	}
	set(`{"rememberMe":true,"ssoSessionIdleTimeout":600,"ssoSessionIdleTimeoutRememberMe":86400,"ssoSessionMaxLifespanRememberMe":864000}`)
	c := s.browser()
	page := s.get(c, s.authURL("lenient", nil))
	if a := s.send(c, http.MethodPost, formAction(t, page), url.Values{"username": {"alice"}, "password": {alicesPass}, "rememberMe": {"on"}}); !hasCode(a) {
		t.Fatal(a.body)
	}
	s.clock.move(2 * time.Hour)
	if !hasCode(s.get(c, s.authURL("lenient", url.Values{"prompt": {"none"}}))) {
		t.Error("nobody is remembered: this test would hold for nothing")
	}
	set(`{"rememberMe":false}`)
	s.clock.move(2 * time.Hour)
	if hasCode(s.get(c, s.authURL("lenient", url.Values{"prompt": {"none"}}))) {
		t.Error("still remembered")
	}
}

// F1, F2: a value that somebody has put into a browser before the login is worth
// nothing after it.
func TestF1APlantedCookieIsNeverLoggedIn(t *testing.T) {
	s := start(t, nil)
	attacker, victim := s.browser(), s.browser()
	page := s.get(attacker, s.authURL("strict", nil))
	u, err := url.Parse(s.url + "/realms/strict/")
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range cookies(t, s, attacker) {
		victim.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: v, Path: "/realms/strict/"}})
	}
	if a := s.send(victim, http.MethodPost, formAction(t, page), url.Values{"username": {"alice"}, "password": {alicesPass}}); !hasCode(a) {
		t.Fatalf("the victim: %d %s", a.status, a.body)
	}
	if a := s.get(attacker, s.authURL("strict", url.Values{"prompt": {"none"}})); hasCode(a) {
		t.Error("the attacker is logged in")
	}
	if a := s.get(attacker, formAction(t, page)); hasCode(a) {
		t.Error("the attacker's page goes on")
	}
	if a := s.send(attacker, http.MethodPost, formAction(t, page), url.Values{}); hasCode(a) {
		t.Error("the attacker's form goes on")
	}
}

// F6, F8: what a form's address says of client, flow and target is not read: the
// stored request counts.
func TestF6F8TheStoredRequestCounts(t *testing.T) {
	s := start(t, nil)
	c := s.browser()
	form, err := url.Parse(formAction(t, s.get(c, s.authURL("lenient", nil))))
	if err != nil {
		t.Fatal(err)
	}
	q := form.Query()
	for k, v := range map[string]string{"client_id": "other", "response_type": "token", "response_mode": "fragment", "redirect_uri": "https://evil.example/", "scope": "openid phone", "client_data": base64.RawURLEncoding.EncodeToString([]byte(`{"ru":"https://evil.example/","rt":"token"}`))} {
		q.Set(k, v)
	}
	form.RawQuery = q.Encode()
	a := s.send(c, http.MethodPost, form.String(), url.Values{"username": {"alice"}, "password": {alicesPass}, "redirect_uri": {"https://evil.example/"}, "response_type": {"token"}})
	if a.location != nil && (!strings.HasPrefix(a.location.String(), callback+"?") || strings.Contains(a.location.String(), "access_token")) {
		t.Fatalf("on to %v", a.location)
	}
	if !hasCode(a) {
		return // refused
	}
	got := s.exchange("lenient", a.location.Query().Get("code"))
	if got.status != 200 || strings.Contains(got.text("scope"), "phone") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// F7, F10: a form without a password, or half of one, passes no step; a login
// that was asked for anew and given up gives nobody the session.
func TestF7F10EmptyFormsPassNothing(t *testing.T) {
	s := start(t, nil)
	for name, form := range map[string]url.Values{"empty": {}, "no password": {"username": {"alice"}}, "no name": {"password": {alicesPass}}, "an empty password": {"username": {"alice"}, "password": {""}},
		"cancel": {"cancel": {"true"}}, "another step": {"password-new": {"x"}, "password-confirm": {"x"}}, "twice": {"username": {"alice", "alice"}, "password": {alicesPass, "x"}}} {
		c := s.browser()
		if a := s.send(c, http.MethodPost, formAction(t, s.get(c, s.authURL("lenient", nil))), form); hasCode(a) || cookies(t, s, c)["KEYCLOAK_IDENTITY"] != "" {
			t.Errorf("%s at the login: %d %v", name, a.status, a.location)
		}
	}
	c := s.browser()
	s.code(c, "lenient", nil)
	for _, change := range []url.Values{{"prompt": {"login"}}, {"max_age": {"0"}}} {
		for name, form := range map[string]url.Values{"empty": {}, "cancel": {"cancel": {"true"}}, "a wrong password": {"password": {"x"}}} {
			again := formAction(t, s.get(c, s.authURL("lenient", change)))
			if a := s.send(c, http.MethodPost, again, form); hasCode(a) {
				t.Errorf("%s when asked anew (%v): %v", name, change, a.location)
			}
			if a := s.get(c, again); hasCode(a) {
				t.Errorf("%s, and then the page again (%v): %v", name, change, a.location)
			}
		}
	}
}

// F9: a required action cannot be walked round by beginning again.
func TestF9ARequiredActionIsNotWalkedRound(t *testing.T) {
	s := start(t, nil)
	s.must("strict", updatePassword)
	c := s.browser()
	page := s.toAction(c, "strict")
	form, err := url.Parse(formAction(t, page))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"restart", "authenticate", "required-action", "first-broker-login", "action-token"} {
		at := *form
		at.Path = "/realms/strict/login-actions/" + step
		if a := s.get(c, at.String()); hasCode(a) {
			t.Errorf("GET %s: %v", step, a.location)
		}
		if a := s.send(c, http.MethodPost, at.String(), url.Values{}); hasCode(a) {
			t.Errorf("POST %s: %v", step, a.location)
		}
	}
	if a := s.get(c, s.authURL("strict", url.Values{"prompt": {"none"}})); hasCode(a) {
		t.Errorf("silently: %v", a.location)
	}
}

// F13: cookies hold ids, never what was asked for.
func TestF13CookiesHoldIDsAlone(t *testing.T) {
	s := start(t, nil)
	c := s.browser()
	s.get(c, s.authURL("strict", url.Values{"state": {"canary-state"}, "login_hint": {"canary-hint"}, "nonce": {"canary-nonce"}, "scope": {"openid phone"}}))
	check := func(when string) {
		for name, v := range cookies(t, s, c) {
			plain := v
			for _, part := range strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune("./|", r) }) {
				if b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "=")); err == nil {
					plain += string(b)
				}
			}
			for _, word := range []string{"canary", "app.example", "phone", "openid", "alice", verifier} {
				if strings.Contains(plain, word) {
					t.Errorf("%s: cookie %s holds %q", when, name, word)
				}
			}
		}
	}
	check("before the login")
	s.code(c, "strict", url.Values{"state": {"canary-state"}})
	check("after it")
}

// H5: an account has one count, by whatever name it is called.
func TestH5AllNamesOfAnAccountShareOneCount(t *testing.T) {
	s := start(t, nil)
	if err := s.manage.UpdateRealm(t.Context(), "lenient", []byte(`{"bruteForceProtected":true,"failureFactor":4,"quickLoginCheckMilliSeconds":0,"waitIncrementSeconds":600}`)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice", "ALICE", "alice@example.com", "Alice@Example.COM"} {
		wantError(t, s.token("lenient", url.Values{"grant_type": {"password"}, "username": {name}, "password": {"wrong"}}), 400, "invalid_grant", "Invalid user credentials")
	}
	for _, name := range []string{"alice", "alice@example.com"} {
		if a := s.token("lenient", url.Values{"grant_type": {"password"}, "username": {name}, "password": {alicesPass}}); a.status != 400 {
			t.Errorf("%s after four tries: %d", name, a.status)
		}
	}
}

// H4: who locks an account out does not reach those who are in already, nor
// anybody else, and it ends by itself.
func TestH4ALockReachesNobodyElse(t *testing.T) {
	s := start(t, nil)
	doc := `{"realm":"locked","enabled":true,"bruteForceProtected":true,"failureFactor":3,"quickLoginCheckMilliSeconds":0,"waitIncrementSeconds":60,
		"clients":[{"clientId":"app","secret":"` + appSecret + `","directAccessGrantsEnabled":true,"redirectUris":["` + callback + `"]}],"users":[`
	for i, name := range []string{"alice", "bob"} {
		if i > 0 {
			doc += ","
		}
		doc += `{"username":"` + name + `","enabled":true,"email":"` + name + `@example.com","firstName":"A","lastName":"B","credentials":[{"type":"password","value":"` + alicesPass + `"}]}`
	}
	if _, err := s.manage.CreateRealm(t.Context(), []byte(doc+`]}`), false); err != nil {
		t.Fatal(err)
	}
	tokens := s.exchange("locked", s.code(s.browser(), "locked", nil))
	try := func(name, pw string) int {
		return s.token("locked", url.Values{"grant_type": {"password"}, "username": {name}, "password": {pw}}).status
	}
	for range 6 {
		try("alice", "wrong")
	}
	if try("alice", alicesPass) == 200 {
		t.Error("alice is not locked: this test would hold for nothing")
	}
	if got := try("bob", alicesPass); got != 200 {
		t.Errorf("bob: %d", got)
	}
	if a := s.refresh("locked", tokens.text("refresh_token")); a.status != 200 {
		t.Errorf("alice, who was in already: %d %s", a.status, a.body)
	}
	s.clock.move(10 * time.Minute)
	if got := try("alice", alicesPass); got != 200 {
		t.Errorf("alice, after the wait: %d", got)
	}
}
