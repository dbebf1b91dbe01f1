package jose

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Bounds of a token's JSON (S-54).
const (
	maxDepth  = 16
	maxValues = 4096
)

var (
	errParts     = errors.New("three parts between dots are needed")
	errSize      = errors.New("too long")
	errDuplicate = errors.New("a member stands twice")
	errLineEnd   = errors.New("a line end")
	errDeep      = errors.New("nested too deeply, or too many values")
)

// parseHeader takes the header of a compact JWS apart before anything is
// verified, with bounds. A header with crit is refused: "If any of the listed
// extension Header Parameters are not understood and supported by the
// recipient, then the JWS is invalid" (RFC 7515, section 4.1.11).
func parseHeader(token string) (Header, error) {
	if len(token) > MaxToken {
		return Header{}, &CheckError{Check: "form", Err: errSize}
	}
	if strings.Count(token, ".") != 2 {
		return Header{}, &CheckError{Check: "form", Err: errParts}
	}
	raw, _, _ := strings.Cut(token, ".")
	members, err := decodeObject(raw)
	if err != nil {
		return Header{}, err
	}
	for _, refused := range []string{"crit", "b64", "zip"} {
		if _, ok := members[refused]; ok {
			return Header{}, &CheckError{Check: "form", Claim: refused, Got: "present", Want: "absent"}
		}
	}
	h := Header{Algorithm: text(members["alg"]), KeyID: text(members["kid"]), Type: text(members["typ"])}
	if len(h.KeyID) > 256 {
		return Header{}, &CheckError{Check: "form", Claim: "kid", Err: errSize}
	}
	return h, nil
}

// Unverified takes a token apart without believing it: for the log line that
// says why a token was refused. Never decide on what it returns.
func Unverified(token string) (Header, map[string]any, error) {
	h, err := parseHeader(token)
	if err != nil {
		return Header{}, nil, err
	}
	claims, err := decodeObject(strings.Split(token, ".")[1])
	return h, claims, err
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func decodeObject(part string) (map[string]any, error) {
	b, err := decodePart(part)
	if err != nil {
		return nil, err
	}
	return parseClaims(b)
}

// parseClaims reads one JSON object, refusing members that stand twice: two
// parsers would disagree on which of them counts.
func parseClaims(b []byte) (map[string]any, error) {
	members, err := survey(b)
	if err != nil {
		return nil, &CheckError{Check: "form", Err: err}
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil || out == nil {
		return nil, &CheckError{Check: "form", Err: fmt.Errorf("not a JSON object: %w", err)}
	}
	// A decoder keeps one of two members with the same name: where fewer came out
	// than stand there, one stands twice.
	if count(out) != members {
		return nil, &CheckError{Check: "form", Err: errDuplicate}
	}
	return out, nil
}

// survey bounds a JSON text and counts the members of all its objects, before
// anything is made of it. It takes the text for JSON; the decoder finds out.
func survey(b []byte) (members int, err error) {
	depth, values, quoted := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			values++
		case c == '}' || c == ']':
			depth--
		case c == ':':
			members++
		case c == ',':
			values++
		}
		if depth > maxDepth || values > maxValues {
			return 0, errDeep
		}
	}
	return members, nil
}

// count is the number of members of all objects in a decoded value.
func count(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		n = len(v)
		for _, inner := range v {
			n += count(inner)
		}
	case []any:
		for _, inner := range v {
			n += count(inner)
		}
	}
	return n
}
