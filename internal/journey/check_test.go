package journey_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/storetest"
)

// house is a realm with one user and a pool of one hasher.
func house(t *testing.T) (*journey.Journey, *realm.Realm) {
	t.Helper()
	pool, err := password.NewPool(1, password.Cost{MemoryKiB: 64, Time: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	h, err := pool.Hash(t.Context(), "right")
	if err != nil {
		t.Fatal(err)
	}
	s := storetest.At(t, "memory").Open(t, nil)
	in := &realm.Realm{ID: "r1", Name: "r", Enabled: true, Lifespans: realm.Lifespans{SSOSessionIdle: 1800, SSOSessionMax: 36000}, BruteForce: realm.BruteForce{Protected: true, FailureFactor: 3, WaitIncrement: 600, MaxFailureWait: 900, MaxDeltaTime: 3600}}
	err = s.CreateRealm(t.Context(), &store.Aggregate{Realm: in, Clients: []store.NewClient{{Client: &realm.Client{ID: "c1", RealmID: "r1", ClientID: "app"}}},
		Users: []store.NewUser{{User: &realm.User{ID: "u1", RealmID: "r1", Username: "alice", Email: "alice@example.com", FirstName: "A", LastName: "B", Enabled: true},
			Credentials: []realm.Credential{{ID: "p1", UserID: "u1", Type: "password", Data: h.Data, Secret: h.Secret}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return &journey.Journey{Store: s, Passwords: pool, Now: time.Now}, in
}

// occupy keeps the pool's only hasher busy for longer than a login waits.
func occupy(t *testing.T, p *password.Pool) {
	t.Helper()
	slow := password.Hash{Data: `{"hashIterations":10000000,"algorithm":"pbkdf2-sha512"}`, Secret: `{"value":"` + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" + `","salt":"AAAA"}`}
	at := make(chan struct{})
	go func() {
		close(at)
		_, _, _ = p.Verify(context.Background(), "x", slow)
	}()
	<-at
	for { // until it has begun
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := p.VerifyNobody(ctx, "x")
		stop()
		if err != nil {
			return
		}
	}
}

// A try whose password was never looked at counts for nothing: a flood locks nobody
// out. It is the same whether the hashers are busy or the visitor hung up.
func TestAFloodLocksNobodyOut(t *testing.T) {
	for _, c := range []struct {
		name string
		wait time.Duration // before the visitor hangs up
		want error
	}{{"hung up", 50 * time.Millisecond, context.DeadlineExceeded}, {"busy", time.Minute, password.ErrBusy}} {
		t.Run(c.name, func(t *testing.T) {
			j, in := house(t)
			occupy(t, j.Passwords)
			ctx, stop := context.WithTimeout(t.Context(), c.wait)
			defer stop()
			var wg sync.WaitGroup
			for range 10 {
				for _, name := range []string{"alice", "nobody"} {
					wg.Go(func() {
						_, err := j.Check(ctx, in, name, "wrong")
						if !errors.Is(err, c.want) || (c.want == password.ErrBusy && oauth.ReasonOf(err) != oauth.HashingBusy) {
							t.Errorf("%s: %v", name, err)
						}
					})
				}
			}
			wg.Wait()
			if f, err := j.Store.FailedLogins(t.Context(), in.ID, "u1"); err != nil || f.Count != 0 || f.Lockouts != 0 || !f.LockedUntil.IsZero() {
				t.Errorf("%+v, %v", f, err)
			}
		})
	}
}

// What was looked at stays counted, and locks.
func TestWrongPasswordsLock(t *testing.T) {
	j, in := house(t)
	for range 3 {
		if _, err := j.Check(t.Context(), in, "alice", "wrong"); oauth.ReasonOf(err) != oauth.WrongCredentials {
			t.Fatal(err)
		}
	}
	if _, err := j.Check(t.Context(), in, "alice", "right"); oauth.ReasonOf(err) != oauth.AccountLocked {
		t.Errorf("the limit is passed: %v", err)
	}
}

// A hash that nobody can verify, from a file, tells nothing: not of the one who has
// it, and not of nobody, whom it may stand in for.
func TestAHashOfAnUnknownKindTellsNothing(t *testing.T) {
	for name, c := range map[string]realm.Credential{
		"unknown":    {Data: `{"hashIterations":5,"algorithm":"bcrypt"}`, Secret: `{"value":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","salt":"AAAA"}`},
		"no JSON":    {Data: "bcrypt", Secret: "x"},
		"out of use": {Data: `{"hashIterations":0,"algorithm":"argon2"}`, Secret: `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			j, in := house(t)
			c.ID, c.UserID, c.Type = "p1", "u1", "password"
			if err := j.Store.SetPassword(t.Context(), in.ID, "u1", c); err != nil {
				t.Fatal(err)
			}
			for _, username := range []string{"alice", "nobody"} {
				if u, err := j.Check(t.Context(), in, username, "right"); u != nil || oauth.ReasonOf(err) != oauth.WrongCredentials {
					t.Errorf("%s: %v, %v", username, u, err)
				}
			}
		})
	}
}

// Whoever stands in for nobody opens nothing, with the right password either.
func TestNobodyLogsInAsWhoeverStandsInForThem(t *testing.T) {
	j, in := house(t)
	for _, username := range []string{"nobody", "u1", "p1", "", " ", "alice2"} {
		if u, err := j.Check(t.Context(), in, username, "right"); u != nil || oauth.ReasonOf(err) != oauth.WrongCredentials {
			t.Errorf("%q: %v, %v", username, u, err)
		}
	}
	if u, err := j.Check(t.Context(), in, " ALICE ", "right"); err != nil || u.ID != "u1" {
		t.Errorf("alice herself: %v, %v", u, err)
	}
}

// A session that ends between being read and being used is none: prompt=none gets
// its error (OpenID Connect Core 1.0, 3.1.2.1: "MUST NOT display any authentication
// ... user interface pages"), anybody else the login page.
func TestSingleSignOnBesideALogout(t *testing.T) {
	for _, c := range []struct {
		name, prompt, want string
		sentTwice          bool
		life               time.Duration
	}{
		{"without a page", "none", string(oauth.LoginRequired), false, time.Minute},
		{"with a page", "", "page", false, time.Minute},
		{"the session lives, the other of two requests was first", "", string(oauth.AuthenticationExpired), true, time.Minute},
		{"the login expired since it was read", "", string(oauth.RequestUnknown), true, time.Nanosecond},
	} {
		j, in := house(t)
		ctx, now, got := t.Context(), time.Now(), ""
		j.Audit = &audit.Log{Logger: slog.New(slog.DiscardHandler), Now: time.Now}
		j.Show = func(http.ResponseWriter, *http.Request, *journey.Visit, journey.Prompt) error {
			got = "page"
			return nil
		}
		j.Respond = func(_ http.ResponseWriter, _ *http.Request, _ *journey.Visit, o journey.Outcome) error {
			got = string(oauth.ReasonOf(o.Err))
			return nil
		}
		u, err := j.Store.UserByID(ctx, in.ID, "u1")
		if err != nil {
			t.Fatal(err)
		}
		v := &journey.Visit{Realm: in, User: u, Browser: session.NewValue(), Client: &realm.Client{ID: "c1", ClientID: "app", RealmID: in.ID, Enabled: true, StandardFlow: true},
			Session: &realm.Session{ID: "s1", RealmID: in.ID, UserID: u.ID, TokenHash: []byte("t"), StartedAt: now, LastSeenAt: now, AuthTime: now}}
		v.Request = &realm.AuthRequest{ID: "a1", RealmID: in.ID, ClientID: "c1", State: realm.RequestOpen, BrowserHash: v.Browser.Hash, CreatedAt: now, ExpiresAt: now.Add(c.life),
			Params: realm.AuthParams{Prompt: c.prompt, Scope: "openid"}}
		if err := j.Store.CreateAuthRequest(ctx, v.Request); err != nil {
			t.Fatal(err)
		}
		if c.sentTwice {
			err := errors.Join(j.Store.CreateSession(ctx, *v.Session, realm.ClientSession{SessionID: "s1", ClientID: "c1", RealmID: in.ID, StartedAt: now}, store.Gates{RealmID: in.ID, UserID: u.ID, UserGate: u.Gate}),
				j.Store.DenyAuthRequest(ctx, in.ID, v.Request.ID, v.Browser.Hash))
			if err != nil {
				t.Fatal(err)
			}
		}
		err = j.Resume(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil), v)
		if _, refused := errors.AsType[*oauth.Error](err); refused {
			got, err = string(oauth.ReasonOf(err)), nil
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}
