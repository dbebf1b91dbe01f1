package manage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Exported is a realm as a file, and what is in it.
type Exported struct {
	Doc            []byte // a RealmRepresentation with everything in it, ending in a line break
	Clients, Users int    // Users counts service accounts too
}

// Export writes a realm as Keycloak's `kc.sh export` does: with client secrets and
// password hashes, so that an import of it gives the same logins. It holds no
// private key and nothing that lives by time (sessions, tokens, consents, events,
// counters). People are left out without withUsers; service accounts belong to
// their clients and stay. store.ErrNotFound: there is no such realm.
func (m *Manager) Export(ctx context.Context, name string, withUsers bool) (*Exported, error) {
	a, err := m.Store.ReadRealm(ctx, name)
	if err != nil {
		return nil, err
	}
	if !withUsers {
		a.Users = slices.DeleteFunc(a.Users, func(u store.NewUser) bool { return u.User.ServiceAccountClient == "" })
	}
	w := newWriter(a)
	doc, err := w.write()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, doc, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return &Exported{out.Bytes(), len(a.Clients), len(a.Users)}, nil
}

// writer turns an aggregate into a realm file; a builder does the opposite.
type writer struct {
	a       *store.Aggregate
	roles   map[string]*realm.Role
	clients map[string]string // UUID → client_id
	scopes  map[string]string // id → name
	paths   map[string]string // group id → path
}

func newWriter(a *store.Aggregate) *writer {
	w := &writer{a, map[string]*realm.Role{}, map[string]string{}, map[string]string{}, map[string]string{}}
	for _, r := range a.Roles {
		w.roles[r.ID] = r
	}
	for _, c := range a.Clients {
		w.clients[c.Client.ID] = c.Client.ClientID
	}
	for _, s := range a.Scopes {
		w.scopes[s.ID] = s.Name
	}
	above := make(map[string]*realm.Group, len(a.Groups))
	for _, g := range a.Groups {
		above[g.ID] = g
	}
	for _, g := range a.Groups {
		w.paths[g.ID] = plainPath(g, above)
	}
	return w
}

// plainPath is a group's path as Keycloak writes and reads it in a file: a slash in
// a name looks like one between names.
func plainPath(g *realm.Group, above map[string]*realm.Group) string {
	path := ""
	for range len(above) { // no loop in the data goes on for ever
		path = "/" + g.Name + path
		if g = above[g.ParentID]; g == nil {
			break
		}
	}
	return path
}

func (w *writer) write() (json.RawMessage, error) {
	f := &rep.File{Roles: w.fileRoles(), Groups: w.groups(""), DefaultGroups: names(w.a.DefaultGroups, w.paths),
		DefaultScopes: inOrder(w.a.DefaultScopes, w.scopes), OptionalScopes: inOrder(w.a.OptionalScopes, w.scopes)}
	if r := w.roles[w.a.Realm.DefaultRoleID]; r != nil {
		def := rep.NewRole(r, w.a.Realm.ID)
		def.Composite = len(w.a.Composites[r.ID]) > 0
		f.DefaultRole = &def
	}
	if len(f.DefaultGroups) == 0 {
		f.DefaultGroups = nil // left out, as with Keycloak
	}
	w.scopeMappings(f)
	for _, step := range []func(*rep.File) error{w.fileScopes, w.fileClients, w.users} {
		if err := step(f); err != nil {
			return nil, err
		}
	}
	return rep.EncodeFile(w.a.Realm, f)
}

// split sorts roles into those of the realm and those of clients, by name.
func (w *writer) split(ids []string) (ofRealm []string, ofClients map[string][]string) {
	for _, id := range ids {
		r := w.roles[id]
		if r == nil {
			continue
		}
		if r.ClientID == "" {
			ofRealm = append(ofRealm, r.Name)
			continue
		}
		if ofClients == nil {
			ofClients = map[string][]string{}
		}
		of := w.clients[r.ClientID]
		ofClients[of] = append(ofClients[of], r.Name)
	}
	slices.Sort(ofRealm)
	for _, list := range ofClients {
		slices.Sort(list)
	}
	return ofRealm, ofClients
}

