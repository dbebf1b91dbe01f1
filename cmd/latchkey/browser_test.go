package main_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// The guide's story in a real browser: public page, protected page, login page,
// wrong password, right password, who you are, logout, and the protected page
// asks for the password again. Both applications tell the same story.
func TestStoryInABrowser(t *testing.T) {
	browser := newBrowser(t)
	d := startDemo(t)
	for _, app := range []struct{ name, url string }{
		{"the demo's application", d.App},
		{"examples/guide", startExample(t, d)},
	} {
		t.Run(app.name, func(t *testing.T) {
			tab := newTab(t, browser)
			story(t, tab, strings.TrimSuffix(app.url, "/"), d)
		})
	}
}

func story(t *testing.T, tab context.Context, app string, d demo) {
	visit(t, tab, app+"/")
	if got := pageText(t, tab); !strings.Contains(got, "Welcome to the public route.") {
		t.Fatalf("the public page reads %q", got)
	}
	visit(t, tab, app+"/protected")
	wantAt(t, tab, d.Provider+"/realms/"+d.Realm+"/protocol/openid-connect/auth")

	submitLogin(t, tab, d.Username, "not the password")
	wantText(t, tab, "#input-error-username", "Invalid username or password.")

	submitLogin(t, tab, d.Username, d.Password)
	wantAt(t, tab, app+"/protected")
	wantUser(t, pageText(t, tab))

	visit(t, tab, app+"/logout")
	wantAt(t, tab, app+"/")
	visit(t, tab, app+"/protected")
	wantAt(t, tab, d.Provider+"/realms/"+d.Realm+"/protocol/openid-connect/auth")
	if !exists(t, tab, "#kc-form-login #password") {
		t.Error("after logout the protected page does not ask for the password again")
	}
}

// Defect 7 of the guide's library: two tabs end at the same page or at the root.
func TestTwoTabsBothLandRight(t *testing.T) {
	browser := newBrowser(t)
	d := startDemo(t)
	app := strings.TrimSuffix(d.App, "/")
	one := newTab(t, browser)
	two := sameBrowserTab(t, one)
	visit(t, one, app+"/protected?tab=1")
	visit(t, two, app+"/protected?tab=2")

	submitLogin(t, one, d.Username, d.Password)
	wantAt(t, one, app+"/protected?tab=1")
	submitLogin(t, two, d.Username, d.Password)
	wantAt(t, two, app+"/protected?tab=2")
}

// A reload, or the back button, asks for the page: no password is sent once more, and
// no try is counted.
func TestReloadAndBackSendNoPassword(t *testing.T) {
	browser := newBrowser(t)
	d := startDemo(t)
	app := strings.TrimSuffix(d.App, "/")
	tab := newTab(t, browser)
	visit(t, tab, app+"/protected")
	submitLogin(t, tab, d.Username, "not the password")
	wantText(t, tab, "#input-error-username", "Invalid username or password.")
	run(t, tab, chromedp.Reload(), chromedp.WaitReady("#kc-form-login"))
	if exists(t, tab, "#input-error-username") {
		t.Error("a reload sends the password again")
	}
	submitLogin(t, tab, d.Username, d.Password)
	wantAt(t, tab, app+"/protected")
	run(t, tab, chromedp.NavigateBack(), chromedp.WaitReady("body"))
	wantAt(t, tab, app+"/")
}

