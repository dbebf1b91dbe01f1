// Package login is the pages of a login: it draws the form, reads it and hands
// what was typed to journey.
//
// It knows no client's redirect URI and makes no decision; the words and the look
// are ui's. provider mounts it and sets journey's Show to it.
package login

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"

	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/seal"
	"github.com/latchkey-id/latchkey/internal/ui"
	"github.com/latchkey-id/latchkey/internal/urls"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Realms resolves the realm of a request and the origin it came to.
type Realms interface {
	Resolve(r *http.Request) (*realm.Realm, urls.Realm, error)
}

// Pages are the pages of a login.
type Pages struct {
	Realms  Realms
	Journey *journey.Journey
	Seal    *seal.Ring
	Errors  web.ErrorWriter
}

// Mount registers the routes.
func (p *Pages) Mount(mux *http.ServeMux) {
	mux.HandleFunc(urls.AuthenticatePattern, web.Methods(map[string]http.HandlerFunc{
		http.MethodGet: web.Adapt(p.show, p.Errors), http.MethodPost: web.Adapt(p.submit, p.Errors)}))
	mux.HandleFunc(urls.RequiredActionPattern, web.Methods(map[string]http.HandlerFunc{
		http.MethodGet: web.Adapt(p.show, p.Errors), http.MethodPost: web.Adapt(p.submitAction, p.Errors)}))
	mux.HandleFunc(urls.RestartPattern, web.Methods(map[string]http.HandlerFunc{http.MethodGet: web.Adapt(p.restart, p.Errors)}))
}

// authenticate is the step of the login form. The steps of the other forms have
// the names of the required actions; a form token for another step does not fit.
const authenticate = "authenticate"

// formToken binds a form to the login, the step and the browser (S-73).
func (p *Pages) formToken(v *journey.Visit, step string) string {
	return base64.RawURLEncoding.EncodeToString(p.Seal.MAC("form", v.Request.ID, step, v.Browser.Text))
}

func (p *Pages) fits(v *journey.Visit, step, token string) bool {
	mac, err := base64.RawURLEncoding.DecodeString(token)
	return err == nil && p.Seal.CheckMAC(mac, "form", v.Request.ID, step, v.Browser.Text)
}

// stale reports whether a form may not be read, and keeps why for the page that
// answers it: whoever typed something has to hear that it came to nothing.
func (p *Pages) stale(r *http.Request, v *journey.Visit, step string) bool {
	if v.Stale == "" && !p.fits(v, step, r.URL.Query().Get("session_code")) {
		v.Stale = oauth.FormTokenWrong
	}
	return v.Stale != ""
}

// Show draws the login page. journey calls it.
func (p *Pages) Show(w http.ResponseWriter, r *http.Request, v *journey.Visit, pr journey.Prompt) error {
	lang := web.Language(r, v.Request.Params.UILocales)
	words := ui.MessagesFor(lang)
	page := ui.LoginPage{Lang: lang, RealmName: v.Realm.Title(), ClientName: clientName(v.Client), Action: p.action(v), Here: p.here(r, v, authenticate), Languages: p.languages(v, authenticate, lang), Username: pr.Username,
		UsernameFixed: pr.Reauthenticate, EmailAllowed: v.Realm.LoginWithEmailAllowed, RememberMeShown: v.Realm.RememberMe && !pr.Reauthenticate, RememberMe: pr.RememberMe}
	status := http.StatusOK
	switch pr.Refused {
	case "":
		if pr.Reauthenticate {
			page.Message, page.MessageKind = words.Reauthenticate, "info"
		}
	case oauth.RequestExpired:
		page.Message, page.MessageKind = words.LoginTookTooLong, "warning"
	case oauth.FormTokenWrong:
		page.Message, page.MessageKind = words.FormTooOld, "warning"
	case oauth.AccountDisabled:
		page.Message, page.MessageKind = words.AccountDisabled, "error"
	case oauth.HashingBusy:
		status, page.Message, page.MessageKind = http.StatusServiceUnavailable, words.Busy, "warning"
		w.Header().Set("Retry-After", "2")
	default:
		page.FieldError = words.WrongCredentials
	}
	return web.WritePage(w, r, status, page)
}

func clientName(c *realm.Client) string {
	if c.Name != "" && c.Name[0] != '$' {
		return c.Name
	}
	return c.ClientID
}

// action has Keycloak's parameters: scripts look for them.
func (p *Pages) action(v *journey.Visit) string {
	return urls.WithQuery(v.At.LoginAction(authenticate), p.query(v, authenticate, p.formToken(v, authenticate)))
}

// languages are the links to this step in the other languages.
func (p *Pages) languages(v *journey.Visit, step, current string) (links []ui.LanguageLink) {
	for _, lang := range ui.Languages() {
		if lang != current {
			q := p.query(v, step, "")
			q.Set(web.LocaleParam, lang)
			links = append(links, ui.LanguageLink{Tag: lang, Name: ui.MessagesFor(lang).Name, Href: urls.WithQuery(v.At.LoginAction(pathOf(step)), q)})
		}
	}
	return links
}

// pathOf is the path of a step's page.
func pathOf(step string) string {
	if step == authenticate {
		return authenticate
	}
	return "required-action"
}

// here is the address of a step, for a page that answers a form of it.
func (p *Pages) here(r *http.Request, v *journey.Visit, step string) string {
	if r.Method != http.MethodPost || r.Pattern == urls.AuthPattern {
		return ""
	}
	return urls.WithQuery("", p.query(v, step, ""))
}

func (p *Pages) query(v *journey.Visit, step, token string) url.Values {
	q := url.Values{"execution": {step}, "client_id": {v.Client.ClientID}, "tab_id": {v.Request.ID}, "client_data": {"1"}}
	if token != "" {
		q.Set("session_code", token)
	}
	return q
}

func (p *Pages) find(r *http.Request) (*journey.Visit, error) {
	in, _, err := p.Realms.Resolve(r)
	if err != nil {
		return nil, err
	}
	q, err := web.ParseQuery(r)
	if err != nil {
		return nil, err
	}
	return p.Journey.Find(r, in, q.Get("tab_id"))
}

// show goes on with a login that is under way: a reload, or the back button.
func (p *Pages) show(w http.ResponseWriter, r *http.Request) error {
	v, err := p.find(r)
	if err != nil {
		return err
	}
	if lang := r.URL.Query().Get(web.LocaleParam); slices.Contains(ui.Languages(), lang) {
		p.Journey.Cookies.SetLanguage(w, v.At, lang)
	}
	return p.Journey.Resume(w, r, v)
}

func (p *Pages) submit(w http.ResponseWriter, r *http.Request) error {
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
	// A form of before the login in another tab, sent twice, or forged: it is
	// answered with what is to be done now, and what it carries is not read.
	if p.stale(r, v, authenticate) {
		return p.Journey.Resume(w, r, v)
	}
	return p.Journey.Login(w, r, v, journey.Attempt{Username: form.Get("username"), Password: form.Get("password"), RememberMe: form.Get("rememberMe") == "on"})
}

// restart takes a login back to its beginning; the request is the stored one,
// nothing comes from the address (S-16).
func (p *Pages) restart(w http.ResponseWriter, r *http.Request) error {
	v, err := p.find(r)
	if err != nil {
		return err
	}
	return p.Journey.Restart(w, r, v)
}