func (w *writer) fileRoles() rep.Roles {
	out := rep.Roles{Realm: []rep.Role{}, Client: map[string][]rep.Role{}}
	for _, r := range w.a.Roles { // by container and name
		ofRealm, ofClients := w.split(w.a.Composites[r.ID])
		role := rep.FileRole(r, w.a.Realm.ID, rep.Composites{Realm: ofRealm, Client: ofClients})
		if r.ClientID == "" {
			out.Realm = append(out.Realm, role)
			continue
		}
		of := w.clients[r.ClientID]
		out.Client[of] = append(out.Client[of], role)
	}
	return out
}

func (w *writer) groups(parent string) []rep.Group {
	out := []rep.Group{}
	for _, g := range w.a.Groups {
		if g.ParentID != parent {
			continue
		}
		n := rep.Group{ID: g.ID, Name: g.Name, Description: g.Description, Path: w.paths[g.ID], ParentID: g.ParentID, Attributes: g.Attributes, SubGroups: w.groups(g.ID)}
		n.RealmRoles, n.ClientRoles = w.split(w.a.GroupRoles[g.ID])
		out = append(out, n)
	}
	return out
}

// names are sorted: the order has no meaning.
func names(ids []string, of map[string]string) []string {
	out := inOrder(ids, of)
	slices.Sort(out)
	return out
}

func inOrder(ids []string, of map[string]string) []string {
	out := []string{}
	for _, id := range ids {
		out = append(out, of[id])
	}
	return out
}

func (w *writer) scopeMappings(f *rep.File) {
	f.ClientScopeMappings = map[string][]rep.ScopeMapping{}
	add := func(s rep.ScopeMapping, ids []string) {
		ofRealm, ofClients := w.split(ids)
		if len(ofRealm) > 0 {
			s.Roles = ofRealm
			f.ScopeMappings = append(f.ScopeMappings, s)
		}
		for of, list := range ofClients {
			s.Roles = list
			f.ClientScopeMappings[of] = append(f.ClientScopeMappings[of], s)
		}
	}
	for id, roles := range w.a.ScopeRoles {
		add(rep.ScopeMapping{ClientScope: w.scopes[id]}, roles)
	}
	for id, roles := range w.a.ClientScopeRoles {
		add(rep.ScopeMapping{Client: w.clients[id]}, roles)
	}
	order := func(x, y rep.ScopeMapping) int {
		return cmp.Or(cmp.Compare(x.Client, y.Client), cmp.Compare(x.ClientScope, y.ClientScope))
	}
	slices.SortFunc(f.ScopeMappings, order)
	for _, list := range f.ClientScopeMappings {
		slices.SortFunc(list, order)
	}
}

func (w *writer) fileScopes(f *rep.File) error {
	for _, s := range w.a.Scopes {
		doc, err := rep.EncodeClientScope(s)
		if err != nil {
			return err
		}
		f.ClientScopes = append(f.ClientScopes, doc)
	}
	return nil
}

func (w *writer) fileClients(f *rep.File) error {
	for _, n := range w.a.Clients {
		c := *n.Client
		for _, list := range []*[]string{&c.DefaultScopes, &c.OptionalScopes} {
			if *list == nil { // none, which is not the same as nothing said
				*list = []string{}
			}
		}
		doc, err := rep.EncodeClient(&c, n.Secret, nil)
		if err != nil {
			return err
		}
		f.Clients = append(f.Clients, doc)
	}
	return nil
}

func (w *writer) users(f *rep.File) error {
	for _, n := range w.a.Users {
		x := rep.UserExtra{Groups: names(n.GroupIDs, w.paths), ServiceAccountClient: w.clients[n.User.ServiceAccountClient]}
		x.RealmRoles, x.ClientRoles = w.split(n.RoleIDs)
		for _, c := range n.Credentials {
			x.Credentials = append(x.Credentials, rep.Credential{ID: c.ID, Type: c.Type, UserLabel: c.Label, CreatedDate: c.CreatedAt.UnixMilli(),
				SecretData: c.Secret, CredentialData: c.Data, Priority: c.Priority})
		}
		doc, err := rep.EncodeFileUser(n.User, x)
		if err != nil {
			return err
		}
		f.Users = append(f.Users, doc)
	}
	return nil
}
