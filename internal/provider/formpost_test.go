package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

// OAuth 2.0 Form Post Response Mode, 2: the browser posts the answer by itself, as a
// form, with nothing beside it; an error too.
func TestFormPostInABrowser(t *testing.T) {
	s := start(t, nil)
	tab := newTab(t)
	got := make(chan url.Values, 1)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.ParseForm() != nil || r.URL.RawQuery != "" {
			return // the browser's own, for an icon
		}
		got <- r.PostForm
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<title>app</title><p id=here>here"))
	}))
	t.Cleanup(app.Close)
	s.realmOf("posted", `{"clientId":"app","secret":"`+appSecret+`","redirectUris":["`+app.URL+`/cb"]}`)
	state := `a "quoted" <state>&é`
	ask := func(prompt string) string {
		return s.authURL("posted", url.Values{"redirect_uri": {app.URL + "/cb"}, "response_mode": {"form_post"}, "state": {state}, "prompt": {prompt}})
	}
	next := func() url.Values {
		t.Helper()
		select {
		case v := <-got:
			return v
		case <-tab.Done():
			t.Fatal("nothing was posted")
			return nil
		}
	}
	want := func(v url.Values, names ...string) {
		t.Helper()
		if v.Get("state") != state || v.Get("iss") != s.url+"/realms/posted" || len(v) != len(names) || slices.ContainsFunc(names, func(n string) bool { return len(v[n]) != 1 }) {
			t.Errorf("got %v, want %v", v, names)
		}
	}
	_ = chromedp.Do(tab, chromedp.Navigate(ask("none"))) // the page may leave before it is loaded: what is posted tells
	want(next(), "error", "state", "iss")
	if err := chromedp.Do(tab, chromedp.WaitReady("#here")); err != nil {
		t.Fatal(err)
	}
	visitPage(t, tab, ask("login"))
	if err := chromedp.Do(tab, chromedp.WaitReady("#kc-login"), chromedp.SetValue("#username", "alice"), chromedp.SetValue("#password", alicesPass), chromedp.Click("#kc-login")); err != nil {
		t.Fatal(err)
	}
	answer := next()
	want(answer, "code", "state", "iss", "session_state")
	if a := s.token("posted", url.Values{"grant_type": {"authorization_code"}, "code": {answer.Get("code")}, "redirect_uri": {app.URL + "/cb"}, "code_verifier": {verifier}}); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
