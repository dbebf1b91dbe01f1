package manage

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
)

// CreateClient makes a client from a ClientRepresentation. One that says nothing
// is confidential, with a secret made for it.
func (m *Manager) CreateClient(ctx context.Context, in *realm.Realm, doc []byte) (*realm.Client, error) {
	defaults, optionals, err := m.Store.DefaultClientScopes(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	n, err := m.newClient(in, doc, defaults, optionals)
	if err != nil {
		return nil, err
	}
	all, err := m.Store.ClientScopes(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	n.Client.DefaultScopes, n.Client.OptionalScopes = ofProtocol(all, n.Client, n.Client.DefaultScopes), ofProtocol(all, n.Client, n.Client.OptionalScopes)
	if n.Secret == "" && n.Client.BearerOnly {
		n.Secret = realm.NewSecret() // as Keycloak; whoever makes it confidential later has one
	}
	var users []store.NewUser
	if n.Client.ServiceAccounts {
		u, err := m.serviceAccount(ctx, in, n.Client)
		if err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return n.Client, m.Store.CreateClient(ctx, n, nil, users)
}

// ofProtocol gives the names of scopes that are of the client's protocol: a realm's
// defaults are for clients of every protocol.
func ofProtocol(all []*realm.ClientScope, c *realm.Client, names []string) []string {
	out := []string{}
	for _, name := range names {
		if slices.ContainsFunc(all, func(s *realm.ClientScope) bool { return s.Name == name && s.Protocol == c.Protocol }) {
			out = append(out, name)
		}
	}
	return out
}

// newClient reads and completes a ClientRepresentation.
func (m *Manager) newClient(in *realm.Realm, doc []byte, defaults, optionals []string) (store.NewClient, error) {
	c := &realm.Client{ClientID: unnamed, Enabled: true, StandardFlow: true, FullScopeAllowed: true, Protocol: "openid-connect", AuthenticatorType: "client-secret",
		DefaultScopes: defaults, OptionalScopes: optionals, Attributes: map[string]string{"realm_client": "false"}}
	x, err := rep.DecodeClient(doc, c)
	if err != nil {
		return store.NewClient{}, err
	}
	if c.ID == "" {
		c.ID = realm.NewID()
	}
	if c.ClientID == unnamed { // Keycloak accepts a client without a name; a blank one not
		c.ClientID = c.ID
	}
	if c.WebOrigins == nil {
		c.WebOrigins = originsOf(c.RedirectURIs)
	}
	c.RealmID = in.ID
	n := store.NewClient{Client: c}
	if x.Secret != nil {
		n.Secret = *x.Secret
	}
	if n.Secret == "" && !c.Public && !c.BearerOnly {
		n.Secret = realm.NewSecret()
	}
	if c.ServiceAccounts {
		c.DefaultScopes = withName(c.DefaultScopes, serviceScope)
	}
	nameMappers(c.Mappers)
	return n, m.checkClient(c)
}

// unnamed is no possible client_id.
const unnamed = "\x00"

// originsOf: a client that names no web origins gets those of its redirect URIs.
func originsOf(uris []string) []string {
	out := []string{}
	for _, uri := range uris {
		u, err := url.Parse(strings.TrimSuffix(uri, "*"))
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			continue
		}
		out = withName(out, u.Scheme+"://"+u.Host)
	}
	return out
}

func withName(names []string, name string) []string {
	for _, n := range names {
		if n == name {
			return names
		}
	}
	return append(names[:len(names):len(names)], name)
}

func nameMappers(mappers []realm.Mapper) {
	for i := range mappers {
		if mappers[i].ID == "" {
			mappers[i].ID = realm.NewID()
		}
	}
}

func (m *Manager) checkClient(c *realm.Client) error {
	if c.Protocol != "openid-connect" && c.Protocol != "saml" {
		return &InvalidError{Text: "Invalid protocol: " + c.Protocol}
	}
	if strings.TrimSpace(c.ClientID) == "" {
		return &InvalidError{Text: "Client ID cannot be blank"}
	}
	if !validURL(c.RootURL, false) {
		return &InvalidError{Text: "Root URL is not a valid URL"}
	}
	if !validURL(c.BaseURL, true) {
		return &InvalidError{Text: "Base URL is not a valid URL"}
	}
	for _, name := range []string{realm.AccessTokenAlgorithm, realm.IDTokenAlgorithm} {
		if err := checkAlgorithm(name, c.Attributes[name]); err != nil {
			return err
		}
	}
	for _, uri := range c.RedirectURIs {
		if err := oauth.CheckRegistration(uri, m.Loopback); err != nil {
			return &InvalidError{Text: detail(err)}
		}
	}
	return nil
}

// validURL accepts nothing, Keycloak's placeholders and http addresses.
func validURL(s string, relative bool) bool {
	if s == "" || strings.HasPrefix(s, "${") || (relative && strings.HasPrefix(s, "/")) {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func detail(err error) string {
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return e.Detail
	}
	return err.Error()
}

// serviceAccount is a client's user in a realm that is there: like every new user it
// joins the default groups.
func (m *Manager) serviceAccount(ctx context.Context, in *realm.Realm, c *realm.Client) (u store.NewUser, err error) {
	u = serviceAccount(in, c, m.Now())
	u.GroupIDs, err = m.Store.DefaultGroups(ctx, in.ID)
	return u, err
}

// serviceAccount is the user that stands for a client.
func serviceAccount(in *realm.Realm, c *realm.Client, now time.Time) store.NewUser {
	u := &realm.User{ID: realm.NewID(), RealmID: in.ID, Username: realm.ServiceAccountName(c.ClientID), Enabled: true, CreatedAt: now, ServiceAccountClient: c.ID}
	return store.NewUser{User: u, RoleIDs: []string{in.DefaultRoleID}}
}

// UpdateClient changes the members that a ClientRepresentation names. The client
// scopes are not among them, as with Keycloak: they are given and taken one by one,
// and whoever saves a document that they read before takes none away by it.
func (m *Manager) UpdateClient(ctx context.Context, in *realm.Realm, id string, doc []byte) error {
	old, err := m.Store.ClientByID(ctx, in.ID, id)
	if err != nil {
		return err
	}
	c := *old
	c.Extra = cloneExtra(old.Extra)
	x, err := rep.DecodeClient(doc, &c)
	if err != nil {
		return err
	}
	c.ID, c.RealmID = old.ID, old.RealmID
	c.DefaultScopes, c.OptionalScopes = old.DefaultScopes, old.OptionalScopes
	switch {
	case c.ServiceAccounts && !old.ServiceAccounts:
		c.DefaultScopes = withName(c.DefaultScopes, serviceScope)
	case !c.ServiceAccounts && old.ServiceAccounts:
		c.DefaultScopes = slices.DeleteFunc(slices.Clone(c.DefaultScopes), func(name string) bool { return name == serviceScope })
	}
	nameMappers(c.Mappers)
	if err := m.checkClient(&c); err != nil {
		return err
	}
	if err := m.Store.UpdateClient(ctx, &c, secretAfter(old, &c, x.Secret)); err != nil {
		return err
	}
	return m.ensureServiceAccount(ctx, in, &c)
}

// serviceScope is the client scope of clients that get tokens for themselves.
const serviceScope = "service_account"

// secretAfter: a public client has no secret, and one that is public no longer
// gets another than it had before. Otherwise it is as sent, nil for as it was.
func secretAfter(old, c *realm.Client, sent *string) *string {
	var secret string
	switch {
	case c.Public && !old.Public:
		return &secret
	case !c.Public && old.Public && len(old.SecretHash) == 0 && (sent == nil || *sent == ""):
		secret = realm.NewSecret()
		return &secret
	}
	return sent
}

func (m *Manager) ensureServiceAccount(ctx context.Context, in *realm.Realm, c *realm.Client) error {
	if !c.ServiceAccounts {
		return nil
	}
	_, err := m.Store.ServiceAccountUser(ctx, in.ID, c.ID)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	u, err := m.serviceAccount(ctx, in, c)
	if err != nil {
		return err
	}
	return m.Store.CreateUser(ctx, u)
}

// NewClientSecret gives a client another secret and returns it.
func (m *Manager) NewClientSecret(ctx context.Context, in *realm.Realm, id string) (string, error) {
	c, err := m.Store.ClientByID(ctx, in.ID, id)
	if err != nil {
		return "", err
	}
	secret := realm.NewSecret()
	return secret, m.Store.UpdateClient(ctx, c, &secret)
}
