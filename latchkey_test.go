package latchkey_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey"
	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/oauth"
)

// op is a provider that does what a test tells it to, mistakes included.
type op struct {
	t      *testing.T
	server *httptest.Server
	key    jose.Key
	other  jose.Key // published by nobody, but for those in publish

	mu        sync.Mutex
	codes     map[string]url.Values // code → the authorization request
	publish   []jose.Key            // beside key
	calls     map[string]int        // path → how often
	refreshed int

	claims   func(c map[string]any) // changes the ID token's claims
	sign     func(c map[string]any) string
	userinfo func(w http.ResponseWriter)
	meta     func(m map[string]any)
	answer   func(q url.Values) url.Values // changes the callback's parameters
	token    func(w http.ResponseWriter, form url.Values) bool
	life     int64 // of access tokens, seconds
	down     bool
}

func newOP(t *testing.T) *op {
	t.Helper()
	p := &op{t: t, codes: map[string]url.Values{}, calls: map[string]int{}, life: 300}
	p.key, p.other = generate(t), generate(t)
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.server.Close)
	return p
}

func generate(t *testing.T) jose.Key {
	t.Helper()
	return generateFor(t, jose.ES256) // cheap to make
}

func generateFor(t *testing.T, algorithm string) jose.Key {
	t.Helper()
	k, err := jose.Generate(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (p *op) issuer() string { return p.server.URL + "/realms/demo" }

func (p *op) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[path]
}

func (p *op) serve(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/realms/demo")
	p.mu.Lock()
	p.calls[path]++
	down := p.down
	p.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler)
	}
	switch strings.TrimPrefix(path, "/protocol/openid-connect") {
	case "/.well-known/openid-configuration":
		p.serveMeta(w)
	case "/certs":
		p.serveKeys(w)
	case "/auth":
		p.serveAuth(w, r)
	case "/token":
		p.serveToken(w, r)
	case "/userinfo":
		if p.userinfo != nil {
			p.userinfo(w)
			return
		}
		reply(w, 200, map[string]any{"sub": "user-1", "email": "alice@example.com", "name": "Alice Liddell"})
	case "/logout":
		q := r.URL.Query()
		http.Redirect(w, r, q.Get("post_logout_redirect_uri")+"?state="+q.Get("state"), http.StatusFound)
	default:
		http.NotFound(w, r)
	}
}

func (p *op) serveKeys(w http.ResponseWriter) {
	var all []jose.Key
	for _, k := range append([]jose.Key{p.key}, p.publish...) {
		all = append(all, jose.Key{ID: k.ID, Algorithm: k.Algorithm, Use: "sig", Public: k.Public})
	}
	b, err := jose.NewSet(all...).JSON()
	if err != nil {
		p.t.Error(err)
	}
	_, _ = w.Write(b)
}

func (p *op) serveMeta(w http.ResponseWriter) {
	at := p.issuer() + "/protocol/openid-connect"
	m := map[string]any{"issuer": p.issuer(), "authorization_endpoint": at + "/auth", "token_endpoint": at + "/token", "userinfo_endpoint": at + "/userinfo",
		"jwks_uri": at + "/certs", "end_session_endpoint": at + "/logout", "id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
		"authorization_response_iss_parameter_supported": true}
	if p.meta != nil {
		p.meta(m)
	}
	reply(w, 200, m)
}

func (p *op) serveAuth(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	code := oauth.S256(q.Get("state"))
	p.mu.Lock()
	p.codes[code] = q
	p.mu.Unlock()
	a := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.issuer()}}
	if p.answer != nil {
		a = p.answer(a)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+a.Encode(), http.StatusFound)
}

func (p *op) serveToken(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.t.Error(err)
	}
	if p.token != nil && p.token(w, r.PostForm) {
		return
	}
	nonce := ""
	if r.PostForm.Get("grant_type") == "authorization_code" {
		p.mu.Lock()
		q, ok := p.codes[r.PostForm.Get("code")]
		delete(p.codes, r.PostForm.Get("code"))
		p.mu.Unlock()
		if !ok || oauth.S256(r.PostForm.Get("code_verifier")) != q.Get("code_challenge") {
			reply(w, 400, map[string]any{"error": "invalid_grant"})
			return
		}
		nonce = q.Get("nonce")
	}
	reply(w, 200, p.tokens(nonce))
}

