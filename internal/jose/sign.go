package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"math/big"
	"strings"
)

// Sign makes a compact JWS (RFC 7515, section 7.1) over the claims as JSON. typ is
// the header's typ.
func Sign(k Key, typ string, claims any) (string, error) {
	payload, err := marshal(claims)
	if err != nil {
		return "", fmt.Errorf("jose: %w", err)
	}
	header, err := k.header(typ)
	if err != nil {
		return "", fmt.Errorf("jose: %w", err)
	}
	// "The JWS Signing Input is ASCII(BASE64URL(UTF8(JWS Protected Header)) || '.'
	// || BASE64URL(JWS Payload))" (RFC 7515, section 2); the signature follows it.
	const signature = 700 // more than the longest, of an RSA key of 4096 bits
	out := make([]byte, 0, base64.RawURLEncoding.EncodedLen(len(header)+len(payload)+3)+signature)
	out = base64.RawURLEncoding.AppendEncode(out, header)
	out = append(out, '.')
	out = base64.RawURLEncoding.AppendEncode(out, payload)
	sig, err := k.sign(out)
	if err != nil {
		return "", fmt.Errorf("jose: %w", err)
	}
	out = append(out, '.')
	return string(base64.RawURLEncoding.AppendEncode(out, sig)), nil
}

func (k Key) header(typ string) (b []byte, err error) {
	b = make([]byte, 0, 128)
	for _, m := range []struct{ before, value string }{{`{"alg":`, k.Algorithm}, {`,"typ":`, typ}, {`,"kid":`, k.ID}} {
		if m.value == "" && m.before == `,"kid":` {
			continue
		}
		if b, err = appendText(append(b, m.before...), m.value); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// sign signs with the key's own algorithm, and with a key of that algorithm's kind
// alone.
func (k Key) sign(input []byte) ([]byte, error) {
	if k.Use == UseEncryption || !k.fits(k.Algorithm) {
		return nil, fmt.Errorf("%w: %q with this key", ErrAlgorithm, k.Algorithm)
	}
	if k.Algorithm == HS512 {
		mac := hmac.New(sha512.New, k.Secret)
		mac.Write(input)
		return mac.Sum(nil), nil
	}
	if k.Private == nil {
		return nil, fmt.Errorf("%w: %q with a public key", ErrAlgorithm, k.Algorithm)
	}
	if k.Algorithm == EdDSA { // over the message itself (RFC 8037, section 3.1)
		return k.Private.Sign(rand.Reader, input, crypto.Hash(0))
	}
	hash := hashOf(k.Algorithm)
	if hash == 0 {
		return nil, fmt.Errorf("%w: %q signs nothing", ErrAlgorithm, k.Algorithm)
	}
	h := hash.New()
	h.Write(input)
	switch sum := h.Sum(nil); k.Algorithm[:2] {
	case "RS":
		return k.Private.Sign(rand.Reader, sum, hash)
	case "PS": // "The size of the salt value is the same size as the hash function output" (RFC 7518, section 3.5)
		return k.Private.Sign(rand.Reader, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
	default:
		return signECDSA(k.Private, sum)
	}
}

// signECDSA gives R and S side by side, each as long as the curve's order (RFC
// 7518, section 3.4), not the ASN.1 that a crypto.Signer makes.
func signECDSA(s crypto.Signer, sum []byte) ([]byte, error) {
	key, ok := s.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: a %T", ErrAlgorithm, s)
	}
	r, v, err := ecdsa.Sign(rand.Reader, key, sum)
	if err != nil {
		return nil, err
	}
	return sideBySide(r, v, key.Params().N.BitLen()), nil
}

// sideBySide pads both to the same length: one in 256 begins with a zero byte.
func sideBySide(r, s *big.Int, bits int) []byte {
	size := (bits + 7) / 8
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out
}

// hashOf is 0 for what is no signature over a hash: "RSA-OAEP" begins with RS too.
func hashOf(algorithm string) crypto.Hash {
	switch algorithm {
	case RS256, PS256, ES256:
		return crypto.SHA256
	case RS384, PS384, ES384:
		return crypto.SHA384
	case RS512, PS512, ES512:
		return crypto.SHA512
	}
	return 0
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
