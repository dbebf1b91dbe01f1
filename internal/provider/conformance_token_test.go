package provider_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/jose"
)

// Assertions about the token endpoint, userinfo, the metadata and the keys.

// "If an authorization code is used more than once, the authorization server MUST
// deny the request and SHOULD revoke (when possible) all tokens previously issued
// based on that authorization code" (RFC 6749, 4.1.2).
func TestCodeReuse(t *testing.T) {
	s := start(t, nil)
	for name, after := range map[string]time.Duration{"at once": 0, "after 30 seconds": 30 * time.Second, "after the code's life": 4 * time.Minute} {
		for _, realm := range []string{"strict", "lenient"} {
			code := s.code(s.browser(), realm, nil)
			first := s.exchange(realm, code)
			if s.userinfo(realm, first.text("access_token")) != 200 {
				t.Fatal("the first use gave nothing")
			}
			s.clock.move(after)
			wantError(t, s.exchange(realm, code), 400, "invalid_grant", "Code not valid")
			if got := s.userinfo(realm, first.text("access_token")); got != 401 {
				t.Errorf("%s, %s: the access token is taken: %d", name, realm, got)
			}
			if a := s.refresh(realm, first.text("refresh_token")); a.status != 400 || a.text("error") != "invalid_grant" {
				t.Errorf("%s, %s: the refresh token is taken: %d %s", name, realm, a.status, a.body)
			}
		}
	}
}

// RFC 6749, 3.2, 4.1.3 and 5.2: refusals are JSON that nobody keeps, with a code of
// the registry, and nothing but a form in a POST is read.
func TestRefusalsOfTheTokenEndpoint(t *testing.T) {
	s := start(t, nil)
	at := s.oidc("strict", "token")
	for _, c := range []struct {
		name, err string
		status    int
		send      func(form url.Values) answer
	}{
		{"no grant_type", "invalid_request", 400, func(f url.Values) answer { f.Del("grant_type"); return s.send(s.browser(), "POST", at, f) }},
		{"an unknown grant_type", "unsupported_grant_type", 400, func(f url.Values) answer { f.Set("grant_type", "x"); return s.send(s.browser(), "POST", at, f) }},
		{"no code", "invalid_request", 400, func(f url.Values) answer { f.Del("code"); return s.send(s.browser(), "POST", at, f) }},
		{"a code of nobody", "invalid_grant", 400, func(f url.Values) answer { f.Set("code", "x"); return s.send(s.browser(), "POST", at, f) }},
		{"no redirect_uri", "invalid_grant", 400, func(f url.Values) answer { f.Del("redirect_uri"); return s.send(s.browser(), "POST", at, f) }},
		{"another redirect_uri", "invalid_grant", 400, func(f url.Values) answer {
			f.Set("redirect_uri", "https://app.example/wild/x")
			return s.send(s.browser(), "POST", at, f)
		}},
		{"no verifier", "invalid_grant", 400, func(f url.Values) answer { f.Del("code_verifier"); return s.send(s.browser(), "POST", at, f) }},
		{"another client", "invalid_grant", 400, func(f url.Values) answer { f.Set("client_id", "other"); return s.send(s.browser(), "POST", at, f) }},
		{"a parameter twice", "invalid_request", 400, func(f url.Values) answer { f.Add("code", f.Get("code")); return s.send(s.browser(), "POST", at, f) }},
		{"no client", "invalid_client", 401, func(f url.Values) answer {
			f.Del("client_id")
			f.Del("client_secret")
			return s.send(s.browser(), "POST", at, f)
		}},
		{"a client that is nobody", "invalid_client", 401, func(f url.Values) answer { f.Set("client_id", "nobody"); return s.send(s.browser(), "POST", at, f) }},
		{"a wrong secret", "unauthorized_client", 401, func(f url.Values) answer { f.Set("client_secret", "x"); return s.send(s.browser(), "POST", at, f) }}, // Keycloak's word
		{"all of it in the address", "invalid_request", 400, func(f url.Values) answer { return s.send(s.browser(), "POST", at+"?"+f.Encode(), url.Values{}) }},
		{"the secret in the address", "unauthorized_client", 401, func(f url.Values) answer {
			secret := url.Values{"client_secret": f["client_secret"]}
			f.Del("client_secret")
			return s.send(s.browser(), "POST", at+"?"+secret.Encode(), f)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			form := url.Values{"grant_type": {"authorization_code"}, "code": {s.code(s.browser(), "strict", nil)}, "redirect_uri": {callback}, "code_verifier": {verifier},
				"client_id": {"app"}, "client_secret": {appSecret}}
			a := c.send(form)
			if a.status != c.status || a.text("error") != c.err || a.json["access_token"] != nil {
				t.Errorf("%d %s, want %d %s", a.status, a.body, c.status, c.err)
			}
			wantUnkept(t, a)
		})
	}
	if a := s.get(s.browser(), at+"?"+url.Values{"grant_type": {"client_credentials"}, "client_id": {"app"}, "client_secret": {appSecret}}.Encode()); a.status != 405 || a.json["access_token"] != nil {
		t.Errorf("GET: %d %s", a.status, a.body)
	}
}

