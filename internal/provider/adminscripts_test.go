package provider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scripted is a realm in which the scripts of these tests work, with the answers
// that Keycloak 26.7.4 gave to the same requests.
const scripted = `{"realm":"scripted","enabled":true,
	"clients":[{"clientId":"app","secret":"` + appSecret + `"},{"clientId":"open","publicClient":true},{"clientId":"robot","secret":"robot-secret","serviceAccountsEnabled":true}],
	"groups":[{"name":"red","attributes":{"color":["red"]},"subGroups":[{"name":"dark","attributes":{"color":["Red"],"shade":["1"]}}]},{"name":"blue"}],
	"users":[{"username":"bob","enabled":true,"email":"bob@y.org","firstName":"Bob","lastName":"Builder","createdTimestamp":1577836800000,"attributes":{"team":["red","x"],"sp ace":["a b"]}},
		{"username":"bobby","enabled":true,"email":"bobby@y.org","attributes":{"team":["RED"]},"requiredActions":["UPDATE_PASSWORD"]},
		{"username":"carol","email":"carol@z.org","attributes":{"team":["blue"]}}]}`

func (s *server) scripted() names {
	s.t.Helper()
	if _, err := s.manage.CreateRealm(s.t.Context(), []byte(scripted), false); err != nil {
		s.t.Fatal(err)
	}
	return s.names("scripted")
}

// A search that is not understood must not answer with everybody: scripts delete
// what they find.
func TestUsersAreFoundByWhatKeycloakFindsThemBy(t *testing.T) {
	s := start(t, nil)
	n := s.scripted()
	bearer := s.adminBearer()
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"q=team:red", []string{"bob", "bobby"}}, {"q=team:re", nil}, {"q=team:x", []string{"bob"}}, {"q=nosuch:1", nil}, {"q=team:", nil}, {"q=:red", nil},
		{"q=team:red+" + url.QueryEscape(`"sp ace":"a b"`), []string{"bob"}}, {"q=team", []string{"bob", "bobby", "carol"}}, {"q=username:bob", []string{"bob", "bobby"}},
		{"q=enabled:false", []string{"carol"}}, {"username=bob&q=team:blue", nil}, {"username=bob&q=team:x", []string{"bob"}},
		{"search=bob&q=team:blue", []string{"bob", "bobby"}}, {"search=bob&username=carol", []string{"bob", "bobby"}}, {"search=bob&enabled=false", nil},
		{"search=id:" + n.user["carol"], []string{"carol"}}, {"search=id:" + n.user["carol"] + "++" + n.user["bob"] + "+nosuch&max=1", []string{"carol", "bob"}}, {"search=id:nosuch", nil}, {"search=id:", nil},
		{"createdBefore=2020-01-01", []string{"bob"}}, {"createdBefore=2019-12-31", nil}, {"createdAfter=2020-01-01&createdBefore=1577836800000", []string{"bob"}}, {"search=bob&createdAfter=2040-01-01", nil},
		{"username=BOB&exact=TRUE", []string{"bob"}}, {"enabled=", []string{"bob", "bobby", "carol"}},
	} {
		a := s.admin(bearer, http.MethodGet, "scripted", "/users?"+c.query, "")
		var found []struct{ Username string }
		if err := json.Unmarshal([]byte(a.body), &found); err != nil {
			t.Fatal(c.query, a.body)
		}
		var got []string
		for _, u := range found {
			if !strings.HasPrefix(u.Username, "service-account-") {
				got = append(got, u.Username)
			}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.query, d)
		}
	}
	for _, refused := range []struct {
		query string
		want  int
	}{{"createdAfter=x", 400}, {"createdBefore=2020-01-01T00:00:00Z", 400}, {"idpAlias=github", 501}, {"q=" + strings.Repeat("a:b+", 51), 400}} {
		for _, path := range []string{"/users?", "/users/count?"} {
			if a := s.admin(bearer, http.MethodGet, "scripted", path+refused.query, ""); a.status != refused.want {
				t.Errorf("%s%s: %d, not %d", path, refused.query, a.status, refused.want)
			}
		}
	}
	if a := s.admin(bearer, http.MethodGet, "scripted", "/users/count?q=team:red", ""); strings.TrimSpace(a.body) != "2" {
		t.Error("count:", a.body)
	}
	brief := s.admin(bearer, http.MethodGet, "scripted", "/users?briefRepresentation=true&username=bobby", "").body
	if strings.Contains(brief, "attributes") || strings.Contains(brief, "requiredActions") || !strings.Contains(brief, `"email":"bobby@y.org"`) {
		t.Error("brief:", brief)
	}
}

