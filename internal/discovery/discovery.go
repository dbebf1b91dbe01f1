// Package discovery publishes what clients need to know of a realm: the metadata
// documents (OpenID Connect Discovery 1.0; RFC 8414), its keys (RFC 7517), and
// Keycloak's public realm information.
//
// What it names must be there: an endpoint that is not served is not listed.
// provider mounts it.
package discovery

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/keys"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/token"
	"github.com/latchkey-id/latchkey/internal/urls"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Realms resolves the realm of a request and the origin it came to.
type Realms interface {
	Resolve(r *http.Request) (*realm.Realm, urls.Realm, error)
}

// Documents serves the public documents.
type Documents struct {
	Realms Realms
	Store  *store.Store
	Keys   *keys.Keeper
	Logger *slog.Logger
	Errors web.ErrorWriter
}

// Mount registers the routes.
func (d *Documents) Mount(mux *http.ServeMux) {
	get := func(h web.Handler) http.HandlerFunc {
		return web.Methods(map[string]http.HandlerFunc{http.MethodGet: web.Adapt(h, d.Errors), http.MethodOptions: web.Preflight("GET, HEAD, OPTIONS")})
	}
	for pattern, h := range map[string]web.Handler{
		urls.DiscoveryPattern: d.metadata, urls.ServerMetadataPattern: d.metadata, urls.RFC8414Pattern: d.metadata, urls.CertsPattern: d.certs, urls.RealmPattern: d.info,
	} {
		mux.HandleFunc(pattern, get(h))
		mux.HandleFunc(pattern+"/{$}", get(h))
	}
}

func (d *Documents) metadata(w http.ResponseWriter, r *http.Request) error {
	in, at, err := d.Realms.Resolve(r)
	if err != nil {
		return err
	}
	scopes, err := d.Store.ClientScopes(r.Context(), in.ID)
	if err != nil {
		return err
	}
	web.Public(w, r)
	w.Header().Set("Cache-Control", "no-cache, must-revalidate, no-transform, no-store")
	return web.WriteJSON(w, http.StatusOK, document(at, in, scopes))
}

// Metadata is the document, in Keycloak's order of members.
type Metadata struct {
	Issuer              string   `json:"issuer"`
	Authorization       string   `json:"authorization_endpoint"`
	Token               string   `json:"token_endpoint"`
	Introspection       string   `json:"introspection_endpoint"`
	Userinfo            string   `json:"userinfo_endpoint"`
	EndSession          string   `json:"end_session_endpoint"`
	JWKS                string   `json:"jwks_uri"`
	CheckSession        string   `json:"check_session_iframe"`
	GrantTypes          []string `json:"grant_types_supported"`
	ACRValues           []string `json:"acr_values_supported"`
	ResponseTypes       []string `json:"response_types_supported"`
	SubjectTypes        []string `json:"subject_types_supported"`
	Prompts             []string `json:"prompt_values_supported"`
	IDTokenAlgorithms   []string `json:"id_token_signing_alg_values_supported"`
	UserinfoAlgorithms  []string `json:"userinfo_signing_alg_values_supported"`
	ResponseModes       []string `json:"response_modes_supported"`
	TokenAuthMethods    []string `json:"token_endpoint_auth_methods_supported"`
	Claims              []string `json:"claims_supported"`
	ClaimTypes          []string `json:"claim_types_supported"`
	ClaimsParameter     bool     `json:"claims_parameter_supported"`
	Scopes              []string `json:"scopes_supported"`
	RequestParameter    bool     `json:"request_parameter_supported"`
	RequestURIParameter bool     `json:"request_uri_parameter_supported"`
	ChallengeMethods    []string `json:"code_challenge_methods_supported"`
	Revocation          string   `json:"revocation_endpoint"`
	IntrospectionAuth   []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationAuth      []string `json:"revocation_endpoint_auth_methods_supported"`
	IssInResponse       bool     `json:"authorization_response_iss_parameter_supported"`
}

