package storetest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// crowded adds to the fixture what a right can come through, and a bystander:
// alice is in g2 below g1; r1 contains r2; r4 contains r2 and is given by g1.
func crowded(t testing.TB, s *store.Store) {
	t.Helper()
	fill(t, s)
	ctx := t.Context()
	if err := errors.Join(
		s.CreateRole(ctx, &realm.Role{ID: "r4", RealmID: realmID, Name: "outer"}, "r2"),
		s.SetGroupRoles(ctx, realmID, "g1", []string{"r4"}, nil),
		s.CreateRole(ctx, &realm.Role{ID: "r5", RealmID: realmID, Name: "unheld"}),
		s.CreateGroup(ctx, &realm.Group{ID: "g3", RealmID: realmID, Name: "elsewhere"}),
		s.CreateUser(ctx, store.NewUser{User: &realm.User{ID: "u2", RealmID: realmID, Username: "bob"}, RoleIDs: []string{"r5"}, GroupIDs: []string{"g3"}}),
		s.CreateClientScope(ctx, &realm.ClientScope{ID: "s2", RealmID: realmID, Name: "spare", Protocol: "openid-connect"}),
		s.CreateClient(ctx, store.NewClient{Client: &realm.Client{ID: "c2", RealmID: realmID, ClientID: "other"}}, nil, nil),
	); err != nil {
		t.Fatal(err)
	}
}

// Whoever loses a right has the gate raised by the write that takes it, in every
// way that a right can come; nobody else has, and a gain raises none.
func TestLostRightsRaiseGates(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(ctx context.Context, s *store.Store) error
		want bool
	}{
		{"leaving a group", func(ctx context.Context, s *store.Store) error { return s.LeaveGroup(ctx, realmID, "u1", "g2") }, true},
		{"leaving a group that one is not in", func(ctx context.Context, s *store.Store) error { return s.LeaveGroup(ctx, realmID, "u1", "g3") }, false},
		{"joining a group", func(ctx context.Context, s *store.Store) error { return s.JoinGroup(ctx, realmID, "u1", "g3") }, false},
		{"a role of the group above", func(ctx context.Context, s *store.Store) error {
			return s.SetGroupRoles(ctx, realmID, "g1", nil, []string{"r3"})
		}, true},
		{"another role for the group above", func(ctx context.Context, s *store.Store) error {
			return s.SetGroupRoles(ctx, realmID, "g1", []string{"r5"}, nil)
		}, false},
		{"the group above deleted", func(ctx context.Context, s *store.Store) error { return s.DeleteGroup(ctx, realmID, "g1") }, true},
		{"another group deleted", func(ctx context.Context, s *store.Store) error { return s.DeleteGroup(ctx, realmID, "g3") }, false},
		{"the group moved away", func(ctx context.Context, s *store.Store) error { return s.MoveGroup(ctx, realmID, "g2", "") }, true},
		{"a role taken out of one's role", func(ctx context.Context, s *store.Store) error {
			return s.SetComposites(ctx, realmID, "r1", nil, []string{"r2"})
		}, true},
		{"a role taken out of the group's role", func(ctx context.Context, s *store.Store) error {
			return s.SetComposites(ctx, realmID, "r4", nil, []string{"r2"})
		}, true},
		{"a role put into one's role", func(ctx context.Context, s *store.Store) error {
			return s.SetComposites(ctx, realmID, "r1", []string{"r5"}, nil)
		}, false},
		{"a role deleted that comes by a composite", func(ctx context.Context, s *store.Store) error { return s.DeleteRole(ctx, realmID, "r2") }, true},
		{"a role deleted that comes by the group above", func(ctx context.Context, s *store.Store) error { return s.DeleteRole(ctx, realmID, "r4") }, true},
		{"a client deleted with a role of the group above", func(ctx context.Context, s *store.Store) error { return s.DeleteClient(ctx, realmID, "c1") }, true},
		{"a client deleted without roles", func(ctx context.Context, s *store.Store) error { return s.DeleteClient(ctx, realmID, "c2") }, false},
		{"a credential deleted", func(ctx context.Context, s *store.Store) error { return s.DeleteCredential(ctx, realmID, "u1", "p1") }, true},
		{"a credential named", func(ctx context.Context, s *store.Store) error {
			return s.LabelCredential(ctx, realmID, "u1", "p1", "mine")
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEachEngine(t, func(t *testing.T, s *store.Store) {
				crowded(t, s)
				before, bystander := gate(t, s, "u1"), gate(t, s, "u2")
				if err := c.do(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				if raised := gate(t, s, "u1") > before; raised != c.want {
					t.Errorf("raised: %v, want %v", raised, c.want)
				}
				if c.name != "another group deleted" && gate(t, s, "u2") != bystander {
					t.Error("somebody else's gate moved")
				}
			})
		})
	}
}

