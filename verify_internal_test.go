package latchkey

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/seal"
)

// What each check of an ID token refuses by itself (OpenID Connect Core 1.0, 3.1.3.7).
func TestIDTokenChecks(t *testing.T) {
	const access = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y" // of OpenID Connect Core 1.0, A.3, with its at_hash
	hash, other := "77QmUPtjPfzWtF2AnpK9RQ", "77QmUPtjPfzWtF2AnpK9RR"
	a := &Auth{cfg: Config{ClientID: "app"}}
	for _, c := range []struct {
		name   string
		claims map[string]any
		header string // typ
		want   expected
		failed string // the check; "" when all pass
	}{
		{"as it should be", map[string]any{"typ": "ID", "azp": "app", "nonce": "n", "at_hash": hash}, "JWT", expected{nonce: "n", accessToken: access, subject: "alice"}, ""},
		{"with the least", nil, "", expected{}, ""},
		{"an access token", map[string]any{"typ": "Bearer"}, "JWT", expected{}, "kind"},
		{"a refresh token", map[string]any{"typ": "Refresh"}, "JWT", expected{}, "kind"},
		{"a logout token", map[string]any{"typ": "Logout"}, "JWT", expected{}, "kind"},
		{"an access token of RFC 9068", nil, "at+jwt", expected{}, "kind"},
		{"the same in capitals", nil, "AT+JWT", expected{}, "kind"},
		{"a logout token by its header", nil, "logout+jwt", expected{}, "kind"},
		{"nobody", map[string]any{"sub": nil}, "JWT", expected{}, "subject"},
		{"an empty sub", map[string]any{"sub": ""}, "JWT", expected{}, "subject"},
		{"a sub that is no text", map[string]any{"sub": 1.0}, "JWT", expected{}, "subject"},
		{"somebody else at a refresh", nil, "JWT", expected{subject: "bob"}, "subject"},
		{"two audiences", map[string]any{"aud": []any{"app", "other"}}, "JWT", expected{}, "authorized party"},
		{"two audiences, for us", map[string]any{"aud": []any{"app", "other"}, "azp": "app"}, "JWT", expected{}, ""},
		{"two audiences, for another", map[string]any{"aud": []any{"app", "other"}, "azp": "other"}, "JWT", expected{}, "authorized party"},
		{"one audience, for another", map[string]any{"azp": "other"}, "JWT", expected{}, "authorized party"},
		{"an empty azp", map[string]any{"azp": ""}, "JWT", expected{}, "authorized party"},
		{"an azp that is no text", map[string]any{"azp": []any{"app"}}, "JWT", expected{}, "authorized party"},
		{"no iat", map[string]any{"iat": nil}, "JWT", expected{}, "issued-at"},
		{"an iat that is no number", map[string]any{"iat": "now"}, "JWT", expected{}, "issued-at"},
		{"another nonce", map[string]any{"nonce": "m"}, "JWT", expected{nonce: "n"}, "nonce"},
		{"no nonce", nil, "JWT", expected{nonce: "n"}, "nonce"},
		{"the beginning of the nonce", map[string]any{"nonce": "n"}, "JWT", expected{nonce: "nn"}, "nonce"},
		{"a nonce at a refresh", map[string]any{"nonce": "of the login"}, "JWT", expected{}, ""},
		{"another access token", map[string]any{"at_hash": hash}, "JWT", expected{accessToken: access + "x"}, "access token hash"},
		{"another at_hash", map[string]any{"at_hash": other}, "JWT", expected{accessToken: access}, "access token hash"},
		{"an empty at_hash", map[string]any{"at_hash": ""}, "JWT", expected{accessToken: access}, "access token hash"},
		{"an at_hash that is no text", map[string]any{"at_hash": true}, "JWT", expected{accessToken: access}, "access token hash"},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := map[string]any{"sub": "alice", "aud": "app", "iat": 1_800_000_000.0}
			for name, v := range c.claims {
				claims[name] = v
			}
			token, failed := &jose.Token{Header: jose.Header{Algorithm: jose.RS256, Type: c.header}, Claims: claims}, ""
			for _, check := range slices.Backward(idTokenChecks()) {
				if check.check(a, token, c.want) != nil {
					failed = strings.TrimPrefix(check.name+" "+failed, " ")
				}
			}
			if strings.TrimSpace(failed) != c.failed {
				t.Errorf("failed %q, want %q", failed, c.failed)
			}
		})
	}
	if len(idTokenChecks()) != 6 {
		t.Error("a check without rows here")
	}
}

