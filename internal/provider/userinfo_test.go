package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// RFC 6750, sections 2 and 3: one method, and what is wrong stands in the challenge.
func TestUserinfoRefuses(t *testing.T) {
	s := start(t, nil)
	good := s.byCode("lenient").text("access_token")
	plain := s.token("lenient", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {alicesPass}}).text("access_token")
	ended := s.byCode("lenient").text("access_token")
	s.askAbout("lenient", "revoke", ended, nil)
	const none = `Bearer realm="lenient"`
	for _, c := range []struct {
		name, header string
		form         url.Values
		status       int
		challenge    string // its beginning
	}{
		{"in the header", "Bearer " + good, nil, 200, ""},
		{"in small letters", "bearer " + good, nil, 200, ""},
		{"in the body", "", url.Values{"access_token": {good}}, 200, ""},
		{"in the body, beside another scheme", "Basic eDp5", url.Values{"access_token": {good}}, 200, ""},
		{"none", "", nil, 401, none},
		{"an empty one", "Bearer ", url.Values{"access_token": {""}}, 401, none},
		{"another scheme", "Basic " + good, nil, 401, none},
		{"without a scheme", good, nil, 401, none},
		{"in both", "Bearer " + good, url.Values{"access_token": {good}}, 400, none + `, error="invalid_request"`},
		{"nonsense", "Bearer x.y.z", nil, 401, none + `, error="invalid_token"`},
		{"a changed one", "Bearer " + changedSignature(good), nil, 401, none + `, error="invalid_token"`},
		{"a revoked one", "Bearer " + ended, nil, 401, none + `, error="invalid_token"`},
		{"without openid", "Bearer " + plain, nil, 403, none + `, error="insufficient_scope"`},
		{"without openid, in the body", "", url.Values{"access_token": {plain}}, 403, none + `, error="insufficient_scope"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var header []string
			if c.header != "" {
				header = []string{"Authorization", c.header}
			}
			a := s.send(s.browser(), http.MethodPost, s.oidc("lenient", "userinfo"), c.form, header...)
			got := a.header.Get("WWW-Authenticate")
			if a.status != c.status || !strings.HasPrefix(got, c.challenge) || c.challenge == none && got != none || (a.text("preferred_username") == "alice") != (c.status == 200) {
				t.Errorf("%d %q %s", a.status, got, a.body)
			}
			if c.status != 200 && a.body != "" {
				t.Errorf("a refusal says %s", a.body)
			}
			wantNotStored(t, "the answer", a)
		})
	}
	if a := s.get(s.browser(), s.oidc("lenient", "userinfo")+"?access_token="+good); a.status != 401 {
		t.Errorf("a token in the address: %d", a.status)
	}
	other := s.byCode("lenient").text("access_token")
	s.alter("users", "lenient", `{"enabled":false}`)
	if a := s.get(s.browser(), s.oidc("lenient", "userinfo"), "Authorization", "Bearer "+other); a.status != 401 || !strings.Contains(a.header.Get("WWW-Authenticate"), "User disabled") {
		t.Errorf("of a user who is switched off: %d %v", a.status, a.header)
	}
	s.alter("session", "lenient", "")
	if a := s.get(s.browser(), s.oidc("lenient", "userinfo"), "Authorization", "Bearer "+good); a.status != 401 || !strings.Contains(a.header.Get("WWW-Authenticate"), "user_session_not_found") {
		t.Errorf("after the end of the session: %d %v", a.status, a.header)
	}
}
