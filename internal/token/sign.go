package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/keys"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/urls"
)

// sign makes the tokens that do not depend on what is written.
func (i *Issuer) sign(ctx context.Context, g Grant) (*Response, error) {
	s, err := i.subject(ctx, g, toAccess, toLightweight, toID)
	if err != nil {
		return nil, err
	}
	now := i.Now()
	key, err := i.Keys.Active(ctx, g.Realm, algorithm(g, realm.AccessTokenAlgorithm))
	if err != nil {
		return nil, err
	}
	life := i.accessLife(g)
	access, err := jose.Sign(key, i.accessType(g), i.accessClaims(g, s, now, life))
	if err != nil {
		return nil, err
	}
	out := &Response{AccessToken: access, ExpiresIn: int64(life / time.Second), TokenType: "Bearer", Scope: g.Scopes.InToken(), NotBeforePolicy: max(g.Realm.NotBefore, g.Client.NotBefore, g.User.NotBefore)}
	if g.Session != nil {
		out.SessionState = g.Session.ID
	}
	if g.Scopes.Has(OpenID) {
		out.IDToken, err = i.idToken(ctx, g, s, access, now)
	}
	return out, err
}

// withRefreshToken completes a response with the token of the family as it was
// written.
func (i *Issuer) withRefreshToken(ctx context.Context, g Grant, out *Response, family *realm.RefreshFamily) (_ *Response, err error) {
	if family == nil || g.Client.Attributes["use.refresh.tokens"] == "false" {
		return out, nil // the family is kept all the same: it is what the session gave out
	}
	out.RefreshExpiresIn = int64(family.ExpiresAt.Sub(i.Now()).Round(time.Second) / time.Second)
	out.RefreshToken, err = i.refreshToken(ctx, g, family)
	return out, err
}

// algorithm is the client's own for a kind of token, else the realm's.
func algorithm(g Grant, attribute string) string {
	if a := g.Client.Attributes[attribute]; a != "" {
		return a
	}
	return keys.SignatureAlgorithm(g.Realm)
}

func (i *Issuer) accessType(g Grant) string {
	if g.Client.Attributes["access.token.header.type.rfc9068"] == "true" || g.Realm.On(realm.TypedAccessTokens, g.Client) {
		return "at+jwt"
	}
	return "JWT"
}

// accessLife is the client's lifespan if it has one, else the realm's, and never
// longer than the session.
func (i *Issuer) accessLife(g Grant) time.Duration {
	life := realm.Seconds(attributeSeconds(g.Client, "access.token.lifespan", g.Realm.Lifespans.AccessToken))
	if g.Session == nil {
		return life
	}
	left := sessionEnd(&g).Sub(i.Now())
	if life <= 0 || left < life {
		return left.Truncate(time.Second)
	}
	return life
}

// usual is more claims than most tokens have, and as many as a map of 32 places takes.
const usual = 28

func (i *Issuer) accessClaims(g Grant, s *subject, now time.Time, life time.Duration) map[string]any {
	c := make(map[string]any, usual)
	to := toAccess
	if g.Client.Attributes["client.use.lightweight.access.token.enabled"] == "true" {
		to = toLightweight
	}
	applyAll(c, s, g, every, to)
	i.common(c, g, now)
	c["exp"], c["typ"], c["jti"] = now.Add(life).Unix(), "Bearer", jtiPrefix(g, to == toLightweight)+":"+accessID(markOf(g))
	c["scope"] = g.Scopes.InToken()
	if g.Session == nil { // whatever scopes it has: nothing else says whose it is
		c["sub"] = g.User.ID
	}
	if i.accessType(g) == "at+jwt" {
		// RFC 9068, section 2.2: sub and client_id are required.
		c["sub"], c["client_id"] = g.User.ID, g.Client.ClientID
	}
	return c
}

// lightweightKind stands in the jti of a lightweight access token.
const lightweightKind = "lt"

func jtiPrefix(g Grant, lightweight bool) string {
	session, kind := "on", "rt"
	if g.Session == nil {
		session = "tr"
	}
	if lightweight {
		kind = lightweightKind
	}
	return session + kind + g.Kind
}

// accessID is the UUID in an access token's jti; its first 48 bits are the mark.
func accessID(mark []byte) string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	copy(b, mark)
	return realm.FormatID(b)
}

// markOf says what the grant's tokens go back to: a part of a session, else a service
// account.
func markOf(g Grant) []byte {
	if g.Session == nil {
		return accountMark(g.User.ID)
	}
	return partMark(g.Part)
}

// partMark is when the client's part of a session began, in milliseconds: a part that
// ended begins anew with the next single sign-on, and the tokens of its last life must
// not (RFC 6749, 4.1.2). Comparing iat would trust the clocks of two nodes, to the
// second.
func partMark(began time.Time) []byte {
	if began.IsZero() {
		return nil
	}
	return binary.BigEndian.AppendUint64(nil, uint64(began.UnixMilli()))[8-markSize:] // #nosec G115 -- after 1970
}

// accountMark is for a service account: a client that takes over the name of one that
// is gone has no use for its tokens.
func accountMark(userID string) []byte {
	sum := sha256.Sum256([]byte(userID))
	return sum[:markSize]
}

const markSize = 6 // bytes

