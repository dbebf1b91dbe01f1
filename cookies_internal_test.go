package latchkey

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/seal"
)

// Whatever stands in the cookies, a session or a transaction comes out only if it
// was sealed by us, for this very cookie and purpose (E12, F14, S-70).
func FuzzCookies(f *testing.F) {
	a, err := New(Config{Issuer: "https://sso.example/realms/r", ClientID: "app", ClientSecret: "s", RedirectURI: "https://app.example/cb", SessionKeys: [][]byte{seal.RandomSecret()}})
	if err != nil {
		f.Fatal(err)
	}
	own := func(claim string) []*http.Cookie {
		w := httptest.NewRecorder()
		if err := a.keep.save(w, httptest.NewRequest("GET", "/", nil), &session{ID: "1", Claims: map[string]any{"sub": "alice", "x": claim}, Until: time.Now().Add(time.Hour)}); err != nil {
			f.Fatal(err)
		}
		return w.Result().Cookies()
	}
	w := httptest.NewRecorder()
	if err := a.saveTransaction(w, httptest.NewRequest("GET", "/", nil), transaction{State: "st", Started: time.Now()}); err != nil {
		f.Fatal(err)
	}
	transactions := w.Result().Cookies()
	line := func(cookies ...*http.Cookie) string {
		parts := []string{}
		for _, c := range cookies {
			if c.Value != "" {
				parts = append(parts, c.Name+"="+c.Value)
			}
		}
		return strings.Join(parts, "; ")
	}
	short := own("")
	good := line(append(short, transactions...)...)
	for _, s := range []string{good, line(transactions...), line(short...), good[:len(good)-1], good + "A", strings.ReplaceAll(good, "-s0=", "-s1="), a.prefix + "s0=" + transactions[0].Value,
		transactions[0].Name + "=" + short[0].Value, a.prefix + "s0=", a.prefix + "s0=AAAA; " + a.prefix + "s1=AAAA", a.prefix + "s0=" + strings.Repeat("A", 9000),
		strings.ToUpper(good), a.prefix + `s0="` + short[0].Value + `"`, good + "; " + good} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := (&http.Request{Method: "GET", Header: http.Header{"Cookie": {header}}}).WithContext(context.Background())
		s, err := a.keep.load(r)
		if err != nil {
			t.Errorf("%q: %v", header, err)
		}
		if s != nil && !(s.Claims["sub"] == "alice" && strings.Contains(strings.ReplaceAll(header, `"`, ""), short[0].Value)) {
			t.Errorf("%q opens as %+v", header, s)
		}
		if got := a.takeTransaction(httptest.NewRecorder(), r, "st"); got != nil && !(got.State == "st" && strings.Contains(header, transactions[0].Value)) {
			t.Errorf("%q opens as %+v", header, got)
		}
		if n := a.finishedLogins(r).N; n != 0 {
			t.Errorf("%q counts %d logins", header, n)
		}
	})
}
