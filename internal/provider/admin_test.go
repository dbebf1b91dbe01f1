package provider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/adminapi"
	"github.com/latchkey-id/latchkey/internal/provider"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/storetest"
)

// office is a realm in which alice may manage users, clients and the realm, but is
// no realm-admin; everything around her would make her one.
const office = `{"realm":"office","enabled":true,
	"clients":[{"clientId":"app","secret":"` + appSecret + `","directAccessGrantsEnabled":true},{"clientId":"plain","secret":"plain-secret","serviceAccountsEnabled":true},
		{"clientId":"robot","secret":"robot-secret","serviceAccountsEnabled":true}],
	"clientScopes":[{"name":"powers","protocol":"openid-connect"},{"name":"words","protocol":"openid-connect"},{"name":"email","protocol":"openid-connect"}],
	"clientScopeMappings":{"realm-management":[{"clientScope":"powers","roles":["realm-admin"]}]},
	"roles":{"realm":[{"name":"harmless"},{"name":"other"},{"name":"hidden","composite":true,"composites":{"client":{"realm-management":["realm-admin"]}}}],
		"client":{"app":[{"name":"editor"}]}},
	"groups":[{"name":"bosses","clientRoles":{"realm-management":["realm-admin"]},"subGroups":[{"name":"below"}]},{"name":"staff","subGroups":[{"name":"team"}]},{"name":"guests"}],
	"users":[
		{"username":"alice","enabled":true,"email":"alice@example.com","firstName":"A","lastName":"L","credentials":[{"type":"password","value":"` + alicesPass + `"}],
			"clientRoles":{"realm-management":["manage-users","view-users","manage-clients","view-clients","manage-realm","view-realm"]}},
		{"username":"viewer","enabled":true,"email":"viewer@example.com","firstName":"V","lastName":"R","credentials":[{"type":"password","value":"` + alicesPass + `"}],
			"clientRoles":{"realm-management":["view-users","view-clients","view-realm"]}},
		{"username":"boss","enabled":true,"clientRoles":{"realm-management":["realm-admin"]},"credentials":[{"id":"boss-password","type":"password","value":"x"}]},
		{"username":"member","enabled":true,"groups":["/bosses/below"]},{"username":"bob","enabled":true},
		{"username":"service-account-robot","enabled":true,"serviceAccountClientId":"robot","clientRoles":{"realm-management":["realm-admin"]}}]}`

// names finds the ids of a realm's things by their names.
type names struct{ user, role, group, client, scope map[string]string }

// known is the name of a role that this realm has and the other has not.
func (n names) known() string {
	if n.role["of-next"] != "" {
		return "of-next"
	}
	return "harmless"
}

func (s *server) names(realmName string) names {
	s.t.Helper()
	ctx := s.t.Context()
	in, err := s.store.RealmByName(ctx, realmName)
	if err != nil {
		s.t.Fatal(err)
	}
	n := names{map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}}
	table, err := s.store.Roles(ctx, in.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	for id, r := range table.ByID {
		n.role[r.Name] = id
	}
	for _, doc := range []struct {
		path, name string
		into       map[string]string
	}{{"users", "username", n.user}, {"clients", "clientId", n.client}, {"client-scopes", "name", n.scope}} {
		for _, one := range s.list(realmName, doc.path) {
			doc.into[one[doc.name].(string)] = one["id"].(string)
		}
	}
	groups, err := s.store.Groups(ctx, in.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, g := range groups {
		n.group[g.Name] = g.ID
	}
	return n
}

func (s *server) adminBearer() string {
	s.t.Helper()
	a := s.send(s.browser(), http.MethodPost, s.oidc("master", "token"), url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {adminPass}})
	if a.status != http.StatusOK {
		s.t.Fatal(a.body)
	}
	return "Bearer " + a.text("access_token")
}

