package storetest_test

import (
	"errors"
	"testing"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Who stands in for nobody: one of the realm, the same for the same text, and no
// credential that is no password.
func TestSomePassword(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		fill(t, s) // p1
		other := &realm.Realm{ID: "other", Name: "other", Enabled: true}
		if err := s.CreateRealm(t.Context(), &store.Aggregate{Realm: other, Users: []store.NewUser{
			{User: &realm.User{ID: "o1", RealmID: other.ID, Username: "olga"}, Credentials: []realm.Credential{{ID: "p2", Type: "otp", Data: "{}"}}}}}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"k5", "z9"} {
			u := &realm.User{ID: "u" + id, RealmID: realmID, Username: "somebody-" + id}
			if err := s.CreateUser(t.Context(), store.NewUser{User: u, Credentials: []realm.Credential{{ID: id, Type: "password", Data: id, Secret: "secret of " + id}, {ID: "t" + id, Type: "otp", Data: "{}"}}}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct{ name, realm, at, want string }{
			{"before all", realmID, "", "k5"}, {"one exactly", realmID, "p1", "p1"}, {"between", realmID, "l", "p1"}, {"no one-time password", realmID, "tk", "z9"},
			{"behind all: the first", realmID, "zz", "k5"}, {"another realm's user has none", other.ID, "", ""}, {"no such realm", "nowhere", "", ""},
		} {
			got, err := s.SomePassword(t.Context(), c.realm, c.at)
			switch {
			case c.want == "":
				if !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: %+v, %v", c.name, got, err)
				}
			case err != nil || got.ID != c.want || got.Type != "password" || c.want != "p1" && got.Secret != "secret of "+c.want:
				t.Errorf("%s: %+v, %v", c.name, got, err)
			}
		}
	})
}

// A password and what it demands are one change: with a user who was changed
// meanwhile neither is written.
func TestAPasswordAndItsDemandAreOneChange(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		stale := *f.user
		now := *f.user
		now.LastName = "Hargreaves"
		if err := s.UpdateUser(t.Context(), &now, false); err != nil {
			t.Fatal(err)
		}
		temporary := &realm.Credential{ID: "p2", Type: "password", Data: "{}", Secret: "a temporary one"}
		stale.RequiredActions = []string{realm.UpdatePassword}
		if err := s.UpdateUserAndPassword(t.Context(), &stale, temporary, false); !errors.Is(err, store.ErrConflict) {
			t.Errorf("an old version: %v", err)
		}
		wantPassword(t, s, "p1", 0)
		f.reload(t)
		fresh := *f.user
		fresh.RequiredActions = []string{realm.UpdatePassword}
		if err := s.UpdateUserAndPassword(t.Context(), &fresh, temporary, false); err != nil {
			t.Fatal(err)
		}
		wantPassword(t, s, "p2", 1)
	})
}

func wantPassword(t *testing.T, s *store.Store, id string, demands int) {
	t.Helper()
	u, err := s.UserByID(t.Context(), realmID, "u1")
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Credentials(t.Context(), realmID, "u1")
	if err != nil || len(all) != 1 || all[0].ID != id || len(u.RequiredActions) != demands {
		t.Errorf("want %s and %d demands: %+v, %v, %v", id, demands, all, u.RequiredActions, err)
	}
}