func wantUnkept(t *testing.T, a answer) {
	t.Helper()
	if h := a.header; h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
		t.Errorf("Content-Type %q, Cache-Control %q, Pragma %q", h.Get("Content-Type"), h.Get("Cache-Control"), h.Get("Pragma"))
	}
}

// What a happy flow of the plans looks at: OpenID Connect Core 1.0, 2, 3.1.3.3 and
// 12; RFC 6749, 5.1.
func TestTokensOfALogin(t *testing.T) {
	s := start(t, nil)
	for _, realm := range []string{"strict", "lenient"} {
		code := s.code(s.browser(), realm, url.Values{"nonce": {"n1"}})
		first := s.exchange(realm, code)
		second := s.refresh(realm, first.text("refresh_token"))
		sub := claimsOf(t, first.text("id_token"))["sub"]
		for name, a := range map[string]answer{"code": first, "refresh": second} {
			wantUnkept(t, a)
			life, _ := a.json["expires_in"].(float64)
			if a.status != 200 || a.text("token_type") != "Bearer" || life <= 0 || a.text("refresh_token") == "" || !slices.Contains(strings.Fields(a.text("scope")), "openid") {
				t.Errorf("%s, %s: %d %s", realm, name, a.status, a.body)
			}
			c := claimsOf(t, a.text("id_token"))
			key := headerOf(t, a.text("id_token"))
			hash, err := jose.LeftHalfHash(key.Algorithm, a.text("access_token"))
			want := map[string]any{"iss": s.url + "/realms/" + realm, "aud": "app", "azp": "app", "nonce": "n1", "at_hash": hash, "sub": sub}
			if name == "refresh" {
				want["nonce"] = nil // "it SHOULD NOT have a nonce Claim" (12.2)
			}
			for claim, v := range want {
				if err != nil || c[claim] != v {
					t.Errorf("%s, %s: %s is %v, want %v", realm, name, claim, c[claim], v)
				}
			}
			exp, _ := c["exp"].(float64)
			iat, _ := c["iat"].(float64)
			if iat == 0 || exp <= iat || key.Algorithm != jose.RS256 || !slices.Contains(s.published(realm), key.KeyID) || headerOf(t, a.text("access_token")).KeyID == "" {
				t.Errorf("%s, %s: iat %v, exp %v, %+v", realm, name, c["iat"], c["exp"], key)
			}
		}
		if first.text("access_token") == second.text("access_token") {
			t.Error("a refresh gives the same access token")
		}
		if random, _, _ := strings.Cut(code, "."); len(random) < 43 { // 256 bits
			t.Errorf("a code of %q", random)
		}
	}
	plain := s.exchange("strict", s.code(s.browser(), "strict", url.Values{"scope": {"email"}}))
	if plain.status != 200 || plain.json["id_token"] != nil || s.userinfo("strict", plain.text("access_token")) != 403 {
		t.Errorf("without the scope openid: %s", plain.body)
	}
}

