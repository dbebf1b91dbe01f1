package jose

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of a token's JSON (S-54).
const (
	maxDepth   = 16
	maxMembers = 256
)

var (
	errParts     = errors.New("three parts between dots are needed")
	errSize      = errors.New("too long")
	errDuplicate = errors.New("a member stands twice")
	errDeep      = errors.New("nested too deeply, or too many members")
	errTrailing  = errors.New("something stands behind the JSON")
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
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || strings.ContainsAny(part, "\r\n") {
		return nil, &CheckError{Check: "form", Err: fmt.Errorf("not base64url: %w", err)}
	}
	return parseClaims(b)
}

// parseClaims reads one JSON object, refusing members that stand twice: two
// parsers would disagree on which of them counts.
func parseClaims(b []byte) (map[string]any, error) {
	if err := checkJSON(b); err != nil {
		return nil, &CheckError{Check: "form", Err: err}
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil || out == nil {
		return nil, &CheckError{Check: "form", Err: fmt.Errorf("not a JSON object: %w", err)}
	}
	return out, nil
}

// checkJSON walks one JSON value: bounded depth and size, no member twice,
// nothing behind it.
func checkJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	w := walker{dec: dec}
	if err := w.value(0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errTrailing
	}
	return nil
}

type walker struct {
	dec *json.Decoder
	n   int
}

func (w *walker) value(depth int) error {
	w.n++
	if depth > maxDepth || w.n > 16*maxMembers {
		return errDeep
	}
	t, err := w.dec.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
		return w.object(depth)
	case json.Delim('['):
		return w.array(depth)
	}
	return nil
}

func (w *walker) object(depth int) error {
	seen := map[string]bool{}
	for w.dec.More() {
		t, err := w.dec.Token()
		if err != nil {
			return err
		}
		name := t.(string) // the decoder gives nothing else in this place
		if seen[name] {
			return errDuplicate
		}
		seen[name] = true
		if len(seen) > maxMembers {
			return errDeep
		}
		if err := w.value(depth + 1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

func (w *walker) array(depth int) error {
	for w.dec.More() {
		if err := w.value(depth + 1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}
