package main_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"math"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const callback = "http://127.0.0.1:27999/cb"

// attempt is one way to get tokens.
type attempt struct {
	name                  string
	client, secret        string
	user, password, scope string
	redirect              string // with one: by the login page
	service               bool   // client_credentials
	works                 bool
}

// bothWays is an attempt by password grant and one by the login page.
func bothWays(client, secret, redirect, user, password, scope string, works bool) []attempt {
	a := attempt{name: client + " " + user + " " + scope + " password", client: client, secret: secret, user: user, password: password, scope: scope, works: works}
	b := a
	b.name, b.redirect = client+" "+user+" "+scope+" page", redirect
	return []attempt{a, b}
}

func samefileLogins() []attempt {
	const shop, narrow = "shop-secret-0123456789", "narrow-secret-0123456789"
	var out []attempt
	for _, u := range []struct {
		name, password string
		works          bool
	}{{"ada", "ada-password", true}, {"bruno", "bruno-password", true}, {"dora", "dora-password", false}, {"emil", "emil-password", false},
		{"fee@example.org", `pass wörd ☃ "quoted" & more`, true}, {"gus", "gus-password", false}, {"ada", "bruno-password", false}, {"nobody", "nobody-password", false},
		{"ADA@example.com", "ada-password", true}, {"bruno", "", false}} {
		out = append(out, bothWays("shop", shop, callback, u.name, u.password, "openid", u.works)...)
		out = append(out, bothWays("narrow", narrow, callback, u.name, u.password, "openid", u.works)...)
		out = append(out, bothWays("spa", "", "http://127.0.0.1:27999/spa/x", u.name, u.password, "openid badge", u.works)...)
	}
	out = append(out, bothWays("shop", shop, callback, "ada", "ada-password", "openid badge address phone microprofile-jwt", true)...)
	out = append(out, bothWays("shop", shop, callback, "ada", "ada-password", "openid unknown", false)...)
	return append(out,
		attempt{name: "shop with another secret", client: "shop", secret: narrow, user: "ada", password: "ada-password", scope: "openid"},
		attempt{name: "shop without a secret", client: "shop", user: "ada", password: "ada-password", scope: "openid"},
		attempt{name: "a client that is off", client: "closed", secret: "closed-secret-0123456789", user: "ada", password: "ada-password", scope: "openid"},
		attempt{name: "robot for itself", client: "robot", secret: "robot-secret-0123456789", service: true, works: true},
		attempt{name: "shop for itself", client: "shop", secret: shop, service: true},
		attempt{name: "robot for somebody", client: "robot", secret: "robot-secret-0123456789", user: "ada", password: "ada-password", scope: "openid"})
}

func guideLogins() []attempt {
	var out []attempt
	for user, works := range map[string]bool{"alice": true, "bob": true, "carol": true, "dave": true, "erin": false, "frank": false} {
		out = append(out, bothWays("guide-app", "guide-secret", "http://localhost:5000/oidc/callback", user, user+"-password", "openid", works)...)
		out = append(out, attempt{name: user + " with another password", client: "guide-app", secret: "guide-secret", user: user, password: user, scope: "openid"})
	}
	return append(out, attempt{name: "guide-app for itself", client: "guide-app", secret: "guide-secret", service: true, works: true})
}

func ourLogins() []attempt {
	var out []attempt
	for _, u := range []struct {
		name, password string
		works          bool
	}{{"alice", "alice-password", true}, {"bob", "bob pässword ☃", true}, {"carol", "carol-password", false}, {"dave", "dave-password", false}, {"alice", "bob pässword ☃", false}} {
		out = append(out, bothWays("app", "app-secret-0123456789", callback, u.name, u.password, "openid", u.works)...)
		out = append(out, bothWays("spa", "", callback, u.name, u.password, "openid", u.works)[1])
	}
	return append(out, attempt{name: "app for itself", client: "app", secret: "app-secret-0123456789", service: true, works: true})
}

// at makes the attempt and gives what is stable of the outcome.
func (a attempt) at(t *testing.T, p side, realm string) map[string]any {
	t.Helper()
	form := url.Values{"client_id": {a.client}}
	if a.secret != "" {
		form.Set("client_secret", a.secret)
	}
	switch {
	case a.service:
		form.Set("grant_type", "client_credentials")
	case a.redirect == "":
		form.Set("grant_type", "password")
		form.Set("username", a.user)
		form.Set("password", a.password)
		form.Set("scope", a.scope)
	default:
		code, end := a.byPage(t, p, realm)
		if code == "" {
			return end
		}
		form.Set("grant_type", "authorization_code")
		form.Set("code", code)
		form.Set("redirect_uri", a.redirect)
		form.Set("code_verifier", verifier)
	}
	status, doc := p.post(t, realm, form)
	return a.outcome(t, p, realm, status, doc)
}

