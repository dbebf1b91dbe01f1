package manage

import (
	"bytes"
	"context"
	_ "embed" // the template of a new realm
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
)

// newRealm is what a new Keycloak realm contains, as a realm file in which
// ${realm} stands for its name. There is one way to make a realm: import a file
// over it.
//
//go:embed newrealm.json
var newRealm []byte

// builder turns a realm file into an aggregate.
type builder struct {
	m       *Manager
	agg     *store.Aggregate
	scopes  map[string]*realm.ClientScope // by name
	clients map[string]*realm.Client      // by client_id
	roles   map[string]string             // "client_id/name" → id; "/name" for the realm's
	groups  map[string][]string           // path → ids: two groups may have one path, see groupAt
	weaker  []string
}

// build makes the aggregate of a realm file over the template.
func (m *Manager) build(ctx context.Context, doc []byte, strict bool) (*builder, error) {
	name, err := nameOf(doc)
	if err != nil {
		return nil, err
	}
	r := &realm.Realm{}
	base, err := rep.DecodeFile(template(name), r)
	if err != nil {
		return nil, fmt.Errorf("manage: the template of a new realm: %w", err)
	}
	r.Enabled = false // Keycloak's default of a realm that does not say
	if strict {
		r.Attributes[realm.ProfileAttribute] = realm.ProfileStrict
		r.Enabled, r.BruteForce.Protected = true, true
	}
	file, err := rep.DecodeFile(doc, r)
	if err != nil {
		return nil, err
	}
	if r.ID == "" {
		r.ID = realm.NewID()
	}
	if err := checkRealm(r); err != nil {
		return nil, err
	}
	b := &builder{m: m, agg: &store.Aggregate{Realm: r, Composites: map[string][]string{}, ScopeRoles: map[string][]string{},
		ClientScopeRoles: map[string][]string{}, GroupRoles: map[string][]string{}},
		scopes: map[string]*realm.ClientScope{}, clients: map[string]*realm.Client{}, roles: map[string]string{}, groups: map[string][]string{}}
	return b, b.run(ctx, base, file)
}

func nameOf(doc []byte) (string, error) {
	var head struct {
		Realm string `json:"realm"`
		ID    string `json:"id"`
	}
	if err := json.Unmarshal(doc, &head); err != nil {
		return "", fmt.Errorf("%w: %w", rep.ErrJSON, err)
	}
	if head.Realm == "" {
		return head.ID, nil
	}
	return head.Realm, nil
}

// template is the file of a new realm. In master the roles that administer a
// realm belong to the client master-realm.
func template(name string) []byte {
	quoted, _ := json.Marshal(name) // a string always marshals
	t := bytes.ReplaceAll(newRealm, []byte("${realm}"), quoted[1:len(quoted)-1])
	if name == Master {
		t = bytes.ReplaceAll(t, []byte("realm-management"), []byte("master-realm"))
		t = bytes.Replace(t, []byte(`"accessTokenLifespan": 300`), []byte(`"accessTokenLifespan": 60`), 1)
	}
	return t
}

func (b *builder) run(ctx context.Context, base, file *rep.File) error {
	if file.ClientScopes != nil { // as with Keycloak, a file that lists scopes lists all of them
		base.ClientScopes = slices.DeleteFunc(base.ClientScopes, func(raw json.RawMessage) bool { return headOf(raw).Name != "offline_access" })
	}
	for _, step := range []func(*rep.File) error{b.addScopes, b.addClients, b.addRoles, b.addComposites} {
		for _, f := range []*rep.File{file, base} { // what the file has comes first
			if err := step(f); err != nil {
				return err
			}
		}
	}
	b.chooseDefaultScopes(file, base)
	b.agg.Realm.DefaultRoleID = b.roles["/default-roles-"+strings.ToLower(b.agg.Realm.Name)]
	if file.DefaultRole != nil && b.roles["/"+file.DefaultRole.Name] != "" {
		b.agg.Realm.DefaultRoleID = b.roles["/"+file.DefaultRole.Name]
	}
	b.addScopeMappings(file, nil)
	b.addScopeMappings(base, namedIn(file))
	if err := b.addGroups(file); err != nil {
		return err
	}
	if err := b.addUsers(ctx, file); err != nil {
		return err
	}
	b.addServiceAccounts()
	b.weaker = append(realm.RealmUnenforced(b.agg.Realm), b.weaker...)
	return nil
}

func (b *builder) addScopes(f *rep.File) error {
	for _, raw := range f.ClientScopes {
		sc := &realm.ClientScope{Protocol: "openid-connect"}
		if err := rep.DecodeClientScope(raw, sc); err != nil {
			return err
		}
		if b.scopes[sc.Name] != nil {
			continue
		}
		if sc.ID == "" {
			sc.ID = realm.NewID()
		}
		sc.RealmID = b.agg.Realm.ID
		nameMappers(sc.Mappers)
		b.scopes[sc.Name] = sc
		b.agg.Scopes = append(b.agg.Scopes, sc)
	}
	return nil
}

func (b *builder) chooseDefaultScopes(file, base *rep.File) {
	pick := func(own, standard []string) (ids []string) {
		if own == nil {
			own = standard
		}
		for _, name := range own {
			if sc := b.scopes[name]; sc != nil {
				ids = append(ids, sc.ID)
			}
		}
		return ids
	}
	b.agg.DefaultScopes = pick(file.DefaultScopes, base.DefaultScopes)
	b.agg.OptionalScopes = pick(file.OptionalScopes, base.OptionalScopes)
}

// openIDDefaults are the scopes of a client that names none.
func openIDDefaults() (defaults, optionals []string) {
	return []string{"web-origins", "acr", "profile", "roles", "basic", "email"}, []string{"address", "phone", "offline_access", "organization", "microprofile-jwt"}
}

func (b *builder) addClients(f *rep.File) error {
	defaults, optionals := openIDDefaults()
	for _, raw := range f.Clients {
		n, err := b.m.newClient(b.agg.Realm, raw, defaults, optionals)
		if err != nil {
			return fmt.Errorf("client %q: %w", clientName(n), err)
		}
		c := n.Client
		if b.clients[c.ClientID] != nil {
			continue
		}
		b.clients[c.ClientID] = c
		b.agg.Clients = append(b.agg.Clients, n)
		b.weaker = append(b.weaker, realm.ClientUnenforced(c)...)
	}
	return nil
}

func clientName(n store.NewClient) string {
	if n.Client == nil {
		return ""
	}
	return n.Client.ClientID
}

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

// namedIn are the clients and client scopes that a file has itself: what they are
// limited to is in the file, not in the template.
func namedIn(f *rep.File) map[string]bool {
	out := map[string]bool{}
	for _, list := range [][]json.RawMessage{f.Clients, f.ClientScopes} {
		for _, raw := range list {
			out["client "+headOf(raw).ClientID], out["scope "+headOf(raw).Name] = true, true
		}
	}
	return out
}

// head names a client or a client scope.
type head struct{ ClientID, Name string }

// headOf is the zero value for what does not parse: that is refused where it is decoded.
func headOf(raw json.RawMessage) (h head) {
	_ = json.Unmarshal(raw, &h)
	return h
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
