package manage

import (
	"bytes"
	"context"
	_ "embed" // the template of a new realm
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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
