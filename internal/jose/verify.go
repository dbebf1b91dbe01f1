package jose

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// MaxToken is the longest token that is looked at, in bytes (S-54).
const MaxToken = 16 << 10

// ErrUnknownKey is wrapped by the *CheckError of a token whose kid is not in
// the set: the keys may have been rotated.
var ErrUnknownKey = errors.New("jose: no such key")

// Expected is what a token must be. Algorithms must not be empty.
type Expected struct {
	Algorithms []string
	Types      []string // of the header's typ, without case and "application/"; empty: any
	Issuer     string   // "" is not checked here
	Audience   string   // one of aud; "" is not checked here
	Now        time.Time
	Leeway     time.Duration
	Ahead      time.Duration // that the clock which wrote iat and nbf may be ahead, beside Leeway; it lengthens no life
	AnyExpiry  bool          // id_token_hint: "The OP SHOULD accept ID Tokens ... even when expired" (RP-Initiated Logout, 2)
}

// Token is a verified token.
type Token struct {
	Header Header
	Claims map[string]any
	Raw    json.RawMessage
}

// Header is the part of a JOSE header that anybody looks at.
type Header struct {
	Algorithm string
	KeyID     string
	Type      string
}

// CheckError says which check a token failed, on which value.
type CheckError struct {
	Check string // form, algorithm, key, signature, type, issuer, audience, expiry, not-before, issued-at
	Claim string
	Got   string
	Want  string
	Err   error
}

func (e *CheckError) Error() string {
	s := "token check " + e.Check + " failed"
	if e.Claim != "" {
		s += fmt.Sprintf(": %s is %q", e.Claim, clip(e.Got))
	}
	if e.Want != "" {
		s += fmt.Sprintf(", want %q", clip(e.Want))
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *CheckError) Unwrap() error { return e.Err }

func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// Verify checks a compact JWS: its form, algorithm, key, signature, type,
// issuer, audience and times, in this order. The error is a *CheckError.
func Verify(token string, keys *Set, want Expected) (*Token, error) {
	header, err := parseHeader(token)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(want.Algorithms, header.Algorithm) {
		return nil, &CheckError{Check: "algorithm", Claim: "alg", Got: header.Algorithm, Want: strings.Join(want.Algorithms, " ")}
	}
	payload, err := verifySignature(token, keys, header)
	if err != nil {
		return nil, err
	}
	claims, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	t := &Token{Header: header, Claims: claims, Raw: payload}
	for _, check := range []func(*Token, Expected) error{checkType, checkIssuer, checkAudience, checkExpiry, checkNotBefore, checkIssuedAt} {
		if err := check(t, want); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func checkType(t *Token, want Expected) error {
	if len(want.Types) == 0 {
		return nil
	}
	got := strings.TrimPrefix(strings.ToLower(t.Header.Type), "application/")
	if slices.ContainsFunc(want.Types, func(s string) bool { return strings.ToLower(s) == got }) {
		return nil
	}
	return &CheckError{Check: "type", Claim: "typ", Got: t.Header.Type, Want: strings.Join(want.Types, " ")}
}

func checkIssuer(t *Token, want Expected) error {
	if got := t.Text("iss"); want.Issuer != "" && got != want.Issuer {
		return &CheckError{Check: "issuer", Claim: "iss", Got: got, Want: want.Issuer}
	}
	return nil
}

func checkAudience(t *Token, want Expected) error {
	if want.Audience == "" || slices.Contains(t.Audience(), want.Audience) {
		return nil
	}
	return &CheckError{Check: "audience", Claim: "aud", Got: strings.Join(t.Audience(), " "), Want: want.Audience}
}

func checkExpiry(t *Token, want Expected) error {
	exp, ok, err := t.instant("exp")
	if err != nil || want.AnyExpiry {
		return err
	}
	if !ok || !want.Now.Before(exp.Add(want.Leeway)) {
		return &CheckError{Check: "expiry", Claim: "exp", Got: fmt.Sprint(t.Claims["exp"]), Want: "after " + want.Now.UTC().Format(time.RFC3339)}
	}
	return nil
}

func checkNotBefore(t *Token, want Expected) error { return notInFuture(t, want, "not-before", "nbf") }
func checkIssuedAt(t *Token, want Expected) error  { return notInFuture(t, want, "issued-at", "iat") }

func notInFuture(t *Token, want Expected, check, claim string) error {
	at, ok, err := t.instant(claim)
	if err != nil {
		return err
	}
	if ok && at.After(want.Now.Add(want.Leeway+want.Ahead)) {
		return &CheckError{Check: check, Claim: claim, Got: at.UTC().Format(time.RFC3339), Want: "not after " + want.Now.UTC().Format(time.RFC3339)}
	}
	return nil
}

// Text is a claim that is a string, "" otherwise.
func (t *Token) Text(claim string) string {
	s, _ := t.Claims[claim].(string)
	return s
}

// Time is a claim that is a NumericDate; ok is false when it is not there.
func (t *Token) Time(claim string) (at time.Time, ok bool) {
	at, ok, err := t.instant(claim)
	return at, ok && err == nil
}

// Audience is aud as a list: "the aud value is an array of case-sensitive
// strings ... or a single case-sensitive string" (RFC 7519, section 4.1.3).
func (t *Token) Audience() []string {
	switch aud := t.Claims["aud"].(type) {
	case string:
		return []string{aud}
	case []any:
		var out []string
		for _, a := range aud {
			if s, ok := a.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// instant reads a NumericDate. A text, or a number outside the years that a
// clock has, is an error: it must not turn into "not set" (S-57).
func (t *Token) instant(claim string) (time.Time, bool, error) {
	v, ok := t.Claims[claim]
	if !ok {
		return time.Time{}, false, nil
	}
	n, isNumber := v.(float64)
	if !isNumber || math.IsNaN(n) || n < 0 || n > 1<<40 {
		return time.Time{}, false, &CheckError{Check: "form", Claim: claim, Got: fmt.Sprint(v), Want: "seconds since 1970"}
	}
	return time.UnixMilli(int64(n * 1000)), true, nil
}
