package realm_test

import (
	"regexp"
	"testing"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// "The probability of an attacker guessing generated tokens ... MUST be less than or
// equal to 2^(-128)" (RFC 6749, 10.10).
func TestNewSecretsAreLong(t *testing.T) {
	a, b := realm.NewSecret(), realm.NewSecret()
	if a == b || !regexp.MustCompile(`^[A-Za-z0-9_-]{86}$`).MatchString(a) {
		t.Errorf("%q, %q", a, b)
	}
}