// step is a request of a script with the answer that it has to get.
type step struct {
	name, method, path, body string
	status                   int
	has, lacks               string // a part of the answer
}

func (s *server) steps(bearer, realmName string, all []step) {
	s.t.Helper()
	for _, c := range all {
		a := s.admin(bearer, c.method, realmName, c.path, c.body)
		if a.status != c.status || !strings.Contains(a.body, c.has) || (c.lacks != "" && strings.Contains(a.body, c.lacks)) {
			s.t.Errorf("%s: %d, not %d, with %q, without %q\n%s", c.name, a.status, c.status, c.has, c.lacks, a.body)
		}
	}
}

// Whoever saves a client that they read before takes no scope away from it by that,
// and gives it none.
func TestSavingAClientLeavesItsScopes(t *testing.T) {
	s := start(t, nil)
	n := s.scripted()
	app := "/clients/" + n.client["app"]
	s.steps(s.adminBearer(), "scripted", []step{
		{"read and saved without", "PUT", app, `{"defaultClientScopes":["email"],"optionalClientScopes":[]}`, 204, "", ""},
		{"they are all there", "GET", app + "/default-client-scopes", "", 200, `"profile"`, ""},
		{"the optional ones too", "GET", app + "/optional-client-scopes", "", 200, `"phone"`, ""},
		{"saved with one more", "PUT", app, `{"defaultClientScopes":["email","phone"]}`, 204, "", ""},
		{"it is not given", "GET", app + "/default-client-scopes", "", 200, "", `"phone"`},
		{"a client scope without its mappers", "PUT", "/client-scopes/" + n.scope["email"], `{"name":"email","protocolMappers":[]}`, 204, "", ""},
		{"has them still", "GET", "/client-scopes/" + n.scope["email"], "", 200, "oidc-usermodel-property-mapper", ""},
	})
}

// The user that stands for a client comes, goes and is named with it.
func TestAServiceAccountFollowsItsClient(t *testing.T) {
	s := start(t, nil)
	n := s.scripted()
	robot, bearer := "/clients/"+n.client["robot"], s.adminBearer()
	first := s.serviceAccountIn("scripted", n.client["robot"])
	s.steps(bearer, "scripted", []step{
		{"a role", "POST", "/users/" + first + "/role-mappings/clients/" + n.client["realm-management"], `[{"id":"` + n.role["view-users"] + `","name":"view-users"}]`, 204, "", ""},
		{"renamed", "PUT", robot, `{"clientId":"Machine"}`, 204, "", ""},
		{"its user too", "GET", robot + "/service-account-user", "", 200, `"service-account-machine"`, ""},
		{"switched off", "PUT", robot, `{"serviceAccountsEnabled":false}`, 204, "", ""},
		{"the user is gone", "GET", "/users/" + first, "", 404, "", ""},
		{"and the scope", "GET", robot + "/default-client-scopes", "", 200, "", `"service_account"`},
		{"switched on", "PUT", robot, `{"serviceAccountsEnabled":true}`, 204, "", ""},
		{"with the scope", "GET", robot + "/default-client-scopes", "", 200, `"service_account"`, ""},
	})
	if second := s.serviceAccountIn("scripted", n.client["robot"]); second == first {
		t.Error("the same user is back")
	} else if a := s.admin(bearer, http.MethodGet, "scripted", "/users/"+second+"/role-mappings", ""); strings.Contains(a.body, "view-users") {
		t.Error("what it was given before is back:", a.body)
	}
}

func (s *server) serviceAccountIn(realmName, clientUUID string) string {
	s.t.Helper()
	a := s.admin(s.adminBearer(), http.MethodGet, realmName, "/clients/"+clientUUID+"/service-account-user", "")
	if a.status != http.StatusOK {
		s.t.Fatal(a.body)
	}
	return a.text("id")
}

