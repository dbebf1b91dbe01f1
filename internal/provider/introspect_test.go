package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// askAbout asks introspection or revocation as client app, or as change says.
func (s *server) askAbout(realmName, endpoint, token string, change url.Values) answer {
	s.t.Helper()
	form := url.Values{"client_id": {"app"}, "client_secret": {appSecret}, "token": {token}}
	for k, v := range change {
		form[k] = v
	}
	return s.send(s.browser(), http.MethodPost, s.oidc(realmName, endpoint), form)
}

// byCode logs alice in and gives her tokens for client app.
func (s *server) byCode(realmName string) answer {
	s.t.Helper()
	return s.exchange(realmName, s.code(s.browser(), realmName, nil))
}

func wantInactive(t *testing.T, name string, a answer) {
	t.Helper()
	if a.status != http.StatusOK || strings.TrimSpace(a.body) != `{"active":false}` {
		t.Errorf("%s: %d %s", name, a.status, a.body)
	}
	wantNotStored(t, name, a)
}

func wantNotStored(t *testing.T, name string, a answer) {
	t.Helper()
	if got := a.header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("%s: Cache-Control is %q", name, got)
	}
}

func TestIntrospectionRefuses(t *testing.T) {
	s := start(t, nil)
	access := s.byCode("lenient").text("access_token")
	for _, c := range []struct {
		name        string
		change      url.Values
		status      int
		code, words string
	}{
		{"no token", url.Values{"token": nil}, 400, "invalid_request", "Token not provided."},
		{"a hint that is none", url.Values{"token_type_hint": {"id_token"}}, 400, "invalid_request", "Unsupported token type."},
		{"a client that nobody knows", url.Values{"client_id": {"nobody"}}, 401, "invalid_client", "Invalid client or Invalid client credentials"},
		{"a wrong secret", url.Values{"client_secret": {"x"}}, 401, "invalid_client", "Client authentication failed."},
		{"no secret", url.Values{"client_secret": nil}, 401, "invalid_client", "Client authentication failed."},
		{"a public client", url.Values{"client_id": {"spa"}}, 403, "invalid_request", "Client not allowed."},
		{"two tokens", url.Values{"token": {access, access}}, 400, "invalid_request", "duplicated parameter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantError(t, s.askAbout("lenient", "token/introspect", access, c.change), c.status, c.code, c.words)
		})
	}
	s.change(func(r *realm.Realm) { r.Enabled = false })
	for _, endpoint := range []string{"token/introspect", "revoke"} {
		wantError(t, s.askAbout("lenient", endpoint, access, nil), 403, "access_denied", "Realm not enabled")
	}
}

// In Keycloak's profile a token is known to those that it is for (aud), and to a
// client that is let ask for all.
func TestIntrospectionAsksForTheAudience(t *testing.T) {
	s := start(t, nil)
	other := url.Values{"client_id": {"other"}}
	wantInactive(t, "for nobody", s.askAbout("lenient", "token/introspect", s.byCode("lenient").text("access_token"), other))

	s.alter("clients", "lenient", `{"protocolMappers":[{"name":"aud","protocol":"openid-connect","protocolMapper":"oidc-audience-mapper","config":{"included.client.audience":"other","access.token.claim":"true"}}]}`)
	access := s.byCode("lenient").text("access_token")
	for _, hint := range [][]string{nil, {""}, {"access_token"}} {
		a := s.askAbout("lenient", "token/introspect", access, url.Values{"client_id": {"other"}, "token_type_hint": hint})
		if a.json["active"] != true || a.text("client_id") != "app" {
			t.Errorf("for another client, hint %q: %s", hint, a.body)
		}
		wantNotStored(t, "an active token", a)
	}
	wantInactive(t, "its own, of which it is no audience", s.askAbout("lenient", "token/introspect", access, nil))
	for value, want := range map[string]bool{"false": false, "": false, "true": true} {
		s.alter("clients", "lenient", `{"attributes":{"allow.token.introspection.without.audience.check":"`+value+`"}}`)
		if a := s.askAbout("lenient", "token/introspect", access, nil); (a.json["active"] == true) != want {
			t.Errorf("let ask for all %q: %s", value, a.body)
		}
	}
}

