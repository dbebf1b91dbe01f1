package urls_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/urls"
)

func TestRealm(t *testing.T) {
	r := urls.Realm{Origin: "https://sso.example", Name: "my realm/x"}
	got := map[string]string{
		"issuer": r.Issuer(), "auth": r.Auth(), "token": r.Token(), "userinfo": r.Userinfo(), "certs": r.Certs(), "logout": r.Logout(),
		"cookie": r.CookiePath(), "action": r.LoginAction("authenticate"), "admin": r.Admin(), "discovery": r.Discovery(),
	}
	const base = "https://sso.example/realms/my%20realm%2Fx"
	want := map[string]string{
		"issuer": base, "auth": base + "/protocol/openid-connect/auth", "token": base + "/protocol/openid-connect/token",
		"userinfo": base + "/protocol/openid-connect/userinfo", "certs": base + "/protocol/openid-connect/certs",
		"logout": base + "/protocol/openid-connect/logout", "cookie": "/realms/my%20realm%2Fx/",
		"action": base + "/login-actions/authenticate", "admin": "https://sso.example/admin/realms/my%20realm%2Fx",
		"discovery": base + "/.well-known/openid-configuration",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWithQuery(t *testing.T) {
	q := url.Values{"code": {"a&b"}}
	for _, c := range []struct{ name, in, want string }{
		{"no query", "https://app.example/cb", "https://app.example/cb?code=a%26b"},
		{"a query of its own", "https://app.example/cb?x=%31", "https://app.example/cb?x=%31&code=a%26b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := urls.WithQuery(c.in, q); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if got := urls.WithQuery("https://app.example/cb", nil); got != "https://app.example/cb" {
		t.Errorf("without parameters: %s", got)
	}
}

// A8 (CVE-2026-18211): the loopback exception must compare whole names.
func TestA8Loopback(t *testing.T) {
	for origin, want := range map[string]bool{
		"http://localhost:8080": true, "http://127.0.0.1": true, "http://127.8.9.1:1": true, "http://[::1]:5000": true,
		"http://localhost.evil.example": false, "http://127.0.0.1.evil.example": false, "http://evil.example/localhost": false,
		"http://localhost@evil.example": false, "http://0.0.0.0": false, "http://10.0.0.1": false, "::": false, "": false,
	} {
		if got := urls.IsLoopback(origin); got != want {
			t.Errorf("IsLoopback(%q) = %v", origin, got)
		}
	}
}
