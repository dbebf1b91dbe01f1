package adminapi

import (
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/token"
)

// A right counts in the realm that gives it: the names of master's roles are
// nothing in another realm, whoever may make roles there (S-120).
func TestS120WhatARoleIsARightOver(t *testing.T) {
	realmRole := func(names ...string) token.Roles { return token.Roles{Realm: names} }
	client := func(id string, names ...string) token.Roles {
		return token.Roles{Client: map[string][]string{id: names}}
	}
	for _, c := range []struct {
		name, from       string // the realm of the token
		have             token.Roles
		target, right    string
		may, holds, some bool
	}{
		{"nothing", "master", token.Roles{}, "r", "manage-users", false, false, false},
		{"master's administrator", "master", realmRole("admin"), "r", "manage-users", true, true, true},
		{"an admin of another realm", "r", realmRole("admin"), "r", "manage-users", false, false, false},
		{"an admin of another realm over master", "r", realmRole("admin"), "master", "manage-users", false, false, false},
		{"master's administrator makes realms", "master", realmRole("admin"), "", "create-realm", true, true, true},
		{"who makes realms", "master", realmRole("create-realm"), "", "create-realm", true, false, true},
		{"who makes realms manages none", "master", realmRole("create-realm"), "r", "manage-realm", false, false, true},
		{"create-realm of another realm", "r", realmRole("create-realm"), "", "create-realm", false, false, false},
		{"create-realm of a client", "r", client("realm-management", "create-realm"), "r", "create-realm", false, true, true},
		{"a realm's own administrator", "r", client("realm-management", "manage-users"), "r", "manage-users", true, true, true},
		{"with another right", "r", client("realm-management", "view-users"), "r", "manage-users", false, true, true},
		{"over another realm", "r", client("realm-management", "manage-users"), "s", "manage-users", false, false, true},
		{"over master", "r", client("realm-management", "manage-users"), "master", "manage-users", false, false, true},
		{"of another client", "r", client("app", "manage-users"), "r", "manage-users", false, false, false},
		{"of no role", "r", client("realm-management"), "r", "manage-users", false, false, false},
		{"master's over one realm", "master", client("r-realm", "manage-users"), "r", "manage-users", true, true, true},
		{"master's over another", "master", client("r-realm", "manage-users"), "s", "manage-users", false, false, true},
		{"master's over master", "master", client("master-realm", "manage-users"), "master", "manage-users", true, true, true},
		{"another realm's client of that name", "r", client("s-realm", "manage-users"), "s", "manage-users", false, false, false},
		{"another realm's client for master", "r", client("master-realm", "manage-users"), "master", "manage-users", false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := may(c.from, c.have, c.target, []string{c.right}); got != c.may {
				t.Errorf("may %v, want %v", got, c.may)
			}
			if got := may(c.from, c.have, c.target, nil); got != (c.from == "master" && slices.Contains(c.have.Realm, "admin")) {
				t.Errorf("may what no role lets: %v", got)
			}
			if got := holds(c.from, c.have, c.target); got != c.holds {
				t.Errorf("holds %v, want %v", got, c.holds)
			}
			if got := administersAny(c.from, c.have); got != c.some {
				t.Errorf("administers any %v, want %v", got, c.some)
			}
		})
	}
}

// Whoever gave a client the name of one whose roles are rights would have them.
func TestS120NamesThatAreRights(t *testing.T) {
	for _, c := range []struct {
		realm, clientID, over string
		right                 bool
	}{
		{"master", "r-realm", "r", true}, {"master", "master-realm", "master", true}, {"master", "realm-management", "master", true},
		{"r", "realm-management", "r", true}, {"r", "r-realm", "r", false}, {"r", "master-realm", "r", false}, {"master", "app", "master", false}, {"r", "app", "r", false},
	} {
		over, right := administers(c.realm, c.clientID)
		if right != c.right || right && over != c.over {
			t.Errorf("%s in %s: %q, %v", c.clientID, c.realm, over, right)
		}
		for _, server := range []bool{false, true} {
			err := mayName(&call{realm: &realm.Realm{Name: c.realm}, server: server}, c.clientID)
			if (err != nil) != (c.right && !server) {
				t.Errorf("%s in %s, by the server's administrator %v: %v", c.clientID, c.realm, server, err)
			}
		}
	}
}

// What a group gives comes from all groups above it; a circle ends.
func TestGroupsAboveAndBelow(t *testing.T) {
	groups := []*realm.Group{{ID: "a"}, {ID: "b", ParentID: "a"}, {ID: "c", ParentID: "b"}, {ID: "beside", ParentID: "a"}, {ID: "x", ParentID: "y"}, {ID: "y", ParentID: "x"}}
	for _, c := range []struct{ id, above, below string }{
		{"a", "a", "b beside c"}, {"b", "b a", "c"}, {"c", "c b a", ""}, {"beside", "beside a", ""}, {"x", "x y", "y"}, {"gone", "gone", ""}, {"", "", "a b beside c"},
	} {
		below := under(groups, c.id)
		slices.Sort(below)
		if got := strings.Join(chain(groups, c.id), " "); got != c.above {
			t.Errorf("above %q: %q, want %q", c.id, got, c.above)
		}
		if got := strings.Join(below, " "); got != c.below {
			t.Errorf("below %q: %q, want %q", c.id, got, c.below)
		}
	}
}

// A path is matched in whole, part by part, and unescaped after it was cut.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          string // "" for no match
	}{
		{"realms/{realm}/users", "realms/r/users", "realm=r"},
		{"realms/{realm}/users", "realms/r/users/1", ""},
		{"realms/{realm}/users/{id}", "realms/r/users", ""},
		{"realms/{realm}/users", "realms/r/clients", ""},
		{"realms/{realm}/users", "realms/r%2Fusers/users", "realm=r/users"},
		{"realms/{realm}/users", "realms/%zz/users", ""},
		{"realms/{realm}/group-by-path/{path...}", "realms/r/group-by-path/a/b%2Fc", "path=a/b/c realm=r"},
		{"realms/{realm}/group-by-path/{path...}", "realms/r/group-by-path", ""},
		{"realms/{realm}/group-by-path/{path...}", "realms/r/other/a", ""},
	} {
		path, ok := match(c.pattern, strings.Split(c.path, "/"))
		var got []string
		for name, v := range path {
			got = append(got, name+"="+v)
		}
		slices.Sort(got)
		if ok != (c.want != "") || ok && strings.Join(got, " ") != c.want {
			t.Errorf("%s as %s: %v %q", c.path, c.pattern, ok, got)
		}
	}
}
