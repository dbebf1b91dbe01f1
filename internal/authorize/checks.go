package authorize

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/token"
)

// phaseB runs the checks of a request whose redirect URI is known, in order. The
// names are an audit of the protocol.
func (e *Endpoint) phaseB(ctx context.Context, a *request) error {
	for _, check := range []func(context.Context, *request) error{
		checkDuplicates, checkRequestObject, checkResponseType, checkResponseMode, checkFlows, checkNonce, checkChallenge, checkMaxAge, checkPrompt, e.checkScope, e.checkHint,
	} {
		if err := check(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func newID() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// checkDuplicates: "Request and response parameters MUST NOT be included more
// than once" (RFC 6749, 3.1).
func checkDuplicates(_ context.Context, a *request) error {
	for name, values := range a.params {
		if len(values) > 1 {
			return oauth.Refuse(oauth.DuplicatedParameter, name)
		}
	}
	return nil
}

// checkRequestObject: "If the parameter is used and the OP does not support it,
// the OP MUST return the request_not_supported error" (OpenID Connect Core 1.0,
// 3.1.2.6). Reading on without it would drop what its signature protects. An empty one
// is none: "Parameters sent without a value MUST be treated as if they were omitted
// from the request" (RFC 6749, 3.1).
func checkRequestObject(_ context.Context, a *request) error {
	if a.params.Get("request") != "" {
		return oauth.Refuse(oauth.RequestNotSupported, "")
	}
	if a.params.Get("request_uri") != "" {
		return oauth.Refuse(oauth.RequestURINotSupported, "")
	}
	return nil
}

func checkResponseType(_ context.Context, a *request) error {
	if !a.params.Has("response_type") {
		return oauth.Refuse(oauth.ResponseTypeMissing, "")
	}
	types := strings.Fields(a.params.Get("response_type"))
	slices.Sort(types)
	known := []string{"code", "id_token", "id_token token", "token", "code id_token", "code token", "code id_token token", "none"}
	if !slices.Contains(known, strings.Join(types, " ")) {
		return oauth.Refuse(oauth.ResponseTypeUnsupported, "")
	}
	return nil
}

func checkResponseMode(_ context.Context, a *request) error {
	mode := a.params.Get("response_mode")
	if !slices.Contains([]string{"", "query", "fragment", "form_post"}, mode) {
		return oauth.Refuse(oauth.ResponseModeInvalid, "")
	}
	if mode == "query" && hasToken(a.params.Get("response_type"), "token", "id_token") {
		return oauth.Refuse(oauth.ResponseModeQuery, "")
	}
	return nil
}

// checkFlows: tokens from the front channel are not offered (RFC 9700, 2.1.2:
// clients "SHOULD NOT use the implicit grant"); a client's standard flow may be off.
func checkFlows(_ context.Context, a *request) error {
	types := a.params.Get("response_type")
	switch {
	case hasToken(types, "token", "id_token") && !a.client.ImplicitFlow:
		return oauth.Refuse(oauth.ImplicitFlowDisabled, "")
	case hasToken(types, "code", "none") && !a.client.StandardFlow:
		return oauth.Refuse(oauth.StandardFlowDisabled, "")
	case types != "code":
		return oauth.Refuse(oauth.ResponseTypeUnsupported, "implicit and hybrid flow are not offered")
	}
	return nil
}

// checkNonce: "REQUIRED ... in the Implicit Flow" (OpenID Connect Core 1.0, 3.2.2.1).
func checkNonce(_ context.Context, a *request) error {
	if hasToken(a.params.Get("response_type"), "id_token") && a.params.Get("nonce") == "" {
		return oauth.Refuse(oauth.NonceMissing, "")
	}
	return nil
}

// checkChallenge is RFC 7636 with the client's own setting. An empty challenge
// or method never means "no PKCE" (S-21).
func checkChallenge(_ context.Context, a *request) error {
	challenge, method := a.params.Get("code_challenge"), a.params.Get("code_challenge_method")
	configured := a.client.Attributes["pkce.code.challenge.method"]
	if configured == "" && a.realm.On(realm.RequirePKCE, a.client) {
		configured = oauth.MethodS256
	}
	sent := a.params.Has("code_challenge") || a.params.Has("code_challenge_method")
	switch {
	case !sent && configured == "":
		return nil
	case configured != "" && method == "":
		return oauth.Refuse(oauth.ChallengeMethodMissing, "")
	case method != "" && method != oauth.MethodS256 && method != oauth.MethodPlain:
		return oauth.Refuse(oauth.ChallengeMethodInvalid, "")
	case configured != "" && method != configured:
		return oauth.Refuse(oauth.ChallengeMethodMismatch, "")
	case challenge == "":
		return oauth.Refuse(oauth.ChallengeMissing, "")
	case !oauth.ValidChallenge(challenge):
		return oauth.Refuse(oauth.ChallengeInvalid, "")
	}
	return nil
}

func checkMaxAge(_ context.Context, a *request) error {
	if a.params.Get("max_age") != "" && maxAge(a.params) == nil {
		return oauth.Refuse(oauth.InvalidParameter, "max_age")
	}
	return nil
}

func maxAge(p url.Values) *int64 {
	n, err := strconv.ParseInt(p.Get("max_age"), 10, 32)
	if err != nil || n < 0 {
		return nil
	}
	return &n
}

// checkPrompt: "If this parameter contains none with any other value, an error is
// returned" (OpenID Connect Core 1.0, 3.1.2.1). It refuses what asks for a page that
// is not offered; other unknown values are ignored, as Keycloak ignores them.
func checkPrompt(_ context.Context, a *request) error {
	prompt := strings.Fields(a.params.Get("prompt"))
	switch {
	case len(prompt) > 1 && slices.Contains(prompt, "none"):
		return oauth.Refuse(oauth.InvalidParameter, "prompt")
	case slices.Contains(prompt, "create"):
		return oauth.Refuse(oauth.InteractionRequired, "prompt=create: registration is off")
	}
	return nil
}

// checkHint finds out who id_token_hint is about; flow sees to it that nobody else
// is answered for. What is no ID token of ours is about nobody, as with Keycloak: an
// application may keep one for longer than the key that signed it is kept here.
func (e *Endpoint) checkHint(ctx context.Context, a *request) error {
	hint := a.params.Get("id_token_hint")
	if hint == "" {
		return nil
	}
	t, err := e.Issuer.Hint(ctx, a.realm, a.at.Origin, hint)
	if oauth.ReasonOf(err) == oauth.HintInvalid {
		e.Logger.InfoContext(ctx, "id_token_hint left out", "client", a.client.ClientID, "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	a.about = t.Text("sub")
	return nil
}

func (e *Endpoint) checkScope(ctx context.Context, a *request) error {
	all, err := e.Store.ClientScopes(ctx, a.realm.ID)
	if err != nil {
		return err
	}
	_, err = token.ResolveScopes(a.client, all, a.params.Get("scope"))
	return err
}