// OpenID Connect Core 1.0, 5.3; RFC 6750, 2 and 3: the ways a token may come, and
// what is answered.
func TestUserinfo(t *testing.T) {
	s := start(t, nil)
	tokens := s.exchange("strict", s.code(s.browser(), "strict", url.Values{"scope": {"openid profile email address phone"}}))
	access, at := tokens.text("access_token"), s.oidc("strict", "userinfo")
	header, body := []string{"Authorization", "Bearer " + access}, url.Values{"access_token": {access}}
	for _, c := range []struct {
		name   string
		a      answer
		status int
		err    string
	}{
		{"GET, in the header", s.get(s.browser(), at, header...), 200, ""},
		{"POST, in the header", s.send(s.browser(), http.MethodPost, at, url.Values{}, header...), 200, ""},
		{"POST, in the form", s.send(s.browser(), http.MethodPost, at, body), 200, ""},
		{"bearer in small letters", s.get(s.browser(), at, "Authorization", "bearer "+access), 200, ""},
		{"both", s.send(s.browser(), http.MethodPost, at, body, header...), 400, "invalid_request"},
		{"in the address", s.get(s.browser(), at+"?"+body.Encode()), 401, ""},
		{"nothing", s.get(s.browser(), at), 401, ""},
		{"nonsense", s.get(s.browser(), at, "Authorization", "Bearer x.y.z"), 401, "invalid_token"},
		{"a signature that was changed", s.get(s.browser(), at, "Authorization", "Bearer "+access[:len(access)-6]+"AAAAAA"), 401, "invalid_token"},
	} {
		if c.status == 200 {
			if c.a.status != 200 || c.a.json["sub"] != claimsOf(t, tokens.text("id_token"))["sub"] || c.a.json["name"] != "Alice Liddell" || c.a.json["email"] != "alice@example.com" ||
				c.a.json["email_verified"] != true || !strings.HasPrefix(c.a.header.Get("Content-Type"), "application/json") {
				t.Errorf("%s: %d %s", c.name, c.a.status, c.a.body)
			}
			continue
		}
		challenge := c.a.header.Get("WWW-Authenticate")
		if c.a.status != c.status || !strings.HasPrefix(challenge, "Bearer ") || strings.Contains(challenge, "error=") != (c.err != "") || !strings.Contains(challenge, c.err) {
			t.Errorf("%s: %d %q %s", c.name, c.a.status, challenge, c.a.body)
		}
	}
}

// scope is what userinfo answers for (OpenID Connect Core 1.0, 5.4), in the types
// of 5.1 and 5.1.1.
func TestClaimsByScope(t *testing.T) {
	s := start(t, nil)
	s.alter("users", "lenient", `{"attributes":{"street":["1 Main St"],"locality":["Town"],"country":["CH"],"phoneNumber":["+41 1"],"phoneNumberVerified":["true"],"website":["https://a.example"]}}`)
	for scope, want := range map[string]map[string]any{
		"profile": {"name": "Alice Liddell", "given_name": "Alice", "family_name": "Liddell", "preferred_username": "alice", "website": "https://a.example"},
		"email":   {"email": "alice@example.com", "email_verified": true},
		"address": {"address": map[string]any{"street_address": "1 Main St", "locality": "Town", "country": "CH"}},
		"phone":   {"phone_number": "+41 1", "phone_number_verified": true},
	} {
		tokens := s.exchange("lenient", s.code(s.browser(), "lenient", url.Values{"scope": {"openid " + scope}}))
		got := s.get(s.browser(), s.oidc("lenient", "userinfo"), "Authorization", "Bearer "+tokens.text("access_token")).json
		for claim, v := range want {
			if d := cmp.Diff(v, got[claim]); d != "" {
				t.Errorf("%s: %s: %s", scope, claim, d)
			}
		}
	}
}

