package storetest_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/seal"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/storetest"
)

func ring(t testing.TB) *seal.Ring { return storetest.Ring(t) }

func open(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	o.Seal = ring(t)
	return storetest.Place{Options: o}.Open(t, nil)
}

func onEachEngine(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	storetest.Each(t, test)
}

const realmID = "11111111-1111-4111-8111-111111111111"

// fixture is a realm with a client, a user and what belongs to them.
type fixture struct {
	s    *store.Store
	user *realm.User
	c    *realm.Client
	n    int
}

func fill(t testing.TB, s *store.Store) *fixture {
	t.Helper()
	r := &realm.Realm{ID: realmID, Name: "r", Enabled: true, Attributes: map[string]string{"a": "b"}, Extra: map[string]json.RawMessage{"smtpServer": json.RawMessage(`{"host":"x"}`)}}
	c := &realm.Client{ID: "c1", RealmID: realmID, ClientID: "app", Enabled: true, RedirectURIs: []string{"https://a/1", "https://a/2"}, WebOrigins: []string{"+"}, DefaultScopes: []string{"email"}}
	u := &realm.User{ID: "u1", RealmID: realmID, Username: "alice", Email: "alice@example.com", Enabled: true, FirstName: "Alice", Attributes: map[string][]string{"k": {"1", "2"}},
		CreatedAt: time.UnixMilli(1_800_000_000_000).UTC()}
	err := s.CreateRealm(t.Context(), &store.Aggregate{Realm: r,
		Scopes: []*realm.ClientScope{{ID: "s1", RealmID: realmID, Name: "email", Protocol: "openid-connect"}}, DefaultScopes: []string{"s1"},
		Roles:      []*realm.Role{{ID: "r1", RealmID: realmID, Name: "editor"}, {ID: "r2", RealmID: realmID, Name: "reader"}, {ID: "r3", RealmID: realmID, ClientID: "c1", Name: "own"}},
		Composites: map[string][]string{"r1": {"r2"}},
		Clients:    []store.NewClient{{Client: c, Secret: "a client secret"}},
		Groups:     []*realm.Group{{ID: "g1", RealmID: realmID, Name: "staff"}, {ID: "g2", RealmID: realmID, ParentID: "g1", Name: "night"}}, GroupRoles: map[string][]string{"g1": {"r3"}},
		Users: []store.NewUser{{User: u, RoleIDs: []string{"r1"}, GroupIDs: []string{"g2"}, Credentials: []realm.Credential{{ID: "p1", Type: "password", Data: "{}", Secret: "a password hash"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{s: s}
	f.reload(t)
	return f
}

func (f *fixture) reload(t testing.TB) {
	t.Helper()
	var err1, err2 error
	f.user, err1 = f.s.UserByID(t.Context(), realmID, "u1")
	f.c, err2 = f.s.ClientByID(t.Context(), realmID, "c1")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) gates(session string) store.Gates {
	return store.Gates{RealmID: realmID, UserID: "u1", UserGate: f.user.Gate, ClientID: "c1", ClientGate: f.c.Gate, SessionID: session}
}

// session makes a session that was begun by a grant.
func (f *fixture) session(t testing.TB) string {
	t.Helper()
	f.n++
	id := "session-" + strconv.Itoa(f.n)
	now := time.Now()
	err := f.s.CreateSession(t.Context(), realm.Session{ID: id, RealmID: realmID, UserID: "u1", StartedAt: now, LastSeenAt: now, AuthTime: now},
		realm.ClientSession{SessionID: id, ClientID: "c1", RealmID: realmID, StartedAt: now}, f.gates(""))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// code walks a request to its code.
func (f *fixture) code(t testing.TB) []byte {
	t.Helper()
	f.n++
	id, browser, hash := "request-"+strconv.Itoa(f.n), []byte("browser-"+strconv.Itoa(f.n)), []byte("code-"+strconv.Itoa(f.n))
	now := time.Now()
	ctx := t.Context()
	s := realm.Session{ID: "browser-session-" + strconv.Itoa(f.n), RealmID: realmID, UserID: "u1", TokenHash: []byte(id), StartedAt: now, LastSeenAt: now, AuthTime: now}
	for _, step := range []error{
		f.s.CreateAuthRequest(ctx, &realm.AuthRequest{ID: id, RealmID: realmID, ClientID: "c1", BrowserHash: browser, CreatedAt: now, ExpiresAt: now.Add(time.Minute)}),
		f.s.Authenticate(ctx, store.Authentication{RequestID: id, BrowserHash: browser, NewBrowserHash: browser, Session: s, Gates: store.Gates{RealmID: realmID, UserID: "u1", UserGate: f.user.Gate}}),
		f.s.FinishAuthRequest(ctx, store.Issued{RequestID: id, BrowserHash: browser, Gates: f.gates(s.ID),
			Code: realm.Code{Hash: hash, RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: s.ID, ExpiresAt: now.Add(time.Minute)}}),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	return hash
}

func TestAggregatesReadBack(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		ctx := t.Context()
		r, err := s.RealmByName(ctx, "r")
		if err != nil || r.ID != realmID || string(r.Extra["smtpServer"]) != `{"host":"x"}` || r.Attributes["a"] != "b" {
			t.Errorf("realm %+v, %v", r, err)
		}
		want := &realm.Client{ID: "c1", RealmID: realmID, ClientID: "app", Enabled: true, RedirectURIs: []string{"https://a/1", "https://a/2"}, WebOrigins: []string{"+"},
			DefaultScopes: []string{"email"}, OptionalScopes: []string{}}
		if d := cmp.Diff(want, f.c, cmpopts.IgnoreFields(realm.Client{}, "SecretHash", "Version", "Gate")); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(map[string][]string{"k": {"1", "2"}}, f.user.Attributes); d != "" {
			t.Error(d)
		}
		if secret, err := s.ClientSecret(ctx, realmID, "c1"); err != nil || secret != "a client secret" {
			t.Errorf("secret %q, %v", secret, err)
		}
		direct, viaGroups, err := s.UserRoles(ctx, realmID, "u1")
		if d := cmp.Diff([][]string{{"r1"}, {"r3"}}, [][]string{direct, viaGroups}); err != nil || d != "" {
			t.Errorf("roles: %v %s", err, d)
		}
		groups, err := s.Groups(ctx, realmID)
		if err != nil || groups[0].Path != "/staff/night" {
			t.Errorf("groups: %v, %v", groups[0], err)
		}
	})
}

func TestS120EveryReadIsWithinItsRealm(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		fill(t, s)
		ctx := t.Context()
		other := "22222222-2222-4222-8222-222222222222"
		if err := s.CreateRealm(ctx, &store.Aggregate{Realm: &realm.Realm{ID: other, Name: "other"}}); err != nil {
			t.Fatal(err)
		}
		_, err1 := s.UserByID(ctx, other, "u1")
		_, err2 := s.ClientByID(ctx, other, "c1")
		_, err3 := s.UserByUsername(ctx, other, "alice")
		_, err4 := s.ClientSecret(ctx, other, "c1")
		for i, err := range []error{err1, err2, err3, err4, s.DeleteUser(ctx, other, "u1"), s.DeleteClient(ctx, other, "c1"), s.EndUserSessions(ctx, other, "u1"), s.LogOutUser(ctx, other, "u1")} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%d: %v", i, err)
			}
		}
	})
}

func TestConflictsNameTheirField(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		fill(t, s)
		ctx := t.Context()
		for field, err := range map[string]error{
			"realm":    s.CreateRealm(ctx, &store.Aggregate{Realm: &realm.Realm{ID: "x", Name: "r"}}),
			"clientId": s.CreateClient(ctx, store.NewClient{Client: &realm.Client{ID: "c2", RealmID: realmID, ClientID: "app"}}, nil, nil),
			"username": s.CreateUser(ctx, store.NewUser{User: &realm.User{ID: "u2", RealmID: realmID, Username: "alice"}}),
			"email":    s.CreateUser(ctx, store.NewUser{User: &realm.User{ID: "u3", RealmID: realmID, Username: "alice2", Email: "alice@example.com"}}),
			"role":     s.CreateRole(ctx, &realm.Role{ID: "r9", RealmID: realmID, Name: "editor"}),
		} {
			e, ok := errors.AsType[*store.ConflictError](err)
			if !ok || e.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		if err := s.CreateUser(ctx, store.NewUser{User: &realm.User{ID: "u4", RealmID: realmID, Username: "alice3", Email: "alice@example.com"}, SharesEmail: true}); err != nil {
			t.Errorf("a realm that shares addresses: %v", err)
		}
	})
}

// I1: a code is redeemed at most once.
func TestConsumeCodeIsSingleUse(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		for range 5 {
			hash := f.code(t)
			var mu sync.Mutex
			var won, replayed int
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					c, err := s.ConsumeCode(t.Context(), realmID, hash)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						won++
					case errors.Is(err, store.ErrUsed) && c != nil:
						replayed++
					default:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won != 1 || replayed != 15 {
				t.Errorf("%d won, %d were replays", won, replayed)
			}
		}
		if _, err := s.ConsumeCode(t.Context(), realmID, []byte("nonsense")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an unknown code: %v", err)
		}
	})
}

