package jose

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Bounds of a token's JSON (S-54).
const (
	maxDepth  = 16
	maxValues = 4096
)

var (
	errDuplicate = errors.New("a member stands twice")
	errDeep      = errors.New("nested too deeply, or too many values")
	errNoJSON    = errors.New("no JSON")
)

// parseClaims reads one JSON object as encoding/json does, in one pass, within
// bounds, and refusing members that stand twice: two parsers would disagree on
// which of them counts.
func parseClaims(b []byte) (map[string]any, error) {
	r := &reader{in: string(b)}
	r.blanks()
	v, err := r.value(0)
	r.blanks()
	object, ok := v.(map[string]any)
	if err == nil && (!ok || r.at != len(r.in)) {
		err = errNoJSON
	}
	if err != nil {
		return nil, &CheckError{Check: "form", Err: fmt.Errorf("not a JSON object: %w", err)}
	}
	return object, nil
}

// reader reads JSON's structure (RFC 8259). Texts and numbers that are not plain
// are encoding/json's matter, whose reading counts everywhere else.
type reader struct {
	in     string
	at     int
	values int
}

func (r *reader) blanks() {
	for r.at < len(r.in) && isBlank(r.in[r.at]) {
		r.at++
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// next takes c and the blanks behind it, if it is what follows.
func (r *reader) next(c byte) bool {
	if r.at == len(r.in) || r.in[r.at] != c {
		return false
	}
	r.at++
	r.blanks()
	return true
}

// value reads what begins here, inside so many others.
func (r *reader) value(depth int) (any, error) {
	if r.values++; r.values > maxValues {
		return nil, errDeep
	}
	if r.at == len(r.in) {
		return nil, errNoJSON
	}
	switch c := r.in[r.at]; {
	case c == '{' || c == '[':
		if depth == maxDepth {
			return nil, errDeep
		}
		if c == '{' {
			return r.object(depth + 1)
		}
		return r.array(depth + 1)
	case c == '"':
		return r.text()
	}
	return r.scalar()
}

func (r *reader) object(depth int) (any, error) {
	out := make(map[string]any, r.members(depth))
	r.next('{')
	if r.next('}') {
		return out, nil
	}
	for {
		name, err := r.text()
		if err != nil {
			return nil, err
		}
		if _, there := out[name]; there {
			return nil, errDuplicate
		}
		r.blanks()
		if !r.next(':') {
			return nil, errNoJSON
		}
		if out[name], err = r.value(depth); err != nil {
			return nil, err
		}
		r.blanks()
		if !r.next(',') {
			return out, r.end('}')
		}
	}
}

// members guesses how many the outermost object has: a map that need not grow.
func (r *reader) members(depth int) int {
	const each = 40 // bytes
	if depth > 1 {
		return 0
	}
	return min(len(r.in)/each, 64)
}

func (r *reader) array(depth int) (any, error) {
	out := []any{}
	r.next('[')
	if r.next(']') {
		return out, nil
	}
	for {
		v, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		r.blanks()
		if !r.next(',') {
			return out, r.end(']')
		}
	}
}

func (r *reader) end(c byte) error {
	if r.at == len(r.in) || r.in[r.at] != c {
		return errNoJSON
	}
	r.at++
	return nil
}

// text reads a string. One of printable ASCII without escapes is what it is.
func (r *reader) text() (string, error) {
	if r.at == len(r.in) || r.in[r.at] != '"' {
		return "", errNoJSON
	}
	plain := true
	for i := r.at + 1; i < len(r.in); i++ {
		switch c := r.in[i]; {
		case c == '"':
			raw := r.in[r.at : i+1]
			r.at = i + 1
			if plain {
				return raw[1 : len(raw)-1], nil
			}
			var s string
			err := json.Unmarshal([]byte(raw), &s)
			return s, err
		case c == '\\':
			plain = false
			i++
		case c < ' ' || c > '~':
			plain = false
		}
	}
	return "", errNoJSON
}

// scalar reads a number, true, false or null.
func (r *reader) scalar() (v any, err error) {
	end := r.at
	for end < len(r.in) && r.in[end] != ',' && r.in[end] != ']' && r.in[end] != '}' && !isBlank(r.in[end]) {
		end++
	}
	raw := r.in[r.at:end]
	r.at = end
	if n, ok := wholeNumber(raw); ok {
		return n, nil
	}
	err = json.Unmarshal([]byte(raw), &v)
	return v, err
}

// wholeNumber reads a time, say: a number without sign, fraction and exponent that
// a float64 holds as it is.
func wholeNumber(raw string) (float64, bool) {
	if raw == "" || len(raw) > 15 || raw[0] == '0' {
		return 0, false
	}
	n := int64(0)
	for i := range len(raw) {
		if raw[i] < '0' || raw[i] > '9' {
			return 0, false
		}
		n = 10*n + int64(raw[i]-'0')
	}
	return float64(n), true
}