// A link on another site only gets a button; the button ends both sessions. The
// policy of its page must let the form go on to the provider.
func TestLogoutByTheButton(t *testing.T) {
	browser := newBrowser(t)
	d := startDemo(t)
	app := strings.TrimSuffix(d.App, "/")
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<a id="out" href="%s/logout">out</a>`, app)
	}))
	t.Cleanup(elsewhere.Close)
	tab := newTab(t, browser)
	visit(t, tab, app+"/protected")
	submitLogin(t, tab, d.Username, d.Password)
	visit(t, tab, elsewhere.URL)
	for _, press := range []string{"#out", "form button"} {
		if _, err := chromedp.RunResponse(tab, chromedp.Click(press)); err != nil {
			t.Fatal(err)
		}
	}
	wantAt(t, tab, app+"/")
	visit(t, tab, app+"/protected")
	if !exists(t, tab, "#kc-form-login #password") {
		t.Error("after the button the protected page does not ask for the password")
	}
}

// Chromium applies form-action to the whole redirect chain: a policy with it
// would stop an application whose callback goes on to a second origin.
func TestCallbackThatBouncesToASecondOrigin(t *testing.T) {
	browser := newBrowser(t)
	d := startDemo(t)
	landed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "landed") }))
	t.Cleanup(landed.Close)
	bounce := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, landed.URL+"/landed", http.StatusFound)
	}))
	t.Cleanup(bounce.Close)

	tab := newTab(t, browser)
	callback := strings.Replace(bounce.URL, "127.0.0.1", "localhost", 1) + "/oidc/callback"
	visit(t, tab, d.Issuer+"/protocol/openid-connect/auth?"+url.Values{
		"client_id": {d.ClientID}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"}, "redirect_uri": {callback},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}.Encode())
	submitLogin(t, tab, d.Username, d.Password)
	wantAt(t, tab, landed.URL+"/landed")
}

// The pictures are artefacts of the run (go test -artifacts): a person looks.
func TestPicturesOfTheLogin(t *testing.T) {
	browser := newBrowser(t)
	d := startDemo(t)
	app := strings.TrimSuffix(d.App, "/")
	for _, size := range []struct{ width, height int64 }{{1280, 800}, {390, 844}} {
		for _, scheme := range []string{"light", "dark"} {
			tab := newTab(t, browser)
			look(t, tab, size.width, size.height, scheme)
			name := fmt.Sprintf("%d-%s", size.width, scheme)
			visit(t, tab, app+"/")
			picture(t, tab, "public-"+name)
			visit(t, tab, app+"/protected")
			picture(t, tab, "login-"+name)
			submitLogin(t, tab, d.Username, "not the password")
			picture(t, tab, "login-wrong-"+name)
			submitLogin(t, tab, d.Username, d.Password)
			picture(t, tab, "protected-"+name)
			visit(t, tab, d.Issuer+"/protocol/openid-connect/auth?response_type=code&client_id="+d.ClientID+"&redirect_uri=http%3A%2F%2Flocalhost%3A5000%2Fwrong")
			picture(t, tab, "error-"+name)
			visit(t, tab, d.Issuer+"/protocol/openid-connect/registrations")
			picture(t, tab, "registration-off-"+name)
			visit(t, tab, d.Issuer+"/protocol/openid-connect/logout")
			picture(t, tab, "logout-"+name)
		}
	}
}

// The pages between a right password and the application: a temporary password to
// be changed, and a profile with something missing.
func TestPicturesOfRequiredActions(t *testing.T) {
	browser := newBrowser(t)
	d := startDemo(t)
	admin := console{base: d.Provider, username: d.AdminUsername, password: d.AdminPassword}
	for _, size := range []struct{ width, height int64 }{{1280, 800}, {390, 844}} {
		for _, scheme := range []string{"light", "dark"} {
			name := fmt.Sprintf("%d-%s", size.width, scheme)
			admin.do(t, http.MethodPost, "/realms/"+d.Realm+"/users", map[string]any{"username": name, "enabled": true, "requiredActions": []string{"VERIFY_PROFILE"},
				"credentials": []any{map[string]any{"type": "password", "value": "a temporary password", "temporary": true}}}, nil)
			tab := newTab(t, browser)
			look(t, tab, size.width, size.height, scheme)
			visit(t, tab, strings.TrimSuffix(d.App, "/")+"/protected")
			submitLogin(t, tab, name, "a temporary password")
			picture(t, tab, "password-"+name)
			submitForm(t, tab, map[string]string{"#password-new": "another long password", "#password-confirm": "not the same one"})
			wantText(t, tab, "#input-error-password-confirm", "Passwords don't match.")
			picture(t, tab, "password-wrong-"+name)
			submitForm(t, tab, map[string]string{"#password-new": "another long password", "#password-confirm": "another long password"})
			picture(t, tab, "profile-"+name)
			submitForm(t, tab, map[string]string{"#email": name + "@example.com", "#firstName": "Bob", "#lastName": "   "})
			picture(t, tab, "profile-wrong-"+name)
			submitForm(t, tab, map[string]string{"#email": name + "@example.com", "#firstName": "Bob", "#lastName": "Dodgson"})
			wantAt(t, tab, strings.TrimSuffix(d.App, "/")+"/protected")
		}
	}
}

func submitForm(t *testing.T, tab context.Context, fields map[string]string) {
	t.Helper()
	for selector, value := range fields {
		run(t, tab, chromedp.SetValue(selector, value))
	}
	if _, err := chromedp.RunResponse(tab, chromedp.Click("form [type=submit]")); err != nil {
		t.Fatal(err)
	}
	run(t, tab, chromedp.WaitReady("body"))
}

// newBrowser finds Debian's Chromium.
func newBrowser(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		needs(t, "the browser: Debian's package chromium is not installed")
	}
	return path
}

// newTab opens a browser process of its own: no cookie is shared.
func newTab(t *testing.T, browser string) context.Context {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser), chromedp.NoSandbox,
		chromedp.Flag("disable-quic", true), chromedp.UserDataDir(t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	run(t, ctx) // starts the browser: a limit on this context would end it
	return limited(t, ctx)
}

func sameBrowserTab(t *testing.T, tab context.Context) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(tab)
	t.Cleanup(cancel)
	run(t, ctx)
	return ctx
}

func limited(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func run(t *testing.T, tab context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab, actions...); err != nil {
		t.Fatal(err)
	}
}

func ask[T any](t *testing.T, tab context.Context, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(tab, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func visit(t *testing.T, tab context.Context, address string) {
	t.Helper()
	run(t, tab, chromedp.Navigate(address), chromedp.WaitReady("body"))
}

func submitLogin(t *testing.T, tab context.Context, username, password string) {
	t.Helper()
	if exists(t, tab, "#username") {
		run(t, tab, chromedp.SetValue("#username", username))
	}
	resp, err := chromedp.RunResponse(tab, chromedp.SetValue("#password", password), chromedp.Click("#kc-login"))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status >= http.StatusInternalServerError {
		t.Fatalf("status %d", resp.Status)
	}
	run(t, tab, chromedp.WaitReady("body"))
}

func exists(t *testing.T, tab context.Context, selector string) bool {
	t.Helper()
	return ask(t, tab, chromedp.Evaluate[bool](fmt.Sprintf("document.querySelector(%q) !== null", selector)))
}

func pageText(t *testing.T, tab context.Context) string {
	t.Helper()
	return ask(t, tab, chromedp.Evaluate[string]("document.body.innerText"))
}

func wantText(t *testing.T, tab context.Context, selector, want string) {
	t.Helper()
	text := ask(t, tab, chromedp.Text(selector))
	if d := cmp.Diff(want, strings.TrimSpace(text)); d != "" {
		t.Errorf("%s: %s", selector, d)
	}
}

func wantAt(t *testing.T, tab context.Context, want string) {
	t.Helper()
	at := ask(t, tab, chromedp.Location())
	if !strings.HasPrefix(at, want) {
		t.Fatalf("at %s, want %s; the page reads %.600q", at, want, pageText(t, tab))
	}
}

func wantUser(t *testing.T, text string) {
	t.Helper()
	for _, want := range []string{"You are authenticated", "alice@example.com", "Alice Liddell"} {
		if !strings.Contains(text, want) {
			t.Errorf("the protected page does not show %q: %.600q", want, text)
		}
	}
}

func look(t *testing.T, tab context.Context, width, height int64, scheme string) {
	t.Helper()
	run(t, tab, chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	}))
}

func picture(t *testing.T, tab context.Context, name string) {
	t.Helper()
	png := ask(t, tab, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}
