package provider_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/jose"
)

// Wire formats, with what changes from run to run taken out. A difference is a
// change that somebody's client will see. LATCHKEY_TEST_UPDATE=1 writes the files anew.
func TestGoldenWireFormats(t *testing.T) {
	s := start(t, nil)
	tokens := s.exchange("lenient", s.code(s.browser(), "lenient", url.Values{"nonce": {"n"}, "scope": {"openid profile email"}}))
	admin := "Bearer " + s.send(s.browser(), "POST", s.oidc("master", "token"), url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {adminPass}}).text("access_token")
	userID, _ := claimsOf(t, tokens.text("access_token"))["sub"].(string)
	for name, got := range map[string]any{
		"discovery":    s.get(s.browser(), s.url+"/realms/lenient/.well-known/openid-configuration").json,
		"keys":         s.get(s.browser(), s.oidc("lenient", "certs")).json,
		"token":        tokens.json,
		"access_token": claimsOf(t, tokens.text("access_token")),
		"id_token":     claimsOf(t, tokens.text("id_token")),
		"refresh":      claimsOf(t, tokens.text("refresh_token")),
		"userinfo":     s.get(s.browser(), s.oidc("lenient", "userinfo"), "Authorization", "Bearer "+tokens.text("access_token")).json,
		"realm":        s.get(s.browser(), s.url+"/admin/realms/lenient", "Authorization", admin).json,
		"user":         s.get(s.browser(), s.url+"/admin/realms/lenient/users/"+userID, "Authorization", admin).json,
	} {
		b, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		compareGolden(t, name, stable(strings.ReplaceAll(string(b), s.url, "<origin>")))
	}
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	_, c, err := jose.Unverified(token)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stable replaces ids, times, keys and tokens.
func stable(text string) []byte {
	for _, r := range []struct{ pattern, with string }{
		{`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`, "<uuid>"},
		{`"eyJ[^"]+"`, `"<token>"`},
		{`"(kid|n|x5t|x5t#S256|at_hash|sid|session_state|reuse_id)": "[^"]+"`, `"$1": "<$1>"`},
		{`"(exp|iat|auth_time|createdTimestamp)": [0-9.e+]+`, `"$1": "<time>"`},
		{`"refresh_expires_in": 1799`, `"refresh_expires_in": 1800`}, // a busy machine needs a second
		{`"MI[A-Za-z0-9+/=]{100,}"`, `"<certificate>"`},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.with)
	}
	return []byte(text + "\n")
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden.json")
	if os.Getenv("LATCHKEY_TEST_UPDATE") != "" {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s: %s", file, cmp.Diff(string(want), string(got)))
	}
}