func (s *server) list(realmName, path string) []map[string]any {
	s.t.Helper()
	a := s.admin(s.adminBearer(), http.MethodGet, realmName, "/"+path, "")
	var out []map[string]any
	if err := json.Unmarshal([]byte(a.body), &out); err != nil {
		s.t.Fatal(err, a.body)
	}
	return out
}

// admin calls the admin API with a JSON body.
func (s *server) admin(bearer, method, realmName, path, body string) answer {
	s.t.Helper()
	return s.adminAt(bearer, method, "realms/"+realmName+path, body)
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

func (s *server) adminAt(bearer, method, path, body string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+"/admin/"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", bearer)
	req.Header.Set("Content-Type", "application/json")
	return s.do(s.browser(), req)
}

func (s *server) office() (n names, alice string) {
	s.t.Helper()
	if _, err := s.manage.CreateRealm(s.t.Context(), []byte(office), false); err != nil {
		s.t.Fatal(err)
	}
	return s.names("office"), s.bearer("office", "alice")
}

func (s *server) bearer(realmName, username string) string {
	s.t.Helper()
	a := s.token(realmName, url.Values{"grant_type": {"password"}, "username": {username}, "password": {alicesPass}})
	if a.status != http.StatusOK {
		s.t.Fatal(a.body)
	}
	return "Bearer " + a.text("access_token")
}

// L6 (CVE-2025-7784, CVE-2026-9796 and others): whoever manages users, clients and
// the realm gets no right by it that they do not have.
func TestS120ManagingIsNoWayUp(t *testing.T) {
	s := start(t, nil)
	n, alice := s.office()
	robot := s.serviceAccount(n.client["robot"])
	role := func(name string) string { return `[{"id":"` + n.role[name] + `"}]` }
	management := "/clients/" + n.client["realm-management"]
	for _, c := range []struct {
		name, method, path, body string
		want                     int
	}{
		{"group: a right", "POST", "/groups/" + n.group["staff"] + "/role-mappings" + management, role("realm-admin"), 403},
		{"group: a composite with it", "POST", "/groups/" + n.group["staff"] + "/role-mappings/realm", role("hidden"), 403},
		{"group: a harmless role", "POST", "/groups/" + n.group["staff"] + "/role-mappings/realm", role("harmless"), 204},
		{"group: her own right", "POST", "/groups/" + n.group["guests"] + "/role-mappings" + management, role("view-users"), 204},
		{"group: the right of others taken", "DELETE", "/groups/" + n.group["bosses"] + "/role-mappings" + management, role("realm-admin"), 403},
		{"membership: her own", "PUT", "/users/" + n.user["alice"] + "/groups/" + n.group["bosses"], "", 403},
		{"membership: below", "PUT", "/users/" + n.user["bob"] + "/groups/" + n.group["below"], "", 403},
		{"membership: harmless", "PUT", "/users/" + n.user["bob"] + "/groups/" + n.group["staff"], "", 204},
		{"membership: ending that of an administrator", "DELETE", "/users/" + n.user["member"] + "/groups/" + n.group["below"], "", 403},
		{"moving a group below one with rights", "POST", "/groups/" + n.group["bosses"] + "/children", `{"id":"` + n.group["staff"] + `","name":"staff"}`, 403},
		{"moving a group away from its rights", "POST", "/groups", `{"id":"` + n.group["below"] + `","name":"below"}`, 403},
		{"moving a harmless group", "POST", "/groups/" + n.group["guests"] + "/children", `{"id":"` + n.group["team"] + `","name":"team"}`, 204},
		{"moving a group below itself", "POST", "/groups/" + n.group["team"] + "/children", `{"id":"` + n.group["guests"] + `","name":"guests"}`, 400},
		{"renaming a group with rights", "PUT", "/groups/" + n.group["bosses"], `{"name":"x"}`, 403},
		{"deleting a group with rights", "DELETE", "/groups/" + n.group["bosses"], "", 403},
		{"default group with rights", "PUT", "/default-groups/" + n.group["bosses"], "", 403},
		{"default group below one", "PUT", "/default-groups/" + n.group["below"], "", 403},
		{"default group, harmless", "PUT", "/default-groups/" + n.group["staff"], "", 204},
		{"composite: a right", "POST", "/roles/harmless/composites", role("realm-admin"), 403},
		{"composite: by a composite", "POST", "/roles/harmless/composites", role("hidden"), 403},
		{"composite: by id", "POST", "/roles-by-id/" + n.role["harmless"] + "/composites", role("impersonation"), 403},
		{"composite: of a client's role", "POST", "/clients/" + n.client["app"] + "/roles/editor/composites", role("realm-admin"), 403},
		{"composite: of everybody", "POST", "/roles/default-roles-office/composites", role("realm-admin"), 403},
		{"composite: taken from administrators", "DELETE", management + "/roles/realm-admin/composites", role("view-users"), 403},
		{"composite: harmless", "POST", "/roles/harmless/composites", role("other"), 204},
		{"new role that contains a right", "POST", "/roles", `{"name":"n","composite":true,"composites":{"client":{"realm-management":["realm-admin"]}}}`, 403},
		{"new role that contains a composite with it", "POST", "/roles", `{"name":"n","composite":true,"composites":{"realm":["hidden"]}}`, 403},
		{"new role", "POST", "/roles", `{"name":"n","composite":true,"composites":{"realm":["harmless"],"client":{"app":["editor"]}}}`, 201},
		{"new right", "POST", management + "/roles", `{"name":"invented"}`, 403},
		{"renaming a right", "PUT", management + "/roles/manage-users", `{"name":"invented"}`, 403},
		{"renaming a right by id", "PUT", "/roles-by-id/" + n.role["manage-users"], `{"name":"invented"}`, 403},
		{"deleting a right she does not have", "DELETE", management + "/roles/impersonation", "", 403},
		{"deleting a role that contains a right", "DELETE", "/roles/hidden", "", 403},
		{"scope of a client", "POST", "/clients/" + n.client["plain"] + "/scope-mappings" + management, role("realm-admin"), 403},
		{"scope of a client, harmless", "POST", "/clients/" + n.client["plain"] + "/scope-mappings/realm", role("harmless"), 204},
		{"scope of a client scope", "POST", "/client-scopes/" + n.scope["words"] + "/scope-mappings/realm", role("hidden"), 403},
		{"client scope with rights, for a client", "PUT", "/clients/" + n.client["plain"] + "/default-client-scopes/" + n.scope["powers"], "", 403},
		{"client scope with rights, for all", "PUT", "/default-optional-client-scopes/" + n.scope["powers"], "", 403},
		{"client scope with rights, in a new client", "POST", "/clients", `{"clientId":"greedy","defaultClientScopes":["powers"]}`, 403},
		{"client scope with rights, in a changed client: passed over", "PUT", "/clients/" + n.client["plain"], `{"optionalClientScopes":["powers"]}`, 204},
		{"client scope, in a new client", "POST", "/clients", `{"clientId":"modest","defaultClientScopes":["words"]}`, 201},
		{"client scope with rights, under another name", "PUT", "/client-scopes/" + n.scope["powers"], `{"name":"words2"}`, 403},
		{"client scope with rights, its words", "PUT", "/client-scopes/" + n.scope["powers"], `{"name":"powers","description":"d"}`, 204},
		{"client scope, harmless, under another name", "PUT", "/client-scopes/" + n.scope["email"], `{"name":"email2"}`, 204},
		{"new user in a group with rights", "POST", "/users", `{"username":"climber","groups":["/bosses/below"]}`, 403},
		{"new user in a harmless group", "POST", "/users", `{"username":"walker","groups":["/staff"]}`, 201},
		{"client scope, harmless", "PUT", "/clients/" + n.client["plain"] + "/optional-client-scopes/" + n.scope["words"], "", 204},
		{"service account with rights: new secret", "POST", "/clients/" + n.client["robot"] + "/client-secret", "", 403},
		{"service account with rights: given secret", "PUT", "/clients/" + n.client["robot"], `{"secret":"known"}`, 403},
		{"service account with rights: mapper", "POST", "/clients/" + n.client["robot"] + "/protocol-mappers/models", `{"name":"m","protocolMapper":"oidc-sub-mapper"}`, 403},
		{"service account with rights: its scopes", "DELETE", "/clients/" + n.client["robot"] + "/default-client-scopes/" + n.scope["words"], "", 403},
		{"service account with rights: deleted", "DELETE", "/clients/" + n.client["robot"], "", 403},
		{"service account with rights: its user", "PUT", "/users/" + robot + "/reset-password", `{"type":"password","value":"x"}`, 403},
		{"service account with rights: its roles", "POST", "/users/" + robot + "/role-mappings/realm", role("harmless"), 403},
		{"service account without: new secret", "POST", "/clients/" + n.client["plain"] + "/client-secret", "", 200},
		{"the client of the rights: changed", "PUT", management, `{"clientId":"x"}`, 403},
		{"the client of the rights: deleted", "DELETE", management, "", 403},
		{"the client of the rights: another by its name", "PUT", "/clients/" + n.client["plain"], `{"clientId":"realm-management"}`, 403},
		{"the client of the rights: made", "POST", "/clients", `{"clientId":"realm-management"}`, 403},
		{"the administrator's credential", "DELETE", "/users/" + n.user["boss"] + "/credentials/boss-password", "", 403},
		{"the administrator's credential, named", "PUT", "/users/" + n.user["boss"] + "/credentials/boss-password/userLabel", "x", 403},
		{"the administrator's credential, moved", "POST", "/users/" + n.user["boss"] + "/credentials/boss-password/moveToFirst", "", 403},
		{"the administrator's roles", "DELETE", "/users/" + n.user["boss"] + "/role-mappings" + management, role("realm-admin"), 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := s.admin(alice, c.method, "office", c.path, c.body); a.status != c.want {
				t.Errorf("got %d %s, want %d", a.status, a.body, c.want)
			}
		})
	}
}

