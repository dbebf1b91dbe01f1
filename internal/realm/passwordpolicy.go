package realm

import (
	"errors"
	"slices"
	"strings"
)

// ErrPasswordPolicy is the error of CheckPasswordPolicy.
var ErrPasswordPolicy = errors.New("realm: no such rule of a password policy")

// CheckPasswordPolicy refuses a policy that names a rule nobody knows. Its form is
// Keycloak's: "length(8) and digits(1)".
func CheckPasswordPolicy(policy string) error {
	if strings.TrimSpace(policy) == "" {
		return nil
	}
	for _, rule := range strings.Split(policy, " and ") {
		name, _, _ := strings.Cut(strings.TrimSpace(rule), "(")
		if !slices.Contains(passwordRules(), name) {
			return ErrPasswordPolicy
		}
	}
	return nil
}

func passwordRules() []string {
	return []string{"digits", "forceExpiredPasswordChange", "hashAlgorithm", "hashIterations", "length", "lowerCase", "maxAuthAge", "maxLength", "notContainsUsername",
		"notEmail", "notUsername", "passwordAge", "passwordBlacklist", "passwordHistory", "recoveryCodesWarningThreshold", "regexPattern", "specialChars", "upperCase"}
}
