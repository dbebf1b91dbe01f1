package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// verifySignature checks the signature of a compact JWS and gives its payload:
// nothing is made of a payload before its signature was checked. parseHeader has
// seen to the form.
func verifySignature(token string, keys *Set, h Header) ([]byte, error) {
	candidates := keys.Lookup(h.KeyID, h.Algorithm)
	if len(candidates) == 0 {
		return nil, &CheckError{Check: "key", Claim: "kid", Got: h.KeyID, Err: ErrUnknownKey}
	}
	end := strings.LastIndexByte(token, '.')
	signature, err := decodePart(token[end+1:])
	if err != nil {
		return nil, err
	}
	// "The octets of the signing input are the octets of the ASCII representation"
	// of what was received (RFC 7515, section 5.2, step 8): nothing is encoded anew.
	input := []byte(token[:end])
	for _, k := range candidates {
		if k.verify(h.Algorithm, input, signature) {
			return decodePart(token[strings.IndexByte(token, '.')+1 : end])
		}
	}
	return nil, &CheckError{Check: "signature", Claim: "kid", Got: h.KeyID}
}

// verify reports whether the key made the signature. The algorithm is one that
// the caller allows and that fits the key: a key decides what it is used for, the
// header never does.
func (k Key) verify(algorithm string, input, signature []byte) bool {
	if !k.fits(algorithm) || algorithm != HS512 && !slices.Contains(SignatureAlgorithms(), algorithm) {
		return false
	}
	switch public := k.Public.(type) {
	case *rsa.PublicKey:
		return verifyRSA(public, algorithm, digest(algorithm, input), signature)
	case *ecdsa.PublicKey:
		return verifyECDSA(public, digest(algorithm, input), signature)
	case ed25519.PublicKey: // over the message itself (RFC 8037, section 3.1)
		return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, input, signature)
	case nil:
		mac := hmac.New(sha512.New, k.Secret) // HS512 alone fits a secret
		mac.Write(input)
		return hmac.Equal(mac.Sum(nil), signature)
	}
	return false
}

func verifyRSA(public *rsa.PublicKey, algorithm string, sum, signature []byte) bool {
	if algorithm[:2] == "PS" { // "The size of the salt value is the same size as the hash function output" (RFC 7518, section 3.5)
		return rsa.VerifyPSS(public, hashOf(algorithm), sum, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}
	return rsa.VerifyPKCS1v15(public, hashOf(algorithm), sum, signature) == nil
}

// verifyECDSA takes R and S side by side, each as long as the curve's order (RFC
// 7518, section 3.4), and no other length: one signature has one form.
func verifyECDSA(public *ecdsa.PublicKey, sum, signature []byte) bool {
	size := (public.Curve.Params().N.BitLen() + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	return ecdsa.Verify(public, sum, new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:]))
}

func digest(algorithm string, input []byte) []byte {
	h := hashOf(algorithm).New()
	h.Write(input)
	return h.Sum(nil)
}

// decodePart reads base64url without padding, in its one spelling: bits behind the
// last byte are zero, and no line ends inside.
func decodePart(part string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err == nil && strings.ContainsAny(part, "\r\n") { // Go's decoder skips them
		err = errLineEnd
	}
	if err != nil {
		return nil, &CheckError{Check: "form", Err: fmt.Errorf("not base64url: %w", err)}
	}
	return b, nil
}
