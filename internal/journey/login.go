package journey

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/flow"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Attempt is what the login form sent.
type Attempt struct {
	Username, Password string
	RememberMe         bool
}

// Login checks a password and goes on. A wrong one shows the page again; it
// does not tell whether the user exists, in words or in time.
func (j *Journey) Login(w http.ResponseWriter, r *http.Request, v *Visit, a Attempt) error {
	if done(v.Request) {
		return j.Resume(w, r, v)
	}
	before, err := j.next(r.Context(), v)
	if err != nil {
		return err
	}
	if before.Kind != flow.Login {
		return j.do(w, r, v, before) // another tab has logged in meanwhile
	}
	if before.Reauthenticate {
		a.Username = v.User.Username // S-85: the same user again, not another
	}
	user, err := j.Check(r.Context(), v.Realm, a.Username, a.Password)
	if err != nil {
		return j.again(w, r, v, a, before, err)
	}
	v.User = user
	return j.logIn(w, r, v, a)
}

func (j *Journey) again(w http.ResponseWriter, r *http.Request, v *Visit, a Attempt, step flow.Step, cause error) error {
	reason := oauth.ReasonOf(cause)
	if reason == oauth.ServerError {
		return cause
	}
	j.refuse(r.Context(), v, cause)
	return j.Show(w, r, v, Prompt{Reauthenticate: step.Reauthenticate, Username: a.Username, RememberMe: a.RememberMe, Refused: reason})
}

// logIn goes on after a right password: to the session, or to what the user has to
// do before there is one.
func (j *Journey) logIn(w http.ResponseWriter, r *http.Request, v *Visit, a Attempt) error {
	v.Request.State, v.Request.Methods, v.Request.AuthTime = realm.RequestActing, []string{"pwd"}, j.Now()
	v.Request.RememberMe = a.RememberMe && v.Realm.RememberMe
	step, err := j.next(r.Context(), v)
	v.Request.State = realm.RequestOpen
	if err != nil {
		return err
	}
	switch step.Kind {
	case flow.Deny:
		return j.deny(w, r, v, step.Err)
	case flow.Action:
		err = j.stop(w, r, v, step)
	default:
		err = j.enter(w, r, v)
	}
	if errors.Is(err, store.ErrGateMoved) { // the password may be another one by now
		return j.again(w, r, v, a, flow.Step{Kind: flow.Login}, oauth.RefuseBecause(oauth.WrongCredentials, err))
	}
	return err
}

// enter makes the session. The browser's value and the session's are new, in the
// same transaction: what was known before the login is worth nothing after it (S-79).
func (j *Journey) enter(w http.ResponseWriter, r *http.Request, v *Visit) error {
	ctx, now := r.Context(), j.Now()
	browser, token := session.NewValue(), session.NewValue()
	s := realm.Session{ID: session.NewID(), RealmID: v.Realm.ID, UserID: v.User.ID, TokenHash: token.Hash, StartedAt: now, LastSeenAt: now, AuthTime: v.Request.AuthTime,
		RememberMe: v.Request.RememberMe, Methods: v.Request.Methods, IP: web.RealIP(ctx), UserAgent: clip(r.UserAgent())}
	before := v.Session
	same := before != nil && before.UserID == s.UserID
	if same { // proved once more: the session goes on, its cookie is new (S-42)
		s.ID, s.StartedAt, s.RememberMe = before.ID, before.StartedAt, before.RememberMe
	}
	err := j.Store.Authenticate(ctx, store.Authentication{RequestID: v.Request.ID, BrowserHash: v.Browser.Hash, NewBrowserHash: browser.Hash, Session: s, Existing: same, Proved: same,
		From: v.Request.State, Gates: store.Gates{RealmID: v.Realm.ID, UserID: v.User.ID, UserGate: v.User.Gate}})
	if errors.Is(err, store.ErrUsed) {
		return j.reload(w, r, v)
	}
	if err != nil {
		return err
	}
	if before != nil && !same {
		if err := j.Store.EndSession(ctx, v.Realm.ID, before.ID); err != nil {
			return err
		}
	}
	v.Browser, v.Session, v.Request.SessionID, v.Request.UserID, v.Request.State = browser, &s, s.ID, s.UserID, realm.RequestAuthenticated
	j.Cookies.SetBrowser(w, v.At, browser)
	j.Cookies.SetSession(w, v.At, v.Realm, &s, token)
	j.Audit.Record(ctx, v.Realm, realm.Event{Type: audit.Login, ClientID: v.Client.ClientID, UserID: v.User.ID, SessionID: s.ID, IP: s.IP})
	return j.issue(w, r, v)
}