func gate(t testing.TB, s *store.Store, id string) int64 {
	t.Helper()
	u, err := s.UserByID(t.Context(), realmID, id)
	if err != nil {
		t.Fatal(err)
	}
	return u.Gate
}

// What a client may carry narrows: nothing decided on the wider facts is issued.
func TestNarrowedClientsHaveTheirGateRaised(t *testing.T) {
	for name, do := range map[string]func(ctx context.Context, s *store.Store) error{
		"a scope taken": func(ctx context.Context, s *store.Store) error {
			return s.SetClientScope(ctx, realmID, "c1", "s1", false, false)
		},
		"a scope deleted": func(ctx context.Context, s *store.Store) error { return s.DeleteClientScope(ctx, realmID, "s1") },
		"a scope changed": func(ctx context.Context, s *store.Store) error {
			return s.UpdateClientScope(ctx, &realm.ClientScope{ID: "s1", RealmID: realmID, Name: "email", Protocol: "openid-connect", Version: 1})
		},
		"a role taken from the client": func(ctx context.Context, s *store.Store) error {
			return s.SetScopeRoles(ctx, realmID, "c1", nil, []string{"r1"})
		},
		"a role taken from its scope": func(ctx context.Context, s *store.Store) error {
			return s.SetScopeRoles(ctx, realmID, "s1", nil, []string{"r1"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEachEngine(t, func(t *testing.T, s *store.Store) {
				crowded(t, s)
				read := func(id string) int64 {
					c, err := s.ClientByID(t.Context(), realmID, id)
					if err != nil {
						t.Fatal(err)
					}
					return c.Gate
				}
				before, bystander := read("c1"), read("c2")
				if err := do(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				if read("c1") <= before || read("c2") != bystander {
					t.Errorf("gates %d after %d, another's %d after %d", read("c1"), before, read("c2"), bystander)
				}
			})
		})
	}
}

// S-120: in the name of another realm nothing of this one is changed.
func TestS120EveryAdminWriteIsWithinItsRealm(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		crowded(t, s)
		ctx, other := t.Context(), "22222222-2222-4222-8222-222222222222"
		if err := s.CreateRealm(ctx, &store.Aggregate{Realm: &realm.Realm{ID: other, Name: "other"},
			Roles: []*realm.Role{{ID: "o1", RealmID: other, Name: "theirs"}}, Groups: []*realm.Group{{ID: "o2", RealmID: other, Name: "theirs"}}}); err != nil {
			t.Fatal(err)
		}
		before := everything(t, s)
		for name, err := range map[string]error{
			"delete group": s.DeleteGroup(ctx, other, "g1"), "move group": s.MoveGroup(ctx, other, "g2", ""), "join": s.JoinGroup(ctx, other, "u1", "o2"),
			"leave": s.LeaveGroup(ctx, other, "u1", "g2"), "default group": s.SetDefaultGroup(ctx, other, "g1", true), "delete role": s.DeleteRole(ctx, other, "r1"),
			"delete scope": s.DeleteClientScope(ctx, other, "s1"), "label": s.LabelCredential(ctx, other, "u1", "p1", "x"),
			"delete credential": s.DeleteCredential(ctx, other, "u1", "p1"), "move credential": s.MoveCredential(ctx, other, "u1", "p1", ""),
			"a parent of another realm": s.CreateGroup(ctx, &realm.Group{ID: "o3", RealmID: other, ParentID: "g1", Name: "x"}),
		} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// These change what is there in their own realm, which is nothing.
		if err := errors.Join(
			s.SetGroupRoles(ctx, other, "g1", []string{"o1"}, []string{"r3"}), s.SetGroupRoles(ctx, realmID, "g1", []string{"o1"}, nil),
			s.SetComposites(ctx, other, "r1", []string{"o1"}, []string{"r2"}), s.SetComposites(ctx, realmID, "r1", []string{"o1"}, nil),
			s.SetScopeRoles(ctx, realmID, "c1", []string{"o1"}, nil), s.SetClientScope(ctx, other, "c1", "s1", false, false), s.SetRealmScope(ctx, other, "s1", true, true),
		); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(before, everything(t, s)); d != "" {
			t.Error(d)
		}
	})
}

