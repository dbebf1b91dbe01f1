package latchkey

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
	"golang.org/x/oauth2"
)

// reuseFor is how long the result of a refresh answers requests that still carry
// the old token: a page with six requests sends six, and only one may refresh
// where tokens rotate (defect 8).
const reuseFor = 30 * time.Second

// refresher is single flight by refresh token, with reuse of the result. The zero
// value is ready to use.
type refresher struct {
	mu    sync.Mutex
	calls map[[32]byte]*refreshCall
}

type refreshCall struct {
	done  chan struct{}
	until time.Time // when the result is forgotten; zero while it runs
	s     *session
	err   error
}

// do runs work once for a refresh token; everybody else waits for its result.
func (f *refresher) do(now time.Time, refreshToken string, work func() (*session, error)) (*session, error) {
	key := sha256.Sum256([]byte(refreshToken))
	f.mu.Lock()
	if f.calls == nil {
		f.calls = map[[32]byte]*refreshCall{}
	}
	for k, c := range f.calls {
		if !c.until.IsZero() && now.After(c.until) {
			delete(f.calls, k)
		}
	}
	if c, ok := f.calls[key]; ok {
		f.mu.Unlock()
		<-c.done
		return c.s, c.err
	}
	c := &refreshCall{done: make(chan struct{}), err: errRefreshBroke}
	f.calls[key] = c
	f.mu.Unlock()
	defer f.finish(now, key, c) // also when work panics: nobody waits for ever
	c.s, c.err = work()
	return c.s, c.err
}

// errRefreshBroke is what waiters get when the one refresh did not come back.
var errRefreshBroke = errors.New("the refresh did not finish")

func (f *refresher) finish(now time.Time, key [32]byte, c *refreshCall) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.until = now.Add(reuseFor)
	if c.err != nil && reasonOf(c.err) != reasonEnded {
		delete(f.calls, key) // the provider did not answer: the next one may try
	}
	close(c.done)
}

// expiresSoon leaves time for the request itself.
const expiresSoon = 10 * time.Second

// fresh gives the session with an access token that lives, refreshed if need be.
// nil says that the provider ended it: the person logs in again.
func (a *Auth) fresh(w http.ResponseWriter, r *http.Request, s *session) (*session, error) {
	now := a.cfg.Now()
	if s.Token == nil || s.Token.Expiry.IsZero() || now.Add(expiresSoon).Before(s.Token.Expiry) {
		return s, nil
	}
	if s.Token.RefreshToken == "" {
		return nil, a.keep.drop(w, r, s)
	}
	next, err := a.refresh.do(now, s.Token.RefreshToken, func() (*session, error) {
		// The refresh outlives the request that began it: others wait for it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), callTimeout)
		defer cancel()
		return a.renew(ctx, s)
	})
	if err != nil {
		if reasonOf(err) == reasonEnded {
			a.cfg.Logger.InfoContext(r.Context(), "latchkey: the provider ended the session", "err", err)
			return nil, a.keep.drop(w, r, s)
		}
		return nil, err
	}
	if err := a.keep.update(w, r, next); errors.Is(err, ErrNoSession) {
		return nil, a.keep.drop(w, r, s) // logged out while it was refreshed
	} else if err != nil {
		return nil, err
	}
	return next, nil
}

// renew refreshes a session's tokens and reads the claims anew.
func (a *Auth) renew(ctx context.Context, s *session) (*session, error) {
	m, err := a.provider.metadata(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := a.provider.token(ctx, m, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.Token.RefreshToken}})
	if err != nil {
		if e, ok := errors.AsType[*loginError](err); ok && e.code == "invalid_grant" {
			e.reason = reasonEnded
		}
		return nil, err
	}
	next := *s
	next.Token = a.oauthToken(answer)
	if next.Token.RefreshToken == "" {
		next.Token.RefreshToken = s.Token.RefreshToken
	}
	if answer.IDToken != "" {
		claims, err := a.readClaims(ctx, m, answer, s)
		switch reason := reasonOf(err); {
		case err == nil:
			next.Claims, next.IDToken = claims, answer.IDToken
		case reason != reasonUnreachable && reason != reasonProvider:
			return nil, err
		default: // the old token is used up: what was refreshed is kept, with the claims of before
			a.cfg.Logger.WarnContext(ctx, "latchkey: refreshed, and the claims could not be read anew", "err", err)
		}
	}
	return &next, nil
}

func (a *Auth) readClaims(ctx context.Context, m *metadata, answer *tokenAnswer, s *session) (map[string]any, error) {
	subject, _ := s.Claims["sub"].(string)
	id, err := a.verifyID(ctx, m, answer.IDToken, expected{accessToken: answer.AccessToken, subject: subject, before: nonceOf(s.IDToken)})
	if err != nil {
		return nil, err
	}
	claims := neededClaims(id.Claims)
	return claims, a.addUserinfo(ctx, m, answer.AccessToken, claims)
}

// nonceOf reads an ID token that was verified when it came.
func nonceOf(idToken string) string {
	_, claims, err := jose.Unverified(idToken)
	if err != nil {
		return ""
	}
	nonce, _ := claims["nonce"].(string)
	return nonce
}

// TokenSource gives access tokens of whoever is logged in, for calls to other
// services in the name of that person. Outside a login it returns nil. A token
// that has expired is refreshed at the next request below RequireLogin.
func (a *Auth) TokenSource(r *http.Request) oauth2.TokenSource {
	s, err := a.current(r)
	if err != nil || s == nil || s.Token == nil {
		return nil
	}
	return oauth2.StaticTokenSource(s.Token)
}