// OpenID Connect Discovery 1.0, 3; RFC 8414, 2: what stands there is true, and
// nothing stands there that no registry has.
func TestMetadata(t *testing.T) {
	s := start(t, nil)
	doc := s.get(s.browser(), s.url+"/realms/strict/.well-known/openid-configuration")
	issuer := s.url + "/realms/strict"
	if doc.status != 200 || doc.header.Get("Content-Type") != "application/json" || doc.text("issuer") != issuer {
		t.Fatalf("%d %s %s", doc.status, doc.header.Get("Content-Type"), doc.body)
	}
	registered := strings.Fields(`issuer authorization_endpoint token_endpoint introspection_endpoint userinfo_endpoint end_session_endpoint jwks_uri check_session_iframe
		grant_types_supported acr_values_supported response_types_supported subject_types_supported prompt_values_supported id_token_signing_alg_values_supported
		userinfo_signing_alg_values_supported response_modes_supported token_endpoint_auth_methods_supported claims_supported claim_types_supported
		claims_parameter_supported scopes_supported request_parameter_supported request_uri_parameter_supported code_challenge_methods_supported revocation_endpoint
		introspection_endpoint_auth_methods_supported revocation_endpoint_auth_methods_supported authorization_response_iss_parameter_supported`)
	for name, v := range doc.json {
		if !slices.Contains(registered, name) {
			t.Errorf("%s is in no registry, or new: what does it promise?", name)
		}
		if strings.HasSuffix(name, "_endpoint") || name == "jwks_uri" || name == "check_session_iframe" {
			at, _ := v.(string)
			if !strings.HasPrefix(at, issuer+"/") || s.get(s.browser(), at).status == 404 {
				t.Errorf("%s is %v", name, v)
			}
		}
	}
	list := func(name string) []any { l, _ := doc.json[name].([]any); return l }
	for name, has := range map[string]string{"response_types_supported": "code", "grant_types_supported": "refresh_token", "subject_types_supported": "public", "scopes_supported": "openid",
		"id_token_signing_alg_values_supported": "RS256", "code_challenge_methods_supported": "S256", "response_modes_supported": "form_post", "claims_supported": "sub",
		"token_endpoint_auth_methods_supported": "client_secret_basic"} {
		if !slices.Contains(list(name), any(has)) {
			t.Errorf("%s lacks %s: %v", name, has, list(name))
		}
	}
	lenient := s.get(s.browser(), s.url+"/realms/lenient/.well-known/openid-configuration")
	for name, refused := range map[string]string{"code_challenge_methods_supported": "plain", "grant_types_supported": "password"} {
		theirs, _ := lenient.json[name].([]any)
		if slices.Contains(list(name), any(refused)) || !slices.Contains(theirs, any(refused)) {
			t.Errorf("%s: strict %v, lenient %v", name, list(name), theirs)
		}
	}
	for name, want := range map[string]bool{"request_parameter_supported": false, "request_uri_parameter_supported": false, "claims_parameter_supported": false,
		"authorization_response_iss_parameter_supported": true} {
		if doc.json[name] != want {
			t.Errorf("%s is %v, want %v", name, doc.json[name], want)
		}
	}
	for _, algorithms := range []string{"id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported"} {
		for _, a := range list(algorithms) {
			if a == "none" || strings.HasPrefix(a.(string), "HS") {
				t.Errorf("%s lists %v", algorithms, a)
			}
		}
	}
	for _, other := range []string{s.url + "/.well-known/oauth-authorization-server/realms/strict", issuer + "/.well-known/oauth-authorization-server"} {
		if a := s.get(s.browser(), other); a.status != 200 || cmp.Diff(doc.json, a.json) != "" {
			t.Errorf("%s: %d %s", other, a.status, cmp.Diff(doc.json, a.json))
		}
	}
}

// RFC 7517, 4 and 5; RFC 7518, 6: public keys alone, each with a name of its own.
func TestPublishedKeys(t *testing.T) {
	s := start(t, nil)
	s.set("strict", "defaultSignatureAlgorithm", jose.ES256)
	s.exchange("strict", s.code(s.browser(), "strict", nil))
	s.set("strict", "defaultSignatureAlgorithm", jose.EdDSA)
	s.exchange("strict", s.code(s.browser(), "strict", nil))
	a := s.get(s.browser(), s.oidc("strict", "certs"))
	var doc struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil || a.status != 200 || len(doc.Keys) < 3 {
		t.Fatalf("%d %v %s", a.status, err, a.body)
	}
	kinds, kids := map[any]bool{}, map[any]bool{}
	for _, k := range doc.Keys {
		kinds[k["kty"]] = true
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, has := k[private]; has {
				t.Errorf("%v has a private part %q", k["kid"], private)
			}
		}
		if kid, _ := k["kid"].(string); kid == "" || kids[kid] {
			t.Errorf("kid %q is empty, or stands twice", kid)
		}
		kids[k["kid"]] = true
		if use := k["use"]; use != "sig" && use != "enc" || k["alg"] == "" || k["alg"] == nil || k["kty"] == "oct" {
			t.Errorf("use %v, alg %v, kty %v", use, k["alg"], k["kty"])
		}
	}
	if want := map[any]bool{"RSA": true, "EC": true, "OKP": true}; !maps.Equal(kinds, want) {
		t.Errorf("kinds %v, want %v", kinds, want)
	}
}
