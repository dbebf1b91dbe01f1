package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kcadm is Keycloak's own command line against a server of ours.
type kcadm struct {
	t            *testing.T
	base, config string
	script       string
}

// run gives what a command wrote to its output; a command that fails ends the test.
func (k kcadm) run(args ...string) string {
	k.t.Helper()
	out, err := k.try(args...)
	if err != nil {
		k.t.Fatalf("kcadm.sh %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func (k kcadm) try(args ...string) (string, error) {
	k.t.Helper()
	cmd := exec.CommandContext(k.t.Context(), k.script, append(args, "--config", k.config)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, k.t.Output()
	// Short-lived: the compiler of Java's second tier and many threads only cost.
	cmd.Env = append(os.Environ(), "KC_OPTS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto")
	err := cmd.Run()
	return strings.TrimSpace(out.String()), err
}

func (k kcadm) json(into any, args ...string) {
	k.t.Helper()
	out := k.run(args...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		k.t.Fatalf("%v: %s", err, out)
	}
}

// startKcadm starts a server and logs its administrator in with kcadm.
func startKcadm(t *testing.T) kcadm {
	t.Helper()
	home := os.Getenv("LATCHKEY_TEST_KEYCLOAK_HOME")
	if home == "" && os.Getenv("LATCHKEY_TEST_FULL") == "1" {
		t.Fatal("LATCHKEY_TEST_KEYCLOAK_HOME has to name the folder of a Keycloak")
	}
	if home == "" {
		t.Skip("LATCHKEY_TEST_KEYCLOAK_HOME names no folder of a Keycloak")
	}
	addr := freeAddr(t)
	base := "http://" + addr
	cmd := exec.CommandContext(t.Context(), builtLatchkey(t), "serve", "--data", filepath.Join(t.TempDir(), "data"), "--addr", addr,
		"--management-addr", freeAddr(t), "--url", base, "--admin", "admin")
	cmd.Env = append(os.Environ(), "LATCHKEY_ADMIN_PASSWORD=the first password")
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	waitFor(t, base+"/realms/master")
	k := kcadm{t, base, filepath.Join(t.TempDir(), "kcadm.config"), filepath.Join(home, "bin", "kcadm.sh")}
	k.run("config", "credentials", "--server", base, "--realm", "master", "--user", "admin", "--password", "the first password")
	return k
}

// A script of somebody who runs Keycloak sets a realm up, unchanged.
func TestKcadmSetsARealmUp(t *testing.T) {
	k := startKcadm(t)
	k.run("create", "realms", "-s", "realm=shop", "-s", "enabled=true")
	client := k.clients()
	k.roles(client)
	team := k.groups()
	user := k.user(team)
	k.look(client, user)
	k.logIn(user)
	k.takeAway(client, user)
}

func (k kcadm) clients() (id string) {
	id = k.run("create", "clients", "-r", "shop", "-s", "clientId=web", "-s", "secret=web-secret", "-s", `redirectUris=["https://shop.example/*"]`,
		"-s", "directAccessGrantsEnabled=true", "-s", "serviceAccountsEnabled=true", "-s",
		`protocolMappers=[{"name":"groups","protocol":"openid-connect","protocolMapper":"oidc-group-membership-mapper","config":{"claim.name":"groups","full.path":"true","access.token.claim":"true"}}]`, "-i")
	if found := k.run("get", "clients", "-r", "shop", "-q", "clientId=web", "--fields", "id", "--format", "csv", "--noquotes"); found != id {
		k.t.Errorf("the client is %q, made was %q", found, id)
	}
	k.run("update", "clients/"+id, "-r", "shop", "-s", `webOrigins=["+"]`)
	k.run("update", "realms/shop", "-s", "accessTokenLifespan=120")
	var realm map[string]any
	k.json(&realm, "get", "realms/shop", "--fields", "realm,enabled,accessTokenLifespan")
	if d := cmp.Diff(map[string]any{"realm": "shop", "enabled": true, "accessTokenLifespan": 120.0}, realm); d != "" {
		k.t.Error(d)
	}
	return id
}

func (k kcadm) roles(client string) {
	for _, name := range []string{"customer", "vip"} {
		k.run("create", "roles", "-r", "shop", "-s", "name="+name)
	}
	k.run("create", "clients/"+client+"/roles", "-r", "shop", "-s", "name=editor", "-s", "description=May write")
	k.run("add-roles", "-r", "shop", "--rname", "vip", "--rolename", "customer")
	k.run("add-roles", "-r", "shop", "--rname", "vip", "--cclientid", "web", "--rolename", "editor")
	k.run("add-roles", "-r", "shop", "--uusername", "service-account-web", "--cclientid", "realm-management", "--rolename", "view-users")
}

func (k kcadm) groups() (team string) {
	people := k.run("create", "groups", "-r", "shop", "-s", "name=people", "-i")
	team = k.run("create", "groups/"+people+"/children", "-r", "shop", "-s", "name=team", "-i")
	k.run("create", "roles", "-r", "shop", "-s", "name=person")
	k.run("add-roles", "-r", "shop", "--gname", "people", "--rolename", "person")
	k.run("add-roles", "-r", "shop", "--gid", team, "--cclientid", "account", "--rolename", "view-groups")
	return team
}

func (k kcadm) user(team string) (id string) {
	id = k.run("create", "users", "-r", "shop", "-s", "username=ann", "-s", "enabled=true", "-s", "email=ann@example.com", "-s", "firstName=Ann", "-s", "lastName=Ash", "-i")
	k.run("set-password", "-r", "shop", "--username", "ann", "--new-password", "the first", "--temporary")
	var got map[string]any
	k.json(&got, "get", "users/"+id, "-r", "shop", "--fields", "username,requiredActions")
	if d := cmp.Diff(map[string]any{"username": "ann", "requiredActions": []any{"UPDATE_PASSWORD"}}, got); d != "" {
		k.t.Error(d)
	}
	k.run("set-password", "-r", "shop", "--username", "ann", "--new-password", "the second")
	k.run("update", "users/"+id, "-r", "shop", "-s", "requiredActions=[]")
	k.run("add-roles", "-r", "shop", "--uusername", "ann", "--rolename", "vip")
	k.run("add-roles", "-r", "shop", "--uusername", "ann", "--cclientid", "realm-management", "--rolename", "view-users")
	k.run("update", "users/"+id+"/groups/"+team, "-r", "shop", "-s", "realm=shop", "-s", "userId="+id, "-s", "groupId="+team, "-n")
	return id
}

func (k kcadm) look(client, user string) {
	for _, c := range []struct {
		want []string
		args []string
	}{
		{[]string{"customer", "default-roles-shop", "offline_access", "person", "uma_authorization", "vip"}, []string{"get-roles", "-r", "shop", "--uusername", "ann", "--effective"}},
		{[]string{"editor"}, []string{"get-roles", "-r", "shop", "--uusername", "ann", "--cclientid", "web", "--effective"}},
		{[]string{"person"}, []string{"get-roles", "-r", "shop", "--gname", "people"}},
		{[]string{"team"}, []string{"get", "users/" + user + "/groups", "-r", "shop"}},
		{[]string{"editor"}, []string{"get", "clients/" + client + "/roles", "-r", "shop"}},
	} {
		var found []struct{ Name string }
		k.json(&found, c.args...)
		var names []string
		for _, f := range found {
			names = append(names, f.Name)
		}
		slices.Sort(names)
		if d := cmp.Diff(c.want, names); d != "" {
			k.t.Errorf("%v: %s", c.args, d)
		}
	}
}

// logIn: what was set up is in the token, and a logout ends it.
func (k kcadm) logIn(user string) {
	form := url.Values{"grant_type": {"password"}, "client_id": {"web"}, "client_secret": {"web-secret"}, "username": {"ann"}, "password": {"the second"}}
	tokens := k.post(form)
	access, _ := tokens["access_token"].(string)
	parts := strings.Split(access, ".")
	if len(parts) != 3 {
		k.t.Fatalf("no token: %v", tokens)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		k.t.Fatal(err)
	}
	var claims struct {
		Realm struct {
			Roles []string `json:"roles"`
		} `json:"realm_access"`
		Clients map[string]struct {
			Roles []string `json:"roles"`
		} `json:"resource_access"`
		Groups []string `json:"groups"`
	}
	if err := json.Unmarshal(raw, &claims); err != nil {
		k.t.Fatal(err)
	}
	for _, role := range []string{"vip", "customer", "person"} {
		if !slices.Contains(claims.Realm.Roles, role) {
			k.t.Errorf("role %s is not in the token: %s", role, raw)
		}
	}
	if !slices.Contains(claims.Clients["web"].Roles, "editor") || !slices.Contains(claims.Clients["account"].Roles, "view-groups") ||
		!slices.Contains(claims.Clients["realm-management"].Roles, "view-users") {
		k.t.Errorf("roles of clients are not in the token: %s", raw)
	}
	if d := cmp.Diff([]string{"/people/team"}, claims.Groups); d != "" {
		k.t.Error(d)
	}
	k.run("create", "users/"+user+"/logout", "-r", "shop", "-s", "realm=shop", "-s", "user="+user)
	refresh, _ := tokens["refresh_token"].(string)
	if after := k.post(url.Values{"grant_type": {"refresh_token"}, "client_id": {"web"}, "client_secret": {"web-secret"}, "refresh_token": {refresh}}); after["error"] != "invalid_grant" {
		k.t.Errorf("refreshed after the logout: %v", after)
	}
}

func (k kcadm) post(form url.Values) (out map[string]any) {
	k.t.Helper()
	resp, err := (&http.Client{Timeout: 10 * time.Second}).PostForm(k.base+"/realms/shop/protocol/openid-connect/token", form)
	if err != nil {
		k.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		k.t.Fatal(err)
	}
	return out
}

func (k kcadm) takeAway(client, user string) {
	k.run("remove-roles", "-r", "shop", "--uusername", "ann", "--cclientid", "realm-management", "--rolename", "view-users")
	k.run("delete", "roles/customer", "-r", "shop")
	if out, err := k.try("get", "roles/customer", "-r", "shop"); err == nil {
		k.t.Errorf("the role is there: %s", out)
	}
	k.run("delete", "users/"+user, "-r", "shop")
	k.run("delete", "clients/"+client, "-r", "shop")
	k.run("delete", "realms/shop")
	if out, err := k.try("get", "realms/shop"); err == nil {
		k.t.Errorf("the realm is there: %s", out)
	}
}
