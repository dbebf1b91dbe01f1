package provider_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/oauth"
)

// ask sends a request past the network: any bytes may stand in its query.
func (s *server) ask(method, path, query, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, s.url+path, strings.NewReader(body))
	r.URL.RawQuery, r.Header = query, header
	w := httptest.NewRecorder()
	s.handle.ServeHTTP(w, r)
	return w
}

// twice reports whether a parameter stands there more than once.
func twice(raw string) bool {
	v, err := url.ParseQuery(raw)
	for _, values := range v {
		if len(values) > 1 {
			return true
		}
	}
	return err != nil
}

func tokenErrors() []string {
	return []string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}
}

// Whatever is sent to the token endpoint: the answer is one of RFC 6749, section
// 5, nothing fails, and no token is there without the client's secret (S-05, E16).
func FuzzTokenRequest(f *testing.F) {
	s := start(f, nil)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("app:"+appSecret))
	good := "grant_type=client_credentials&client_id=app&client_secret=" + url.QueryEscape(appSecret)
	for _, c := range [][2]string{
		{good, ""}, {"grant_type=client_credentials", basic}, {good + "&grant_type=password", ""}, {good + "&client_id=other", basic}, {good, basic}, {"grant_type=client_credentials", basic + " x"},
		{"grant_type=client_credentials", "basic  " + basic[6:]}, {"grant_type=client_credentials", "Basic Og=="}, {"grant_type=client_credentials", "Basic " + basic}, {"grant_type=client_credentials", "Basic \xff"},
		{"grant_type=client_credentials", "Basic " + base64.StdEncoding.EncodeToString([]byte("\x00:x"))}, {"grant_type=client_credentials", "Basic " + base64.StdEncoding.EncodeToString([]byte("%00:%ff"))},
		{"grant_type=client_credentials", "Basic " + base64.StdEncoding.EncodeToString([]byte("\xff:x"))},
		{"grant_type=authorization_code&code=x&redirect_uri=" + callback + "&client_id=spa", ""}, {"grant_type=authorization_code&code=&client_id=spa&code_verifier=%00", ""},
		{"grant_type=refresh_token&refresh_token=a.b.c", basic}, {"grant_type=refresh_token&refresh_token=eyJhbGciOiJub25lIn0.e30.", basic}, {"grant_type=password&username=alice&password=" + url.QueryEscape(alicesPass), basic},
		{"grant_type=password&username=alice%00&password=x", basic}, {"grant_type=password&username=\xff&password=x&scope=openid%20openid", basic}, {good + "&scope=" + strings.Repeat("a%20", 3000), ""},
		{"grant_type=client_credentials&client_id=%00&client_secret=x", ""}, {"grant_type[]=client_credentials", basic}, {"client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=a.b.c&grant_type=client_credentials", ""},
		{"grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=x", basic}, {strings.Repeat("a=b&", 2000), ""}, {"grant_type=client_credentials&client_id=app&client_secret=", ""}, {"", ""}, {"%", ""},
	} {
		f.Add(c[0], c[1], true)
		f.Add(c[0], c[1], false)
	}
	f.Fuzz(func(t *testing.T, body, authorization string, strict bool) {
		h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		if authorization != "" {
			h.Set("Authorization", authorization)
		}
		w := s.ask("POST", "/realms/"+realmOf(strict)+"/protocol/openid-connect/token", "", body, h)
		var out map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatalf("%d with %q", w.Code, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%d may be kept", w.Code)
		}
		if w.Code == http.StatusOK {
			if known := body + " " + decodedBasic(authorization); twice(body) || !strings.Contains(unescaped(known), appSecret) {
				t.Errorf("%q with %q gets a token", body, authorization)
			}
			return
		}
		if code, _ := out["error"].(string); !slices.Contains(tokenErrors(), code) || !slices.Contains([]int{400, 401, 403, 413}, w.Code) || out["access_token"] != nil {
			t.Errorf("%q with %q: %d %s", body, authorization, w.Code, w.Body)
		}
	})
}

