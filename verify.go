package latchkey

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/jose"
)

// idTokenCheck is one rule of OpenID Connect Core 1.0, section 3.1.3.7, that
// stands beside signature, issuer, audience and time, which jose checks.
type idTokenCheck struct {
	name  string
	check func(a *Auth, t *jose.Token, want expected) error
}

// expected is what this login expects of its ID token.
type expected struct {
	nonce       string // "" for a refresh
	accessToken string
	subject     string // of the session, for a refresh
	before      string // the nonce of the ID token that a refresh replaces
}

// idTokenChecks is the named list. A failure names the check in the log.
func idTokenChecks() []idTokenCheck {
	return []idTokenCheck{
		{"kind", checkKind}, {"subject", checkSubject}, {"authorized party", checkAuthorizedParty}, {"issued-at", checkIssuedAt}, {"nonce", checkNonce}, {"access token hash", checkAccessTokenHash},
	}
}

// verifyID verifies an ID token: what jose checks, then the named list.
func (a *Auth) verifyID(ctx context.Context, m *metadata, raw string, want expected) (*jose.Token, error) {
	if raw == "" {
		return nil, &loginError{reason: reasonIDToken, err: errors.New("the token endpoint gave no ID token; was the scope openid granted?")}
	}
	t, err := a.verifySigned(ctx, m, raw, jose.Expected{Algorithms: m.idTokenAlgorithms()})
	if err != nil {
		return nil, withReason(reasonIDToken, err)
	}
	for _, c := range idTokenChecks() {
		if err := c.check(a, t, want); err != nil {
			return nil, &loginError{reason: reasonIDToken, err: fmt.Errorf("ID token check %q failed: %w", c.name, err)}
		}
	}
	return t, nil
}

// verifySigned verifies a JWT of the provider for this client; want brings the
// algorithms. Keys are read again when none of those at hand made the signature: a
// provider may rotate keys that have no kid, or keep the name of one.
func (a *Auth) verifySigned(ctx context.Context, m *metadata, raw string, want jose.Expected) (*jose.Token, error) {
	want.Issuer, want.Audience, want.Now, want.Leeway = a.cfg.Issuer, a.cfg.ClientID, a.cfg.Now(), a.cfg.Leeway
	keys, err := a.provider.keySet(ctx, m.JWKS, false)
	if err != nil {
		return nil, err
	}
	t, err := jose.Verify(raw, keys, want)
	if e, ok := errors.AsType[*jose.CheckError](err); !ok || e.Check != "key" && e.Check != "signature" {
		return t, err
	}
	if keys, err = a.provider.keySet(ctx, m.JWKS, true); err != nil {
		return nil, err
	}
	return jose.Verify(raw, keys, want)
}

// algorithms are those of a list of the provider's, never "none" and never a MAC
// with the client's secret.
func algorithms(listed []string) []string {
	var out []string
	for _, a := range jose.SignatureAlgorithms() {
		if slices.Contains(listed, a) {
			out = append(out, a)
		}
	}
	return out
}

// idTokenAlgorithms: the list is REQUIRED, and "The algorithm RS256 MUST be
// included" (OpenID Connect Discovery 1.0, 3).
func (m *metadata) idTokenAlgorithms() []string {
	if len(m.Algorithms) == 0 {
		return []string{jose.RS256}
	}
	return algorithms(m.Algorithms)
}

// userinfoAlgorithms is a list of its own, and OPTIONAL.
func (m *metadata) userinfoAlgorithms() []string {
	if len(m.UserinfoAlgs) == 0 {
		return m.idTokenAlgorithms()
	}
	return algorithms(m.UserinfoAlgs)
}

// withReason keeps the reason that an error has already: keys that cannot be read
// are no fault of the token.
func withReason(r reason, err error) error {
	if _, ok := errors.AsType[*loginError](err); ok {
		return err
	}
	return &loginError{reason: r, err: err}
}

// checkKind: Keycloak's access tokens are signed with the same key; only typ
// tells an ID token from one (RFC 8725, 3.11).
func checkKind(_ *Auth, t *jose.Token, _ expected) error {
	if typ := t.Text("typ"); typ != "" && typ != "ID" {
		return fmt.Errorf("typ is %q, want \"ID\"", typ)
	}
	if strings.EqualFold(t.Header.Type, "at+jwt") || strings.EqualFold(t.Header.Type, "logout+jwt") {
		return fmt.Errorf("the header's typ is %q", t.Header.Type)
	}
	return nil
}

func checkSubject(_ *Auth, t *jose.Token, want expected) error {
	sub := t.Text("sub")
	if sub == "" {
		return errors.New("sub is missing or empty")
	}
	if want.subject != "" && sub != want.subject {
		return fmt.Errorf("sub is %q, the session is of %q", sub, want.subject)
	}
	return nil
}

// checkAuthorizedParty: "If the ID Token contains multiple audiences, the Client
// SHOULD verify that an azp Claim is present" and "that its client_id is the Claim
// Value" (3.1.3.7, 4 and 5).
func checkAuthorizedParty(a *Auth, t *jose.Token, _ expected) error {
	azp, has := t.Claims["azp"]
	if len(t.Audience()) > 1 && !has {
		return errors.New("aud holds several clients and azp is missing")
	}
	if has && azp != a.cfg.ClientID {
		return fmt.Errorf("azp is %v, want %q", azp, a.cfg.ClientID)
	}
	return nil
}

// checkIssuedAt: "iat REQUIRED" (section 2); jose has looked at when it is.
func checkIssuedAt(_ *Auth, t *jose.Token, _ expected) error {
	if _, ok := t.Time("iat"); !ok {
		return errors.New("iat is missing")
	}
	return nil
}

// checkNonce: "it SHOULD NOT have a nonce Claim ... however, if it is present, its
// value MUST be the same as in the ID Token issued at the time of the original
// authentication" (12.2, of a refresh).
func checkNonce(_ *Auth, t *jose.Token, want expected) error {
	if want.nonce == "" {
		if sent := t.Text("nonce"); sent != "" && want.before != "" && sent != want.before {
			return errors.New("nonce is not the one of the login that is refreshed")
		}
		return nil
	}
	if subtle.ConstantTimeCompare([]byte(t.Text("nonce")), []byte(want.nonce)) != 1 {
		return errors.New("nonce is not the one of this login")
	}
	return nil
}

// checkAccessTokenHash compares at_hash where it is there: in the code flow it is
// optional (3.1.3.6). A hash that cannot be computed is a failure.
func checkAccessTokenHash(_ *Auth, t *jose.Token, want expected) error {
	sent, has := t.Claims["at_hash"]
	if !has {
		return nil
	}
	hash, err := jose.LeftHalfHash(t.Header.Algorithm, want.accessToken)
	if err != nil {
		return err
	}
	if sent != hash {
		return fmt.Errorf("at_hash is %v, the access token's is %q", sent, hash)
	}
	return nil
}