func (a attempt) outcome(t *testing.T, p side, realm string, status int, doc map[string]any) map[string]any {
	t.Helper()
	out := map[string]any{"status": status}
	for k, v := range doc {
		text, _ := v.(string)
		switch k {
		case "access_token", "id_token":
			out[k] = stable(t, p, payload(t, text))
		case "refresh_token":
			out[k] = "one"
		case "session_state":
		case "expires_in", "refresh_expires_in":
			seconds, _ := v.(float64)
			out[k] = 10 * math.Ceil(seconds/10) // Keycloak counts from the start of the second
		case "scope":
			out[k] = words(text)
		default:
			out[k] = v
		}
	}
	if token, _ := doc["access_token"].(string); token != "" {
		out["userinfo"] = stable(t, p, userinfo(t, p, realm, token))
	}
	return out
}

func userinfo(t *testing.T, p side, realm, token string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.base+"/realms/"+realm+"/protocol/openid-connect/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) == 0 {
		return []byte("{}") // a refusal: the status is in the header
	}
	return b
}

func payload(t *testing.T, token string) []byte {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", token)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stable leaves out what is another thing in every token; addresses of the
// server are written alike, and lists are sorted.
func stable(t *testing.T, p side, doc []byte) any {
	t.Helper()
	var claims map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(doc), p.base, "BASE")), &claims); err != nil {
		t.Fatalf("%s: %v in %s", p.name, err, doc)
	}
	for _, name := range []string{"exp", "iat", "auth_time", "jti", "sid", "at_hash"} {
		if _, ok := claims[name]; ok {
			claims[name] = "one"
		}
	}
	if s, ok := claims["scope"].(string); ok {
		claims["scope"] = words(s)
	}
	return inOrder(claims)
}

func inOrder(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = inOrder(v[k])
		}
	case []any:
		slices.SortFunc(v, func(a, b any) int {
			x, _ := json.Marshal(a)
			y, _ := json.Marshal(b)
			return strings.Compare(string(x), string(y))
		})
	}
	return v
}

func words(s string) []string {
	out := strings.Fields(s)
	slices.Sort(out)
	return out
}

const verifier = "a-verifier-of-forty-three-characters-at-least-0123"

var (
	loginForm = regexp.MustCompile(`(?s)<form[^>]*id="kc-form-login".*?</form>`)
	action    = regexp.MustCompile(`action="([^"]*)"`)
	hidden    = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*>`)
	attribute = regexp.MustCompile(`(name|value)="([^"]*)"`)
)

// pageVisitor is a browser without a window: it keeps cookies, those for https too.
type pageVisitor struct {
	cookies map[string]string
}

func (v *pageVisitor) do(t *testing.T, method, address string, form url.Values) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range v.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := (&http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		v.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	return resp, string(body)
}

// byPage logs in as a person does. It gives the code, or how it ended.
func (a attempt) byPage(t *testing.T, p side, realm string) (code string, end map[string]any) {
	t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	v := &pageVisitor{map[string]string{}}
	resp, body := v.do(t, http.MethodGet, p.base+"/realms/"+realm+"/protocol/openid-connect/auth?"+url.Values{"client_id": {a.client}, "redirect_uri": {a.redirect}, "response_type": {"code"},
		"scope": {a.scope}, "state": {"st"}, "nonce": {"no"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}.Encode(), nil)
	form := loginForm.FindString(body)
	if form == "" {
		return "", where(resp, body)
	}
	fields := url.Values{"username": {a.user}, "password": {a.password}, "credentialId": {""}}
	for _, input := range hidden.FindAllString(form, -1) {
		got := map[string]string{}
		for _, m := range attribute.FindAllStringSubmatch(input, -1) {
			got[m[1]] = html.UnescapeString(m[2])
		}
		fields.Set(got["name"], got["value"])
	}
	resp, body = v.do(t, http.MethodPost, html.UnescapeString(action.FindStringSubmatch(form)[1]), fields)
	at, err := resp.Location()
	if err != nil {
		return "", where(resp, body)
	}
	if strings.HasPrefix(at.String(), a.redirect) {
		if at.Query().Get("state") != "st" {
			t.Errorf("%s: state %q", p.name, at.Query().Get("state"))
		}
		return at.Query().Get("code"), map[string]any{"error": at.Query().Get("error")}
	}
	return "", where(resp, body)
}

// where says how a login ended that gave no code.
func where(resp *http.Response, body string) map[string]any {
	out := map[string]any{"status": resp.StatusCode, "asks again": loginForm.MatchString(body)}
	if at, err := resp.Location(); err == nil {
		out["to"], out["execution"], out["error"] = path.Base(at.Path), at.Query().Get("execution"), at.Query().Get("error")
	}
	return out
}
