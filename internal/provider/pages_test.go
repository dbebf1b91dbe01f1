package provider_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
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