// RFC 9207, section 2.4: whoever promises iss must send it, and what is sent counts.
func TestCheckIss(t *testing.T) {
	begun := &transaction{Issuer: "https://sso.example"}
	for _, c := range []struct {
		name     string
		promised bool
		sent     url.Values
		ok       bool
	}{
		{"the right one", true, url.Values{"iss": {"https://sso.example"}}, true},
		{"the right one, not promised", false, url.Values{"iss": {"https://sso.example"}}, true},
		{"none, not promised", false, url.Values{}, true},
		{"none, promised", true, url.Values{}, false},
		{"an empty one", false, url.Values{"iss": {""}}, false},
		{"another", true, url.Values{"iss": {"https://evil.example"}}, false},
		{"another, not promised", false, url.Values{"iss": {"https://evil.example"}}, false},
		{"with a slash", false, url.Values{"iss": {"https://sso.example/"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkIss(&metadata{IssInResponse: c.promised}, begun, c.sent)
			if (err == nil) != c.ok || err != nil && reasonOf(err) != reasonIss {
				t.Errorf("got %v", err)
			}
		})
	}
}

// S-51: never "none", never a MAC with the client's secret, whatever the provider lists.
func TestAlgorithmsOfAProvider(t *testing.T) {
	for _, c := range []struct {
		name   string
		listed []string
		want   []string
	}{
		{"nothing", nil, []string{"RS256"}},
		{"none", []string{"none"}, nil},
		{"the client's secret", []string{"HS256", "HS512"}, nil},
		{"one of them", []string{"none", "HS256", "ES256", "RSA1_5"}, []string{"ES256"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := (&metadata{Algorithms: c.listed}).idTokenAlgorithms(); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A login that was begun ends once, in its time, in the browser that began it.
func TestATransactionWorksInItsTime(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	a, err := New(Config{Issuer: "https://sso.example/realms/r", ClientID: "app", ClientSecret: "s", RedirectURI: "https://app.example/cb", SessionKeys: [][]byte{seal.RandomSecret()},
		Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("s", 201)
	for _, c := range []struct {
		name, state, asked string
		started            time.Time
		ok                 bool
	}{
		{"at once", "st", "st", now, true},
		{"at the last moment", "st", "st", now.Add(-transactionLife), true},
		{"too late", "st", "st", now.Add(-transactionLife - time.Millisecond), false},
		{"another state", "st", "other", now, false},
		{"no state", "", "", now, false},
		{"the longest state", long[:200], long[:200], now, true},
		{"a longer one", long, long, now, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			if err := a.saveTransaction(w, httptest.NewRequest(http.MethodGet, "/", nil), transaction{State: c.state, Started: c.started}); err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			for _, ck := range w.Result().Cookies() {
				r.AddCookie(ck)
			}
			if got := a.takeTransaction(httptest.NewRecorder(), r, c.asked); (got != nil) != c.ok {
				t.Errorf("got %+v", got)
			}
			for _, ck := range r.Cookies() { // the same value under another login's name
				ck.Name = a.transactionName("x")
				stolen := httptest.NewRequest(http.MethodGet, "/", nil)
				stolen.AddCookie(ck)
				if got := a.takeTransaction(httptest.NewRecorder(), stolen, "x"); got != nil {
					t.Errorf("under another name: %+v", got)
				}
			}
		})
	}
}

// A program, a script and a prefetch are told that a login is needed; only a person
// who goes to a page is sent to it.
func TestIsNavigation(t *testing.T) {
	for _, c := range []struct {
		name, method string
		header       []string
		want         bool
	}{
		{"a link", "GET", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, true},
		{"a frame", "GET", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, true},
		{"an older browser", "GET", []string{"Accept", "text/html,*/*;q=0.8"}, true},
		{"curl", "GET", []string{"Accept", "*/*"}, true},
		{"nothing is said", "GET", nil, true},
		{"a form", "POST", []string{"Sec-Fetch-Mode", "navigate"}, false},
		{"a bad token", "GET", []string{"Sec-Fetch-Mode", "navigate", "Authorization", "Bearer x"}, false},
		{"a prefetch", "GET", []string{"Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch"}, false},
		{"an older prefetch", "GET", []string{"Accept", "text/html", "Purpose", "prefetch"}, false},
		{"fetch", "GET", []string{"Sec-Fetch-Mode", "cors", "Accept", "text/html"}, false},
		{"an object", "GET", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "object"}, false},
		{"an older script", "GET", []string{"X-Requested-With", "xmlhttprequest", "Accept", "*/*"}, false},
		{"a picture", "GET", []string{"Accept", "image/png"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "/", nil)
			for i := 0; i < len(c.header); i += 2 {
				r.Header.Set(c.header[i], c.header[i+1])
			}
			if got := isNavigation(r); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// The method is the configured one, else what the provider lists (Discovery 1.0, 3).
func TestClientAuth(t *testing.T) {
	for _, c := range []struct {
		name   string
		cfg    Config
		listed []string
		want   ClientAuth
	}{
		{"configured", Config{ClientSecret: "s", ClientAuth: ClientSecretPost}, []string{"client_secret_basic"}, ClientSecretPost},
		{"no secret", Config{}, []string{"client_secret_basic"}, NoClientAuth},
		{"nothing listed", Config{ClientSecret: "s"}, nil, ClientSecretBasic},
		{"both listed", Config{ClientSecret: "s"}, []string{"client_secret_post", "client_secret_basic"}, ClientSecretBasic},
		{"post alone", Config{ClientSecret: "s"}, []string{"client_secret_post"}, ClientSecretPost},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &provider{cfg: &c.cfg}
			if got := p.clientAuth(&metadata{TokenAuth: c.listed}); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			_, err := p.readToken(http.StatusOK, []byte(`{"access_token":"x","token_type":"bearer"}`))
			if err != nil {
				t.Error(err)
			}
			for _, bad := range []string{`{"access_token":"","token_type":"Bearer"}`, `{"token_type":"Bearer"}`, `{"access_token":"x","token_type":"DPoP"}`, `{"access_token":"x"}`, `[]`, ``} {
				if got, err := p.readToken(http.StatusOK, []byte(bad)); err == nil || reasonOf(err) != reasonProvider {
					t.Errorf("%s: %+v, %v", bad, got, err)
				}
			}
		})
	}
}
