package realm

import (
	"encoding/json"
	"slices"
	"strings"
)

// Unenforced gives the path of the first setting that narrows who may log in
// and that is kept but not enforced yet, "" when there is none. A login that
// such a setting affects is refused (fail closed), unless an administrator has
// accepted the path by name: attribute latchkey.accept.weaker, separated by "##".
func Unenforced(r *Realm, c *Client, u *User, credentials []string) string {
	return notAccepted(r, unenforced(r, c, u, credentials))
}

// UnenforcedForService is Unenforced for a client that gets tokens for itself: it
// looks at how the tokens have to be bound, and at no login.
func UnenforcedForService(r *Realm, c *Client) string { return notAccepted(r, bindings(c)) }

func notAccepted(r *Realm, paths []string) string {
	for _, path := range paths {
		if !slices.Contains(Accepted(r), path) {
			return path
		}
	}
	return ""
}

// AcceptedAttribute holds the paths that an administrator has accepted.
const AcceptedAttribute = "latchkey.accept.weaker"

// Accepted gives the accepted paths of a realm.
func Accepted(r *Realm) []string {
	if r.Attributes[AcceptedAttribute] == "" {
		return nil
	}
	return strings.Split(r.Attributes[AcceptedAttribute], "##")
}

func unenforced(r *Realm, c *Client, u *User, credentials []string) []string {
	paths := append(RealmUnenforced(r), ClientUnenforced(c)...)
	for _, a := range UnknownActions(u) {
		paths = append(paths, "users["+u.Username+"].requiredActions["+a+"]")
	}
	for _, kind := range credentials {
		if kind != "password" {
			paths = append(paths, "users["+u.Username+"].credentials["+kind+"]")
		}
	}
	return paths
}

// ClientUnenforced gives the paths of a client's own settings that refuse logins.
func ClientUnenforced(c *Client) []string {
	var paths []string
	if c.ConsentRequired {
		paths = append(paths, "clients["+c.ClientID+"].consentRequired")
	}
	paths = append(paths, bindings(c)...)
	paths = append(paths, requests(c)...)
	paths = append(paths, encryption(c)...)
	paths = append(paths, pairwise(c)...)
	var overrides map[string]string
	if raw, ok := c.Extra["authenticationFlowBindingOverrides"]; ok && (json.Unmarshal(raw, &overrides) != nil || len(overrides) > 0) {
		paths = append(paths, "clients["+c.ClientID+"].authenticationFlowBindingOverrides")
	}
	return paths
}

// bindings: tokens of this client must be of use to nobody else. Plain bearer
// tokens would be.
func bindings(c *Client) []string {
	var paths []string
	for _, name := range []string{"dpop.bound.access.tokens", "tls.client.certificate.bound.access.tokens"} {
		if c.Attributes[name] == "true" {
			paths = append(paths, attributePath(c, name))
		}
	}
	return paths
}

// requests: how this client's authorization requests have to come, and how well
// its users have to prove themselves.
func requests(c *Client) []string {
	var paths []string
	for name, harmless := range map[string][]string{"require.pushed.authorization.requests": {"", "false"}, "request.object.required": {"", "not required"},
		"minimum.acr.value": {"", "0"}} {
		if !slices.Contains(harmless, c.Attributes[name]) {
			paths = append(paths, attributePath(c, name))
		}
	}
	slices.Sort(paths)
	return paths
}

// encryption: what this client is told of its users must be for its own eyes. Signed
// alone it would be for everybody's.
func encryption(c *Client) []string {
	var paths []string
	for _, name := range []string{"id.token.encrypted.response.alg", "user.info.encrypted.response.alg"} {
		if c.Attributes[name] != "" {
			paths = append(paths, attributePath(c, name))
		}
	}
	return paths
}

// pairwise: this client must not learn by which sub others know a user (OpenID
// Connect Core 1.0, 8.1). With everybody's it would.
func pairwise(c *Client) []string {
	var paths []string
	for _, m := range c.Mappers {
		if m.Type == "oidc-sha256-pairwise-sub-mapper" {
			paths = append(paths, "clients["+c.ClientID+"].protocolMappers["+m.Name+"]")
		}
	}
	return paths
}

func attributePath(c *Client, name string) string {
	return "clients[" + c.ClientID + "].attributes[" + name + "]"
}

// RealmUnenforced gives the paths of a realm's own settings that refuse logins.
func RealmUnenforced(r *Realm) []string {
	var paths []string
	if r.BruteForce.Protected && r.BruteForce.PermanentLockout {
		paths = append(paths, "permanentLockout")
	}
	if r.VerifyEmail {
		paths = append(paths, "verifyEmail")
	}
	return append(paths, extraUnenforced(r)...)
}

// extraUnenforced looks at settings that are kept as they came.
func extraUnenforced(r *Realm) []string {
	var paths []string
	if r.PasswordPolicy != "" {
		paths = append(paths, "passwordPolicy")
	}
	if clientPolicies(r) {
		paths = append(paths, "clientPolicies")
	}
	for _, binding := range []struct{ member, builtin string }{{"browserFlow", "browser"}, {"directGrantFlow", "direct grant"}, {"clientAuthenticationFlow", "clients"}} {
		var alias string
		if raw, ok := r.Extra[binding.member]; ok && (json.Unmarshal(raw, &alias) != nil || alias != binding.builtin) {
			paths = append(paths, binding.member)
		}
	}
	return append(paths, changedFlows(r)...)
}

// clientPolicies: policies of the realm's own ask of clients what this server does
// not ask for (H9).
func clientPolicies(r *Realm) bool {
	var sent struct {
		Policies []struct {
			Enabled *bool `json:"enabled"`
		} `json:"policies"`
	}
	raw, ok := r.Extra["clientPolicies"]
	if !ok {
		return false
	}
	if json.Unmarshal(raw, &sent) != nil {
		return true
	}
	for _, p := range sent.Policies {
		if p.Enabled == nil || *p.Enabled {
			return true
		}
	}
	return false
}

// changedFlows: a built-in flow in which something more than the password is
// required asks for what this server does not ask for.
func changedFlows(r *Realm) []string {
	var flows []struct {
		Alias                    string `json:"alias"`
		AuthenticationExecutions []struct {
			Authenticator string `json:"authenticator"`
			FlowAlias     string `json:"flowAlias"`
			Requirement   string `json:"requirement"`
		} `json:"authenticationExecutions"`
	}
	raw, ok := r.Extra["authenticationFlows"]
	if !ok {
		return nil
	}
	if json.Unmarshal(raw, &flows) != nil {
		return []string{"authenticationFlows"}
	}
	var paths []string
	for _, f := range flows {
		if !slices.Contains([]string{"browser", "forms", "direct grant"}, f.Alias) {
			continue
		}
		for _, e := range f.AuthenticationExecutions {
			if e.Requirement == "REQUIRED" && !slices.Contains(askedFor(), e.Authenticator) {
				paths = append(paths, "authenticationFlows["+f.Alias+"]")
				break
			}
		}
	}
	return paths
}

// askedFor are the required executions that this server does what they say.
func askedFor() []string {
	return []string{"auth-username-password-form", "direct-grant-validate-username", "direct-grant-validate-password"}
}
