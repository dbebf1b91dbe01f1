package authorize

import (
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/storetest"
)

const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // of RFC 7636, appendix B

// asked is a request of phase B that is accepted, with what change says otherwise.
func asked(change url.Values) *request {
	p := url.Values{"client_id": {"app"}, "redirect_uri": {"https://app.example/cb"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"}}
	for name, values := range change {
		p[name] = values
	}
	for name, values := range p {
		if values == nil {
			p.Del(name)
		}
	}
	return &request{realm: &realm.Realm{Enabled: true}, params: p, client: &realm.Client{ClientID: "app", Enabled: true, StandardFlow: true}}
}

func TestPhaseB(t *testing.T) {
	strict := func(a *request) { a.realm.Attributes = map[string]string{string(realm.RequirePKCE): "true"} }
	plain := func(a *request) { a.client.Attributes = map[string]string{"pkce.code.challenge.method": "plain"} }
	s256 := func(a *request) { a.client.Attributes = map[string]string{"pkce.code.challenge.method": "S256"} }
	implicit := func(a *request) { a.client.ImplicitFlow = true }
	standardOff := func(a *request) { a.client.StandardFlow = false }
	implicitAlone := func(a *request) { a.client.ImplicitFlow, a.client.StandardFlow = true, false }
	pkce := func(value, method string) url.Values {
		return url.Values{"code_challenge": {value}, "code_challenge_method": {method}}
	}
	e := &Endpoint{Store: storetest.At(t, "memory").Open(t, nil)}
	for _, c := range []struct {
		name   string
		params url.Values
		change func(*request)
		want   oauth.Reason // "" when accepted
	}{
		{"the code flow", nil, nil, ""},
		{"S-05 state twice", url.Values{"state": {"a", "b"}}, nil, oauth.DuplicatedParameter},
		{"S-05 the same twice", url.Values{"scope": {"openid", "openid"}}, nil, oauth.DuplicatedParameter},
		{"a request object", url.Values{"request": {"e30.e30."}}, nil, oauth.RequestNotSupported},
		{"an empty request object", url.Values{"request": {""}}, nil, ""},
		{"a request object elsewhere", url.Values{"request_uri": {"https://app.example/r"}}, nil, oauth.RequestURINotSupported},
		{"an empty request_uri", url.Values{"request_uri": {""}}, nil, ""},
		{"no response_type", url.Values{"response_type": nil}, nil, oauth.ResponseTypeMissing},
		{"an empty response_type", url.Values{"response_type": {""}}, nil, oauth.ResponseTypeUnsupported},
		{"an unknown response_type", url.Values{"response_type": {"x"}}, nil, oauth.ResponseTypeUnsupported},
		{"code twice", url.Values{"response_type": {"code code"}}, nil, oauth.ResponseTypeUnsupported},
		{"code and a blank", url.Values{"response_type": {"code "}}, nil, oauth.ResponseTypeUnsupported},
		{"none", url.Values{"response_type": {"none"}}, nil, oauth.ResponseTypeUnsupported},
		{"none, standard flow off", url.Values{"response_type": {"none"}}, standardOff, oauth.StandardFlowDisabled},
		{"the implicit flow", url.Values{"response_type": {"token"}}, nil, oauth.ImplicitFlowDisabled},
		{"an ID token", url.Values{"response_type": {"id_token"}, "nonce": {"n"}}, nil, oauth.ImplicitFlowDisabled},
		{"the hybrid flow", url.Values{"response_type": {"code id_token"}, "nonce": {"n"}}, nil, oauth.ImplicitFlowDisabled},
		{"in another order", url.Values{"response_type": {"id_token code"}, "nonce": {"n"}}, nil, oauth.ImplicitFlowDisabled},
		{"the implicit flow where the client may", url.Values{"response_type": {"token"}}, implicit, oauth.ResponseTypeUnsupported},
		{"the implicit flow alone", url.Values{"response_type": {"token"}}, implicitAlone, oauth.ResponseTypeUnsupported},
		{"the hybrid flow where the client may", url.Values{"response_type": {"code token"}}, implicit, oauth.ResponseTypeUnsupported},
		{"the hybrid flow, standard flow off", url.Values{"response_type": {"code token"}}, implicitAlone, oauth.StandardFlowDisabled},
		{"standard flow off", nil, standardOff, oauth.StandardFlowDisabled},
		{"response_mode=query", url.Values{"response_mode": {"query"}}, nil, ""},
		{"response_mode=fragment", url.Values{"response_mode": {"fragment"}}, nil, ""},
		{"response_mode=form_post", url.Values{"response_mode": {"form_post"}}, nil, ""},
		{"response_mode=jwt", url.Values{"response_mode": {"jwt"}}, nil, oauth.ResponseModeInvalid},
		{"a token in the query", url.Values{"response_type": {"token"}, "response_mode": {"query"}}, implicit, oauth.ResponseModeQuery},
		{"an ID token in the query", url.Values{"response_type": {"id_token"}, "response_mode": {"query"}, "nonce": {"n"}}, implicit, oauth.ResponseModeQuery},
		{"PKCE", pkce(challenge, "S256"), nil, ""},
		{"PKCE plain", pkce(challenge, "plain"), nil, ""},
		{"PKCE without a method", url.Values{"code_challenge": {challenge}}, nil, ""},
		{"S-21 a method alone", url.Values{"code_challenge_method": {"S256"}}, nil, oauth.ChallengeMissing},
		{"S-21 an empty challenge", url.Values{"code_challenge": {""}}, nil, oauth.ChallengeMissing},
		{"S-21 an empty method alone", url.Values{"code_challenge_method": {""}}, nil, oauth.ChallengeMissing},
		{"an unknown method", pkce(challenge, "s256"), nil, oauth.ChallengeMethodInvalid},
		{"a short challenge", pkce(challenge[:42], "S256"), nil, oauth.ChallengeInvalid},
		{"a padded challenge", pkce(challenge+"=", "S256"), nil, oauth.ChallengeInvalid},
		{"strict without PKCE", nil, strict, oauth.ChallengeMethodMissing},
		{"strict with S256", pkce(challenge, "S256"), strict, ""},
		{"strict with plain", pkce(challenge, "plain"), strict, oauth.ChallengeMethodMismatch},
		{"strict without a method", url.Values{"code_challenge": {challenge}}, strict, oauth.ChallengeMethodMissing},
		{"strict with a method alone", url.Values{"code_challenge_method": {"S256"}}, strict, oauth.ChallengeMissing},
		{"the client's S256 without PKCE", nil, s256, oauth.ChallengeMethodMissing},
		{"the client's S256 with plain", pkce(challenge, "plain"), s256, oauth.ChallengeMethodMismatch},
		{"the client's plain", pkce(challenge, "plain"), plain, ""},
		{"the client's plain in a strict realm", pkce(challenge, "plain"), func(a *request) { strict(a); plain(a) }, ""},
		{"max_age", url.Values{"max_age": {"0"}}, nil, ""},
		{"no max_age in it", url.Values{"max_age": {""}}, nil, ""},
		{"a max_age below nothing", url.Values{"max_age": {"-1"}}, nil, oauth.InvalidParameter},
		{"a max_age that is none", url.Values{"max_age": {"1h"}}, nil, oauth.InvalidParameter},
		{"a max_age that no number holds", url.Values{"max_age": {"99999999999"}}, nil, oauth.InvalidParameter},
		{"prompt=create", url.Values{"prompt": {"login create"}}, nil, oauth.InteractionRequired},
		{"an unknown prompt", url.Values{"prompt": {"x"}}, nil, ""},
		{"an unknown scope", url.Values{"scope": {"openid nonsense"}}, nil, oauth.InvalidScope},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := asked(c.params)
			if c.change != nil {
				c.change(a)
			}
			err := e.phaseB(t.Context(), a)
			if (err != nil) != (c.want != "") || err != nil && oauth.ReasonOf(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// A nonce is asked for before the flow is refused as not offered.
func TestAnIDTokenNeedsANonce(t *testing.T) {
	for _, types := range []string{"id_token", "id_token token", "code id_token"} {
		if err := checkNonce(t.Context(), asked(url.Values{"response_type": {types}})); err == nil || oauth.ReasonOf(err) != oauth.NonceMissing {
			t.Errorf("%s without a nonce: %v", types, err)
		}
		if err := checkNonce(t.Context(), asked(url.Values{"response_type": {types}, "nonce": {"n"}})); err != nil {
			t.Errorf("%s with a nonce: %v", types, err)
		}
	}
	if err := checkNonce(t.Context(), asked(nil)); err != nil {
		t.Errorf("code: %v", err)
	}
}

// RFC 7636, section 4.3: plain is what a challenge without a method means.
func TestChallengeMethod(t *testing.T) {
	for _, c := range []struct{ challenge, method, want string }{{"", "", ""}, {challenge, "", "plain"}, {challenge, "S256", "S256"}, {challenge, "plain", "plain"}} {
		if got := challengeMethod(url.Values{"code_challenge": {c.challenge}, "code_challenge_method": {c.method}}); got != c.want {
			t.Errorf("%q with %q is %q, want %q", c.challenge, c.method, got, c.want)
		}
	}
}

// A10: a name of an answer in the client's own query is dropped, however it is written.
func TestA10WithQuery(t *testing.T) {
	params := answerParams(visitOf("s"), outcomeOf("c"))
	answer := encode(params)
	for _, name := range strings.Fields("code state iss error error_description session_state access_token id_token token_type expires_in %63ode sta%74e") {
		if got, want := withoutAnswer("https://app.example/cb?a=1&"+name+"=evil&b"), "https://app.example/cb?a=1&b"; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for target, want := range map[string]string{
		"https://app.example/cb":               "https://app.example/cb?" + answer,
		"https://app.example/cb?":              "https://app.example/cb?" + answer,
		"https://app.example/cb?tenant=1&&x=2": "https://app.example/cb?tenant=1&x=2&" + answer,
		"https://app.example/cb?%zz=1":         "https://app.example/cb?" + answer,
	} {
		if got := withQuery(withoutAnswer(target), params); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}
