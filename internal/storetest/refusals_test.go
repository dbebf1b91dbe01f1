package storetest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A one-time link works for its realm, its purpose and its time, and once.
func TestALinkWorksWhereItWasMade(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		fill(t, s)
		ctx, now := t.Context(), time.Now()
		for name, until := range map[string]time.Time{"good": now.Add(time.Minute), "used": now.Add(time.Minute), "over": now.Add(-time.Second)} {
			if err := s.CreateLink(ctx, realmID, "setup", []byte(name), until); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.ConsumeLink(ctx, realmID, "setup", []byte("used")); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name, realm, purpose, hash string
			want                       bool
		}{
			{"of another realm", "other", "setup", "good", false},
			{"for another purpose", realmID, "reset", "good", false},
			{"nobody's", realmID, "setup", "x", false},
			{"used", realmID, "setup", "used", false},
			{"expired", realmID, "setup", "over", false},
			{"good", realmID, "setup", "good", true},
		} {
			if works, err := s.LinkWorks(ctx, c.realm, c.purpose, []byte(c.hash)); err != nil || works != c.want {
				t.Errorf("%s works: %v, %v", c.name, works, err)
			}
			if err := s.ConsumeLink(ctx, c.realm, c.purpose, []byte(c.hash)); (err == nil) != c.want || err != nil && !errors.Is(err, store.ErrUsed) {
				t.Errorf("%s is used up: %v", c.name, err)
			}
		}
	})
}

func TestARevokedTokenIsOneRealmsAndOneKind(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		ctx, until, id := t.Context(), time.Now().Add(time.Minute), f.session(t)
		if err := s.CreateRealm(ctx, &store.Aggregate{Realm: &realm.Realm{ID: "other", Name: "other", Enabled: true}}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.RevokeToken(ctx, realmID, "revoked", until), s.RevokeToken(ctx, "other", "elsewhere", until), s.UseOnce(ctx, realmID, "assertion", "used", until)); err != nil {
			t.Fatal(err)
		}
		for jti, want := range map[string]bool{"revoked": true, "elsewhere": false, "used": false, "x": false} {
			if got, err := s.TokenRevoked(ctx, realmID, jti); err != nil || got != want {
				t.Errorf("%s: %v, %v", jti, got, err)
			}
			if p, err := s.Presence(ctx, realmID, id, "c1", jti); err != nil || p.Revoked != want {
				t.Errorf("%s, with the session: %+v, %v", jti, p, err)
			}
		}
	})
}

// What is handed out is written for those that it was decided for.
func TestGatesNameWhoTheyAreOf(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		ctx, now, id := t.Context(), time.Now(), f.session(t)
		for name, change := range map[string]func(*store.Gates){
			"another realm": func(g *store.Gates) { g.RealmID = "other" }, "another user": func(g *store.Gates) { g.UserID = "u2" }, "no user": func(g *store.Gates) { g.UserID = "" },
			"another client": func(g *store.Gates) { g.ClientID = "c2" }, "another session": func(g *store.Gates) { g.SessionID = "s2" },
			"an older user": func(g *store.Gates) { g.UserGate-- }, "an older client": func(g *store.Gates) { g.ClientGate-- },
		} {
			g := f.gates(id)
			change(&g)
			err := s.CreateSession(ctx, realm.Session{ID: "late", RealmID: realmID, UserID: "u1", StartedAt: now, LastSeenAt: now, AuthTime: now}, realm.ClientSession{SessionID: "late", ClientID: "c1", RealmID: realmID, StartedAt: now}, g)
			if !errors.Is(err, store.ErrGateMoved) {
				t.Errorf("%s: %v", name, err)
			}
		}
		family := realm.RefreshFamily{ID: "f2", RealmID: realmID, ClientID: "c2", UserID: "u1", SessionID: id, ExpiresAt: now.Add(time.Hour)}
		g := f.gates(id)
		g.ClientID = "" // the client has no part in this session
		if err := s.CreateRefreshFamily(ctx, family, g); !errors.Is(err, store.ErrGateMoved) {
			t.Errorf("a client without a part: %v", err)
		}
	})
}