// marked reports whether an access token goes back to what the mark says.
func marked(jti string, mark []byte) bool {
	_, id, _ := strings.Cut(jti, ":")
	return len(mark) > 0 && strings.HasPrefix(strings.ReplaceAll(id, "-", ""), hex.EncodeToString(mark))
}

func (i *Issuer) common(c map[string]any, g Grant, now time.Time) {
	c["iat"], c["iss"], c["azp"] = now.Unix(), urls.Realm{Origin: g.Origin, Name: g.Realm.Name}.Issuer(), g.Client.ClientID
	if g.Session != nil {
		c["sid"] = g.Session.ID
	}
}

func (i *Issuer) idToken(ctx context.Context, g Grant, s *subject, access string, now time.Time) (string, error) {
	key, err := i.Keys.Active(ctx, g.Realm, algorithm(g, realm.IDTokenAlgorithm))
	if err != nil {
		return "", err
	}
	// "It MUST contain the OAuth 2.0 client_id of the Relying Party as an audience
	// value. It MAY also contain identifiers for other audiences" (OpenID Connect
	// Core 1.0, 2): the client's audience mappers add those.
	c := map[string]any{"aud": g.Client.ClientID}
	// OpenID Connect Core 1.0, 5.4, in the strict profile: what was not asked for
	// by its scope is for userinfo, not for a token that travels through browsers' storage.
	slim := g.Realm.On(realm.SlimIDTokens, g.Client)
	applyAll(c, s, g, func(scope string) bool {
		return !slim || g.Scopes.Has(scope) || slices.Contains([]string{"", "basic", "acr"}, scope)
	}, toID)
	i.common(c, g, now)
	hash, err := jose.LeftHalfHash(key.Algorithm, access)
	if err != nil {
		return "", err
	}
	c["exp"], c["typ"], c["jti"] = now.Add(i.accessLife(g)).Unix(), "ID", realm.NewID()
	c["sub"], c["at_hash"] = g.User.ID, hash
	if g.Nonce != "" {
		c["nonce"] = g.Nonce
	}
	// "When max_age is used, the ID Token returned MUST include an auth_time Claim
	// Value" (3.1.2.1), whether the client's scopes bring it or not.
	if _, has := c["auth_time"]; !has && s.auth > 0 {
		c["auth_time"] = s.auth
	}
	return jose.Sign(key, "JWT", c)
}

// applyAll runs the mappers of the scopes that pass, then those of the client itself.
func applyAll(claims map[string]any, s *subject, g Grant, pass func(scope string) bool, to target) {
	for _, sc := range g.Scopes.Applied {
		if pass(sc.Name) {
			apply(claims, s, sc.Mappers, to)
		}
	}
	apply(claims, s, g.Client.Mappers, to)
}

func every(string) bool { return true }

// subject gathers what the mappers of these documents read.
func (i *Issuer) subject(ctx context.Context, g Grant, to ...target) (*subject, error) {
	s := &subject{user: g.User.User, client: g.Client, session: g.Session, notes: g.Notes, acr: g.ACR}
	if g.Session != nil && g.Session.TokenHash != nil { // nobody was at a browser otherwise
		s.auth = authTime(&g).Unix()
	}
	if err := i.addRoles(ctx, g, s, to); err != nil {
		return nil, err
	}
	return s, i.addGroups(ctx, g, s)
}

func (i *Issuer) addRoles(ctx context.Context, g Grant, s *subject, to []target) error {
	if !anyReadsRoles(g, to) { // most of userinfo's are asked for nothing of the kind
		return nil
	}
	have, table, err := i.effectiveOf(ctx, g.Realm.ID, g.User)
	if err != nil {
		return err
	}
	if have, err = i.inScope(ctx, g.Client, g.Scopes, have, table); err != nil {
		return err
	}
	s.roles, err = i.named(ctx, g.Realm.ID, have, table)
	return err
}

func (i *Issuer) addGroups(ctx context.Context, g Grant, s *subject) error {
	mine := slices.Sorted(slices.Values(g.User.GroupIDs))
	if len(mine) == 0 {
		return nil
	}
	all, err := i.Store.Groups(ctx, g.Realm.ID)
	if err != nil {
		return err
	}
	byID := map[string]*realm.Group{}
	for _, group := range all {
		byID[group.ID] = group
		if slices.Contains(mine, group.ID) {
			s.groups = append(s.groups, group.Path)
		}
	}
	slices.Sort(s.groups)
	s.lent = func(name string, all bool) []string { return groupAttribute(byID, mine, name, all) }
	return nil
}

// groupAttribute is an attribute that groups lend to their members: the first
// one on the way up from each group, or all of them.
func groupAttribute(byID map[string]*realm.Group, mine []string, name string, all bool) []string {
	const deepest = 100 // a loop in the data must not hang a login
	var out []string
	for _, id := range mine {
		at := byID[id]
		for range deepest {
			if at == nil {
				break
			}
			if values := at.Attributes[name]; len(values) > 0 {
				if !all {
					return values
				}
				out = append(out, values...)
			}
			at = byID[at.ParentID]
		}
	}
	return out
}

func attributeSeconds(c *realm.Client, name string, otherwise int) int {
	n, ok := typed(c.Attributes[name], "int").(int64)
	if !ok || n == 0 {
		return otherwise
	}
	return int(n)
}

// randomID is 24 characters of base64url: 144 bits.
func randomID() string {
	b := make([]byte, 18)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
