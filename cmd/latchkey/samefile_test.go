package main_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// keycloak is the running Keycloak that a test compares with.
func keycloak(t *testing.T) side {
	t.Helper()
	base := os.Getenv("LATCHKEY_TEST_KEYCLOAK")
	if base == "" {
		needs(t, "LATCHKEY_TEST_KEYCLOAK, the address of a running Keycloak")
	}
	return side{"keycloak", strings.TrimSuffix(base, "/"), "admin", "admin"}
}

// The same realm file in both gives the same logins: made and exported by
// Keycloak, imported by both.
func TestSameFileFromKeycloak(t *testing.T) {
	kc := keycloak(t)
	for _, c := range []struct {
		file   string
		logins []attempt
	}{
		{"keycloak-26.7.4-samefile.json", samefileLogins()},
		{"keycloak-26.7.4-realm.json", guideLogins()},
	} {
		t.Run(c.file, func(t *testing.T) {
			doc, err := os.ReadFile("../../internal/manage/testdata/" + c.file)
			if err != nil {
				t.Fatal(err)
			}
			name, doc := fresh(t, doc)
			path := filepath.Join(t.TempDir(), "realm.json")
			if err := os.WriteFile(path, doc, 0o600); err != nil {
				t.Fatal(err)
			}
			kc.importRealm(t, name, doc)
			ours, _ := serveFor(t, "ours", "--import", path)
			compare(t, name, c.logins, kc, ours)
		})
	}
}

// And the other way round: a realm made by us through the admin API, exported by
// us, imported by Keycloak and by a fresh server of ours.
func TestSameFileFromUs(t *testing.T) {
	kc := keycloak(t)
	ours, data := serveFor(t, "ours")
	name := "samefile-" + strings.ToLower(rand.Text()[:8])
	makeRealm(t, ours, name)
	dir := t.TempDir()
	file, second := filepath.Join(dir, "realm.json"), filepath.Join(dir, "data")
	latchkey := builtLatchkey(t)
	runs(t, latchkey, "export", "--data", data, "--realm", name, "--file", file)
	runs(t, latchkey, "import", "--data", second, file)
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	kc.importRealm(t, name, doc)
	copied, _ := serveFor(t, "the copy", "--data", second)
	compare(t, name, ourLogins(), kc, ours, copied)
}

