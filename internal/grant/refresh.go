package grant

import (
	"context"
	"errors"

	"github.com/latchkey-id/latchkey/internal/flow"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/token"
)

// refreshToken is RFC 6749, section 6. Everything that may have changed since
// the last time is looked at again (S-33); rotation, reuse and the successor are
// one transaction in the store.
func (e *Endpoint) refreshToken(ctx context.Context, q *request) (*token.Response, error) {
	if !q.form.Has("refresh_token") {
		return nil, oauth.Refuse(oauth.RefreshMissing, "")
	}
	sent, err := e.Issuer.ParseRefresh(ctx, q.realm, q.at.Origin, q.form.Get("refresh_token"))
	if err != nil {
		return nil, err
	}
	family, err := e.family(ctx, q, sent)
	if err != nil {
		return nil, err
	}
	s, u, err := e.session(ctx, q, family.SessionID)
	if err != nil {
		return nil, err
	}
	switch {
	case !flow.SessionLives(q.realm, s, e.Now()):
		return nil, oauth.Refuse(oauth.SessionNotActive, "")
	case !family.RevokedAt.IsZero():
		return nil, oauth.Refuse(oauth.SessionWithoutClient, "")
	}
	narrowed, err := token.Narrow(q.client, family.Scope, q.form.Get("scope"))
	if err != nil {
		return nil, err
	}
	scopes, err := e.scopes(ctx, q, narrowed)
	if err != nil {
		return nil, err
	}
	// No nonce: an ID token of a refresh "SHOULD NOT have a nonce Claim, even when the
	// ID Token issued at the time of the original authentication contained nonce"
	// (OpenID Connect Core 1.0, 12.2).
	resp, err := e.Issuer.Issue(ctx, token.Grant{Realm: q.realm, Client: q.client, User: u, Session: s, Origin: q.at.Origin, Scopes: scopes,
		Kind: token.GrantRefresh, ACR: family.ACR, AuthTime: family.AuthTime, Family: family, Sent: sent.Generation})
	if err != nil {
		return nil, e.refused(ctx, q, family, err)
	}
	return resp, nil
}

// family finds the line of tokens that the sent one belongs to.
func (e *Endpoint) family(ctx context.Context, q *request, sent *token.Refresh) (*realm.RefreshFamily, error) {
	f, err := e.Store.RefreshFamily(ctx, q.realm.ID, sent.FamilyID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, oauth.Refuse(oauth.RefreshInvalid, "")
	}
	if err != nil {
		return nil, err
	}
	if f.ClientID != q.client.ID {
		return nil, oauth.Refuse(oauth.RefreshWrongClient, "")
	}
	return f, nil
}

// refused gives the store's answers Keycloak's words.
func (e *Endpoint) refused(ctx context.Context, q *request, f *realm.RefreshFamily, err error) error {
	switch {
	case errors.Is(err, store.ErrUsed):
		return oauth.RefuseBecause(oauth.RefreshReused, errors.New("an older generation was sent: the family "+f.ID+" is revoked"))
	case errors.Is(err, store.ErrNotFound):
		return oauth.RefuseBecause(oauth.RefreshExpired, err)
	case errors.Is(err, store.ErrGateMoved):
		return oauth.RefuseBecause(oauth.SessionNotActive, err)
	}
	return err
}