// everything is what the writes above would change.
func everything(t testing.TB, s *store.Store) map[string]any {
	t.Helper()
	ctx := t.Context()
	table, err1 := s.Roles(ctx, realmID)
	groupRoles, err2 := s.GroupRoles(ctx, realmID)
	members, err3 := s.GroupMembers(ctx, realmID, "g2", 0, -1)
	client, err4 := s.ClientByID(ctx, realmID, "c1")
	scopes, err5 := s.ScopeRoles(ctx, realmID, "c1")
	defaults, optionals, err6 := s.DefaultClientScopes(ctx, realmID)
	credentials, err7 := s.Credentials(ctx, realmID, "u1")
	groups, err8 := s.Groups(ctx, realmID)
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"composites": table.Composites, "roles": len(table.ByID), "group roles": groupRoles, "members": len(members), "client": client.DefaultScopes,
		"scope": scopes, "defaults": defaults, "optionals": optionals, "credentials": credentials, "groups": len(groups)}
}

func TestGroupsStandBelowOneAnother(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		crowded(t, s)
		ctx := t.Context()
		for name, err := range map[string]error{"below itself": s.MoveGroup(ctx, realmID, "g1", "g1"), "below its child": s.MoveGroup(ctx, realmID, "g1", "g2")} {
			if !errors.Is(err, store.ErrLoop) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := s.CreateGroup(ctx, &realm.Group{ID: "g9", RealmID: realmID, ParentID: "g1", Name: "night"}); !errors.Is(err, store.ErrExists) {
			t.Errorf("a sibling of that name: %v", err)
		}
		if err := s.MoveGroup(ctx, realmID, "g2", "g3"); err != nil {
			t.Fatal(err)
		}
		if _, viaGroups, err := s.UserRoles(ctx, realmID, "u1"); err != nil || len(viaGroups) != 0 {
			t.Errorf("the roles of the old place stay: %v, %v", viaGroups, err)
		}
		groups, err := s.Groups(ctx, realmID)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups {
			if g.ID == "g2" && g.Path != "/elsewhere/night" {
				t.Error(g.Path)
			}
		}
		if err := s.DeleteGroup(ctx, realmID, "g3"); err != nil {
			t.Fatal(err)
		}
		if groups, err = s.Groups(ctx, realmID); err != nil || len(groups) != 1 {
			t.Errorf("what stood below is left: %d, %v", len(groups), err)
		}
	})
}

func TestSessionsAreListedWhileTheyLive(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		ctx, id := t.Context(), f.session(t)
		hour := store.Alive{Seen: time.Now().Add(-time.Hour), Started: time.Now().Add(-time.Hour), RememberSeen: time.Now().Add(-time.Hour), RememberStarted: time.Now().Add(-time.Hour)}
		for name, c := range map[string]struct {
			alive store.Alive
			want  int
		}{
			"alive": {hour, 1}, "idle for too long": {store.Alive{Seen: time.Now().Add(time.Hour)}, 0}, "lives for too long": {store.Alive{Started: time.Now().Add(time.Hour)}, 0},
			"offline ones": {store.Alive{Offline: true}, 0},
		} {
			ofUser, err1 := s.LiveUserSessions(ctx, realmID, "u1", c.alive, 0, 10)
			ofClient, err2 := s.LiveClientSessions(ctx, realmID, "c1", c.alive, 0, 10)
			n, err3 := s.CountClientSessions(ctx, realmID, "c1", c.alive)
			all, err4 := s.ClientSessionCounts(ctx, realmID, c.alive)
			if err := errors.Join(err1, err2, err3, err4); err != nil || len(ofUser) != c.want || len(ofClient) != c.want || n != c.want || len(all) != c.want {
				t.Errorf("%s: %d %d %d %d, want %d, %v", name, len(ofUser), len(ofClient), n, len(all), c.want, err)
			}
		}
		found, err := s.LiveUserSessions(ctx, realmID, "u1", hour, 0, 10)
		if err != nil || len(found) != 1 || found[0].ID != id || found[0].Username != "alice" || found[0].Clients["c1"] != "app" {
			t.Fatalf("%+v, %v", found, err)
		}
		r, err := s.RealmByID(ctx, realmID)
		if err != nil {
			t.Fatal(err)
		}
		changed := *r
		changed.NotBefore = 7
		if err := s.LogoutAll(ctx, &changed); err != nil {
			t.Fatal(err)
		}
		if n, err := s.CountClientSessions(ctx, realmID, "c1", hour); err != nil || n != 0 {
			t.Errorf("%d sessions outlive everybody's logout, %v", n, err)
		}
		if r, err = s.RealmByID(ctx, realmID); err != nil || r.NotBefore != 7 {
			t.Errorf("not before %d, %v", r.NotBefore, err)
		}
		if err := s.LogoutAll(ctx, &changed); !errors.Is(err, store.ErrConflict) {
			t.Errorf("on old facts: %v", err)
		}
	})
}

