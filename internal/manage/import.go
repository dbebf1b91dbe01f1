package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Import reads a realm file and makes its realm. A realm that is there already
// stays as it is, as with Keycloak's --import-realm. Settings that narrow who may
// log in and are not enforced stop the import, unless accept names each of them.
func (m *Manager) Import(ctx context.Context, doc []byte, accept []string) (name string, made bool, err error) {
	b, err := m.build(ctx, doc, false)
	if err != nil {
		return "", false, err
	}
	name = b.agg.Realm.Name
	if _, err := m.Store.RealmByName(ctx, name); err == nil {
		return name, false, nil
	}
	if err := b.accept(accept); err != nil {
		return name, false, err
	}
	if b.agg.Administration, err = m.administration(ctx, b.agg.Realm, ""); err != nil {
		return name, false, err
	}
	err = m.Store.CreateRealm(ctx, b.agg)
	if e, ok := errors.AsType[*store.ConflictError](err); ok && e.Field == "realm" {
		return name, false, nil // another node was first
	}
	return name, err == nil, err
}

// WeakerError lists the settings of an import that would not be enforced.
type WeakerError struct {
	Realm string
	Paths []string
}

func (e *WeakerError) Error() string {
	return fmt.Sprintf("realm %q asks for what is not enforced yet; logins would be weaker than the file says:\n  %s\nName each one you accept: --accept-weaker '%s'",
		e.Realm, strings.Join(e.Paths, "\n  "), e.Paths[0])
}

// accept keeps the accepted paths with the realm, and refuses the rest.
func (b *builder) accept(paths []string) error {
	var left []string
	for _, p := range b.weaker {
		if !slices.Contains(paths, p) {
			left = append(left, p)
		}
	}
	if len(left) > 0 {
		return &WeakerError{Realm: b.agg.Realm.Name, Paths: left}
	}
	if len(paths) > 0 {
		if b.agg.Realm.Attributes == nil {
			b.agg.Realm.Attributes = map[string]string{}
		}
		b.agg.Realm.Attributes[realm.AcceptedAttribute] = strings.Join(paths, "##")
	}
	return nil
}
