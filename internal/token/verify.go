package token

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/flow"
	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/urls"
)

// Access is an access token that is worth something now.
type Access struct {
	Token   *jose.Token
	User    *store.Person
	Client  *realm.Client
	Session *realm.Session // nil for a service account's token
}

// HasScope reports whether the token's scope names this one.
func (a *Access) HasScope(name string) bool {
	for _, s := range strings.Fields(a.Token.Text("scope")) {
		if s == name {
			return true
		}
	}
	return false
}

// Lightweight reports whether the token was made without the claims that the
// client's mappers give (its jti says so). Userinfo is not for it.
func (a *Access) Lightweight() bool {
	kind, _, _ := strings.Cut(a.Token.Text("jti"), ":")
	return len(kind) > 3 && kind[2:4] == lightweightKind
}

// NodesApart is how far the clocks of two nodes may be apart: what one of them has
// just signed is good at the other.
const NodesApart = 10 * time.Second

// Verify decides what an access token that came back is worth: signature,
// issuer, kind and time, then whether it was revoked and whether its session, its
// client and its user are still there. Reasons: TokenInvalid, TokenSessionGone,
// TokenUserDisabled.
func (i *Issuer) Verify(ctx context.Context, r *realm.Realm, origin, token string) (*Access, error) {
	set, err := i.Keys.Set(ctx, r)
	if err != nil {
		return nil, err
	}
	t, err := jose.Verify(token, set, jose.Expected{Algorithms: jose.SignatureAlgorithms(), Types: []string{"JWT", "at+jwt"},
		Issuer: urls.Realm{Origin: origin, Name: r.Name}.Issuer(), Now: i.Now(), Ahead: NodesApart})
	if err != nil {
		return nil, oauth.RefuseBecause(oauth.TokenInvalid, err)
	}
	// The same key signs ID tokens: only the kind tells them apart (RFC 8725, 3.11).
	if t.Text("typ") != "Bearer" {
		return nil, oauth.Refuse(oauth.TokenInvalid, "typ is "+t.Text("typ"))
	}
	return i.Alive(ctx, r, t)
}

// Hint verifies an ID token of ours that comes back as id_token_hint, with keys that
// sign no more too. Its expiry does not matter: "The OP SHOULD accept ID Tokens ...
// even when expired". Reason: HintInvalid.
func (i *Issuer) Hint(ctx context.Context, r *realm.Realm, origin, hint string) (*jose.Token, error) {
	set, err := i.Keys.Set(ctx, r)
	if err != nil {
		return nil, err
	}
	t, err := jose.Verify(hint, set, jose.Expected{Algorithms: jose.SignatureAlgorithms(), Issuer: urls.Realm{Origin: origin, Name: r.Name}.Issuer(), Now: i.Now(), Ahead: NodesApart, AnyExpiry: true})
	if err != nil {
		return nil, oauth.RefuseBecause(oauth.HintInvalid, err)
	}
	if t.Text("typ") != "ID" || t.Text("azp") == "" || t.Text("sub") == "" {
		return nil, oauth.Refuse(oauth.HintInvalid, "typ is "+t.Text("typ")+", azp is "+t.Text("azp"))
	}
	return t, nil
}

// Alive gives what a token of ours that verified names, while all of it is still
// there, as of one moment, not revoked and as old as it may be. Reasons: TokenInvalid, TokenSessionGone,
// TokenUserDisabled.
func (i *Issuer) Alive(ctx context.Context, r *realm.Realm, t *jose.Token) (*Access, error) {
	if !r.Enabled { // C6: what a realm gave out goes with it
		return nil, oauth.Refuse(oauth.TokenInvalid, "realm disabled")
	}
	a := &Access{Token: t}
	var err error
	if a.Client, err = i.Store.ClientByClientID(ctx, r.ID, t.Text("azp")); err != nil {
		return nil, gone(err, oauth.TokenInvalid)
	}
	load := i.present
	if t.Text("sid") == "" {
		load = i.account
	}
	if err := load(ctx, r, a); err != nil {
		return nil, err
	}
	if !a.User.Enabled {
		return nil, oauth.Refuse(oauth.TokenUserDisabled, "")
	}
	if iat, ok := t.Time("iat"); !ok || !a.Client.Enabled || iat.Unix() < max(r.NotBefore, a.User.NotBefore, a.Client.NotBefore) {
		return nil, oauth.Refuse(oauth.TokenInvalid, "client disabled, or a later not-before")
	}
	return a, nil
}

// present: a token of a session is worth something while the session and its
// client's part in it live.
func (i *Issuer) present(ctx context.Context, r *realm.Realm, a *Access) error {
	p, err := i.Store.Presence(ctx, r.ID, a.Token.Text("sid"), a.Client.ID, a.Token.Text("jti"))
	switch {
	case err != nil:
		return gone(err, oauth.TokenSessionGone)
	case p.Revoked:
		return oauth.Refuse(oauth.TokenInvalid, "revoked")
	case !flow.SessionLives(r, p.Session, i.Now()) || p.Part.IsZero():
		return oauth.Refuse(oauth.TokenSessionGone, "")
	case a.Token.Text("typ") == "Bearer" && !marked(a.Token.Text("jti"), partMark(p.Part)): // a refresh token's family says it
		return oauth.Refuse(oauth.TokenSessionGone, "the client's part of the session ended and began anew")
	}
	a.Session, a.User = p.Session, p.Person
	return nil
}

// account: a token without a session is the service account's of the client that it
// was issued to. Its sub is not asked: whoever may write mappers would choose by it
// whose rights the token has (S-120).
func (i *Issuer) account(ctx context.Context, r *realm.Realm, a *Access) error {
	revoked, err := i.Store.TokenRevoked(ctx, r.ID, a.Token.Text("jti"))
	if err != nil {
		return err
	}
	if revoked {
		return oauth.Refuse(oauth.TokenInvalid, "revoked")
	}
	if !a.Client.ServiceAccounts { // C6: a switch that is off has to be off
		return oauth.Refuse(oauth.TokenSessionGone, "no service account any more")
	}
	if a.User, err = i.Store.ServiceAccount(ctx, r.ID, a.Client.ID); err != nil {
		return gone(err, oauth.TokenSessionGone)
	}
	if !marked(a.Token.Text("jti"), accountMark(a.User.ID)) {
		return oauth.Refuse(oauth.TokenSessionGone, "another service account than the client's now")
	}
	return nil
}

func gone(err error, reason oauth.Reason) error {
	if errors.Is(err, store.ErrNotFound) {
		return oauth.RefuseBecause(reason, err)
	}
	return err
}

func isExpiry(err error) bool {
	e, ok := errors.AsType[*jose.CheckError](err)
	return ok && e.Check == "expiry"
}