func (s *server) serviceAccount(clientUUID string) string {
	s.t.Helper()
	a := s.admin(s.adminBearer(), http.MethodGet, "office", "/clients/"+clientUUID+"/service-account-user", "")
	if a.text("id") == "" {
		s.t.Fatal(a.body)
	}
	return a.text("id")
}

// Client secrets are for those who may be the client: never for who may only look,
// and not when the service account has more rights than they have.
func TestS118SecretsAreForThoseWhoMayBeTheClient(t *testing.T) {
	s := start(t, nil)
	n, alice := s.office()
	for _, c := range []struct {
		name, bearer, client string
		want                 bool
	}{
		{"who manages clients", alice, "plain", true},
		{"of a service account above them", alice, "robot", false},
		{"who views clients", s.bearer("office", "viewer"), "plain", false},
		{"the server's administrator", s.adminBearer(), "robot", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			secret := c.client + "-secret"
			for _, path := range []string{"/clients/" + n.client[c.client] + "/client-secret", "/clients/" + n.client[c.client], "/clients"} {
				a := s.admin(c.bearer, http.MethodGet, "office", path, "")
				if a.status != http.StatusOK || strings.Contains(a.body, secret) != c.want {
					t.Errorf("%s: %d, shown: %v, want %v", path, a.status, strings.Contains(a.body, secret), c.want)
				}
			}
		})
	}
}

