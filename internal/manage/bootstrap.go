package manage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

const (
	adminRole    = "admin"
	setupPurpose = "first-administrator"
	setupLife    = 24 * time.Hour
)

// EnsureMaster makes the realm master where it is missing, and in it what
// administers the other realms.
func (m *Manager) EnsureMaster(ctx context.Context) error {
	_, err := m.Store.RealmByName(ctx, Master)
	if errors.Is(err, store.ErrNotFound) {
		err = m.createMaster(ctx)
	}
	if err != nil {
		return err
	}
	return m.ensureAdministration(ctx)
}

func (m *Manager) createMaster(ctx context.Context) error {
	doc, err := json.Marshal(map[string]any{"realm": Master, "enabled": true, "displayName": "Latchkey", "roles": map[string]any{"realm": []map[string]any{
		{"name": adminRole, "description": "${role_admin}", "composite": true, "composites": map[string]any{
			"realm": []string{"create-realm"}, "client": map[string]any{"master-realm": managing()}}},
		{"name": "create-realm", "description": "${role_create-realm}"},
	}}})
	if err != nil {
		return err
	}
	_, err = m.CreateRealm(ctx, doc, false)
	if errors.Is(err, store.ErrExists) {
		return nil // another process was first
	}
	return err
}

func managing() []string {
	return []string{"create-client", "view-realm", "view-users", "view-clients", "view-events", "manage-realm", "manage-users", "manage-clients", "manage-events",
		"query-users", "query-clients", "query-realms", "query-groups", "impersonation"}
}

// HasAdmin reports whether realm master has anybody with the role admin.
func (m *Manager) HasAdmin(ctx context.Context) (bool, error) {
	in, role, err := m.admin(ctx)
	if err != nil {
		return false, err
	}
	n, err := m.Store.RoleHolders(ctx, in.ID, role)
	return n > 0, err
}

func (m *Manager) admin(ctx context.Context) (*realm.Realm, string, error) {
	in, err := m.Store.RealmByName(ctx, Master)
	if err != nil {
		return nil, "", err
	}
	t, err := m.Store.Roles(ctx, in.ID)
	if err != nil {
		return nil, "", err
	}
	for id, r := range t.ByID {
		if r.Name == adminRole && r.ClientID == "" {
			return in, id, nil
		}
	}
	return nil, "", &InvalidError{Text: "realm master has no role admin"}
}

// CreateAdmin makes the first administrator. On a server that has one it changes
// nothing and answers false.
func (m *Manager) CreateAdmin(ctx context.Context, username, password string) (bool, error) {
	if has, err := m.HasAdmin(ctx); err != nil || has {
		return false, err
	}
	in, role, err := m.admin(ctx)
	if err != nil {
		return false, err
	}
	if len(password) == 0 {
		return false, &InvalidError{Text: "the administrator's password is empty: set LATCHKEY_ADMIN_PASSWORD"}
	}
	u := &realm.User{ID: realm.NewID(), RealmID: in.ID, Username: username, Enabled: true, CreatedAt: m.Now()}
	normalize(u)
	if err := checkUser(u); err != nil {
		return false, err
	}
	h, err := m.Passwords.Hash(ctx, password)
	if err != nil {
		return false, err
	}
	c := realm.Credential{ID: realm.NewID(), UserID: u.ID, Type: "password", Data: h.Data, Secret: h.Secret, CreatedAt: m.Now()}
	return m.Store.CreateFirstHolder(ctx, store.NewUser{User: u, Credentials: []realm.Credential{c}, RoleIDs: []string{in.DefaultRoleID}}, role)
}

// SetupLink makes the secret of a one-time link that makes the first
// administrator. Only its hash is kept.
func (m *Manager) SetupLink(ctx context.Context) (string, error) {
	in, err := m.Store.RealmByName(ctx, Master)
	if err != nil {
		return "", err
	}
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	secret := base64.RawURLEncoding.EncodeToString(b)
	return secret, m.Store.CreateLink(ctx, in.ID, setupPurpose, hashLink(secret), m.Now().Add(setupLife))
}

func hashLink(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// SetupLinkWorks reports whether a link would still make an administrator. It
// uses nothing up.
func (m *Manager) SetupLinkWorks(ctx context.Context, secret string) (bool, error) {
	in, err := m.Store.RealmByName(ctx, Master)
	if err != nil {
		return false, err
	}
	if has, err := m.HasAdmin(ctx); err != nil || has {
		return false, err
	}
	return m.Store.LinkWorks(ctx, in.ID, setupPurpose, hashLink(secret))
}

// UseSetupLink uses the link up and makes the administrator. store.ErrUsed: the
// link does not work any more.
func (m *Manager) UseSetupLink(ctx context.Context, secret, username, password string) error {
	in, err := m.Store.RealmByName(ctx, Master)
	if err != nil {
		return err
	}
	if len(password) < 8 {
		return &InvalidError{Field: "password", Text: "at least 8 characters, please"}
	}
	if err := checkUser(&realm.User{Username: username}); err != nil {
		return err
	}
	if err := m.Store.ConsumeLink(ctx, in.ID, setupPurpose, hashLink(secret)); err != nil {
		return err
	}
	_, err = m.CreateAdmin(ctx, username, password)
	return err
}

// Demo is what `latchkey demo` starts with.
type Demo struct {
	Realm, ClientID, Secret, RedirectURI string
	Username, Password                   string
}

// CreateDemo makes the demo's realm, client and user in the strict profile.
func (m *Manager) CreateDemo(ctx context.Context, d Demo) error {
	if _, err := m.Store.RealmByName(ctx, d.Realm); err == nil {
		return store.ErrExists
	}
	doc, err := json.Marshal(map[string]any{
		"realm": d.Realm, "enabled": true, "displayName": "Latchkey demo",
		"clients": []map[string]any{{"clientId": d.ClientID, "name": "Guide app", "secret": d.Secret, "redirectUris": []string{d.RedirectURI},
			"webOrigins": []string{"+"}, "attributes": map[string]string{"pkce.code.challenge.method": "S256", "post.logout.redirect.uris": "+"}}},
		"users": []map[string]any{{"username": d.Username, "enabled": true, "email": d.Username + "@example.com", "emailVerified": true,
			"firstName": "Alice", "lastName": "Liddell", "realmRoles": []string{"default-roles-" + d.Realm},
			"credentials": []map[string]any{{"type": "password", "value": d.Password}}}},
	})
	if err != nil {
		return err
	}
	_, err = m.CreateRealm(ctx, doc, true)
	return err
}

// DemoSecret gives the secret of the demo's client in a data folder that has it
// already, and registers the address the application has this time.
func (m *Manager) DemoSecret(ctx context.Context, realmName, clientID, redirectURI string) (string, error) {
	in, err := m.Store.RealmByName(ctx, realmName)
	if err != nil {
		return "", err
	}
	c, err := m.Store.ClientByClientID(ctx, in.ID, clientID)
	if err != nil {
		return "", err
	}
	doc, err := json.Marshal(map[string]any{"redirectUris": []string{redirectURI}})
	if err != nil {
		return "", err
	}
	if err := m.UpdateClient(ctx, in, c.ID, doc); err != nil {
		return "", err
	}
	return m.Store.ClientSecret(ctx, in.ID, c.ID)
}
