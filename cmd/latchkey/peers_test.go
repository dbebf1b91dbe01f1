package main_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// console does what a person does in the admin console, through the admin REST
// API. Keycloak and Latchkey get the same requests.
type console struct {
	base, username, password string
	shared                   bool // with other tests: realms are taken away
}

// values are the six that an application needs, and who may log in.
type values struct {
	issuer, clientID, clientSecret, redirectURI string
	token, userinfo                             string
	authorization, introspection, endSession    string
	realm, username, userPassword               string
}

// variables are the six, as the guide calls them.
func (v values) variables() []string {
	return []string{"CLIENT_ID=" + v.clientID, "CLIENT_SECRET=" + v.clientSecret, "ISSUER=" + v.issuer, "REDIRECT_URI=" + v.redirectURI,
		"TOKEN_ENDPOINT=" + v.token, "USERINFO_ENDPOINT=" + v.userinfo}
}

// setup is what the person has in mind.
type setup struct {
	realm    map[string]any // beside name and enabled
	client   map[string]any // beside clientId and redirectUris
	redirect string         // the application's callback
}

// newRealm makes a realm of its own with a client and a user. What it gives was
// read from the provider's answers, as a person copies it from the console's pages.
func (c console) newRealm(t *testing.T, s setup) values {
	t.Helper()
	v := values{realm: "peers-" + strings.ToLower(rand.Text())[:8], username: "alice", userPassword: "alice's long password"}
	c.do(t, http.MethodPost, "/realms", with(s.realm, "realm", v.realm, "enabled", true), nil)
	if c.shared {
		t.Cleanup(func() { c.do(t, http.MethodDelete, "/realms/"+v.realm, nil, nil) })
	}
	at := "/realms/" + v.realm
	c.do(t, http.MethodPost, at+"/clients", with(s.client, "clientId", "guide-app", "publicClient", false, "redirectUris", []string{s.redirect}), nil)
	c.do(t, http.MethodPost, at+"/users", map[string]any{"username": v.username, "enabled": true, "email": "alice@example.com", "emailVerified": true,
		"firstName": "Alice", "lastName": "Liddell", "credentials": []any{map[string]any{"type": "password", "value": v.userPassword, "temporary": false}}}, nil)

	var clients []struct {
		ID           string   `json:"id"`
		ClientID     string   `json:"clientId"`
		RedirectURIs []string `json:"redirectUris"`
	}
	c.do(t, http.MethodGet, at+"/clients?clientId=guide-app", nil, &clients)
	if len(clients) != 1 || len(clients[0].RedirectURIs) != 1 {
		t.Fatalf("the client reads back as %+v", clients)
	}
	v.clientID, v.redirectURI = clients[0].ClientID, clients[0].RedirectURIs[0]
	var credential struct {
		Value string `json:"value"`
	}
	c.do(t, http.MethodGet, at+"/clients/"+clients[0].ID+"/client-secret", nil, &credential)
	v.clientSecret = credential.Value
	c.endpoints(t, &v)
	return v
}

// endpoints reads what Realm settings → Endpoints links to.
func (c console) endpoints(t *testing.T, v *values) {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(read(t, c.base+"/realms/"+v.realm+"/.well-known/openid-configuration")), &m); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]*string{"issuer": &v.issuer, "token_endpoint": &v.token, "userinfo_endpoint": &v.userinfo,
		"authorization_endpoint": &v.authorization, "introspection_endpoint": &v.introspection, "end_session_endpoint": &v.endSession} {
		*to, _ = m[name].(string)
		if *to == "" {
			t.Fatalf("the provider's document has no %s", name)
		}
	}
}

func with(more map[string]any, pairs ...any) map[string]any {
	out := map[string]any{}
	for k, v := range more {
		out[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i].(string)] = pairs[i+1]
	}
	return out
}

// user gives the id of a realm's only user.
func (c console) user(t *testing.T, v values) string {
	t.Helper()
	var users []struct {
		ID string `json:"id"`
	}
	c.do(t, http.MethodGet, "/realms/"+v.realm+"/users", nil, &users)
	if len(users) != 1 {
		t.Fatalf("%d users", len(users))
	}
	return users[0].ID
}

// do calls the admin REST API below /admin. Whatever fails is fatal.
func (c console) do(t *testing.T, method, path string, body, into any) {
	t.Helper()
	var b bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			t.Fatal(err)
		}
	}
	// Not the test's context: it has ended when the realm is taken away.
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, c.base+"/admin"+path, &b)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.accessToken(t))
	status, answer := send(t, req)
	if status < 200 || status > 299 {
		t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, answer)
	}
}

// accessToken logs in as a script does. Keycloak's live a minute, so each call
// gets one of its own.
func (c console) accessToken(t *testing.T) string {
	t.Helper()
	return passwordToken(t, c.base+"/realms/master/protocol/openid-connect/token",
		url.Values{"client_id": {"admin-cli"}, "username": {c.username}, "password": {c.password}})
}

func passwordToken(t *testing.T, endpoint string, form url.Values) string {
	t.Helper()
	form.Set("grant_type", "password")
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, answer := send(t, req)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(answer, &token); err != nil || token.AccessToken == "" {
		t.Fatalf("%s: %d %s", endpoint, status, answer)
	}
	return token.AccessToken
}

func send(t *testing.T, req *http.Request) (status int, body []byte) {
	t.Helper()
	resp, err := (&http.Client{Timeout: 60 * time.Second}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b.Bytes()
}

// realKeycloak is the one that the whole run shares.
func realKeycloak(t *testing.T) console {
	t.Helper()
	base := os.Getenv("LATCHKEY_TEST_KEYCLOAK")
	if base == "" {
		needs(t, "a real Keycloak: test/keycloak fetch DIR, test/keycloak start DIR PORT, and what it prints in LATCHKEY_TEST_KEYCLOAK")
	}
	c := console{base: strings.TrimSuffix(base, "/"), username: "admin", password: "admin", shared: true}
	var info struct {
		System struct {
			Version string `json:"version"`
		} `json:"systemInfo"`
	}
	c.do(t, http.MethodGet, "/serverinfo", nil, &info)
	if !strings.HasPrefix(info.System.Version, "26.7.") {
		t.Fatalf("this is Keycloak %q; docs/compatibility.md speaks of 26.7", info.System.Version)
	}
	return c
}

// ourProvider is `latchkey serve`, a process of the test's own.
func ourProvider(t *testing.T, latchkey string) (console, *peer) {
	t.Helper()
	addr := freeAddr(t)
	c := console{base: "http://" + addr, username: "boss", password: "the boss's password"}
	p := runPeer(t, exec.CommandContext(t.Context(), latchkey, "serve", "--data", t.TempDir(), "--addr", addr, "--management-addr", "", "--url", c.base, "--admin", c.username),
		"LATCHKEY_ADMIN_PASSWORD="+c.password)
	p.awaits(t, c.base+"/realms/master")
	return c, p
}

// peer is a program that the test started and that ends with it.
type peer struct{ log logged }

func runPeer(t *testing.T, cmd *exec.Cmd, vars ...string) *peer {
	t.Helper()
	p := &peer{}
	p.log.to = t.Output()
	cmd.Env = append(os.Environ(), vars...)
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	cmd.SysProcAttr = endsWithParent()
	start(t, cmd)
	return p
}

func (p *peer) awaits(t *testing.T, address string) {
	t.Helper()
	for range 600 {
		resp, err := http.Get(address)
		if err == nil {
			resp.Body.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s never answered", address)
}

// logged is a program's output: for the test's own, and to look into.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
	to   interface{ Write([]byte) (int, error) }
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	return l.to.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
