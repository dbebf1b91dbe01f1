package manage

import (
	"fmt"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
)

func (b *builder) addRoles(f *rep.File) error {
	b.addRolesOf("", nil, f.Roles.Realm)
	for clientID, roles := range f.Roles.Client {
		c := b.clients[clientID]
		if c == nil {
			return &InvalidError{Field: "roles.client", Text: "there is no client " + clientID}
		}
		b.addRolesOf(clientID, c, roles)
	}
	return nil
}

func (b *builder) addRolesOf(clientID string, c *realm.Client, roles []rep.Role) {
	for _, role := range roles {
		key := clientID + "/" + role.Name
		if b.roles[key] != "" {
			continue
		}
		r := &realm.Role{ID: role.ID, RealmID: b.agg.Realm.ID, Name: role.Name, Description: role.Description, Attributes: role.Attributes}
		if r.ID == "" {
			r.ID = realm.NewID()
		}
		if c != nil {
			r.ClientID = c.ID
		}
		b.roles[key] = r.ID
		b.agg.Roles = append(b.agg.Roles, r)
	}
}

func (b *builder) addComposites(f *rep.File) error {
	all := map[string][]rep.Role{"": f.Roles.Realm}
	for clientID, roles := range f.Roles.Client {
		all[clientID] = roles
	}
	for clientID, roles := range all {
		for _, role := range roles {
			id := b.roles[clientID+"/"+role.Name]
			if b.agg.Composites[id] != nil {
				continue
			}
			if role.Composites == nil {
				if clientID == "" { // as with Keycloak, which completes the roles of its own clients alone
					b.agg.Composites[id] = []string{}
				}
				continue
			}
			children, err := b.roleIDs(role.Composites.Realm, role.Composites.Client)
			if err != nil {
				return fmt.Errorf("role %q: %w", role.Name, err)
			}
			b.agg.Composites[id] = children
		}
	}
	return nil
}

// roleIDs finds roles by name. A role that is not there is an error: leaving it
// out would change who may do what without a word.
func (b *builder) roleIDs(ofRealm []string, ofClients map[string][]string) ([]string, error) {
	ids := []string{}
	find := func(key string) error {
		id := b.roles[key]
		if id == "" {
			return &InvalidError{Text: "there is no role " + strings.TrimPrefix(key, "/")}
		}
		ids = append(ids, id)
		return nil
	}
	for _, name := range ofRealm {
		if err := find("/" + name); err != nil {
			return nil, err
		}
	}
	for clientID, names := range ofClients {
		for _, name := range names {
			if err := find(clientID + "/" + name); err != nil {
				return nil, err
			}
		}
	}
	return ids, nil
}

func (b *builder) addScopeMappings(f *rep.File, except map[string]bool) {
	add := func(container string, s rep.ScopeMapping) {
		if except["client "+s.Client] || except["scope "+s.ClientScope] {
			return
		}
		for _, name := range s.Roles {
			id := b.roles[container+"/"+name]
			if sc := b.scopes[s.ClientScope]; sc != nil && id != "" {
				b.agg.ScopeRoles[sc.ID] = append(b.agg.ScopeRoles[sc.ID], id)
			}
			if c := b.clients[s.Client]; c != nil && id != "" {
				b.agg.ClientScopeRoles[c.ID] = append(b.agg.ClientScopeRoles[c.ID], id)
			}
		}
	}
	for _, s := range f.ScopeMappings {
		add("", s)
	}
	for container, list := range f.ClientScopeMappings {
		for _, s := range list {
			add(container, s)
		}
	}
}
