package oauth_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/oauth"
)

func TestS01MatchRedirectURI(t *testing.T) {
	exact := []string{"https://app.example/cb", "https://app.example/cb?tenant=1"}
	wild := []string{"https://app.example/app/*"}
	local := []string{"http://localhost:5000/oidc/callback"}
	for _, c := range []struct {
		name       string
		registered []string
		sent       string
		strict, ok bool
	}{
		{"the same", exact, "https://app.example/cb", true, true},
		{"with its own query", exact, "https://app.example/cb?tenant=1", true, true},
		{"trailing slash", exact, "https://app.example/cb/", false, false},
		{"another query", exact, "https://app.example/cb?tenant=2", false, false},
		{"a query that is added", exact[:1], "https://app.example/cb?tenant=1", false, false},
		{"a query that is left out", exact[1:], "https://app.example/cb", false, false},
		{"A18 another case in the path", exact, "https://app.example/CB", false, false},
		{"another case in the host", exact, "https://APP.example/cb", false, false},
		{"http instead of https", exact, "http://app.example/cb", false, false},
		{"a port", exact, "https://app.example:8443/cb", false, false},
		{"a fragment", exact, "https://app.example/cb#x", false, false},
		{"an empty fragment", exact, "https://app.example/cb#", false, false},
		{"A5 user info", exact, "https://app.example@evil.example/cb", false, false},
		{"A15 user info before the right host", exact, "https://evil@app.example/cb", false, false},
		{"A16 a dot is a dot", exact, "https://appXexample/cb", false, false},
		{"A17 loopback for a registered https", exact, "http://127.0.0.1/cb", false, false},
		{"empty", exact, "", false, false},
		{"below the wildcard", wild, "https://app.example/app/x/y?z=1", false, true},
		{"below the wildcard, a page that was given a path", wild, "https://app.example/app/x?next=/a/../b", false, true},
		{"A2 climbing before a query", wild, "https://app.example/app/..?x", false, false},
		{"the wildcard's folder itself", wild, "https://app.example/app", false, true},
		{"strict has no wildcard", wild, "https://app.example/app/x", true, false},
		{"beside the wildcard", wild, "https://app.example/apple", false, false},
		{"A2 climbing out", wild, "https://app.example/app/../evil", false, false},
		{"A3 climbing with a matrix parameter", wild, "https://app.example/app/..;/evil", false, false},
		{"A1 encoded", wild, "https://app.example/app/%2e%2e/evil", false, false},
		{"A1 encoded twice", wild, "https://app.example/app/%252e%252e/evil", false, false},
		{"A1 overlong", wild, "https://app.example/app/%c0%ae%c0%ae/evil", false, false},
		{"backslash", wild, `https://app.example/app/\evil.example`, false, false},
		{"A9 a wildcard right behind the host", []string{"https://app.example*"}, "https://app.example.evil/x", false, false},
		{"A7 loopback lets the port alone vary", local, "http://localhost:1234/oidc/callback", true, true},
		{"A7 another path", local, "http://localhost:1234/other", false, false},
		{"A8 localhost.evil", local, "http://localhost.evil.example:5000/oidc/callback", false, false},
		{"A8 localhost@evil", local, "http://localhost:5000@evil.example/oidc/callback", false, false},
		{"localhost is not 127.0.0.1", local, "http://127.0.0.1:5000/oidc/callback", false, false},
		{"A7 registered without a port", []string{"http://[::1]/cb"}, "http://[::1]:1234/cb", true, true},
		{"A7 sent without a port", local, "http://localhost/oidc/callback", true, true},
		{"A7 a query and no path", []string{"http://localhost:5000?tenant=1"}, "http://localhost:1234?tenant=1", true, true},
		{"another query and no path", []string{"http://localhost:5000?tenant=1"}, "http://localhost:1234?tenant=2", false, false},
		{"a query that is not registered", []string{"http://localhost:5000/"}, "http://localhost:1234?tenant=1", false, false},
		{"loopback as a scheme", local, "localhost:5000/oidc/callback", false, false},
		{"a port that is none", local, "http://localhost:x/oidc/callback", false, false},
		{"A11 javascript", []string{"*"}, "javascript:alert(1)//https://app.example/cb", false, false},
		{"A11 javascript, even registered", []string{"javascript:alert(1)"}, "javascript:alert(1)", false, false},
		{"A11 data, even registered", []string{"data:text/html,x"}, "data:text/html,x", false, false},
		{"A11 vbscript, even registered", []string{"vbscript:x"}, "vbscript:x", false, false},
		{"A11 blob, even registered", []string{"blob:https://app.example/1"}, "blob:https://app.example/1", false, false},
		{"A11 file, even registered", []string{"file:///etc/x"}, "file:///etc/x", false, false},
		{"A11 about, even registered", []string{"about:blank"}, "about:blank", false, false},
		{"the star alone, not on loopback", []string{"*"}, "https://app.example/cb", false, false},
		{"tab", exact, "https://app.example/c\tb", false, false},
		{"beyond ASCII", exact, "https://app.example/cbé", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := oauth.MatchRedirectURI(c.registered, c.sent, oauth.RedirectRules{Exact: c.strict}); got != c.ok {
				t.Errorf("accepted: %v", got)
			}
		})
	}
}

