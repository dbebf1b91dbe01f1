package main_test

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Our application with the original: it gets the six values from a real Keycloak
// and plays the guide's story in a browser, once as `latchkey app` and once as the
// program that a Go developer writes with the package.
func TestAppWithRealKeycloak(t *testing.T) {
	kc, browser := realKeycloak(t), newBrowser(t)
	for _, app := range []struct{ name, program string }{
		{"latchkey app", builtLatchkey(t)},
		{"examples-guide", build(t, "github.com/latchkey-id/latchkey/examples/guide")},
	} {
		t.Run(app.name, func(t *testing.T) {
			origin := "http://" + freeAddr(t)
			v := kc.newRealm(t, setup{redirect: origin + "/oidc/callback"})
			cmd := exec.CommandContext(t.Context(), app.program)
			if app.name == "latchkey app" {
				cmd.Args = append(cmd.Args, "app")
			}
			runPeer(t, cmd, v.variables()...).awaits(t, origin+"/")
			keycloakStory(t, kc, newTab(t, browser), origin, v)
		})
	}
}

func keycloakStory(t *testing.T, kc console, tab context.Context, origin string, v values) {
	t.Helper()
	visit(t, tab, origin+"/")
	if got := pageText(t, tab); !strings.Contains(got, "Welcome to the public route.") {
		t.Fatalf("the public page reads %q", got)
	}
	picture(t, tab, "1-public")
	visit(t, tab, origin+"/protected")
	wantAt(t, tab, v.authorization)
	picture(t, tab, "2-keycloak-login")
	submitLogin(t, tab, v.username, "not the password")
	wantText(t, tab, "#input-error-username", "Invalid username or password.")

	submitLogin(t, tab, v.username, v.userPassword)
	wantAt(t, tab, origin+"/protected")
	text := pageText(t, tab)
	wantUser(t, text)
	for _, want := range []string{`"email"`, `"name"`, `"sub"`, kc.user(t, v)} {
		if !strings.Contains(text, want) {
			t.Errorf("the protected page does not show %s: %.600q", want, text)
		}
	}
	picture(t, tab, "3-protected")

	visit(t, tab, origin+"/logout")
	wantAt(t, tab, origin+"/")
	picture(t, tab, "4-logged-out")
	visit(t, tab, origin+"/protected")
	wantPasswordAsked(t, tab, v)
	picture(t, tab, "5-asked-again")
}

// The access token of a realm that rotates refresh tokens lives for a second
// longer than the application needs it to: every page refreshes, four tabs at
// once. Nobody is logged out until an administrator does it.
func TestAppRefreshesAtRealKeycloak(t *testing.T) {
	kc, browser := realKeycloak(t), newBrowser(t)
	origin := "http://" + freeAddr(t)
	v := kc.newRealm(t, setup{redirect: origin + "/oidc/callback", realm: map[string]any{"accessTokenLifespan": 11, "revokeRefreshToken": true, "refreshTokenMaxReuse": 0,
		"eventsEnabled": true, "enabledEventTypes": []string{"CODE_TO_TOKEN", "REFRESH_TOKEN", "REFRESH_TOKEN_ERROR"}}})
	startApp(t, v).awaits(t, origin+"/")
	tab := newTab(t, browser)
	visit(t, tab, origin+"/protected")
	submitLogin(t, tab, v.username, v.userPassword)
	wantAt(t, tab, origin+"/protected")

	tabs := []context.Context{tab, sameBrowserTab(t, tab), sameBrowserTab(t, tab), sameBrowserTab(t, tab)}
	for range 2 {
		time.Sleep(2 * time.Second)
		visitTogether(t, tabs, origin+"/protected")
		for _, each := range tabs {
			wantAt(t, each, origin+"/protected")
			wantUser(t, pageText(t, each))
		}
	}
	if n := kc.events(t, v, "CODE_TO_TOKEN"); n != 1 {
		t.Errorf("%d logins instead of one", n)
	}
	if n := kc.events(t, v, "REFRESH_TOKEN"); n < 2 {
		t.Errorf("Keycloak saw %d refreshes: nothing was proven", n)
	}
	if n := kc.events(t, v, "REFRESH_TOKEN_ERROR"); n != 0 {
		t.Errorf("Keycloak refused %d refreshes", n)
	}

	kc.do(t, http.MethodPost, "/realms/"+v.realm+"/users/"+kc.user(t, v)+"/logout", nil, nil)
	time.Sleep(2 * time.Second)
	visit(t, tab, origin+"/protected")
	wantPasswordAsked(t, tab, v)
}