// reload answers a form that was sent twice at once: the other one won, or the
// login has expired meanwhile.
func (j *Journey) reload(w http.ResponseWriter, r *http.Request, v *Visit) error {
	req, err := j.Store.AuthRequest(r.Context(), v.Realm.ID, v.Request.ID)
	if errors.Is(err, store.ErrNotFound) {
		return oauth.RefuseBecause(oauth.RequestUnknown, err)
	}
	if err != nil {
		return err
	}
	v.Request = req
	return j.Respond(w, r, v, Outcome{Err: oauth.Refuse(oauth.AuthenticationExpired, "")})
}

func clip(s string) string {
	const most = 255
	if len(s) > most {
		return s[:most]
	}
	return s
}

// issue makes the code, while what was decided on still holds. When it moved it
// is decided again, twice at most.
func (j *Journey) issue(w http.ResponseWriter, r *http.Request, v *Visit) error {
	for range 2 {
		code, err := j.finish(r.Context(), v)
		switch {
		case err == nil:
			return j.Respond(w, r, v, Outcome{Code: code, SessionID: v.Session.ID})
		case errors.Is(err, store.ErrUsed):
			return j.Respond(w, r, v, Outcome{Err: oauth.Refuse(oauth.AuthenticationExpired, "")})
		case !errors.Is(err, store.ErrGateMoved):
			return err
		}
		if err := j.decideAgain(r.Context(), v); err != nil {
			return j.deny(w, r, v, err)
		}
	}
	return store.ErrGateMoved
}

// finish writes the code and gives it.
func (j *Journey) finish(ctx context.Context, v *Visit) (string, error) {
	code := newCode(v)
	p := v.Request.Params
	sum := sha256.Sum256([]byte(code))
	acr := "1"
	if v.Session.AuthTime.Before(v.Request.CreatedAt) {
		acr = "0" // answered by a session from before the request
	}
	_, most := flow.ClientLimits(v.Realm, v.Client)
	return code, j.Store.FinishAuthRequest(ctx, store.Issued{RequestID: v.Request.ID, BrowserHash: v.Browser.Hash, ClientLife: most,
		Code: realm.Code{Hash: sum[:], RealmID: v.Realm.ID, ClientID: v.Client.ID, UserID: v.User.ID, SessionID: v.Session.ID, RedirectURI: p.RedirectURI,
			Scope: p.Scope, Nonce: p.Nonce, CodeChallenge: p.CodeChallenge, CodeChallengeMethod: p.CodeChallengeMethod, AuthTime: v.Session.AuthTime, ACR: acr,
			ExpiresAt: j.Now().Add(realm.Seconds(v.Realm.Lifespans.AccessCode))},
		Gates: store.Gates{RealmID: v.Realm.ID, UserID: v.User.ID, UserGate: v.User.Gate, ClientID: v.Client.ID, ClientGate: v.Client.Gate, SessionID: v.Session.ID}})
}

// decideAgain reads the facts anew and asks flow once more.
func (j *Journey) decideAgain(ctx context.Context, v *Visit) (err error) {
	if v.User, err = j.Store.UserByID(ctx, v.Realm.ID, v.User.ID); err != nil {
		return oauth.RefuseBecause(oauth.UserNotFound, err)
	}
	if v.Client, err = j.Store.ClientByID(ctx, v.Realm.ID, v.Client.ID); err != nil {
		return oauth.RefuseBecause(oauth.UnknownClient, err)
	}
	if v.Session, err = j.Store.Session(ctx, v.Realm.ID, v.Session.ID); err != nil {
		return oauth.RefuseBecause(oauth.SessionNotActive, err)
	}
	v.Request.State = realm.RequestAuthenticated
	facts, err := j.facts(ctx, v)
	if err != nil {
		return err
	}
	return flow.Next(facts).Err
}

// newCode has the shape of Keycloak's, random.session.client, with 256 random
// bits in front.
func newCode(v *Visit) string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return strings.Join([]string{base64.RawURLEncoding.EncodeToString(b), v.Session.ID, v.Client.ID}, ".")
}