func realmOf(strict bool) string {
	if strict {
		return "strict"
	}
	return "lenient"
}

func decodedBasic(header string) string {
	_, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	b, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	return string(b)
}

// unescaped undoes the form's escapes where they are right.
func unescaped(s string) string {
	if out, err := url.QueryUnescape(s); err == nil {
		return out
	}
	return strings.NewReplacer("+", " ", "%20", " ", "%2D", "-", "%2d", "-").Replace(s)
}

// Whatever is asked of the authorization endpoint: nothing fails, nobody is sent
// to an address that is not registered, an answer holds each of its parameters
// once, and no page repeats what was sent as HTML (S-04, S-05, S-06, A19, A20, K1).
func FuzzAuthorizationRequest(f *testing.F) {
	s := start(f, nil)
	good := "client_id=app&response_type=code&redirect_uri=" + url.QueryEscape(callback) + "&scope=openid&state=st&code_challenge=" + oauth.S256(verifier) + "&code_challenge_method=S256"
	for _, q := range []string{
		good, good + "&prompt=none", good + "&state=2", good + "&redirect_uri=https://evil.example/", "client_id=app&client_id=other", strings.Replace(good, "code", "token", 1),
		strings.Replace(good, url.QueryEscape(callback), "https://evil.example/", 1), strings.Replace(good, "response_type=code", "response_type=evil", 1) + "&prompt=none",
		strings.Replace(good, url.QueryEscape(callback), "https://app.example/wild/..%2f..%2fevil", 1), strings.Replace(good, url.QueryEscape(callback), "https://app.example/wild/%252e%252e/x", 1),
		strings.Replace(good, url.QueryEscape(callback), "https://app.example/wild/x%3Fcode=shadow%26iss=evil%26state=evil", 1) + "&prompt=none",
		strings.Replace(good, url.QueryEscape(callback), "https://app.example%40evil.example/", 1), strings.Replace(good, url.QueryEscape(callback), "javascript:alert(1)", 1),
		good + "&state=%3Cscript%3Ealert(1)%3C/script%3E", strings.Replace(good, "state=st", "state=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", 1) + "&response_mode=form_post&prompt=none",
		good + "&response_mode=fragment&prompt=none", good + "&response_mode=form_post.jwt&prompt=none", good + "&response_mode=web_message", strings.Replace(good, "code_challenge=", "code_challenge=%20", 1),
		strings.Replace(good, "S256", "plain", 1), good + "&request=eyJhbGciOiJub25lIn0.e30.&prompt=none", good + "&request_uri=https://evil.example/", good + "&max_age=-1", good + "&max_age=99999999999999999999",
		good + "&claims=%7B", good + "&claims=" + strings.Repeat("%5B", 5000), good + "&ui_locales=%00", good + "&login_hint=%3Cscript%3Ealert(1)%3C/script%3E", good + "&scope=a%00b", good + "&acr_values=\xff",
		strings.Replace(good, "state=st", "state=%0d%0aSet-Cookie:x=y", 1) + "&prompt=none", good + "&prompt=none%20login", good + "&prompt=evil", good + "&kc_action=UPDATE_PASSWORD", "client_id=%00", "", "%", "a=b;c=d",
	} {
		f.Add(q, true)
		f.Add(q, false)
	}
	f.Fuzz(func(t *testing.T, query string, strict bool) {
		realm := realmOf(strict)
		w := s.ask("GET", "/realms/"+realm+"/protocol/openid-connect/auth", query, "", http.Header{})
		if !slices.Contains([]int{200, 302, 400, 403, 413}, w.Code) {
			t.Errorf("%q: %d %s", query, w.Code, w.Body)
		}
		if body := w.Body.String(); strings.Contains(body, "<script>alert") || strings.Contains(body, "javascript:alert") {
			t.Errorf("%q is repeated as HTML: %s", query, body)
		}
		if w.Code != http.StatusFound {
			if twice(query) && w.Code == http.StatusOK && strings.Contains(w.Body.String(), "kc-form-login") {
				t.Errorf("%q shows the login page", query)
			}
			return
		}
		checkAnswer(t, s.url+"/realms/"+realm, query, w.Header()["Location"])
	})
}

