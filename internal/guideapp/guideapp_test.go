package guideapp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey"
	"github.com/latchkey-id/latchkey/internal/guideapp"
)

func handler(t *testing.T) http.Handler {
	t.Helper()
	auth, err := latchkey.New(latchkey.Config{Issuer: "http://localhost:1/realms/r", ClientID: "app", RedirectURI: "http://localhost:5000/oidc/callback"})
	if err != nil {
		t.Fatal(err)
	}
	h, err := guideapp.New(auth)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// The same addresses answer a program as the guide says, and a person with a page.
func TestAnswersForProgramsAndPeople(t *testing.T) {
	for _, c := range []struct {
		name, method, path, accept string
		status                     int
		body                       string
	}{
		{"a program", "GET", "/", "*/*", 200, "Welcome to the public route."},
		{"a program that says nothing", "GET", "/", "", 200, "Welcome to the public route."},
		{"a person", "GET", "/", "text/html,*/*", 200, "<!DOCTYPE html>"},
		{"a script on the protected page", "GET", "/protected", "application/json", 401, "login_url"},
		{"a form on the protected page", "POST", "/protected", "*/*", 401, "login_url"},
		{"the provider is down", "GET", "/protected", "*/*", 503, "provider_unreachable"},
		{"nothing there, a program", "GET", "/nothing", "*/*", 404, "404 page not found"},
		{"nothing there, a person", "GET", "/nothing", "text/html", 404, "There is no such page"},
		{"nobody to log out", "GET", "/logout", "*/*", 302, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, nil)
			r.Header.Set("Accept", c.accept)
			w := httptest.NewRecorder()
			handler(t).ServeHTTP(w, r)
			b, err := io.ReadAll(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			if w.Code != c.status || !strings.Contains(string(b), c.body) {
				t.Errorf("%d %s", w.Code, b)
			}
		})
	}
}
