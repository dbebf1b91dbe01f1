package provider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// S-74: only where a client lives may the session iframe be framed; the pages that
// look for cookies know nobody and go everywhere.
func TestS74WhoMayFrameTheSessionIframe(t *testing.T) {
	s := start(t, nil)
	for _, c := range []struct{ name, clients, want string }{
		{"no client with an address", `[]`, "'self'"},
		{"a web origin", `[{"clientId":"a","webOrigins":["https://app.example"]}]`, "'self' https://app.example"},
		{"plus is the redirect URIs'", `[{"clientId":"a","redirectUris":["https://app.example/x/*"],"webOrigins":["+"]}]`, "'self' https://app.example"},
		{"redirect URIs alone are no origins", `[{"clientId":"a","redirectUris":["https://app.example/x/*"],"webOrigins":[]}]`, "'self'"},
		{"a client that is off", `[{"clientId":"a","enabled":false,"webOrigins":["https://app.example"]}]`, "'self'"},
		{"two clients, one origin twice", `[{"clientId":"a","webOrigins":["https://a.example","https://b.example:8443"]},{"clientId":"b","webOrigins":["https://b.example:8443"]}]`,
			"'self' https://a.example https://b.example:8443"},
		{"another directive", `[{"clientId":"a","webOrigins":["https://a.example; script-src *"]}]`, "'self'"},
		{"a wildcard in a host", `[{"clientId":"a","webOrigins":["https://*.example"]}]`, "'self'"},
		{"IPv6 has no place in the grammar", `[{"clientId":"a","webOrigins":["http://[::1]:3000"]}]`, "'self' http:"},
		{"any", `[{"clientId":"a","webOrigins":["*"]}]`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := fmt.Sprintf("framed-%d", time.Now().UnixNano())
			if _, err := s.manage.CreateRealm(t.Context(), []byte(`{"realm":"`+name+`","enabled":true,"clients":`+c.clients+`}`), false); err != nil {
				t.Fatal(err)
			}
			wantFramed(t, s.get(s.browser(), s.oidc(name, "login-status-iframe.html")), c.want)
		})
	}
	for _, page := range []string{"3p-cookies/step1.html", "3p-cookies/step2.html"} {
		wantFramed(t, s.get(s.browser(), s.oidc("strict", page)), "")
	}
}

func wantFramed(t *testing.T, a answer, ancestors string) {
	t.Helper()
	policy := "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
	if ancestors != "" {
		policy += "; frame-ancestors " + ancestors
	}
	if a.status != 200 || a.header.Get("Content-Security-Policy") != policy || a.header.Get("X-Frame-Options") != "" || len(a.header.Values("Set-Cookie")) > 0 {
		t.Errorf("%d %q, want %q; X-Frame-Options %q", a.status, a.header.Get("Content-Security-Policy"), policy, a.header.Get("X-Frame-Options"))
	}
}

func TestS74ARealmWithManyClientsLetsAnySiteFrame(t *testing.T) {
	s := start(t, nil)
	var clients []map[string]any
	for i := range 101 {
		clients = append(clients, map[string]any{"clientId": fmt.Sprint("c", i), "webOrigins": []string{fmt.Sprintf("https://app%d.example", i)}})
	}
	doc, err := json.Marshal(map[string]any{"realm": "many", "enabled": true, "clients": clients})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.manage.CreateRealm(t.Context(), doc, false); err != nil {
		t.Fatal(err)
	}
	wantFramed(t, s.get(s.browser(), s.oidc("many", "login-status-iframe.html")), "")
}

// S-77: the page asks this before it tells anybody anything.
func TestS77WhoMayAskTheSessionIframe(t *testing.T) {
	s := start(t, nil)
	for _, c := range []struct {
		name, client, origin string
		status               int
	}{
		{"a web origin", "app", "https://app.example", 204},
		{"of a public client by plus", "spa", "https://app.example", 204},
		{"our own", "app", s.url, 204},
		{"another site", "app", "https://evil.example", 403},
		{"its beginning", "app", "https://app.example.evil", 403},
		{"its path", "app", "https://app.example/cb", 403},
		{"null", "app", "null", 403},
		{"none", "app", "", 403},
		{"of another client", "realm-management", "https://app.example", 403},
		{"of nobody", "nobody", "https://app.example", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.get(s.browser(), s.oidc("strict", "login-status-iframe.html/init?")+url.Values{"client_id": {c.client}, "origin": {c.origin}}.Encode())
			if a.status != c.status || a.body != "" {
				t.Errorf("%d %q, want %d", a.status, a.body, c.status)
			}
		})
	}
}

