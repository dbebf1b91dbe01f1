package rep

import (
	"encoding/json"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// Masked stands for a secret in an answer; sent back, it keeps the secret.
const Masked = "**********"

// registrationToken lets its holder change a client at Keycloak. Nothing here takes
// it, so it is neither kept nor shown.
const registrationToken = "registrationAccessToken"

// ClientExtra is what a ClientRepresentation says beside the client itself.
type ClientExtra struct {
	Secret *string
	Access map[string]bool
}

func clientFields(c *realm.Client, x *ClientExtra, mappers *[]Mapper) []field {
	return []field{
		{"id", &c.ID}, {"clientId", &c.ClientID}, {"name", &c.Name}, {"description", &c.Description}, {"rootUrl", &c.RootURL}, {"adminUrl", &c.AdminURL},
		{"baseUrl", &c.BaseURL}, {"enabled", &c.Enabled}, {"clientAuthenticatorType", &c.AuthenticatorType}, {"secret", &x.Secret},
		{"redirectUris", &c.RedirectURIs}, {"webOrigins", &c.WebOrigins}, {"notBefore", &c.NotBefore}, {"bearerOnly", &c.BearerOnly},
		{"consentRequired", &c.ConsentRequired}, {"standardFlowEnabled", &c.StandardFlow}, {"implicitFlowEnabled", &c.ImplicitFlow},
		{"directAccessGrantsEnabled", &c.DirectAccessGrants}, {"serviceAccountsEnabled", &c.ServiceAccounts}, {"publicClient", &c.Public},
		{"frontchannelLogout", &c.FrontchannelLogout}, {"protocol", &c.Protocol}, {"attributes", &c.Attributes}, {"fullScopeAllowed", &c.FullScopeAllowed},
		{"protocolMappers", mappers}, {"defaultClientScopes", &c.DefaultScopes}, {"optionalClientScopes", &c.OptionalScopes}, {"access", &x.Access},
	}
}

func keptOfClient() []string {
	return []string{"surrogateAuthRequired", "alwaysDisplayInConsole", "authenticationFlowBindingOverrides", "nodeReRegistrationTimeout", "registeredNodes",
		"authorizationServicesEnabled", "authorizationSettings", "origin", registrationToken, "defaultRoles", "useTemplateConfig", "useTemplateScope",
		"useTemplateMappers", "clientTemplate", "type"}
}

// DecodeClient reads a ClientRepresentation over what into has already. Sent
// attributes are set one by one; an empty one takes its name away.
func DecodeClient(doc []byte, into *realm.Client) (ClientExtra, error) {
	o, err := parse(doc)
	if err != nil {
		return ClientExtra{}, err
	}
	var x ClientExtra
	have := into.Attributes
	into.Attributes = nil
	mappers := toMappers(into.Mappers)
	if err := o.fill("ClientRepresentation", clientFields(into, &x, &mappers), keptOfClient(), &into.Extra); err != nil {
		return x, err
	}
	delete(into.Extra, registrationToken)
	into.Mappers = fromMappers(mappers)
	into.Attributes = setAttributes(have, into.Attributes)
	if x.Secret != nil && *x.Secret == Masked {
		x.Secret = nil
	}
	return x, nil
}

func setAttributes(have, sent map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range have {
		out[k] = v
	}
	for k, v := range sent {
		if v == "" {
			delete(out, k)
			continue
		}
		out[k] = v
	}
	return out
}

// EncodeClient is what GET of a client answers. secret is "" where it is not shown.
func EncodeClient(c *realm.Client, secret string, access map[string]bool) (json.RawMessage, error) {
	shown := *c
	if shown.RedirectURIs == nil {
		shown.RedirectURIs = []string{}
	}
	if shown.WebOrigins == nil {
		shown.WebOrigins = []string{}
	}
	x := ClientExtra{Secret: optional(secret), Access: access}
	mappers := toMappers(c.Mappers)
	var fields []field
	for _, f := range clientFields(&shown, &x, &mappers) {
		if s, ok := f.ptr.(*string); ok && *s == "" {
			continue
		}
		if f.name == "protocolMappers" && len(mappers) == 0 {
			continue
		}
		fields = append(fields, f)
	}
	extra := map[string]json.RawMessage{"surrogateAuthRequired": json.RawMessage("false"), "alwaysDisplayInConsole": json.RawMessage("false"),
		"authenticationFlowBindingOverrides": json.RawMessage("{}"), "nodeReRegistrationTimeout": json.RawMessage("-1")}
	for k, v := range c.Extra {
		extra[k] = v
	}
	delete(extra, registrationToken)
	return encode(fields, keptOfClient(), extra)
}
