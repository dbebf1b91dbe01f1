package journey

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/flow"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Problem says what is wrong with what the form of a required action sent.
type Problem string

// The problems that are no realm.ValueProblem.
const (
	PasswordMissing  Problem = "password_missing"
	PasswordMismatch Problem = "password_mismatch"
	PasswordTooLong  Problem = "password_too_long"
	ValueTaken       Problem = "taken"
	Busy             Problem = "busy"
)

// ActionField is one field of the form of a required action.
type ActionField struct {
	realm.UserAttribute
	Value   string
	Problem Problem // "" when there is none
}

// ActionPrompt is what the page of a required action says.
type ActionPrompt struct {
	Action  string        // realm.UpdatePassword, realm.UpdateProfile or realm.VerifyProfile
	Problem Problem       // of the new password, "" at first
	Fields  []ActionField // of the profile
}

func (j *Journey) actionPrompt(v *Visit, action string) ActionPrompt {
	p := ActionPrompt{Action: action}
	if action == realm.UpdatePassword {
		return p
	}
	missing := realm.MissingFromProfile(v.Realm, v.User)
	for _, a := range shown(v.Realm) {
		f := ActionField{UserAttribute: a, Value: realm.ProfileValue(v.User, a.Name)}
		if action == realm.VerifyProfile && slices.Contains(missing, a.Name) {
			f.Problem = Problem(realm.ValueMissing)
		}
		p.Fields = append(p.Fields, f)
	}
	return p
}

// shown are the attributes that the page asks for: those that a person may write.
func shown(in *realm.Realm) []realm.UserAttribute {
	return slices.DeleteFunc(realm.UserProfile(in), func(a realm.UserAttribute) bool { return !a.Editable })
}

// stop keeps the proof and sends the user to what they have to do. There is no
// session yet: nothing can be had with half a login.
func (j *Journey) stop(w http.ResponseWriter, r *http.Request, v *Visit, step flow.Step) error {
	browser := session.NewValue()
	err := j.Store.StopForAction(r.Context(), store.Proof{RealmID: v.Realm.ID, RequestID: v.Request.ID, BrowserHash: v.Browser.Hash, NewBrowserHash: browser.Hash,
		UserID: v.User.ID, UserGate: v.User.Gate, Methods: v.Request.Methods, AuthTime: v.Request.AuthTime, RememberMe: v.Request.RememberMe})
	if errors.Is(err, store.ErrUsed) {
		return j.reload(w, r, v)
	}
	if err != nil {
		return err
	}
	v.Browser, v.Request.State, v.Request.UserID, v.Request.UserGate = browser, realm.RequestActing, v.User.ID, v.User.Gate
	j.Cookies.SetBrowser(w, v.At, browser)
	return j.Act(w, r, v, j.actionPrompt(v, step.Action))
}

// enterProved makes the session of a user who has done what they had to do. When
// the user changed meanwhile the login begins again.
func (j *Journey) enterProved(w http.ResponseWriter, r *http.Request, v *Visit) error {
	err := j.enter(w, r, v)
	if errors.Is(err, store.ErrGateMoved) {
		return j.Restart(w, r, v)
	}
	return err
}

// pending reports whether action is what this user has to do now. It is not for a
// form that was sent twice, or one of another step.
func (j *Journey) pending(ctx context.Context, v *Visit, action string) (bool, error) {
	if done(v.Request) {
		return false, nil
	}
	step, err := j.next(ctx, v)
	return step.Kind == flow.Action && step.Action == action, err
}

// NewPassword is what the form of UPDATE_PASSWORD sent.
type NewPassword struct {
	Password, Confirm string
	EndSessions       bool // end the user's other sessions
}

