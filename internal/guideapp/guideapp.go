// Package guideapp is the guide's application: a public page, a protected page
// that shows who you are, and a logout.
//
// A program gets the plain answers of the guide; a person in a browser gets pages
// that look better, at the same addresses. `latchkey app` and `latchkey demo`
// serve it. examples/guide is the same application on the public API alone.
package guideapp

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/latchkey-id/latchkey"
	"github.com/latchkey-id/latchkey/internal/ui"
)

// App is the application.
type App struct{ auth *latchkey.Auth }

// New gives the application's handler. The error is a route that the package
// needs and that is taken.
func New(auth *latchkey.Auth) (http.Handler, error) {
	a := &App{auth: auth}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.public)
	mux.Handle("/protected", auth.RequireLogin(http.HandlerFunc(a.protected)))
	mux.HandleFunc("/logout", auth.Logout)
	mux.HandleFunc("/", a.nothing)
	if err := auth.Mount(mux); err != nil {
		return nil, err
	}
	return auth.Middleware(mux), nil
}

const welcome = "Welcome to the public route."

func (a *App) public(w http.ResponseWriter, r *http.Request) {
	if !wantsPage(r) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(welcome))
		return
	}
	p := ui.AppPage{App: "Guide app", Heading: welcome, Text: "Anybody may read this page. The protected one asks you to sign in and then shows who you are.",
		Links: []ui.Detail{{Name: "Open the protected page", Value: "/protected"}}}
	if u := latchkey.UserFromContext(r.Context()); u != nil {
		p.Text = "You are signed in as " + display(u) + "."
		p.Links = append(p.Links, ui.Detail{Name: "Log out", Value: "/logout"})
	}
	writePage(w, http.StatusOK, p)
}

func display(u *latchkey.User) string {
	for _, s := range []string{u.Name, u.Username, u.Email, u.Subject} {
		if s != "" {
			return s
		}
	}
	return ""
}

func (a *App) protected(w http.ResponseWriter, r *http.Request) {
	u := latchkey.UserFromContext(r.Context())
	answer := map[string]any{"message": "You are authenticated", "user": u.Select("email", "name", "sub")}
	if !wantsPage(r) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
		return
	}
	b, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	writePage(w, http.StatusOK, ui.AppPage{App: "Guide app", Heading: "Hello, " + display(u), Text: "This page needs a login. A program gets this answer here:",
		Code: string(b), Links: []ui.Detail{{Name: "Log out", Value: "/logout"}, {Name: "Public page", Value: "/"}}})
}

func (a *App) nothing(w http.ResponseWriter, r *http.Request) {
	if !wantsPage(r) {
		http.NotFound(w, r)
		return
	}
	writePage(w, http.StatusNotFound, ui.AppPage{App: "Guide app", Heading: "There is no such page", Text: "This application has a public page and a protected one.",
		Links: []ui.Detail{{Name: "Public page", Value: "/"}, {Name: "Protected page", Value: "/protected"}}})
}

func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

func writePage(w http.ResponseWriter, status int, p ui.Page) {
	var b bytes.Buffer
	if err := p.Render(&b); err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+ui.StyleSource()+"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}
