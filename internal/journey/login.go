package journey

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/flow"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/password"
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

// Check finds the user that a name and a password belong to. Reasons:
// WrongCredentials (also for an unknown user, at the same cost),
// AccountLocked (in the same words), AccountDisabled (only with the right password), HashingBusy.
//
// Every try does the same work, whoever it is for: one count and one hash (S-82).
func (j *Journey) Check(ctx context.Context, in *realm.Realm, username, pw string) (*realm.User, error) {
	user, c, err := j.find(ctx, in, username)
	if err != nil {
		return nil, err
	}
	try := attempt{in: in, user: user, name: username}
	if try.like, err = j.standIn(ctx, in, c, username); err != nil {
		return nil, err
	}
	switch err := j.countAttempt(ctx, &try); {
	case err != nil:
		return nil, err
	case try.counted.Locked: // a lock must not tell that the account exists
		return nil, j.nobody(ctx, try, pw, oauth.Refuse(oauth.AccountLocked, ""))
	case user == nil:
		return nil, j.nobody(ctx, try, pw, oauth.RefuseBecause(oauth.WrongCredentials, errors.New("no such user")))
	case c == nil:
		return nil, j.nobody(ctx, try, pw, oauth.RefuseBecause(oauth.WrongCredentials, errors.New("the user has no password")))
	}
	return j.verify(ctx, try, *c, pw)
}

// attempt is one try of a name and a password.
type attempt struct {
	in      *realm.Realm
	user    *realm.User // nil: nobody has the name
	name    string
	like    *realm.Credential // what a try that is refused anyway costs as much as; nil: what a new hash costs
	counted store.LoginTry
}

// find gives the user of a name with their password; both may be nil.
func (j *Journey) find(ctx context.Context, in *realm.Realm, username string) (*realm.User, *realm.Credential, error) {
	user, err := j.named(ctx, in, username)
	if errors.Is(err, store.ErrNotFound) || err == nil && user.ServiceAccountClient != "" {
		user, err = nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	id := "nobody" // who has no password either: the read is made all the same
	if user != nil {
		id = user.ID
	}
	c, err := j.passwordOf(ctx, in.ID, id)
	return user, c, err
}

// standIn gives the hash that a refused try is compared with, whatever comes of it:
// the user's own, or for nobody one that belongs to somebody of the realm, always
// the same for a name. Hashes that came in a file cost what they cost where they
// were made: if nobody cost what a new hash does, whoever costs something else would
// be known to exist. So costs are spread over names without a user as they are over
// users. The read is made for everybody.
func (j *Journey) standIn(ctx context.Context, in *realm.Realm, own *realm.Credential, username string) (*realm.Credential, error) {
	at := sha256.Sum256([]byte(in.ID + "\n" + nameOf(username))) // ids of credentials are random: nobody knows whose stands there
	other, err := j.Store.SomePassword(ctx, in.ID, hex.EncodeToString(at[:]))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return own, nil // nobody has a password
	case err != nil || own == nil:
		return other, err
	}
	return own, nil
}

// verify looks at the password itself.
func (j *Journey) verify(ctx context.Context, try attempt, c realm.Credential, pw string) (*realm.User, error) {
	in, user := try.in, try.user
	ok, rehash, err := j.Passwords.Verify(ctx, pw, password.Hash{Data: c.Data, Secret: c.Secret})
	switch {
	case errors.Is(err, password.ErrUnknown): // a hash that came in a file: nobody logs in with it, and it must not tell that the account exists
		try.like = nil
		return nil, j.nobody(ctx, try, pw, oauth.RefuseBecause(oauth.WrongCredentials, err))
	case err != nil:
		return nil, j.notLooked(ctx, try, err)
	case !ok:
		return nil, oauth.RefuseBecause(oauth.WrongCredentials, errors.New("wrong password"))
	}
	if in.BruteForce.Protected {
		if err := j.Store.ClearFailedLogins(ctx, in.ID, user.ID); err != nil {
			return nil, err
		}
	}
	if !user.Enabled {
		return nil, oauth.Refuse(oauth.AccountDisabled, "")
	}
	if rehash {
		return user, j.rehash(ctx, user, c, pw)
	}
	return user, nil
}