// UpdatePassword does the required action of this name and goes on.
func (j *Journey) UpdatePassword(w http.ResponseWriter, r *http.Request, v *Visit, n NewPassword) error {
	ctx := r.Context()
	if ok, err := j.pending(ctx, v, realm.UpdatePassword); err != nil {
		return err
	} else if !ok {
		return j.Resume(w, r, v)
	}
	again := func(p Problem) error { return j.Act(w, r, v, ActionPrompt{Action: realm.UpdatePassword, Problem: p}) }
	switch {
	case n.Password == "":
		return again(PasswordMissing)
	case n.Password != n.Confirm:
		return again(PasswordMismatch)
	}
	h, err := j.Passwords.Hash(ctx, n.Password)
	switch {
	case errors.Is(err, password.ErrTooLong):
		return again(PasswordTooLong)
	case errors.Is(err, password.ErrBusy):
		return again(Busy)
	case err != nil:
		return err
	}
	c := realm.Credential{ID: realm.NewID(), UserID: v.User.ID, Type: "password", Data: h.Data, Secret: h.Secret, CreatedAt: j.Now()}
	u := *v.User
	u.RequiredActions = realm.WithoutAction(u.RequiredActions, realm.UpdatePassword)
	return j.finishAction(w, r, v, store.ActionDone{User: &u, Password: &c, EndSessions: n.EndSessions}, audit.UpdatePassword)
}

// UpdateProfile does UPDATE_PROFILE or VERIFY_PROFILE with the values that were
// sent, and goes on.
func (j *Journey) UpdateProfile(w http.ResponseWriter, r *http.Request, v *Visit, action string, value func(name string) string) error {
	if ok, err := j.pending(r.Context(), v, action); err != nil {
		return err
	} else if !ok {
		return j.Resume(w, r, v)
	}
	u, prompt, right := *v.User, ActionPrompt{Action: action}, true
	for _, a := range shown(v.Realm) {
		f := ActionField{UserAttribute: a, Value: value(a.Name), Problem: Problem(realm.CheckProfileValue(a, value(a.Name)))}
		right = right && f.Problem == ""
		realm.SetProfileValue(&u, a.Name, f.Value)
		prompt.Fields = append(prompt.Fields, f)
	}
	if !right {
		return j.Act(w, r, v, prompt)
	}
	u.RequiredActions = realm.WithoutAction(realm.WithoutAction(u.RequiredActions, realm.UpdateProfile), realm.VerifyProfile)
	err := j.finishAction(w, r, v, store.ActionDone{User: &u}, audit.UpdateProfile)
	if taken, ok := errors.AsType[*store.ConflictError](err); ok {
		for i := range prompt.Fields {
			if prompt.Fields[i].Name == taken.Field {
				prompt.Fields[i].Problem = ValueTaken
			}
		}
		return j.Act(w, r, v, prompt)
	}
	return err
}

// finishAction writes what an action changed and goes on with the login.
func (j *Journey) finishAction(w http.ResponseWriter, r *http.Request, v *Visit, a store.ActionDone, event string) error {
	ctx := r.Context()
	a.RequestID, a.BrowserHash, a.SharesEmail = v.Request.ID, v.Browser.Hash, v.Realm.DuplicateEmailsAllowed
	if v.Session != nil && v.Session.UserID == v.User.ID {
		a.KeepSession = v.Session.ID
	}
	err := j.Store.FinishAction(ctx, a)
	switch {
	case errors.Is(err, store.ErrUsed):
		return j.reload(w, r, v)
	case errors.Is(err, store.ErrGateMoved), errors.Is(err, store.ErrConflict):
		return j.Restart(w, r, v) // somebody else changed the user: what was proved may be void
	case err != nil:
		return err
	}
	v.Request.UserGate = a.User.Gate + 1
	if v.User, err = j.Store.UserByID(ctx, v.Realm.ID, a.User.ID); err != nil {
		return oauth.RefuseBecause(oauth.UserNotFound, err)
	}
	j.Audit.Record(ctx, v.Realm, realm.Event{Type: event, ClientID: v.Client.ClientID, UserID: v.User.ID, IP: web.RealIP(ctx)})
	return j.Resume(w, r, v)
}