// KEYCLOAK_SESSION is there for scripts, and proves nothing.
func TestTheReadableCookieGrantsNothing(t *testing.T) {
	s := start(t, nil)
	c := s.browser()
	s.code(c, "strict", nil)
	at, err := url.Parse(s.oidc("strict", "auth"))
	if err != nil {
		t.Fatal(err)
	}
	var readable string
	for _, ck := range c.Jar.Cookies(at) {
		if ck.Name == "KEYCLOAK_SESSION" {
			readable = ck.Value
		}
	}
	for _, name := range []string{"KEYCLOAK_SESSION", "KEYCLOAK_IDENTITY", "AUTH_SESSION_ID"} {
		a := s.get(s.browser(), s.authURL("strict", url.Values{"prompt": {"none"}}), "Cookie", name+"="+readable)
		if readable == "" || a.status != 302 || a.location.Query().Get("error") != "login_required" {
			t.Errorf("as %s: %q gives %d %v", name, readable, a.status, a.location)
		}
	}
}

// A browser with an application's page on another origin: what the frame says
// before a login, with it, for another session, to another client and after a logout.
func TestTheSessionIframeInABrowser(t *testing.T) {
	s := start(t, nil)
	app := framingApp(t, s)
	tab := newTab(t)
	say := func(message string) string { return inTab(t, tab, fmt.Sprintf("asked(%q)", message)) }

	visitPage(t, tab, app+"/")
	if got := inTab(t, tab, "cookies()"); got != "supported" {
		t.Errorf("third-party cookies: %q", got)
	}
	if a, b := say("spa "), say("spa something"); a != "unchanged" || b != "changed" {
		t.Errorf("before a login: %q, %q", a, b)
	}
	visitPage(t, tab, s.oidc("framed", "auth")+"?"+url.Values{"client_id": {"spa"}, "response_type": {"code"}, "redirect_uri": {app + "/"}, "scope": {"openid"}, "state": {"x"}}.Encode())
	if _, err := chromedp.RunResponse(tab, chromedp.SetValue("#username", "alice"), chromedp.SetValue("#password", alicesPass), chromedp.Click("#kc-login")); err != nil {
		t.Fatal(err)
	}
	state := inTab(t, tab, `Promise.resolve(new URL(location.href).searchParams.get("session_state"))`)
	if a, b, c := say("spa "+state), say("spa another"), say("spa "); state == "" || a != "unchanged" || b != "changed" || c != "changed" {
		t.Errorf("with a login (%q): %q, %q, %q", state, a, b, c)
	}
	if got := say("other " + state); got != "error" {
		t.Errorf("to another client: %q", got)
	}
	visitPage(t, tab, s.oidc("framed", "logout"))
	if _, err := chromedp.RunResponse(tab, chromedp.Click("#kc-logout")); err != nil {
		t.Fatal(err)
	}
	visitPage(t, tab, app+"/")
	if a := say("spa " + state); a != "changed" {
		t.Errorf("after a logout: %q", a)
	}
	if got := inTab(t, tab, `asked("nobody x")`); got != "error" {
		t.Errorf("the second question of a page: %q", got)
	}
}

// framingApp is a page that keeps the session iframe, in a realm of its own.
func framingApp(t *testing.T, s *server) string {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!DOCTYPE html><title>app</title><body><script>
function framed(src, message) { return new Promise(function (done) {
  var f = document.createElement("iframe"); f.src = src;
  f.setAttribute("sandbox", "allow-storage-access-by-user-activation allow-scripts allow-same-origin");
  window.addEventListener("message", function (e) { if (e.source === f.contentWindow) { done(e.data); } });
  f.onload = function () { if (message) { f.contentWindow.postMessage(message, %[1]q); } };
  document.body.appendChild(f);
  setTimeout(function () { done("silence"); }, 15000);
}); }
function asked(message) { return framed(%[2]q, message); }
function cookies() { return framed(%[3]q, ""); }
</script>`, s.url, s.oidc("framed", "login-status-iframe.html"), s.oidc("framed", "3p-cookies/step1.html"))
	}))
	t.Cleanup(front.Close)
	doc := fmt.Sprintf(`{"realm":"framed","enabled":true,"clients":[{"clientId":"spa","publicClient":true,"redirectUris":["%[1]s/*"],"webOrigins":["+"]},{"clientId":"other","publicClient":true}],
		"users":[{"username":"alice","enabled":true,"email":"a@example.com","firstName":"A","lastName":"L","credentials":[{"type":"password","value":"%[2]s"}]}]}`, front.URL, alicesPass)
	if _, err := s.manage.CreateRealm(t.Context(), []byte(doc), false); err != nil {
		t.Fatal(err)
	}
	return front.URL
}

func newTab(t *testing.T) context.Context {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("LATCHKEY_TEST_FULL") == "1" {
			t.Fatal(err)
		}
		t.Skip("Debian's package chromium is not installed")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	tab, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(tab); err != nil { // starts the browser: a limit on this context would end it
		t.Fatal(err)
	}
	tab, cancel = context.WithTimeout(tab, 2*time.Minute)
	t.Cleanup(cancel)
	return tab
}

func visitPage(t *testing.T, tab context.Context, address string) {
	t.Helper()
	if err := chromedp.Do(tab, chromedp.Navigate(address), chromedp.WaitReady("body")); err != nil {
		t.Fatal(err)
	}
}

func inTab(t *testing.T, tab context.Context, promise string) string {
	t.Helper()
	v, err := chromedp.Run(tab, chromedp.Evaluate[string](promise, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(v)
}
