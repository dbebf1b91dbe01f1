package token

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

func TestResolveScopes(t *testing.T) {
	c := &realm.Client{DefaultScopes: []string{"email", "role_list"}, OptionalScopes: []string{"phone"}}
	all := []*realm.ClientScope{{Name: "email", Protocol: "openid-connect"}, {Name: "phone", Protocol: "openid-connect"}, {Name: "other", Protocol: "openid-connect"},
		{Name: "role_list", Protocol: "saml"}}
	for _, x := range []struct {
		name, asked, inToken string
		refused              bool
	}{
		{"nothing", "", "email", false},
		{"openid", "openid", "openid email", false},
		{"an optional one", "openid phone", "openid email phone", false},
		{"twice", "openid  openid", "openid email", false},
		{"one of the realm that the client has not", "other", "", true},
		{"one that nobody has", "admin", "", true},
		{"a trick", "openid\u00a0phone", "", true},
	} {
		t.Run(x.name, func(t *testing.T) {
			s, err := ResolveScopes(c, all, x.asked)
			if (err != nil) != x.refused || (err != nil && oauth.ReasonOf(err) != oauth.InvalidScope) {
				t.Fatal(err)
			}
			if err == nil && s.InToken() != x.inToken {
				t.Errorf("got %q", s.InToken())
			}
		})
	}
}

func TestNarrowNeverWidens(t *testing.T) {
	c := &realm.Client{DefaultScopes: []string{"email"}, OptionalScopes: []string{"phone", "address"}}
	for _, x := range []struct{ name, asked, want string }{
		{"nothing", "", "openid phone"}, {"less", "openid", "openid"}, {"all", "phone openid", "phone openid"},
		{"a scope of the client that was not granted", "openid address", "openid"}, {"that one alone", "address", ""},
		{"what the answer named", "openid email phone", "openid phone"},
	} {
		if got, err := Narrow(c, "openid phone gone", x.asked); err != nil || got != x.want {
			t.Errorf("%s: %q, %v", x.name, got, err)
		}
	}
	for _, asked := range []string{"openid nobodys", "gone"} {
		if _, err := Narrow(c, "openid gone", asked); oauth.ReasonOf(err) != oauth.InvalidScope {
			t.Errorf("%q: %v", asked, err)
		}
	}
}

func TestEffectiveRoles(t *testing.T) {
	table := &store.RoleTable{ByID: map[string]*realm.Role{"a": {}, "b": {}, "c": {}}, Composites: map[string][]string{"a": {"b"}, "b": {"c", "a", "gone"}}}
	if d := cmp.Diff(map[string]bool{"a": true, "b": true, "c": true}, Expand(table, []string{"a"}, []string{"gone"})); d != "" {
		t.Error(d) // a circle ends, and what is gone gives nothing
	}
}

