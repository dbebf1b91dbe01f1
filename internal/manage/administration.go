package manage

import (
	"context"
	"errors"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
)

// management is the client of every realm whose roles administer it; master has
// such a client for every other realm, <realm>-realm, so that a user of master can
// be given rights over one realm alone.
const management = "realm-management"

// AdministrationClient is the client_id of the client in master that administers a realm.
func AdministrationClient(realmName string) string { return realmName + "-realm" }

// administration makes what administers a realm from master: the roles of the
// realm's own management client, except the one for all of it, which is master's
// role admin. It is nil for master itself. holder is a user of master who gets the
// roles, "" for nobody.
func (m *Manager) administration(ctx context.Context, r *realm.Realm, holder string) (*store.Administration, error) {
	if r.Name == Master {
		return nil, nil
	}
	master, err := m.Store.RealmByName(ctx, Master)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil // EnsureMaster makes it up
	}
	if err != nil {
		return nil, err
	}
	file, err := rep.DecodeFile(template(r.Name), &realm.Realm{})
	if err != nil {
		return nil, err
	}
	a := &store.Administration{HolderID: holder, Composites: map[string][]string{}, Client: &realm.Client{ID: realm.NewID(), RealmID: master.ID,
		ClientID: AdministrationClient(r.Name), Name: r.Name + " Realm", Enabled: true, BearerOnly: true, StandardFlow: true, Protocol: "openid-connect",
		AuthenticatorType: "client-secret", Attributes: map[string]string{"realm_client": "true"}}}
	ids := map[string]string{}
	for _, role := range file.Roles.Client[management] {
		if role.Name == "realm-admin" {
			continue
		}
		n := &realm.Role{ID: realm.NewID(), RealmID: master.ID, ClientID: a.Client.ID, Name: role.Name, Description: role.Description}
		ids[role.Name] = n.ID
		a.Roles = append(a.Roles, n)
	}
	for _, role := range file.Roles.Client[management] {
		if role.Composites == nil || ids[role.Name] == "" {
			continue
		}
		for _, name := range role.Composites.Client[management] {
			a.Composites[ids[role.Name]] = append(a.Composites[ids[role.Name]], ids[name])
		}
	}
	return a, nil
}

// ensureAdministration makes up for realms that were made before master or by an
// older program.
func (m *Manager) ensureAdministration(ctx context.Context) error {
	master, err := m.Store.RealmByName(ctx, Master)
	if err != nil {
		return err
	}
	all, err := m.Store.Realms(ctx)
	if err != nil {
		return err
	}
	for _, r := range all {
		if _, err := m.Store.ClientByClientID(ctx, master.ID, AdministrationClient(r.Name)); !errors.Is(err, store.ErrNotFound) {
			if err != nil {
				return err
			}
			continue
		}
		a, err := m.administration(ctx, r, "")
		if err != nil {
			return err
		}
		if err := m.Store.CreateAdministration(ctx, a); err != nil && !errors.Is(err, store.ErrExists) { // another process was first
			return err
		}
	}
	return nil
}
