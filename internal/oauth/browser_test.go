package oauth_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/oauth"
)

// browserHost reads a URL's host as browsers do (WHATWG URL Standard, section
// 4.4): blanks around it and tabs and line ends in it do not count, a backslash is a
// slash, and any number of them may stand after the scheme.
func browserHost(raw string) (scheme, host string) {
	s := strings.TrimFunc(raw, func(c rune) bool { return c <= ' ' })
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok {
		return "", ""
	}
	rest = strings.TrimLeft(strings.ReplaceAll(rest, `\`, "/"), "/")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return strings.ToLower(scheme), strings.ToLower(rest[strings.LastIndex(rest, "@")+1:])
}

// What is accepted is the registered URI itself, or below its wildcard, or at
// another port of loopback; and Go and a browser find the same host in it, which is
// the registered one (A1 to A5, A8, A9, A15, A17, A18, A24, A25).
func FuzzRedirectAsABrowser(f *testing.F) {
	for _, s := range [][2]string{
		{"https://app.example/cb", "https://app.example/cb"}, {"https://app.example/*", "https://app.example/x?y=//evil"}, {"https://app.example/*", `https://app.example\@evil/`},
		{"https://app.example/*", "https://app.example@evil/"}, {"https://app.example*", "https://app.example.evil/"}, {"https://app.example/*", "https://app.example/%2e%2e/x"},
		{"https://app.example/*", "https://app.example/%252e%252e/x"}, {"https://app.example/*", "https://app.example/%c0%ae%c0%ae/x"}, {"https://app.example/*", "https://app.example/..;/x"},
		{"http://localhost/cb", "http://localhost:1/cb"}, {"http://localhost/cb", "http://localhost:1@evil/cb"}, {"http://localhost:*", "http://localhost:1.evil/"},
		{"http://127.0.0.1/*", "http://127.0.0.1:99999/x"}, {"http://[::1]/cb", "http://[::1]:5/cb"}, {"https://app.example/CB", "https://app.example/cb"},
		{"https:app.example/*", "https:app.example/x"}, {"https:///app.example/*", "https:///app.example/x"}, {"com.example.app:/cb", "com.example.app:/cb"},
		{"https://app.example:443/*", "https://app.example:443/"}, {"http://*", "http://evil/"}, {"https://*/", "https://evil/"}, {"https://app.example/a*", "https://app.example/a\t/../"},
	} {
		f.Add(s[0], s[1], false)
		f.Add(s[0], s[1], true)
	}
	f.Fuzz(func(t *testing.T, registered, sent string, exact bool) {
		if registered == "*" || strings.HasPrefix(registered, "/") || oauth.CheckRegistration(registered, false) != nil {
			return
		}
		if !oauth.MatchRedirectURI([]string{registered}, sent, oauth.RedirectRules{Exact: exact}) {
			return
		}
		u, err := url.Parse(sent)
		if err != nil {
			t.Fatalf("%q accepts %q, which does not parse", registered, sent)
		}
		if strings.ContainsAny(sent, "\\\t\r\n#@ ") && (u.User != nil || strings.ContainsAny(sent, "\\\t\r\n# ")) {
			t.Errorf("%q accepts %q", registered, sent)
		}
		if sent == registered {
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" {
			if prefix, wild := strings.CutSuffix(registered, "*"); exact || !wild || !strings.HasPrefix(sent+"/", prefix) {
				t.Errorf("%q accepts %q", registered, sent)
			}
			return
		}
		scheme, host := browserHost(sent)
		_, known := browserHost(strings.TrimSuffix(registered, "*"))
		if scheme != u.Scheme || host != u.Host {
			t.Errorf("%q accepts %q: a browser goes to %q, Go finds %q", registered, sent, host, u.Host)
		}
		if loopback(host) && loopback(known) {
			host, known = withoutPort(host), withoutPort(known)
		}
		if host != known {
			t.Errorf("%q accepts %q at another host", registered, sent)
		}
		if prefix, wild := strings.CutSuffix(registered, "*"); exact || !wild {
			if afterHost(sent) != afterHost(registered) {
				t.Errorf("%q accepts %q", registered, sent)
			}
		} else if p := afterHost(prefix); !strings.HasPrefix(afterHost(sent), strings.TrimSuffix(p, "/")) {
			t.Errorf("%q accepts %q", registered, sent)
		}
	})
}

func loopback(host string) bool {
	h := withoutPort(host)
	return h == "localhost" || h == "127.0.0.1" || h == "[::1]"
}

func withoutPort(host string) string {
	if i := strings.LastIndex(host, ":"); i > strings.LastIndex(host, "]") {
		return host[:i]
	}
	return host
}

func afterHost(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return strings.TrimPrefix(rest[i:], "/")
	}
	return ""
}