func runs(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// fresh gives the file another realm name and other ids, so that two runs on one
// Keycloak do not collide.
func fresh(t *testing.T, doc []byte) (string, []byte) {
	t.Helper()
	var head struct{ Realm string }
	if err := json.Unmarshal(doc, &head); err != nil {
		t.Fatal(err)
	}
	salt := strings.ToLower(fmt.Sprintf("%x", rand.Text()))[:12]
	name := head.Realm + "-" + salt
	doc = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`).ReplaceAllFunc(doc, func(id []byte) []byte {
		return append(bytes.Clone(id[:24]), salt...)
	})
	return name, bytes.Replace(doc, []byte(`"realm" : "`+head.Realm+`"`), []byte(`"realm" : "`+name+`"`), 1)
}

// serveFor starts a server of ours with an administrator.
func serveFor(t *testing.T, name string, args ...string) (side, string) {
	t.Helper()
	addr, data := freeAddr(t), filepath.Join(t.TempDir(), "data")
	base := "http://" + addr
	all := append([]string{"serve", "--data", data, "--addr", addr, "--management-addr", "", "--url", base, "--admin", "admin", "--log-level", "error"}, args...)
	cmd := exec.CommandContext(t.Context(), builtLatchkey(t), all...)
	cmd.Env = append(os.Environ(), "LATCHKEY_ADMIN_PASSWORD=admin")
	cmd.Stderr = t.Output()
	start(t, cmd)
	waitFor(t, base+"/realms/master")
	return side{name, base, "admin", "admin"}, data
}

// makeRealm makes a realm through the admin API, as a script would.
func makeRealm(t *testing.T, p side, name string) {
	t.Helper()
	at := "/admin/realms/" + name
	p.admin(t, "POST", "/admin/realms", `{"realm":"`+name+`","enabled":true,"displayName":"Made here","attributes":{"house":"red"},
		"roles":{"realm":[{"name":"reader"},{"name":"writer","composite":true,"composites":{"realm":["reader"],"client":{"api":["use"]}}}],"client":{"api":[{"name":"use"}]}},
		"groups":[{"name":"staff","realmRoles":["reader"],"subGroups":[{"name":"night","clientRoles":{"api":["use"]}}]}],
		"clients":[{"clientId":"api","bearerOnly":true}]}`)
	p.admin(t, "POST", at+"/clients", `{"clientId":"app","secret":"app-secret-0123456789","redirectUris":["`+callback+`"],"directAccessGrantsEnabled":true,"serviceAccountsEnabled":true,
		"protocolMappers":[{"name":"groups","protocol":"openid-connect","protocolMapper":"oidc-group-membership-mapper","config":{"claim.name":"groups","full.path":"true",
		"access.token.claim":"true","id.token.claim":"true","userinfo.token.claim":"true"}}]}`)
	p.admin(t, "POST", at+"/clients", `{"clientId":"spa","publicClient":true,"redirectUris":["`+callback+`"],"attributes":{"pkce.code.challenge.method":"S256"}}`)
	p.admin(t, "POST", at+"/users", `{"username":"alice","enabled":true,"email":"alice@example.com","emailVerified":true,"firstName":"Alice","lastName":"Liddell","groups":["/staff/night"],
		"attributes":{"locale":["en"]},"credentials":[{"type":"password","value":"alice-password"}]}`)
	p.admin(t, "POST", at+"/users", `{"username":"bob","enabled":true,"email":"bob@example.com","firstName":"Bob","lastName":"Ünal","credentials":[{"type":"password","value":"bob pässword ☃"}]}`)
	p.admin(t, "POST", at+"/users", `{"username":"carol","enabled":true,"email":"carol@example.com","firstName":"Carol","lastName":"C","credentials":[{"type":"password","value":"carol-password","temporary":true}]}`)
	p.admin(t, "POST", at+"/users", `{"username":"dave","enabled":false,"email":"dave@example.com","firstName":"Dave","lastName":"D","credentials":[{"type":"password","value":"dave-password"}]}`)
	var users []struct{ ID string }
	var role json.RawMessage
	if err := errors.Join(json.Unmarshal(p.admin(t, "GET", at+"/users?username=bob&exact=true", ""), &users), json.Unmarshal(p.admin(t, "GET", at+"/roles/writer", ""), &role)); err != nil || len(users) != 1 {
		t.Fatalf("%v, users %v", err, users)
	}
	p.admin(t, "POST", at+"/users/"+users[0].ID+"/role-mappings/realm", "["+string(role)+"]")
}

// side is a server, ours or Keycloak.
type side struct{ name, base, adminName, adminPassword string }

// admin makes one call of the admin API and gives the body of a success.
func (p side) admin(t *testing.T, method, path, body string) []byte {
	t.Helper()
	status, doc := p.post(t, "master", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {p.adminName}, "password": {p.adminPassword}})
	token, _ := doc["access_token"].(string)
	if token == "" {
		t.Fatalf("%s: no token for the administrator: %d %v", p.name, status, doc)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, p.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s: %s %s: %d %s %v", p.name, method, path, resp.StatusCode, out, err)
	}
	return out
}

// importRealm makes a realm of a whole file, and takes it away afterwards.
func (p side) importRealm(t *testing.T, name string, doc []byte) {
	t.Helper()
	p.admin(t, "POST", "/admin/realms", string(doc))
	t.Cleanup(func() { p.delete(t, name) })
}

func (p side) delete(t *testing.T, name string) {
	t.Helper()
	status, doc := p.post(t, "master", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {p.adminName}, "password": {p.adminPassword}})
	req, err := http.NewRequest(http.MethodDelete, p.base+"/admin/realms/"+name, nil) // the test's own context has ended
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", fmt.Sprint("Bearer ", doc["access_token"]))
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("%s stays on %s: %d, %d", name, p.name, status, resp.StatusCode)
	}
}

// post asks the token endpoint.
func (p side) post(t *testing.T, realm string, form url.Values) (int, map[string]any) {
	t.Helper()
	resp, err := (&http.Client{Timeout: time.Minute}).PostForm(p.base+"/realms/"+realm+"/protocol/openid-connect/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	return resp.StatusCode, doc
}

// compare makes every attempt at every side; what differs fails the test. An
// attempt that should give tokens has to, so that two refusals are no agreement.
func compare(t *testing.T, realm string, attempts []attempt, sides ...side) {
	t.Helper()
	for _, a := range attempts {
		t.Run(a.name, func(t *testing.T) {
			first := a.at(t, sides[0], realm)
			if _, got := first["access_token"]; got != a.works {
				t.Errorf("%s: tokens %v, want %v: %v", sides[0].name, got, a.works, first)
			}
			for _, p := range sides[1:] {
				if d := cmp.Diff(first, a.at(t, p, realm)); d != "" {
					t.Errorf("-%s +%s: %s", sides[0].name, p.name, d)
				}
			}
		})
	}
}