// A reuse ends the client's part of its session, and nothing beside it. An expired
// family gives nothing.
func TestReuseEndsNothingBeside(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		ctx, now, in, beside := t.Context(), time.Now(), f.session(t), f.session(t)
		rotate := store.Rotate{Rotation: true, ExpiresAt: now.Add(time.Hour)}
		for _, n := range []realm.RefreshFamily{{ID: "stolen", SessionID: in}, {ID: "offline", SessionID: in, Offline: true}, {ID: "beside", SessionID: beside}, {ID: "over", SessionID: beside, ExpiresAt: now.Add(-time.Second)}} {
			n.RealmID, n.ClientID, n.UserID = realmID, "c1", "u1"
			if n.ExpiresAt.IsZero() {
				n.ExpiresAt = now.Add(time.Hour)
			}
			if err := s.CreateRefreshFamily(ctx, n, f.gates(n.SessionID)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.RotateRefresh(ctx, realmID, "over", rotate, f.gates(beside)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an expired family: %v", err)
		}
		if _, err := s.RotateRefresh(ctx, "other", "stolen", rotate, f.gates(in)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("of another realm: %v", err)
		}
		for _, want := range []error{nil, store.ErrUsed} {
			if _, err := s.RotateRefresh(ctx, realmID, "stolen", rotate, f.gates(in)); !errors.Is(err, want) {
				t.Fatalf("got %v, want %v", err, want)
			}
		}
		for name, ended := range map[string]bool{"stolen": true, "offline": false, "beside": false} {
			if n, err := s.RefreshFamily(ctx, realmID, name); err != nil || n.RevokedAt.IsZero() == ended {
				t.Errorf("%s: %+v, %v", name, n, err)
			}
		}
		if n, err := s.RefreshFamily(ctx, "other", "beside"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("in another realm: %+v, %v", n, err)
		}
		if _, err := s.RotateRefresh(ctx, realmID, "beside", rotate, f.gates(beside)); err != nil {
			t.Errorf("the other session's: %v", err)
		}
	})
}

// A refresh is a sign of life of its own session alone.
func TestARefreshIsNoSignOfLifeOfOthers(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		ctx, now := t.Context(), time.Now()
		hour := now.Add(-time.Hour)
		for _, id := range []string{"used", "idle"} {
			if err := s.CreateSession(ctx, realm.Session{ID: id, RealmID: realmID, UserID: "u1", StartedAt: hour, LastSeenAt: hour, AuthTime: hour},
				realm.ClientSession{SessionID: id, ClientID: "c1", RealmID: realmID, StartedAt: hour}, f.gates("")); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.CreateRefreshFamily(ctx, realm.RefreshFamily{ID: "f1", RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: "used", ExpiresAt: now.Add(time.Hour)}, f.gates("used")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.RotateRefresh(ctx, realmID, "f1", store.Rotate{ExpiresAt: now.Add(time.Hour)}, f.gates("used")); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]bool{"used": true, "idle": false} {
			if n, err := s.Session(ctx, realmID, id); err != nil || n.LastSeenAt.After(hour.Add(time.Minute)) != want {
				t.Errorf("%s: last seen %v, %v", id, n.LastSeenAt, err)
			}
		}
	})
}

