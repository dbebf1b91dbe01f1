package storetest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Limits below zero, and order and case of names, are the same on every engine.
func TestListsAreTheSameEverywhere(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		for _, id := range []string{"App", "b_p", "ärger", "Zebra", "application"} {
			if err := s.CreateClient(t.Context(), store.NewClient{Client: &realm.Client{ID: "id-" + id, RealmID: realmID, ClientID: id}}, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			name string
			f    store.ClientFilter
			want []string
		}{
			{"all, by bytes", store.ClientFilter{}, []string{"App", "Zebra", "app", "application", "b_p", "ärger"}},
			{"no limit", store.ClientFilter{First: -1, Max: -1}, []string{"App", "Zebra", "app", "application", "b_p", "ärger"}},
			{"exact has a case", store.ClientFilter{ClientID: "app"}, []string{"app"}},
			{"a part has none", store.ClientFilter{ClientID: "APP", Search: true}, []string{"App", "app", "application"}},
			{"an underscore is no wildcard", store.ClientFilter{ClientID: "_", Search: true}, []string{"b_p"}},
			{"a page", store.ClientFilter{First: 1, Max: 2}, []string{"Zebra", "app"}},
		} {
			found, err := s.Clients(t.Context(), realmID, c.f)
			got := []string{}
			for _, cl := range found {
				got = append(got, cl.ClientID)
			}
			if d := cmp.Diff(c.want, got); err != nil || d != "" {
				t.Errorf("%s: %v %s", c.name, err, d)
			}
		}
		f.session(t)
		long := store.Alive{Seen: time.Unix(0, 0), Started: time.Unix(0, 0)}
		for _, limit := range []int{-1, -7, 5} {
			live, err := s.LiveUserSessions(t.Context(), realmID, "u1", long, -1, limit)
			if err != nil || len(live) != 1 {
				t.Errorf("sessions, at most %d: %d, %v", limit, len(live), err)
			}
			holders, err := s.RoleUsers(t.Context(), realmID, "r1", -1, limit)
			if err != nil || len(holders) != 1 {
				t.Errorf("holders, at most %d: %d, %v", limit, len(holders), err)
			}
		}
	})
}