// A secret that was given away with a public client is not the one it has later.
func TestAClientThatWasPublicHasASecretOfItsOwn(t *testing.T) {
	s := start(t, nil)
	n := s.scripted()
	app, open := "/clients/"+n.client["app"], "/clients/"+n.client["open"]
	s.steps(s.adminBearer(), "scripted", []step{
		{"public", "PUT", app, `{"publicClient":true}`, 204, "", ""},
		{"no secret", "GET", app + "/client-secret", "", 200, "", "value"},
		{"confidential again", "PUT", app, `{"publicClient":false}`, 204, "", ""},
		{"another secret", "GET", app + "/client-secret", "", 200, "value", appSecret},
		{"confidential for the first time", "PUT", open, `{"publicClient":false}`, 204, "", ""},
		{"a secret", "GET", open + "/client-secret", "", 200, "value", ""},
		{"confidential with a secret of its own", "PUT", app, `{"publicClient":true}`, 204, "", ""},
		{"in one document", "PUT", app, `{"publicClient":false,"secret":"chosen"}`, 204, "", ""},
		{"that one", "GET", app + "/client-secret", "", 200, `"chosen"`, ""},
	})
}

// Without them a realm has no administrators: not even the server's administrator
// changes or deletes the clients whose roles are the rights.
func TestTheClientsOfTheRightsStay(t *testing.T) {
	s := start(t, nil)
	n := s.scripted()
	bearer := s.adminBearer()
	management := "/clients/" + n.client["realm-management"]
	harmless := `[{"id":"` + n.role["offline_access"] + `","name":"offline_access"}]`
	s.steps(bearer, "scripted", []step{
		{"seen", "GET", management, "", 200, `"manage":false`, ""},
		{"changed", "PUT", management, `{"description":"d"}`, 403, "", ""},
		{"renamed", "PUT", management, `{"clientId":"d"}`, 403, "", ""},
		{"deleted", "DELETE", management, "", 403, "", ""},
		{"a secret", "POST", management + "/client-secret", "", 403, "", ""},
		{"a mapper", "POST", management + "/protocol-mappers/models", `{"name":"m","protocolMapper":"oidc-sub-mapper"}`, 403, "", ""},
		{"a role more", "POST", management + "/roles", `{"name":"d"}`, 403, "", ""},
		{"a right deleted", "DELETE", management + "/roles/impersonation", "", 403, "", ""},
		{"a right renamed", "PUT", "/roles-by-id/" + n.role["manage-users"], `{"name":"d"}`, 403, "", ""},
		{"a right that contains more", "POST", "/roles-by-id/" + n.role["view-realm"] + "/composites", harmless, 403, "", ""},
		{"a right taken out", "DELETE", management + "/roles/realm-admin/composites", harmless, 403, "", ""},
		{"a client of every realm", "DELETE", "/clients/" + n.client["account"], "", 400, "Could not delete client", ""},
		{"another client", "DELETE", "/clients/" + n.client["app"], "", 204, "", ""},
	})
	m := s.names("master")
	s.steps(bearer, "master", []step{
		{"of another realm", "DELETE", "/clients/" + m.client["scripted-realm"], "", 403, "", ""},
		{"of master", "DELETE", "/clients/" + m.client["master-realm"], "", 403, "", ""},
		{"of no realm", "POST", "/clients", `{"id":"of-none","clientId":"nosuch-realm"}`, 201, "", ""},
		{"of no realm, deleted", "DELETE", "/clients/of-none", "", 204, "", ""},
	})
}

func TestAPasswordThatIsNotTemporaryEndsTheDemand(t *testing.T) {
	s := start(t, nil)
	n := s.scripted()
	bobby := "/users/" + n.user["bobby"]
	s.steps(s.adminBearer(), "scripted", []step{
		{"before", "GET", bobby, "", 200, "UPDATE_PASSWORD", ""},
		{"set", "PUT", bobby + "/reset-password", `{"type":"password","value":"one","temporary":"false"}`, 204, "", ""},
		{"after", "GET", bobby, "", 200, "", "UPDATE_PASSWORD"},
		{"temporary", "PUT", bobby + "/reset-password", `{"type":"password","value":"two","temporary":true}`, 204, "", ""},
		{"asked for again", "GET", bobby, "", 200, "UPDATE_PASSWORD", ""},
		{"a document with both", "PUT", bobby, `{"requiredActions":["UPDATE_PASSWORD"],"credentials":[{"type":"password","value":"three"}]}`, 204, "", ""},
		{"says what is asked for", "GET", bobby, "", 200, "UPDATE_PASSWORD", ""},
	})
}

