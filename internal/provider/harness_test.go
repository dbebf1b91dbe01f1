package provider_test

import (
	"cmp"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/provider"
	"github.com/latchkey-id/latchkey/internal/seal"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/storetest"
)

const (
	callback   = "https://app.example/cb"
	appSecret  = "the-secret-of-the-app"
	alicesPass = "the password of alice"
	adminPass  = "the password of the administrator"
	verifier   = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// server is a provider on SQLite in memory (or on what LATCHKEY_TEST_ENGINE names: file, postgres), with realm "strict" and realm
// "lenient" (Keycloak's profile), each with client app and user alice.
type server struct {
	t      testing.TB
	url    string
	store  *store.Store
	ring   *seal.Ring
	manage *manage.Manager
	handle http.Handler
	log    *logBuffer
	clock  *clock
}

type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func cheap() password.Cost { return password.Cost{MemoryKiB: 64, Time: 1, Threads: 1} }

func start(t testing.TB, change func(*provider.Config)) *server {
	t.Helper()
	s := &server{t: t, log: &logBuffer{}, clock: &clock{}}
	place := storetest.At(t, cmp.Or(os.Getenv("LATCHKEY_TEST_ENGINE"), "memory"))
	s.store = place.Open(t, func(o *store.Options) { o.Now = s.clock.now })
	s.ring = place.Options.Seal
	front := httptest.NewServer(nil)
	s.url = front.URL
	cfg := provider.Config{Store: s.store, Seal: place.Options.Seal, Origins: []string{front.URL}, Logger: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: s.clock.now, Cost: cheap()}
	if change != nil {
		change(&cfg)
	}
	p, err := provider.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.handle = p.Handler()
	front.Config.Handler = s.handle
	s.manage = p.Manage
	t.Cleanup(func() { front.Close(); p.Close(); _ = s.store.Close() })
	s.fill()
	return s
}

func (s *server) fill() {
	s.t.Helper()
	ctx := s.t.Context()
	if err := s.manage.EnsureMaster(ctx); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.manage.CreateAdmin(ctx, "admin", adminPass); err != nil {
		s.t.Fatal(err)
	}
	for name, strict := range map[string]bool{"strict": true, "lenient": false} {
		doc, err := json.Marshal(map[string]any{"realm": name, "enabled": true, "revokeRefreshToken": strict,
			"clients": []map[string]any{
				{"clientId": "app", "secret": appSecret, "redirectUris": []string{callback, "https://app.example/wild/*"}, "webOrigins": []string{"https://app.example"},
					"directAccessGrantsEnabled": true, "serviceAccountsEnabled": true, "attributes": map[string]string{"post.logout.redirect.uris": "+"}},
				{"clientId": "other", "secret": appSecret, "redirectUris": []string{callback}},
				{"clientId": "spa", "publicClient": true, "redirectUris": []string{callback}, "webOrigins": []string{"+"}}},
			"users": []map[string]any{{"username": "alice", "enabled": true, "email": "alice@example.com", "emailVerified": true, "firstName": "Alice", "lastName": "Liddell",
				"realmRoles": []string{"default-roles-" + name}, "credentials": []map[string]any{{"type": "password", "value": alicesPass}}}}})
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.manage.CreateRealm(ctx, doc, strict); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *server) oidc(realm, path string) string {
	return s.url + "/realms/" + realm + "/protocol/openid-connect/" + path
}

// browser is a cookie jar that stops at redirects.
func (s *server) browser() *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type answer struct {
	status   int
	body     string
	header   http.Header
	location *url.URL
	json     map[string]any
}

func (a answer) text(name string) string { v, _ := a.json[name].(string); return v }

func (s *server) send(c *http.Client, method, address string, form url.Values, header ...string) answer {
	s.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, address, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	return s.do(c, req)
}

func (s *server) do(c *http.Client, req *http.Request) answer {
	s.t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, body: string(b), header: resp.Header}
	if l := resp.Header.Get("Location"); l != "" {
		if a.location, err = url.Parse(l); err != nil {
			s.t.Fatal(err)
		}
	}
	_ = json.Unmarshal(b, &a.json)
	return a
}

func (s *server) get(c *http.Client, address string, header ...string) answer {
	s.t.Helper()
	return s.send(c, http.MethodGet, address, nil, header...)
}

func (s *server) authURL(realm string, change url.Values) string {
	q := url.Values{"client_id": {"app"}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid"}, "state": {"st"},
		"code_challenge": {oauth.S256(verifier)}, "code_challenge_method": {"S256"}}
	for k, v := range change {
		if v == nil {
			q.Del(k)
			continue
		}
		q[k] = v
	}
	return s.oidc(realm, "auth") + "?" + q.Encode()
}

var action = regexp.MustCompile(`action="([^"]+)"`)

func formAction(t testing.TB, a answer) string {
	t.Helper()
	m := action.FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no form: %d %s", a.status, a.body)
	}
	return html.UnescapeString(m[1])
}

// code logs alice in and gives the code.
func (s *server) code(c *http.Client, realm string, change url.Values) string {
	s.t.Helper()
	a := s.get(c, s.authURL(realm, change))
	if a.status == http.StatusOK {
		a = s.send(c, http.MethodPost, formAction(s.t, a), url.Values{"username": {"alice"}, "password": {alicesPass}})
	}
	if a.status != http.StatusFound || a.location.Query().Get("code") == "" {
		s.t.Fatalf("no code: %d %v %s", a.status, a.location, a.body)
	}
	return a.location.Query().Get("code")
}

func (s *server) token(realm string, form url.Values) answer {
	s.t.Helper()
	for name, v := range map[string]string{"client_id": "app", "client_secret": appSecret} {
		if !form.Has(name) {
			form.Set(name, v)
		}
	}
	return s.send(s.browser(), http.MethodPost, s.oidc(realm, "token"), form)
}

func (s *server) exchange(realm, code string) answer {
	s.t.Helper()
	return s.token(realm, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}})
}

func (s *server) refresh(realm, refreshToken string) answer {
	s.t.Helper()
	return s.token(realm, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
}

func wantError(t testing.TB, a answer, status int, code, description string) {
	t.Helper()
	if a.status != status || a.text("error") != code || a.text("error_description") != description {
		t.Errorf("got %d %s, want %d %s %q", a.status, a.body, status, code, description)
	}
}

// newBare is the machine's limit for a document: an http.Handler that writes it.
func newBare(doc []byte) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(doc)
	}))
}
