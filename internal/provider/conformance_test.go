package provider_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
)

// These are assertions of the OpenID Foundation's conformance plans that no other
// test had; docs/conformance.md says which.

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

// returned gives what an answer carries back to the client, however it travels.
func returned(t *testing.T, a answer, mode string) url.Values {
	t.Helper()
	if mode == "form_post" {
		if a.status != 200 || !strings.Contains(a.body, `action="`+callback+`"`) || !strings.Contains(a.body, `method="post"`) {
			t.Fatalf("no form: %d %v %s", a.status, a.location, a.body)
		}
		v := url.Values{}
		for _, m := range hidden.FindAllStringSubmatch(a.body, -1) {
			v.Add(m[1], html.UnescapeString(m[2]))
		}
		return v
	}
	if a.status != 302 || a.location == nil || !strings.HasPrefix(a.location.String(), callback) {
		t.Fatalf("%d %v %s", a.status, a.location, a.body)
	}
	if mode == "fragment" {
		v, err := url.ParseQuery(a.location.EscapedFragment())
		if err != nil || a.location.RawQuery != "" {
			t.Fatalf("%v, and a query %q", err, a.location.RawQuery)
		}
		return v
	}
	if a.location.Fragment != "" {
		t.Errorf("a fragment %q", a.location.Fragment)
	}
	return a.location.Query()
}

// described are the characters of an error_description: "%x20-21 / %x23-5B /
// %x5D-7E" (RFC 6749, 4.1.2.1).
var described = regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]*$`)

// Every answer has state and iss, and a code or an error, never both, in every
// response mode (RFC 6749, 4.1.2; RFC 9207, 2).
func TestAnswersOfTheAuthorizationEndpoint(t *testing.T) {
	s := start(t, nil)
	in := s.browser()
	s.code(in, "strict", nil)
	for _, c := range []struct {
		name   string
		change url.Values
		err    string // "" for a code
		out    bool   // nobody is logged in
	}{
		{"a code", nil, "", false},
		{"a code without a nonce, and a long state", url.Values{"state": {strings.Repeat("s", 2000)}}, "", false},
		{"a state that has to be encoded", url.Values{"state": {`a b&c="d"<e>+%20#é`}}, "", false},
		{"an empty state", url.Values{"state": {""}}, "", false},
		{"no state", url.Values{"state": nil}, "", false},
		{"no response_type", url.Values{"response_type": nil}, "invalid_request", false},
		{"an unknown response_type", url.Values{"response_type": {"x"}}, "unsupported_response_type", false},
		{"a request object", url.Values{"request": {"e30.e30."}}, "request_not_supported", false},
		{"a request object with a redirect URI", url.Values{"request": {"eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwuZXhhbXBsZS8ifQ."}}, "request_not_supported", false},
		{"a request_uri", url.Values{"request_uri": {"https://app.example/r"}}, "request_uri_not_supported", false},
		{"prompt=none and nobody", url.Values{"prompt": {"none"}}, "login_required", true},
		{"prompt=none and somebody", url.Values{"prompt": {"none"}}, "", false},
		{"prompt=none with login", url.Values{"prompt": {"none login"}}, "invalid_request", false},
		{"prompt=none with consent", url.Values{"prompt": {"consent none"}}, "invalid_request", false},
		{"prompt=none with what nobody knows", url.Values{"prompt": {"none x"}}, "invalid_request", true},
		{"prompt=create", url.Values{"prompt": {"create"}}, "interaction_required", false},
		{"a max_age that is no number", url.Values{"max_age": {"soon"}}, "invalid_request", false},
		{"an unknown scope", url.Values{"scope": {"openid nonsense"}}, "invalid_scope", false},
		{"a scope of hostile characters", url.Values{"scope": {"openid a\"\\\r\n\té<b>"}}, "invalid_scope", false},
		{"a parameter twice", url.Values{"nonce": {"a", "b"}}, "invalid_request", false},
		{"a challenge that is none", url.Values{"code_challenge": {"short"}}, "invalid_request", false},
	} {
		for _, mode := range []string{"query", "fragment", "form_post"} {
			t.Run(c.name+" by "+mode, func(t *testing.T) {
				change := url.Values{"response_mode": {mode}}
				state, want := "st", true
				for k, v := range c.change {
					change[k] = v
					if k == "state" {
						state, want = strings.Join(v, ""), v != nil
					}
				}
				b := in
				if c.out {
					b = s.browser()
				}
				v := returned(t, s.get(b, s.authURL("strict", change)), mode)
				if v.Get("state") != state || v.Has("state") != want || v.Get("iss") != s.url+"/realms/strict" {
					t.Errorf("state %q, iss %q", v.Get("state"), v.Get("iss"))
				}
				if v.Get("error") != c.err || v.Has("code") == (c.err != "") || v.Has("session_state") == (c.err != "") {
					t.Errorf("got %v, want error %q", v, c.err)
				}
				if d := v.Get("error_description"); !described.MatchString(d) {
					t.Errorf("error_description %q", d)
				}
				for name, values := range v {
					if len(values) != 1 {
						t.Errorf("%s stands %d times", name, len(values))
					}
				}
			})
		}
	}
}

