package manage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
)

func (b *builder) addGroups(f *rep.File) error {
	var walk func(parent, path string, groups []rep.Group) error
	walk = func(parent, path string, groups []rep.Group) error {
		for _, g := range groups {
			n := &realm.Group{ID: g.ID, RealmID: b.agg.Realm.ID, ParentID: parent, Name: g.Name, Description: g.Description, Attributes: g.Attributes}
			if n.ID == "" {
				n.ID = realm.NewID()
			}
			ids, err := b.roleIDs(g.RealmRoles, g.ClientRoles)
			if err != nil {
				return fmt.Errorf("group %q: %w", g.Name, err)
			}
			b.agg.GroupRoles[n.ID] = ids
			b.agg.Groups = append(b.agg.Groups, n)
			at := path + "/" + g.Name
			b.groups[at] = append(b.groups[at], n.ID)
			if err := walk(n.ID, at, g.SubGroups); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk("", "", f.Groups); err != nil {
		return err
	}
	for _, path := range f.DefaultGroups {
		if len(b.groups[path]) == 0 {
			continue
		}
		id, err := b.groupAt("defaultGroups", path)
		if err != nil {
			return err
		}
		b.agg.DefaultGroups = append(b.agg.DefaultGroups, id)
	}
	return nil
}

// groupAt finds a group by its path. A slash in a name looks like one between
// names: a path that two groups have leads to neither.
func (b *builder) groupAt(field, path string) (string, error) {
	switch ids := b.groups[path]; len(ids) {
	case 0:
		return "", &InvalidError{Field: field, Text: "there is no group " + path}
	case 1:
		return ids[0], nil
	}
	return "", &InvalidError{Field: field, Text: "two groups have the path " + path}
}

func (b *builder) addUsers(ctx context.Context, f *rep.File) error {
	for _, raw := range f.Users {
		if err := b.addUser(ctx, raw); err != nil {
			return err
		}
	}
	return nil
}

// addUser: a user of a file has what the file says and no more, not the default
// role either, as with Keycloak.
func (b *builder) addUser(ctx context.Context, raw json.RawMessage) error {
	u := &realm.User{RealmID: b.agg.Realm.ID, CreatedAt: b.m.Now()}
	x, err := rep.DecodeUser(raw, u)
	if err != nil {
		return err
	}
	if err := b.completeUser(u, x); err != nil {
		return fmt.Errorf("user %q: %w", u.Username, err)
	}
	n := store.NewUser{User: u, SharesEmail: b.agg.Realm.DuplicateEmailsAllowed}
	if n.RoleIDs, err = b.roleIDs(x.RealmRoles, x.ClientRoles); err != nil {
		return fmt.Errorf("user %q: %w", u.Username, err)
	}
	for _, path := range x.Groups {
		id, err := b.groupAt("groups", path)
		if err != nil {
			return fmt.Errorf("user %q: %w", u.Username, err)
		}
		n.GroupIDs = append(n.GroupIDs, id)
	}
	if n.Credentials, err = b.credentials(ctx, u, x.Credentials); err != nil {
		return fmt.Errorf("user %q: %w", u.Username, err)
	}
	b.agg.Users = append(b.agg.Users, n)
	return nil
}

func (b *builder) completeUser(u *realm.User, x rep.UserExtra) error {
	if u.ID == "" {
		u.ID = realm.NewID()
	}
	normalize(u)
	if x.ServiceAccountClient != "" {
		c := b.clients[x.ServiceAccountClient]
		if c == nil {
			return &InvalidError{Field: "serviceAccountClientId", Text: "there is no client " + x.ServiceAccountClient}
		}
		u.ServiceAccountClient = c.ID
	}
	for _, a := range realm.UnknownActions(u) {
		b.weaker = append(b.weaker, "users["+u.Username+"].requiredActions["+a+"]")
	}
	return checkUser(u)
}

// credentials takes hashes as they are and hashes passwords in clear. Another
// kind of credential is kept, and named as not enforced.
func (b *builder) credentials(ctx context.Context, u *realm.User, in []rep.Credential) ([]realm.Credential, error) {
	var out []realm.Credential
	for _, c := range in {
		n, err := b.m.credential(ctx, u, c)
		if err != nil {
			return nil, err
		}
		if n.Type != "password" {
			path := "users[" + u.Username + "].credentials[" + n.Type + "]"
			if !slices.Contains(b.weaker, path) {
				b.weaker = append(b.weaker, path)
			}
		} else if err := password.Usable(password.Hash{Data: n.Data, Secret: n.Secret}); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func (b *builder) addServiceAccounts() {
	have := map[string]bool{}
	for _, u := range b.agg.Users {
		have[u.User.ServiceAccountClient] = true
	}
	for _, c := range b.agg.Clients {
		if c.Client.ServiceAccounts && !have[c.Client.ID] {
			u := serviceAccount(b.agg.Realm, c.Client, b.m.Now())
			u.GroupIDs = b.agg.DefaultGroups // unlike the users of a file, as with Keycloak
			b.agg.Users = append(b.agg.Users, u)
		}
	}
}
