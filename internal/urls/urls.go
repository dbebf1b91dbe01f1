// Package urls knows every path of the provider, in Keycloak's spelling, and
// builds every absolute URL from a configured origin.
//
// It never sees a request: an origin comes from the configuration, so that a
// Host header cannot end up in a link (CVE-2025-64101). Every surface and the
// wiring in provider call it; no other package spells a path.
package urls

import (
	"net/url"
	"strings"
)

// Path templates for http.ServeMux. {realm} is validated by realm.CheckName,
// because ServeMux decodes %2F inside a wildcard.
const (
	RealmPattern            = "/realms/{realm}"
	DiscoveryPattern        = "/realms/{realm}/.well-known/openid-configuration"
	ServerMetadataPattern   = "/realms/{realm}/.well-known/oauth-authorization-server"
	RFC8414Pattern          = "/.well-known/oauth-authorization-server/realms/{realm}"
	ProtocolPattern         = "/realms/{realm}/protocol/openid-connect"
	AuthPattern             = ProtocolPattern + "/auth"
	TokenPattern            = ProtocolPattern + "/token"
	IntrospectPattern       = TokenPattern + "/introspect"
	UserinfoPattern         = ProtocolPattern + "/userinfo"
	CertsPattern            = ProtocolPattern + "/certs"
	RevokePattern           = ProtocolPattern + "/revoke"
	LogoutPattern           = ProtocolPattern + "/logout"
	LogoutConfirmPattern    = LogoutPattern + "/logout-confirm"
	LoginActionsPattern     = "/realms/{realm}/login-actions"
	AuthenticatePattern     = LoginActionsPattern + "/authenticate"
	RequiredActionPattern   = LoginActionsPattern + "/required-action"
	RestartPattern          = LoginActionsPattern + "/restart"
	AdminPrefix             = "/admin/"
	AdminRealmsPrefix       = "/admin/realms"
	RegistrationsPattern    = ProtocolPattern + "/registrations"
	CheckSessionPattern     = ProtocolPattern + "/login-status-iframe.html"
	CheckSessionInitPattern = CheckSessionPattern + "/init"
	ThirdPartySetPattern    = ProtocolPattern + "/3p-cookies/step1.html"
	ThirdPartyReadPattern   = ProtocolPattern + "/3p-cookies/step2.html"
)

// Realm builds the URLs of one realm below one configured origin. The zero
// value builds relative paths of the realm "".
type Realm struct {
	Origin string // scheme://host[:port], no trailing slash
	Name   string
}

// Issuer is the realm's issuer identifier (OpenID Connect Discovery 1.0, 3).
func (r Realm) Issuer() string { return r.Origin + r.path("") }

// CookiePath is the path of the realm's cookies, with Keycloak's trailing slash.
func (r Realm) CookiePath() string { return r.path("/") }

// The endpoints of the realm, absolute.
func (r Realm) Auth() string                { return r.protocol("/auth") }
func (r Realm) Token() string               { return r.protocol("/token") }
func (r Realm) Introspect() string          { return r.protocol("/token/introspect") }
func (r Realm) Userinfo() string            { return r.protocol("/userinfo") }
func (r Realm) Certs() string               { return r.protocol("/certs") }
func (r Realm) Revoke() string              { return r.protocol("/revoke") }
func (r Realm) Logout() string              { return r.protocol("/logout") }
func (r Realm) LogoutConfirm() string       { return r.protocol("/logout/logout-confirm") }
func (r Realm) CheckSession() string        { return r.protocol("/login-status-iframe.html") }
func (r Realm) DeviceAuth() string          { return r.protocol("/auth/device") }
func (r Realm) PushedRequest() string       { return r.protocol("/ext/par/request") }
func (r Realm) BackchannelAuth() string     { return r.protocol("/ext/ciba/auth") }
func (r Realm) Registration() string        { return r.at("/clients-registrations/openid-connect") }
func (r Realm) Account() string             { return r.at("/account") }
func (r Realm) Discovery() string           { return r.at("/.well-known/openid-configuration") }
func (r Realm) LoginAction(a string) string { return r.at("/login-actions/" + a) }

// Admin is the realm's place in the admin REST API.
func (r Realm) Admin() string { return r.Origin + AdminRealmsPrefix + "/" + url.PathEscape(r.Name) }

func (r Realm) at(p string) string       { return r.Origin + r.path(p) }
func (r Realm) protocol(p string) string { return r.at("/protocol/openid-connect" + p) }
func (r Realm) path(p string) string     { return "/realms/" + url.PathEscape(r.Name) + p }

// WithQuery adds parameters to a URL that may have a query of its own; the
// existing query stays as it is written.
func WithQuery(u string, q url.Values) string {
	if len(q) == 0 {
		return u
	}
	sep := "?"
	if strings.Contains(u, "?") {
		sep = "&"
	}
	return u + sep + q.Encode()
}

// IsLoopback reports whether the origin's host is this machine: localhost,
// 127.0.0.0/8 or [::1]. Only there the provider speaks plain http and shows
// registered redirect URIs to a visitor.
func IsLoopback(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	return IsLoopbackHost(u.Hostname())
}
