package realm_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/realm"
)

func extraOf(t *testing.T, members map[string]any) map[string]json.RawMessage {
	t.Helper()
	out := map[string]json.RawMessage{}
	for name, v := range members {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = b
	}
	return out
}

func setting(alias string, enabled, byDefault bool, priority int) map[string]any {
	return map[string]any{"alias": alias, "enabled": enabled, "defaultAction": byDefault, "priority": priority}
}

func ownProfile(config string) map[string]any {
	return map[string]any{"components": map[string]any{"org.keycloak.userprofile.UserProfileProvider": []any{
		map[string]any{"providerId": "declarative-user-profile", "config": map[string]any{"kc.user.profile.config": []string{config}}}}}}
}

func TestPendingAction(t *testing.T) {
	whole := realm.User{Username: "alice", Email: "alice@example.com", FirstName: "Alice", LastName: "Liddell"}
	with := func(change func(u *realm.User)) realm.User { u := whole; change(&u); return u }
	for _, c := range []struct {
		name  string
		realm string
		extra map[string]any
		user  realm.User
		want  string
	}{
		{"nothing", "demo", nil, whole, ""},
		{"a new password", "demo", nil, with(func(u *realm.User) { u.RequiredActions = []string{"UPDATE_PASSWORD"} }), "UPDATE_PASSWORD"},
		{"by priority", "demo", nil, with(func(u *realm.User) { u.RequiredActions = []string{"UPDATE_PASSWORD", "UPDATE_PROFILE"} }), "UPDATE_PROFILE"},
		{"by the realm's priority", "demo", map[string]any{"requiredActions": []any{setting("UPDATE_PASSWORD", true, false, 1)}},
			with(func(u *realm.User) { u.RequiredActions = []string{"UPDATE_PASSWORD", "UPDATE_PROFILE"} }), "UPDATE_PASSWORD"},
		{"switched off in the realm", "demo", map[string]any{"requiredActions": []any{setting("UPDATE_PASSWORD", false, false, 1)}},
			with(func(u *realm.User) { u.RequiredActions = []string{"UPDATE_PASSWORD"} }), ""},
		{"settings that do not parse switch nothing off", "demo", map[string]any{"requiredActions": "x"},
			with(func(u *realm.User) { u.RequiredActions = []string{"UPDATE_PASSWORD"} }), "UPDATE_PASSWORD"},
		{"no first name", "demo", nil, with(func(u *realm.User) { u.FirstName = "" }), "VERIFY_PROFILE"},
		{"no address", "demo", nil, with(func(u *realm.User) { u.Email = "" }), "VERIFY_PROFILE"},
		{"the users of master need neither", "master", nil, realm.User{Username: "admin"}, ""},
		{"a service account", "demo", nil, realm.User{Username: "service-account-app", ServiceAccountClient: "c", RequiredActions: []string{"UPDATE_PASSWORD"}}, ""},
		{"VERIFY_PROFILE with a whole profile", "demo", nil, with(func(u *realm.User) { u.RequiredActions = []string{"VERIFY_PROFILE"} }), ""},
		{"a profile of the realm's own that requires nothing", "demo", ownProfile(`{"attributes":[{"name":"username"},{"name":"email"}]}`), realm.User{Username: "alice"}, ""},
		{"one that requires an attribute", "demo", ownProfile(`{"attributes":[{"name":"team","required":{"roles":["user"]},"permissions":{"edit":["user"]}}]}`), whole, "VERIFY_PROFILE"},
		{"required of administrators alone", "demo", ownProfile(`{"attributes":[{"name":"team","required":{"roles":["admin"]}}]}`), whole, ""},
		{"required, and not for the person to write", "demo", ownProfile(`{"attributes":[{"name":"team","required":{},"permissions":{"edit":["admin"]}}]}`), whole, ""},
		{"a profile that does not parse is Keycloak's", "demo", ownProfile(`{`), realm.User{Username: "alice"}, "VERIFY_PROFILE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := realm.PendingAction(&realm.Realm{Name: c.realm, Extra: extraOf(t, c.extra)}, &c.user); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestDefaultActions(t *testing.T) {
	r := &realm.Realm{Extra: extraOf(t, map[string]any{"requiredActions": []any{
		setting("UPDATE_PASSWORD", true, true, 1), setting("CONFIGURE_TOTP", true, true, 2), setting("VERIFY_EMAIL", false, true, 3), setting("UPDATE_PROFILE", true, false, 4)}})}
	if d := cmp.Diff([]string{"UPDATE_PASSWORD", "CONFIGURE_TOTP"}, realm.DefaultActions(r)); d != "" {
		t.Error(d)
	}
}

func TestCheckProfileValue(t *testing.T) {
	for _, c := range []struct {
		name, value string
		required    bool
		want        realm.ValueProblem
	}{
		{"firstName", "Zoë", true, ""},
		{"firstName", "", true, realm.ValueMissing},
		{"firstName", " \t", true, realm.ValueMissing},
		{"firstName", "", false, ""},
		{"firstName", "<script>", true, realm.ValueCharacter},
		{"lastName", "a\x00b", true, realm.ValueCharacter},
		{"lastName", "\xff", true, realm.ValueCharacter},
		{"lastName", strings.Repeat("é", 255), true, ""},
		{"lastName", strings.Repeat("é", 256), true, realm.ValueLength},
		{"email", "alice@example.com", true, ""},
		{"email", "alice", true, realm.ValueEmail},
		{"email", "Alice <alice@example.com>", true, realm.ValueEmail},
		{"email", "alice@example.com,mallory@evil.example", true, realm.ValueEmail},
		{"email", "alice@example.com\r\nBcc: x@evil.example", true, realm.ValueCharacter},
		{"username", "al", true, realm.ValueLength},
		{"username", "alice cooper", true, realm.ValueCharacter},
		{"team", strings.Repeat("x", 2048), true, ""},
		{"team", strings.Repeat("x", 2049), true, realm.ValueLength},
	} {
		if got := realm.CheckProfileValue(realm.UserAttribute{Name: c.name, Required: c.required}, c.value); got != c.want {
			t.Errorf("%s %.40q: got %q, want %q", c.name, c.value, got, c.want)
		}
	}
}

func TestAnotherAddressIsNotVerified(t *testing.T) {
	u := realm.User{Email: "alice@example.com", EmailVerified: true, Attributes: map[string][]string{"team": {"a"}}}
	realm.SetProfileValue(&u, "email", " Alice@Example.com ")
	if !u.EmailVerified {
		t.Error("the same address is verified no more")
	}
	before := u.Attributes
	realm.SetProfileValue(&u, "team", "b")
	realm.SetProfileValue(&u, "email", "mallory@example.com")
	if u.EmailVerified || before["team"][0] != "a" || realm.ProfileValue(&u, "team") != "b" {
		t.Errorf("%+v, before %v", u, before)
	}
}
