package grant

import (
	"context"
	"errors"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/token"
)

// password is RFC 6749, section 4.3, only where the client allows it: "the
// resource owner password credentials grant MUST NOT be used" (RFC 9700, 2.4),
// and yet Keycloak's tools log in with it.
func (e *Endpoint) password(ctx context.Context, q *request) (*token.Response, error) {
	if !q.client.DirectAccessGrants || q.realm.On(realm.NoPasswordGrant, q.client) {
		return nil, oauth.Refuse(oauth.DirectGrantDisabled, "")
	}
	if q.client.ConsentRequired { // nobody is there to be asked
		return nil, oauth.Refuse(oauth.GrantNeedsConsent, "")
	}
	scopes, err := e.scopes(ctx, q, q.form.Get("scope"))
	if err != nil {
		return nil, err
	}
	if !q.form.Has("username") {
		return nil, oauth.Refuse(oauth.UsernameMissing, "")
	}
	u, err := e.Passwords.Check(ctx, q.realm, q.form.Get("username"), q.form.Get("password"))
	if err != nil {
		return nil, inGrantWords(err)
	}
	if realm.PendingAction(q.realm, u) != "" || len(realm.UnknownActions(u)) > 0 {
		return nil, oauth.Refuse(oauth.AccountNotSetUp, "")
	}
	person, err := e.Store.Person(ctx, q.realm.ID, u.ID)
	if err != nil {
		return nil, err
	}
	person.User = u // with the gate of the password that was checked
	now := e.Now()
	s := realm.Session{ID: session.NewID(), RealmID: q.realm.ID, UserID: u.ID, StartedAt: now, LastSeenAt: now, AuthTime: now, Methods: []string{"pwd"}, IP: q.ip}
	part := realm.ClientSession{SessionID: s.ID, ClientID: q.client.ID, RealmID: q.realm.ID, StartedAt: now, Scope: scopes.Granted}
	g := token.Grant{Realm: q.realm, Client: q.client, User: person, Origin: q.at.Origin, Scopes: scopes, Kind: token.GrantPassword, ACR: "1", Part: now}
	if err := e.Store.CreateSession(ctx, s, part, e.Issuer.Gates(&g)); err != nil {
		return nil, err
	}
	g.Session = &s
	return e.issueOrEnd(ctx, g)
}

// issueOrEnd leaves no session behind that nothing was issued for.
func (e *Endpoint) issueOrEnd(ctx context.Context, g token.Grant) (*token.Response, error) {
	resp, err := e.Issuer.Issue(ctx, g)
	if err != nil {
		return nil, errors.Join(err, e.Store.EndSession(context.WithoutCancel(ctx), g.Realm.ID, g.Session.ID))
	}
	return resp, nil
}

// inGrantWords: Keycloak says the same refusals in other words here.
func inGrantWords(err error) error {
	switch oauth.ReasonOf(err) {
	case oauth.WrongCredentials, oauth.AccountLocked:
		return oauth.RefuseBecause(oauth.InvalidUserCredentials, err)
	case oauth.AccountDisabled:
		return oauth.RefuseBecause(oauth.GrantAccountDisabled, err)
	}
	return err
}

// clientCredentials is RFC 6749, section 4.4: a service account's token, with no
// session and no refresh token: "A refresh token SHOULD NOT be included" (4.4.3).
func (e *Endpoint) clientCredentials(ctx context.Context, q *request) (*token.Response, error) {
	switch {
	case q.client.Public:
		return nil, oauth.Refuse(oauth.ServiceAccountPublic, "")
	case !q.client.ServiceAccounts:
		return nil, oauth.Refuse(oauth.ServiceAccountDisabled, "")
	}
	u, err := e.Store.ServiceAccount(ctx, q.realm.ID, q.client.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, oauth.RefuseBecause(oauth.ServiceAccountDisabled, err)
	}
	if err != nil {
		return nil, err
	}
	scopes, err := e.scopes(ctx, q, q.form.Get("scope"))
	if err != nil {
		return nil, err
	}
	return e.Issuer.Issue(ctx, token.Grant{Realm: q.realm, Client: q.client, User: u, Origin: q.at.Origin, Scopes: scopes, Kind: token.GrantClient, ACR: "1",
		Notes: map[string]string{"client_id": q.client.ClientID, "clientHost": q.ip, "clientAddress": q.ip}})
}
