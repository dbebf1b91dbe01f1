package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// must gives alice something to do before her next login ends.
func (s *server) must(realmName string, change func(u *realm.User)) *realm.User {
	s.t.Helper()
	in, err := s.store.RealmByName(s.t.Context(), realmName)
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := s.store.UserByUsername(s.t.Context(), in.ID, "alice")
	if err != nil {
		s.t.Fatal(err)
	}
	change(u)
	if err := s.store.UpdateUser(s.t.Context(), u, false); err != nil {
		s.t.Fatal(err)
	}
	return u
}

func updatePassword(u *realm.User) { u.RequiredActions = []string{realm.UpdatePassword} }

// toAction logs alice in as far as the page of her required action.
func (s *server) toAction(c *http.Client, realmName string) answer {
	s.t.Helper()
	a := s.get(c, s.authURL(realmName, nil))
	a = s.send(c, http.MethodPost, formAction(s.t, a), url.Values{"username": {"alice"}, "password": {alicesPass}})
	if a.status != http.StatusFound || !strings.HasSuffix(a.location.Path, "/login-actions/required-action") {
		s.t.Fatalf("not on to the action: %d %v %s", a.status, a.location, a.body)
	}
	return s.get(c, a.location.String())
}

func newPassword(first, second string) url.Values {
	return url.Values{"password-new": {first}, "password-confirm": {second}, "logout-sessions": {"on"}}
}

const alicesNext = "the next password of alice"

func TestATemporaryPasswordIsChangedBeforeAnythingIsIssued(t *testing.T) {
	s := start(t, nil)
	elsewhere := s.exchange("lenient", s.code(s.browser(), "lenient", nil))
	s.must("lenient", updatePassword)
	c := s.browser()
	page := s.toAction(c, "lenient")
	for _, ck := range c.Jar.Cookies(page0(t, s.url)) {
		if ck.Name == "KEYCLOAK_IDENTITY" {
			t.Error("half a login has a session")
		}
	}
	if a := s.get(c, s.authURL("lenient", url.Values{"prompt": {"none"}})); a.location.Query().Get("error") != "login_required" {
		t.Errorf("half a login answers prompt=none: %v", a.location)
	}
	for name, form := range map[string]url.Values{
		"empty": newPassword("", ""), "different": newPassword("one", "two"), "too long": newPassword(strings.Repeat("x", 300), strings.Repeat("x", 300)),
	} {
		if a := s.send(c, http.MethodPost, formAction(t, page), form); a.status != http.StatusOK || !strings.Contains(a.body, "input-error-password") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	done := s.send(c, http.MethodPost, formAction(t, page), newPassword(alicesNext, alicesNext))
	if done.status != http.StatusFound || done.location.Query().Get("code") == "" {
		t.Fatalf("no code after the action: %d %v %s", done.status, done.location, done.body)
	}
	if a := s.exchange("lenient", done.location.Query().Get("code")); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	wantError(t, s.refresh("lenient", elsewhere.text("refresh_token")), 400, "invalid_grant", "Session not active")
	if a := s.get(c, s.authURL("lenient", url.Values{"prompt": {"none"}})); a.location.Query().Get("code") == "" {
		t.Errorf("no single sign-on afterwards: %v", a.location)
	}
	again := s.send(c, http.MethodPost, formAction(t, page), newPassword("a third one", "a third one"))
	if again.status != http.StatusFound || again.location.Query().Get("error") == "" {
		t.Errorf("the same form again: %d %v", again.status, again.location)
	}
	if a := s.token("lenient", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {alicesNext}}); a.status != 200 {
		t.Errorf("the new password: %d %s", a.status, a.body)
	}
}

