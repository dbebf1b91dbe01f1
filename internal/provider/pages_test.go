package provider_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/web"
)

func alice() url.Values { return url.Values{"username": {"alice"}, "password": {alicesPass}} }

// Who comes back to a page that stood open for too long begins again on the spot:
// the request is the stored one, and what the old form carries is not read (S-16).
func TestS16AnExpiredLoginBeginsAgain(t *testing.T) {
	const late = "Your login attempt timed out."
	for name, c := range map[string]struct {
		ahead    time.Duration
		come     func(s *server, c *http.Client, form string) answer
		restarts bool
	}{
		"the form": {31 * time.Minute, func(s *server, c *http.Client, form string) answer { return s.send(c, http.MethodPost, form, alice()) }, true},
		"a reload": {31 * time.Minute, func(s *server, c *http.Client, form string) answer { return s.get(c, form) }, true},
		"a restart": {31 * time.Minute, func(s *server, c *http.Client, form string) answer {
			return s.get(c, strings.Replace(form, "/authenticate", "/restart", 1))
		}, true},
		"days later": {25 * time.Hour, func(s *server, c *http.Client, form string) answer { return s.send(c, http.MethodPost, form, alice()) }, false},
		"another browser": {31 * time.Minute, func(s *server, _ *http.Client, form string) answer {
			thief := s.browser()
			s.get(thief, s.authURL("lenient", nil))
			return s.send(thief, http.MethodPost, form, alice())
		}, false},
		"another realm": {31 * time.Minute, func(s *server, c *http.Client, form string) answer {
			return s.send(c, http.MethodPost, strings.Replace(form, "/lenient/", "/strict/", 1), alice())
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			browser := s.browser()
			form := formAction(t, s.get(browser, s.authURL("lenient", url.Values{"state": {"first"}})))
			s.clock.move(c.ahead)
			a := c.come(s, browser, form)
			if !c.restarts {
				if a.status != http.StatusBadRequest || strings.Contains(a.body, "kc-form-login") {
					t.Fatalf("got %d %s", a.status, a.body)
				}
				return
			}
			if a.status != http.StatusOK || !strings.Contains(a.body, late) || strings.Contains(a.body, alicesPass) {
				t.Fatalf("got %d %v %s", a.status, a.location, a.body)
			}
			a = s.send(browser, http.MethodPost, formAction(t, a), alice())
			if a.status != http.StatusFound || a.location.Query().Get("state") != "first" || a.location.Query().Get("code") == "" {
				t.Errorf("the login that began again: %d %v", a.status, a.location)
			}
		})
	}
}

// Half a login that expires proves nothing any more.
func TestS16AnExpiredProofIsNone(t *testing.T) {
	s := start(t, nil)
	s.must("lenient", updatePassword)
	c := s.browser()
	page := s.toAction(c, "lenient")
	s.clock.move(31 * time.Minute)
	a := s.send(c, http.MethodPost, formAction(t, page), newPassword(alicesNext, alicesNext))
	if a.status != http.StatusOK || !strings.Contains(a.body, "kc-form-login") || !strings.Contains(a.body, "timed out") {
		t.Fatalf("got %d %v %s", a.status, a.location, a.body)
	}
	if a := s.token("lenient", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {alicesNext}}); a.status == 200 {
		t.Error("the password of an expired proof counts")
	}
}

// Whoever typed into a form that does not count any more hears it.
func TestAFormThatIsNotReadSaysSo(t *testing.T) {
	s := start(t, nil)
	c := s.browser()
	old := formAction(t, s.get(c, s.authURL("lenient", nil)))
	s.code(c, "lenient", nil) // another tab logs in, and out again
	s.logOut(c, "lenient")
	a := s.send(c, http.MethodPost, old, alice())
	if a.status != http.StatusOK || !strings.Contains(a.body, "Action expired. Please continue with login now.") {
		t.Errorf("got %d %v %s", a.status, a.location, a.body)
	}
	if a := s.send(c, http.MethodPost, formAction(t, a), alice()); a.status != http.StatusFound || a.location.Query().Get("code") == "" {
		t.Errorf("going on: %d %v", a.status, a.location)
	}
}