func TestCredentialsHaveAnOrder(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		fill(t, s)
		ctx := t.Context()
		if err := s.CreateUser(ctx, store.NewUser{User: &realm.User{ID: "u3", RealmID: realmID, Username: "carol"}, Credentials: []realm.Credential{
			{ID: "a", Type: "password", Priority: 1}, {ID: "b", Type: "otp", Priority: 2}, {ID: "c", Type: "otp", Priority: 3}}}); err != nil {
			t.Fatal(err)
		}
		order := func() (out string) {
			all, err := s.Credentials(ctx, realmID, "u3")
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range all {
				out += c.ID
			}
			return out
		}
		for _, c := range []struct{ id, after, want string }{{"c", "", "cab"}, {"c", "a", "acb"}, {"b", "b", "acb"}, {"x", "", "acb"}, {"a", "p1", "acb"}} {
			err := s.MoveCredential(ctx, realmID, "u3", c.id, c.after)
			if refused := c.id == "x" || c.after == "p1" || c.id == c.after; refused != errors.Is(err, store.ErrNotFound) || order() != c.want {
				t.Errorf("%s after %q: %v, %s, want %s", c.id, c.after, err, order(), c.want)
			}
		}
	})
}

// What administers a realm from another is made, renamed and deleted with it.
func TestAdministrationLivesWithItsRealm(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		fill(t, s)
		ctx := t.Context()
		made := &realm.Realm{ID: "33333333-3333-4333-8333-333333333333", Name: "made"}
		agg := &store.Aggregate{Realm: made, Administration: &store.Administration{Client: &realm.Client{ID: "a1", RealmID: realmID, ClientID: "made-realm"},
			Roles:      []*realm.Role{{ID: "a2", RealmID: realmID, ClientID: "a1", Name: "view-users"}, {ID: "a3", RealmID: realmID, ClientID: "a1", Name: "query-users"}},
			Composites: map[string][]string{"a2": {"a3"}}, HolderID: "u1"}}
		if err := s.CreateRealm(ctx, agg); err != nil {
			t.Fatal(err)
		}
		direct, _, err := s.UserRoles(ctx, realmID, "u1")
		if err != nil || len(direct) != 3 {
			t.Errorf("the holder has %v, %v", direct, err)
		}
		if made, err = s.RealmByName(ctx, "made"); err != nil {
			t.Fatal(err)
		}
		renamed := *made
		renamed.Name = "other"
		if err := s.RenameRealm(ctx, &renamed, store.Rename{RealmID: realmID, From: "made-realm", To: "app"}); !errors.Is(err, store.ErrExists) {
			t.Errorf("onto the name of a client: %v", err)
		}
		if err := s.RenameRealm(ctx, &renamed, store.Rename{RealmID: realmID, From: "made-realm", To: "other-realm"}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ClientByClientID(ctx, realmID, "other-realm"); err != nil {
			t.Error(err)
		}
		before := gate(t, s, "u1")
		if err := s.DeleteRealm(ctx, made.ID, realmID, "other-realm"); err != nil {
			t.Fatal(err)
		}
		if direct, _, err = s.UserRoles(ctx, realmID, "u1"); err != nil || len(direct) != 1 || gate(t, s, "u1") <= before {
			t.Errorf("after the realm: %v, %v", direct, err)
		}
		if err := s.DeleteRealm(ctx, made.ID, realmID, "other-realm"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
	})
}