// What need not be supported must not be an error (OpenID Connect Core 1.0, 15.1;
// RFC 6749, 3.1: "The authorization server MUST ignore unrecognized request
// parameters").
func TestParametersThatDoNoHarm(t *testing.T) {
	s := start(t, nil)
	for name, change := range map[string]url.Values{
		"nobody knows it": {"extra": {"foobar"}}, "display=page": {"display": {"page"}}, "display=popup": {"display": {"popup"}}, "ui_locales": {"ui_locales": {"se fr-CA de"}},
		"claims_locales": {"claims_locales": {"se"}}, "login_hint": {"login_hint": {"bob"}}, "acr_values": {"acr_values": {"1 2"}}, "acr_values of others": {"acr_values": {"urn:x"}},
		"claims": {"claims": {`{"userinfo":{"name":{"essential":true}},"id_token":{"acr":{"essential":true}}}`}}, "claims that is no JSON": {"claims": {"{{{"}},
		"registration": {"registration": {"{}"}}, "scopes in another order": {"scope": {"email profile openid"}}, "an empty nonce": {"nonce": {""}}, "an empty prompt": {"prompt": {""}},
		"an unknown prompt": {"prompt": {"x"}}, "id_token_hint that is empty": {"id_token_hint": {""}}, "an empty request": {"request": {""}, "request_uri": {""}}, "a long nonce": {"nonce": {strings.Repeat("n", 500)}},
	} {
		change.Set("state", name)
		c := s.browser()
		page := s.get(c, s.authURL("strict", change))
		a := s.send(c, http.MethodPost, formAction(t, page), url.Values{"username": {"alice"}, "password": {alicesPass}})
		if !hasCode(a) || a.location.Query().Get("state") != name {
			t.Errorf("%s: %d %v", name, a.status, a.location)
			continue
		}
		tokens := s.exchange("strict", a.location.Query().Get("code"))
		_, claims, err := jose.Unverified(tokens.text("id_token"))
		nonce, has := claims["nonce"]
		if err != nil || has != (change.Get("nonce") != "") || has && nonce != change.Get("nonce") {
			t.Errorf("%s: nonce %v, %v", name, nonce, err)
		}
		if acr := claims["acr"]; acr != "1" {
			t.Errorf("%s: acr %v", name, acr)
		}
	}
}

// "The Authorization Server MUST support the use of the HTTP GET and POST methods"
// (OpenID Connect Core 1.0, 3.1.2.1), from any site.
func TestPostAtTheAuthorizationEndpoint(t *testing.T) {
	s := start(t, nil)
	u, err := url.Parse(s.authURL("strict", url.Values{"prompt": {"none"}}))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	post := func(b *http.Client, query string, form url.Values) answer {
		return s.send(b, http.MethodPost, s.oidc("strict", "auth")+query, form, "Sec-Fetch-Site", "cross-site", "Origin", "https://app.example")
	}
	if v := returned(t, post(s.browser(), "", q), "query"); v.Get("error") != "login_required" || v.Get("state") != "st" {
		t.Errorf("nobody: %v", v)
	}
	b := s.browser()
	s.code(b, "strict", nil)
	if v := returned(t, post(b, "", q), "query"); v.Get("code") == "" {
		t.Errorf("somebody: %v", v)
	}
	if a := post(b, "?"+url.Values{"redirect_uri": {"https://evil.example/"}}.Encode(), q); a.status != 400 || a.location != nil {
		t.Errorf("a second redirect_uri in the query: %d %v", a.status, a.location)
	}
	if v := returned(t, post(b, "?state=other", q), "query"); v.Get("error") != "invalid_request" || v.Has("code") {
		t.Errorf("a second state in the query: %v", v)
	}
	q.Del("prompt")
	c := s.browser()
	if a := s.send(c, http.MethodPost, formAction(t, post(c, "", q)), url.Values{"username": {"alice"}, "password": {alicesPass}}); !hasCode(a) {
		t.Errorf("a login: %d %v", a.status, a.location)
	}
}

