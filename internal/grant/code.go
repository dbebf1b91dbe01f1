package grant

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/token"
)

// authorizationCode is RFC 6749, section 4.1.3. The code is used up before
// anything else is looked at: a second try with another verifier must find it
// gone (S-12).
func (e *Endpoint) authorizationCode(ctx context.Context, q *request) (*token.Response, error) {
	if !q.form.Has("code") {
		return nil, oauth.Refuse(oauth.MissingParameter, "code")
	}
	code, err := e.consume(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := matchCode(q, code); err != nil {
		return nil, err
	}
	if !q.client.StandardFlow {
		return nil, oauth.Refuse(oauth.CodeExchangeDisabled, "")
	}
	if code.Part.IsZero() {
		return nil, oauth.RefuseBecause(oauth.CodeNotValid, errors.New("the client's part of the session ended"))
	}
	s, u, err := e.session(ctx, q, code.SessionID)
	if err != nil {
		return nil, err
	}
	scopes, err := e.scopes(ctx, q, token.StillKnown(q.client, code.Scope))
	if err != nil {
		return nil, err
	}
	resp, err := e.Issuer.Issue(ctx, token.Grant{Realm: q.realm, Client: q.client, User: u, Session: s, Origin: q.at.Origin, Scopes: scopes,
		Kind: token.GrantCode, Nonce: code.Nonce, ACR: code.ACR, AuthTime: code.AuthTime, Part: code.Part})
	return resp, afterLogout(err)
}

// afterLogout: Keycloak's words for a code whose session ended meanwhile.
func afterLogout(err error) error {
	if errors.Is(err, store.ErrGateMoved) || oauth.ReasonOf(err) == oauth.SessionNotActive {
		return oauth.RefuseBecause(oauth.CodeNotValid, err)
	}
	return err
}

func (e *Endpoint) consume(ctx context.Context, q *request) (*realm.Code, error) {
	sum := sha256.Sum256([]byte(q.form.Get("code")))
	code, err := e.Store.ConsumeCode(ctx, q.realm.ID, sum[:])
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, oauth.RefuseBecause(oauth.CodeNotValid, errors.New("unknown, or expired"))
	case errors.Is(err, store.ErrUsed):
		return nil, e.replayed(ctx, q, code)
	}
	return code, err
}

// replayed: "If an authorization code is used more than once, the authorization
// server MUST deny the request and SHOULD revoke (when possible) all tokens
// previously issued based on that authorization code" (RFC 6749, 4.1.2). Only
// whoever could have redeemed it may do so: a stolen code without the client's
// secret and verifier must not log anybody out (S-11).
func (e *Endpoint) replayed(ctx context.Context, q *request, code *realm.Code) error {
	if matchCode(q, code) != nil {
		return oauth.RefuseBecause(oauth.CodeNotValid, errors.New("used already, and sent again with something that does not match"))
	}
	if err := e.Store.EndClientSession(ctx, q.realm.ID, code.SessionID, code.ClientID); err != nil {
		return err
	}
	return oauth.RefuseBecause(oauth.CodeNotValid, errors.New("used already: what it gave out is revoked"))
}

// matchCode checks what a code is bound to.
func matchCode(q *request, code *realm.Code) error {
	if code.ClientID != q.client.ID {
		return oauth.Refuse(oauth.CodeWrongClient, "")
	}
	// "redirect_uri REQUIRED, if the "redirect_uri" parameter was included in the
	// authorization request ... and their values MUST be identical" (RFC 6749, 4.1.3).
	if code.RedirectURI != q.form.Get("redirect_uri") {
		return oauth.Refuse(oauth.RedirectURIMismatch, "")
	}
	return oauth.CodeChallenge{Value: code.CodeChallenge, Method: code.CodeChallengeMethod}.CheckVerifier(q.form.Get("code_verifier"))
}