// L5 (CVE-2024-3656 and others): every route, for everybody who has no business there.
func TestS120EveryAdminRouteIsDenied(t *testing.T) {
	s := start(t, nil)
	n, _ := s.office()
	if len(adminapi.Routes()) < 100 {
		t.Fatal("the crawl would hold for nothing")
	}
	boss, ordinary := s.promoted(n), s.bearer("lenient", "alice")
	for _, r := range adminapi.Routes() {
		method, pattern := r[0], r[1]
		path := parameter.ReplaceAllString(strings.Replace(pattern, "{realm}", "lenient", 1), "x")
		for who, c := range map[string]struct {
			bearer string
			want   int
		}{
			"nobody": {"", 401}, "nonsense": {"Bearer x.y.z", 401}, "an ordinary user": {ordinary, 403}, "an administrator of another realm": {boss, 403},
		} {
			if who == "an administrator of another realm" && !strings.Contains(pattern, "{realm}") && method == http.MethodGet {
				continue // the list of realms shows their own; serverinfo is for all administrators
			}
			a := s.adminAt(c.bearer, method, path, "{}")
			if a.status != c.want {
				t.Errorf("%s %s as %s: %d %s, want %d", method, pattern, who, a.status, a.body, c.want)
			}
		}
	}
}

// promoted gives the token of an administrator of the realm office.
func (s *server) promoted(n names) string {
	s.t.Helper()
	in, err := s.store.RealmByName(s.t.Context(), "office")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.store.SetUserRoles(s.t.Context(), in.ID, n.user["alice"], []string{n.role["realm-admin"]}, nil); err != nil {
		s.t.Fatal(err)
	}
	return s.bearer("office", "alice")
}

