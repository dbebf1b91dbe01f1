package bench

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
)

// access is what an access token of the own provider names.
type access struct{ ID, Session, User string }

// loginOnce logs in at the own provider, so that there is something to read.
func (l *limits) loginOnce(ctx context.Context) error {
	s := l.own.server
	if _, err := login(ctx, s, s.socket); err != nil {
		return err
	}
	if _, err := exchange(ctx, s, s.socket); err != nil {
		return err
	}
	_, claims, err := jose.Unverified(s.last.Access)
	if err != nil {
		return err
	}
	text := func(name string) string { v, _ := claims[name].(string); return v }
	l.access = access{text("jti"), text("sid"), text("sub")}
	s.waiting = nil
	c, err := l.own.store.ClientByClientID(ctx, l.realm, clientRS256)
	if err == nil {
		l.clientID = c.ID
	}
	return err
}

// introspectReads are the reads that token.Verify does.
func (l *limits) introspectReads(ctx context.Context) error {
	if _, err := l.own.store.TokenRevoked(ctx, l.realm, l.access.ID); err != nil {
		return err
	}
	if _, err := l.own.store.Session(ctx, l.realm, l.access.Session); err != nil {
		return err
	}
	if _, err := l.own.store.ClientSession(ctx, l.realm, l.access.Session, l.clientID); err != nil {
		return err
	}
	_, err := l.own.store.UserByID(ctx, l.realm, l.access.User)
	return err
}

// userinfoReads are those of token.Verify and of Issuer.Userinfo.
func (l *limits) userinfoReads(ctx context.Context) error {
	if err := l.introspectReads(ctx); err != nil {
		return err
	}
	if _, _, err := l.own.store.UserRoles(ctx, l.realm, l.access.User); err != nil {
		return err
	}
	_, err := l.own.store.UserGroups(ctx, l.realm, l.access.User)
	return err
}

func (l *limits) pointRead(ctx context.Context) error {
	_, err := l.own.store.Session(ctx, l.realm, l.access.Session)
	return err
}

// timed makes a probe of a function that needs nothing beforehand.
func timed(key string, do func(ctx context.Context) error) probe {
	return probe{key: key, warm: true, run: func(ctx context.Context) (time.Duration, error) {
		began := time.Now()
		err := do(ctx)
		return time.Since(began), err
	}}
}
