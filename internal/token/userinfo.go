package token

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/urls"
)

// Userinfo gives the claims of the userinfo endpoint: "The sub Claim MUST always
// be returned" (OpenID Connect Core 1.0, 5.3.2).
func (i *Issuer) Userinfo(ctx context.Context, g Grant) (map[string]any, error) {
	s, err := i.subject(ctx, g, toUserinfo)
	if err != nil {
		return nil, err
	}
	c := make(map[string]any, 16)
	applyAll(c, s, g, every, toUserinfo)
	c["sub"] = g.User.ID
	return c, nil
}

// ErrAlgorithm: a client asks for a signature that is not offered.
var ErrAlgorithm = errors.New("token: a signature algorithm that is not offered")

// SignedUserinfo gives the claims as a JWT where the client asks for one, "" where
// it does not: "If the UserInfo Response is signed, the Claims iss and aud SHOULD be
// members" (OpenID Connect Core 1.0, 5.3.2). Error: ErrAlgorithm.
func (i *Issuer) SignedUserinfo(ctx context.Context, g Grant, claims map[string]any) (string, error) {
	algorithm := g.Client.Attributes["user.info.response.signature.alg"]
	if algorithm == "" || algorithm == "unsigned" {
		return "", nil
	}
	if !slices.Contains(jose.SignatureAlgorithms(), algorithm) {
		return "", fmt.Errorf("%w: %q", ErrAlgorithm, algorithm)
	}
	key, err := i.Keys.Active(ctx, g.Realm, algorithm)
	if err != nil {
		return "", err
	}
	claims["iss"], claims["aud"] = urls.Realm{Origin: g.Origin, Name: g.Realm.Name}.Issuer(), g.Client.ClientID
	return jose.Sign(key, "JWT", claims)
}