func (p *op) tokens(nonce string) map[string]any {
	p.mu.Lock()
	p.refreshed++
	n := p.refreshed
	p.mu.Unlock()
	access := "access-" + string(rune('a'+n))
	hash, err := jose.LeftHalfHash(p.key.Algorithm, access)
	if err != nil {
		p.t.Error(err)
	}
	now := time.Now().Unix()
	c := map[string]any{"iss": p.issuer(), "aud": "app", "sub": "user-1", "azp": "app", "typ": "ID", "iat": now, "exp": now + 300, "at_hash": hash}
	if nonce != "" {
		c["nonce"] = nonce
	}
	if p.claims != nil {
		p.claims(c)
	}
	return map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": p.life, "refresh_token": "refresh-" + access, "id_token": p.signed(c)}
}

func (p *op) signed(c map[string]any) string {
	if p.sign != nil {
		return p.sign(c)
	}
	s, err := jose.Sign(p.key, "JWT", c)
	if err != nil {
		p.t.Error(err)
	}
	return s
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// app is an application with a browser in front of it.
type app struct {
	t      *testing.T
	auth   *latchkey.Auth
	server *httptest.Server
	client *http.Client
	log    *safeBuffer
	logger *slog.Logger
}

type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newApp(t *testing.T, p *op, change func(*latchkey.Config)) *app {
	t.Helper()
	a := &app{t: t, log: &safeBuffer{}}
	mux := http.NewServeMux()
	a.server = httptest.NewServer(nil)
	t.Cleanup(a.server.Close)
	a.logger = slog.New(slog.NewTextHandler(a.log, nil))
	cfg := latchkey.Config{Issuer: p.issuer(), ClientID: "app", ClientSecret: "a secret of the app", RedirectURI: a.server.URL + "/oidc/callback",
		SessionKeys: [][]byte{[]byte("a session key of 32 bytes, made up")}, Logger: a.logger}
	if change != nil {
		change(&cfg)
	}
	var err error
	if a.auth, err = latchkey.New(cfg); err != nil {
		t.Fatal(err)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "public") })
	mux.Handle("/protected", a.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(latchkey.UserFromContext(r.Context()).Select("email", "sub", "name"))
	})))
	mux.Handle("/deep/", a.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.RequestURI()) })))
	mux.HandleFunc("/logout", a.auth.Logout)
	if err := a.auth.Mount(mux); err != nil {
		t.Fatal(err)
	}
	a.server.Config.Handler = a.auth.Middleware(mux)
	a.client = newClient(t)
	return a
}

func newClient(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 10 * time.Second}
}

type answer struct {
	status int
	body   string
	header http.Header
	at     string // where redirects ended
}

func (a *app) get(path string, header ...string) answer {
	a.t.Helper()
	return a.do(a.client, http.MethodGet, path, header...)
}

func (a *app) do(c *http.Client, method, path string, header ...string) answer {
	a.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = a.server.URL + path
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer{resp.StatusCode, string(b), resp.Header, resp.Request.URL.String()}
}

// noRedirect is the same browser, stopping at the first answer.
func (a *app) noRedirect() *http.Client {
	return &http.Client{Jar: a.client.Jar, Timeout: a.client.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (a *app) logIn() {
	a.t.Helper()
	if got := a.get("/protected"); got.status != 200 || !strings.Contains(got.body, "alice@example.com") {
		a.t.Fatalf("the login ended with %d %s\n%s", got.status, got.body, a.log)
	}
}

func wantReason(t *testing.T, a *app, got answer, status int, reason string) {
	t.Helper()
	if got.status != status || !strings.Contains(got.body, reason) {
		t.Errorf("got %d %s, want %d with reason %s", got.status, got.body, status, reason)
	}
	var body struct{ ID string }
	if json.Unmarshal([]byte(got.body), &body) == nil && (body.ID == "" || !strings.Contains(a.log.String(), "id="+body.ID)) {
		t.Errorf("the log has no line with the id %q of the answer", body.ID)
	}
}
