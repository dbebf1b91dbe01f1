package manage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
)

func testdata(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// written imports a file into a fresh server and exports the realm again.
func written(t *testing.T, doc []byte) (*manage.Manager, []byte) {
	t.Helper()
	m := manager(t)
	name, made, err := m.Import(t.Context(), doc, nil)
	if err != nil || !made {
		t.Fatalf("import: %v, made %v\n%.300s", err, made, doc)
	}
	out, err := m.Export(t.Context(), name, true)
	if err != nil {
		t.Fatal(err)
	}
	return m, out.Doc
}

func members(t *testing.T, doc []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(doc, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Export, import, export: the same file, byte for byte.
func TestExportComesBack(t *testing.T) {
	for _, c := range []struct{ name, doc string }{
		{"a realm with many kinds of hashes", string(testdata(t, "keycloak-26.7.4-realm.json"))},
		{"a realm with roles, groups, scopes and mappers", string(testdata(t, "keycloak-26.7.4-samefile.json"))},
		{"a realm that says nothing", `{"realm":"x"}`},
		{"a client without scopes, attributes, addresses", `{"realm":"x","clients":[{"clientId":"a","defaultClientScopes":[],"optionalClientScopes":[],"attributes":{},"redirectUris":[],"webOrigins":[]}]}`},
		{"a service account named after an address", `{"realm":"x","clients":[{"clientId":"https://api.example.com/v1","serviceAccountsEnabled":true}]}`},
		{"no default scopes", `{"realm":"x","defaultDefaultClientScopes":[],"defaultOptionalClientScopes":[]}`},
		{"one scope alone", `{"realm":"x","clientScopes":[{"name":"only","protocol":"openid-connect"}]}`},
		{"default roles that contain nothing", `{"realm":"x","roles":{"realm":[{"name":"default-roles-x"}]},"defaultRole":{"name":"default-roles-x"}}`},
		{"a built-in client role that contains nothing", `{"realm":"x","roles":{"client":{"realm-management":[{"name":"view-users","composites":{}}]}}}`},
		{"a user with no roles, and one with all that is unusual", `{"realm":"x","duplicateEmailsAllowed":true,"groups":[{"name":"a b","subGroups":[{"name":"<c>"}]}],"defaultGroups":["/a b"],"users":[
			{"username":"nobody","realmRoles":[],"email":"one@example.com"},{"username":"sömebody","email":"one@example.com","enabled":true,"notBefore":7,"groups":["/a b/<c>"],
			"attributes":{"a":["2","1",""]},"requiredActions":["UPDATE_PROFILE"],"firstName":"<i>&","createdTimestamp":1}]}`},
		{"slashes in the names of groups", `{"realm":"x","groups":[{"name":"a/b","subGroups":[{"name":"c/d"}]}],"defaultGroups":["/a/b/c/d"],"users":[{"username":"member","groups":["/a/b","/a/b/c/d"]}]}`},
		{"the strict profile", `{"realm":"x","attributes":{"latchkey.profile":"strict"},"bruteForceProtected":true,"displayNameHtml":"<b>x</b>","smtpServer":{"host":"mail"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, first := written(t, []byte(c.doc))
			_, second := written(t, first)
			if d := cmp.Diff(string(first), string(second)); d != "" {
				t.Error(d)
			}
		})
	}
}

// Keycloak finds a group in a file by its path with the slashes as they are.
func TestExportWritesPathsAsKeycloak(t *testing.T) {
	_, out := written(t, []byte(`{"realm":"x","groups":[{"name":"a/b","subGroups":[{"name":"c"}]}],"defaultGroups":["/a/b"],"users":[{"username":"member","groups":["/a/b/c"]}]}`))
	var f struct {
		Groups        []rep.Group
		DefaultGroups []string
		Users         []struct{ Groups []string }
	}
	if err := json.Unmarshal(out, &f); err != nil {
		t.Fatal(err)
	}
	got := []string{f.Groups[0].Path, f.Groups[0].SubGroups[0].Path, f.DefaultGroups[0], f.Users[0].Groups[0]}
	if d := cmp.Diff([]string{"/a/b", "/a/b/c", "/a/b", "/a/b/c"}, got); d != "" {
		t.Error(d)
	}
}

func TestImportRefusesAPathOfTwoGroups(t *testing.T) {
	const groups = `{"realm":"x","groups":[{"name":"a/b"},{"name":"a","subGroups":[{"name":"b"}]}]`
	for name, rest := range map[string]string{"a member": `,"users":[{"username":"member","groups":["/a/b"]}]}`, "a default group": `,"defaultGroups":["/a/b"]}`} {
		_, made, err := manager(t).Import(t.Context(), []byte(groups+rest), nil)
		if e, ok := errors.AsType[*manage.InvalidError](err); !ok || made || !strings.Contains(e.Text, "two groups have the path /a/b") {
			t.Errorf("%s: made %v, %v", name, made, err)
		}
	}
}

// What an unchanged export of Keycloak says, ours says too. The differences are
// named here, and there are no others.
func TestExportSaysWhatTheFileSaid(t *testing.T) {
	for _, file := range []string{"keycloak-26.7.4-realm.json", "keycloak-26.7.4-samefile.json"} {
		t.Run(file, func(t *testing.T) {
			_, out := written(t, testdata(t, file))
			want, got := members(t, testdata(t, file)), members(t, out)
			delete(want["components"].(map[string]any), "org.keycloak.keys.KeyProvider") // private keys
			byName := func(v any) any { return sorted(t, v) }
			for name := range want {
				if d := cmp.Diff(byName(want[name]), byName(got[name])); d != "" {
					t.Errorf("%s: %s", name, d)
				}
			}
			for name := range got {
				if _, ok := want[name]; !ok {
					t.Errorf("%s is in our file alone", name)
				}
			}
		})
	}
}

// sorted brings lists whose order means nothing into one order, and leaves out
// what only says that there is nothing.
func sorted(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			e = sorted(t, e)
			if list, ok := e.([]any); ok && len(list) == 0 {
				continue
			}
			if m, ok := e.(map[string]any); e == "" || ok && len(m) == 0 {
				continue
			}
			out[k] = e
		}
		return out
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, sorted(t, e))
		}
		slices.SortFunc(out, func(a, b any) int { return strings.Compare(key(t, a), key(t, b)) })
		return out
	}
	return v
}

func key(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Private keys are neither kept nor written: the database would hold them in
// clear, and a realm that is copied must not sign in the name of its original.
func TestPrivateKeysAreNotCarried(t *testing.T) {
	doc := testdata(t, "keycloak-26.7.4-realm.json")
	if !bytes.Contains(doc, []byte(`"privateKey"`)) {
		t.Fatal("the file holds no key: this test would hold for nothing")
	}
	m, out := written(t, doc)
	r, err := m.Store.RealmByName(t.Context(), "guide")
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"the export": string(out), "the database": string(r.Extra["components"])} {
		if strings.Contains(text, "KeyProvider") || strings.Contains(text, "privateKey") {
			t.Errorf("%s holds private keys", where)
		}
		if !strings.Contains(text, "ClientRegistrationPolicy") {
			t.Errorf("%s has lost the other components", where)
		}
	}
}

// A realm made through the administrators' calls: what was set there is written.
func TestExportOfARealmMadeHere(t *testing.T) {
	m := manager(t)
	ctx := t.Context()
	r, err := m.CreateRealm(ctx, []byte(`{"realm":"made","enabled":true}`), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.CreateClient(ctx, r, []byte(`{"clientId":"app","secret":"app-secret","serviceAccountsEnabled":true}`)); err != nil {
		t.Fatal(err)
	}
	u, err := m.CreateUser(ctx, r, []byte(`{"username":"alice","enabled":true,"credentials":[{"type":"password","value":"alice-password"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Export(ctx, "made", true)
	if err != nil || out.Users != 2 {
		t.Fatalf("%v, %+v", err, out)
	}
	var f struct {
		Attributes map[string]string
		Clients    []struct{ ClientID, Secret string }
		Users      []struct {
			ID, Username, ServiceAccountClientID string
			RealmRoles                           []string
			Credentials                          []rep.Credential
		}
	}
	if err := json.Unmarshal(out.Doc, &f); err != nil {
		t.Fatal(err)
	}
	if f.Attributes[realm.ProfileAttribute] != realm.ProfileStrict {
		t.Errorf("the profile is lost: %v", f.Attributes)
	}
	if i := slices.IndexFunc(f.Clients, func(c struct{ ClientID, Secret string }) bool { return c.ClientID == "app" }); i < 0 || f.Clients[i].Secret != "app-secret" {
		t.Errorf("clients %+v", f.Clients)
	}
	alice := f.Users[0]
	if alice.ID != u.ID || len(alice.Credentials) != 1 || !slices.Equal(alice.RealmRoles, []string{"default-roles-made"}) || f.Users[1].ServiceAccountClientID != "app" {
		t.Fatalf("users %+v", f.Users)
	}
	h := password.Hash{Data: alice.Credentials[0].CredentialData, Secret: alice.Credentials[0].SecretData}
	for pw, want := range map[string]bool{"alice-password": true, "another": false} {
		if ok, _, err := m.Passwords.Verify(ctx, pw, h); ok != want || err != nil {
			t.Errorf("the hash says %v, %v to %q", ok, err, pw)
		}
	}
	without, err := m.Export(ctx, "made", false)
	if err != nil || without.Users != 1 || bytes.Contains(without.Doc, []byte(`"alice"`)) || !bytes.Contains(without.Doc, []byte("service-account-app")) {
		t.Errorf("without users: %v, %d users", err, without.Users)
	}
}

// A file does not accept its own weaker settings: whoever imports it does.
func TestAFileDoesNotAcceptItself(t *testing.T) {
	m := manager(t)
	if _, _, err := m.Import(t.Context(), weaker(t), []string{erinsAction}); err != nil {
		t.Fatal(err)
	}
	out, err := m.Export(t.Context(), "guide", true)
	if err != nil || !bytes.Contains(out.Doc, []byte(realm.AcceptedAttribute)) {
		t.Fatalf("%v; the export names what was accepted", err)
	}
	if _, made, err := manager(t).Import(t.Context(), out.Doc, nil); err == nil || made {
		t.Error("a file that names a weaker setting as accepted came in without a word")
	}
}
