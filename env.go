package latchkey

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// SessionKeysVar is the environment variable with the session keys: base64,
// separated by commas, newest first.
const SessionKeysVar = "LATCHKEY_SESSION_KEYS"

// ConfigFromEnv reads the six values from the variables CLIENT_ID, CLIENT_SECRET,
// ISSUER, REDIRECT_URI, TOKEN_ENDPOINT and USERINFO_ENDPOINT, and SessionKeys from
// SessionKeysVar. What is missing or wrong is New's to say; a key that is not
// base64 is a *ConfigError.
func ConfigFromEnv() (Config, error) {
	c := Config{Issuer: os.Getenv("ISSUER"), ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET"), RedirectURI: os.Getenv("REDIRECT_URI"),
		TokenEndpoint: os.Getenv("TOKEN_ENDPOINT"), UserinfoEndpoint: os.Getenv("USERINFO_ENDPOINT")}
	var err error
	c.SessionKeys, err = ParseSessionKeys(os.Getenv(SessionKeysVar))
	return c, err
}

// ParseSessionKeys reads keys as they stand in SessionKeysVar. The empty text is
// no keys.
func ParseSessionKeys(text string) ([][]byte, error) {
	var keys [][]byte
	for _, k := range strings.Split(text, ",") {
		if k = strings.TrimSpace(k); k == "" {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(k)
		if err != nil {
			return nil, &ConfigError{Field: "SessionKeys", Problem: "are not base64", Where: "make one with: openssl rand -base64 32"}
		}
		keys = append(keys, b)
	}
	return keys, nil
}

// clientSecrets is the file that flask-oidc calls client_secrets.json.
type clientSecrets struct {
	ClientID      string   `json:"client_id"`
	ClientSecret  string   `json:"client_secret"`
	Issuer        string   `json:"issuer"`
	AuthURI       string   `json:"auth_uri"`
	TokenURI      string   `json:"token_uri"`
	UserinfoURI   string   `json:"userinfo_uri"`
	RedirectURIs  []string `json:"redirect_uris"`
	Introspection string   `json:"token_introspection_uri"`
}

// LoadClientSecrets reads flask-oidc's client_secrets.json: one object under any
// key, usually "web". The first redirect URI counts. The file of the guide leaves
// the issuer out; then it is told from auth_uri, which has Keycloak's form. An
// unknown key is refused by name.
func LoadClientSecrets(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("latchkey: %w", err)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(b, &top); err != nil {
		return Config{}, fmt.Errorf("latchkey: %s is not JSON: %w", path, err)
	}
	if len(top) != 1 {
		return Config{}, fmt.Errorf("latchkey: %s holds %d top-level keys; flask-oidc's file has one, usually \"web\"", path, len(top))
	}
	for _, raw := range top {
		return secretsConfig(path, raw)
	}
	return Config{}, nil
}

func secretsConfig(path string, raw json.RawMessage) (Config, error) {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	var s clientSecrets
	if err := dec.Decode(&s); err != nil {
		return Config{}, fmt.Errorf("latchkey: %s: %w", path, err)
	}
	c := Config{Issuer: s.Issuer, ClientID: s.ClientID, ClientSecret: s.ClientSecret, TokenEndpoint: s.TokenURI, UserinfoEndpoint: s.UserinfoURI}
	if len(s.RedirectURIs) > 0 {
		c.RedirectURI = s.RedirectURIs[0]
	}
	if base, ok := strings.CutSuffix(s.AuthURI, "/protocol/openid-connect/auth"); ok && c.Issuer == "" {
		c.Issuer = base
	}
	return c, nil
}
