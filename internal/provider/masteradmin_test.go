package provider_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// deputy makes a user of master with roles of a client there ("" for the realm's
// own), and gives their token.
func (s *server) deputy(name, clientID string, roles ...string) (bearer, id string) {
	s.t.Helper()
	ctx := s.t.Context()
	in, err := s.store.RealmByName(ctx, "master")
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := s.manage.CreateUser(ctx, in, []byte(`{"username":"`+name+`","enabled":true,"email":"`+name+`@example.com","firstName":"D","lastName":"P",
		"credentials":[{"type":"password","value":"`+alicesPass+`"}]}`))
	if err != nil {
		s.t.Fatal(err)
	}
	container := ""
	if clientID != "" {
		container = s.clientUUID("master", clientID)
	}
	if err := s.store.SetUserRoles(ctx, in.ID, u.ID, s.roleIDs("master", container, roles...), nil); err != nil {
		s.t.Fatal(err)
	}
	return s.masterBearer(name), u.ID
}

func (s *server) masterBearer(name string) string {
	s.t.Helper()
	a := s.send(s.browser(), http.MethodPost, s.oidc("master", "token"), url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {name}, "password": {alicesPass}})
	if a.status != http.StatusOK {
		s.t.Fatal(a.body)
	}
	return "Bearer " + a.text("access_token")
}

func (s *server) clientUUID(realmName, clientID string) string {
	s.t.Helper()
	in, err := s.store.RealmByName(s.t.Context(), realmName)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := s.store.ClientByClientID(s.t.Context(), in.ID, clientID)
	if err != nil {
		s.t.Fatal(clientID, err)
	}
	return c.ID
}