// Values that were copied wrongly end at a page that says what to do, with a
// reason and an id; the log says under that id which value it is.
func TestAppWithWrongValuesOfRealKeycloak(t *testing.T) {
	kc, browser := realKeycloak(t), newBrowser(t)
	origin := "http://" + freeAddr(t)
	right := kc.newRealm(t, setup{redirect: origin + "/oidc/callback"})
	for _, c := range []struct {
		name   string
		wrong  func(v *values)
		login  bool // the mistake shows after the password
		reason string
		page   string
		log    []string
	}{
		{"the secret of another client", func(v *values) { v.clientSecret = "another-client's-secret" }, true,
			"client_refused", "do not agree about their settings", []string{"unauthorized_client", "Clients → your client → Credentials"}},
		{"the issuer of another realm", func(v *values) { v.issuer = kc.base + "/realms/master" }, false,
			"issuer_mismatch", "do not agree about their settings", []string{kc.base + "/realms/master", "set Issuer to", right.issuer}},
		{"an issuer with a slash at its end", func(v *values) { v.issuer += "/" }, false,
			"issuer_mismatch", "do not agree about their settings", []string{"set Issuer to", right.issuer}},
		{"an issuer that is no realm", func(v *values) { v.issuer, v.token, v.userinfo = kc.base+"/realms/nowhere", "", "" }, false,
			"issuer_mismatch", "do not agree about their settings", []string{"404", "/realms/nowhere", "Realm settings"}},
		{"nobody listens there", func(v *values) { v.issuer, v.token, v.userinfo = "http://"+freeAddr(t)+"/realms/guide", "", "" }, false,
			"provider_unreachable", "Try again in a minute", []string{"connection refused"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := right
			c.wrong(&v)
			app := startApp(t, v)
			app.awaits(t, origin+"/")
			tab := newTab(t, browser)
			visit(t, tab, origin+"/protected")
			if c.login {
				run(t, tab, chromedp.SetValue("#username", v.username), chromedp.SetValue("#password", v.userPassword))
				if _, err := chromedp.RunResponse(tab, chromedp.Click("#kc-login")); err != nil {
					t.Fatal(err)
				}
			}
			wantAt(t, tab, origin)
			picture(t, tab, "refusal-"+strings.ReplaceAll(c.name, " ", "-"))
			text := pageText(t, tab)
			if !strings.Contains(text, c.page) || !strings.Contains(text, c.reason) {
				t.Errorf("the page lacks %q or %q: %q", c.page, c.reason, text)
			}
			line := app.lineOf(t, text)
			for _, want := range c.log {
				if !strings.Contains(line, want) {
					t.Errorf("the log's line lacks %q: %s", want, line)
				}
			}
			if strings.Contains(line, v.clientSecret) {
				t.Errorf("the log holds the secret: %s", line)
			}
			visit(t, tab, origin+"/")
			if !strings.Contains(pageText(t, tab), "Welcome to the public route.") {
				t.Error("the public page is gone too")
			}
		})
	}
}

var errorID = regexp.MustCompile(`\b[A-Z2-7]{10}\b`)

// lineOf finds the log's line with the id that a page shows.
func (p *peer) lineOf(t *testing.T, page string) string {
	t.Helper()
	id := errorID.FindString(page)
	if id == "" {
		t.Fatalf("the page shows no id: %q", page)
	}
	for line := range strings.Lines(p.log.String()) {
		if strings.Contains(line, "id="+id) {
			return line
		}
	}
	t.Fatalf("no line of the log has the id %s", id)
	return ""
}

// startApp starts `latchkey app` with the six values in the guide's variables.
func startApp(t *testing.T, v values) *peer {
	t.Helper()
	return runPeer(t, exec.CommandContext(t.Context(), builtLatchkey(t), "app"), v.variables()...)
}

// events counts what a real Keycloak wrote down.
func (c console) events(t *testing.T, v values, kind string) int {
	t.Helper()
	var events []struct {
		Type string `json:"type"`
	}
	c.do(t, http.MethodGet, "/realms/"+v.realm+"/events?type="+kind, nil, &events)
	return len(events)
}

// visitTogether opens an address in several tabs at one moment.
func visitTogether(t *testing.T, tabs []context.Context, address string) {
	t.Helper()
	failed := make(chan error, len(tabs))
	for _, tab := range tabs {
		go func() { failed <- chromedp.Do(tab, chromedp.Navigate(address), chromedp.WaitReady("body")) }()
	}
	var all []error
	for range tabs {
		all = append(all, <-failed)
	}
	if err := errors.Join(all...); err != nil {
		t.Fatal(err)
	}
}

func wantPasswordAsked(t *testing.T, tab context.Context, v values) {
	t.Helper()
	wantAt(t, tab, v.authorization)
	if !exists(t, tab, "#kc-form-login #password") {
		t.Error("the password is not asked for")
	}
}
