package rep

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
)

// Secrets of other systems stand in members that are kept as they came: the
// password of the mail server and such. Answers mask them; a document that sends
// the mask back keeps them, as with Keycloak.

// secretNames are the names that those secrets have, at whatever depth.
func secretNames() []string {
	return []string{"password", "authTokenClientSecret", "clientSecret", "bindCredential", "secret", "privateKey", "keyPassword", "keystorePassword"}
}

// inVault is a value that says where the secret is, and is none itself.
var inVault = regexp.MustCompile(`^\$\{vault\..+\}$`)

// masked gives a kept member with a mask for every secret in it.
func masked(raw json.RawMessage) json.RawMessage {
	return rewrite(raw, func(v any) any { return maskIn(v, false) })
}

func maskIn(v any, secret bool) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = maskIn(member, slices.Contains(secretNames(), name))
		}
	case []any:
		for i := range v {
			v[i] = maskIn(v[i], secret)
		}
	case string:
		if secret && v != "" && !inVault.MatchString(v) {
			return Masked
		}
	}
	return v
}

// unmasked gives a kept member as it was sent, with what was there before in the
// place of each mask. A mask that stands for nothing is left out.
func unmasked(sent, before json.RawMessage) json.RawMessage {
	if !bytes.Contains(sent, []byte(Masked)) {
		return sent
	}
	old, _ := tree(before) // nil where there was nothing
	return rewrite(sent, func(v any) any { return unmaskIn(v, old) })
}

func unmaskIn(v, old any) any {
	switch v := v.(type) {
	case map[string]any:
		was, _ := old.(map[string]any)
		for name, member := range v {
			if v[name] = unmaskIn(member, was[name]); v[name] == nil && member != nil {
				delete(v, name)
			}
		}
	case []any:
		was, _ := old.([]any)
		out := v[:0]
		for i, one := range v {
			if got := unmaskIn(one, counterpart(one, i, was)); got != nil || one == nil {
				out = append(out, got)
			}
		}
		return out
	case string:
		if v == Masked {
			was, _ := old.(string)
			if was == "" {
				return nil
			}
			return was
		}
	}
	return v
}

// counterpart finds what an element of a list was before: objects by the name that
// they have, values by their place.
func counterpart(one any, i int, was []any) any {
	object, ok := one.(map[string]any)
	if !ok {
		if i < len(was) {
			return was[i]
		}
		return nil
	}
	for _, key := range []string{"id", "internalId", "alias", "name", "displayName"} {
		if object[key] == nil {
			continue
		}
		for _, old := range was {
			if o, ok := old.(map[string]any); ok && o[key] == object[key] {
				return old
			}
		}
	}
	return nil
}

func tree(raw json.RawMessage) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // numbers stay as they are written
	err = dec.Decode(&v)
	return v, err
}

func rewrite(raw json.RawMessage, change func(any) any) json.RawMessage {
	v, err := tree(raw)
	if err != nil {
		return raw // never: it was parsed when it came
	}
	out, err := json.Marshal(change(v))
	if err != nil {
		return raw
	}
	return out
}