func checkAnswer(t *testing.T, issuer, query string, locations []string) {
	t.Helper()
	if len(locations) != 1 {
		t.Fatalf("%q: sent to %q", query, locations)
	}
	u, err := url.Parse(locations[0])
	if err != nil || u.Scheme != "https" || u.Host != "app.example" || u.User != nil || u.Path != "/cb" && !strings.HasPrefix(u.Path, "/wild") || strings.Contains(u.Path, "..") {
		t.Fatalf("%q: sent to %q", query, locations[0])
	}
	raw := u.RawQuery
	if u.Fragment != "" {
		raw = u.EscapedFragment()
	}
	answer, err := url.ParseQuery(raw)
	if err != nil {
		t.Fatalf("%q: the answer %q does not parse", query, raw)
	}
	for _, name := range []string{"error", "iss", "state", "code"} {
		if len(answer[name]) > 1 {
			t.Errorf("%q: %s stands twice in %q", query, name, raw)
		}
	}
	if answer.Get("iss") != issuer || answer.Get("error") == "" || answer.Has("code") {
		t.Errorf("%q: nobody is logged in, and the answer is %q", query, raw)
	}
}

// Nobody is logged in by a form that is not ours, or without the password: not by
// another's form token, a part of a cookie, a field that stands twice (S-73, F1, F6).
func FuzzLoginForm(f *testing.F) {
	s := start(f, nil)
	page := s.ask("GET", "/realms/strict/protocol/openid-connect/auth", strings.SplitN(s.authURL("strict", nil), "?", 2)[1], "", http.Header{})
	action, err := url.Parse(formAction(f, answer{body: page.Body.String()}))
	if err != nil {
		f.Fatal(err)
	}
	cookie := page.Result().Cookies()[0].Name + "=" + page.Result().Cookies()[0].Value
	right := url.Values{"username": {"alice"}, "password": {alicesPass}}.Encode()
	wrong := url.Values{"username": {"alice"}, "password": {"wrong"}}.Encode()
	other := strings.Replace(action.RawQuery, "session_code=", "session_code=A", 1)
	for _, c := range [][3]string{
		{action.RawQuery, cookie, wrong}, {other, cookie, right}, {action.RawQuery, "", right}, {action.RawQuery, cookie[:len(cookie)-1], right}, {action.RawQuery, cookie, ""}, {"", cookie, right},
		{action.RawQuery, cookie, right + "&username=bob"}, {action.RawQuery, cookie, "username=alice"}, {action.RawQuery, cookie, "username=alice&password="}, {action.RawQuery, cookie, "username=%00&password=%00"},
		{action.RawQuery + "&tab_id=x", cookie, wrong}, {action.RawQuery + "&session_code=x", cookie, wrong}, {strings.Replace(action.RawQuery, "tab_id=", "tab_id=x", 1), cookie, right},
		{strings.Replace(action.RawQuery, "authenticate", "UPDATE_PASSWORD", 1), cookie, wrong}, {"session_code=&tab_id=", cookie, right}, {action.RawQuery, cookie + "; " + cookie, wrong},
	} {
		f.Add(c[0], c[1], c[2])
	}
	f.Fuzz(func(t *testing.T, query, cookies, body string) {
		v, err := url.ParseQuery(body)
		knows := err == nil && v.Get("password") == alicesPass && strings.Contains(query, action.Query().Get("session_code")) && strings.Contains(cookies, cookie)
		if knows && !twice(body) {
			return
		}
		w := s.ask("POST", action.Path, query, body, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {cookies}})
		if !slices.Contains([]int{200, 302, 400, 403, 413}, w.Code) {
			t.Errorf("%q %q %q: %d %s", query, cookies, body, w.Code, w.Body)
		}
		for _, ck := range w.Result().Cookies() {
			if strings.HasPrefix(ck.Name, "KEYCLOAK_") && ck.Value != "" {
				t.Errorf("%q %q %q logs in", query, cookies, body)
			}
		}
	})
}
