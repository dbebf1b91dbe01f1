package ui_test

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/ui"
)

func render(t *testing.T, p ui.Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Render(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// keycloak-benchmark and many scripts take the first action of the page.
func TestLoginPageForScripts(t *testing.T) {
	html := render(t, ui.LoginPage{RealmName: "demo", Action: "https://sso.example/a?x=1&y=2", FieldError: "no", Message: "m", MessageKind: "error", RememberMeShown: true})
	if i := strings.Index(html, `action="`); !strings.HasPrefix(html[i:], `action="https://sso.example/a?x=1&amp;y=2"`) {
		t.Errorf("the first action is %.80q", html[i:])
	}
	for _, want := range []string{`data-page-id="login-login"`, `id="kc-form-login"`, `id="kc-form-wrapper"`, `id="kc-form"`, `id="kc-login" name="login"`,
		`id="input-error-username"`, `class="kc-feedback-text"`, `id="username" name="username" type="text"`, `id="password" name="password" type="password"`,
		`name="credentialId"`, `name="rememberMe"`, `<title>Sign in to demo</title>`, `id="kc-header"`, `id="kc-header-wrapper"`, `id="kc-page-title"`} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestReauthenticationAsksThePasswordAlone(t *testing.T) {
	html := render(t, ui.LoginPage{RealmName: "demo", Username: "alice", UsernameFixed: true})
	if strings.Contains(html, `name="username"`) || !strings.Contains(html, `id="kc-attempted-username"`) {
		t.Error("the username can be changed, or is not shown")
	}
}

func TestHostileValuesStayHarmless(t *testing.T) {
	const evil = `"><script>alert(1)</script>`
	pages := map[string]ui.Page{
		"login": ui.LoginPage{RealmName: evil, ClientName: evil, Username: evil, Message: evil, FieldError: evil, Action: evil},
		"error": ui.ErrorPage{RealmName: evil, What: evil, Do: evil, Reason: evil, ID: evil, BackText: evil, BackURL: "javascript:alert(1)",
			Details: []ui.Detail{{Name: evil, Value: evil}}},
		"info":   ui.InfoPage{RealmName: evil, Heading: evil, Text: evil, BackURL: "javascript:alert(1)"},
		"logout": ui.LogoutPage{RealmName: evil, Action: evil, FormToken: evil},
		"post":   ui.PostPage{Action: "javascript:alert(1)", Fields: []ui.Detail{{Name: evil, Value: evil}}},
		"app": ui.AppPage{App: evil, Heading: evil, Text: evil, Code: evil, Details: []ui.Detail{{Name: evil, Value: evil}}, Reason: evil,
			Links: []ui.Detail{{Name: evil, Value: "javascript:alert(1)"}}, Form: &ui.Form{Action: evil, Token: evil, Button: evil}},
	}
	for name, p := range pages {
		html := render(t, p)
		if strings.Contains(html, "<script>alert") || strings.Contains(html, `"javascript:`) {
			t.Errorf("%s lets a value become markup", name)
		}
	}
}

func TestPagesAreSmall(t *testing.T) {
	total := len(render(t, ui.LoginPage{RealmName: "demo"}))
	for _, a := range ui.Assets() {
		total += len(a.Body)
	}
	if total > 50<<10 {
		t.Errorf("%d bytes with everything, at most 51200 are allowed", total)
	}
}

func TestEveryLanguageHasEveryWord(t *testing.T) {
	for _, lang := range ui.Languages() {
		v := reflect.ValueOf(ui.MessagesFor(lang))
		for i := range v.NumField() {
			if v.Field(i).String() == "" {
				t.Errorf("%s lacks %s", lang, v.Type().Field(i).Name)
			}
		}
		if ui.MessagesFor(lang).Lang != lang {
			t.Errorf("%s gives %s", lang, ui.MessagesFor(lang).Lang)
		}
	}
}

func TestLanguage(t *testing.T) {
	for _, c := range []struct{ name, ui, header, want string }{
		{"nothing", "", "", "en"},
		{"the header", "", "de-AT,de;q=0.9,en;q=0.8", "de"},
		{"ui_locales counts first", "de", "en", "de"},
		{"none that we have", "fr", "tlh, ja", "en"},
		{"later in the list", "", "fr;q=0.9, de;q=0.5", "de"},
		{"a header without end", "", strings.Repeat("x,", 10000) + "de", "en"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ui.Language(c.ui, c.header); got != c.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

// all are the pages of a login in every state, with everything on them.
func all() map[string]ui.Page {
	field := func(name, problem string) ui.Field {
		return ui.Field{Name: name, Label: name, Error: problem, Required: true}
	}
	return map[string]ui.Page{
		"login":              ui.LoginPage{RealmName: "demo", RememberMeShown: true},
		"login, refused":     ui.LoginPage{RealmName: "demo", RememberMeShown: true, Username: "alice", FieldError: "no", Message: "m", MessageKind: "error"},
		"once more":          ui.LoginPage{RealmName: "demo", Username: "alice", UsernameFixed: true},
		"once more, refused": ui.LoginPage{RealmName: "demo", Username: "alice", UsernameFixed: true, FieldError: "no"},
		"password":           ui.PasswordPage{RealmName: "demo", Username: "alice", Message: "m"},
		"password, refused":  ui.PasswordPage{RealmName: "demo", Username: "alice", PasswordError: "a", ConfirmError: "b"},
		"profile":            ui.ProfilePage{RealmName: "demo", Username: "alice", Fields: []ui.Field{field("email", ""), field("lastName", "")}},
		"profile, refused":   ui.ProfilePage{RealmName: "demo", Username: "alice", Fields: []ui.Field{field("email", ""), field("lastName", "no")}},
		"logout":             ui.LogoutPage{RealmName: "demo"},
		"error":              ui.ErrorPage{RealmName: "demo", What: "w", Do: "d", Reason: "r", BackURL: "https://app.example"},
		"info":               ui.InfoPage{RealmName: "demo", Heading: "h", Text: "t", BackURL: "https://app.example"},
		"setup":              ui.SetupPage{FieldError: "no"},
		"post":               ui.PostPage{Action: "https://app.example"},
	}
}

// What a screen reader follows leads somewhere, and to one place.
func TestReferencesOnAPageLeadSomewhere(t *testing.T) {
	ids, refs := regexp.MustCompile(` id="([^"]*)"`), regexp.MustCompile(` (?:for|aria-describedby)="([^"]*)"`)
	for name, p := range all() {
		page, known := render(t, p), map[string]int{}
		for _, m := range ids.FindAllStringSubmatch(page, -1) {
			if known[m[1]]++; known[m[1]] > 1 {
				t.Errorf("%s: id %s stands twice", name, m[1])
			}
		}
		for _, m := range refs.FindAllStringSubmatch(page, -1) {
			if known[m[1]] == 0 {
				t.Errorf("%s: %s leads nowhere", name, m[1])
			}
		}
		if n := strings.Count(page, " autofocus"); n > 1 || n == 0 && strings.Contains(page, "<label") {
			t.Errorf("%s: %d fields have the focus", name, n)
		}
		for _, field := range regexp.MustCompile(`<input[^>]*aria-invalid[^>]*>`).FindAllString(page, -1) {
			if !strings.Contains(field, "aria-describedby") {
				t.Errorf("%s: a wrong field does not say what is wrong: %s", name, field)
			}
		}
	}
}

// A page with a password and no username lets a password manager save nobody's.
func TestPasswordManagersKnowWhosePasswordItIs(t *testing.T) {
	for name, p := range all() {
		page := render(t, p)
		if strings.Contains(page, `type="password"`) && !strings.Contains(page, `autocomplete="username"`) {
			t.Errorf("%s: no username", name)
		}
	}
}

func TestTheFirstWrongFieldHasTheFocus(t *testing.T) {
	for name, want := range map[string]string{"profile": "email", "profile, refused": "lastName"} {
		if !regexp.MustCompile(`<input id="` + want + `"[^>]* autofocus>`).MatchString(render(t, all()[name])) {
			t.Errorf("%s: %s has not", name, want)
		}
	}
}

// A page that answers a form knows its address; any other goes without the script.
func TestAReloadSendsNoPasswordAgain(t *testing.T) {
	for name, c := range map[string][2]ui.Page{
		"login":    {ui.LoginPage{Here: `?tab_id="x`}, ui.LoginPage{}},
		"password": {ui.PasswordPage{Here: `?tab_id="x`}, ui.PasswordPage{}},
		"profile":  {ui.ProfilePage{Here: `?tab_id="x`}, ui.ProfilePage{}},
	} {
		if page := render(t, c[0]); !strings.Contains(page, `/history.js" data-here="?tab_id=&#34;x"></script>`) {
			t.Errorf("%s: %s", name, page)
		}
		if strings.Contains(render(t, c[1]), "<script") {
			t.Errorf("%s has a script that it does not need", name)
		}
	}
}
