package manage

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
)

// CreateUser makes a user from a UserRepresentation, with the default roles and
// groups of the realm.
func (m *Manager) CreateUser(ctx context.Context, in *realm.Realm, doc []byte) (*realm.User, error) {
	return m.CreateUserIf(ctx, in, doc, func([]string) error { return nil })
}

// CreateUserIf is CreateUser that asks first about the groups that the document
// names, by the ids that the user will then be in: by the time that somebody else
// has looked, a path may lead to another group.
func (m *Manager) CreateUserIf(ctx context.Context, in *realm.Realm, doc []byte, mayJoin func(groupIDs []string) error) (*realm.User, error) {
	u := &realm.User{ID: realm.NewID(), RealmID: in.ID, CreatedAt: m.Now()}
	id := u.ID
	x, err := rep.DecodeUser(doc, u)
	if err != nil {
		return nil, err
	}
	u.ID = id // whatever the caller calls it, as with Keycloak
	normalize(u)
	if err := checkUser(u); err != nil {
		return nil, err
	}
	if u.RequiredActions == nil {
		u.RequiredActions = realm.DefaultActions(in)
	}
	n := store.NewUser{User: u, RoleIDs: []string{in.DefaultRoleID}, SharesEmail: in.DuplicateEmailsAllowed}
	if n.GroupIDs, err = m.groupIDs(ctx, in, x.Groups); err != nil {
		return nil, err
	}
	if err := mayJoin(n.GroupIDs); err != nil {
		return nil, err
	}
	defaults, err := m.Store.DefaultGroups(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	n.GroupIDs = append(n.GroupIDs, defaults...)
	for _, c := range x.Credentials {
		cred, err := m.credential(ctx, u, c)
		if err != nil {
			return nil, err
		}
		n.Credentials = append(n.Credentials, cred)
	}
	return u, m.Store.CreateUser(ctx, n)
}

// groupIDs finds groups by their paths, with or without the first slash. One that
// is not there is an *InvalidError.
func (m *Manager) groupIDs(ctx context.Context, in *realm.Realm, paths []string) ([]string, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	all, err := m.Store.Groups(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	byPath := map[string]string{}
	for _, g := range all {
		byPath[g.Path], byPath[strings.TrimPrefix(g.Path, "/")] = g.ID, g.ID
	}
	var ids []string
	for _, p := range paths {
		if byPath[p] == "" {
			return nil, &InvalidError{Text: "Group path does not exist"}
		}
		ids = append(ids, byPath[p])
	}
	return ids, nil
}

// normalize: names and addresses are one account whatever their case.
func normalize(u *realm.User) {
	u.Username = strings.ToLower(strings.TrimSpace(u.Username))
	u.Email = strings.ToLower(strings.TrimSpace(u.Email))
}

// checkUser has Keycloak's texts: clients compare them. Everything that is wrong is
// said at once.
func checkUser(u *realm.User) error {
	if u.Username == "" {
		return &InvalidError{Text: "User name is missing"}
	}
	var wrong []*InvalidError
	if n := utf8.RuneCountInString(u.Username); u.ServiceAccountClient == "" && (n < 3 || n > 255) {
		wrong = append(wrong, &InvalidError{Field: "username", Text: "error-invalid-length", Params: []any{"username", 3, 255}})
	}
	// The name of a service account is made of its client's, which may be an address.
	if u.ServiceAccountClient == "" && (strings.ContainsFunc(u.Username, unicode.IsControl) || strings.ContainsAny(u.Username, "<>&\"'$%!#?§,;:*~/\\|^=[]{}()`\x00\r\n\t ")) {
		wrong = append(wrong, &InvalidError{Field: "username", Text: "error-username-invalid-character", Params: []any{"username"}})
	}
	for _, name := range []struct{ field, value string }{{"firstName", u.FirstName}, {"lastName", u.LastName}} {
		if utf8.RuneCountInString(name.value) > 255 {
			wrong = append(wrong, &InvalidError{Field: name.field, Text: "error-invalid-length-too-long", Params: []any{name.field, nil, 255}})
		}
	}
	if u.Email != "" && !realm.ValidEmail(u.Email) {
		wrong = append(wrong, &InvalidError{Field: "email", Text: "error-invalid-email", Params: []any{"email", u.Email}})
	}
	switch len(wrong) {
	case 0:
		return nil
	case 1:
		return wrong[0]
	}
	first := *wrong[0]
	first.All = wrong
	return &first
}

// credential reads a CredentialRepresentation: a password in clear is hashed, a
// hash stays as it is.
func (m *Manager) credential(ctx context.Context, u *realm.User, c rep.Credential) (realm.Credential, error) {
	n := realm.Credential{ID: c.ID, UserID: u.ID, Type: c.Type, Label: c.UserLabel, Data: c.CredentialData, Secret: c.SecretData, CreatedAt: m.Now(), Priority: c.Priority,
		Temporary: c.Temporary}
	if n.ID == "" {
		n.ID = realm.NewID()
	}
	if n.Type == "" {
		n.Type = "password"
	}
	if c.Value == "" {
		if c.CreatedDate > 0 {
			n.CreatedAt = time.UnixMilli(c.CreatedDate).UTC()
		}
		return n, nil
	}
	h, err := m.Passwords.Hash(ctx, c.Value)
	if errors.Is(err, password.ErrTooLong) {
		return n, &InvalidError{Field: "credentials", Text: "a password has at most 256 bytes"}
	}
	n.Data, n.Secret = h.Data, h.Secret
	if c.Temporary {
		u.RequiredActions = withName(u.RequiredActions, realm.UpdatePassword)
	}
	return n, err
}

// UpdateUser changes the members that a UserRepresentation names.
func (m *Manager) UpdateUser(ctx context.Context, in *realm.Realm, id string, doc []byte) error {
	u, err := m.Store.UserByID(ctx, in.ID, id)
	if err != nil {
		return err
	}
	username := u.Username
	x, err := rep.DecodeUser(doc, u)
	if err != nil {
		return err
	}
	u.ID = id
	normalize(u)
	if u.Username != username && !in.EditUsernameAllowed {
		return &InvalidError{Field: "username", Text: "error-user-attribute-read-only", Params: []any{"username"}}
	}
	if err := checkUser(u); err != nil {
		return err
	}
	var password *realm.Credential // the last one, as if they were set one after the other
	for _, c := range x.Credentials {
		if password, err = m.password(ctx, u, c); err != nil {
			return err
		}
	}
	return m.Store.UpdateUserAndPassword(ctx, u, password, in.DuplicateEmailsAllowed)
}

// SetPassword replaces a user's password. A temporary one has to be changed at the
// next login; one that is not takes that demand away.
func (m *Manager) SetPassword(ctx context.Context, in *realm.Realm, userID string, c rep.Credential) error {
	for n := 1; ; n++ {
		u, err := m.Store.UserByID(ctx, in.ID, userID)
		if err != nil {
			return err
		}
		password, err := m.password(ctx, u, c)
		if err != nil {
			return err
		}
		if !c.Temporary {
			u.RequiredActions = slices.DeleteFunc(u.RequiredActions, func(a string) bool { return a == realm.UpdatePassword })
		}
		err = m.Store.UpdateUserAndPassword(ctx, u, password, in.DuplicateEmailsAllowed)
		if n == 3 || !errors.Is(err, store.ErrConflict) { // somebody has changed something else of the user meanwhile
			return err
		}
	}
}

// password reads a new password. A temporary one adds its demand to the user.
func (m *Manager) password(ctx context.Context, u *realm.User, c rep.Credential) (*realm.Credential, error) {
	if c.Value == "" && c.ValueSent {
		return nil, &InvalidError{Text: "Empty password not allowed"}
	}
	if c.Value == "" {
		return nil, &InvalidError{Text: "No password provided"}
	}
	c.Type = "password" // whatever the caller calls it, as with Keycloak
	n, err := m.credential(ctx, u, c)
	return &n, err
}

// ResetPassword gives a user of a realm another password and ends their
// sessions: for an administrator who is locked out.
func (m *Manager) ResetPassword(ctx context.Context, realmName, username, newPassword string) error {
	in, err := m.Store.RealmByName(ctx, realmName)
	if err != nil {
		return err
	}
	u, err := m.Store.UserByUsername(ctx, in.ID, username)
	if err != nil {
		return err
	}
	if err := m.SetPassword(ctx, in, u.ID, rep.Credential{Type: "password", Value: newPassword}); err != nil {
		return err
	}
	return m.Store.EndUserSessions(ctx, in.ID, u.ID)
}