// L7, L8 (CVE-2025-14777, CVE-2025-27507 and others): an id of another realm is no
// id at all, in every place of every route.
func TestS120IdsOfAnotherRealmAreNobody(t *testing.T) {
	s := start(t, nil)
	own, _ := s.office()
	boss := s.promoted(own)
	if _, err := s.manage.CreateRealm(t.Context(), []byte(strings.NewReplacer(`"realm":"office"`, `"realm":"next"`, "boss-password", "next-password",
		`"name":"harmless"`, `"name":"of-next"`).Replace(office)), false); err != nil {
		t.Fatal(err)
	}
	foreign := s.names("next")
	before := s.admin(s.adminBearer(), http.MethodGet, "next", "/users", "").body
	fill := func(pattern string, first, rest names) string {
		parts := strings.Split(pattern, "/")
		n := first
		for i, p := range parts {
			value, isID := map[string]string{"{user}": n.user["bob"], "{group}": n.group["staff"], "{client}": n.client["plain"], "{of}": n.client["app"], "{scope}": n.scope["words"],
				"{mapper}": "x", "{credential}": "next-password", "{after}": "next-password", "{session}": "x", "{role}": n.known(), "{protocol}": "openid-connect", "{path...}": "nothing"}[p]
			if strings.HasPrefix(pattern, "realms/{realm}/roles-by-id") && p == "{role}" {
				value = n.role[n.known()]
			}
			if isID {
				parts[i], n = value, rest
			}
		}
		return strings.Join(parts[2:], "/")
	}
	crawled := 0
	for _, r := range adminapi.Routes() {
		method, pattern := r[0], r[1]
		ids := strings.Count(strings.TrimPrefix(pattern, "realms/{realm}"), "{") - strings.Count(pattern, "{protocol}")
		if ids == 0 || !strings.Contains(pattern, "{realm}") || strings.Contains(pattern, "attack-detection") { // counters of nobody are zero, as Keycloak's
			continue
		}
		paths := []string{fill(pattern, foreign, foreign)}
		if ids > 1 {
			paths = append(paths, fill(pattern, own, foreign))
		}
		for _, path := range paths {
			body := `{"name":"taken-over","type":"password","value":"x","protocolMapper":"oidc-sub-mapper"}`
			if strings.Contains(path, "mappings/") || strings.HasSuffix(path, "composites") {
				body = `[{"id":"` + foreign.role["of-next"] + `","name":"of-next"}]`
			}
			crawled++
			if a := s.admin(boss, method, "office", "/"+path, body); a.status != http.StatusNotFound {
				t.Errorf("%s %s (%s): %d %s, want 404", method, pattern, path, a.status, a.body)
			}
		}
	}
	if crawled < 80 {
		t.Fatalf("only %d requests", crawled)
	}
	if d := cmp.Diff(before, s.admin(s.adminBearer(), http.MethodGet, "next", "/users", "").body); d != "" {
		t.Errorf("the other realm changed: %s", d)
	}
}

