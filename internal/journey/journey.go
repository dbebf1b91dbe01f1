// Package journey walks a login: it loads the facts, asks flow what must happen
// next and does that step, one transaction each.
//
// It draws no page and writes no redirect: Show and Act (owned by login) and Respond
// (owned by authorize) do, and provider sets them. authorize and login call it;
// none of the steps knows the next one. "Why was this login refused?" is
// answered here by refuse, which names the reason in the log.
package journey

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/flow"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/urls"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Visit is one request in one login.
type Visit struct {
	Realm   *realm.Realm
	At      urls.Realm // the realm below the origin of this login
	Client  *realm.Client
	Request *realm.AuthRequest
	Browser session.Value
	Session *realm.Session // nil when nobody is logged in
	User    *realm.User    // who proved themselves in this login, else the session's user; nil without one
	Stale   oauth.Reason   // why what was sent is not read, "" otherwise: RequestExpired, FormTokenWrong
}

// Prompt is what the login page says.
type Prompt struct {
	Reauthenticate bool
	Username       string       // kept from the last try
	RememberMe     bool         // kept from the last try
	Refused        oauth.Reason // why the last try failed, or was not read; "" at first
}

// Outcome is what goes back to the client: a code, or an error.
type Outcome struct {
	Code      string
	SessionID string
	Err       error
}

// Journey does the steps.
type Journey struct {
	Store     *store.Store
	Cookies   *session.Cookies
	Passwords *password.Pool
	Audit     *audit.Log
	Now       func() time.Time

	Show    func(w http.ResponseWriter, r *http.Request, v *Visit, p Prompt) error
	Act     func(w http.ResponseWriter, r *http.Request, v *Visit, p ActionPrompt) error
	Respond func(w http.ResponseWriter, r *http.Request, v *Visit, o Outcome) error
}

// Start begins the login of a validated authorization request. A request that is
// refused at once, or answered by the session, is not kept longer than that.
func (j *Journey) Start(w http.ResponseWriter, r *http.Request, v *Visit) error {
	ctx := r.Context()
	var ok bool
	if v.Browser, ok = j.Cookies.Browser(r); !ok {
		v.Browser = session.NewValue()
	}
	if err := j.loadSession(r, v); err != nil {
		return err
	}
	v.Request.BrowserHash = v.Browser.Hash
	step, err := j.next(ctx, v)
	if err != nil {
		return err
	}
	if step.Kind == flow.Deny {
		return j.deny(w, r, v, step.Err)
	}
	if err := j.Store.CreateAuthRequest(ctx, v.Request); err != nil {
		return err
	}
	if !ok {
		j.Cookies.SetBrowser(w, v.At, v.Browser)
	}
	return j.do(w, r, v, step)
}

// Restart takes a login back to its beginning: whoever proved themselves in it
// does so again.
func (j *Journey) Restart(w http.ResponseWriter, r *http.Request, v *Visit) error {
	if v.Request.State == realm.RequestActing {
		if err := j.reopen(r.Context(), v); err != nil {
			return err
		}
	}
	if err := j.loadSession(r, v); err != nil {
		return err
	}
	return j.Resume(w, r, v)
}

// Resume goes on with a login: the one place that decides what comes next.
func (j *Journey) Resume(w http.ResponseWriter, r *http.Request, v *Visit) error {
	if done(v.Request) {
		return j.Respond(w, r, v, Outcome{Err: oauth.Refuse(oauth.AuthenticationExpired, "")})
	}
	step, err := j.next(r.Context(), v)
	if err != nil {
		return err
	}
	return j.do(w, r, v, step)
}

func done(r *realm.AuthRequest) bool {
	return r.State == realm.RequestDone || r.State == realm.RequestDenied
}

func (j *Journey) loadSession(r *http.Request, v *Visit) (err error) {
	v.User = nil
	if v.Session, err = j.Cookies.Current(r.Context(), r, v.Realm); err != nil || v.Session == nil {
		return err
	}
	v.User, err = j.Store.UserByID(r.Context(), v.Realm.ID, v.Session.UserID)
	if errors.Is(err, store.ErrNotFound) {
		v.Session, v.User = nil, nil
		return nil
	}
	return err
}