// logOut presses the button.
func (s *server) logOut(c *http.Client, realmName string) answer {
	s.t.Helper()
	page := s.get(c, s.oidc(realmName, "logout")+"?client_id=app")
	_, rest, _ := strings.Cut(page.body, `name="session_code" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	return s.send(c, http.MethodPost, formAction(s.t, page), url.Values{"session_code": {html.UnescapeString(token)}, "confirmLogout": {"Log out"}})
}

// client changes one of realm lenient.
func (s *server) client(id string, change func(c *realm.Client)) {
	s.t.Helper()
	in, err := s.store.RealmByName(s.t.Context(), "lenient")
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := s.store.ClientByClientID(s.t.Context(), in.ID, id)
	if err != nil {
		s.t.Fatal(err)
	}
	changed := *c
	change(&changed)
	if err := s.store.UpdateClient(s.t.Context(), &changed, nil); err != nil {
		s.t.Fatal(err)
	}
}

func TestErrorPagesSpeakThePersonsLanguage(t *testing.T) {
	s := start(t, nil)
	for _, c := range []struct{ name, path, header, want string }{
		{"the browser's", "auth?client_id=nobody", "de-AT,de;q=0.9", "Die Anwendung ist hier nicht bekannt."},
		{"the application's", "auth?client_id=nobody&ui_locales=de", "en", "Die Anwendung ist hier nicht bekannt."},
		{"redirect URI", "auth?client_id=app&redirect_uri=https://evil.example", "de", "Die Rücksprungadresse der Anwendung ist ungültig."},
		{"logout", "logout?post_logout_redirect_uri=https://evil.example", "de", "Die Abmeldung ist fehlgeschlagen."},
		{"login", "/login-actions/authenticate", "de", "Das Cookie dieser Anmeldung fehlt."},
		{"a reason without words of its own", "logout?state=1&state=2", "de", "Die Anfrage ist ungültig."},
		{"English", "auth?client_id=nobody", "fr", "Client not found."},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := s.oidc("lenient", c.path)
			if strings.HasPrefix(c.path, "/") {
				address = s.url + "/realms/lenient" + c.path
			}
			a := s.get(s.browser(), address, "Accept-Language", c.header)
			if a.status != http.StatusBadRequest || !strings.Contains(a.body, c.want) {
				t.Errorf("got %d %s", a.status, a.body)
			}
			if german := c.name != "English"; german && (!strings.Contains(a.body, `lang="de"`) || strings.Contains(a.body, " the ") || strings.Contains(a.body, "Sign in")) {
				t.Errorf("two languages on one page: %s", a.body)
			}
		})
	}
}

// The way back is what is registered for the application that the request names;
// nothing in a request can lead anywhere else.
func TestTheWayBackIsTheRegisteredOne(t *testing.T) {
	for _, c := range []struct {
		name       string
		root, base string
		enabled    bool
		want       string
	}{
		{"an address", "", "https://app.example/home", true, "https://app.example/home"},
		{"below the root", "https://app.example/", "/home", true, "https://app.example/home"},
		{"none", "https://app.example", "", true, ""},
		{"a path without a root", "", "/home", true, ""},
		{"our own application, which is not there", "${authBaseUrl}", "/realms/x/account/", true, ""},
		{"a script", "", "javascript:alert(1)", true, ""},
		{"a switched off application", "", "https://app.example/home", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, nil)
			s.client("app", func(x *realm.Client) { x.RootURL, x.BaseURL, x.Enabled = c.root, c.base, c.enabled })
			for name, a := range map[string]answer{
				"an error":                s.get(s.browser(), s.oidc("lenient", "auth")+"?client_id=app&redirect_uri=https://evil.example"),
				"no cookies":              s.send(s.browser(), http.MethodPost, s.url+"/realms/lenient/login-actions/authenticate?client_id=app", alice()),
				"after a logout":          s.logOut(s.browser(), "lenient"),
				"an error of the realm's": s.get(s.browser(), s.oidc("lenient", "logout")+"?client_id=app&post_logout_redirect_uri=https://evil.example"),
			} {
				link := `id="backToApplication" href="` + c.want + `"`
				if got := strings.Contains(a.body, `id="backToApplication"`); got != (c.want != "") || got && !strings.Contains(a.body, link) || strings.Contains(a.body, `href="https://evil`) {
					t.Errorf("%s: %d %s", name, a.status, a.body)
				}
			}
		})
	}
}

