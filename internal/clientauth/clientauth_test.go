package clientauth_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/clientauth"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// secret has what form encoding changes.
const secret = "s3cr:et +"

type clients map[string]*realm.Client

func (c clients) ClientByClientID(_ context.Context, _, id string) (*realm.Client, error) {
	if found := c[id]; found != nil {
		return found, nil
	}
	return nil, store.ErrNotFound
}

func known() clients {
	sum := sha256.Sum256([]byte(secret))
	none, percent := sha256.Sum256(nil), sha256.Sum256([]byte("100%"))
	client := func(id string, change func(*realm.Client)) *realm.Client {
		c := &realm.Client{ClientID: id, Enabled: true, SecretHash: sum[:]}
		change(c)
		return c
	}
	out := clients{}
	for _, c := range []*realm.Client{
		client("app", func(*realm.Client) {}),
		client("off", func(c *realm.Client) { c.Enabled = false }),
		client("public", func(c *realm.Client) { c.Public = true }),
		client("bearer", func(c *realm.Client) { c.BearerOnly = true }),
		client("jwt", func(c *realm.Client) { c.AuthenticatorType = "client-jwt" }),
		client("secret-jwt", func(c *realm.Client) { c.AuthenticatorType = "client-secret-jwt" }),
		client("x509", func(c *realm.Client) { c.AuthenticatorType = "client-x509" }),
		client("without", func(c *realm.Client) { c.SecretHash = nil }),
		client("percent", func(c *realm.Client) { c.SecretHash = percent[:] }),
		client("empty", func(c *realm.Client) { c.SecretHash = none[:] }),
	} {
		out[c.ClientID] = c
	}
	return out
}

func basic(user, pass string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+pass))
}