func TestARefreshTokenThatIsNoLongerGoodIsInactive(t *testing.T) {
	s := start(t, nil)
	hint := url.Values{"token_type_hint": {"refresh_token"}}
	old := s.byCode("strict")
	next := s.refresh("strict", old.text("refresh_token"))
	wantInactive(t, "one that was followed", s.askAbout("strict", "token/introspect", old.text("refresh_token"), hint))
	if a := s.askAbout("strict", "token/introspect", next.text("refresh_token"), hint); a.json["active"] != true || a.text("token_type") != "Refresh" {
		t.Errorf("the one that followed: %s", a.body)
	}
	wantInactive(t, "nonsense", s.askAbout("strict", "token/introspect", "x.y.z", hint))
	wantInactive(t, "an access token under this hint", s.askAbout("strict", "token/introspect", next.text("access_token"), hint))
	s.alter("session", "strict", "")
	wantInactive(t, "of a session that is over", s.askAbout("strict", "token/introspect", next.text("refresh_token"), hint))

	gone := s.byCode("lenient").text("refresh_token")
	s.byAdmin(t, http.MethodDelete, "users/"+s.userID(t, "alice"), nil)
	wantInactive(t, "of a user who is gone", s.askAbout("lenient", "token/introspect", gone, hint))
	wantNothingToRevoke(t, "of a user who is gone", s.askAbout("lenient", "revoke", gone, nil))
}

func wantNothingToRevoke(t *testing.T, name string, a answer) {
	t.Helper()
	if a.status != http.StatusOK || a.text("error") != "invalid_token" {
		t.Errorf("%s: %d %s", name, a.status, a.body)
	}
	wantNotStored(t, name, a)
}

// RFC 7009, section 2.2: "invalid tokens do not cause an error response".
func TestRevocationOfWhatIsNotThere(t *testing.T) {
	s := start(t, nil)
	tokens := s.byCode("lenient")
	for _, c := range []struct {
		name        string
		token       []string
		code, words string
	}{
		{"no token", nil, "invalid_request", "Token not provided"},
		{"an empty token", []string{""}, "invalid_request", "Token not provided"},
		{"an ID token", []string{tokens.text("id_token")}, "unsupported_token_type", "Unsupported token type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantError(t, s.askAbout("lenient", "revoke", "", url.Values{"token": c.token}), 400, c.code, c.words)
		})
	}
	strict := s.byCode("strict")
	for name, token := range map[string]string{"nonsense": "x", "three parts of nonsense": "x.y.z", "an access token of another realm": strict.text("access_token"),
		"a refresh token of another realm": strict.text("refresh_token"), "a changed access token": changedSignature(tokens.text("access_token")),
		"a changed refresh token": changedSignature(tokens.text("refresh_token"))} {
		wantNothingToRevoke(t, name, s.askAbout("lenient", "revoke", token, nil))
	}
	if a := s.refresh("lenient", tokens.text("refresh_token")); a.status != http.StatusOK {
		t.Errorf("one of them ended the session: %s", a.body)
	}
	a := s.askAbout("lenient", "revoke", tokens.text("refresh_token"), nil)
	if a.status != http.StatusOK || a.body != "" {
		t.Errorf("its own: %d %s", a.status, a.body)
	}
	wantNotStored(t, "its own", a)
	wantNothingToRevoke(t, "an access token of what was ended", s.askAbout("lenient", "revoke", tokens.text("access_token"), nil))
}

// changedSignature is a token whose signature no longer fits.
func changedSignature(token string) string {
	i := strings.LastIndex(token, ".") + 1
	if token[i] == 'A' {
		return token[:i] + "B" + token[i+1:]
	}
	return token[:i] + "A" + token[i+1:]
}
