package provider_test

import (
	"net/http"
	"net/url"
	"testing"
)

// serviceToken is a token that a client gets for itself.
func (s *server) serviceToken(realmName, clientID, secret string) string {
	s.t.Helper()
	a := s.token(realmName, url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {secret}, "scope": {"openid"}})
	if a.text("access_token") == "" {
		s.t.Fatal(a.body)
	}
	return a.text("access_token")
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

// A client without the scope that carries sub is its own service account all the same.
func TestAServiceTokenWithoutSubStandsForItsClient(t *testing.T) {
	s := start(t, nil)
	n, _ := s.office()
	s.byAdminOf("office", http.MethodPut, "/clients/"+n.client["plain"], `{"clientId":"plain","defaultClientScopes":[]}`)
	access := s.serviceToken("office", "plain", "plain-secret")
	if sub := claimsOf(t, access)["sub"]; sub != nil {
		t.Fatalf("sub is %v", sub)
	}
	if a := s.get(s.browser(), s.oidc("office", "userinfo"), "Authorization", "Bearer "+access); a.text("sub") != s.serviceAccount(n.client["plain"]) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// byAdminOf is a request of the server's administrator that must succeed.
func (s *server) byAdminOf(realmName, method, path, body string) {
	s.t.Helper()
	if a := s.admin(s.adminBearer(), method, realmName, path, body); a.status >= http.StatusBadRequest {
		s.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
}