// countAttempt counts before the password is looked at (S-83).
func (j *Journey) countAttempt(ctx context.Context, try *attempt) (err error) {
	switch {
	case !try.in.BruteForce.Protected:
		return nil
	case try.user == nil:
		return j.Store.CountNobody(ctx, try.in.ID, try.name)
	}
	try.counted, err = j.Store.CountLoginAttempt(ctx, try.in.ID, try.user.ID, web.RealIP(ctx), try.in.BruteForce)
	return err
}

// notLooked gives a try back whose password was never looked at, because all
// hashers are busy or its visitor hung up: a flood must not lock people out. For
// nobody it writes as much, and the time tells nothing (S-82).
func (j *Journey) notLooked(ctx context.Context, try attempt, cause error) error {
	if errors.Is(cause, password.ErrBusy) {
		cause = oauth.RefuseBecause(oauth.HashingBusy, cause)
	}
	ctx = context.WithoutCancel(ctx)
	switch {
	case !try.in.BruteForce.Protected:
		return cause
	case try.user == nil:
		return errors.Join(cause, j.Store.CountNobody(ctx, try.in.ID, try.name))
	}
	return errors.Join(cause, j.Store.ReturnLoginAttempt(ctx, try.in.ID, try.user.ID, try.counted))
}

// named takes a username, or an e-mail address where the realm allows it. Blanks
// around it and its case do not count.
func (j *Journey) named(ctx context.Context, in *realm.Realm, name string) (*realm.User, error) {
	name = nameOf(name)
	if name == "" || len(name) > 255 {
		return nil, store.ErrNotFound
	}
	u, err := j.Store.UserByUsername(ctx, in.ID, name)
	if errors.Is(err, store.ErrNotFound) && in.LoginWithEmailAllowed && strings.Contains(name, "@") {
		return j.Store.UserByEmail(ctx, in.ID, name)
	}
	return u, err
}

func nameOf(typed string) string { return strings.ToLower(strings.TrimSpace(typed)) }

// nobody refuses at the cost of a password that was looked at, and looks at none.
func (j *Journey) nobody(ctx context.Context, try attempt, pw string, refusal error) error {
	if err := j.costAsMuch(ctx, try.like, pw); err != nil {
		return j.notLooked(ctx, try, err)
	}
	return refusal
}

func (j *Journey) costAsMuch(ctx context.Context, like *realm.Credential, pw string) error {
	if like == nil {
		return j.Passwords.VerifyNobody(ctx, pw)
	}
	_, _, err := j.Passwords.Verify(ctx, pw, password.Hash{Data: like.Data, Secret: like.Secret}) // even the right one opens nothing
	if errors.Is(err, password.ErrUnknown) {
		return j.Passwords.VerifyNobody(ctx, pw)
	}
	return err
}

func (j *Journey) passwordOf(ctx context.Context, realmID, userID string) (*realm.Credential, error) {
	creds, err := j.Store.Credentials(ctx, realmID, userID)
	for _, c := range creds {
		if c.Type == "password" {
			return &c, err
		}
	}
	return nil, err
}

// rehash stores a better hash of the password that just proved right (S-80).
func (j *Journey) rehash(ctx context.Context, u *realm.User, c realm.Credential, pw string) error {
	h, err := j.Passwords.Hash(ctx, pw)
	if err != nil {
		return nil // the login is right; the hash is made better another time
	}
	err = j.Store.RehashPassword(ctx, u.RealmID, u.Gate, c, h.Data, h.Secret)
	if errors.Is(err, store.ErrGateMoved) {
		return nil // another password by now: what the old one is worth is decided at the gate
	}
	return err
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
