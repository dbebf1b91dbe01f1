package session

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/urls"
)

// What is taken from a cookie is one whole value of our form, and what is looked
// up in its place is its hash, never itself (S-37, B4).
func FuzzCookies(f *testing.F) {
	v := NewValue()
	for _, s := range []string{identityCookie + "=" + v.Text, identityCookie + "=" + v.Text + "; " + identityCookie + "=x", identityCookie + "=" + v.Text[:42], identityCookie + "=" + v.Text + "=",
		identityCookie + `="` + v.Text + `"`, strings.ToLower(identityCookie) + "=" + v.Text, "x=" + identityCookie + "=" + v.Text, identityCookie + "=\x00", identityCookie,
		identityCookie + "=" + v.Text + ".node1", strings.Repeat("a=b; ", 1000) + identityCookie + "=" + v.Text, identityCookie + "=;", ";=;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		got, ok := read(r, identityCookie)
		if !ok {
			if got.Text != "" || got.Hash != nil {
				t.Errorf("refused, and yet %+v", got)
			}
			return
		}
		if sum := sha256.Sum256([]byte(got.Text)); len(got.Text) != 43 || !bytes.Equal(got.Hash, sum[:]) || !strings.Contains(header, got.Text) {
			t.Errorf("%q gives %+v", header, got)
		}
	})
}

// What each cookie is allowed: only the session iframe's may be read, only over
// https is one sent cross-site, and only who asked for it is remembered.
func TestCookiesOfASession(t *testing.T) {
	in := &realm.Realm{RememberMe: true, Lifespans: realm.Lifespans{SSOSessionIdle: 60, SSOSessionMax: 3600, SSOSessionMaxRememberMe: 7200}}
	const http1, https = "http://localhost:8080", "https://sso.example"
	for _, c := range []struct {
		name, origin, cookie string
		remembered           bool
		httpOnly, secure     bool
		sameSite             http.SameSite
		maxAge               int
	}{
		{"the browser's", https, browserCookie, false, true, true, http.SameSiteNoneMode, 0},
		{"the session's", https, identityCookie, false, true, true, http.SameSiteNoneMode, 0},
		{"the session's, remembered", https, identityCookie, true, true, true, http.SameSiteNoneMode, 7200},
		{"the iframe's", https, iframeCookie, false, false, true, http.SameSiteNoneMode, 3600},
		{"the iframe's, remembered", https, iframeCookie, true, false, true, http.SameSiteNoneMode, 7200},
		{"the browser's on loopback", http1, browserCookie, false, true, false, http.SameSiteLaxMode, 0},
		{"the session's on loopback", http1, identityCookie, false, true, false, http.SameSiteLaxMode, 0},
		{"the iframe's on loopback", http1, iframeCookie, false, false, false, http.SameSiteLaxMode, 3600},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, at, v := httptest.NewRecorder(), urls.Realm{Origin: c.origin, Name: "r"}, NewValue()
			(&Cookies{}).SetBrowser(w, at, v)
			(&Cookies{}).SetSession(w, at, in, &realm.Session{ID: "sid", RememberMe: c.remembered}, v)
			found := false
			for _, ck := range w.Result().Cookies() {
				if ck.Name != c.cookie {
					continue
				}
				found = true
				if ck.HttpOnly != c.httpOnly || ck.Secure != c.secure || ck.SameSite != c.sameSite || ck.MaxAge != c.maxAge || ck.Path != "/realms/r/" || ck.Domain != "" {
					t.Errorf("got %s", ck)
				}
				if (ck.Value == v.Text) == (c.cookie == iframeCookie) || strings.Contains(ck.Value, "sid") {
					t.Errorf("its value is %q", ck.Value)
				}
			}
			if !found {
				t.Error("it is not set")
			}
			w = httptest.NewRecorder()
			(&Cookies{}).Clear(w, at)
			for _, ck := range w.Result().Cookies() {
				if ck.MaxAge >= 0 || ck.Value != "" || ck.Path != "/realms/r/" || ck.HttpOnly != (ck.Name == identityCookie) {
					t.Errorf("it is not taken away: %s", ck)
				}
			}
			if n := len(w.Result().Cookies()); n != 2 {
				t.Errorf("%d cookies are taken away, want 2", n)
			}
		})
	}
}
