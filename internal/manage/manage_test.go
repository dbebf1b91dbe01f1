package manage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/seal"
	"github.com/latchkey-id/latchkey/internal/store"
)

func manager(t *testing.T) *manage.Manager {
	t.Helper()
	ring, err := seal.NewRing(seal.RandomSecret())
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{Memory: true, Seal: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	pool, err := password.NewPool(1, password.Cost{MemoryKiB: 64, Time: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &manage.Manager{Store: s, Passwords: pool, Now: time.Now}
}

func export(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/keycloak-26.7.4-realm.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const erinsAction = "users[erin].requiredActions[CONFIGURE_TOTP]"

// weaker is the export with an action that is not done here.
func weaker(t *testing.T) []byte {
	t.Helper()
	return bytes.Replace(export(t), []byte(`"UPDATE_PASSWORD"`), []byte(`"CONFIGURE_TOTP"`), -1)
}

// Fail closed: the file names a required action that is not done here.
func TestImportStopsAtWhatIsNotEnforced(t *testing.T) {
	m := manager(t)
	_, _, err := m.Import(t.Context(), weaker(t), nil)
	e, ok := errors.AsType[*manage.WeakerError](err)
	if !ok || !slices.Equal(e.Paths, []string{erinsAction}) {
		t.Fatalf("got %v", err)
	}
	if _, err := m.Store.RealmByName(t.Context(), "guide"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half of it was written: %v", err)
	}
	if _, _, err := m.Import(t.Context(), weaker(t), []string{"passwordPolicy"}); err == nil {
		t.Error("accepting another path lets it through")
	}
}

func TestImportOfAnUnchangedExport(t *testing.T) {
	m := manager(t)
	ctx := t.Context()
	name, made, err := m.Import(ctx, export(t), nil)
	if err != nil || !made || name != "guide" {
		t.Fatal(name, made, err)
	}
	r, err := m.Store.RealmByName(ctx, "guide")
	if err != nil || r.DisplayName != "Guide Realm" || r.Strict() {
		t.Errorf("%+v, %v", r, err)
	}
	c, err := m.Store.ClientByClientID(ctx, r.ID, "guide-app")
	if err != nil || !c.ServiceAccounts || !slices.Contains(c.DefaultScopes, "email") {
		t.Errorf("%+v, %v", c, err)
	}
	if secret, err := m.Store.ClientSecret(ctx, r.ID, c.ID); err != nil || secret != "guide-secret" {
		t.Errorf("secret %q, %v", secret, err)
	}
	if u, err := m.Store.ServiceAccountUser(ctx, r.ID, c.ID); err != nil || u.Username != "service-account-guide-app" {
		t.Errorf("service account: %+v, %v", u, err)
	}
	alice, err := m.Store.UserByUsername(ctx, r.ID, "alice")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"default-roles-guide", "editor"}, roleNames(t, m, r, alice.ID)); d != "" {
		t.Error(d)
	}
	if groups, err := m.Store.UserGroups(ctx, r.ID, alice.ID); err != nil || len(groups) != 1 {
		t.Errorf("groups %v, %v", groups, err)
	}
	if _, made, err := m.Import(ctx, export(t), nil); made || err != nil {
		t.Errorf("a realm that exists stays as it is: %v, %v", made, err)
	}
}

func roleNames(t *testing.T, m *manage.Manager, r *realm.Realm, userID string) []string {
	t.Helper()
	table, err1 := m.Store.Roles(t.Context(), r.ID)
	direct, _, err2 := m.Store.UserRoles(t.Context(), r.ID, userID)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, id := range direct {
		names = append(names, table.ByID[id].Name)
	}
	slices.Sort(names)
	return names
}

func TestImportRefuses(t *testing.T) {
	for _, c := range []struct{ name, doc, want string }{
		{"no name", `{"enabled":true}`, "Realm name cannot be empty"},
		{"a slash", `{"realm":"a/b"}`, "Character '/' not allowed."},
		{"a dot-dot", `{"realm":".."}`, "realm's name"},
		{"an unknown member", `{"realm":"x","foo":1}`, "foo"},
		{"a user with a group that is not there", `{"realm":"x","users":[{"username":"bob","groups":["/nowhere"]}]}`, "/nowhere"},
		{"a user with a role that is not there", `{"realm":"x","users":[{"username":"bob","realmRoles":["king"]}]}`, "king"},
		{"a composite of a role that is not there", `{"realm":"x","roles":{"realm":[{"name":"a","composite":true,"composites":{"realm":["king"]}}]}}`, "king"},
		{"roles of a client that is not there", `{"realm":"x","roles":{"client":{"ghost":[{"name":"a"}]}}}`, "ghost"},
		{"a hash of an unknown kind", `{"realm":"x","users":[{"username":"bob","credentials":[{"type":"password","credentialData":"{\"algorithm\":\"md5\",\"hashIterations\":1}","secretData":"{\"value\":\"AAAAAAAAAAAAAAAAAAAAAA==\",\"salt\":\"AAAA\"}"}]}]}`, "bob"},
		{"a redirect URI that runs code", `{"realm":"x","clients":[{"clientId":"a","redirectUris":["javascript:alert(1)"]}]}`, "illegal scheme"},
		{"two users with one name", `{"realm":"x","users":[{"username":"bob"},{"username":"BOB"}]}`, "exists already"},
		{"a user with a short name", `{"realm":"x","users":[{"username":"bo"}]}`, "error-invalid-length"},
		{"an address that is none", `{"realm":"x","users":[{"username":"bob","email":"bob"}]}`, "error-invalid-email"},
		{"a lifespan of nothing", `{"realm":"x","accessTokenLifespan":0}`, "accessTokenLifespan"},
		{"not JSON", `realm: x`, "JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := manager(t)
			_, made, err := m.Import(t.Context(), []byte(c.doc), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v (made %v), want %q", err, made, c.want)
			}
			if all, err := m.Store.Realms(t.Context()); err != nil || len(all) != 0 {
				t.Errorf("%d realms afterwards, %v", len(all), err)
			}
		})
	}
}

func TestEveryWeakerSettingIsNamed(t *testing.T) {
	doc := `{"realm":"x","bruteForceProtected":true,"permanentLockout":true,"verifyEmail":true,"passwordPolicy":"length(8)","browserFlow":"mine",
		"clients":[{"clientId":"a","consentRequired":true},{"clientId":"b","authenticationFlowBindingOverrides":{"browser":"x"}}],
		"users":[{"username":"bob","credentials":[{"type":"otp","secretData":"{}","credentialData":"{}"}],"requiredActions":["CONFIGURE_TOTP"]}]}`
	_, _, err := manager(t).Import(t.Context(), []byte(doc), nil)
	e, ok := errors.AsType[*manage.WeakerError](err)
	if !ok {
		t.Fatal(err)
	}
	want := []string{"permanentLockout", "verifyEmail", "passwordPolicy", "browserFlow", "clients[a].consentRequired", "clients[b].authenticationFlowBindingOverrides",
		"users[bob].requiredActions[CONFIGURE_TOTP]", "users[bob].credentials[otp]"}
	slices.Sort(want)
	slices.Sort(e.Paths)
	if d := cmp.Diff(want, e.Paths); d != "" {
		t.Error(d)
	}
}

func TestFirstAdministratorIsMadeOnce(t *testing.T) {
	m := manager(t)
	ctx := t.Context()
	if err := errors.Join(m.EnsureMaster(ctx), m.EnsureMaster(ctx)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.CreateAdmin(ctx, "root", ""); err == nil {
		t.Error("an empty password")
	}
	link, err := m.SetupLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := m.SetupLinkWorks(ctx, "nonsense"); ok || err != nil {
		t.Error("any link works", err)
	}
	if err := m.UseSetupLink(ctx, link, "boss", "short"); err == nil {
		t.Error("a short password")
	}
	if err := m.UseSetupLink(ctx, link, "boss", "long enough"); err != nil {
		t.Fatal(err)
	}
	if err := m.UseSetupLink(ctx, link, "second", "long enough"); !errors.Is(err, store.ErrUsed) {
		t.Errorf("the link works twice: %v", err)
	}
	if made, err := m.CreateAdmin(ctx, "third", "long enough"); made || err != nil {
		t.Errorf("a server with an administrator: %v, %v", made, err)
	}
}

func TestResetPasswordEndsSessions(t *testing.T) {
	m := manager(t)
	ctx := t.Context()
	if err := m.EnsureMaster(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := m.CreateAdmin(ctx, "boss", "first"); err != nil {
		t.Fatal(err)
	}
	before := hashOf(ctx, t, m)
	if err := m.ResetPassword(ctx, "master", "boss", "second"); err != nil {
		t.Fatal(err)
	}
	if hashOf(ctx, t, m) == before {
		t.Error("the password is the old one")
	}
	for _, c := range []struct{ realm, user string }{{"nowhere", "boss"}, {"master", "nobody"}} {
		if err := m.ResetPassword(ctx, c.realm, c.user, "x"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func hashOf(ctx context.Context, t *testing.T, m *manage.Manager) string {
	t.Helper()
	r, err := m.Store.RealmByName(ctx, "master")
	if err != nil {
		t.Fatal(err)
	}
	u, err := m.Store.UserByUsername(ctx, r.ID, "boss")
	if err != nil {
		t.Fatal(err)
	}
	creds, err := m.Store.Credentials(ctx, r.ID, u.ID)
	if err != nil || len(creds) != 1 {
		t.Fatal(creds, err)
	}
	return creds[0].Secret
}

func TestClientsMadeByAMinimalPost(t *testing.T) {
	m := manager(t)
	r, err := m.CreateRealm(t.Context(), []byte(`{"realm":"x","enabled":true}`), false)
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.CreateClient(t.Context(), r, []byte(`{"clientId":"app"}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Public || !c.StandardFlow || c.DirectAccessGrants || !c.FullScopeAllowed {
		t.Errorf("%+v", c)
	}
	if secret, err := m.Store.ClientSecret(t.Context(), r.ID, c.ID); err != nil || len(secret) != 86 {
		t.Errorf("a secret of %d characters, %v", len(secret), err)
	}
	strict, err := m.CreateRealm(t.Context(), json.RawMessage(`{"realm":"y"}`), true)
	if err != nil || !strict.Strict() || !strict.On(realm.RequirePKCE, nil) || !strict.BruteForce.Protected || r.BruteForce.Protected || r.On(realm.RequirePKCE, nil) {
		t.Errorf("profiles: %v", err)
	}
}

// A service account is a new user like every other, as with Keycloak 26.7.4.
func TestServiceAccountsJoinTheDefaultGroups(t *testing.T) {
	m := manager(t)
	r, err := m.CreateRealm(t.Context(), []byte(`{"realm":"x","enabled":true,"groups":[{"name":"all"},{"name":"other"}],"defaultGroups":["/all"],
		"clients":[{"clientId":"in-file","serviceAccountsEnabled":true},{"clientId":"alone","serviceAccountsEnabled":true}],
		"users":[{"username":"service-account-alone","serviceAccountClientId":"alone"}]}`), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.CreateClient(t.Context(), r, []byte(`{"clientId":"made","serviceAccountsEnabled":true}`)); err != nil {
		t.Fatal(err)
	}
	later, err := m.CreateClient(t.Context(), r, []byte(`{"clientId":"later"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.UpdateClient(t.Context(), r, later.ID, []byte(`{"serviceAccountsEnabled":true}`)); err != nil {
		t.Fatal(err)
	}
	defaults, err := m.Store.DefaultGroups(t.Context(), r.ID)
	if err != nil || len(defaults) != 1 {
		t.Fatal(defaults, err)
	}
	for clientID, want := range map[string][]string{"in-file": defaults, "made": defaults, "later": defaults, "alone": {}} {
		c, err := m.Store.ClientByClientID(t.Context(), r.ID, clientID)
		if err != nil {
			t.Fatal(err)
		}
		u, err := m.Store.ServiceAccountUser(t.Context(), r.ID, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.Store.UserGroups(t.Context(), r.ID, u.ID); err != nil || !slices.Equal(got, want) {
			t.Errorf("the account of %s is in %v, not in %v (%v)", clientID, got, want, err)
		}
	}
}
