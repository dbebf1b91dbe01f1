package rep

import (
	"encoding/json"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// keyProviders is the kind of components that hold a realm's private keys.
const keyProviders = "org.keycloak.keys.KeyProvider"

// withoutKeys takes the key providers out of components: what they hold are
// private keys in clear, which neither the database nor an export may contain.
// Whoever imports a realm makes keys of its own.
func withoutKeys(components json.RawMessage) json.RawMessage {
	var kinds map[string]json.RawMessage
	if json.Unmarshal(components, &kinds) != nil || kinds[keyProviders] == nil {
		return components
	}
	delete(kinds, keyProviders)
	out, _ := json.Marshal(kinds) // texts and what was JSON already
	return out
}

// EncodeFile is a realm file: the realm's own settings, those that GET hides
// included, and what f holds. It leaves out what is empty or absent.
func EncodeFile(r *realm.Realm, f *File) (json.RawMessage, error) {
	shown := *r
	if shown.Attributes == nil {
		shown.Attributes = map[string]string{}
	}
	var fields []field
	for _, one := range append(realmFields(&shown), f.fields()...) {
		if s, ok := one.ptr.(*string); ok && *s == "" {
			continue
		}
		fields = append(fields, one)
	}
	extra := map[string]json.RawMessage{}
	for k, v := range r.Extra {
		extra[k] = v
	}
	if c, ok := extra["components"]; ok {
		extra["components"] = withoutKeys(c)
	}
	return encode(fields, keptOfRealm(), extra)
}

// EncodeFileUser is a user in a realm file, with credentials, roles and groups.
func EncodeFileUser(u *realm.User, x UserExtra) (json.RawMessage, error) {
	shown := *u
	x.created = u.CreatedAt.UnixMilli()
	lists := []*[]string{&shown.RequiredActions, &x.RealmRoles, &x.Groups}
	for _, l := range lists {
		if *l == nil {
			*l = []string{}
		}
	}
	if x.Credentials == nil {
		x.Credentials = []Credential{}
	}
	var fields []field
	for _, one := range userFields(&shown, &x) {
		if s, ok := one.ptr.(*string); ok && *s == "" {
			continue
		}
		fields = append(fields, one)
	}
	return encode(fields, keptOfUser(), u.Extra)
}

// FileRole is a role in a realm file. composites are the roles that it contains;
// a role that contains none says so, because a file that says nothing means what
// every new realm has.
func FileRole(r *realm.Role, realmID string, composites Composites) Role {
	out := NewRole(r, realmID)
	out.Attributes = r.Attributes
	out.Composites = &composites
	out.Composite = len(composites.Realm)+len(composites.Client) > 0
	return out
}
