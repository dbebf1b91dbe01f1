package jose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// usual is more bytes than most tokens have.
const usual = 1024

// Marshal gives claims as encoding/json writes them, byte for byte: members by
// name. What claims are mostly made of it writes itself, in a fifth of the time;
// the rest is encoding/json's matter. The error is encoding/json's.
func Marshal(claims map[string]any) ([]byte, error) {
	b, err := marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("jose: %w", err)
	}
	return b, nil
}

func marshal(claims any) ([]byte, error) {
	if members, ok := claims.(map[string]any); ok {
		return appendObject(make([]byte, 0, usual), members, 0)
	}
	return json.Marshal(claims)
}

// With gives the token's claims as they were signed, byte for byte, and more behind
// them. Of a name that the token has too, the later counts. The error is
// encoding/json's.
func (t *Token) With(more map[string]any) ([]byte, error) {
	for name := range more {
		if _, there := t.Claims[name]; there {
			all := maps.Clone(t.Claims)
			maps.Copy(all, more)
			return Marshal(all)
		}
	}
	added, err := Marshal(more)
	end := bytes.LastIndexByte(t.Raw, '}') // parseClaims has seen to the form
	switch {
	case err != nil || len(t.Claims) == 0 || end < 0:
		return added, err
	case len(more) == 0:
		return t.Raw, nil
	}
	out := append(make([]byte, 0, len(t.Raw)+len(added)), t.Raw[:end]...)
	return append(append(out, ','), added[1:]...), nil
}

// Says reports whether these are the token's claims, as encoding/json would read them.
func (t *Token) Says(claims map[string]any) bool { return same(t.Claims, claims) }

// same compares what was read with what would be written: the same JSON, though one
// holds every number as a float64.
func same(read, written any) bool {
	switch w := written.(type) {
	case int64:
		f, ok := read.(float64)
		return ok && f == float64(w) && int64(f) == w
	case map[string]any:
		r, ok := read.(map[string]any)
		if !ok || len(r) != len(w) {
			return false
		}
		for name, v := range w {
			if have, there := r[name]; !there || !same(have, v) {
				return false
			}
		}
		return true
	case []any:
		r, ok := read.([]any)
		return ok && slices.EqualFunc(r, w, same)
	case string, float64, bool, nil:
		return read == written
	}
	return false
}

func appendObject(b []byte, members map[string]any, depth int) (_ []byte, err error) {
	if members == nil {
		return append(b, "null"...), nil
	}
	names := make([]string, 0, 48) // more members than most have
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendText(b, name); err != nil {
			return nil, err
		}
		if b, err = appendValue(append(b, ':'), members[name], depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendArray(b []byte, values []any, depth int) (_ []byte, err error) {
	if values == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendValue(b, v, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// appendValue writes what stands inside so many objects and arrays. What nests
// deeper than any token may is encoding/json's, which notices a loop.
func appendValue(b []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return appendText(b, v)
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		if n := int64(v); v == float64(n) && n != 0 && -1e15 < v && v < 1e15 { // a time, say; zero may be -0
			return strconv.AppendInt(b, n, 10), nil
		}
	case map[string]any:
		if depth <= maxDepth {
			return appendObject(b, v, depth)
		}
	case []any:
		if depth <= maxDepth {
			return appendArray(b, v, depth)
		}
	}
	return appendAny(b, v)
}

// appendText writes a text of printable ASCII that encoding/json escapes nothing of.
func appendText(b []byte, s string) ([]byte, error) {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return appendAny(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), nil
}

func appendAny(b []byte, v any) ([]byte, error) {
	out, err := json.Marshal(v)
	return append(b, out...), err
}