func TestMappers(t *testing.T) {
	s := &subject{user: &realm.User{ID: "1", Username: "alice", Email: "alice@example.com", EmailVerified: true, FirstName: "Alice", Attributes: map[string][]string{"n": {"5"}, "many": {"x", "y"}}},
		client: &realm.Client{ClientID: "app", RedirectURIs: []string{"https://a.example/*", "http://localhost:5/cb", "com.example:/x"}, WebOrigins: []string{"+", "https://b.example/"}},
		roles:  Roles{Realm: []string{"r"}, Client: map[string][]string{"app": {"own"}, "my.api": {"call"}}}, groups: []string{"/staff/night"}, acr: "1"}
	m := func(kind string, config ...string) realm.Mapper {
		out := realm.Mapper{Type: kind, Config: map[string]string{"access.token.claim": "true"}}
		for i := 0; i < len(config); i += 2 {
			out.Config[config[i]] = config[i+1]
		}
		return out
	}
	for _, c := range []struct {
		name   string
		mapper realm.Mapper
		want   map[string]any
	}{
		{"switched off", realm.Mapper{Type: "oidc-sub-mapper"}, map[string]any{}},
		{"unknown", m("oidc-script-based-protocol-mapper"), map[string]any{}},
		{"property as boolean", m("oidc-usermodel-property-mapper", "user.attribute", "emailVerified", "claim.name", "email_verified", "jsonType.label", "boolean"), map[string]any{"email_verified": true}},
		{"attribute as number", m("oidc-usermodel-attribute-mapper", "user.attribute", "n", "claim.name", "a.b", "jsonType.label", "long"), map[string]any{"a": map[string]any{"b": int64(5)}}},
		{"attribute with many values", m("oidc-usermodel-attribute-mapper", "user.attribute", "many", "claim.name", "m", "multivalued", "true"), map[string]any{"m": []any{"x", "y"}}},
		{"no attribute, no claim", m("oidc-usermodel-attribute-mapper", "user.attribute", "none", "claim.name", "m"), map[string]any{}},
		{"full name of half a name", m("oidc-full-name-mapper"), map[string]any{"name": "Alice"}},
		{"a dot in a client_id", m("oidc-usermodel-client-role-mapper", "claim.name", "resource_access.${client_id}.roles", "usermodel.clientRoleMapping.clientId", "my.api", "multivalued", "true"),
			map[string]any{"resource_access": map[string]any{"my.api": map[string]any{"roles": []any{"call"}}}}},
		{"audience of other clients' roles", m("oidc-audience-resolve-mapper"), map[string]any{"aud": "my.api"}},
		{"origins", m("oidc-allowed-origins-mapper"), map[string]any{"allowed-origins": []any{"http://localhost:5", "https://a.example", "https://b.example"}}},
		{"one role of a client", m("oidc-usermodel-client-role-mapper", "claim.name", "role", "usermodel.clientRoleMapping.clientId", "my.api"), map[string]any{"role": "call"}},
		{"one role of the realm", m("oidc-usermodel-realm-role-mapper", "claim.name", "role", "multivalued", "false", "usermodel.realmRoleMapping.rolePrefix", "R_"), map[string]any{"role": "R_r"}},
		{"group without its path", m("oidc-group-membership-mapper", "claim.name", "groups", "full.path", "false"), map[string]any{"groups": []any{"night"}}},
		{"group, not configured", m("oidc-group-membership-mapper", "claim.name", "groups"), map[string]any{"groups": []any{"night"}}},
		{"group with its path", m("oidc-group-membership-mapper", "claim.name", "groups", "full.path", "true"), map[string]any{"groups": []any{"/staff/night"}}},
		{"a user name", m("oidc-usermodel-property-mapper", "user.attribute", "username", "claim.name", "u"), map[string]any{"u": "alice"}},
		{"an address", m("oidc-usermodel-property-mapper", "user.attribute", "email", "claim.name", "e"), map[string]any{"e": "alice@example.com"}},
		{"a first name", m("oidc-usermodel-property-mapper", "user.attribute", "firstName", "claim.name", "f"), map[string]any{"f": "Alice"}},
		{"a last name that is not there", m("oidc-usermodel-property-mapper", "user.attribute", "lastName", "claim.name", "l"), map[string]any{}},
		{"an id", m("oidc-usermodel-property-mapper", "user.attribute", "id", "claim.name", "i"), map[string]any{"i": "1"}},
		{"a property that is none", m("oidc-usermodel-property-mapper", "user.attribute", "password", "claim.name", "p"), map[string]any{}},
		{"the subject", m("oidc-sub-mapper"), map[string]any{"sub": "1"}},
		{"the level", m("oidc-acr-mapper"), map[string]any{"acr": "1"}},
		{"a fixed value", m("oidc-hardcoded-claim-mapper", "claim.name", "k", "claim.value", "v"), map[string]any{"k": "v"}},
		{"a value without a name", m("oidc-hardcoded-claim-mapper", "claim.value", "v"), map[string]any{}},
		{"parts of an address", m("oidc-address-mapper", "user.attribute.street", "n", "user.attribute.country", "none"), map[string]any{"address": map[string]any{"street_address": "5"}}},
		{"no part of an address", m("oidc-address-mapper", "user.attribute.street", "none"), map[string]any{}},
		{"a mapper cannot forge the issuer", m("oidc-hardcoded-claim-mapper", "claim.name", "iss", "claim.value", "https://evil"), map[string]any{}},
		{"nor put an object in the audience's place", m("oidc-hardcoded-claim-mapper", "claim.name", "aud.x", "claim.value", "admin"), map[string]any{}},
		{"nor the person", m("oidc-hardcoded-claim-mapper", "claim.name", "sub", "claim.value", "an-administrator"), map[string]any{}},
		{"nor an object in the person's place", m("oidc-hardcoded-claim-mapper", "claim.name", "sub.x", "claim.value", "y"), map[string]any{}},
		{"nor the audience", m("oidc-hardcoded-claim-mapper", "claim.name", "aud", "claim.value", "admin"), map[string]any{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := map[string]any{}
			apply(claims, s, []realm.Mapper{c.mapper}, toAccess)
			if d := cmp.Diff(c.want, claims); d != "" {
				t.Error(d)
			}
		})
	}
}

