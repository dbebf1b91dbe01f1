package latchkey_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey"
)

// The files are as Keycloak 26.7.4 gave them out.
func TestKeycloakJSONAsKeycloakGivesItOut(t *testing.T) {
	const issuer = "http://127.0.0.1:8180/realms/signing-es256"
	for _, c := range []struct {
		file    string
		want    latchkey.Config
		refused string
	}{
		{"confidential", latchkey.Config{Issuer: issuer, ClientID: "kc-conf", ClientSecret: "s3cret"}, ""},
		{"public", latchkey.Config{Issuer: issuer, ClientID: "kc-public", ClientAuth: latchkey.NoClientAuth}, ""},
		{"bearer-only", latchkey.Config{}, "bearer-only is true: this client logs nobody in"},
		{"signed-jwt", latchkey.Config{}, "credentials.jwt is no way"},
		{"authorization", latchkey.Config{}, "policy-enforcer asks for"},
	} {
		t.Run(c.file, func(t *testing.T) {
			got, err := latchkey.LoadKeycloakJSON("testdata/keycloak-26.7.4-" + c.file + ".json")
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Fatalf("got %v, want %q", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestKeycloakJSONRefusals(t *testing.T) {
	whole := map[string]string{"realm": `"a realm"`, "auth-server-url": `"https://sso.example/auth/"`, "resource": `"app"`, "credentials": `{"secret":"s"}`}
	for _, c := range []struct{ name, key, value, want string }{
		{"no realm", "realm", "", "realm is missing"},
		{"no server", "auth-server-url", "", "auth-server-url is missing"},
		{"no client", "resource", "", "resource is missing"},
		{"no secret", "credentials", "", "credentials.secret is missing"},
		{"an empty secret", "credentials", `{"secret":""}`, "credentials.secret is missing"},
		{"a secret of a public client", "public-client", "true", "public-client is true, and there is a secret"},
		{"a server without a host", "auth-server-url", `"/auth"`, "no whole URL"},
		{"a variable", "resource", `"${env.CLIENT}"`, "variables are not resolved"},
		{"a number", "resource", `1`, "is no text"},
		{"a text for a switch", "public-client", `"yes"`, "neither true nor false"},
		{"credentials that are none", "credentials", `"s"`, "no JSON object"},
		{"a key nobody knows", "resorce", `"app"`, "resorce is no key"},
		{"any certificate", "disable-trust-manager", "true", "would accept any certificate"},
		{"any host", "allow-any-hostname", "true", "would accept any certificate"},
		{"a pinned key", "realm-public-key", `"MIIB"`, "pins a key"},
		{"a truststore", "truststore", `"a.jks"`, "Config.Transport"},
		{"passwords in requests", "enable-basic-auth", "true", "passwords from requests"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var members []string
			for k, v := range whole {
				if k != c.key {
					members = append(members, `"`+k+`":`+v)
				}
			}
			if c.value != "" {
				members = append(members, `"`+c.key+`":`+c.value)
			}
			_, err := latchkey.LoadKeycloakJSON(keycloakJSON(t, "{"+strings.Join(members, ",")+"}"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	for name, content := range map[string]string{"a list": "[]", "nothing": "", "null": "null"} {
		if _, err := latchkey.LoadKeycloakJSON(keycloakJSON(t, content)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// A secret may look like a variable: what is refused is not told.
func TestKeycloakJSONTellsNoSecret(t *testing.T) {
	_, err := latchkey.LoadKeycloakJSON(keycloakJSON(t, `{"realm":"r","auth-server-url":"https://sso.example/","resource":"app","credentials":{"secret":"hunter2${"}}`))
	if err == nil || !strings.Contains(err.Error(), "credentials.secret") || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

func TestKeycloakJSONOfAnAdapter(t *testing.T) {
	c, err := latchkey.LoadKeycloakJSON(keycloakJSON(t, `{"realm":"a realm","auth-server-url":"https://sso.example/auth/","ssl-required":"all","resource":"app",
		"credentials":{"secret":"s"},"use-resource-role-mappings":true,"enable-cors":true,"disable-trust-manager":false,"confidential-port":0}`))
	if want := (latchkey.Config{Issuer: "https://sso.example/auth/realms/a%20realm", ClientID: "app", ClientSecret: "s"}); err != nil || !cmp.Equal(want, c) {
		t.Errorf("%+v, %v", c, err)
	}
}

func keycloakJSON(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keycloak.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
