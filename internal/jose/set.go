package jose

import (
	"bytes"
	"crypto/sha1" // #nosec G505 -- x5t is defined over SHA-1 (RFC 7517, 4.8); nothing trusts it
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	gojose "github.com/go-jose/go-jose/v4"
)

// Limits of a key set from outside (S-59).
const (
	MaxSetBytes = 1 << 20
	MaxSetKeys  = 100
)

// ErrSet is the error for a document that is no usable key set.
var ErrSet = errors.New("jose: not a JSON Web Key Set")

// Set is a set of keys to verify with. The zero value has none.
type Set struct{ keys []Key }

// NewSet makes a set of keys.
func NewSet(keys ...Key) *Set { return &Set{keys: keys} }

// Keys are the keys of the set, in order.
func (s *Set) Keys() []Key { return s.keys }

// ParseSet reads a JWK Set of at most MaxSetBytes and MaxSetKeys. Keys of a
// kind, or with a use, that it does not know are left out: "Implementations
// SHOULD ignore JWKs within a JWK Set that use "kty" values that are not
// understood by them" (RFC 7517, section 5). Secrets are left out too.
func ParseSet(document []byte) (*Set, error) {
	if len(document) > MaxSetBytes {
		return nil, fmt.Errorf("%w: over %d bytes", ErrSet, MaxSetBytes)
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSet, err)
	}
	if doc.Keys == nil || len(doc.Keys) > MaxSetKeys {
		return nil, fmt.Errorf("%w: no keys, or more than %d", ErrSet, MaxSetKeys)
	}
	s := &Set{}
	for _, raw := range doc.Keys {
		var jwk gojose.JSONWebKey
		if err := json.Unmarshal(raw, &jwk); err != nil || !jwk.Valid() || !jwk.IsPublic() {
			continue
		}
		s.keys = append(s.keys, Key{ID: jwk.KeyID, Algorithm: jwk.Algorithm, Use: jwk.Use, Public: jwk.Key})
	}
	return s, nil
}

// Lookup finds the signature keys that a header's kid and alg allow. Without a
// kid every key that fits the algorithm is a candidate.
func (s *Set) Lookup(kid, algorithm string) []Key {
	var found []Key
	for _, k := range s.keys {
		if k.Use == UseEncryption || !k.fits(algorithm) {
			continue
		}
		if kid == "" || k.ID == kid {
			found = append(found, k)
		}
	}
	return found
}

// JSON is the public document of the set, with x5c, x5t and x5t#S256 for keys
// that have a certificate, as Keycloak publishes it. Secrets are not in it.
func (s *Set) JSON() ([]byte, error) {
	out := struct {
		Keys []json.RawMessage `json:"keys"`
	}{Keys: []json.RawMessage{}}
	for _, k := range s.keys {
		if k.Public == nil {
			continue
		}
		raw, err := publicJWK(k)
		if err != nil {
			return nil, err
		}
		out.Keys = append(out.Keys, raw)
	}
	return json.Marshal(out)
}

func publicJWK(k Key) (json.RawMessage, error) {
	raw, err := gojose.JSONWebKey{Key: k.Public, KeyID: k.ID, Algorithm: k.Algorithm, Use: k.Use}.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("jose: %w", err)
	}
	if k.Certificate == nil {
		return raw, nil
	}
	sum := sha1.Sum(k.Certificate) // #nosec G401 -- as above
	extra, err := json.Marshal(struct {
		X5C  []string `json:"x5c"`
		X5T  string   `json:"x5t"`
		X5T2 string   `json:"x5t#S256"`
	}{[]string{base64.StdEncoding.EncodeToString(k.Certificate)}, base64.RawURLEncoding.EncodeToString(sum[:]), x5t256(k.Certificate)})
	if err != nil {
		return nil, fmt.Errorf("jose: %w", err)
	}
	return append(append(bytes.TrimSuffix(raw, []byte("}")), ','), extra[1:]...), nil
}
