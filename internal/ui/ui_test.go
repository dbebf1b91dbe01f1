package ui_test

import (
	"bytes"
	"reflect"
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