func document(at urls.Realm, in *realm.Realm, scopes []*realm.ClientScope) Metadata {
	m := Metadata{Issuer: at.Issuer(), Authorization: at.Auth(), Token: at.Token(), Introspection: at.Introspect(), Revocation: at.Revoke(), Userinfo: at.Userinfo(), EndSession: at.Logout(), JWKS: at.Certs(), CheckSession: at.CheckSession(),
		GrantTypes: []string{"authorization_code", "client_credentials", "implicit", "password", "refresh_token"}, ACRValues: []string{"0", "1"},
		// Implicit and hybrid are listed as Keycloak lists them, and off per client.
		ResponseTypes:      []string{"code", "none", "id_token", "token", "id_token token", "code id_token", "code token", "code id_token token"},
		SubjectTypes:       []string{"public"},
		Prompts:            []string{"none", "login", "consent"},
		IDTokenAlgorithms:  algorithms(in),
		UserinfoAlgorithms: jose.SignatureAlgorithms(),
		ResponseModes:      []string{"query", "fragment", "form_post"},
		TokenAuthMethods:   []string{"client_secret_basic", "client_secret_post"},
		IntrospectionAuth:  []string{"client_secret_basic", "client_secret_post"},
		RevocationAuth:     []string{"client_secret_basic", "client_secret_post"},
		Claims:             []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "name", "given_name", "family_name", "preferred_username", "email", "acr", "azp", "nonce"},
		ClaimTypes:         []string{"normal"},
		Scopes:             []string{token.OpenID},
		ChallengeMethods:   []string{"plain", "S256"},
		IssInResponse:      true,
	}
	if in.RegistrationAllowed {
		// As the realm says. Like the implicit flow it is listed, and answered with an
		// error of the protocol (authorize's checkPrompt).
		m.Prompts = append(m.Prompts, "create")
	}
	// What the realm's profile refuses; a client that is let off knows it.
	if in.On(realm.RequirePKCE, nil) {
		m.ChallengeMethods = []string{oauth.MethodS256}
	}
	if in.On(realm.NoPasswordGrant, nil) {
		m.GrantTypes = slices.DeleteFunc(m.GrantTypes, func(g string) bool { return g == "password" })
	}
	for _, sc := range scopes {
		if sc.Protocol == "openid-connect" && sc.Attributes["include.in.openid.provider.metadata"] != "false" {
			m.Scopes = append(m.Scopes, sc.Name)
		}
	}
	return m
}

// algorithms are all that ID tokens may have here, because a client may choose
// its own; the realm's stands first, for clients that take the first.
func algorithms(in *realm.Realm) []string {
	first := keys.SignatureAlgorithm(in)
	out := []string{first}
	for _, a := range jose.SignatureAlgorithms() {
		if a != first {
			out = append(out, a)
		}
	}
	return out
}

func (d *Documents) certs(w http.ResponseWriter, r *http.Request) error {
	in, _, err := d.Realms.Resolve(r)
	if err != nil {
		return err
	}
	set, err := d.Keys.Published(r.Context(), in)
	if err != nil {
		return err
	}
	b, err := set.JSON()
	if err != nil {
		return err
	}
	web.Public(w, r)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b)
	return nil
}

// info is Keycloak's public realm information, which old adapters read. As
// there, public_key is the RSA key whatever the realm signs with: those adapters
// know no other kind.
func (d *Documents) info(w http.ResponseWriter, r *http.Request) error {
	in, at, err := d.Realms.Resolve(r)
	if err != nil {
		return err
	}
	key, err := d.Keys.Active(r.Context(), in, jose.RS256)
	if err != nil {
		return err
	}
	public, err := publicKey(key)
	if err != nil {
		return err
	}
	web.Public(w, r)
	return web.WriteJSON(w, http.StatusOK, map[string]any{"realm": in.Name, "public_key": public, "token-service": at.Issuer() + "/protocol/openid-connect",
		"account-service": at.Account(), "tokens-not-before": in.NotBefore})
}

func publicKey(k jose.Key) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		return "", fmt.Errorf("discovery: %w", err)
	}
	return base64.StdEncoding.EncodeToString(der), nil
}
