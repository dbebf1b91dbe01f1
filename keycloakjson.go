package latchkey

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
)

// LoadKeycloakJSON reads the file keycloak.json that Keycloak's admin console
// gives out (Clients → your client → Action → Download adapter config) and its
// adapters read: realm, auth-server-url, resource, credentials.secret and
// public-client become Issuer, ClientID, ClientSecret and ClientAuth. The file
// does not say where the application is: set RedirectURI.
//
// What adapters read beside that and what this package does anyway, or has no use
// for, is passed over. A key that would change who gets in, a key nobody knows, a
// bearer-only client and a missing value are a *ConfigError that names the key.
func LoadKeycloakJSON(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("latchkey: %w", err)
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(b, &doc); err != nil || doc == nil {
		return Config{}, fmt.Errorf("latchkey: %s is no JSON object: %w", path, err)
	}
	f := keycloakFile{path: path, doc: doc}
	for key := range doc {
		if err := f.known(key); err != nil {
			return Config{}, err
		}
	}
	return f.config()
}

// keycloakFile is a keycloak.json under its path.
type keycloakFile struct {
	path string
	doc  map[string]json.RawMessage
}

func (f keycloakFile) problem(key, where, format string, args ...any) error {
	return &ConfigError{Field: f.path + ": " + key, Problem: fmt.Sprintf(format, args...), Where: where}
}

// known refuses keys that cannot be honoured, by name.
func (f keycloakFile) known(key string) error {
	const remove = "take the line out"
	switch key {
	case "disable-trust-manager", "allow-any-hostname":
		if string(f.doc[key]) == "false" {
			return nil
		}
		return f.problem(key, remove+" and give the certificate authority to Config.Transport, or to the system", "would accept any certificate")
	case "truststore", "truststore-password", "client-keystore", "client-keystore-password", "client-key-password", "proxy-url":
		return f.problem(key, remove+"; certificates and proxies are for Config.Transport", "is not read here")
	case "realm-public-key":
		return f.problem(key, remove+": the keys are read from the realm, so that they can rotate", "pins a key")
	case "policy-enforcer":
		return f.problem(key, remove+" if the application decides by itself what a user may do", "asks for Keycloak's authorization services, which nobody enforces here")
	case "enable-basic-auth":
		if string(f.doc[key]) == "false" {
			return nil
		}
		return f.problem(key, remove, "would take passwords from requests")
	}
	if slices.Contains(read(), key) || slices.Contains(passedOver(), key) {
		return nil
	}
	return f.problem(key, "see the spelling, or "+remove, "is no key of keycloak.json that is known here")
}

func read() []string {
	return []string{"realm", "auth-server-url", "resource", "credentials", "public-client", "bearer-only"}
}

// passedOver are adapters' keys about what the package does in any case (https,
// PKCE, the audience), about Java, or about answers to other origins.
func passedOver() []string {
	return []string{"ssl-required", "confidential-port", "verify-token-audience", "enable-pkce", "use-resource-role-mappings", "enable-cors", "cors-max-age", "cors-allowed-methods",
		"cors-allowed-headers", "cors-exposed-headers", "expose-token", "principal-attribute", "autodetect-bearer-only", "always-refresh-token", "connection-pool-size",
		"socket-timeout-millis", "connection-timeout-millis", "connection-ttl-millis", "register-node-at-startup", "register-node-period", "token-store",
		"adapter-state-cookie-path", "turn-off-change-session-id-on-login", "token-minimum-time-to-live", "min-time-between-jwks-requests", "public-key-cache-ttl",
		"ignore-oauth-query-parameter", "redirect-rewrite-rules"}
}

func (f keycloakFile) config() (Config, error) {
	const console = "in the admin console: Clients → your client → Action → Download adapter config"
	bearerOnly, err := f.flag("bearer-only")
	if err != nil {
		return Config{}, err
	}
	if bearerOnly {
		return Config{}, f.problem("bearer-only", "take a client whose standard flow is on", "is true: this client logs nobody in, it only looks at tokens that others got")
	}
	values := map[string]string{}
	for _, key := range []string{"realm", "auth-server-url", "resource"} {
		if values[key], err = f.text(key, f.doc[key]); err != nil {
			return Config{}, err
		}
		if values[key] == "" {
			return Config{}, f.problem(key, console, "is missing")
		}
	}
	base, err := url.Parse(values["auth-server-url"])
	if err != nil || !base.IsAbs() || base.Host == "" || base.RawQuery != "" || base.Fragment != "" {
		return Config{}, f.problem("auth-server-url", "for example https://sso.example.com/", "is %q, which is no whole URL", values["auth-server-url"])
	}
	c := Config{ClientID: values["resource"], Issuer: strings.TrimRight(values["auth-server-url"], "/") + "/realms/" + url.PathEscape(values["realm"])}
	return f.withSecret(c)
}

// withSecret reads how the client proves who it is.
func (f keycloakFile) withSecret(c Config) (Config, error) {
	public, err := f.flag("public-client")
	if err != nil {
		return Config{}, err
	}
	var credentials map[string]json.RawMessage
	if raw, ok := f.doc["credentials"]; ok && json.Unmarshal(raw, &credentials) != nil {
		return Config{}, f.problem("credentials", "", "is no JSON object")
	}
	for method := range credentials {
		if method != "secret" {
			return Config{}, f.problem("credentials."+method, "choose it: Clients → your client → Credentials → Client Authenticator → Client Id and Secret", "is no way in which this package can prove who the client is; a secret is")
		}
	}
	if c.ClientSecret, err = f.text("credentials.secret", credentials["secret"]); err != nil {
		return Config{}, err
	}
	switch {
	case public && c.ClientSecret != "":
		return Config{}, f.problem("public-client", "one of the two has to go", "is true, and there is a secret as well")
	case public:
		c.ClientAuth = NoClientAuth
	case c.ClientSecret == "":
		return Config{}, f.problem("credentials.secret", where("ClientSecret")+`; a client without one has "public-client": true`, "is missing")
	}
	return c, nil
}

// text reads a string. Adapters put variables into it; what would stand there
// unresolved is refused.
func (f keycloakFile) text(key string, raw json.RawMessage) (string, error) {
	var s string
	if raw != nil && json.Unmarshal(raw, &s) != nil {
		return "", f.problem(key, "", "is no text")
	}
	if strings.Contains(s, "${") { // the value is not told: it may be a secret that looks like that
		return "", f.problem(key, "write the value itself", "holds ${; variables are not resolved here")
	}
	return s, nil
}

func (f keycloakFile) flag(key string) (bool, error) {
	var v bool
	if raw, ok := f.doc[key]; ok && json.Unmarshal(raw, &v) != nil {
		return false, f.problem(key, "", "is neither true nor false")
	}
	return v, nil
}