// idClaims logs alice in as it is asked, if need be, and gives the ID token.
func (s *server) idClaims(t *testing.T, b *http.Client, realm string, change url.Values) map[string]any {
	t.Helper()
	return claimsOf(t, s.exchange(realm, s.code(b, realm, change)).text("id_token"))
}

// prompt, max_age and auth_time (OpenID Connect Core 1.0, 2, 3.1.2.1 and 12.2).
func TestWhenTheUserWasAsked(t *testing.T) {
	s := start(t, nil)
	for _, c := range []struct {
		name   string
		change url.Values
		after  time.Duration
		page   bool
		later  bool // auth_time
	}{
		{"single sign-on", nil, 5 * time.Second, false, false},
		{"prompt=none", url.Values{"prompt": {"none"}}, 5 * time.Second, false, false},
		{"prompt=login", url.Values{"prompt": {"login"}}, 5 * time.Second, true, true},
		{"max_age=1", url.Values{"max_age": {"1"}}, 2 * time.Second, true, true},
		{"max_age=0", url.Values{"max_age": {"0"}}, 5 * time.Second, true, true},
		{"max_age=10000", url.Values{"max_age": {"10000"}}, 5 * time.Second, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s.browser()
			first := s.idClaims(t, b, "strict", nil)
			s.clock.move(c.after)
			if page := s.get(b, s.authURL("strict", c.change)); (page.status == 200) != c.page {
				t.Fatalf("%d %v", page.status, page.location)
			}
			second := s.idClaims(t, b, "strict", c.change)
			if second["sub"] != first["sub"] || second["sid"] != first["sid"] {
				t.Errorf("sub %v, sid %v; before %v, %v", second["sub"], second["sid"], first["sub"], first["sid"])
			}
			was, _ := first["auth_time"].(float64)
			is, _ := second["auth_time"].(float64)
			if was == 0 || is-was < 0 || (is > was) != c.later {
				t.Errorf("auth_time %v, before %v", second["auth_time"], first["auth_time"])
			}
		})
	}
}

// "When max_age is used, the ID Token returned MUST include an auth_time Claim
// Value" (3.1.2.1), whichever scopes the client has.
func TestMaxAgeIsAnsweredByAuthTime(t *testing.T) {
	s := start(t, nil)
	s.realmOf("bare", `{"clientId":"app","secret":"`+appSecret+`","redirectUris":["`+callback+`"],"defaultClientScopes":["profile"]}`)
	b := s.browser()
	s.code(b, "bare", nil)
	s.clock.move(20 * time.Second)
	tokens := s.exchange("bare", s.code(b, "bare", url.Values{"max_age": {"10000"}}))
	if access := claimsOf(t, tokens.text("access_token")); access["auth_time"] != nil {
		t.Fatal("the scope basic brings it: this test would hold for nothing")
	}
	first := claimsOf(t, tokens.text("id_token"))
	if first["auth_time"] == nil || first["auth_time"].(float64) > first["iat"].(float64)-20 {
		t.Errorf("auth_time %v, iat %v", first["auth_time"], first["iat"])
	}
}

// realmOf makes a strict realm of one client, and alice.
func (s *server) realmOf(name, client string) {
	s.t.Helper()
	if _, err := s.manage.CreateRealm(s.t.Context(), []byte(`{"realm":"`+name+`","enabled":true,"clients":[`+client+`],"users":[
		{"username":"alice","enabled":true,"email":"alice@example.com","firstName":"Alice","lastName":"Liddell","credentials":[{"type":"password","value":"`+alicesPass+`"}]},
		{"username":"bob","enabled":true,"email":"bob@example.com","firstName":"Bob","lastName":"B","credentials":[{"type":"password","value":"`+alicesPass+`"}]}]}`), true); err != nil {
		s.t.Fatal(err)
	}
}

// "if the ID Token contains an auth_time Claim, its value MUST represent the time
// of the original authentication" (12.2).
func TestARefreshKeepsAuthTime(t *testing.T) {
	s := start(t, nil)
	b := s.browser()
	tokens := s.exchange("strict", s.code(b, "strict", nil))
	was := claimsOf(t, tokens.text("id_token"))["auth_time"]
	s.clock.move(20 * time.Second)
	again := s.idClaims(t, b, "strict", url.Values{"prompt": {"login"}}) // in another tab
	next := s.refresh("strict", tokens.text("refresh_token"))
	if is := claimsOf(t, next.text("id_token"))["auth_time"]; is != was || is == again["auth_time"] {
		t.Errorf("auth_time %v, was %v, the other tab's %v", is, was, again["auth_time"])
	}
	if a, b := claimsOf(t, tokens.text("id_token")), claimsOf(t, next.text("id_token")); a["iss"] != b["iss"] || a["sub"] != b["sub"] || a["aud"] != b["aud"] || a["azp"] != b["azp"] || a["jti"] == b["jti"] {
		t.Errorf("%v became %v", a, b)
	}
}

