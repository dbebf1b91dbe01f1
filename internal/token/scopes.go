package token

import (
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
)

// OpenID is the scope that makes a request an OpenID Connect request.
const OpenID = "openid"

// Scopes is what a request's scope parameter comes to for a client.
type Scopes struct {
	Granted   string // the parameter as it was granted, kept with codes and refresh families
	Applied   []*realm.ClientScope
	requested []string
}

// Has reports whether a scope was asked for by name or is OpenID.
func (s Scopes) Has(name string) bool { return slices.Contains(s.requested, name) }

// ResolveScopes applies a scope parameter: the client's default scopes always,
// an optional one when it is asked for. A name that is neither is
// oauth.InvalidScope, whose detail is the whole parameter, as Keycloak says it.
func ResolveScopes(c *realm.Client, all []*realm.ClientScope, parameter string) (Scopes, error) {
	asked := names(parameter)
	if slices.ContainsFunc(asked, func(name string) bool { return !mayAsk(c, name) }) {
		return Scopes{}, oauth.Refuse(oauth.InvalidScope, parameter)
	}
	return resolve(c, all, asked), nil
}

// resolve applies scopes that the client may ask for.
func resolve(c *realm.Client, all []*realm.ClientScope, asked []string) Scopes {
	s := Scopes{Granted: strings.Join(asked, " "), Applied: make([]*realm.ClientScope, 0, len(all)), requested: asked}
	for _, sc := range all {
		isAsked := slices.Contains(asked, sc.Name) && slices.Contains(c.OptionalScopes, sc.Name)
		if sc.Protocol == "openid-connect" && (isAsked || slices.Contains(c.DefaultScopes, sc.Name)) {
			s.Applied = append(s.Applied, sc)
		}
	}
	return s
}

func mayAsk(c *realm.Client, name string) bool {
	return name == OpenID || slices.Contains(c.DefaultScopes, name) || slices.Contains(c.OptionalScopes, name)
}

// StillKnown leaves out of what was granted what the client has no more: a scope that
// was taken from a client gives nothing, but logs nobody out either.
func StillKnown(c *realm.Client, scope string) string {
	return strings.Join(stillKnown(c, scope), " ")
}

func stillKnown(c *realm.Client, scope string) []string {
	return slices.DeleteFunc(names(scope), func(name string) bool { return !mayAsk(c, name) })
}

// InToken is the scope that a token and a response name: openid if asked, and
// every applied scope that shows itself.
func (s Scopes) InToken() string {
	var out []string
	if s.Has(OpenID) {
		out = append(out, OpenID)
	}
	for _, sc := range s.Applied {
		if sc.Attributes["include.in.token.scope"] != "false" {
			out = append(out, sc.Name)
		}
	}
	return strings.Join(out, " ")
}

// Narrow gives what a refresh asks for of what was granted: "The requested scope MUST
// NOT include any scope not originally granted by the resource owner" (RFC 6749, 6).
// As with Keycloak, a scope that the client has and that was not granted is left out,
// not refused: clients send the scope of the last answer, which names the client's
// default scopes. Those come along whether they are named or not. Reason: InvalidScope.
func Narrow(c *realm.Client, granted, asked string) (string, error) {
	if len(names(asked)) == 0 {
		return StillKnown(c, granted), nil
	}
	had := names(granted)
	var out []string
	for _, name := range names(asked) {
		if !mayAsk(c, name) {
			return "", oauth.Refuse(oauth.InvalidScope, asked)
		}
		if slices.Contains(had, name) {
			out = append(out, name)
		}
	}
	return strings.Join(out, " "), nil
}

// names splits a scope parameter: "a list of space-delimited, case-sensitive
// strings" (RFC 6749, section 3.3). Any other white space is part of a name.
func names(parameter string) []string {
	return strings.FieldsFunc(parameter, func(r rune) bool { return r == ' ' })
}