func TestWhatScriptsForKeycloakAsk(t *testing.T) {
	s := start(t, nil)
	n := s.scripted()
	bob := "/users/" + n.user["bob"]
	role := func(name string) string { return `[{"id":"` + n.role[name] + `","name":"` + name + `"}]` }
	s.steps(s.adminBearer(), "scripted", []step{
		{"roles", "POST", bob + "/role-mappings/realm", role("offline_access"), 204, "", ""},
		{"roles of a client", "POST", bob + "/role-mappings/clients/" + n.client["account"], role("view-profile"), 204, "", ""},
		{"effective ones in full", "GET", bob + "/role-mappings/realm/composite?briefRepresentation=false", "", 200, `"attributes":{}`, ""},
		{"all of the realm taken", "DELETE", bob + "/role-mappings/realm", "", 204, "", ""},
		{"none left, the client's stay", "GET", bob + "/role-mappings", "", 200, "view-profile", "realmMappings"},
		{"all of the client taken", "DELETE", bob + "/role-mappings/clients/" + n.client["account"], "", 204, "", ""},
		{"nothing left", "GET", bob + "/role-mappings", "", 200, "{}", "view-profile"},
		{"nothing to add", "POST", bob + "/role-mappings/realm", "", 400, "", ""},
		{"role by its description", "GET", "/roles?search=offline-access", "", 200, "offline_access", "uma"},
		{"role: the name of another", "POST", "/roles", `{"name":"one"}`, 201, "", ""},
		{"role: renamed to it", "PUT", "/roles/one", `{"name":"offline_access"}`, 409, "Duplicate resource error", ""},
		{"groups by attribute", "GET", "/groups?q=color:red", "", 200, `"red"`, "dark"},
		{"groups below by attribute", "GET", "/groups?q=shade:1", "", 200, `"dark"`, "blue"},
		{"groups by none that is there", "GET", "/groups?q=color:none", "", 200, "[]", ""},
		{"group joined", "PUT", bob + "/groups/" + n.group["dark"], "", 204, "", ""},
		{"groups of a user", "GET", bob + "/groups", "", 200, `"dark"`, "attributes"},
		{"groups of a user in full", "GET", bob + "/groups?briefRepresentation=false", "", 200, `"shade":["1"]`, ""},
		{"members in brief", "GET", "/groups/" + n.group["dark"] + "/members?briefRepresentation=true", "", 200, `"bob"`, "attributes"},
		{"a role that contains others", "POST", "/roles", `{"name":"both","composite":true,"composites":{"realm":["offline_access","one"]}}`, 201, "", ""},
		{"what it contains, searched", "GET", "/roles/both/composites?search=ONE", "", 200, `"one"`, "offline_access"},
		{"a page of it", "GET", "/roles/both/composites?first=1&max=1", "", 200, `"one"`, "offline_access"},
		{"a rotated secret forgotten", "DELETE", "/clients/" + n.client["app"] + "/client-secret/rotated", "", 204, "", ""},
		{"one client told", "POST", "/clients/" + n.client["app"] + "/push-revocation", "", 200, "{}", ""},
		{"a client scope", "POST", "/client-scopes", `{"name":"bare","protocol":"openid-connect"}`, 201, "", ""},
		{"has attributes, if none", "GET", "/client-scopes", "", 200, `"name":"bare","protocol":"openid-connect","attributes":{}`, ""},
		{"a user's id is not chosen", "POST", "/users", `{"id":"chosen","username":"dave"}`, 201, "", ""},
		{"nobody has it", "GET", "/users/chosen", "", 404, "", ""},
	})
	if a := s.adminAt(s.adminBearer(), http.MethodGet, "realms?briefRepresentation=true", ""); !strings.Contains(a.body, `"scripted"`) || strings.Contains(a.body, "accessTokenLifespan") {
		t.Error("realms in brief:", a.body)
	}
}