// Each row was compared with Keycloak 26.7.4; docs/keycloak.md names the three that differ.
func TestIdentify(t *testing.T) {
	right := url.QueryEscape(secret)
	for _, c := range []struct {
		name, header string
		form         url.Values
		reason       oauth.Reason // "" for a client
	}{
		{"form", "", url.Values{"client_id": {"app"}, "client_secret": {secret}}, ""},
		{"Basic", basic("app", right), nil, ""},
		{"Basic with a raw secret", basic("app", "s3cr:et +"), nil, oauth.WrongSecret}, // a raw "+" is a blank
		{"Basic with a raw per cent", basic("percent", "100%"), nil, ""},               // no form encoding: it counts as it stands
		{"Basic with that secret's beginning", basic("percent", "100"), nil, oauth.WrongSecret},
		{"basic in small letters", "basic " + basic("app", right)[6:], nil, ""},
		{"Basic behind more blanks", "Basic   " + basic("app", right)[6:] + " ", nil, ""},
		{"Basic twice", basic("app", right) + "\n" + basic("app", right), nil, oauth.UnsupportedClientAuth},
		{"Basic and another scheme", basic("app", right) + "\nBearer x", nil, oauth.UnsupportedClientAuth},
		{"Basic and the same client_id", basic("app", right), url.Values{"client_id": {"app"}}, ""},
		{"Basic and another client_id", basic("app", right), url.Values{"client_id": {"public"}}, oauth.WrongSecret},
		{"Basic and nobody's client_id", basic("app", right), url.Values{"client_id": {"nobody"}}, oauth.UnknownClient},
		{"Basic and the secret of another client_id", basic("nobody", right), url.Values{"client_id": {"app"}}, oauth.WrongSecret},
		{"Basic and a wrong secret in the form", basic("app", right), url.Values{"client_id": {"app"}, "client_secret": {"x"}}, oauth.WrongSecret},
		{"a wrong Basic and the right form", basic("app", "x"), url.Values{"client_id": {"app"}, "client_secret": {secret}}, ""},
		{"a broken Basic and the right form", "Basic %%%", url.Values{"client_id": {"app"}, "client_secret": {secret}}, oauth.UnsupportedClientAuth},
		{"a broken Basic", "Basic %%%", nil, oauth.UnsupportedClientAuth},
		{"Basic without a colon", "Basic " + base64.StdEncoding.EncodeToString([]byte("app")), nil, oauth.UnsupportedClientAuth},
		{"Basic without a user", basic("", "x"), nil, oauth.UnsupportedClientAuth},
		{"Basic alone", "Basic", nil, oauth.UnsupportedClientAuth},
		{"another scheme and the right form", "Bearer x", url.Values{"client_id": {"app"}, "client_secret": {secret}}, ""},
		{"another scheme", "Bearer x", nil, oauth.MissingClient},
		{"nothing", "", nil, oauth.MissingClient},
		{"a secret alone", "", url.Values{"client_secret": {secret}}, oauth.MissingClient},
		{"nobody", "", url.Values{"client_id": {"nobody"}, "client_secret": {secret}}, oauth.UnknownClient},
		{"no secret", "", url.Values{"client_id": {"app"}}, oauth.WrongSecret},
		{"an empty secret", "", url.Values{"client_id": {"app"}, "client_secret": {""}}, oauth.WrongSecret},
		{"a wrong secret", "", url.Values{"client_id": {"app"}, "client_secret": {secret + "x"}}, oauth.WrongSecret},
		{"the beginning of the secret", "", url.Values{"client_id": {"app"}, "client_secret": {secret[:5]}}, oauth.WrongSecret},
		{"a client without a secret", "", url.Values{"client_id": {"without"}, "client_secret": {""}}, oauth.WrongSecret},
		{"no secret for an empty one", "", url.Values{"client_id": {"empty"}}, oauth.WrongSecret},
		{"switched off", "", url.Values{"client_id": {"off"}, "client_secret": {secret}}, oauth.ClientDisabled},
		{"switched off, wrong secret", "", url.Values{"client_id": {"off"}, "client_secret": {"x"}}, oauth.ClientDisabled},
		{"public", "", url.Values{"client_id": {"public"}}, ""},
		{"public with a secret", "", url.Values{"client_id": {"public"}, "client_secret": {"x"}}, ""},
		{"bearer-only", "", url.Values{"client_id": {"bearer"}, "client_secret": {secret}}, ""},
		{"bearer-only without its secret", "", url.Values{"client_id": {"bearer"}}, oauth.WrongSecret},
		{"an assertion is asked for", "", url.Values{"client_id": {"jwt"}, "client_secret": {secret}}, oauth.AssertionMissing},
		{"an assertion by secret is asked for", "", url.Values{"client_id": {"secret-jwt"}, "client_secret": {secret}}, oauth.AssertionMissing},
		{"an assertion", "", url.Values{"client_id": {"jwt"}, "client_assertion_type": {"x"}, "client_secret": {secret}}, oauth.UnsupportedClientAuth},
		{"an assertion beside Basic", basic("jwt", right), url.Values{"client_assertion_type": {"x"}}, oauth.UnsupportedClientAuth},
		{"Basic where an assertion is asked for", basic("jwt", right), nil, oauth.AssertionMissing},
		{"a certificate is asked for", "", url.Values{"client_id": {"x509"}, "client_secret": {secret}}, oauth.UnsupportedClientAuth},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			if c.header != "" {
				r.Header["Authorization"] = strings.Split(c.header, "\n")
			}
			got, err := (&clientauth.Authenticator{Clients: known()}).Identify(t.Context(), r, c.form, &realm.Realm{})
			if (err != nil) != (c.reason != "") || err != nil && oauth.ReasonOf(err) != c.reason || (got != nil) != (err == nil) {
				t.Errorf("got %v, %v; want %q", got, err, c.reason)
			}
		})
	}
}

func TestABearerOnlyClientGetsNothing(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	got, err := (&clientauth.Authenticator{Clients: known()}).Authenticate(t.Context(), r, url.Values{"client_id": {"bearer"}, "client_secret": {secret}}, &realm.Realm{})
	if got != nil || err == nil || oauth.ReasonOf(err) != oauth.BearerOnlyClient {
		t.Errorf("got %v, %v", got, err)
	}
}
