package rep

// GroupAnswer is a GroupRepresentation as GET answers it. What is nil is left out:
// the roles and attributes of a brief one.
type GroupAnswer struct {
	ID            string              `json:"id"`
	Name          string              `json:"name"`
	Description   string              `json:"description,omitempty"`
	Path          string              `json:"path"`
	ParentID      string              `json:"parentId,omitempty"`
	SubGroupCount *int                `json:"subGroupCount,omitempty"`
	SubGroups     []*GroupAnswer      `json:"subGroups"`
	Attributes    map[string][]string `json:"attributes,omitzero"`
	RealmRoles    []string            `json:"realmRoles,omitzero"`
	ClientRoles   map[string][]string `json:"clientRoles,omitzero"`
	Access        map[string]bool     `json:"access,omitzero"`
}

// DecodeGroup reads a GroupRepresentation over what into has already.
func DecodeGroup(doc []byte, into *Group) error {
	o, err := parse(doc)
	if err != nil {
		return err
	}
	var count int
	var access map[string]bool
	return o.fill("GroupRepresentation", []field{{"id", &into.ID}, {"name", &into.Name}, {"description", &into.Description}, {"path", &into.Path},
		{"parentId", &into.ParentID}, {"subGroupCount", &count}, {"subGroups", &into.SubGroups}, {"attributes", &into.Attributes},
		{"realmRoles", &into.RealmRoles}, {"clientRoles", &into.ClientRoles}, {"access", &access}}, nil, nil)
}
