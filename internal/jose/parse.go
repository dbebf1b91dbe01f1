package jose

import (
	"errors"
	"strings"
)

var (
	errParts   = errors.New("three parts between dots are needed")
	errSize    = errors.New("too long")
	errLineEnd = errors.New("a line end")
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
