package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/storetest"
)

// ownPostgres is a server of this test's own, made by test/postgres.
type ownPostgres struct {
	t         *testing.T
	dir, port string
}

func newPostgres(t *testing.T) *ownPostgres {
	t.Helper()
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) == 0 {
		storetest.Missing(t, "no PostgreSQL in /usr/lib/postgresql")
	}
	dir, err := os.MkdirTemp("", "latchkey-postgres-") // its user reads no folder of t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	p := &ownPostgres{t, dir, port}
	t.Cleanup(func() { _ = exec.Command("../../test/postgres", "stop", dir).Run(); _ = os.RemoveAll(dir) })
	return p
}

func (p *ownPostgres) do(args ...string) string {
	p.t.Helper()
	out, err := exec.CommandContext(p.t.Context(), "../../test/postgres", args...).Output()
	if err != nil {
		p.t.Fatalf("test/postgres %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

func (p *ownPostgres) start() string { p.t.Helper(); return p.do("start", p.dir, p.port) }

func (p *ownPostgres) stop() { p.t.Helper(); p.do("stop", p.dir) }

// heard collects what a program writes.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

const dbPassword = "a-password-nobody-may-read"

// PostgreSQL goes away under a running server, and comes back.
func TestAnOutageOfTheDatabaseIsAnsweredAndHeals(t *testing.T) {
	db := newPostgres(t)
	dsn := strings.Replace(db.start(), "postgres@", "postgres:"+dbPassword+"@", 1)
	db.stop()
	addr, management := freeAddr(t), freeAddr(t)
	base, log := "http://"+addr, &heard{}
	cmd := exec.CommandContext(t.Context(), builtLatchkey(t), "serve", "--addr", addr, "--management-addr", management, "--url", base,
		"--admin", "boss", "--import", "../../internal/manage/testdata/keycloak-26.7.4-realm.json")
	cmd.Env = append(os.Environ(), "LATCHKEY_ADMIN_PASSWORD=the first password", "LATCHKEY_DB="+dsn, "LATCHKEY_KEY=a key of the test of enough bytes and more")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})

	waitUntil(t, "it says that it waits", func() bool { return strings.Contains(log.String(), "waiting for the database") })
	db.start() // both were started at once, the database was slower
	waitFor(t, base+"/realms/master")

	s := newVisitor(t, base)
	refresh := s.login()
	db.stop()
	s.everythingIsUnavailable(management)
	db.start()
	begun := time.Now()
	waitUntil(t, "it heals", func() bool {
		return grant(t, base, "guide", "guide-app", "guide-secret", "alice", "alice-password") == http.StatusOK
	})
	t.Logf("healed %s after the database was back", time.Since(begun).Round(time.Millisecond))
	if a := s.post(s.oidc("token"), url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {"guide-app"}, "client_secret": {"guide-secret"}}); a.status != http.StatusOK {
		t.Errorf("what was given out before: %d %s", a.status, a.body)
	}
	if strings.Contains(log.String(), dbPassword) {
		t.Error("the password of the database stands in the log")
	}
	if strings.Contains(log.String(), "panic") {
		t.Error("something panicked")
	}
}

func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 200 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("not within ten seconds: %s", what)
}

// visitor is a browser and a client at once.
type visitor struct {
	t                      *testing.T
	base                   string
	client                 *http.Client
	form, access, adminTok string
}

type reply struct {
	status int
	body   string
	header http.Header
	took   time.Duration
}