func TestExpiryIsDecidedWhenRead(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		now := time.Now()
		s := p.Open(t, func(o *store.Options) { o.Now = func() time.Time { return now } })
		f := fill(t, s)
		hash := f.code(t)
		now = now.Add(2 * time.Minute)
		if _, err := s.ConsumeCode(t.Context(), realmID, hash); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an expired code: %v", err)
		}
		if _, err := s.AuthRequest(t.Context(), realmID, "request-1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an expired request: %v", err)
		}
		now = now.Add(2 * time.Hour)
		if n, err := s.Sweep(t.Context()); err != nil || n != 2 {
			t.Errorf("swept %d, %v", n, err)
		}
	})
}

// I5: what was decided on older facts is not handed out.
func TestGatesStopWhatWasDecidedEarlier(t *testing.T) {
	moves := map[string]func(f *fixture, ctx context.Context, session string) error{
		"user disabled": func(f *fixture, ctx context.Context, _ string) error {
			u := *f.user
			u.Enabled = false
			return f.s.UpdateUser(ctx, &u, false)
		},
		"password changed": func(f *fixture, ctx context.Context, _ string) error {
			return f.s.SetPassword(ctx, realmID, "u1", realm.Credential{ID: "p2", Type: "password"})
		},
		"role lost": func(f *fixture, ctx context.Context, _ string) error {
			return f.s.SetUserRoles(ctx, realmID, "u1", nil, []string{"r1"})
		},
		"client changed": func(f *fixture, ctx context.Context, _ string) error { return f.s.UpdateClient(ctx, f.c, nil) },
		"logged out":     func(f *fixture, ctx context.Context, id string) error { return f.s.EndSession(ctx, realmID, id) },
		"user deleted":   func(f *fixture, ctx context.Context, _ string) error { return f.s.DeleteUser(ctx, realmID, "u1") },
	}
	for name, move := range moves {
		t.Run(name, func(t *testing.T) {
			onEachEngine(t, func(t *testing.T, s *store.Store) {
				f := fill(t, s)
				id := f.session(t)
				family := realm.RefreshFamily{ID: "f1", RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: id, ExpiresAt: time.Now().Add(time.Hour)}
				if err := f.s.CreateRefreshFamily(t.Context(), family, f.gates(id)); err != nil {
					t.Fatalf("before: %v", err)
				}
				if err := move(f, t.Context(), id); err != nil {
					t.Fatal(err)
				}
				family.ID = "f2"
				if err := f.s.CreateRefreshFamily(t.Context(), family, f.gates(id)); !errors.Is(err, store.ErrGateMoved) {
					t.Errorf("a new family: %v", err)
				}
				if _, err := f.s.RotateRefresh(t.Context(), realmID, "f1", store.Rotate{ExpiresAt: time.Now().Add(time.Hour)}, f.gates(id)); !errors.Is(err, store.ErrGateMoved) {
					t.Errorf("a refresh: %v", err)
				}
			})
		})
	}
}

