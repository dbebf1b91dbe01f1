package storetest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// What a token is made of comes with its user, and is what the single reads say.
func TestAPersonIsReadAtOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		ctx := t.Context()
		bare := &realm.User{ID: "u2", RealmID: realmID, Username: "service-account-app", Enabled: true, ServiceAccountClient: "c1", CreatedAt: f.user.CreatedAt}
		if err := s.CreateUser(ctx, store.NewUser{User: bare}); err != nil {
			t.Fatal(err)
		}
		p, err := s.Person(ctx, realmID, "u1")
		if err != nil {
			t.Fatal(err)
		}
		want := &store.Person{User: f.user, RoleIDs: []string{"r1"}, GroupIDs: []string{"g2"}, ViaGroupIDs: []string{"r3"}, Credentials: []string{"password"}}
		if d := cmp.Diff(want, p); d != "" {
			t.Error(d)
		}
		account, err := s.ServiceAccount(ctx, realmID, "c1")
		if err != nil {
			t.Fatal(err)
		}
		bare.Version, bare.Gate = 1, 1
		if d := cmp.Diff(&store.Person{User: bare}, account); d != "" {
			t.Error(d)
		}
		if err := s.SetUserRoles(ctx, realmID, "u1", []string{"r2"}, nil); err != nil {
			t.Fatal(err)
		}
		if p, err = s.Person(ctx, realmID, "u1"); err != nil || len(p.RoleIDs) != 2 {
			t.Errorf("a second role: %v, %v", p, err)
		}
		for name, find := range map[string]func() (*store.Person, error){
			"nobody":                       func() (*store.Person, error) { return s.Person(ctx, realmID, "u9") },
			"somebody of another realm":    func() (*store.Person, error) { return s.Person(ctx, "other", "u1") },
			"no service account":           func() (*store.Person, error) { return s.ServiceAccount(ctx, realmID, "c9") },
			"a service account, elsewhere": func() (*store.Person, error) { return s.ServiceAccount(ctx, "other", "c1") },
		} {
			if _, err := find(); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestPresenceSaysWhatEnded(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		ctx := t.Context()
		see := func(session, client, jti string) *store.Presence {
			t.Helper()
			p, err := s.Presence(ctx, realmID, session, client, jti)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		id := f.session(t)
		p := see(id, "c1", "jti-1")
		alone, err := s.Session(ctx, realmID, id)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(alone, p.Session); d != "" || p.Part.IsZero() || p.Revoked || p.Person.ID != "u1" || len(p.Person.RoleIDs) != 1 {
			t.Errorf("a session that lives: %+v %s", p, d)
		}
		if !see(id, "c2", "").Part.IsZero() {
			t.Error("another client has a part in it")
		}
		if err := s.RevokeToken(ctx, realmID, "jti-1", time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if !see(id, "c1", "jti-1").Revoked || see(id, "c1", "jti-2").Revoked || see(id, "c1", "").Revoked {
			t.Error("revoked is the token that was revoked, and no other")
		}
		if err := s.EndClientSession(ctx, realmID, id, "c1"); err != nil {
			t.Fatal(err)
		}
		if p := see(id, "c1", ""); !p.Part.IsZero() || !p.Session.EndedAt.IsZero() {
			t.Errorf("the client's part ended, the session lives: %+v", p)
		}
		if err := s.EndSession(ctx, realmID, id); err != nil {
			t.Fatal(err)
		}
		if see(id, "c1", "").Session.EndedAt.IsZero() {
			t.Error("an ended session lives")
		}
		for name, in := range map[string][2]string{"no such session": {realmID, "session-9"}, "another realm": {"other", id}} {
			if _, err := s.Presence(ctx, in[0], in[1], "c1", ""); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A refresh is a sign of life of its session, in its own transaction; within ten
// seconds of the last one nothing is written.
func TestARefreshIsASignOfLife(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		ctx := t.Context()
		for _, c := range []struct {
			name  string
			since time.Duration
			moves bool
		}{{"just now", 3 * time.Second, false}, {"a while ago", 20 * time.Second, true}} {
			id, then := "session-"+c.name, time.Now().Add(-c.since)
			err := errors.Join(
				s.CreateSession(ctx, realm.Session{ID: id, RealmID: realmID, UserID: "u1", StartedAt: then, LastSeenAt: then, AuthTime: then},
					realm.ClientSession{SessionID: id, ClientID: "c1", RealmID: realmID, StartedAt: then}, f.gates("")),
				s.CreateRefreshFamily(ctx, realm.RefreshFamily{ID: "f-" + id, RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: id, ExpiresAt: time.Now().Add(time.Minute)}, f.gates(id)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.RotateRefresh(ctx, realmID, "f-"+id, store.Rotate{ExpiresAt: time.Now().Add(time.Hour)}, f.gates(id)); err != nil {
				t.Fatal(err)
			}
			got, err := s.Session(ctx, realmID, id)
			if err != nil || (time.Since(got.LastSeenAt) < c.since) != c.moves {
				t.Errorf("%s: last seen %v ago, %v", c.name, time.Since(got.LastSeenAt), err)
			}
		}
	})
}

// Who is sent away keeps nothing: later facts, a later version, a not-before of now.
func TestLogOutUserLeavesANotBefore(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		fill(t, s)
		ctx := t.Context()
		before, err := s.UserByID(ctx, realmID, "u1")
		if err == nil {
			err = s.LogOutUser(ctx, realmID, "u1")
		}
		if err != nil {
			t.Fatal(err)
		}
		after, err := s.UserByID(ctx, realmID, "u1")
		if err != nil || after.NotBefore == 0 || after.Gate == before.Gate || after.FirstName != before.FirstName {
			t.Errorf("%+v, %v", after, err)
		}
		if err := s.UpdateUser(ctx, before, false); !errors.Is(err, store.ErrConflict) {
			t.Errorf("what was read before takes the not-before back: %v", err)
		}
	})
}
