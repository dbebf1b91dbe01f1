package provider_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// introspect asks about a token of realm "lenient".
func (s *server) introspect(client, token string, more url.Values) answer {
	s.t.Helper()
	form := url.Values{"client_id": {client}, "client_secret": {appSecret}, "token": {token}}
	for k, v := range more {
		form[k] = v
	}
	a := s.send(s.browser(), http.MethodPost, s.oidc("lenient", "token/introspect"), form)
	if a.status != http.StatusOK {
		s.t.Fatalf("%d %s", a.status, a.body)
	}
	return a
}

// mapper is a protocol mapper; config is name, value, …
func mapper(name, kind string, config ...string) map[string]any {
	c := map[string]string{}
	for i := 0; i < len(config); i += 2 {
		c[config[i]] = config[i+1]
	}
	return map[string]any{"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": c}
}

// What a resource server is told of a token is what its mappers say for
// introspection, and what they say now (Keycloak 26.7.4).
func TestIntrospectionSaysWhatIs(t *testing.T) {
	s := start(t, nil)
	fixed := func(name string, config ...string) map[string]any {
		return mapper(name, "oidc-hardcoded-claim-mapper", append(config, "claim.name", name, "claim.value", "x")...)
	}
	mappers := []map[string]any{
		mapper("aud", "oidc-audience-mapper", "included.client.audience", "other", "access.token.claim", "true"),
		fixed("both", "access.token.claim", "true"), fixed("hidden", "access.token.claim", "true", "introspection.token.claim", "false"),
		fixed("told", "introspection.token.claim", "true"), fixed("nowhere", "id.token.claim", "true")}
	for name, light := range map[string]string{"a full token": "false", "a lightweight one": "true"} {
		t.Run(name, func(t *testing.T) {
			s.byAdmin(t, http.MethodPut, "clients/"+s.clientID(t), map[string]any{"clientId": "app", "protocolMappers": mappers,
				"attributes": map[string]string{"client.use.lightweight.access.token.enabled": light}})
			access := s.exchange("lenient", s.code(s.browser(), "lenient", nil)).text("access_token")
			if has := claimsOf(t, access)["email"] != nil; has != (light == "false") {
				t.Fatalf("the token says %v", claimsOf(t, access))
			}
			a := s.introspect("other", access, nil)
			for claim, want := range map[string]any{"active": true, "sub": s.userID(t, "alice"), "email": "alice@example.com", "username": "alice", "client_id": "app", "both": "x", "told": "x",
				"hidden": nil, "nowhere": nil, "jti": claimsOf(t, access)["jti"], "exp": claimsOf(t, access)["exp"]} {
				if a.json[claim] != want {
					t.Errorf("%s is %v, want %v", claim, a.json[claim], want)
				}
			}
			if a := s.introspect("app", access, nil); a.json["active"] != false {
				t.Errorf("a client outside of the audience: %s", a.body)
			}
		})
	}
}

// A role that was taken away is gone at once, and one that was given is there.
func TestIntrospectionKnowsTheRolesOfNow(t *testing.T) {
	s := start(t, nil)
	s.byAdmin(t, http.MethodPut, "clients/"+s.clientID(t), map[string]any{"clientId": "app", "attributes": map[string]string{"allow.token.introspection.without.audience.check": "true"}})
	s.byAdmin(t, http.MethodPost, "roles", map[string]any{"name": "keeper"})
	role := "[" + s.admin(s.adminBearer(), http.MethodGet, "lenient", "/roles/keeper", "").body + "]"
	mapping := "/users/" + s.userID(t, "alice") + "/role-mappings/realm"
	s.byAdminOf("lenient", http.MethodPost, mapping, role)
	access := s.exchange("lenient", s.code(s.browser(), "lenient", nil)).text("access_token")
	keeper := func() bool {
		a := s.introspect("app", access, nil)
		realm, _ := a.json["realm_access"].(map[string]any)
		roles, _ := realm["roles"].([]any)
		return slices.Contains(roles, any("keeper"))
	}
	if !keeper() {
		t.Error("she has it")
	}
	s.byAdminOf("lenient", http.MethodDelete, mapping, role)
	if keeper() {
		t.Error("it was taken away")
	}
	if a := s.introspect("app", s.serviceToken("lenient", "app", appSecret), nil); a.json["active"] != true || a.text("clientHost") != "127.0.0.1" || a.text("username") != "service-account-app" {
		t.Errorf("a service account's: %s", a.body)
	}
}

