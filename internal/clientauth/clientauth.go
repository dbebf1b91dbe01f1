// Package clientauth decides how a client proved who it is at an endpoint that
// asks: client_secret_basic, client_secret_post, or none for a public client.
//
// It reads the client from the store and nothing else; what the client may do
// is decided by whoever called it (grant, and later introspect and revoke).
package clientauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Clients finds clients; *store.Store satisfies it.
type Clients interface {
	ClientByClientID(ctx context.Context, realmID, clientID string) (*realm.Client, error)
}

// Authenticator authenticates clients.
type Authenticator struct{ Clients Clients }

// presented is what a request carries to prove who the client is.
type presented struct {
	clientID, secret string
	hasSecret        bool
	hasAssertion     bool
	two              bool // form and header name two clients
}

// Authenticate gives the client that the request proves to be, for an endpoint
// that hands something out. Reasons: those of Identify, and BearerOnlyClient.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request, form url.Values, in *realm.Realm) (*realm.Client, error) {
	c, err := a.Identify(ctx, r, form, in)
	if err == nil && c.BearerOnly {
		return nil, oauth.Refuse(oauth.BearerOnlyClient, c.ClientID)
	}
	return c, err
}

// Identify gives the client that the request proves to be, one that only receives
// tokens too: it asks what they are worth. Reasons: MissingClient, UnknownClient,
// ClientDisabled, WrongSecret, AssertionMissing, UnsupportedClientAuth.
func (a *Authenticator) Identify(ctx context.Context, r *http.Request, form url.Values, in *realm.Realm) (*realm.Client, error) {
	p, err := read(r, form)
	if err != nil {
		return nil, err
	}
	c, err := a.Clients.ClientByClientID(ctx, in.ID, p.clientID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, oauth.Refuse(oauth.UnknownClient, p.clientID)
	}
	if err != nil {
		return nil, err
	}
	if err := check(c, p); err != nil {
		return nil, err
	}
	return c, nil
}

// check: a client that authenticates in another way than by its secret has no use
// for one, whatever is stored.
func check(c *realm.Client, p presented) error {
	switch {
	case !c.Enabled:
		return oauth.Refuse(oauth.ClientDisabled, c.ClientID)
	case p.two:
		return oauth.Refuse(oauth.WrongSecret, "client_id and Authorization name two clients")
	case c.Public:
		return nil
	case c.AuthenticatorType == "client-jwt" || c.AuthenticatorType == "client-secret-jwt":
		return withoutAssertion(c, p)
	case c.AuthenticatorType != "" && c.AuthenticatorType != "client-secret":
		return oauth.Refuse(oauth.UnsupportedClientAuth, c.AuthenticatorType)
	case !secretMatches(c, p):
		return oauth.Refuse(oauth.WrongSecret, c.ClientID)
	}
	return nil
}

// withoutAssertion: assertions are not offered yet; whoever sends none is told
// what Keycloak tells them.
func withoutAssertion(c *realm.Client, p presented) error {
	if !p.hasAssertion {
		return oauth.Refuse(oauth.AssertionMissing, c.ClientID)
	}
	return oauth.Refuse(oauth.UnsupportedClientAuth, c.AuthenticatorType)
}

// secretMatches compares SHA-256 values in constant time. A client without a
// secret matches nothing.
func secretMatches(c *realm.Client, p presented) bool {
	if !p.hasSecret || len(c.SecretHash) != sha256.Size {
		return false
	}
	sum := sha256.Sum256([]byte(p.secret))
	return subtle.ConstantTimeCompare(sum[:], c.SecretHash) == 1
}

// read finds the credentials. With a Basic header and a form the form's secret
// counts, as long as both name one client: "The client MUST NOT use more than one
// authentication method in each request" (RFC 6749, section 2.3) is not what
// Keycloak enforces. A Basic header that is broken is refused, whatever the form
// says, and so are two (CVE-2026-0707).
func read(r *http.Request, form url.Values) (presented, error) {
	sent := fromForm(form)
	scheme, value, ok := web.Authorization(r)
	if !ok {
		return sent, oauth.Refuse(oauth.UnsupportedClientAuth, "two Authorization headers")
	}
	if !strings.EqualFold(scheme, "Basic") {
		if sent.clientID == "" {
			return sent, oauth.Refuse(oauth.MissingClient, "")
		}
		return sent, nil
	}
	p, err := fromBasic(value)
	if err != nil {
		return p, err
	}
	if sent.clientID != "" && sent.clientID != p.clientID {
		p.clientID, p.two = sent.clientID, true // refused in the words that fit the form's
	}
	if sent.hasSecret {
		p.secret = sent.secret
	}
	p.hasAssertion = sent.hasAssertion
	return p, nil
}

func fromForm(form url.Values) presented {
	return presented{clientID: form.Get("client_id"), secret: form.Get("client_secret"), hasSecret: form.Has("client_secret"),
		hasAssertion: form.Has("client_assertion_type")}
}

// fromBasic: "The client identifier is encoded using the
// application/x-www-form-urlencoded encoding algorithm" (RFC 6749, 2.3.1).
func fromBasic(value string) (presented, error) {
	b, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return presented{}, oauth.RefuseBecause(oauth.UnsupportedClientAuth, err)
	}
	user, pass, ok := strings.Cut(string(b), ":")
	if !ok || user == "" {
		return presented{}, oauth.Refuse(oauth.UnsupportedClientAuth, "no colon in the Basic credentials")
	}
	return presented{clientID: unescape(user), secret: unescape(pass), hasSecret: true}, nil
}

// unescape leaves what is not form-encoded as it is: many clients send the
// secret raw, and a raw '%' must not lock them out.
func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}