// The star alone counts on loopback, for the web, and never in the strict profile.
func TestS02TheStarAlone(t *testing.T) {
	loopback := oauth.RedirectRules{AllowAnyHost: true}
	for _, c := range []struct {
		name, sent string
		rules      oauth.RedirectRules
		ok         bool
	}{
		{"http", "http://app.example/cb", loopback, true},
		{"https", "https://app.example/cb", loopback, true},
		{"an application's scheme", "com.example.app:/cb", loopback, false},
		{"javascript", "javascript:alert(1)", loopback, false},
		{"no host", "https:app.example/cb", loopback, false},
		{"user info", "https://a@app.example/cb", loopback, false},
		{"a scheme in capitals", "HTTPS://app.example/cb", loopback, false},
		{"a host in capitals", "https://APP.example/cb", loopback, false},
		{"the strict profile", "https://app.example/cb", oauth.RedirectRules{AllowAnyHost: true, Exact: true}, false},
		{"not on loopback", "https://app.example/cb", oauth.RedirectRules{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := oauth.MatchRedirectURI([]string{"*"}, c.sent, c.rules); got != c.ok {
				t.Errorf("accepted: %v", got)
			}
		})
	}
}

func TestALongRedirectURIIsRefused(t *testing.T) {
	for _, c := range []struct {
		length int
		ok     bool
	}{{2048, true}, {2049, false}} {
		uri := "https://app.example/app/"
		uri += strings.Repeat("x", c.length-len(uri))
		if got := oauth.MatchRedirectURI([]string{uri, "https://app.example/app/*"}, uri, oauth.RedirectRules{}); got != c.ok {
			t.Errorf("%d characters accepted: %v", c.length, got)
		}
	}
}

func TestRelativeRedirectURI(t *testing.T) {
	rules := oauth.RedirectRules{RootURL: "https://sso.example"}
	registered := []string{"/realms/demo/account/*"}
	if !oauth.MatchRedirectURI(registered, "https://sso.example/realms/demo/account/x", rules) {
		t.Error("below the root: refused")
	}
	for _, bad := range []string{"https://evil.example/realms/demo/account/x", "/realms/demo/account/x", "https://sso.example.evil/realms/demo/account/x"} {
		if oauth.MatchRedirectURI(registered, bad, rules) {
			t.Errorf("%s accepted", bad)
		}
	}
}

func TestS02CheckRegistration(t *testing.T) {
	for _, uri := range []string{"https://app.example/cb", "https://app.example/*", "http://localhost:5000/oidc/callback", "/relative/*", "com.example.app:/oauth2"} {
		if err := oauth.CheckRegistration(uri, false); err != nil {
			t.Errorf("%s refused: %v", uri, err)
		}
	}
	const fragment, scheme, form = "must not contain an URL fragment", "uses an illegal scheme", "is not a valid URI"
	for uri, want := range map[string]string{
		"https://app.example/cb#f": fragment, "javascript:alert(1)#": fragment, "javascript:alert(1)": scheme, "DATA:text/html,x": scheme, "vbscript:x": scheme,
		"blob:https://app.example/1": scheme, "file:///etc/x": form, "https://a@b.example/": form, "https://app.example/../x": form, `https://app.example\@evil`: form,
		"https://app.example/ x": form, "//evil.example/": form, "": form, "app.example/cb": form, "**": form,
	} {
		for _, loopback := range []bool{false, true} { // which lets the star alone through, and nothing else
			if err := oauth.CheckRegistration(uri, loopback); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q, on loopback %v: %v", uri, loopback, err)
			}
		}
	}
	if oauth.CheckRegistration("*", false) == nil {
		t.Error("the star is accepted beyond loopback")
	}
	if err := oauth.CheckRegistration("*", true); err != nil {
		t.Errorf("the star on loopback: %v", err)
	}
}

// A4: what is accepted, read as a browser reads it, has the registered origin
// and lies below the registered path.
func FuzzMatchRedirectURI(f *testing.F) {
	for _, s := range []string{"https://app.example/app/x", "https://app.example/app/..;/x", "https://app.example/app/%2e%2e/", "https://app.example@evil/app/",
		"https://app.example/app/?x=/../", "http://localhost:1/cb", "http://localhost.evil/cb", "https:/app.example/app/x", "https:app.example/app/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		if !oauth.MatchRedirectURI([]string{"https://app.example/app/*", "http://localhost/cb"}, sent, oauth.RedirectRules{}) {
			return
		}
		u, err := url.Parse(sent)
		if err != nil {
			t.Fatalf("%q accepted, and does not parse", sent)
		}
		remote := u.Scheme == "https" && u.Host == "app.example" && strings.HasPrefix(u.Path+"/", "/app/")
		local := u.Scheme == "http" && u.Hostname() == "localhost" && u.Path == "/cb"
		if u.User != nil || u.Fragment != "" || strings.Contains(u.Path, "..") && strings.Contains(u.Path, "/../") || !(remote || local) {
			t.Errorf("%q accepted", sent)
		}
	})
}