// A change that is refused leaves no trace: not even in what is kept in memory,
// which a decoder would write into.
func TestARefusedChangeChangesNothing(t *testing.T) {
	s := start(t, nil)
	n, alice := s.office()
	path := "/clients/" + n.client["plain"]
	if a := s.admin(alice, http.MethodPut, "office", path, `{"redirectUris":["https://good.example/cb"],"webOrigins":["https://good.example"],
		"protocolMappers":[{"name":"m","protocol":"openid-connect","protocolMapper":"oidc-hardcoded-claim-mapper","config":{"claim.name":"a"}}]}`); a.status != http.StatusNoContent {
		t.Fatal(a.status, a.body)
	}
	before := s.admin(alice, http.MethodGet, "office", path, "").body
	if a := s.admin(alice, http.MethodPut, "office", path, `{"redirectUris":["javascript:alert(1)"],"webOrigins":["https://evil.example"],
		"protocolMappers":[{"config":{"claim.name":"b"}}]}`); a.status != http.StatusBadRequest {
		t.Fatal(a.status, a.body)
	}
	if d := cmp.Diff(before, s.admin(alice, http.MethodGet, "office", path, "").body); d != "" {
		t.Error(d)
	}
}

// The password of the mail server never comes back, not to the server's
// administrator either; saving what GET gave keeps it.
func TestS118ThirdPartySecretsAreMasked(t *testing.T) {
	s := start(t, nil)
	s.office()
	admin, mail := s.adminBearer(), `{"smtpServer":{"host":"mail","password":"opens-the-mail"}}`
	if a := s.admin(admin, http.MethodPut, "office", "", mail); a.status != http.StatusNoContent {
		t.Fatal(a.status, a.body)
	}
	shown := s.admin(admin, http.MethodGet, "office", "", "")
	if shown.status != http.StatusOK || strings.Contains(shown.body, "opens-the-mail") || !strings.Contains(shown.body, `"password":"**********"`) {
		t.Fatal(shown.status, shown.body)
	}
	if all := s.adminAt(admin, http.MethodGet, "realms", ""); strings.Contains(all.body, "opens-the-mail") {
		t.Error("the list of realms shows it")
	}
	if a := s.admin(admin, http.MethodPut, "office", "", shown.body); a.status != http.StatusNoContent {
		t.Fatal(a.status, a.body)
	}
	r, err := s.store.RealmByName(t.Context(), "office")
	if err != nil {
		t.Fatal(err)
	}
	if kept := string(r.Extra["smtpServer"]); !strings.Contains(kept, "opens-the-mail") {
		t.Errorf("it keeps %s", kept)
	}
}

