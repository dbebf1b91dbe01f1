package latchkey_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey"
)

// The weaknesses of docs/weaknesses.md that no other test of the package had caught.

// sessionOf gives the browser's session cookie.
func sessionOf(t *testing.T, a *app) *http.Cookie {
	t.Helper()
	for _, c := range a.client.Jar.Cookies(mustParse(t, a.server.URL)) {
		if strings.HasSuffix(c.Name, "-s0") || strings.HasSuffix(c.Name, "-id") {
			return c
		}
	}
	t.Fatal("no session cookie")
	return nil
}

// F3, F4: a session cookie that was in the browser before the login is not the
// one after it, and opens nothing.
func TestF3APlantedSessionIsReplacedAtTheLogin(t *testing.T) {
	for name, change := range map[string]func(*latchkey.Config){"in cookies": nil, "in a store": func(c *latchkey.Config) { c.Store = &latchkey.MemoryStore{} }} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, newOP(t), change)
			a.logIn()
			planted := sessionOf(t, a)
			a.get("/logout")
			for _, value := range []string{planted.Value, "chosen-by-somebody"} {
				victim := newClient(t)
				victim.Jar.SetCookies(mustParse(t, a.server.URL), []*http.Cookie{{Name: planted.Name, Value: value, Path: "/"}})
				a.client = victim
				if value != planted.Value || name == "in a store" { // without a store nothing takes a copied cookie back
					a.logIn()
					if sessionOf(t, a).Value == value {
						t.Errorf("%.20q is the session after the login too", value)
					}
				}
				thief := newClient(t)
				thief.Jar.SetCookies(mustParse(t, a.server.URL), []*http.Cookie{{Name: planted.Name, Value: value, Path: "/"}})
				thief.CheckRedirect = a.noRedirect().CheckRedirect
				if name == "in a store" && a.do(thief, http.MethodGet, "/protected").status == http.StatusOK {
					t.Errorf("%.20q opens the victim's session", value)
				}
			}
		})
	}
}

// F14: what is sealed for one purpose is nothing for another.
func TestF14ATransactionIsNoSession(t *testing.T) {
	a := newApp(t, newOP(t), nil)
	a.logIn()
	session := sessionOf(t, a).Name
	a.client = newClient(t)
	a.do(a.noRedirect(), http.MethodGet, "/protected") // begins a login and leaves it
	begun := a.client.Jar.Cookies(mustParse(t, a.server.URL))
	if len(begun) == 0 {
		t.Fatal("no transaction: this test would hold for nothing")
	}
	for _, c := range begun {
		other := newClient(t)
		other.Jar.SetCookies(mustParse(t, a.server.URL), []*http.Cookie{{Name: session, Value: c.Value, Path: "/"}})
		other.CheckRedirect = a.noRedirect().CheckRedirect
		if got := a.do(other, http.MethodGet, "/protected"); got.status == http.StatusOK {
			t.Errorf("%s logs in as a session", c.Name)
		}
	}
}

// A26: nothing of the login stands in the address that it ends at.
func TestA26TheReturnAddressCarriesNothing(t *testing.T) {
	a := newApp(t, newOP(t), nil)
	back := callbackOf(t, a, "/deep/x?y=1") // gives the application's browser the login's cookies
	got := a.do(a.noRedirect(), http.MethodGet, back)
	if at := got.header.Get("Location"); at != "/deep/x?y=1" && at != a.server.URL+"/deep/x?y=1" {
		t.Errorf("on to %q", at)
	}
}
