package provider_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
)

// Assertions of the plans for RP-initiated logout and session management.

// RP-Initiated Logout 1.0, 2 and 3: what leads where, and who is out after it.
func TestRPInitiatedLogout(t *testing.T) {
	s := start(t, nil)
	stranger, err := jose.Generate(jose.RS256)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(q url.Values, hint string)
		button bool   // a page asks first
		to     string // "" for our own page
		status int    // of a refusal
	}{
		{"hint, URI and state", func(q url.Values, _ string) { q.Set("state", "a b&c") }, false, callback + "?state=a+b%26c", 0},
		{"no state", func(url.Values, string) {}, false, callback, 0},
		{"an empty state", func(q url.Values, _ string) { q.Set("state", "") }, false, callback, 0},
		{"the client too", func(q url.Values, _ string) { q.Set("client_id", "app") }, false, callback, 0},
		{"another client", func(q url.Values, _ string) { q.Set("client_id", "other") }, false, "", 400},
		{"a client that is nobody", func(q url.Values, _ string) { q.Set("client_id", "nobody") }, false, "", 400},
		{"a hint alone", func(q url.Values, _ string) { q.Del("post_logout_redirect_uri") }, false, "", 0},
		{"a hint and a state", func(q url.Values, _ string) { q.Del("post_logout_redirect_uri"); q.Set("state", "x") }, false, "", 0},
		{"what nobody knows, and logout_hint", func(q url.Values, _ string) { q.Set("extra", "x"); q.Set("logout_hint", "bob") }, false, callback, 0},
		{"nothing", clearAll, true, "", 0},
		{"a state alone", func(q url.Values, h string) { clearAll(q, h); q.Set("state", "x") }, true, "", 0},
		{"no hint, and no client", func(q url.Values, _ string) { q.Del("id_token_hint") }, false, "", 400},
		{"no hint, the client", func(q url.Values, _ string) {
			q.Del("id_token_hint")
			q.Set("client_id", "app")
			q.Set("state", "x")
		}, true, callback + "?state=x", 0},
		{"a URI that is not registered", func(q url.Values, _ string) { q.Set("post_logout_redirect_uri", "https://app.example/other") }, false, "", 400},
		{"a query added to the URI", func(q url.Values, _ string) { q.Set("post_logout_redirect_uri", callback+"?foo=bar") }, false, "", 400},
		{"a fragment added to the URI", func(q url.Values, _ string) { q.Set("post_logout_redirect_uri", callback+"#x") }, false, "", 400},
		{"a hint without a signature", func(q url.Values, hint string) {
			q.Set("id_token_hint", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))+"."+strings.Split(hint, ".")[1]+".")
		}, false, "", 400},
		{"a hint signed by another key", func(q url.Values, hint string) { q.Set("id_token_hint", resigned(t, stranger, hint)) }, false, "", 400},
		{"a hint signed by another key of our name", func(q url.Values, hint string) {
			k := stranger
			k.ID = headerOf(t, hint).KeyID
			q.Set("id_token_hint", resigned(t, k, hint))
		}, false, "", 400},
		{"a parameter twice", func(q url.Values, _ string) { q.Add("state", "a"); q.Add("state", "b") }, false, "", 400},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(c.name+" by "+method, func(t *testing.T) {
				b := s.browser()
				hint := s.exchange("strict", s.code(b, "strict", nil)).text("id_token")
				q := url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {callback}}
				c.change(q, hint)
				a := s.logout(b, "strict", method, q)
				if c.button {
					if a.status != 200 || in(s, b) != true {
						t.Fatalf("no page that asks: %d %v, logged in: %v", a.status, a.location, in(s, b))
					}
					a = s.send(b, http.MethodPost, formAction(t, a), hiddenFields(a))
				}
				switch {
				case c.status != 0:
					if a.status != c.status || a.location != nil || !in(s, b) {
						t.Errorf("%d %v, logged in: %v", a.status, a.location, in(s, b))
					}
				case c.to == "" && (a.status != 200 || a.location != nil || !strings.Contains(a.body, "You are logged out")):
					t.Errorf("not our page: %d %v %s", a.status, a.location, a.body)
				case c.to != "" && (a.status != 302 || a.location == nil || a.location.String() != c.to):
					t.Errorf("%d to %v, want %s", a.status, a.location, c.to)
				case in(s, b):
					t.Error("still logged in")
				}
			})
		}
	}
}

func clearAll(q url.Values, _ string) { clear(q) }

