package token

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
)

func mapProperty(c map[string]any, s *subject, m realm.Mapper) {
	switch m.Config["user.attribute"] {
	case "username":
		put(c, m, s.user.Username)
	case "email":
		putIf(c, m, s.user.Email)
	case "emailVerified":
		put(c, m, strconv.FormatBool(s.user.EmailVerified))
	case "enabled":
		put(c, m, strconv.FormatBool(s.user.Enabled))
	case "firstName":
		putIf(c, m, s.user.FirstName)
	case "lastName":
		putIf(c, m, s.user.LastName)
	case "id":
		put(c, m, s.user.ID)
	case "createdTimestamp":
		put(c, m, strconv.FormatInt(s.user.CreatedAt.UnixMilli(), 10))
	}
}

func mapAttribute(c map[string]any, s *subject, m realm.Mapper) {
	name := m.Config["user.attribute"]
	values := s.user.Attributes[name]
	if builtin := builtinAttribute(s.user, name); builtin != "" {
		values = []string{builtin}
	}
	if all := m.Config["aggregate.attrs"] == "true"; s.lent != nil && (all || len(values) == 0) {
		values = slices.Concat(values, s.lent(name, all)) // a new one: it is sorted below
		if all {
			slices.Sort(values)
			values = slices.Compact(values)
		}
	}
	if len(values) == 0 {
		return
	}
	if m.Config["multivalued"] == "true" {
		out := []any{}
		for _, v := range values {
			out = append(out, typed(v, m.Config["jsonType.label"]))
		}
		set(c, m, out)
		return
	}
	put(c, m, values[0])
}

// builtinAttribute is one that every user has, "" for others.
func builtinAttribute(u *realm.User, name string) string {
	switch name {
	case "username":
		return u.Username
	case "email":
		return u.Email
	case "firstName":
		return u.FirstName
	case "lastName":
		return u.LastName
	}
	return ""
}

func mapFullName(c map[string]any, s *subject, m realm.Mapper) {
	if name := strings.TrimSpace(s.user.FirstName + " " + s.user.LastName); name != "" {
		c["name"] = name
	}
}

// mapAddress builds the address claim of OpenID Connect Core 1.0, 5.1.1. A part whose
// attribute is not configured is the attribute of its own name.
func mapAddress(c map[string]any, s *subject, m realm.Mapper) {
	out := map[string]any{}
	for claim, part := range map[string]string{"street_address": "street", "locality": "locality", "region": "region", "postal_code": "postal_code",
		"country": "country", "formatted": "formatted"} {
		if v := s.user.Attributes[cmp.Or(m.Config["user.attribute."+part], part)]; len(v) > 0 {
			out[claim] = v[0]
		}
	}
	if len(out) > 0 {
		c["address"] = out
	}
}
