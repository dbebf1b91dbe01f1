package oauth

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// RedirectRules say how a client's redirect URIs are compared.
type RedirectRules struct {
	Exact        bool   // no wildcard, in the strict profile
	RootURL      string // what a relative registered URI stands on
	AllowAnyHost bool   // "*" alone counts: only where the provider itself is on loopback
}

// MatchRedirectURI decides whether a redirect URI is one of those registered.
// Everything is compared as strings: what has to be normalised to match is
// refused. Three things are not exact: a trailing "*" (Keycloak's wildcard, on a
// fixed origin), a registered path alone (relative to RootURL), and the port of a
// loopback address: "The authorization server MUST allow any port to be specified
// at the time of the request for loopback IP redirect URIs" (RFC 8252, 7.3).
func MatchRedirectURI(registered []string, sent string, rules RedirectRules) bool {
	if !safeForm(sent) || !hasHost(sent) {
		return false
	}
	return slices.ContainsFunc(registered, func(reg string) bool { return matchOne(resolve(reg, rules.RootURL), sent, rules) })
}

func resolve(registered, root string) string {
	if strings.HasPrefix(registered, "/") && root != "" {
		return strings.TrimSuffix(root, "/") + registered
	}
	return registered
}

func matchOne(registered, sent string, rules RedirectRules) bool {
	if registered == "*" {
		u, err := url.Parse(sent)
		return rules.AllowAnyHost && !rules.Exact && err == nil && (u.Scheme == "http" || u.Scheme == "https")
	}
	if registered == sent {
		return true
	}
	if any, ok := withoutLoopbackPort(sent); ok {
		if reg, ok := withoutLoopbackPort(registered); ok && matchPath(reg, any, rules.Exact) {
			return true
		}
	}
	return matchPath(registered, sent, rules.Exact)
}

// matchPath is equality, or a wildcard below an origin that is fixed: what
// stands before the star must reach into the path, otherwise
// "https://app.example*" would accept app.example.evil (A9).
func matchPath(registered, sent string, exact bool) bool {
	prefix, wild := strings.CutSuffix(registered, "*")
	if !wild {
		return registered == sent
	}
	_, rest, ok := strings.Cut(prefix, "://")
	if exact || !ok || !strings.Contains(rest, "/") || !safePath(sent) {
		return false
	}
	return strings.HasPrefix(sent, prefix) || sent == strings.TrimSuffix(prefix, "/")
}

// safeForm refuses what two parsers read in two ways, before anything is
// compared: control and non-ASCII characters, backslash, fragment, user info
// (A5, A15), schemes that run code (A11), climbing paths (A2).
func safeForm(uri string) bool {
	if uri == "" || len(uri) > 2048 {
		return false
	}
	for _, c := range []byte(uri) {
		if c <= ' ' || c >= 0x7f || c == '\\' || c == '#' {
			return false
		}
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" || u.User != nil || u.Scheme != uri[:len(u.Scheme)] {
		return false
	}
	if strings.Contains(u.Host, "@") || u.Host != strings.ToLower(u.Host) {
		return false
	}
	if slices.Contains([]string{"javascript", "data", "vbscript", "blob", "file", "about"}, u.Scheme) {
		return false
	}
	path, _, _ := strings.Cut(uri, "?") // nothing climbs in a query
	return !slices.Contains(strings.Split(u.Path, "/"), "..") && !strings.Contains(path, "/..")
}

// hasHost refuses http: and https: URIs without "//" and a host behind it: a
// browser takes "https:a/b" and "https:///a/b" for https://a/b.
func hasHost(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && (u.Host != "" || u.Scheme != "http" && u.Scheme != "https")
}

// safePath refuses what a server behind a wildcard may decode into a climb:
// encoded dots and slashes, once or twice (A1), and matrix parameters (A3).
func safePath(uri string) bool {
	low := strings.ToLower(uri)
	path, _, _ := strings.Cut(low, "?")
	for _, bad := range []string{"%2e", "%2f", "%5c", "%25", "%c0", "%00", ";", "//"} {
		if strings.Contains(strings.TrimPrefix(strings.TrimPrefix(path, "https://"), "http://"), bad) {
			return false
		}
	}
	return true
}

// withoutLoopbackPort takes the port out of http://localhost, 127.0.0.1 and
// [::1]. It compares whole hosts: "localhost.evil" has none to take out (A8).
func withoutLoopbackPort(uri string) (string, bool) {
	rest, ok := strings.CutPrefix(uri, "http://")
	if !ok {
		return "", false
	}
	authority, path, _ := strings.Cut(rest, "/")
	authority, query, asked := strings.Cut(authority, "?")
	if asked { // http://localhost:1?x: no path
		path = "?" + query
	} else {
		path = "/" + path
	}
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		port, ok := strings.CutPrefix(authority, host)
		if ok && validPort(port) {
			return "http://" + host + path, true
		}
	}
	return "", false
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	_, err := netip.ParseAddrPort("127.0.0.1" + port)
	return err == nil
}

// CheckRegistration refuses redirect URIs that must not be registered (S-02).
// loopback says that the provider is on loopback, where "*" is allowed. The
// error's text is Keycloak's.
func CheckRegistration(uri string, loopback bool) error {
	switch {
	case uri == "*" && loopback, strings.HasPrefix(uri, "/") && !strings.HasPrefix(uri, "//"):
		return nil
	case strings.Contains(uri, "#"):
		return Refuse(InvalidParameter, "A redirect URI must not contain an URL fragment")
	}
	scheme, _, _ := strings.Cut(strings.ToLower(uri), ":")
	if slices.Contains([]string{"javascript", "data", "vbscript", "blob"}, scheme) {
		return Refuse(InvalidParameter, "A redirect URI uses an illegal scheme")
	}
	if !safeForm(strings.TrimSuffix(uri, "*")) {
		return Refuse(InvalidParameter, "A redirect URI is not a valid URI")
	}
	return nil
}