// What another node has written before a request came in counts for its rights,
// also within the second in which the cache does not look around.
func TestS120RightsAreDecidedOnWhatIs(t *testing.T) {
	o := store.Options{Path: filepath.Join(t.TempDir(), "latchkey.db")}
	still := time.Now()
	s := start(t, func(c *provider.Config) {
		o.Seal, o.Now = c.Seal, func() time.Time { return still } // nobody looks around by the clock
		c.Store = storetest.Place{Options: o}.Open(t, nil)
		t.Cleanup(func() { _ = c.Store.Close() })
	})
	s.store = storetest.Place{Options: o}.Open(t, nil) // the other node
	n, alice := s.office()
	staff := "/groups/" + n.group["staff"] + "/role-mappings/realm"
	if a := s.admin(alice, http.MethodGet, "office", "/roles", ""); a.status != http.StatusOK { // the roles are in the cache from then on
		t.Fatal(a.status, a.body)
	}
	in, err := s.store.RealmByName(t.Context(), "office")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.SetComposites(t.Context(), in.ID, n.role["other"], []string{n.role["realm-admin"]}, nil); err != nil {
		t.Fatal(err)
	}
	if a := s.admin(alice, http.MethodPost, "office", staff, `[{"id":"`+n.role["other"]+`"}]`); a.status != http.StatusForbidden {
		t.Errorf("a role that has just got a right: %d %s", a.status, a.body)
	}
}

// A right to ask is none to see (Keycloak 26.7.4 answers the same): lists hold what
// another right shows, and a realm's settings are for those who may view them.
func TestS120LittleRightsSeeLittle(t *testing.T) {
	s := start(t, nil)
	users := []string{}
	for _, right := range []string{"query-users", "query-clients", "query-groups", "view-users", "manage-users", "view-realm", "view-clients"} {
		users = append(users, `{"username":"`+right+`","enabled":true,"email":"`+right+`@example.com","firstName":"A","lastName":"L",
			"credentials":[{"type":"password","value":"`+alicesPass+`"}],"clientRoles":{"realm-management":["`+right+`"]}}`)
	}
	doc := `{"realm":"little","enabled":true,"displayName":"its settings","groups":[{"name":"g","subGroups":[{"name":"below"}]}],"roles":{"realm":[{"name":"harmless"}]},
		"clients":[{"clientId":"app","secret":"` + appSecret + `","directAccessGrantsEnabled":true}],"users":[` + strings.Join(users, ",") + `]}`
	if _, err := s.manage.CreateRealm(t.Context(), []byte(doc), false); err != nil {
		t.Fatal(err)
	}
	n := s.names("little")
	for _, c := range []struct {
		right, path string
		want        int
		sees        bool
	}{
		{"query-users", "/users", 200, false},
		{"query-users", "/roles", 403, false},
		{"query-clients", "/clients", 200, false},
		{"query-groups", "/groups", 200, false},
		{"query-groups", "/groups/" + n.group["g"] + "/children", 403, false},
		{"view-users", "/users", 200, true},
		{"view-users", "/groups", 200, true},
		{"view-users", "/roles", 403, false},
		{"view-users", "/roles/harmless", 403, false},
		{"view-users", "/roles/harmless/users", 403, false},
		{"manage-users", "/roles/harmless/groups", 403, false},
		{"view-realm", "/roles/harmless/users", 403, false},
		{"view-realm", "/roles", 200, true},
		{"view-users", "/users/" + n.user["view-users"] + "/role-mappings/realm/available", 200, false},
		{"manage-users", "/users/" + n.user["view-users"] + "/role-mappings/realm/available", 200, true},
		{"view-clients", "/clients", 200, true},
	} {
		t.Run(c.right+" "+c.path, func(t *testing.T) {
			a := s.admin(s.bearer("little", c.right), http.MethodGet, "little", c.path, "")
			if a.status != c.want || (a.status == http.StatusOK && (strings.TrimSpace(a.body) != "[]") != c.sees) {
				t.Errorf("got %d %s, want %d and something: %v", a.status, a.body, c.want, c.sees)
			}
		})
	}
	for right, sees := range map[string]bool{"query-users": false, "manage-users": false, "view-clients": false, "view-realm": true} {
		a := s.adminAt(s.bearer("little", right), http.MethodGet, "realms", "")
		if a.status != http.StatusOK || strings.Contains(a.body, "its settings") != sees || !strings.Contains(a.body, `"realm":"little"`) {
			t.Errorf("%s: the list of realms is %d %s", right, a.status, a.body)
		}
	}
}
