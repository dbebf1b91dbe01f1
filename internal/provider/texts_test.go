package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// SQLite keeps a NUL byte and broken UTF-8, PostgreSQL refuses both: here nobody
// gets them in, and nobody gets a 500 for trying.
func TestTextsThatNotEveryEngineKeeps(t *testing.T) {
	s := start(t, nil)
	login := s.send(s.browser(), http.MethodPost, s.oidc("master", "token"), url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {adminPass}})
	admin := "Bearer " + login.text("access_token")
	users := s.url + "/admin/realms/lenient/users"
	document := func(body string) answer {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, users, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", admin)
		resp, err := s.browser().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return answer{status: resp.StatusCode}
	}
	for _, bad := range []string{"%00", "%ff", "%c3%28"} {
		raw, err := url.PathUnescape(bad)
		if err != nil {
			t.Fatal(err)
		}
		for name, a := range map[string]answer{
			"user name":          s.token("lenient", url.Values{"grant_type": {"password"}, "username": {raw}, "password": {"x"}}),
			"client id":          s.token("lenient", url.Values{"grant_type": {"client_credentials"}, "client_id": {raw}}),
			"basic":              s.send(s.browser(), http.MethodPost, s.oidc("lenient", "token"), url.Values{"grant_type": {"client_credentials"}}, "Authorization", basic(bad, "x")),
			"code":               s.exchange("lenient", raw),
			"refresh token":      s.refresh("lenient", raw),
			"login page":         s.get(s.browser(), s.oidc("lenient", "auth")+"?client_id="+bad+"&response_type=code&redirect_uri="+callback),
			"state":              s.get(s.browser(), s.authURL("lenient", url.Values{"state": {raw}})),
			"realm":              s.get(s.browser(), s.url+"/realms/"+bad+"/account"),
			"realm of the admin": s.get(s.browser(), s.url+"/admin/realms/"+bad, "Authorization", admin),
			"user's id":          s.get(s.browser(), users+"/"+bad, "Authorization", admin),
			"search":             s.get(s.browser(), users+"?search="+bad, "Authorization", admin),
			"setup link":         s.get(s.browser(), s.url+"/setup/"+bad),
			"link to log out":    s.get(s.browser(), s.oidc("lenient", "logout")+"?client_id="+bad),
			"new user":           document(`{"username":"x` + raw + `"}`),
		} {
			found := name == "search" && a.body == "[]" // looking for it finds nobody
			if (a.status < 400 || a.status > 499) && !found {
				t.Errorf("%s, %s: %d %s", bad, name, a.status, a.body)
			}
		}
	}
	if a := document(`{"username":"x\u0000"}`); a.status != http.StatusBadRequest {
		t.Errorf("an escaped NUL: %d", a.status)
	}
	if a := s.send(s.browser(), http.MethodPost, formAction(t, s.get(s.browser(), s.authURL("lenient", nil))), url.Values{"username": {"a\x00"}, "password": {"x"}}); a.status != http.StatusBadRequest {
		t.Errorf("the login form: %d", a.status)
	}
}

func basic(id, secret string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(id, secret)
	return r.Header.Get("Authorization")
}