// A login binds the tabs of its own browser anew, and its own request can be taken
// back to its start only while nothing is decided.
func TestRequestsOfOtherBrowsersStayTheirs(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		ctx, now := t.Context(), time.Now()
		for id, browser := range map[string]string{"mine": "b", "tab": "b", "theirs": "c"} {
			if err := s.CreateAuthRequest(ctx, &realm.AuthRequest{ID: id, RealmID: realmID, ClientID: "c1", BrowserHash: []byte(browser), CreatedAt: now, ExpiresAt: now.Add(time.Minute)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Authenticate(ctx, store.Authentication{RequestID: "mine", BrowserHash: []byte("b"), NewBrowserHash: []byte("b2"), Gates: store.Gates{RealmID: realmID, UserID: "u1", UserGate: f.user.Gate},
			Session: realm.Session{ID: "s1", RealmID: realmID, UserID: "u1", TokenHash: []byte("s1"), Methods: []string{"pwd", "x"}, StartedAt: now, LastSeenAt: now, AuthTime: now}}); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]string{"mine": "b2", "tab": "b2", "theirs": "c"} {
			if r, err := s.AuthRequest(ctx, realmID, id); err != nil || string(r.BrowserHash) != want || !r.ExpiresAt.Equal(time.UnixMilli(now.Add(time.Minute).UnixMilli())) {
				t.Errorf("%s: %+v, %v", id, r, err)
			}
		}
		if n, err := s.Session(ctx, realmID, "s1"); err != nil || strings.Join(n.Methods, " ") != "pwd x" {
			t.Errorf("the session: %+v, %v", n, err)
		}
		for _, c := range []struct {
			id, browser string
			want        error
		}{{"theirs", "b2", store.ErrUsed}, {"mine", "b2", store.ErrUsed}, {"nobody's", "b2", store.ErrUsed}, {"tab", "b", store.ErrUsed}, {"tab", "b2", nil}} {
			if err := s.ReopenAuthRequest(ctx, realmID, c.id, []byte(c.browser)); !errors.Is(err, c.want) {
				t.Errorf("%s taken back in %s: %v", c.id, c.browser, err)
			}
			if err := s.ReopenAuthRequest(ctx, "other", c.id, []byte(c.browser)); !errors.Is(err, store.ErrUsed) {
				t.Errorf("%s taken back in another realm: %v", c.id, err)
			}
		}
	})
}

// What is counted of an account is its realm's, and a right password forgets it alone.
func TestFailuresAreOneAccounts(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		fill(t, s)
		ctx, rules := t.Context(), realm.BruteForce{Protected: true, FailureFactor: 30, MaxDeltaTime: 3600}
		for _, user := range []string{"u1", "u1", "u2"} {
			if _, err := s.CountLoginAttempt(ctx, realmID, user, "192.0.2.1", rules); err != nil {
				t.Fatal(err)
			}
		}
		want := func(when, in, user string, n int) {
			t.Helper()
			if f, err := s.FailedLogins(ctx, in, user); err != nil || f.Count != n || n > 0 && f.LastIP != "192.0.2.1" {
				t.Errorf("%s: %+v, %v", when, f, err)
			}
		}
		want("two", realmID, "u1", 2)
		want("in another realm", "other", "u1", 0)
		if err := s.ClearFailedLogins(ctx, "other", "u1"); err != nil {
			t.Fatal(err)
		}
		want("cleared elsewhere", realmID, "u1", 2)
		if err := s.ClearFailedLogins(ctx, realmID, "u1"); err != nil {
			t.Fatal(err)
		}
		want("cleared", realmID, "u1", 0)
		want("another account", realmID, "u2", 1)
	})
}

// The part that a refresh token belongs to is its own client's in its own session,
// while it lives: an access token of another life of it is worth nothing.
func TestAFamilyKnowsItsPart(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		ctx, now := t.Context(), time.Now()
		began := map[string]time.Time{"first": now.Add(-time.Hour), "second": now.Add(-time.Minute)}
		for id, at := range began {
			if err := s.CreateSession(ctx, realm.Session{ID: id, RealmID: realmID, UserID: "u1", StartedAt: at, LastSeenAt: now, AuthTime: at},
				realm.ClientSession{SessionID: id, ClientID: "c1", RealmID: realmID, StartedAt: at}, f.gates("")); err != nil {
				t.Fatal(err)
			}
			if err := s.CreateRefreshFamily(ctx, realm.RefreshFamily{ID: id, RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: id, ExpiresAt: now.Add(time.Hour)}, f.gates(id)); err != nil {
				t.Fatal(err)
			}
		}
		want := func(id string, part int64) {
			t.Helper()
			n, err := s.RefreshFamily(ctx, realmID, id)
			if err != nil || part == 0 && !n.Part.IsZero() || part != 0 && n.Part.UnixMilli() != part {
				t.Errorf("%s: %+v, %v", id, n, err)
			}
		}
		want("first", began["first"].UnixMilli())
		want("second", began["second"].UnixMilli())
		if err := s.EndClientSession(ctx, realmID, "first", "c1"); err != nil {
			t.Fatal(err)
		}
		want("first", 0)
		want("second", began["second"].UnixMilli())
	})
}
