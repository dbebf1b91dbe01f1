package realm

// Profile names. A profile is a preset of switches; each switch can be set alone
// on a realm or a client by its attribute.
const (
	ProfileAttribute = "latchkey.profile"
	ProfileStrict    = "strict"
	ProfileKeycloak  = "keycloak"
)

// Switch is one safety switch: an attribute of a realm or of a client, "true"
// or "false".
type Switch string

// The switches (DESIGN: "Keycloak and safety").
const (
	ExactRedirectURIs Switch = "latchkey.exact.redirect.uris"
	RequirePKCE       Switch = "latchkey.require.pkce"
	RotateRefresh     Switch = "latchkey.rotate.refresh"
	TypedAccessTokens Switch = "latchkey.typed.access.tokens"
	SlimIDTokens      Switch = "latchkey.slim.id.tokens"
	IntrospectOwn     Switch = "latchkey.introspect.own"
	NoPasswordGrant   Switch = "latchkey.no.password.grant"
	NoImplicit        Switch = "latchkey.no.implicit"
)

// Switches lists them all, for documents and for the question what a realm weakens.
func Switches() []Switch {
	return []Switch{ExactRedirectURIs, RequirePKCE, RotateRefresh, TypedAccessTokens, SlimIDTokens, IntrospectOwn, NoPasswordGrant, NoImplicit}
}

// Strict reports whether the realm has the strict profile.
func (r *Realm) Strict() bool { return r.Attributes[ProfileAttribute] == ProfileStrict }

// On reports whether a switch is on for a client: the client's own attribute
// counts first, then the realm's, then the profile. c may be nil.
func (r *Realm) On(s Switch, c *Client) bool {
	if c != nil {
		if v, ok := c.Attributes[string(s)]; ok {
			return v == "true"
		}
	}
	if v, ok := r.Attributes[string(s)]; ok {
		return v == "true"
	}
	return r.Strict()
}
