package manage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
)

// CreateRealm makes a realm from a RealmRepresentation; what it does not hold is
// as in every new realm. strict gives it the strict profile.
func (m *Manager) CreateRealm(ctx context.Context, doc []byte, strict bool) (*realm.Realm, error) {
	return m.CreateRealmFor(ctx, doc, strict, "")
}

// CreateRealmFor is CreateRealm for a user of master who may administer the realm
// afterwards; "" for nobody in particular.
func (m *Manager) CreateRealmFor(ctx context.Context, doc []byte, strict bool, holder string) (*realm.Realm, error) {
	b, err := m.build(ctx, doc, strict)
	if err != nil {
		return nil, err
	}
	if b.agg.Administration, err = m.administration(ctx, b.agg.Realm, holder); err != nil {
		return nil, err
	}
	return b.agg.Realm, m.Store.CreateRealm(ctx, b.agg)
}

// UpdateRealm changes the members that a RealmRepresentation names.
func (m *Manager) UpdateRealm(ctx context.Context, name string, doc []byte) error {
	old, err := m.Store.RealmByName(ctx, name)
	if err != nil {
		return err
	}
	r := *old
	r.Extra = cloneExtra(old.Extra)
	if err := rep.DecodeRealm(doc, &r); err != nil {
		return err
	}
	r.ID = old.ID
	if old.Name == Master && r.Name != Master {
		return &InvalidError{Text: "Can't rename master realm"}
	}
	if err := checkRealm(&r); err != nil {
		return err
	}
	if r.Name == old.Name {
		return m.Store.UpdateRealm(ctx, &r)
	}
	master, err := m.Store.RealmByName(ctx, Master)
	if err != nil {
		return err
	}
	return m.Store.RenameRealm(ctx, &r, store.Rename{RealmID: master.ID, From: AdministrationClient(old.Name), To: AdministrationClient(r.Name)})
}

// DeleteRealm deletes a realm; master stays.
func (m *Manager) DeleteRealm(ctx context.Context, name string) error {
	r, err := m.Store.RealmByName(ctx, name)
	if err != nil {
		return err
	}
	if r.Name == Master {
		return &InvalidError{Text: "Can't remove master realm"}
	}
	master, err := m.Store.RealmByName(ctx, Master)
	if err != nil {
		return err
	}
	return m.Store.DeleteRealm(ctx, r.ID, master.ID, AdministrationClient(r.Name))
}

func checkRealm(r *realm.Realm) error {
	switch {
	case r.Name == "":
		return &InvalidError{Text: "Realm name cannot be empty"}
	case strings.Contains(r.Name, "/"):
		return &InvalidError{Text: "Character '/' not allowed."}
	case !slices.Contains([]string{"none", "external", "all"}, strings.ToLower(r.SSLRequired)):
		return &InvalidError{Field: "sslRequired", Text: "has to be none, external or all"}
	case realm.CheckName(r.Name) != nil:
		return &InvalidError{Text: realm.ErrName.Error()}
	case realm.CheckPasswordPolicy(r.PasswordPolicy) != nil:
		return &InvalidError{Text: "Password policy not found"}
	}
	if err := checkAlgorithm("defaultSignatureAlgorithm", r.DefaultSignatureAlgorithm); err != nil {
		return err
	}
	for name, seconds := range map[string]int{"accessTokenLifespan": r.Lifespans.AccessToken, "ssoSessionIdleTimeout": r.Lifespans.SSOSessionIdle,
		"ssoSessionMaxLifespan": r.Lifespans.SSOSessionMax, "accessCodeLifespan": r.Lifespans.AccessCode, "accessCodeLifespanLogin": r.Lifespans.AccessCodeLogin} {
		if seconds <= 0 || seconds > 10*365*24*3600 {
			return &InvalidError{Field: name, Text: "has to be a number of seconds above 0"}
		}
	}
	return nil
}

// checkAlgorithm refuses what a realm cannot sign with. Keycloak keeps such a
// value and fails at the first login.
func checkAlgorithm(field, value string) error {
	if value == "" || slices.Contains(jose.SignatureAlgorithms(), value) {
		return nil
	}
	return &InvalidError{Field: field, Text: fmt.Sprintf("%q is no algorithm that tokens are signed with here; it has to be one of %s", value, strings.Join(jose.SignatureAlgorithms(), ", "))}
}
