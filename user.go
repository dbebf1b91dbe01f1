package latchkey

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// User is whoever is logged in: the claims of the ID token and of userinfo.
type User struct {
	Subject       string // sub: the one identifier that never changes
	Issuer        string
	Email         string
	EmailVerified bool
	Name          string
	Username      string // preferred_username
	SessionID     string // sid: the provider's session
	AuthTime      time.Time

	claims map[string]any
}

func newUser(claims map[string]any) *User {
	text := func(name string) string { s, _ := claims[name].(string); return s }
	u := &User{Subject: text("sub"), Issuer: text("iss"), Email: text("email"), Name: text("name"), Username: text("preferred_username"), SessionID: text("sid"), claims: claims}
	u.EmailVerified, _ = claims["email_verified"].(bool)
	if at, ok := claims["auth_time"].(float64); ok {
		u.AuthTime = time.Unix(int64(at), 0)
	}
	return u
}

// Select gives the claims with these names and no others. A claim that the
// provider did not send is null, so that the answer always has the same shape.
func (u *User) Select(names ...string) map[string]any {
	out := make(map[string]any, len(names))
	for _, n := range names {
		out[n] = u.claims[n]
	}
	return out
}

// Claims decodes all claims into v, a pointer to a struct or a map.
func (u *User) Claims(v any) error {
	b, err := json.Marshal(u.claims)
	if err != nil {
		return fmt.Errorf("latchkey: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("latchkey: %w", err)
	}
	return nil
}

type userKey struct{}

// UserFromContext gives whoever is logged in. It is never nil below RequireLogin;
// below Middleware alone it is nil for somebody who is not logged in.
func UserFromContext(ctx context.Context) *User {
	u, _ := ctx.Value(userKey{}).(*User)
	return u
}

func withUser(ctx context.Context, u *User) context.Context {
	return context.WithValue(ctx, userKey{}, u)
}