// I4: logout is never undone.
func TestLogoutIsNeverUndone(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		for range 20 {
			id := f.session(t)
			if err := s.CreateRefreshFamily(t.Context(), realm.RefreshFamily{ID: "f-" + id, RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: id,
				ExpiresAt: time.Now().Add(time.Hour)}, f.gates(id)); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := s.EndSession(t.Context(), realmID, id); err != nil {
					t.Error(err)
				}
			})
			for range 4 {
				wg.Go(func() {
					_, _ = s.RotateRefresh(t.Context(), realmID, "f-"+id, store.Rotate{ExpiresAt: time.Now().Add(time.Hour)}, f.gates(id))
				})
			}
			wg.Wait()
			got, err := s.Session(t.Context(), realmID, id)
			if err != nil || got.EndedAt.IsZero() {
				t.Fatalf("the session lives again: %+v, %v", got, err)
			}
			if fam, err := s.RefreshFamily(t.Context(), realmID, "f-"+id); err != nil || fam.RevokedAt.IsZero() {
				t.Errorf("its refresh tokens live: %+v, %v", fam, err)
			}
		}
	})
}

// I2: one live generation, no fork.
func TestRotationHasOneSuccessor(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		id := f.session(t)
		if err := s.CreateRefreshFamily(t.Context(), realm.RefreshFamily{ID: "f1", RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: id, ExpiresAt: time.Now().Add(time.Hour)}, f.gates(id)); err != nil {
			t.Fatal(err)
		}
		rotate := func(generation int64, grace time.Duration) (*realm.RefreshFamily, error) {
			return s.RotateRefresh(t.Context(), realmID, "f1", store.Rotate{Generation: generation, Rotation: true, Grace: grace, ExpiresAt: time.Now().Add(time.Hour)}, f.gates(id))
		}
		for _, step := range []struct {
			name  string
			sent  int64
			grace time.Duration
			want  int64
			err   error
		}{
			{"first use", 0, time.Minute, 1, nil},
			{"the answer was lost: the same successor", 0, time.Minute, 1, nil},
			{"the next", 1, time.Minute, 2, nil},
			{"an old one", 0, time.Minute, 0, store.ErrUsed},
			{"after that nothing", 2, time.Minute, 0, store.ErrNotFound},
		} {
			got, err := rotate(step.sent, step.grace)
			if !errors.Is(err, step.err) || (step.err == nil && got.Generation != step.want) {
				t.Fatalf("%s: %+v, %v", step.name, got, err)
			}
		}
		if part, err := s.ClientSession(t.Context(), realmID, id, "c1"); err != nil || part.EndedAt.IsZero() {
			t.Errorf("reuse has to end the client's part of the session: %+v, %v", part, err)
		}
	})
}