func resigned(t *testing.T, k jose.Key, token string) string {
	t.Helper()
	_, claims, err := jose.Unverified(token)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := jose.Sign(k, "JWT", claims)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (s *server) logout(b *http.Client, realm, method string, q url.Values) answer {
	s.t.Helper()
	if method == http.MethodPost {
		return s.send(b, method, s.oidc(realm, "logout"), q)
	}
	return s.get(b, s.oidc(realm, "logout")+"?"+q.Encode())
}

func in(s *server, b *http.Client) bool {
	a := s.get(b, s.authURL("strict", url.Values{"prompt": {"none"}}))
	return hasCode(a)
}

func hiddenFields(a answer) url.Values {
	v := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(a.body, -1) {
		v.Add(m[1], m[2])
	}
	return v
}

// "the OP SHOULD accept ID Tokens ... even when the exp time has passed" (2).
func TestAnExpiredHintLogsOut(t *testing.T) {
	s := start(t, nil)
	b := s.browser()
	hint := s.exchange("strict", s.code(b, "strict", nil)).text("id_token")
	s.clock.move(20 * time.Minute)
	if !in(s, b) {
		t.Fatal("the session is over: this test would hold for nothing")
	}
	if a := s.logout(b, "strict", http.MethodGet, url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {callback}}); a.location == nil || in(s, b) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A hint about somebody else ends what it is about, and not who is at the browser.
func TestAHintOfAnotherUserLogsNobodyElseOut(t *testing.T) {
	s := start(t, nil)
	s.realmOf("two", `{"clientId":"app","secret":"`+appSecret+`","redirectUris":["`+callback+`"]}`)
	hint := s.exchange("two", s.code(s.browser(), "two", nil)).text("id_token")
	b := s.browser()
	s.send(b, http.MethodPost, formAction(t, s.get(b, s.authURL("two", nil))), url.Values{"username": {"bob"}, "password": {alicesPass}})
	s.logout(b, "two", http.MethodGet, url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {callback}})
	if !hasCode(s.get(b, s.authURL("two", url.Values{"prompt": {"none"}}))) {
		t.Error("bob is logged out by alice's hint")
	}
}

// ui_locales: "End-User's preferred languages and scripts for the user interface" (2),
// on every page of a logout.
func TestLanguagesOfALogout(t *testing.T) {
	s := start(t, nil)
	for name, hinted := range map[string]bool{"with a hint": true, "by the button": false} {
		b := s.browser()
		q := url.Values{"ui_locales": {"se de"}}
		if hint := s.exchange("strict", s.code(b, "strict", nil)).text("id_token"); hinted {
			q.Set("id_token_hint", hint)
		}
		a := s.logout(b, "strict", http.MethodGet, q)
		if !hinted {
			if !strings.Contains(a.body, `lang="de"`) {
				t.Errorf("the page that asks: %s", a.body)
			}
			a = s.send(b, http.MethodPost, formAction(t, a), hiddenFields(a))
		}
		if a.status != 200 || !strings.Contains(a.body, `lang="de"`) || in(s, b) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// OpenID Connect Session Management 1.0, 2: "session_state ... MUST NOT contain a
// space"; every answer of a session says the same, the next session another.
func TestSessionState(t *testing.T) {
	s := start(t, nil)
	b := s.browser()
	first := returned(t, s.loggedIn(b), "query")
	again := returned(t, s.get(b, s.authURL("strict", url.Values{"prompt": {"none"}})), "query")
	tokens := s.exchange("strict", again.Get("code"))
	state := first.Get("session_state")
	if state == "" || strings.ContainsAny(state, " \"") || again.Get("session_state") != state || tokens.text("session_state") != state {
		t.Errorf("%q, then %q, at the token endpoint %q", state, again.Get("session_state"), tokens.text("session_state"))
	}
	before := cookies(t, s, b)["KEYCLOAK_SESSION"]
	s.logout(b, "strict", http.MethodGet, url.Values{"id_token_hint": {tokens.text("id_token")}})
	if after, there := cookies(t, s, b)["KEYCLOAK_SESSION"]; there || before == "" {
		t.Errorf("what the iframe compares: %q, after the logout %q", before, after)
	}
	next := returned(t, s.loggedIn(b), "query").Get("session_state")
	if next == "" || next == state || cookies(t, s, b)["KEYCLOAK_SESSION"] == before {
		t.Errorf("the next session's is %q", next)
	}
	doc := s.get(s.browser(), s.url+"/realms/strict/.well-known/openid-configuration")
	var m struct {
		Iframe string `json:"check_session_iframe"`
		End    string `json:"end_session_endpoint"`
	}
	if err := json.Unmarshal([]byte(doc.body), &m); err != nil || s.get(s.browser(), m.Iframe).status != 200 || s.get(s.browser(), m.End).status != 200 {
		t.Errorf("%v: %+v", err, m)
	}
}

// loggedIn logs alice in with a page and gives the answer.
func (s *server) loggedIn(b *http.Client) answer {
	s.t.Helper()
	page := s.get(b, s.authURL("strict", nil))
	return s.send(b, http.MethodPost, formAction(s.t, page), url.Values{"username": {"alice"}, "password": {alicesPass}})
}
