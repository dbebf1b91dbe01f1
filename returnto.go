package latchkey

import (
	"net/url"
	"path"
	"strings"
)

// maxReturn is the longest return address, in bytes: it travels in a cookie.
const maxReturn = 2000

// returnAddress makes a same-origin address of what a request asked for: parsed,
// and written anew as path and query. Anything that a browser could read as
// another site is "/" (P1): a host, "//", a backslash, control characters.
func returnAddress(raw string) string {
	if raw == "" || len(raw) > maxReturn {
		return "/"
	}
	for _, c := range []byte(raw) {
		if c < ' ' || c == 0x7f || c == '\\' {
			return "/"
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") {
		return "/"
	}
	// A browser decodes nothing here, but what stands behind a redirect may: a path
	// that begins with two slashes once it is decoded or cleaned is another host.
	if strings.HasPrefix(u.Path, "//") || strings.HasPrefix(path.Clean(u.Path), "//") || strings.Contains(u.Path, "\\") || strings.Contains(u.Path, "/../") {
		return "/"
	}
	for _, c := range []byte(u.Path) {
		if c < ' ' || c == 0x7f {
			return "/"
		}
	}
	clean := url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
	out := clean.String()
	if !strings.HasPrefix(out, "/") || strings.HasPrefix(out, "//") || len(out) > maxReturn {
		return "/"
	}
	return out
}