// A reuse ends the client's part of the session: a sister family that went on
// would give out access tokens that nothing accepts. Other clients keep theirs.
func TestReuseEndsTheSisterFamiliesToo(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		id := f.session(t)
		for _, name := range []string{"f1", "sister"} {
			if err := s.CreateRefreshFamily(t.Context(), realm.RefreshFamily{ID: name, RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: id,
				ExpiresAt: time.Now().Add(time.Hour)}, f.gates(id)); err != nil {
				t.Fatal(err)
			}
		}
		rotate := store.Rotate{Rotation: true, ExpiresAt: time.Now().Add(time.Hour)}
		if _, err := s.RotateRefresh(t.Context(), realmID, "f1", rotate, f.gates(id)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.RotateRefresh(t.Context(), realmID, "f1", rotate, f.gates(id)); !errors.Is(err, store.ErrUsed) {
			t.Fatalf("the reuse: %v", err)
		}
		if _, err := s.RotateRefresh(t.Context(), realmID, "sister", rotate, f.gates(id)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the sister: %v", err)
		}
		if part, err := s.ClientSession(t.Context(), realmID, id, "c1"); err != nil || part.EndedAt.IsZero() {
			t.Errorf("the client's part: %+v, %v", part, err)
		}
	})
}

func TestRequestsAreBoundToTheirBrowser(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		ctx, now := t.Context(), time.Now()
		create := func(id, browser string, created time.Time) {
			if err := s.CreateAuthRequest(ctx, &realm.AuthRequest{ID: id, RealmID: realmID, ClientID: "c1", BrowserHash: []byte(browser), CreatedAt: created, ExpiresAt: now.Add(time.Minute)}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			create("many-"+strconv.Itoa(i), "b", now.Add(time.Duration(i)*time.Second))
		}
		if _, err := s.AuthRequest(ctx, realmID, "many-3"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the oldest of 20 stays: %v", err)
		}
		login := func(id, browser, next, session string) error {
			return s.Authenticate(ctx, store.Authentication{RequestID: id, BrowserHash: []byte(browser), NewBrowserHash: []byte(next), Gates: store.Gates{RealmID: realmID, UserID: "u1", UserGate: f.user.Gate},
				Session: realm.Session{ID: session, RealmID: realmID, UserID: "u1", TokenHash: []byte(session), StartedAt: now, LastSeenAt: now, AuthTime: now}})
		}
		if err := login("many-19", "another", "x", "s1"); !errors.Is(err, store.ErrUsed) {
			t.Errorf("another browser: %v", err)
		}
		if _, err := s.Session(ctx, realmID, "s1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("half of it was written: %v", err)
		}
		if err := login("many-19", "b", "b2", "s1"); err != nil {
			t.Fatal(err)
		}
		if err := login("many-19", "b2", "b3", "s2"); !errors.Is(err, store.ErrUsed) {
			t.Errorf("twice: %v", err)
		}
		if other, err := s.AuthRequest(ctx, realmID, "many-18"); err != nil || string(other.BrowserHash) != "b2" {
			t.Errorf("the other tab was not bound anew: %v", err)
		}
	})
}

func TestLinksAndOnceWorkOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		fill(t, s)
		ctx, until := t.Context(), time.Now().Add(time.Minute)
		if err := s.CreateLink(ctx, realmID, "setup", []byte("h"), until); err != nil {
			t.Fatal(err)
		}
		for i, c := range []struct {
			purpose string
			want    error
		}{{"other purpose", store.ErrUsed}, {"setup", nil}, {"setup", store.ErrUsed}} {
			if err := s.ConsumeLink(ctx, realmID, c.purpose, []byte("h")); !errors.Is(err, c.want) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if err := errors.Join(s.UseOnce(ctx, realmID, "k", "v", until), s.UseOnce(ctx, realmID, "k2", "v", until)); err != nil {
			t.Fatal(err)
		}
		if err := s.UseOnce(ctx, realmID, "k", "v", until); !errors.Is(err, store.ErrUsed) {
			t.Errorf("twice: %v", err)
		}
		if err := errors.Join(s.RevokeToken(ctx, realmID, "jti", until), s.RevokeToken(ctx, realmID, "jti", until)); err != nil {
			t.Errorf("revoked twice: %v", err)
		}
		if revoked, err := s.TokenRevoked(ctx, realmID, "jti"); err != nil || !revoked {
			t.Errorf("revoked: %v, %v", revoked, err)
		}
	})
}

func TestVersionsStopLostUpdates(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		one, two := *f.c, *f.c
		one.Name, two.Name = "one", "two"
		if err := s.UpdateClient(t.Context(), &one, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.UpdateClient(t.Context(), &two, nil); !errors.Is(err, store.ErrConflict) {
			t.Errorf("the second: %v", err)
		}
		if got, err := s.ClientByClientID(t.Context(), realmID, "app"); err != nil || got.Name != "one" {
			t.Errorf("the cache has %v, %v", got, err)
		}
	})
}

// onEachShared runs a test on the engines whose data two processes can open.
func onEachShared(t *testing.T, test func(t *testing.T, p storetest.Place)) {
	t.Helper()
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		if !p.Shared() {
			t.Skip("one process alone has it")
		}
		test(t, p)
	})
}

// I6: what was acknowledged is there after the process is gone. And a second
// process sees what the first writes within a second.
func TestDataAreSharedAndSurvive(t *testing.T) {
	onEachShared(t, func(t *testing.T, p storetest.Place) {
		first := p.Open(t, nil)
		f := fill(t, first)
		now := time.Now()
		second := p.Open(t, func(o *store.Options) { o.Now = func() time.Time { return now } })
		if got, err := second.ClientByID(t.Context(), realmID, "c1"); err != nil || got.Name != "" {
			t.Fatal(got, err)
		}
		changed := *f.c
		changed.Name = "changed"
		if err := first.UpdateClient(t.Context(), &changed, nil); err != nil {
			t.Fatal(err)
		}
		now = now.Add(2 * time.Second)
		if got, err := second.ClientByID(t.Context(), realmID, "c1"); err != nil || got.Name != "changed" {
			t.Errorf("the other process still has %q, %v", got.Name, err)
		}
	})
}

func TestNothingSecretCanBeReadInTheFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Options{Path: filepath.Join(dir, "latchkey.db")})
	f := fill(t, s)
	keepThirdParty(t, f)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"a client secret", "a password hash", thirdParty} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s holds %q", file, secret)
			}
		}
	}
}

// thirdParty is a credential of another system.
const thirdParty = "what opens another system"

// keepThirdParty writes it everywhere it may stand.
func keepThirdParty(t *testing.T, f *fixture) {
	t.Helper()
	got, err := f.s.RealmByID(t.Context(), realmID)
	if err != nil {
		t.Fatal(err)
	}
	r := *got
	r.Extra = map[string]json.RawMessage{"loginTheme": json.RawMessage(`"plain"`)}
	for _, name := range []string{"smtpServer", "components", "identityProviders", "authenticatorConfig", "userFederationProviders", "organizations", "federatedUsers"} {
		r.Extra[name] = json.RawMessage(`{"x":["` + thirdParty + `"]}`)
	}
	if err := f.s.UpdateRealm(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	f.reload(t)
	c := *f.c
	c.Attributes = map[string]string{"plain": "x", "client.secret.rotated": thirdParty, "saml.signing.private.key": thirdParty, "saml.encryption.private.key": thirdParty}
	if err := f.s.UpdateClient(t.Context(), &c, nil); err != nil {
		t.Fatal(err)
	}
	f.reload(t)
	if got, err = f.s.RealmByID(t.Context(), realmID); err != nil || !cmp.Equal(got.Extra, r.Extra) || !cmp.Equal(f.c.Attributes, c.Attributes) {
		t.Fatalf("what is sealed does not come back: %v %v %v", got.Extra, f.c.Attributes, err)
	}
}

// What an older program has written in clear is sealed once, with the right key only.
func TestWhatStoodInClearIsSealed(t *testing.T) {
	onEachShared(t, func(t *testing.T, p storetest.Place) {
		s := p.Open(t, nil)
		fill(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{
			`UPDATE realms SET doc = '{"Enabled":true,"Extra":{"smtpServer":{"password":"` + thirdParty + `"},"loginTheme":"plain"}}'`,
			`UPDATE clients SET doc = '{"Attributes":{"plain":"x","client.secret.rotated":"` + thirdParty + `"}}'`,
			"ALTER TABLE realms DROP COLUMN sealed", "ALTER TABLE clients DROP COLUMN sealed", "DROP INDEX credentials_realm", "DELETE FROM schema_version WHERE version >= 3",
		} {
			execIn(t, p, statement)
		}
		wrong, err := seal.NewRing([]byte("another sealing key of 32 bytes, made up"))
		if err != nil {
			t.Fatal(err)
		}
		other := p.Options
		other.Seal = wrong
		if _, err := store.Open(t.Context(), other); !errors.Is(err, store.ErrWrongKey) {
			t.Fatalf("with a wrong key: %v", err)
		}
		f := &fixture{s: p.Open(t, nil)}
		f.reload(t)
		r, err := f.s.RealmByID(t.Context(), realmID)
		if err != nil || string(r.Extra["smtpServer"]) != `{"password":"`+thirdParty+`"}` || string(r.Extra["loginTheme"]) != `"plain"` {
			t.Errorf("the realm keeps %v, %v", r, err)
		}
		if want := map[string]string{"plain": "x", "client.secret.rotated": thirdParty}; !cmp.Equal(f.c.Attributes, want) {
			t.Errorf("the client keeps %v", f.c.Attributes)
		}
		for _, table := range []string{"realms", "clients"} {
			if n := countIn(t, p, "SELECT count(*) FROM "+table+" WHERE doc LIKE '%"+thirdParty+"%' OR sealed IS NULL"); n != 0 {
				t.Errorf("%d rows of %s hold it in clear", n, table)
			}
		}
	})
}

func TestANewerDatabaseIsRefusedWithASentence(t *testing.T) {
	onEachShared(t, func(t *testing.T, p storetest.Place) {
		if err := p.Open(t, nil).Close(); err != nil {
			t.Fatal(err)
		}
		execIn(t, p, "INSERT INTO schema_version (version) VALUES (999)")
		if _, err := store.Open(t.Context(), p.Options); !errors.Is(err, store.ErrNewer) {
			t.Errorf("got %v", err)
		}
	})
}

// execIn runs a statement beside the store.
func execIn(t *testing.T, p storetest.Place, statement string) {
	t.Helper()
	in(t, p, func(db *sql.DB) error {
		_, err := db.ExecContext(t.Context(), statement)
		return err
	})
}

func countIn(t *testing.T, p storetest.Place, query string) (n int) {
	t.Helper()
	in(t, p, func(db *sql.DB) error { return db.QueryRowContext(t.Context(), query).Scan(&n) })
	return n
}

func in(t *testing.T, p storetest.Place, do func(*sql.DB) error) {
	t.Helper()
	driver, dsn := "sqlite", p.Options.Path
	if p.Options.Postgres != "" {
		driver, dsn = "pgx", p.Options.Postgres
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := do(db); err != nil {
		t.Fatal(err)
	}
}

func TestUserSearch(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		fill(t, s)
		for _, name := range []string{"bob", "al_ice", "malice"} {
			u := &realm.User{ID: name, RealmID: realmID, Username: name, LastName: "Liddell", Enabled: true, CreatedAt: time.UnixMilli(5000), Attributes: map[string][]string{"team": {"x", "Red"}, name: {"1"}}}
			if err := s.CreateUser(t.Context(), store.NewUser{User: u}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			name string
			f    store.UserFilter
			want []string
		}{
			{"all", store.UserFilter{}, []string{"al_ice", "alice", "bob", "malice"}},
			{"a prefix", store.UserFilter{Search: "ali"}, []string{"alice"}},
			{"anywhere", store.UserFilter{Search: "*alice*"}, []string{"alice", "malice"}},
			{"exact", store.UserFilter{Search: `"alice"`}, []string{"alice"}},
			{"an underscore is no wildcard", store.UserFilter{Username: "l_i"}, []string{"al_ice"}},
			{"a percent sign is no wildcard", store.UserFilter{Search: "%"}, []string{}},
			{"by username, exact", store.UserFilter{Username: "ALICE", Exact: true}, []string{"alice"}},
			{"by last name", store.UserFilter{LastName: "lidd"}, []string{"al_ice", "bob", "malice"}},
			{"a page", store.UserFilter{First: 1, Max: 2}, []string{"alice", "bob"}},
			{"a page before the first", store.UserFilter{First: -1, Max: 1}, []string{"al_ice"}},
			{"by an attribute", store.UserFilter{Attributes: []store.Attribute{{Name: "team", Value: "red"}}}, []string{"al_ice", "bob", "malice"}},
			{"by another value of it", store.UserFilter{Attributes: []store.Attribute{{Name: "team", Value: "x"}}}, []string{"al_ice", "bob", "malice"}},
			{"by two attributes", store.UserFilter{Attributes: []store.Attribute{{Name: "team", Value: "RED"}, {Name: "bob", Value: "1"}}}, []string{"bob"}},
			{"by a part of an attribute", store.UserFilter{Attributes: []store.Attribute{{Name: "team", Value: "re"}}}, []string{}},
			{"by an attribute and a name", store.UserFilter{Username: "bob", Attributes: []store.Attribute{{Name: "malice", Value: "1"}}}, []string{}},
			{"by the day", store.UserFilter{CreatedFrom: time.UnixMilli(5000), CreatedTo: time.UnixMilli(5000)}, []string{"al_ice", "bob", "malice"}},
			{"before", store.UserFilter{CreatedTo: time.UnixMilli(4999), Username: "bob"}, []string{}},
			{"after", store.UserFilter{CreatedFrom: time.UnixMilli(5001), Username: "bob"}, []string{}},
			{"a quote", store.UserFilter{Search: `' OR 1=1 --`}, []string{}},
		} {
			found, err := s.Users(t.Context(), realmID, c.f)
			got := []string{}
			for _, u := range found {
				got = append(got, u.Username)
			}
			if d := cmp.Diff(c.want, got); err != nil || d != "" {
				t.Errorf("%s: %v %s", c.name, err, d)
			}
		}
	})
}

// B10: what was used up stays on record until its time is over. Nothing that
// somebody sends takes an entry away, because no statement does.
func TestB10SingleUseEntriesLeaveByExpiryAlone(t *testing.T) {
	files, err := filepath.Glob("../store/*.go")
	if err != nil {
		t.Fatal(err)
	}
	deletes, n := regexp.MustCompile("DELETE FROM (?:codes|links|used_once) [^\"`]*"), 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range deletes.FindAllString(string(b), -1) {
			n++
			if !strings.Contains(statement, "expires_at <") {
				t.Errorf("%s: %s", file, statement)
			}
		}
	}
	if n < 3 {
		t.Errorf("%d statements found: this test reads nothing", n)
	}
}

// C2: what was rotated away stays so when the process begins anew.
func TestC2ReuseIsKnownAfterARestart(t *testing.T) {
	onEachShared(t, func(t *testing.T, p storetest.Place) {
		s := p.Open(t, nil)
		f := fill(t, s)
		id := f.session(t)
		if err := s.CreateRefreshFamily(t.Context(), realm.RefreshFamily{ID: "f1", RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: id, ExpiresAt: time.Now().Add(time.Hour)}, f.gates(id)); err != nil {
			t.Fatal(err)
		}
		gates := f.gates(id)
		rotate := func(s *store.Store, generation int64) error {
			_, err := s.RotateRefresh(t.Context(), realmID, "f1", store.Rotate{Generation: generation, Rotation: true, ExpiresAt: time.Now().Add(time.Hour)}, gates)
			return err
		}
		if err := errors.Join(rotate(s, 0), rotate(s, 1)); err != nil {
			t.Fatal(err)
		}
		again := p.Open(t, nil) // the first is not closed: a process that was killed closes nothing
		if err := rotate(again, 0); !errors.Is(err, store.ErrUsed) {
			t.Errorf("reuse after a restart: %v", err)
		}
	})
}

// A realm read back whole is what was written, on every engine.
func TestReadRealm(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		in, err := s.RealmByID(t.Context(), realmID)
		if err != nil {
			t.Fatal(err)
		}
		a, err := s.ReadRealm(t.Context(), in.Name)
		if err != nil {
			t.Fatal(err)
		}
		client, err1 := s.ClientByID(t.Context(), realmID, "c1")
		user, err2 := s.UserByID(t.Context(), realmID, "u1")
		credentials, err3 := s.Credentials(t.Context(), realmID, "u1")
		direct, _, err4 := s.UserRoles(t.Context(), realmID, "u1")
		groups, err5 := s.UserGroups(t.Context(), realmID, "u1")
		table, err6 := s.Roles(t.Context(), realmID)
		if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
			t.Fatal(err)
		}
		secret, err := s.ClientSecret(t.Context(), realmID, "c1")
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		var c *store.NewClient
		for i := range a.Clients {
			if a.Clients[i].Client.ID == "c1" {
				c = &a.Clients[i]
			}
		}
		var u *store.NewUser
		for i := range a.Users {
			if a.Users[i].User.ID == "u1" {
				u = &a.Users[i]
			}
		}
		if c == nil || u == nil {
			t.Fatalf("missing: client %v, user %v", c, u)
		}
		if d := cmp.Diff(store.NewClient{Client: client, Secret: secret}, *c, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("client: %s", d)
		}
		less := cmpopts.SortSlices(func(a, b string) bool { return a < b })
		if d := cmp.Diff(store.NewUser{User: user, Credentials: credentials, RoleIDs: direct, GroupIDs: groups}, *u, cmpopts.EquateEmpty(), less); d != "" {
			t.Errorf("user: %s", d)
		}
		if len(a.Roles) != len(table.ByID) || len(u.RoleIDs) == 0 || len(u.Credentials) == 0 || a.Realm.ID != f.user.RealmID {
			t.Errorf("%d roles of %d, user %+v", len(a.Roles), len(table.ByID), u)
		}
		if d := cmp.Diff(table.Composites, a.Composites, cmpopts.EquateEmpty(), less); d != "" {
			t.Errorf("composites: %s", d)
		}
		if _, err := s.ReadRealm(t.Context(), "nowhere"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an unknown realm: %v", err)
		}
	})
}
