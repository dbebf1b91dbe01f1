package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"regexp"
)

// Challenge methods of RFC 7636, section 4.2.
const (
	MethodS256  = "S256"
	MethodPlain = "plain"
)

// RFC 7636, section 4.1: "code-verifier = 43*128unreserved".
var verifierForm = regexp.MustCompile(`^[A-Za-z0-9\-._~]{43,128}$`)

// CodeChallenge is a challenge and its method as an authorization request sent
// them. The zero value means that none was sent.
type CodeChallenge struct{ Value, Method string }

// ValidVerifier reports whether v has the form of a code verifier.
func ValidVerifier(v string) bool { return verifierForm.MatchString(v) }

// ValidChallenge reports whether c has the form of a code challenge, which has
// the same alphabet and length as a verifier (RFC 7636, section 4.2).
func ValidChallenge(c string) bool { return verifierForm.MatchString(c) }

// S256 is BASE64URL-ENCODE(SHA256(ASCII(code_verifier))), RFC 7636 section 4.2.
func S256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// CheckVerifier decides whether verifier answers the challenge. A verifier
// without a challenge is refused too: otherwise an attacker who strips the
// challenge from the request goes unnoticed (RFC 9700, section 4.8.2).
func (c CodeChallenge) CheckVerifier(verifier string) error {
	switch {
	case c.Value == "" && verifier == "":
		return nil
	case c.Value == "":
		return Refuse(VerifierUnexpected, "")
	case verifier == "":
		return Refuse(VerifierMissing, "")
	case !ValidVerifier(verifier):
		return Refuse(VerifierInvalid, "")
	}
	if c.Method == MethodS256 {
		verifier = S256(verifier)
	}
	if subtle.ConstantTimeCompare([]byte(verifier), []byte(c.Value)) != 1 {
		return Refuse(VerifierMismatch, "")
	}
	return nil
}