func (s *server) roleIDs(realmName, container string, names ...string) []string {
	s.t.Helper()
	in, err := s.store.RealmByName(s.t.Context(), realmName)
	if err != nil {
		s.t.Fatal(err)
	}
	table, err := s.store.Roles(s.t.Context(), in.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	var ids []string
	for _, name := range names {
		for id, r := range table.ByID {
			if r.Name == name && r.ClientID == container {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) != len(names) {
		s.t.Fatalf("not all of %v are there", names)
	}
	return ids
}

// A user of master can be given rights over one realm, and has them over no other.
func TestMasterGivesRightsOverOneRealm(t *testing.T) {
	s := start(t, nil)
	bearer, _ := s.deputy("deputy", "lenient-realm", "view-users", "manage-users")
	for _, c := range []struct {
		name, method, path, body string
		want                     int
	}{
		{"users there", "GET", "realms/lenient/users", "", 200},
		{"a new user there", "POST", "realms/lenient/users", `{"username":"carol"}`, 201},
		{"clients there", "GET", "realms/lenient/clients", "", 403},
		{"the realm", "PUT", "realms/lenient", `{"displayName":"x"}`, 403},
		{"another realm", "GET", "realms/strict/users", "", 403},
		{"master", "GET", "realms/master/users", "", 403},
		{"a new realm", "POST", "realms", `{"realm":"another"}`, 403},
		{"what clients look for first", "GET", "serverinfo", "", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := s.adminAt(bearer, c.method, c.path, c.body); a.status != c.want {
				t.Errorf("got %d %s, want %d", a.status, a.body, c.want)
			}
		})
	}
	if a := s.adminAt(s.adminBearer(), http.MethodPut, "realms/lenient", `{"realm":"renamed"}`); a.status != http.StatusNoContent {
		t.Fatal(a.status, a.body)
	}
	if a := s.adminAt(bearer, http.MethodGet, "realms/renamed/users", ""); a.status != http.StatusOK {
		t.Errorf("the rights did not follow the name: %d %s", a.status, a.body)
	}
	if a := s.adminAt(s.adminBearer(), http.MethodDelete, "realms/renamed", ""); a.status != http.StatusNoContent {
		t.Fatal(a.status, a.body)
	}
	in, err := s.store.RealmByName(t.Context(), "master")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.ClientByClientID(t.Context(), in.ID, "renamed-realm"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the rights outlive the realm: %v", err)
	}
}

// Whoever may make realms administers those, and no others.
func TestMakersOfRealmsAdministerThem(t *testing.T) {
	s := start(t, nil)
	bearer, _ := s.deputy("maker", "", "create-realm")
	if a := s.adminAt(bearer, http.MethodPost, "realms", `{"realm":"made","enabled":true}`); a.status != http.StatusCreated {
		t.Fatal(a.status, a.body)
	}
	for path, want := range map[string]int{"realms/made/users": 200, "realms/made/clients": 200, "realms/lenient/users": 403, "realms/master/users": 403} {
		if a := s.adminAt(bearer, http.MethodGet, path, ""); a.status != want {
			t.Errorf("%s: %d, want %d", path, a.status, want)
		}
	}
}

// L6: whoever manages users and clients of master is not an administrator of all.
func TestS120ManagingMasterIsNoWayUp(t *testing.T) {
	s := start(t, nil)
	bearer, me := s.deputy("clerk", "master-realm", "manage-users", "view-users", "manage-clients", "view-clients", "manage-realm")
	lenient := s.clientUUID("master", "lenient-realm")
	role := func(container string, name string) string {
		return `[{"id":"` + s.roleIDs("master", container, name)[0] + `"}]`
	}
	if a := s.adminAt(bearer, http.MethodPost, "realms/master/clients", `{"clientId":"mine"}`); a.status != http.StatusCreated {
		t.Fatal(a.status, a.body)
	}
	mine := s.clientUUID("master", "mine")
	for _, c := range []struct{ name, method, path, body string }{
		{"the role admin", "POST", "/users/" + me + "/role-mappings/realm", role("", "admin")},
		{"the role create-realm", "POST", "/users/" + me + "/role-mappings/realm", role("", "create-realm")},
		{"a right over another realm", "POST", "/users/" + me + "/role-mappings/clients/" + lenient, role(lenient, "manage-users")},
		{"admin inside another role", "POST", "/roles/default-roles-master/composites", role("", "admin")},
		{"another role with the name admin", "PUT", "/roles/uma_authorization", `{"name":"admin"}`},
		{"the role admin under another name", "PUT", "/roles/admin", `{"name":"x"}`},
		{"a client for rights over a realm", "POST", "/clients", `{"clientId":"strict-again-realm"}`},
		{"a client that becomes one", "PUT", "/clients/" + mine, `{"clientId":"other-realm"}`},
		{"a client of rights, renamed", "PUT", "/clients/" + lenient, `{"clientId":"x"}`},
		{"a client of rights, deleted", "DELETE", "/clients/" + lenient, ""},
		{"a new right over another realm", "POST", "/clients/" + lenient + "/roles", `{"name":"invented"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := s.admin(bearer, c.method, "master", c.path, c.body); a.status != http.StatusForbidden {
				t.Errorf("got %d %s, want 403", a.status, a.body)
			}
		})
	}
}

// A role that is called create-realm in a realm's own client is no right in master.
func TestS120OnlyMasterSaysWhoMakesRealms(t *testing.T) {
	s := start(t, nil)
	n, alice := s.office()
	in, err := s.store.RealmByName(t.Context(), "office")
	if err != nil {
		t.Fatal(err)
	}
	r := &realm.Role{ID: realm.NewID(), RealmID: in.ID, ClientID: n.client["realm-management"], Name: "create-realm"}
	if err := errors.Join(s.store.CreateRole(t.Context(), r), s.store.SetUserRoles(t.Context(), in.ID, n.user["alice"], []string{r.ID}, nil)); err != nil {
		t.Fatal(err)
	}
	if a := s.adminAt(alice, http.MethodPost, "realms", `{"realm":"another"}`); a.status != http.StatusForbidden {
		t.Errorf("%d %s", a.status, a.body)
	}
}