// What was said a moment ago is said again as long as nothing has changed that it
// was made of; here each of those things changes.
func TestIntrospectionRemembersNothingThatChanged(t *testing.T) {
	s := start(t, nil)
	app := "/clients/" + s.clientID(t)
	s.byAdminOf("lenient", http.MethodPut, app, `{"clientId":"app","attributes":{"allow.token.introspection.without.audience.check":"true"},"protocolMappers":[
		{"name":"k","protocol":"openid-connect","protocolMapper":"oidc-usermodel-attribute-mapper","config":{"user.attribute":"k","claim.name":"k","access.token.claim":"true"}},
		{"name":"g","protocol":"openid-connect","protocolMapper":"oidc-group-membership-mapper","config":{"claim.name":"g","full.path":"true","access.token.claim":"true"}}]}`)
	for _, name := range []string{"inner", "lent"} {
		s.byAdminOf("lenient", http.MethodPost, "/roles", `{"name":"`+name+`"}`)
	}
	s.byAdminOf("lenient", http.MethodPost, "/groups", `{"name":"house"}`)
	n, alice := s.names("lenient"), "/users/"+s.userID(t, "alice")
	role := func(name string) string { return `[{"id":"` + n.role[name] + `","name":"` + name + `"}]` }
	group := "/groups/" + n.group["house"]
	for _, c := range []struct{ name, method, path, body string }{
		{"a name", http.MethodPut, alice, `{"lastName":"Hargreaves"}`},
		{"an address", http.MethodPut, alice, `{"email":"a@example.org"}`},
		{"an attribute", http.MethodPut, alice, `{"attributes":{"k":["v"]}}`},
		{"a role", http.MethodPost, alice + "/role-mappings/realm", role("inner")},
		{"a role's name", http.MethodPut, "/roles-by-id/" + n.role["inner"], `{"name":"innermost"}`},
		{"a role taken", http.MethodDelete, alice + "/role-mappings/realm", `[{"id":"` + n.role["inner"] + `","name":"innermost"}]`},
		{"a role by another role", http.MethodPost, "/roles-by-id/" + n.role["default-roles-lenient"] + "/composites", `[{"id":"` + n.role["inner"] + `","name":"innermost"}]`},
		{"a group", http.MethodPut, alice + group, ""},
		{"a group's name", http.MethodPut, group, `{"name":"home"}`},
		{"a role by a group", http.MethodPost, group + "/role-mappings/realm", role("lent")},
		{"a role of a group taken", http.MethodDelete, group + "/role-mappings/realm", role("lent")},
		{"an attribute taken", http.MethodPut, alice, `{"attributes":{}}`},
		{"an attribute of a group", http.MethodPut, group, `{"name":"home","attributes":{"k":["lent"]}}`},
		{"an attribute that hides it", http.MethodPut, alice, `{"attributes":{"k":["own"]}}`},
		{"a group left", http.MethodDelete, alice + group, ""},
		{"a web origin", http.MethodPut, app, `{"clientId":"app","webOrigins":["https://other.example"]}`},
		{"a scope taken", http.MethodDelete, app + "/default-client-scopes/" + n.scope["profile"], ""},
		{"a mapper of a scope", http.MethodPost, "/client-scopes/" + n.scope["email"] + "/protocol-mappers/models", `{"name":"fixed","protocol":"openid-connect","protocolMapper":"oidc-hardcoded-claim-mapper","config":{"claim.name":"fixed","claim.value":"x","access.token.claim":"true"}}`},
		{"a mapper of the client", http.MethodPost, app + "/protocol-mappers/models", `{"name":"own","protocol":"openid-connect","protocolMapper":"oidc-hardcoded-claim-mapper","config":{"claim.name":"own","claim.value":"x","access.token.claim":"true"}}`},
		{"the roles in the client's scope", http.MethodPut, app, `{"clientId":"app","fullScopeAllowed":false}`},
	} {
		access := s.exchange("lenient", s.code(s.browser(), "lenient", nil)).text("access_token")
		before := s.introspect("app", access, nil)
		if again := s.introspect("app", access, nil); before.json["active"] != true || again.body != before.body {
			t.Fatalf("%s: twice the same: %s, %s", c.name, before.body, again.body)
		}
		s.byAdminOf("lenient", c.method, c.path, c.body)
		if after := s.introspect("app", access, nil); after.json["active"] != true || after.body == before.body {
			t.Errorf("%s: nothing has changed: %s", c.name, after.body)
		}
	}
}

// "The authorization server MUST extend its search across all of its supported token
// types" (RFC 7662, 2.1), for a client that may know of what is not for it.
func TestIntrospectionFindsARefreshTokenWithoutItsHint(t *testing.T) {
	s := start(t, nil)
	refresh := s.exchange("lenient", s.code(s.browser(), "lenient", nil)).text("refresh_token")
	hint := url.Values{"token_type_hint": {"access_token"}}
	if a := s.introspect("app", refresh, nil); strings.TrimSpace(a.body) != `{"active":false}` {
		t.Errorf("as Keycloak, with its check of the audience: %s", a.body)
	}
	s.byAdmin(t, http.MethodPut, "clients/"+s.clientID(t), map[string]any{"clientId": "app", "attributes": map[string]string{"allow.token.introspection.without.audience.check": "true"}})
	for name, more := range map[string]url.Values{"no hint": nil, "the wrong one": hint, "its own": {"token_type_hint": {"refresh_token"}}} {
		if a := s.introspect("app", refresh, more); a.json["active"] != true || a.text("token_type") != "Refresh" || a.text("username") != "alice" || a.json["reuse_id"] != nil {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	if a := s.introspect("other", refresh, nil); a.json["active"] != false {
		t.Errorf("another client: %s", a.body)
	}
}