// The port of a loopback address is free, and then bound like everything else (RFC
// 8252, 7.3; RFC 6749, 4.1.3).
func TestLoopbackPortsEndToEnd(t *testing.T) {
	s := start(t, nil)
	s.realmOf("native", `{"clientId":"app","secret":"`+appSecret+`","redirectUris":["http://127.0.0.1/cb"]}`)
	at := "http://127.0.0.1:51234/cb"
	for _, c := range []struct {
		name, uri string
		ok        bool
	}{{"the same", at, true}, {"another port", "http://127.0.0.1:51235/cb", false}, {"the registered one", "http://127.0.0.1/cb", false}, {"none", "", false}} {
		code := s.code(s.browser(), "native", url.Values{"redirect_uri": {at}})
		a := s.token("native", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.uri}, "code_verifier": {verifier}})
		if (a.status == 200) != c.ok || !c.ok && a.text("error") != "invalid_grant" {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}
}

// "If the End-User identified by the ID Token is already logged in or is logged in
// as a result of the request ..., then the Authorization Server returns a positive
// response; otherwise, it MUST return an error, such as login_required" (OpenID
// Connect Core 1.0, 3.1.2.1).
func TestIDTokenHint(t *testing.T) {
	s := start(t, nil)
	s.realmOf("two", `{"clientId":"app","secret":"`+appSecret+`","redirectUris":["`+callback+`"]}`)
	in := func(who string) (*http.Client, answer) {
		b := s.browser()
		a := s.send(b, http.MethodPost, formAction(t, s.get(b, s.authURL("two", nil))), url.Values{"username": {who}, "password": {alicesPass}})
		return b, s.exchange("two", a.location.Query().Get("code"))
	}
	_, tokens := in("alice")
	alices := tokens.text("id_token")
	foreign := s.exchange("strict", s.code(s.browser(), "strict", nil)).text("id_token")
	for _, c := range []struct {
		name, browser, hint, prompt string
		err                         string // "" for a code, "page" for the login page
	}{
		{"of who is there, silently", "alice", alices, "none", ""},
		{"of who is there", "alice", alices, "", ""},
		{"of somebody else, silently", "bob", alices, "none", "login_required"},
		{"of somebody else", "bob", alices, "", "page"},
		{"of somebody else, prompt=login", "bob", alices, "login", "page"},
		{"and nobody is there, silently", "", alices, "none", "login_required"},
		{"and nobody is there", "", alices, "", "page"},
		{"none, silently", "bob", "", "none", ""},
		{"nonsense is about nobody", "bob", "x.y.z", "none", ""},
		{"an access token is about nobody", "bob", tokens.text("access_token"), "none", ""},
		{"another realm's is about nobody", "bob", foreign, "none", ""},
		{"a forged one is about nobody", "bob", alices[:len(alices)-4] + "AAAA", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s.browser()
			if c.browser != "" {
				b, _ = in(c.browser)
			}
			q := url.Values{"id_token_hint": {c.hint}}
			if c.prompt != "" {
				q.Set("prompt", c.prompt)
			}
			a := s.get(b, s.authURL("two", q))
			if c.err != "page" {
				if v := returned(t, a, "query"); v.Get("error") != c.err || v.Has("code") == (c.err != "") {
					t.Errorf("got %v, want error %q", v, c.err)
				}
				return
			}
			if a.status != 200 {
				t.Fatalf("no page: %v", a.location)
			}
			for _, who := range []string{"bob", "alice"} { // another one has logged in: no code; the right one: a code
				if who == "alice" {
					a = s.get(b, s.authURL("two", q))
				}
				done := s.send(b, http.MethodPost, formAction(t, a), url.Values{"username": {who}, "password": {alicesPass}})
				if hasCode(done) != (who == "alice") || who == "bob" && (done.location == nil || done.location.Query().Get("error") != "login_required") {
					t.Errorf("%s: %d %v", who, done.status, done.location)
				}
			}
		})
	}
	s.clock.move(10 * time.Minute) // the hint has expired long ago
	b, _ := in("alice")
	if v := returned(t, s.get(b, s.authURL("two", url.Values{"id_token_hint": {alices}, "prompt": {"none"}})), "query"); v.Get("code") == "" {
		t.Errorf("an ID token that has expired: %v", v)
	}
}