func page0(t *testing.T, origin string) *url.URL {
	t.Helper()
	u, err := url.Parse(origin + "/realms/lenient/")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestThePasswordGrantWaitsForRequiredActions(t *testing.T) {
	s := start(t, nil)
	form := func() url.Values {
		return url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {alicesPass}}
	}
	for name, change := range map[string]func(u *realm.User){
		"a new password":  updatePassword,
		"another action":  func(u *realm.User) { u.RequiredActions = []string{"CONFIGURE_TOTP"} },
		"a name is there": func(u *realm.User) { u.RequiredActions, u.LastName = nil, "" },
	} {
		s.must("lenient", change)
		if a := s.token("lenient", form()); a.status != 400 || a.text("error_description") != "Account is not fully set up" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// A proof is worth what the user was when it was given: whoever knew the old
// password must not come in with it after it was taken away.
func TestAProofIsTakenBackByAnotherChangeOfTheUser(t *testing.T) {
	s := start(t, nil)
	s.must("lenient", updatePassword)
	c := s.browser()
	page := s.toAction(c, "lenient")
	s.must("lenient", func(u *realm.User) { u.LastName = "Hargreaves" })
	a := s.send(c, http.MethodPost, formAction(t, page), newPassword("the thief's", "the thief's"))
	if a.status != http.StatusOK || !strings.Contains(a.body, `id="kc-form-login"`) {
		t.Errorf("not back to the login page: %d %v %s", a.status, a.location, a.body)
	}
	if a := s.get(c, s.authURL("lenient", url.Values{"prompt": {"none"}})); a.location.Query().Get("error") != "login_required" {
		t.Errorf("%v", a.location)
	}
}

func TestFormsOfRequiredActionsFromElsewhereChangeNothing(t *testing.T) {
	s := start(t, nil)
	s.must("lenient", updatePassword)
	c := s.browser()
	page := s.toAction(c, "lenient")
	form := formAction(t, page)
	change := func(name, value string) string {
		u, err := url.Parse(form)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	for name, try := range map[string]struct {
		c      *http.Client
		action string
		header []string
	}{
		"another browser":     {s.browser(), form, nil},
		"no form token":       {c, change("session_code", ""), nil},
		"a made-up token":     {c, change("session_code", "AAAA"), nil},
		"the token of a step": {c, change("execution", realm.UpdateProfile), nil},
		"another login":       {c, change("tab_id", "x"), nil},
		"another site":        {c, form, []string{"Sec-Fetch-Site", "cross-site"}},
	} {
		a := s.send(try.c, http.MethodPost, try.action, newPassword("the thief's", "the thief's"), try.header...)
		if a.location != nil && a.location.Query().Get("code") != "" {
			t.Errorf("%s: a code", name)
		}
	}
	if a := s.token("lenient", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"the thief's"}}); a.text("error_description") != "Invalid user credentials" {
		t.Errorf("the password was changed: %s", a.body)
	}
	if a := s.send(c, http.MethodPost, form, newPassword(alicesNext, alicesNext)); a.location == nil || a.location.Query().Get("code") == "" {
		t.Errorf("the right form no longer works: %d %s", a.status, a.body)
	}
}

func TestASessionThatIsThereDoesTheActionFirst(t *testing.T) {
	s := start(t, nil)
	c := s.browser()
	s.code(c, "lenient", nil)
	s.must("lenient", updatePassword)
	if a := s.get(c, s.authURL("lenient", url.Values{"prompt": {"none"}})); a.location.Query().Get("error") != "interaction_required" {
		t.Errorf("prompt=none: %v", a.location)
	}
	a := s.get(c, s.authURL("lenient", nil))
	if a.status != http.StatusFound || !strings.HasSuffix(a.location.Path, "/required-action") {
		t.Fatalf("%d %v", a.status, a.location)
	}
	done := s.send(c, http.MethodPost, formAction(t, s.get(c, a.location.String())), newPassword(alicesNext, alicesNext))
	if done.status != http.StatusFound || done.location.Query().Get("code") == "" {
		t.Errorf("%d %v %s", done.status, done.location, done.body)
	}
}

func TestVerifyProfile(t *testing.T) {
	s := start(t, nil)
	s.must("strict", func(u *realm.User) { u.FirstName, u.Email = "", "" })
	c := s.browser()
	page := s.toAction(c, "strict")
	if !strings.Contains(page.body, `id="input-error-firstName"`) || strings.Contains(page.body, `id="input-error-lastName"`) {
		t.Errorf("the page does not say what is missing: %s", page.body)
	}
	in, err := s.store.RealmByName(t.Context(), "strict")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.manage.CreateUser(t.Context(), in, []byte(`{"username":"bob","email":"bob@example.com"}`)); err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]url.Values{
		"still missing": {"firstName": {""}, "lastName": {"Liddell"}, "email": {"alice@example.com"}},
		"markup":        {"firstName": {"<b>"}, "lastName": {"Liddell"}, "email": {"alice@example.com"}},
		"no address":    {"firstName": {"Alice"}, "lastName": {"Liddell"}, "email": {"alice"}},
		"bob's address": {"firstName": {"Alice"}, "lastName": {"Liddell"}, "email": {"BOB@example.com"}},
	} {
		if a := s.send(c, http.MethodPost, formAction(t, page), form); a.status != http.StatusOK || !strings.Contains(a.body, `id="input-error-`) || strings.Contains(a.body, "<b>") {
			t.Errorf("%s: %d %v %s", name, a.status, a.location, a.body)
		}
	}
	done := s.send(c, http.MethodPost, formAction(t, page), url.Values{"firstName": {"Alice"}, "lastName": {"Liddell"}, "email": {"alice@example.org"},
		"username": {"admin"}, "emailVerified": {"true"}, "enabled": {"false"}, "realmRoles": {"admin"}})
	if done.status != http.StatusFound || done.location.Query().Get("code") == "" {
		t.Fatalf("%d %v %s", done.status, done.location, done.body)
	}
	u, err := s.store.UserByUsername(t.Context(), in.ID, "alice")
	if err != nil || u.FirstName != "Alice" || u.Email != "alice@example.org" || u.EmailVerified || !u.Enabled {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestNewUsersGetTheRealmsDefaultActions(t *testing.T) {
	s := start(t, nil)
	in, err := s.manage.CreateRealm(t.Context(), []byte(`{"realm":"school","enabled":true,"requiredActions":[{"alias":"UPDATE_PASSWORD","enabled":true,"defaultAction":true,"priority":57}]}`), false)
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.manage.CreateUser(t.Context(), in, []byte(`{"username":"carol"}`))
	if err != nil || len(u.RequiredActions) != 1 || u.RequiredActions[0] != realm.UpdatePassword {
		t.Errorf("%+v, %v", u, err)
	}
}
