package oauth_test

import (
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/oauth"
)

// The pair of RFC 7636, appendix B.
const (
	rfcVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	rfcChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestS20CheckVerifier(t *testing.T) {
	s256 := oauth.CodeChallenge{Value: rfcChallenge, Method: oauth.MethodS256}
	plain := oauth.CodeChallenge{Value: rfcVerifier, Method: oauth.MethodPlain}
	other := strings.Repeat("a", 43)
	for _, c := range []struct {
		name      string
		challenge oauth.CodeChallenge
		verifier  string
		want      oauth.Reason // "" when accepted
	}{
		{"the pair of RFC 7636", s256, rfcVerifier, ""},
		{"plain", plain, rfcVerifier, ""},
		{"neither", oauth.CodeChallenge{}, "", ""},
		{"none sent", s256, "", oauth.VerifierMissing},
		{"the challenge was stripped", oauth.CodeChallenge{}, rfcVerifier, oauth.VerifierUnexpected},
		{"another", s256, other, oauth.VerifierMismatch},
		{"another, plain", plain, other, oauth.VerifierMismatch},
		{"the challenge itself", s256, rfcChallenge, oauth.VerifierMismatch},
		{"42 characters", s256, rfcVerifier[:42], oauth.VerifierInvalid},
		{"129 characters", s256, strings.Repeat("a", 129), oauth.VerifierInvalid},
		{"a character outside unreserved", s256, rfcVerifier[:42] + "+", oauth.VerifierInvalid},
		{"a trailing newline", s256, rfcVerifier + "\n", oauth.VerifierInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.challenge.CheckVerifier(c.verifier)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if got := oauth.ReasonOf(err); got != c.want {
				t.Errorf("reason %q, want %q", got, c.want)
			}
		})
	}
}

// RFC 7636, section 4.2: a challenge has the alphabet and the length of a verifier.
func TestS20ValidChallenge(t *testing.T) {
	for _, c := range []struct {
		name, challenge string
		ok              bool
	}{
		{"of RFC 7636", rfcChallenge, true},
		{"128 characters", strings.Repeat("~", 128), true},
		{"empty", "", false},
		{"42 characters", rfcChallenge[:42], false},
		{"129 characters", strings.Repeat("a", 129), false},
		{"padded", rfcChallenge[:42] + "=", false},
		{"the other base64", rfcChallenge[:42] + "/", false},
		{"a line end", rfcChallenge + "\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := oauth.ValidChallenge(c.challenge); got != c.ok {
				t.Errorf("accepted: %v", got)
			}
		})
	}
}
