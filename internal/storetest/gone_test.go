package storetest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/storetest"
)

// What one administrator deletes while another refers to it, or what another node
// still keeps in memory, is not found. It is no fault of the server.
func TestWhatRefersToWhatIsGoneIsNotFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fill(t, s)
		ctx, later := t.Context(), time.Now().Add(time.Hour)
		user := func(realmID string) *realm.User {
			return &realm.User{ID: realm.NewID(), RealmID: realmID, Username: "new"}
		}
		for name, err := range map[string]error{
			"a login at a client":   s.CreateAuthRequest(ctx, &realm.AuthRequest{ID: "q", RealmID: realmID, ClientID: "gone", BrowserHash: []byte("b"), ExpiresAt: later}),
			"a role for a user":     s.SetUserRoles(ctx, realmID, "u1", []string{"gone"}, nil),
			"a user with a role":    s.CreateUser(ctx, store.NewUser{User: user(realmID), RoleIDs: []string{"gone"}}),
			"a user in a group":     s.CreateUser(ctx, store.NewUser{User: user(realmID), GroupIDs: []string{"gone"}}),
			"a user in a realm":     s.CreateUser(ctx, store.NewUser{User: user("gone")}),
			"a role in a realm":     s.CreateRole(ctx, &realm.Role{ID: "new", RealmID: "gone", Name: "new"}),
			"a group in a realm":    s.CreateGroup(ctx, &realm.Group{ID: "new", RealmID: "gone", Name: "new"}),
			"a client in a realm":   s.CreateClient(ctx, store.NewClient{Client: &realm.Client{ID: "new", RealmID: "gone", ClientID: "new"}}, nil, nil),
			"a key of a realm":      addKey(ctx, s),
			"a token of a realm":    s.RevokeToken(ctx, "gone", "jti", later),
			"a try in a realm":      s.CountNobody(ctx, "gone", "nobody"),
			"an event of a realm":   s.AppendEvents(ctx, realm.Event{ID: "e", RealmID: "gone"}),
			"a link of a realm":     s.CreateLink(ctx, "gone", "setup", []byte("h"), later),
			"a scope of a realm":    s.CreateClientScope(ctx, &realm.ClientScope{ID: "new", RealmID: "gone", Name: "new"}),
			"what administers none": s.CreateAdministration(ctx, &store.Administration{Client: &realm.Client{ID: "new", RealmID: "gone", ClientID: "new"}}),
		} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if direct, _, err := s.UserRoles(ctx, realmID, "u1"); err != nil || len(direct) != 1 {
			t.Errorf("roles %v, %v", direct, err)
		}
	})
}

func addKey(ctx context.Context, s *store.Store) error {
	_, err := s.AddSigningKey(ctx, realm.SigningKey{ID: "new", RealmID: "gone", Use: "sig", Algorithm: "ES256", State: "active", Sealed: []byte("x")})
	return err
}
