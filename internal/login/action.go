package login

import (
	"net/http"

	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/ui"
	"github.com/latchkey-id/latchkey/internal/urls"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Act shows what a person has to do before their login goes on. journey calls it.
// The page has an address of its own, as with Keycloak: from anywhere else the
// browser is sent there.
func (p *Pages) Act(w http.ResponseWriter, r *http.Request, v *journey.Visit, pr journey.ActionPrompt) error {
	if r.Pattern != urls.RequiredActionPattern || (r.Method == http.MethodPost && r.URL.Query().Get("execution") != pr.Action) {
		w.Header().Set("Cache-Control", "no-store, must-revalidate, max-age=0")
		http.Redirect(w, r, urls.WithQuery(v.At.LoginAction("required-action"), p.query(v, pr.Action, "")), http.StatusFound)
		return nil
	}
	action := urls.WithQuery(v.At.LoginAction("required-action"), p.query(v, pr.Action, p.formToken(v, pr.Action)))
	lang := web.Language(r, v.Request.Params.UILocales)
	words := ui.MessagesFor(lang)
	if pr.Action == realm.UpdatePassword {
		return p.passwordPage(w, r, pr, ui.PasswordPage{Lang: lang, RealmName: v.Realm.Title(), Username: v.User.Username, Action: action, Here: p.here(r, v, pr.Action),
			Languages: p.languages(v, pr.Action, lang)}, words)
	}
	page := ui.ProfilePage{Lang: lang, RealmName: v.Realm.Title(), Username: v.User.Username, Action: action, Here: p.here(r, v, pr.Action),
		Languages: p.languages(v, pr.Action, lang)}
	if pr.Action == realm.UpdateProfile {
		page.Message = words.ProfileMessage
	}
	for _, f := range pr.Fields {
		page.Fields = append(page.Fields, ui.Field{Name: f.Name, Label: label(words, f.Name), Value: f.Value, Required: f.Required, Error: problemText(words, f)})
	}
	return web.WritePage(w, r, http.StatusOK, page)
}

func (p *Pages) passwordPage(w http.ResponseWriter, r *http.Request, pr journey.ActionPrompt, page ui.PasswordPage, words ui.Messages) error {
	status := http.StatusOK
	switch pr.Problem {
	case "":
		page.Message = words.PasswordMessage
	case journey.PasswordMissing:
		page.PasswordError = words.PasswordMissing
	case journey.PasswordMismatch:
		page.ConfirmError = words.PasswordMismatch
	case journey.PasswordTooLong:
		page.PasswordError = words.PasswordTooLong
	case journey.Busy:
		status, page.Message = http.StatusServiceUnavailable, words.Busy
		w.Header().Set("Retry-After", "2")
	}
	return web.WritePage(w, r, status, page)
}

func label(words ui.Messages, name string) string {
	switch name {
	case "username":
		return words.Username
	case "email":
		return words.Email
	case "firstName":
		return words.FirstName
	case "lastName":
		return words.LastName
	}
	return name
}

func problemText(words ui.Messages, f journey.ActionField) string {
	switch f.Problem {
	case "":
		return ""
	case journey.Problem(realm.ValueMissing):
		return words.ValueMissing
	case journey.Problem(realm.ValueLength):
		return words.ValueLength
	case journey.Problem(realm.ValueEmail):
		return words.ValueEmail
	case journey.ValueTaken:
		return words.ValueTaken
	}
	return words.ValueCharacter
}

// submitAction reads the form of a required action. One that is not of this step
// of this login in this browser is answered with what is to be done now, and
// what it carries is not read.
func (p *Pages) submitAction(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ParseForm(w, r)
	if err != nil {
		return err
	}
	if err := web.Single(form); err != nil {
		return err
	}
	v, err := p.find(r)
	if err != nil {
		return err
	}
	action := r.URL.Query().Get("execution")
	if p.stale(r, v, action) {
		return p.Journey.Resume(w, r, v)
	}
	switch action {
	case realm.UpdatePassword:
		return p.Journey.UpdatePassword(w, r, v, journey.NewPassword{Password: form.Get("password-new"), Confirm: form.Get("password-confirm"),
			EndSessions: form.Get("logout-sessions") == "on"})
	case realm.UpdateProfile, realm.VerifyProfile:
		return p.Journey.UpdateProfile(w, r, v, action, form.Get)
	}
	return p.Journey.Resume(w, r, v)
}
