package rep

import (
	"encoding/json"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// File is what a realm file holds beside the realm's own settings.
type File struct {
	DefaultRole         *Role
	DefaultRoles        []string // before version 13
	Roles               Roles
	Groups              []Group
	DefaultGroups       []string
	Users               []json.RawMessage
	Clients             []json.RawMessage
	ClientScopes        []json.RawMessage
	DefaultScopes       []string
	OptionalScopes      []string
	ScopeMappings       []ScopeMapping
	ClientScopeMappings map[string][]ScopeMapping
}

// Roles are a file's roles: of the realm, and of its clients by client_id.
type Roles struct {
	Realm  []Role            `json:"realm"`
	Client map[string][]Role `json:"client"`
}

// ScopeMapping limits a client or a client scope to roles.
type ScopeMapping struct {
	Client      string   `json:"client,omitempty"`
	ClientScope string   `json:"clientScope,omitempty"`
	Roles       []string `json:"roles"`
}

func (f *File) fields() []field {
	return []field{
		{"defaultRole", &f.DefaultRole}, {"defaultRoles", &f.DefaultRoles}, {"roles", &f.Roles}, {"groups", &f.Groups}, {"defaultGroups", &f.DefaultGroups},
		{"users", &f.Users}, {"clients", &f.Clients}, {"clientScopes", &f.ClientScopes}, {"defaultDefaultClientScopes", &f.DefaultScopes},
		{"defaultOptionalClientScopes", &f.OptionalScopes}, {"scopeMappings", &f.ScopeMappings}, {"clientScopeMappings", &f.ClientScopeMappings},
	}
}

// DecodeFile reads a realm file over the settings that into has already.
func DecodeFile(doc []byte, into *realm.Realm) (*File, error) { return decodeRealm(doc, into) }

// Role is a RoleRepresentation.
type Role struct {
	ID          string              `json:"id,omitempty"`
	Name        string              `json:"name"`
	Description string              `json:"description,omitempty"`
	Composite   bool                `json:"composite"`
	Composites  *Composites         `json:"composites,omitempty"`
	ClientRole  bool                `json:"clientRole"`
	ContainerID string              `json:"containerId,omitempty"`
	Attributes  map[string][]string `json:"attributes,omitzero"` // nil in a brief one
	ScopeParam  *bool               `json:"scopeParamRequired,omitempty"`
}

// DecodeRole reads a RoleRepresentation over what into has already.
func DecodeRole(doc []byte, into *Role) error {
	o, err := parse(doc)
	if err != nil {
		return err
	}
	r := into
	return o.fill("RoleRepresentation", []field{{"id", &r.ID}, {"name", &r.Name}, {"description", &r.Description}, {"composite", &r.Composite}, {"composites", &r.Composites},
		{"clientRole", &r.ClientRole}, {"containerId", &r.ContainerID}, {"attributes", &r.Attributes}, {"scopeParamRequired", &r.ScopeParam}}, nil, nil)
}

// Composites are the roles that a role contains, by name.
type Composites struct {
	Realm  []string            `json:"realm,omitempty"`
	Client map[string][]string `json:"client,omitempty"`
}

// NewRole is the representation of a role.
func NewRole(r *realm.Role, realmID string) Role {
	container := realmID
	if r.ClientID != "" {
		container = r.ClientID
	}
	return Role{ID: r.ID, Name: r.Name, Description: r.Description, Composite: r.Composite, ClientRole: r.ClientID != "", ContainerID: container}
}

// FullRole is the representation of a role with its attributes.
func FullRole(r *realm.Role, realmID string) Role {
	out := NewRole(r, realmID)
	if out.Attributes = r.Attributes; out.Attributes == nil {
		out.Attributes = map[string][]string{}
	}
	return out
}

// Group is a GroupRepresentation.
type Group struct {
	ID          string              `json:"id,omitempty"`
	Name        string              `json:"name"`
	Description string              `json:"description,omitempty"`
	Path        string              `json:"path,omitempty"`
	ParentID    string              `json:"parentId,omitempty"`
	SubGroups   []Group             `json:"subGroups"`
	Attributes  map[string][]string `json:"attributes,omitempty"`
	RealmRoles  []string            `json:"realmRoles,omitempty"`
	ClientRoles map[string][]string `json:"clientRoles,omitempty"`
}
