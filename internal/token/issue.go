package token

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/latchkey-id/latchkey/internal/flow"
	"github.com/latchkey-id/latchkey/internal/keys"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/seal"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Kinds of grants, by the letters that Keycloak puts into the jti.
const (
	GrantCode     = "ac"
	GrantPassword = "ro"
	GrantClient   = "cc"
	GrantRefresh  = "rt"
)

// Issuer makes tokens.
type Issuer struct {
	Store *store.Store
	Keys  *keys.Keeper
	Seal  *seal.Ring
	Now   func() time.Time
	Same  *Unchanged
}

// Grant is what somebody is about to get. Session is nil for a grant without
// one (client_credentials). Family is set for a refresh.
type Grant struct {
	Realm   *realm.Realm
	Client  *realm.Client
	User    *store.Person
	Session *realm.Session
	Origin  string // the public origin of the request: the issuer
	Scopes  Scopes
	Kind    string
	Nonce   string
	ACR     string
	// AuthTime is when the user was asked for what this grant goes back to; zero: for
	// what the session goes back to.
	AuthTime time.Time
	Notes    map[string]string // for session note mappers: clientHost, …
	Family   *realm.RefreshFamily
	Sent     int64     // generation of the refresh token that was sent
	Part     time.Time // the client's part of the session began, when the grant was proved; for a refresh it is the family's

	since time.Time // the client's part of the session began; filled in where its life is limited
}

// Response is the answer of the token endpoint (RFC 6749, section 5.1, with
// Keycloak's members). Lifetimes are seconds.
type Response struct {
	AccessToken      string `json:"access_token"`
	ExpiresIn        int64  `json:"expires_in"`
	RefreshExpiresIn int64  `json:"refresh_expires_in"`
	RefreshToken     string `json:"refresh_token,omitempty"`
	TokenType        string `json:"token_type"`
	IDToken          string `json:"id_token,omitempty"`
	NotBeforePolicy  int64  `json:"not-before-policy"`
	SessionState     string `json:"session_state,omitempty"`
	Scope            string `json:"scope"`
}

// Issue decides once more whether the grant may be given, and makes its tokens:
// decide → (sign ‖ write) → respond. It writes only while the facts it decided on
// still hold; when they moved it decides again, twice at most.
//
// Signing needs nothing of what is written and takes as long, so the two run side
// by side, neither inside the other. What was signed stays here until the write is
// durable with the gates held. When the write fails, by a logout, a reuse or the
// store, it is thrown away: a token that nobody has ever had opens nothing.
func (i *Issuer) Issue(ctx context.Context, g Grant) (*Response, error) {
	if g.Family != nil {
		g.Part = g.Family.Part
	}
	for range 2 {
		out, err := i.try(ctx, &g)
		if !errors.Is(err, store.ErrGateMoved) {
			return out, err
		}
		if err := i.reload(ctx, &g); err != nil {
			return nil, err
		}
	}
	return nil, store.ErrGateMoved
}

func (i *Issuer) try(ctx context.Context, g *Grant) (*Response, error) {
	if err := i.decide(ctx, g); err != nil {
		return nil, err
	}
	written := i.recording(ctx, *g)
	out, failed := i.sign(ctx, *g)
	family, err := written() // waited for whatever became of the signatures: no work outlives its request
	if err = cmp.Or(err, failed); err != nil {
		return nil, err
	}
	if family != nil && !family.Part.Equal(g.Part) { // it began anew before the write: what was signed would be dead at birth
		g.Part = family.Part
		if out, err = i.sign(ctx, *g); err != nil {
			return nil, err
		}
	}
	return i.withRefreshToken(ctx, *g, out, family)
}

// decide asks flow.MayIssue.
func (i *Issuer) decide(ctx context.Context, g *Grant) error {
	if err := flow.MayIssue(i.facts(g)); err != nil {
		return err
	}
	return i.loadSince(ctx, g)
}

// recording begins to write and gives what waits for it.
func (i *Issuer) recording(ctx context.Context, g Grant) (wait func() (*realm.RefreshFamily, error)) {
	if g.Session == nil {
		return func() (*realm.RefreshFamily, error) { return nil, nil } // nothing is kept
	}
	var family *realm.RefreshFamily
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { // nobody above this goroutine would catch it: it would end the process
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		family, err = i.record(ctx, &g)
	}()
	return func() (*realm.RefreshFamily, error) { <-done; return family, err }
}

// record writes what is kept of the grant.
func (i *Issuer) record(ctx context.Context, g *Grant) (*realm.RefreshFamily, error) {
	gates := i.Gates(g)
	if g.Family != nil {
		return i.Store.RotateRefresh(ctx, g.Realm.ID, g.Family.ID, i.rotation(g), gates)
	}
	f := realm.RefreshFamily{ID: randomID(), RealmID: g.Realm.ID, ClientID: g.Client.ID, UserID: g.User.ID, SessionID: g.Session.ID, Scope: g.Scopes.Granted,
		Nonce: g.Nonce, AuthTime: authTime(g), ACR: g.ACR, RotatedAt: i.Now(), StartedAt: i.Now(), ExpiresAt: i.refreshExpiry(g), Part: g.Part}
	return &f, i.Store.CreateRefreshFamily(ctx, f, gates)
}

// authTime: "its value MUST represent the time of the original authentication - not
// the time that the new ID token is issued" (OpenID Connect Core 1.0, 12.2). The
// session's moves on when its user is asked again, for whomever.
func authTime(g *Grant) time.Time {
	if g.AuthTime.IsZero() {
		return g.Session.AuthTime
	}
	return g.AuthTime
}

// Gates are the facts of a grant that must still hold when it is written.
func (i *Issuer) Gates(g *Grant) store.Gates {
	gates := store.Gates{RealmID: g.Realm.ID, UserID: g.User.ID, UserGate: g.User.Gate, ClientID: g.Client.ID, ClientGate: g.Client.Gate}
	if g.Session != nil {
		gates.SessionID = g.Session.ID
	}
	return gates
}

func (i *Issuer) facts(g *Grant) flow.Facts {
	return flow.Facts{Realm: g.Realm, Client: g.Client, User: g.User.User, Credentials: g.User.Credentials, Session: g.Session, Now: i.Now(), NotActing: g.Session == nil}
}

func (i *Issuer) reload(ctx context.Context, g *Grant) (err error) {
	if g.User, err = i.Store.Person(ctx, g.Realm.ID, g.User.ID); err != nil {
		return err
	}
	if g.Client, err = i.Store.ClientByID(ctx, g.Realm.ID, g.Client.ID); err != nil {
		return err
	}
	if g.Session != nil {
		g.Session, err = i.Store.Session(ctx, g.Realm.ID, g.Session.ID)
	}
	return err
}
