package latchkey_test

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey"
	"github.com/latchkey-id/latchkey/internal/jose"
)

// realKeycloak is a Keycloak that runs beside the test.
type realKeycloak struct {
	t           *testing.T
	base, token string
}

func newRealKeycloak(t *testing.T) *realKeycloak {
	t.Helper()
	base := os.Getenv("LATCHKEY_TEST_KEYCLOAK")
	if base == "" {
		if os.Getenv("LATCHKEY_TEST_FULL") == "1" {
			t.Fatal("LATCHKEY_TEST_KEYCLOAK has to name a running Keycloak (admin/admin)")
		}
		t.Skip("LATCHKEY_TEST_KEYCLOAK names no running Keycloak")
	}
	k := &realKeycloak{t: t, base: strings.TrimSuffix(base, "/")}
	resp, err := http.PostForm(k.base+"/realms/master/protocol/openid-connect/token", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.AccessToken == "" {
		t.Fatalf("no administrator's token: %d, %v", resp.StatusCode, err)
	}
	k.token = got.AccessToken
	return k
}

func (k *realKeycloak) admin(method, path string, body any) []byte {
	k.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		k.t.Fatal(err)
	}
	req, err := http.NewRequest(method, k.base+"/admin/realms"+path, bytes.NewReader(b))
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+k.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		k.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode > 299 {
		k.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, got, err)
	}
	return got
}

// plainJar sends cookies over http that say Secure, as browsers do to localhost.
type plainJar struct{ http.CookieJar }

func (j plainJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		c.Secure = false
	}
	j.CookieJar.SetCookies(u, cookies)
}

// A realm of a real Keycloak that signs with another algorithm, and its own
// keycloak.json: a login in a browser ends with the user.
func TestRealKeycloakSignsOtherwise(t *testing.T) {
	k := newRealKeycloak(t)
	for _, algorithm := range []string{jose.ES256, jose.EdDSA, jose.ES512, jose.PS384} {
		t.Run(algorithm, func(t *testing.T) {
			k.t = t
			name := "signing-test-" + strings.ToLower(algorithm)
			k.admin(http.MethodPost, "", map[string]any{"realm": name, "enabled": true, "defaultSignatureAlgorithm": algorithm,
				"clients": []map[string]any{{"id": name, "clientId": "app", "secret": "made-up-here", "redirectUris": []string{"*"}, "attributes": map[string]string{"pkce.code.challenge.method": "S256"}}},
				"users": []map[string]any{{"username": "alice", "enabled": true, "email": "alice@example.com", "emailVerified": true, "firstName": "Alice", "lastName": "Liddell",
					"credentials": []map[string]any{{"type": "password", "value": "alice"}}}}})
			t.Cleanup(func() { k.admin(http.MethodDelete, "/"+name, nil) })
			file := k.admin(http.MethodGet, "/"+name+"/clients/"+name+"/installation/providers/keycloak-oidc-keycloak-json", nil)
			a := newApp(t, newOP(t), func(c *latchkey.Config) {
				from, err := latchkey.LoadKeycloakJSON(keycloakJSON(t, string(file)))
				if err != nil {
					t.Fatal(err)
				}
				c.Issuer, c.ClientID, c.ClientSecret = from.Issuer, from.ClientID, from.ClientSecret
			})
			a.client.Jar = plainJar{a.client.Jar}
			page := a.get("/protected")
			m := regexp.MustCompile(`<form[^>]* action="([^"]+)"`).FindStringSubmatch(page.body)
			if m == nil {
				t.Fatalf("no login form: %d %s\n%s", page.status, page.body, a.log)
			}
			resp, err := a.client.PostForm(html.UnescapeString(m[1]), url.Values{"username": {"alice"}, "password": {"alice"}})
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || !strings.Contains(string(b), "alice@example.com") {
				t.Errorf("%d %s %v\n%s", resp.StatusCode, b, err, a.log)
			}
		})
	}
}