func TestLoggingOutOfAnApplicationThatIsGone(t *testing.T) {
	s := start(t, nil)
	if a := s.get(s.browser(), s.oidc("lenient", "logout")+"?client_id=gone"); a.status != http.StatusOK || !strings.Contains(a.body, "kc-logout-confirm") {
		t.Errorf("without an address: %d %s", a.status, a.body)
	}
	if a := s.get(s.browser(), s.oidc("lenient", "logout")+"?client_id=gone&post_logout_redirect_uri=https://evil.example"); a.status != http.StatusBadRequest {
		t.Errorf("with an address: %d %v", a.status, a.location)
	}
	c := s.browser()
	s.code(c, "lenient", nil)
	page := s.get(c, s.oidc("lenient", "logout")+"?client_id=gone&ui_locales=de")
	_, rest, _ := strings.Cut(page.body, `name="session_code" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	if a := s.send(c, http.MethodPost, formAction(t, page), url.Values{"session_code": {html.UnescapeString(token)}}); !strings.Contains(a.body, "Sie sind abgemeldet") {
		t.Errorf("the button: %d %s", a.status, a.body)
	}
	if a := s.get(c, s.authURL("lenient", url.Values{"prompt": {"none"}})); a.location.Query().Get("error") != "login_required" {
		t.Errorf("still logged in: %v", a.location)
	}
}

// DESIGN: no form-action where a form's POST ends at a client, 'self' everywhere else.
func TestS74FormsGoHereAlone(t *testing.T) {
	s := start(t, nil)
	secret, err := s.manage.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const own = "form-action 'self'"
	for name, c := range map[string]struct {
		a   answer
		own bool
	}{
		"login":      {s.get(s.browser(), s.authURL("lenient", nil)), false},
		"logout":     {s.get(s.browser(), s.oidc("lenient", "logout")), false},
		"form_post":  {s.get(s.browser(), s.authURL("lenient", url.Values{"prompt": {"none"}, "response_mode": {"form_post"}})), false},
		"error":      {s.get(s.browser(), s.oidc("lenient", "auth")), true},
		"logged out": {s.logOut(s.browser(), "lenient"), true},
		"setup":      {s.get(s.browser(), s.url+"/setup/"+secret), true},
	} {
		if got := strings.Contains(c.a.header.Get("Content-Security-Policy"), own); got != c.own {
			t.Errorf("%s: %d %v", name, c.a.status, c.a.header)
		}
	}
}

// Our pages say "no-referrer": a browser without Sec-Fetch-Site (Safari before 16.4)
// sends "Origin: null" with their forms, and its users log in like anybody else.
func TestS72FormsOfOtherSites(t *testing.T) {
	s := start(t, nil)
	for _, c := range []struct {
		name, origin, site string
		want               int
	}{
		{"our own page", s.url, "same-origin", http.StatusFound},
		{"our own page, as Fetch says", "null", "same-origin", http.StatusFound},
		{"our own page in an older browser", "null", "", http.StatusFound},
		{"no browser", "", "", http.StatusFound},
		{"another site", "https://evil.example", "cross-site", http.StatusForbidden},
		{"another site in an older browser", "https://evil.example", "", http.StatusForbidden},
		{"a sandboxed frame", "null", "cross-site", http.StatusForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s.browser()
			var header []string
			for name, value := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site} {
				if value != "" {
					header = append(header, name, value)
				}
			}
			a := s.send(b, http.MethodPost, formAction(t, s.get(b, s.authURL("lenient", nil))), alice(), header...)
			if a.status != c.want || c.want == http.StatusForbidden && !strings.Contains(a.body, "cross_site_form") {
				t.Errorf("got %d %v %s", a.status, a.location, a.body)
			}
		})
	}
}

// A person reads the pages in the language they choose, to the end of the login and
// at the next one; it is a link, and needs no script.
func TestALanguageIsChosenOnThePage(t *testing.T) {
	s := start(t, nil)
	s.must("lenient", updatePassword)
	c := s.browser()
	link := regexp.MustCompile(`<a href="([^"]+)" lang="([a-z]+)"`)
	follow := func(a answer, lang string) answer {
		t.Helper()
		m := link.FindStringSubmatch(a.body)
		if m == nil || m[2] != lang {
			t.Fatalf("no link to %s: %v", lang, m)
		}
		return s.get(c, html.UnescapeString(m[1]), "Accept-Language", "en")
	}
	page := follow(s.get(c, s.authURL("lenient", url.Values{"ui_locales": {"en"}})), "de")
	if !strings.Contains(page.body, "Bei Ihrem Konto anmelden") {
		t.Fatalf("%d %s", page.status, page.body)
	}
	wrong := s.send(c, http.MethodPost, formAction(t, page), url.Values{"username": {"alice"}, "password": {"x"}}, "Accept-Language", "en")
	if !strings.Contains(wrong.body, "ungültig") {
		t.Errorf("a wrong password: %s", wrong.body)
	}
	a := s.send(c, http.MethodPost, formAction(t, wrong), alice())
	page = s.get(c, a.location.String())
	if !strings.Contains(page.body, "Neues Passwort") {
		t.Errorf("the next step: %s", page.body)
	}
	if page = follow(page, "en"); !strings.Contains(page.body, "New password") {
		t.Errorf("back to English: %s", page.body)
	}
	done := s.send(c, http.MethodPost, formAction(t, page), newPassword(alicesNext, alicesNext))
	if done.status != http.StatusFound || done.location.Query().Get("code") == "" {
		t.Errorf("the login goes on: %d %v", done.status, done.location)
	}
	for _, odd := range []string{"xx", "de\r\nSet-Cookie: a=b", "<b>", strings.Repeat("de ", 2000)} {
		a := s.get(s.browser(), s.authURL("lenient", url.Values{web.LocaleParam: {odd}}))
		if a.status != http.StatusOK || strings.Contains(strings.Join(a.header.Values("Set-Cookie"), ""), web.LocaleCookie) {
			t.Errorf("%.10q: %d %v", odd, a.status, a.header)
		}
	}
}
