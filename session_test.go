package latchkey_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey"
)

// One process may log people in at two providers: a session of one is nothing to
// the other.
func TestTwoAuthsDoNotTakeEachOthersSessions(t *testing.T) {
	a, b := newApp(t, newOP(t), nil), newApp(t, newOP(t), nil)
	a.logIn()
	staff := a.auth.Middleware(b.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })))
	r := httptest.NewRequest(http.MethodGet, "/staff", nil)
	for _, c := range a.client.Jar.Cookies(mustParse(t, a.server.URL)) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	staff.ServeHTTP(w, r)
	if w.Code != http.StatusFound {
		t.Errorf("logged in at one, and the other answers %d", w.Code)
	}
}

// A refresh token works once: what came back for it must not be thrown away
// because userinfo failed afterwards.
func TestRefreshIsKeptWhenUserinfoFails(t *testing.T) {
	p := newOP(t)
	p.life = 1
	used := map[string]bool{}
	p.token = func(w http.ResponseWriter, form url.Values) bool {
		if form.Get("grant_type") == "refresh_token" && used[form.Get("refresh_token")] {
			return refuse(400, "invalid_grant")(w, form)
		}
		used[form.Get("refresh_token")] = true
		return false
	}
	a := newApp(t, p, nil)
	a.logIn()
	p.userinfo = func(w http.ResponseWriter) { reply(w, 503, nil) }
	for range 3 {
		a.logIn() // answered with the claims of before
	}
}

// I4, at the application: a refresh under way must not undo a logout.
func TestStoreSessionsStayEnded(t *testing.T) {
	p := newOP(t)
	p.life = 1
	store := &spyStore{}
	a := newApp(t, p, func(c *latchkey.Config) { c.Store = store })
	p.token = func(w http.ResponseWriter, form url.Values) bool {
		if form.Get("grant_type") == "refresh_token" {
			for id := range store.ids {
				if err := store.Delete(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
		}
		return false
	}
	a.client.CheckRedirect = a.noRedirect().CheckRedirect
	a.get(callbackOf(t, a, "/protected"))
	if len(store.ids) != 1 {
		t.Fatalf("%d sessions after a login", len(store.ids))
	}
	if got := a.do(a.noRedirect(), http.MethodGet, "/protected"); got.status != http.StatusFound {
		t.Errorf("ended while it was refreshed, and it answers %d", got.status)
	}
}

func TestMountBesideACatchAll(t *testing.T) {
	a := newApp(t, newOP(t), nil)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(http.ResponseWriter, *http.Request) {})
	if err := a.auth.Mount(mux); err != nil {
		t.Error(err)
	}
}

func TestPlainHTTPIsForLocalhostAlone(t *testing.T) {
	good := latchkey.Config{Issuer: "https://sso.example/realms/r", ClientID: "app", RedirectURI: "https://app.example/oidc/callback"}
	for name, change := range map[string]func(*latchkey.Config){
		"issuer":           func(c *latchkey.Config) { c.Issuer = "http://sso.example/realms/r" },
		"redirect URI":     func(c *latchkey.Config) { c.RedirectURI = "http://app.example/oidc/callback" },
		"localhost's evil": func(c *latchkey.Config) { c.RedirectURI = "http://localhost.evil.example/oidc/callback" },
		"negative life":    func(c *latchkey.Config) { c.SessionLife = -time.Second },
	} {
		cfg := good
		change(&cfg)
		_, err := latchkey.New(cfg)
		if _, ok := errors.AsType[*latchkey.ConfigError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	good.TokenEndpoint = "http://keycloak.internal:8080/realms/r/protocol/openid-connect/token"
	if _, err := latchkey.New(good); err != nil {
		t.Errorf("the inside of a split horizon: %v", err)
	}
}

// Only invalid_grant says that the session has ended at the provider: any other
// failure of a refresh is shown, and passes.
func TestWhichRefusalOfARefreshEndsTheSession(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		code   string
		want   int
		kept   bool
	}{
		{"the session has ended", 400, "invalid_grant", 401, false},
		{"the client is refused", 401, "unauthorized_client", 502, true},
		{"another refusal", 400, "invalid_request", 502, true},
		{"the provider fails", 500, "invalid_request", 503, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newOP(t)
			p.life = 1
			a := newApp(t, p, nil)
			a.logIn()
			p.token = refuse(c.status, c.code)
			if got := a.get("/protected", "Sec-Fetch-Mode", "cors"); got.status != c.want {
				t.Errorf("got %d %s", got.status, got.body)
			}
			p.token = nil
			if got := a.get("/protected", "Sec-Fetch-Mode", "cors"); (got.status == 200) != c.kept {
				t.Errorf("afterwards: %d %s", got.status, got.body)
			}
		})
	}
}

// A session ends by its own life, wherever it is kept, also when the browser or the
// store gives it out longer.
func TestASessionEndsByItsLife(t *testing.T) {
	for name, store := range map[string]latchkey.Store{"in the cookie": nil, "in a store": &spyStore{}} {
		t.Run(name, func(t *testing.T) {
			p := newOP(t)
			p.life = 86400
			var ahead time.Duration
			a := newApp(t, p, func(c *latchkey.Config) {
				c.Store, c.SessionLife = store, time.Hour
				c.Now = func() time.Time { return time.Now().Add(ahead) }
			})
			a.logIn()
			for _, step := range []struct {
				ahead time.Duration
				want  int
			}{{59 * time.Minute, 200}, {time.Hour, 401}} {
				ahead = step.ahead
				if got := a.get("/protected", "Sec-Fetch-Mode", "cors"); got.status != step.want {
					t.Errorf("after %v: %d %s", step.ahead, got.status, got.body)
				}
			}
		})
	}
}
