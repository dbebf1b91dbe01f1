package token

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
)

func putIf(c map[string]any, m realm.Mapper, v string) {
	if v != "" {
		put(c, m, v)
	}
}

// put writes a text as the mapper's type, and nothing where it is none of that type.
func put(c map[string]any, m realm.Mapper, v string) {
	if t := typed(v, m.Config["jsonType.label"]); t != nil {
		set(c, m, t)
	}
}

func set(c map[string]any, m realm.Mapper, v any) { setPath(c, m.Config["claim.name"], v) }

// setPath writes "a.b.c" as nested objects; "\." is a dot in a name. It never
// writes the claims that say whom a token is of, for and from: those are the
// issuer's alone.
func setPath(c map[string]any, path string, v any) {
	switch first, _, nested := strings.Cut(path, "."); {
	case path == "" || reserved(first): // an object in place of aud is no audience
		return
	case !nested:
		c[path] = joined(c[path], v)
		return
	}
	steps := strings.Split(strings.ReplaceAll(path, `\.`, "\x00"), ".")
	for i, step := range steps {
		step = strings.ReplaceAll(step, "\x00", ".")
		if i == len(steps)-1 {
			c[step] = joined(c[step], v)
			return
		}
		next, ok := c[step].(map[string]any)
		if !ok {
			next = map[string]any{}
			c[step] = next
		}
		c = next
	}
}

// joined: lists that two mappers write into one claim become one list, as with
// Keycloak (groups of a membership mapper and of microprofile-jwt). Of anything
// else the later counts.
func joined(have, v any) any {
	old, ok := have.([]any)
	list, ok2 := v.([]any)
	if !ok || !ok2 {
		return v
	}
	out := slices.Clip(old)
	for _, e := range list {
		if !slices.ContainsFunc(out, func(o any) bool { return reflect.DeepEqual(o, e) }) { // == panics for objects
			out = append(out, e)
		}
	}
	return out
}

func reserved(claim string) bool {
	switch claim {
	case "iss", "sub", "exp", "iat", "nbf", "jti", "typ", "azp", "sid", "aud", "nonce", "at_hash", "c_hash", "cnf":
		return true
	}
	return false
}

// typed turns a text into the JSON type of jsonType.label, nil for what is none.
func typed(v, label string) any {
	switch label {
	case "boolean":
		return strings.EqualFold(v, "true")
	case "long":
		return whole(v, 64)
	case "int":
		return whole(v, 32)
	case "JSON":
		var out any
		if json.Unmarshal([]byte(v), &out) != nil {
			return nil
		}
		return out
	}
	return v
}

func whole(v string, bits int) any {
	n, err := strconv.ParseInt(v, 10, bits)
	if err != nil {
		return nil
	}
	return n
}

func prefixed(prefix string, names []string) []string {
	if prefix == "" {
		return names
	}
	var out []string
	for _, n := range names {
		out = append(out, prefix+n)
	}
	return out
}

// several is a list for a mapper of many values. For any other it is the first alone,
// as with Keycloak: a text, where an application reads one role.
func several(m realm.Mapper, names []string) any {
	if m.Config["multivalued"] != "true" {
		return names[0]
	}
	return anys(names)
}

func anys(in []string) []any {
	out := make([]any, 0, len(in))
	for _, v := range in {
		out = append(out, v)
	}
	return out
}
