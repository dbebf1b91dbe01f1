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

// tokenReads are the reads of token.Verify: all that is decided and said about a
// token is read at once.
func (l *limits) tokenReads(ctx context.Context) error {
	_, err := l.own.store.Presence(ctx, l.realm, l.access.Session, l.clientID, l.access.ID)
	return err
}

func (l *limits) pointRead(ctx context.Context) error {
	_, err := l.own.store.Session(ctx, l.realm, l.access.Session)
	return err
}

// timed makes a probe of a function that needs nothing beforehand.
func timed(key string, do func(ctx context.Context) error) probe {
	return probe{key: key, times: inARow, run: func(ctx context.Context) (time.Duration, error) {
		began := time.Now()
		err := do(ctx)
		return time.Since(began), err
	}}
}
