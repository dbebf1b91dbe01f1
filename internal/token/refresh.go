package token

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/flow"
	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/urls"
)

// graceAfterRotation is how long the token just replaced gets the same
// successor again, for an answer that was lost on its way (S-32).
const graceAfterRotation = 10 * time.Second

// refreshToken makes the token of the family's generation. Everything in it
// follows from the family, so that a retry within the grace gets the same one.
func (i *Issuer) refreshToken(ctx context.Context, g Grant, f *realm.RefreshFamily) (string, error) {
	key, err := i.Keys.Active(ctx, g.Realm, jose.HS512)
	if err != nil {
		return "", err
	}
	issuer := urls.Realm{Origin: g.Origin, Name: g.Realm.Name}.Issuer()
	generation := strconv.FormatInt(f.Generation, 10)
	return jose.Sign(key, "JWT", map[string]any{
		"exp": f.ExpiresAt.Unix(), "iat": i.Now().Unix(), "jti": realm.FormatID(i.Seal.MAC("refresh", f.ID, generation)[:16]), "iss": issuer, "aud": issuer,
		"sub": f.UserID, "typ": "Refresh", "azp": g.Client.ClientID, "sid": f.SessionID, "scope": f.Scope, "reuse_id": f.ID + "." + generation,
	})
}

// Refresh is a refresh token that verified: the family and the generation it names.
type Refresh struct {
	FamilyID   string
	Generation int64
	ClientID   string // client_id it was given to
	SessionID  string
	Claims     *jose.Token
}

// ParseRefresh verifies a refresh token of the realm. An expired or forged one,
// and any other kind of token, is refused: kinds are never accepted for each
// other. Reasons: RefreshInvalid, RefreshExpired.
func (i *Issuer) ParseRefresh(ctx context.Context, r *realm.Realm, origin, token string) (*Refresh, error) {
	set, err := i.Keys.Set(ctx, r)
	if err != nil {
		return nil, err
	}
	issuer := urls.Realm{Origin: origin, Name: r.Name}.Issuer()
	t, err := jose.Verify(token, set, jose.Expected{Algorithms: []string{jose.HS512}, Types: []string{"JWT"}, Issuer: issuer, Audience: issuer, Now: i.Now(),
		Ahead: NodesApart})
	if isExpiry(err) {
		return nil, oauth.RefuseBecause(oauth.RefreshExpired, err)
	}
	if err != nil {
		return nil, oauth.RefuseBecause(oauth.RefreshInvalid, err)
	}
	family, generation, ok := strings.Cut(t.Text("reuse_id"), ".")
	n, err := strconv.ParseInt(generation, 10, 64)
	if t.Text("typ") != "Refresh" || !ok || err != nil {
		return nil, oauth.Refuse(oauth.RefreshInvalid, "")
	}
	return &Refresh{FamilyID: family, Generation: n, ClientID: t.Text("azp"), SessionID: t.Text("sid"), Claims: t}, nil
}

func (i *Issuer) rotation(g *Grant) store.Rotate {
	r := store.Rotate{Generation: g.Sent, ExpiresAt: i.refreshExpiry(g)}
	if g.Realm.RevokeRefreshToken {
		r.Rotation, r.MaxReuse = true, g.Realm.RefreshTokenMaxReuse
	}
	if g.Realm.On(realm.RotateRefresh, g.Client) {
		r.Rotation, r.MaxReuse, r.Grace = true, 0, graceAfterRotation
	}
	return r
}

// refreshExpiry: a refresh token lives as long as the session may idle, never
// longer than the session itself.
func (i *Issuer) refreshExpiry(g *Grant) time.Time {
	idle, _ := flow.SessionLimits(g.Realm, g.Session)
	if l, _ := flow.ClientLimits(g.Realm, g.Client); l > 0 && l < idle {
		idle = l
	}
	return earlier(i.Now().Add(idle), sessionEnd(g))
}

// sessionEnd is when the session or the client's part of it is over, whatever happens in it.
func sessionEnd(g *Grant) time.Time {
	_, most := flow.SessionLimits(g.Realm, g.Session)
	end := g.Session.StartedAt.Add(most)
	if _, l := flow.ClientLimits(g.Realm, g.Client); l > 0 {
		return earlier(g.since.Add(l), end)
	}
	return end
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// loadSince finds when the client's part of the session began, where its life is
// limited. Reason: SessionNotActive.
func (i *Issuer) loadSince(ctx context.Context, g *Grant) error {
	if g.Session == nil {
		return nil
	}
	g.since = i.Now()
	if _, most := flow.ClientLimits(g.Realm, g.Client); most > 0 {
		part, err := i.Store.ClientSession(ctx, g.Realm.ID, g.Session.ID, g.Client.ID)
		if err != nil {
			return oauth.RefuseBecause(oauth.SessionNotActive, err)
		}
		g.since = part.StartedAt
	}
	if !i.Now().Before(sessionEnd(g)) {
		return oauth.Refuse(oauth.SessionNotActive, "the client's part of the session is over")
	}
	return nil
}