// Types of claims as Keycloak 26.7.4 writes them; what is none of its type is left out.
func TestTypesOfClaims(t *testing.T) {
	for _, c := range []struct {
		name, value, label string
		want               any
	}{
		{"a text", "42", "String", "42"}, {"no type", "42", "", "42"}, {"an unknown one", "42", "bogus", "42"},
		{"a number", "-7", "long", int64(-7)}, {"a long one", "99999999999", "long", int64(99999999999)}, {"too long for an int", "99999999999", "int", nil}, {"no number", "abc", "long", nil},
		{"a fraction", "1.5", "int", nil}, {"true", "true", "boolean", true}, {"true in capitals", "TRUE", "boolean", true}, {"anything else", "1", "boolean", false},
		{"an object", `{"a":[1,{"b":null}]}`, "JSON", map[string]any{"a": []any{1.0, map[string]any{"b": nil}}}}, {"a JSON number", "42", "JSON", 42.0}, {"a JSON text", `"x"`, "JSON", "x"},
		{"broken JSON", "{a", "JSON", nil}, {"two values", "1 2", "JSON", nil}, {"a number that is none", "1e999", "JSON", nil}, {"nothing", "", "String", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims, want := map[string]any{}, map[string]any{}
			if c.want != nil {
				want["c"] = c.want
			}
			apply(claims, &subject{}, []realm.Mapper{{Type: "oidc-hardcoded-claim-mapper", Config: map[string]string{"access.token.claim": "true", "claim.name": "c", "claim.value": c.value, "jsonType.label": c.label}}}, toAccess)
			if d := cmp.Diff(want, claims); d != "" {
				t.Error(d)
			}
		})
	}
	s := &subject{user: &realm.User{Enabled: true, Attributes: map[string][]string{"n": {"1", "x"}, "street": {"S 1"}, "land": {"L"}}}}
	for name, c := range map[string]struct {
		kind   string
		config map[string]string
		want   map[string]any
	}{
		"in a list":        {"oidc-usermodel-attribute-mapper", map[string]string{"user.attribute": "n", "claim.name": "c", "jsonType.label": "long", "multivalued": "true"}, map[string]any{"c": []any{int64(1), nil}}},
		"a switch":         {"oidc-usermodel-property-mapper", map[string]string{"user.attribute": "enabled", "claim.name": "c", "jsonType.label": "boolean"}, map[string]any{"c": true}},
		"address, unnamed": {"oidc-address-mapper", map[string]string{"user.attribute.country": "land"}, map[string]any{"address": map[string]any{"street_address": "S 1", "country": "L"}}},
	} {
		claims := map[string]any{}
		c.config["access.token.claim"] = "true"
		apply(claims, s, []realm.Mapper{{Type: c.kind, Config: c.config}}, toAccess)
		if d := cmp.Diff(c.want, claims); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestUserinfoFollowsTheIDTokenWhereAMapperDoesNotNameIt(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		config     map[string]string
		want       bool
	}{
		{"named", "oidc-usermodel-attribute-mapper", map[string]string{"userinfo.token.claim": "true"}, true},
		{"named and off", "oidc-usermodel-attribute-mapper", map[string]string{"userinfo.token.claim": "false", "id.token.claim": "true"}, false},
		{"not named", "oidc-usermodel-realm-role-mapper", map[string]string{"id.token.claim": "true"}, true},
		{"not named, and not in the ID token", "oidc-usermodel-realm-role-mapper", map[string]string{"access.token.claim": "true"}, false},
		{"of the token, not the person", "oidc-acr-mapper", map[string]string{"id.token.claim": "true"}, false},
		{"of the session", "oidc-usersessionmodel-note-mapper", map[string]string{"id.token.claim": "true"}, false},
		{"an audience", "oidc-audience-mapper", map[string]string{"id.token.claim": "true", "userinfo.token.claim": "true"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := on(realm.Mapper{Type: c.kind, Config: c.config}, toUserinfo); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// What says whom a token is from and for, when, and to what it is bound is written by
// the issuer alone, whichever mapper names it and in whichever depth.
func TestMappersWriteNoReservedClaim(t *testing.T) {
	for _, name := range []string{"iss", "exp", "iat", "nbf", "jti", "typ", "azp", "sid", "aud", "nonce", "at_hash", "c_hash", "cnf"} {
		for _, claim := range []string{name, name + ".x", name + ".x.y"} {
			claims := map[string]any{name: "ours"}
			apply(claims, &subject{user: &realm.User{ID: "1"}, client: &realm.Client{}}, []realm.Mapper{{Type: "oidc-hardcoded-claim-mapper",
				Config: map[string]string{"access.token.claim": "true", "claim.name": claim, "claim.value": "theirs"}}}, toAccess)
			if d := cmp.Diff(map[string]any{name: "ours"}, claims); d != "" {
				t.Errorf("%s: %s", claim, d)
			}
		}
	}
}

// What Keycloak 26.7.4 does with the same file (cmd/latchkey, TestSameFile…).
func TestMappersAsKeycloaks(t *testing.T) {
	byID := map[string]*realm.Group{"top": {ID: "top", Attributes: map[string][]string{"cost": {"1"}}}, "sub": {ID: "sub", ParentID: "top", Attributes: map[string][]string{"cost": {"2"}, "own": {"s"}}},
		"loop": {ID: "loop", ParentID: "loop"}}
	for _, c := range []struct {
		name string
		mine []string
		attr string
		all  bool
		want []string
	}{
		{"the nearest", []string{"sub"}, "cost", false, []string{"2"}}, {"from above", []string{"loop", "top"}, "cost", false, []string{"1"}},
		{"all of them", []string{"sub"}, "cost", true, []string{"2", "1"}}, {"none", []string{"top"}, "own", false, nil}, {"a group that is gone", []string{"x"}, "cost", true, nil},
	} {
		if d := cmp.Diff(c.want, groupAttribute(byID, c.mine, c.attr, c.all)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	lists := &subject{user: &realm.User{}, groups: []string{"/g", "r"}, roles: Roles{Realm: []string{"r", "s"}}}
	both := []any{"/g", "r", "s"}
	for name, want := range map[string]map[string]any{"groups": {"groups": both}, "a.groups": {"a": map[string]any{"groups": both}}, `a\.groups`: {"a.groups": both}} {
		twice := map[string]any{}
		for _, kind := range []string{"oidc-group-membership-mapper", "oidc-usermodel-realm-role-mapper"} {
			apply(twice, lists, []realm.Mapper{{Type: kind, Config: map[string]string{"access.token.claim": "true", "multivalued": "true", "full.path": "true", "claim.name": name}}}, toAccess)
		}
		if d := cmp.Diff(want, twice); d != "" {
			t.Errorf("two mappers, one claim %s: %s", name, d)
		}
	}
	own := []string{"z", "a"}
	apply(map[string]any{}, &subject{user: &realm.User{Attributes: map[string][]string{"k": own}}, lent: func(string, bool) []string { return nil }},
		[]realm.Mapper{{Type: "oidc-usermodel-attribute-mapper", Config: map[string]string{"access.token.claim": "true", "user.attribute": "k", "claim.name": "k", "multivalued": "true", "aggregate.attrs": "true"}}}, toAccess)
	if d := cmp.Diff([]string{"z", "a"}, own); d != "" {
		t.Errorf("a mapper changed the user: %s", d)
	}
	s := &subject{user: &realm.User{}, client: &realm.Client{ClientID: "app", WebOrigins: []string{"https://a"}}, roles: Roles{Client: map[string][]string{"api": {"r"}}}}
	all := map[string]string{"access.token.claim": "true", "id.token.claim": "true", "userinfo.token.claim": "true", "included.client.audience": "orders", "claim.name": "groups"}
	for _, c := range []struct {
		mapper string
		to     target
		want   map[string]any
	}{
		{"oidc-audience-mapper", toAccess, map[string]any{"aud": "orders"}}, {"oidc-audience-mapper", toID, map[string]any{"aud": "orders"}}, {"oidc-audience-mapper", toUserinfo, map[string]any{}},
		{"oidc-audience-resolve-mapper", toAccess, map[string]any{"aud": "api"}}, {"oidc-audience-resolve-mapper", toID, map[string]any{}}, {"oidc-audience-resolve-mapper", toUserinfo, map[string]any{}},
		{"oidc-acr-mapper", toUserinfo, map[string]any{}}, {"oidc-allowed-origins-mapper", toID, map[string]any{}}, {"oidc-group-membership-mapper", toAccess, map[string]any{}},
	} {
		claims := map[string]any{}
		apply(claims, s, []realm.Mapper{{Type: c.mapper, Config: all}}, c.to)
		if d := cmp.Diff(c.want, claims); d != "" {
			t.Errorf("%s to %s: %s", c.mapper, c.to, d)
		}
	}
}

func TestLifespans(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	i := &Issuer{Now: func() time.Time { return now }}
	r := &realm.Realm{Lifespans: realm.Lifespans{AccessToken: 300, SSOSessionIdle: 1800, SSOSessionMax: 36000}}
	for _, c := range []struct {
		name            string
		client          *realm.Client
		started         time.Duration
		access, refresh time.Duration
	}{
		{"the realm's", &realm.Client{}, time.Hour, 300 * time.Second, 1800 * time.Second},
		{"the client's", &realm.Client{Attributes: map[string]string{"access.token.lifespan": "60", "client.session.idle.timeout": "600"}}, time.Hour, 60 * time.Second, 600 * time.Second},
		{"never longer than the session", &realm.Client{}, 36000*time.Second - time.Minute, time.Minute, time.Minute},
		{"the client's part of the session", &realm.Client{Attributes: map[string]string{"client.session.max.lifespan": "200"}}, time.Hour, 190 * time.Second, 190 * time.Second},
		{"never longer by it than the session", &realm.Client{Attributes: map[string]string{"client.session.max.lifespan": "72000"}}, 36000*time.Second - time.Minute, time.Minute, time.Minute},
		{"-1 of a client's part is none", &realm.Client{Attributes: map[string]string{"client.session.max.lifespan": "-1"}}, time.Hour, 300 * time.Second, 1800 * time.Second},
		{"-1 is the session's end", &realm.Client{Attributes: map[string]string{"access.token.lifespan": "-1"}}, time.Hour, 9 * time.Hour, 1800 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := Grant{Realm: r, Client: c.client, Session: &realm.Session{StartedAt: now.Add(-c.started), LastSeenAt: now}, since: now.Add(-10 * time.Second)}
			if got := i.accessLife(g); got != c.access {
				t.Errorf("access token %v, want %v", got, c.access)
			}
			if got := i.refreshExpiry(&g).Sub(now); got != c.refresh {
				t.Errorf("refresh token %v, want %v", got, c.refresh)
			}
		})
	}
}
