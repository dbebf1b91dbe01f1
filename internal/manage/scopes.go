package manage

import (
	"context"
	"maps"
	"regexp"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
)

// CreateClientScope makes a client scope from a ClientScopeRepresentation.
func (m *Manager) CreateClientScope(ctx context.Context, in *realm.Realm, doc []byte) (*realm.ClientScope, error) {
	sc := &realm.ClientScope{}
	if err := rep.DecodeClientScope(doc, sc); err != nil {
		return nil, err
	}
	if sc.ID == "" {
		sc.ID = realm.NewID()
	}
	sc.RealmID = in.ID
	nameMappers(sc.Mappers)
	if err := checkScope(sc); err != nil {
		return nil, err
	}
	return sc, m.Store.CreateClientScope(ctx, sc)
}

// UpdateClientScope changes the members that a ClientScopeRepresentation names. The
// mappers are not among them, as with Keycloak: they have addresses of their own.
func (m *Manager) UpdateClientScope(ctx context.Context, old *realm.ClientScope, doc []byte) error {
	sc := *old
	sc.Extra = maps.Clone(old.Extra)
	if err := rep.DecodeClientScope(doc, &sc); err != nil {
		return err
	}
	sc.ID, sc.RealmID, sc.Mappers = old.ID, old.RealmID, old.Mappers
	if err := checkScope(&sc); err != nil {
		return err
	}
	return m.Store.UpdateClientScope(ctx, &sc)
}

// scopeName is a scope-token of RFC 6749, section 3.3.
var scopeName = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`)

func checkScope(sc *realm.ClientScope) error {
	switch {
	case sc.Name == "":
		return &InvalidError{Text: "a client scope needs a name"}
	case !scopeName.MatchString(sc.Name):
		return &InvalidError{Text: `Unexpected name "` + sc.Name + `" for ClientScope`}
	case sc.Protocol != "openid-connect" && sc.Protocol != "saml":
		return &InvalidError{Text: "Unexpected protocol"}
	}
	return nil
}
