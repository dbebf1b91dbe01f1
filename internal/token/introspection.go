package token

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// Introspection gives what an access token says, as of now: whom it is of, for and
// from as it was signed, and of the rest what the mappers that are switched on for
// introspection know today. A lightweight token carries nothing of that itself, and a
// role that was taken away is gone at once. asSigned says that it is the token's own
// claims, to the letter.
func (i *Issuer) Introspection(ctx context.Context, r *realm.Realm, origin string, a *Access) (claims map[string]any, asSigned bool, err error) {
	from, jti := basisOf(r, a), a.Token.Text("jti")
	if i.Same.since(jti, from) {
		return a.Token.Claims, true, nil
	}
	if claims, err = i.sayNow(ctx, r, origin, a); err != nil || !a.Token.Says(claims) {
		return claims, false, err
	}
	i.Same.keep(jti, from)
	return a.Token.Claims, true, nil
}

func (i *Issuer) sayNow(ctx context.Context, r *realm.Realm, origin string, a *Access) (map[string]any, error) {
	g, err := i.GrantOf(ctx, r, origin, a)
	if err != nil {
		return nil, err
	}
	s, err := i.subject(ctx, g, toIntrospection)
	if err != nil {
		return nil, err
	}
	c := make(map[string]any, usual)
	for _, id := range a.Token.Audience() {
		addAudience(c, id)
	}
	applyAll(c, s, g, every, toIntrospection)
	for _, name := range []string{"iss", "sub", "azp", "sid", "jti", "typ", "iat", "exp", "scope"} {
		if v, ok := a.Token.Claims[name]; ok {
			c[name] = v
		}
	}
	return c, nil
}

// GrantOf gives what an access token was made from, as it is now.
func (i *Issuer) GrantOf(ctx context.Context, r *realm.Realm, origin string, a *Access) (Grant, error) {
	all, err := i.Store.ClientScopes(ctx, r.ID)
	if err != nil {
		return Grant{}, err
	}
	scopes := resolve(a.Client, all, stillKnown(a.Client, a.Token.Text("scope")))
	return Grant{Realm: r, Client: a.Client, User: a.User, Session: a.Session, Origin: origin, Scopes: scopes, ACR: a.Token.Text("acr"), Notes: notesOf(a)}, nil
}

// notesOf gives the notes of a service account's token, which no session keeps.
func notesOf(a *Access) map[string]string {
	if a.Session != nil {
		return nil
	}
	notes := map[string]string{"client_id": a.Client.ClientID}
	for _, name := range []string{"clientHost", "clientAddress"} {
		if v := a.Token.Text(name); v != "" {
			notes[name] = v
		}
	}
	return notes
}
