package jose

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"
)

// Sign makes a compact JWS over the claims as JSON. typ is the header's typ.
func Sign(k Key, typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("jose: %w", err)
	}
	var with any = k.Private
	if k.Secret != nil {
		with = k.Secret
	}
	// kid as a header of its own: the library leaves a secret's id out.
	signer, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.SignatureAlgorithm(k.Algorithm), Key: with},
		(&gojose.SignerOptions{}).WithType(gojose.ContentType(typ)).WithHeader("kid", k.ID))
	if err != nil {
		return "", fmt.Errorf("jose: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("jose: %w", err)
	}
	return signed.CompactSerialize()
}

// LeftHalfHash is the value of at_hash and c_hash: "base64url encoding of the
// left-most half of the hash", with the hash of the ID token's algorithm
// (OpenID Connect Core 1.0, section 3.1.3.6). An unknown algorithm is an error:
// it must never count as "nothing to compare" (CVE-2026-28498).
func LeftHalfHash(algorithm, value string) (string, error) {
	var h hash.Hash
	switch {
	case strings.HasSuffix(algorithm, "256"):
		h = sha256.New()
	case strings.HasSuffix(algorithm, "384"):
		h = sha512.New384()
	case strings.HasSuffix(algorithm, "512"), algorithm == EdDSA:
		h = sha512.New()
	default:
		return "", fmt.Errorf("%w: %q", ErrAlgorithm, algorithm)
	}
	h.Write([]byte(value))
	sum := h.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]), nil
}
