package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// serviceAnswer is what a client gets for itself.
func (s *server) serviceAnswer(realmName, clientID, secret string) answer {
	s.t.Helper()
	a := s.token(realmName, url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {secret}, "scope": {"openid"}})
	if a.text("access_token") == "" {
		s.t.Fatal(a.body)
	}
	return a
}

func (s *server) serviceToken(realmName, clientID, secret string) string {
	s.t.Helper()
	return s.serviceAnswer(realmName, clientID, secret).text("access_token")
}

// Whoever manages clients may write mappers, and may make a client with a service
// account: its tokens stand for that account, whatever a mapper puts into sub.
func TestS120AMapperMakesNobodyElse(t *testing.T) {
	s := start(t, nil)
	n, alice := s.office()
	for _, kind := range []string{
		`"protocolMapper":"oidc-hardcoded-claim-mapper","config":{"claim.value":"` + n.user["boss"] + `","claim.name":"sub","access.token.claim":"true"}`,
		`"protocolMapper":"oidc-usermodel-attribute-mapper","config":{"user.attribute":"boss","claim.name":"sub","access.token.claim":"true"}`,
	} {
		made := s.admin(alice, http.MethodPost, "office", "/clients", `{"clientId":"climber","secret":"s","publicClient":false,"serviceAccountsEnabled":true,
			"protocolMappers":[{"name":"m","protocol":"openid-connect",`+kind+`}]}`)
		if made.status != http.StatusCreated {
			t.Fatal(made.body)
		}
		id := s.names("office").client["climber"]
		account := s.serviceAccount(id)
		s.byAdminOf("office", http.MethodPut, "/users/"+account, `{"attributes":{"boss":["`+n.user["boss"]+`"]}}`)
		access := s.serviceToken("office", "climber", "s")
		if a := s.get(s.browser(), s.oidc("office", "userinfo"), "Authorization", "Bearer "+access); a.text("sub") != account {
			t.Errorf("userinfo: %d %s", a.status, a.body)
		}
		for method, path := range map[string]string{http.MethodGet: "/users", http.MethodDelete: "/users/" + n.user["boss"]} {
			if a := s.admin("Bearer "+access, method, "office", path, ""); a.status != http.StatusForbidden {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
		}
		s.byAdminOf("office", http.MethodDelete, "/clients/"+id, "")
	}
}

// A name that is given to another client brings the tokens of the first one nothing.
func TestS120TokensDieWithTheirServiceAccount(t *testing.T) {
	s := start(t, nil)
	n, _ := s.office()
	access := s.serviceToken("office", "plain", "plain-secret")
	if a := s.get(s.browser(), s.oidc("office", "userinfo"), "Authorization", "Bearer "+access); a.status != http.StatusOK {
		t.Fatalf("nothing is wrong yet: %d", a.status)
	}
	s.byAdminOf("office", http.MethodDelete, "/clients/"+n.client["plain"], "")
	s.byAdminOf("office", http.MethodPost, "/clients", `{"clientId":"plain","secret":"new","publicClient":false,"serviceAccountsEnabled":true}`)
	if a := s.get(s.browser(), s.oidc("office", "userinfo"), "Authorization", "Bearer "+access); a.status != http.StatusUnauthorized {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A client without the scope that carries sub is its own service account all the same,
// and its token says so.
func TestAServiceTokenSaysWhoseItIs(t *testing.T) {
	s := start(t, nil)
	n, _ := s.office()
	for _, scope := range s.list("office", "clients/"+n.client["plain"]+"/default-client-scopes") {
		s.byAdminOf("office", http.MethodDelete, "/clients/"+n.client["plain"]+"/default-client-scopes/"+scope["id"].(string), "")
	}
	access, account := s.serviceToken("office", "plain", "plain-secret"), s.serviceAccount(n.client["plain"])
	if sub := claimsOf(t, access)["sub"]; sub != account {
		t.Errorf("sub is %v", sub)
	}
	if a := s.get(s.browser(), s.oidc("office", "userinfo"), "Authorization", "Bearer "+access); a.text("sub") != account {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// What an administrator does to a service account holds for the tokens it has.
func TestC6AServiceAccountIsSwitchedOff(t *testing.T) {
	s := start(t, nil)
	n, _ := s.office()
	client := "/clients/" + n.client["plain"]
	worth := func(access string) int {
		return s.get(s.browser(), s.oidc("office", "userinfo"), "Authorization", "Bearer "+access).status
	}
	for _, c := range []struct{ name, method, path, body, back string }{
		{"its user logged out", http.MethodPost, "/users/{account}/logout", "", ""},
		{"its user disabled", http.MethodPut, "/users/{account}", `{"enabled":false}`, `{"enabled":true}`},
		{"switched off", http.MethodPut, client, `{"clientId":"plain","serviceAccountsEnabled":false}`, `{"clientId":"plain","serviceAccountsEnabled":true}`},
		{"its user deleted", http.MethodDelete, "/users/{account}", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			access, path := s.serviceToken("office", "plain", "plain-secret"), strings.ReplaceAll(c.path, "{account}", s.serviceAccount(n.client["plain"]))
			s.clock.move(2 * time.Second) // not-before counts seconds
			if got := worth(access); got != http.StatusOK {
				t.Fatalf("nothing is wrong yet: %d", got)
			}
			s.byAdminOf("office", c.method, path, c.body)
			if got := worth(access); got != http.StatusUnauthorized {
				t.Errorf("got %d", got)
			}
			if c.back != "" {
				s.byAdminOf("office", c.method, path, c.back)
			}
		})
	}
}

// byAdminOf is a request of the server's administrator that must succeed.
func (s *server) byAdminOf(realmName, method, path, body string) {
	s.t.Helper()
	if a := s.admin(s.adminBearer(), method, realmName, path, body); a.status >= http.StatusBadRequest {
		s.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
}

// A client sends with a refresh what the last answer named (oidc-client-ts does):
// its default scopes are part of that, and what was not granted gives nothing.
func TestARefreshMayNameWhatItGot(t *testing.T) {
	s := start(t, nil)
	first := s.exchange("lenient", s.code(s.browser(), "lenient", url.Values{"scope": {"openid phone"}, "nonce": {"n"}}))
	refresh := first.text("refresh_token")
	for _, c := range []struct{ name, asked, want string }{
		{"the answer's own scope", first.text("scope"), "openid email phone profile"},
		{"less", "openid email", "openid email profile"},
		{"what was not granted", "openid address", "openid email profile"},
		{"nothing", "", "openid email phone profile"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.token("lenient", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "scope": {c.asked}})
			if a.text("scope") != c.want {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if claims := claimsOf(t, a.text("id_token")); claims["nonce"] != nil {
				t.Errorf("the nonce of the login: %v", claims)
			}
		})
	}
	a := s.token("lenient", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "scope": {"openid nobodys"}})
	wantError(t, a, 400, "invalid_scope", "Invalid scopes: openid nobodys")
}

// What an administrator changes at a client meanwhile.
func TestAClientThatChangedMeanwhile(t *testing.T) {
	s := start(t, nil)
	asked := url.Values{"scope": {"openid phone"}}
	tokens, code := s.exchange("lenient", s.code(s.browser(), "lenient", asked)), s.code(s.browser(), "lenient", asked)
	client := "clients/" + s.clientID(t)
	s.byAdmin(t, http.MethodDelete, client+"/optional-client-scopes/"+s.names("lenient").scope["phone"], nil)
	for name, a := range map[string]answer{"a scope taken, refresh": s.refresh("lenient", tokens.text("refresh_token")), "a scope taken, code": s.exchange("lenient", code)} {
		if a.text("scope") != "openid email profile" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	s.byAdmin(t, http.MethodPut, client, map[string]any{"clientId": "app", "notBefore": 1_000_000_000})
	if a := s.serviceAnswer("lenient", "app", appSecret); a.json["not-before-policy"] != 1e9 {
		t.Errorf("the client's not-before: %s", a.body)
	}
	code = s.code(s.browser(), "lenient", nil)
	s.byAdmin(t, http.MethodPut, client, map[string]any{"clientId": "app", "standardFlowEnabled": false})
	wantError(t, s.exchange("lenient", code), 400, "invalid_grant", "Client not allowed to exchange code")
}

// RFC 6750, 2: one token, sent in one way. Two readers must not find two.
func TestUserinfoTakesOneToken(t *testing.T) {
	s := start(t, nil)
	access := s.exchange("lenient", s.code(s.browser(), "lenient", nil)).text("access_token")
	for _, c := range []struct {
		name, method string
		form         url.Values
		header       []string
		want         int
	}{
		{"header", http.MethodGet, nil, []string{"Bearer " + access}, 200},
		{"header, more blanks", http.MethodGet, nil, []string{"bearer   " + access}, 200},
		{"form", http.MethodPost, url.Values{"access_token": {access}}, nil, 200},
		{"form and another scheme", http.MethodPost, url.Values{"access_token": {access}}, []string{"Basic YTpi"}, 200},
		{"both", http.MethodPost, url.Values{"access_token": {access}}, []string{"Bearer " + access}, 400},
		{"form, twice", http.MethodPost, url.Values{"access_token": {access, access}}, nil, 400},
		{"form, and an empty one", http.MethodPost, url.Values{"access_token": {"", access}}, nil, 400},
		{"header, twice", http.MethodGet, nil, []string{"Bearer " + access, "Bearer " + access}, 400},
		{"header, and another scheme's", http.MethodGet, nil, []string{"Bearer " + access, "Basic YTpi"}, 400},
		{"body of a GET", http.MethodGet, url.Values{"access_token": {access}}, nil, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, s.oidc("lenient", "userinfo"), strings.NewReader(c.form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header["Authorization"] = c.header
			if a := s.do(s.browser(), r); a.status != c.want {
				t.Errorf("got %d %s, want %d", a.status, a.body, c.want)
			}
		})
	}
}