func newVisitor(t *testing.T, base string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, base: base, client: &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (v *visitor) oidc(path string) string {
	return v.base + "/realms/guide/protocol/openid-connect/" + path
}

func (v *visitor) authURL() string {
	return v.oidc("auth") + "?" + url.Values{"client_id": {"guide-app"}, "response_type": {"code"}, "redirect_uri": {"http://localhost:5000/oidc/callback"}, "scope": {"openid"}}.Encode()
}

func (v *visitor) do(method, address string, form url.Values, bearer string) reply {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	begun := time.Now()
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return reply{resp.StatusCode, string(b), resp.Header, time.Since(begun)}
}

func (v *visitor) post(address string, form url.Values) reply {
	v.t.Helper()
	return v.do(http.MethodPost, address, form, "")
}

// login opens the login page and gets tokens; it gives the refresh token.
func (v *visitor) login() string {
	v.t.Helper()
	page := v.do(http.MethodGet, v.authURL(), nil, "")
	m := regexp.MustCompile(`action="([^"]+)"`).FindStringSubmatch(page.body)
	if m == nil {
		v.t.Fatalf("no login page: %d %s", page.status, page.body)
	}
	v.form = html.UnescapeString(m[1])
	tokens := func(realm, client, secret, user, password string) (access, refresh string) {
		a := v.post(v.base+"/realms/"+realm+"/protocol/openid-connect/token", url.Values{"grant_type": {"password"}, "client_id": {client}, "client_secret": {secret}, "username": {user}, "password": {password}, "scope": {"openid"}})
		var got struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || got.Access == "" {
			v.t.Fatalf("no token: %d %s", a.status, a.body)
		}
		return got.Access, got.Refresh
	}
	v.adminTok, _ = tokens("master", "admin-cli", "", "boss", "the first password")
	var refresh string
	v.access, refresh = tokens("guide", "guide-app", "guide-secret", "alice", "alice-password")
	return refresh
}

func (v *visitor) everythingIsUnavailable(management string) {
	v.t.Helper()
	client := url.Values{"client_id": {"guide-app"}, "client_secret": {"guide-secret"}}
	with := func(name, value string) url.Values {
		out := url.Values{name: {value}}
		for k, values := range client {
			out[k] = values
		}
		return out
	}
	for name, c := range map[string]struct {
		send func() reply
		want string
	}{
		"login page": {func() reply { return v.do(http.MethodGet, v.authURL(), nil, "") }, "text/html"},
		"login":      {func() reply { return v.post(v.form, url.Values{"username": {"alice"}, "password": {"alice-password"}}) }, "text/html"},
		"password": {func() reply {
			f := with("grant_type", "password")
			f.Set("username", "alice")
			f.Set("password", "alice-password")
			return v.post(v.oidc("token"), f)
		}, "application/json"},
		"code":          {func() reply { return v.post(v.oidc("token"), with("code", "x.y.z")) }, ""},
		"client":        {func() reply { return v.post(v.oidc("token"), with("grant_type", "client_credentials")) }, ""},
		"userinfo":      {func() reply { return v.do(http.MethodGet, v.oidc("userinfo"), nil, v.access) }, "application/json"},
		"introspection": {func() reply { return v.post(v.oidc("token/introspect"), with("token", v.access)) }, "application/json"},
		"revocation":    {func() reply { return v.post(v.oidc("revoke"), with("token", v.access)) }, "application/json"},
		"admin users":   {func() reply { return v.do(http.MethodGet, v.base+"/admin/realms/guide/users", nil, v.adminTok) }, "application/json"},
		"admin realms":  {func() reply { return v.do(http.MethodGet, v.base+"/admin/realms", nil, v.adminTok) }, "application/json"},
		"keys":          {func() reply { return v.do(http.MethodGet, v.oidc("certs"), nil, "") }, ""},
		"metadata": {func() reply {
			return v.do(http.MethodGet, v.base+"/realms/guide/.well-known/openid-configuration", nil, "")
		}, ""},
		"another realm": {func() reply { return v.do(http.MethodGet, v.base+"/realms/nobody", nil, "") }, "application/json"},
		"no such path":  {func() reply { return v.do(http.MethodGet, v.base+"/realms/nobody/x", nil, "") }, "application/json"},
		"setup link":    {func() reply { return v.do(http.MethodGet, v.base+"/setup/x", nil, "") }, ""},
		"ready":         {func() reply { return v.do(http.MethodGet, "http://"+management+"/health/ready", nil, "") }, "application/json"},
	} {
		for range 2 { // the second one finds closed connections
			a := c.send()
			if err := a.unavailable(c.want, name == "ready"); err != nil {
				v.t.Errorf("%s: %v", name, err)
			}
		}
	}
	if a := v.do(http.MethodGet, "http://"+management+"/health/live", nil, ""); a.status != http.StatusOK {
		v.t.Errorf("live: %d", a.status)
	}
}

// unavailable: want "" is for what a cache may still answer.
func (a reply) unavailable(want string, health bool) error {
	switch {
	case a.took > 10*time.Second:
		return fmt.Errorf("after %s", a.took)
	case want == "" && a.status < http.StatusInternalServerError:
		return nil
	case a.status != http.StatusServiceUnavailable:
		return fmt.Errorf("%d %s", a.status, a.body)
	case health:
		return nil
	case a.header.Get("Retry-After") == "":
		return fmt.Errorf("no Retry-After: %s", a.body)
	case !strings.HasPrefix(a.header.Get("Content-Type"), want) || !strings.Contains(a.body, "temporarily_unavailable"):
		return fmt.Errorf("%s %s", a.header.Get("Content-Type"), a.body)
	}
	return nil
}