func (j *Journey) facts(ctx context.Context, v *Visit) (flow.Facts, error) {
	f := flow.Facts{Realm: v.Realm, Client: v.Client, User: v.User, Session: v.Session, Request: v.Request, Now: j.Now()}
	if v.User == nil {
		return f, nil
	}
	if v.Request.State == realm.RequestActing {
		f.Session = nil // theirs is made when this login ends
	}
	creds, err := j.Store.Credentials(ctx, v.Realm.ID, v.User.ID)
	for _, c := range creds {
		f.Credentials = append(f.Credentials, c.Type)
	}
	return f, err
}

func (j *Journey) next(ctx context.Context, v *Visit) (flow.Step, error) {
	f, err := j.facts(ctx, v)
	if err != nil {
		return flow.Step{}, err
	}
	return flow.Next(f), nil
}

func (j *Journey) do(w http.ResponseWriter, r *http.Request, v *Visit, step flow.Step) error {
	switch step.Kind {
	case flow.Deny:
		return j.deny(w, r, v, step.Err)
	case flow.Login:
		return j.Show(w, r, v, j.prompt(v, step))
	case flow.Action:
		return j.Act(w, r, v, j.actionPrompt(v, step.Action))
	}
	if v.Request.State == realm.RequestActing {
		return j.enterProved(w, r, v)
	}
	if step.Existing {
		err := j.reuse(r.Context(), v)
		if errors.Is(err, store.ErrGateMoved) { // logged out, or changed, since it was read
			v.Session, v.User = nil, nil
			return j.Resume(w, r, v) // flow knows whether a page may be shown
		}
		if errors.Is(err, store.ErrUsed) {
			return j.reload(w, r, v)
		}
		if err != nil {
			return err
		}
	}
	return j.issue(w, r, v)
}

func (j *Journey) prompt(v *Visit, step flow.Step) Prompt {
	if step.Reauthenticate {
		return Prompt{Reauthenticate: true, Username: v.User.Username, Refused: v.Stale}
	}
	return Prompt{Username: v.Request.Params.LoginHint, Refused: v.Stale}
}

// reuse answers a request by the session that is there: single sign-on.
func (j *Journey) reuse(ctx context.Context, v *Visit) error {
	return j.Store.Authenticate(ctx, store.Authentication{RequestID: v.Request.ID, BrowserHash: v.Browser.Hash, NewBrowserHash: v.Browser.Hash,
		Session: *v.Session, Existing: true,
		Gates: store.Gates{RealmID: v.Realm.ID, UserID: v.User.ID, UserGate: v.User.Gate, SessionID: v.Session.ID}})
}

// deny gives the client an error. A refusal by a policy is for the person too:
// the log has the path of the setting.
func (j *Journey) deny(w http.ResponseWriter, r *http.Request, v *Visit, cause error) error {
	ctx := r.Context()
	err := j.Store.DenyAuthRequest(ctx, v.Realm.ID, v.Request.ID, v.Browser.Hash)
	if err != nil && !errors.Is(err, store.ErrUsed) {
		return err
	}
	j.refuse(ctx, v, cause)
	if reason := oauth.ReasonOf(cause); reason == oauth.UnenforcedPolicy || reason == oauth.RealmDisabled {
		return cause // a page: the application can do nothing about it
	}
	return j.Respond(w, r, v, Outcome{Err: forTheClient(cause)})
}

// forTheClient: the authorization endpoint has a code of its own for "no" (RFC
// 6749, 4.1.2.1); why stays in the log.
func forTheClient(cause error) error {
	switch oauth.ReasonOf(cause) {
	case oauth.LoginRequired, oauth.InteractionRequired, oauth.AccessDenied:
		return cause
	}
	return oauth.RefuseBecause(oauth.AccessDenied, cause)
}

func (j *Journey) refuse(ctx context.Context, v *Visit, cause error) {
	e := realm.Event{Type: audit.LoginError, ClientID: v.Client.ClientID, IP: web.RealIP(ctx)}
	if v.User != nil {
		e.UserID = v.User.ID
	}
	j.Audit.Refused(ctx, v.Realm, e, cause)
}
