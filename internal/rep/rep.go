// Package rep translates between Keycloak's JSON and the realm types.
//
// It does no I/O. A member that Keycloak knows and that has no field of its own
// is kept as it came (Extra) and comes back as it was; a member that Keycloak
// does not know is refused by name. manage, adminapi and the import call it.
package rep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a document (S-122).
const (
	MaxDepth = 64
)

// Errors of this package.
var (
	ErrJSON = errors.New("rep: not a JSON object")
	ErrType = errors.New("rep: a member has the wrong type")
)

// UnknownError names a member that Keycloak does not have, with its place as
// Keycloak says it.
type UnknownError struct {
	Representation, Member string
	Column                 int
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("Invalid json representation for %s. Unrecognized field \"%s\" at line 1 column %d.", e.Representation, e.Member, e.Column)
}

// field is a member with the place it is kept in.
type field struct {
	name string
	ptr  any
}

// object is a document taken apart, in order.
type object struct {
	names  []string
	values map[string]json.RawMessage
	ends   map[string]int
}

// parse takes one JSON object apart, with bounds, and refuses a member that
// stands twice.
func parse(doc []byte) (*object, error) {
	if err := CheckText(doc); err != nil {
		return nil, err
	}
	if err := checkDepth(doc); err != nil {
		return nil, err
	}
	if !json.Valid(doc) {
		return nil, fmt.Errorf("%w: it breaks off, or something stands behind it", ErrJSON)
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%w: an object is needed", ErrType)
	}
	o := &object{values: map[string]json.RawMessage{}, ends: map[string]int{}}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrJSON, err)
		}
		name := t.(string) // the decoder gives nothing else in this place
		end := int(dec.InputOffset())
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrJSON, err)
		}
		if _, twice := o.values[name]; twice {
			return nil, fmt.Errorf("%w: %q stands twice", ErrJSON, name)
		}
		o.names, o.values[name], o.ends[name] = append(o.names, name), raw, end
	}
	return o, nil
}

// CheckText refuses a document with broken UTF-8 or with a NUL character in a
// text, "\u0000": no name has one, and not every database keeps it.
func CheckText(doc []byte) error {
	if !utf8.Valid(doc) || bytes.IndexByte(doc, 0) >= 0 {
		return fmt.Errorf("%w: broken UTF-8 or a NUL byte", ErrJSON)
	}
	if !bytes.Contains(doc, []byte(`\u0000`)) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	for {
		t, err := dec.Token()
		if err != nil {
			return nil // its end, or what the parser says better
		}
		if text, ok := t.(string); ok && strings.ContainsRune(text, 0) {
			return fmt.Errorf("%w: a text with a NUL character", ErrJSON)
		}
	}
}

func checkDepth(doc []byte) error {
	dec := json.NewDecoder(bytes.NewReader(doc))
	for depth := 0; ; {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrJSON, err)
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > MaxDepth {
			return fmt.Errorf("%w: nested deeper than %d", ErrJSON, MaxDepth)
		}
	}
}

// fill writes the members that a document has into their places and the known
// ones without a place into extra. Absent members stay as they are, so that a
// partial document keeps what it does not name.
func (o *object) fill(representation string, fields []field, kept []string, extra *map[string]json.RawMessage) error {
	places := map[string]any{}
	for _, f := range fields {
		places[f.name] = f.ptr
	}
	for _, name := range o.names {
		raw := o.values[name]
		ptr, ok := places[name]
		switch {
		case ok && string(raw) == "null":
		case ok:
			// Into a value of its own: a decoder writes into the slice and the map
			// that are there, and those may be the cached ones.
			fresh, err := read(raw, reflect.TypeOf(ptr).Elem())
			if err != nil {
				return fmt.Errorf("%w: %s: %w", ErrType, name, err)
			}
			reflect.ValueOf(ptr).Elem().Set(fresh)
		case slices.Contains(kept, name):
			if *extra == nil {
				*extra = map[string]json.RawMessage{}
			}
			(*extra)[name] = raw
		default:
			return &UnknownError{Representation: representation, Member: name, Column: o.ends[name] + 4}
		}
	}
	return nil
}

// encode writes fields in their order, then what was kept, in the order of kept.
func encode(fields []field, kept []string, extra map[string]json.RawMessage) (json.RawMessage, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	add := func(name string, raw []byte) {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		key, _ := json.Marshal(name) // a string always marshals
		b.Write(key)
		b.WriteByte(':')
		b.Write(raw)
	}
	for _, f := range fields {
		raw, err := json.Marshal(f.ptr)
		if err != nil {
			return nil, fmt.Errorf("rep: %w", err)
		}
		if string(raw) != "null" {
			add(f.name, raw)
		}
	}
	for _, name := range kept {
		if raw, ok := extra[name]; ok {
			add(name, raw)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// optional is nil for an empty text, so that the member is left out.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
