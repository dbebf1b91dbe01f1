package main_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/storetest"
)

// Two nodes on one database, started at once while it is empty. A login begins on
// one and goes on with the other; it makes no difference.
func TestTwoNodesAreOneProvider(t *testing.T) {
	latchkey, dsn := builtLatchkey(t), storetest.Postgres(t)
	first, second := "http://"+freeAddr(t), "http://"+freeAddr(t)
	log := &heard{}
	for _, at := range []string{first, second} {
		cmd := exec.CommandContext(t.Context(), latchkey, "serve", "--addr", strings.TrimPrefix(at, "http://"), "--management-addr", "", "--url", first, "--admin", "boss",
			"--import", "../../internal/manage/testdata/keycloak-26.7.4-realm.json")
		cmd.Env = append(os.Environ(), "LATCHKEY_ADMIN_PASSWORD=the first password", "LATCHKEY_DB="+dsn, "LATCHKEY_KEY=a key of the test of enough bytes and more")
		cmd.Stderr = log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})
	waitFor(t, first+"/realms/guide")
	waitFor(t, second+"/realms/guide")

	a, b := newVisitor(t, first), newVisitor(t, second)
	b.client = a.client // one browser
	a.login()           // opens the login page on the first
	done := b.post(strings.Replace(a.form, first, second, 1), url.Values{"username": {"alice"}, "password": {"alice-password"}})
	back, err := url.Parse(done.header.Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		t.Fatalf("no code: %d %s", done.status, done.body)
	}
	client := url.Values{"client_id": {"guide-app"}, "client_secret": {"guide-secret"}}
	send := func(v *visitor, path string, more url.Values) (reply, map[string]any) {
		for k, values := range client {
			more[k] = values
		}
		r := v.post(v.oidc(path), more)
		var doc map[string]any
		_ = json.Unmarshal([]byte(r.body), &doc)
		return r, doc
	}
	exchange := url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {"http://localhost:5000/oidc/callback"}}
	r, tokens := send(a, "token", exchange)
	if r.status != http.StatusOK || tokens["refresh_token"] == nil {
		t.Fatalf("the code on the first: %d %s", r.status, r.body)
	}
	access, _ := tokens["access_token"].(string)
	if r := b.do(http.MethodGet, b.oidc("userinfo"), nil, access); r.status != http.StatusOK {
		t.Errorf("userinfo on the second: %d %s", r.status, r.body)
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}}
	if r, _ := send(b, "token", refresh); r.status != http.StatusOK {
		t.Errorf("refresh on the second: %d %s", r.status, r.body)
	}
	if r, _ := send(a, "logout", url.Values{"refresh_token": refresh["refresh_token"]}); r.status != http.StatusNoContent {
		t.Errorf("logout on the first: %d %s", r.status, r.body)
	}
	if r, _ := send(b, "token", refresh); r.status != http.StatusBadRequest {
		t.Errorf("refresh on the second after it: %d %s", r.status, r.body)
	}
	if r := b.do(http.MethodGet, b.oidc("userinfo"), nil, access); r.status != http.StatusUnauthorized {
		t.Errorf("userinfo on the second after it: %d %s", r.status, r.body)
	}
}
