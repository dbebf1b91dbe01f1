package token

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// target is one of the documents that a mapper may write to, by the member of
// its configuration that switches it on.
type target string

const (
	toAccess        target = "access.token.claim"
	toLightweight   target = "lightweight.claim"
	toID            target = "id.token.claim"
	toUserinfo      target = "userinfo.token.claim"
	toIntrospection target = "introspection.token.claim"
)

// subject is what mappers read.
type subject struct {
	user    *realm.User
	client  *realm.Client
	session *realm.Session
	roles   Roles
	groups  []string                             // paths
	lent    func(name string, all bool) []string // a group attribute, see groupAttribute; nil without groups
	notes   map[string]string
	acr     string
	auth    int64
}

// mapper writes what it knows into claims.
type mapper func(claims map[string]any, s *subject, m realm.Mapper)

// mapperOf gives a mapper by Keycloak's name of its type, nil for one that is not
// offered.
func mapperOf(name string) mapper {
	switch name {
	case "oidc-sub-mapper":
		return mapSub
	case "oidc-acr-mapper":
		return mapACR
	case "oidc-usersessionmodel-note-mapper":
		return mapNote
	case "oidc-usermodel-property-mapper":
		return mapProperty
	case "oidc-usermodel-attribute-mapper":
		return mapAttribute
	case "oidc-full-name-mapper":
		return mapFullName
	case "oidc-address-mapper":
		return mapAddress
	case "oidc-usermodel-realm-role-mapper":
		return mapRealmRoles
	case "oidc-usermodel-client-role-mapper":
		return mapClientRoles
	case "oidc-audience-resolve-mapper":
		return mapAudienceResolve
	case "oidc-audience-mapper":
		return mapAudience
	case "oidc-allowed-origins-mapper":
		return mapAllowedOrigins
	case "oidc-group-membership-mapper":
		return mapGroups
	case "oidc-hardcoded-claim-mapper":
		return mapHardcoded
	}
	return nil
}

// apply runs the mappers that are switched on for a document.
func apply(claims map[string]any, s *subject, mappers []realm.Mapper, to target) {
	for _, m := range mappers {
		if run := mapperOf(m.Type); run != nil && on(m, to) && fits(m.Type, to) {
			run(claims, s, m)
		}
	}
}

// on reports whether a mapper is switched on for a document. Where a mapper does not
// name it, as in old realm files, userinfo follows the ID token and introspection the
// access token; kinds that say something of the token, and not of the person, are
// never in userinfo.
func on(m realm.Mapper, to target) bool {
	set, named := m.Config[string(to)]
	if to == toIntrospection && !named {
		set = m.Config[string(toAccess)]
	}
	if to == toID && m.Type == "oidc-audience-resolve-mapper" { // whose roles are in a token is no matter of who reads the ID token
		return false
	}
	if to != toUserinfo {
		return set == "true"
	}
	if slices.Contains([]string{"oidc-acr-mapper", "oidc-usersessionmodel-note-mapper", "oidc-audience-mapper", "oidc-audience-resolve-mapper"}, m.Type) {
		return false
	}
	return set == "true" || !named && m.Config[string(toID)] == "true"
}

// fits: these mappers write into access tokens alone, whatever their configuration
// says, as with Keycloak.
func fits(mapperType string, to target) bool {
	if mapperType == "oidc-audience-resolve-mapper" || mapperType == "oidc-allowed-origins-mapper" {
		return to == toAccess || to == toLightweight || to == toIntrospection
	}
	return true
}

func mapSub(c map[string]any, s *subject, _ realm.Mapper) { c["sub"] = s.user.ID }

func mapACR(c map[string]any, s *subject, _ realm.Mapper) {
	if s.acr != "" { // a lightweight token does not say it
		c["acr"] = s.acr
	}
}

func mapNote(c map[string]any, s *subject, m realm.Mapper) {
	switch note := m.Config["user.session.note"]; note {
	case "AUTH_TIME":
		if s.session != nil && s.auth > 0 {
			put(c, m, strconv.FormatInt(s.auth, 10))
		}
	default:
		if v, ok := s.notes[note]; ok {
			put(c, m, v)
		}
	}
}

func mapRealmRoles(c map[string]any, s *subject, m realm.Mapper) {
	if len(s.roles.Realm) > 0 {
		set(c, m, several(m, prefixed(m.Config["usermodel.realmRoleMapping.rolePrefix"], s.roles.Realm)))
	}
}

func mapClientRoles(c map[string]any, s *subject, m realm.Mapper) {
	only := m.Config["usermodel.clientRoleMapping.clientId"]
	for _, id := range slices.Sorted(maps.Keys(s.roles.Client)) {
		if only != "" && only != id {
			continue
		}
		// A dot in a client_id is not a step into the claim.
		name := strings.ReplaceAll(m.Config["claim.name"], "${client_id}", strings.ReplaceAll(id, ".", `\.`))
		setPath(c, name, several(m, prefixed(m.Config["usermodel.clientRoleMapping.rolePrefix"], s.roles.Client[id])))
	}
}

// mapAudienceResolve: every client, other than its own, in which the user has a
// role that the token carries.
func mapAudienceResolve(c map[string]any, s *subject, _ realm.Mapper) {
	for _, id := range slices.Sorted(maps.Keys(s.roles.Client)) {
		if id != s.client.ClientID {
			addAudience(c, id)
		}
	}
}

func mapAudience(c map[string]any, _ *subject, m realm.Mapper) {
	for _, key := range []string{"included.client.audience", "included.custom.audience"} {
		if v := m.Config[key]; v != "" {
			addAudience(c, v)
			return
		}
	}
}

// addAudience keeps aud a string while it is single, as Keycloak does.
func addAudience(c map[string]any, id string) {
	switch aud := c["aud"].(type) {
	case nil:
		c["aud"] = id
	case string:
		if aud != id {
			c["aud"] = []any{aud, id}
		}
	case []any:
		if !slices.Contains(aud, any(id)) {
			c["aud"] = append(aud, id)
		}
	}
}

func mapAllowedOrigins(c map[string]any, s *subject, _ realm.Mapper) {
	if origins := WebOrigins(s.client); len(origins) > 0 {
		c["allowed-origins"] = anys(origins)
	}
}

// WebOrigins are a client's web origins; "+" stands for the origins of its
// redirect URIs.
func WebOrigins(c *realm.Client) []string {
	var out []string
	for _, o := range c.WebOrigins {
		if o != "+" {
			out = append(out, strings.TrimSuffix(o, "/"))
			continue
		}
		for _, uri := range c.RedirectURIs {
			if u, err := url.Parse(strings.TrimSuffix(uri, "*")); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
				out = append(out, u.Scheme+"://"+u.Host)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func mapGroups(c map[string]any, s *subject, m realm.Mapper) {
	if len(s.groups) == 0 {
		return
	}
	out := []any{}
	for _, path := range s.groups {
		if m.Config["full.path"] != "true" {
			path = path[strings.LastIndex(path, "/")+1:]
		}
		out = append(out, path)
	}
	set(c, m, out)
}

func mapHardcoded(c map[string]any, _ *subject, m realm.Mapper) { putIf(c, m, m.Config["claim.value"]) }
