package login

import (
	"errors"
	"net/http"

	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/ui"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Setup is the page behind the one-time link that is printed at the first start:
// it makes the first administrator.
type Setup struct {
	Manage *manage.Manager
	Errors web.ErrorWriter
}

// Mount registers the routes.
func (s *Setup) Mount(mux *http.ServeMux) {
	mux.HandleFunc("/setup/{secret}", web.Methods(map[string]http.HandlerFunc{
		http.MethodGet: web.Adapt(s.show, s.Errors), http.MethodPost: web.Adapt(s.submit, s.Errors)}))
}

// show uses nothing up: mail scanners and link previews follow links (S-87).
func (s *Setup) show(w http.ResponseWriter, r *http.Request) error {
	ok, err := s.Manage.SetupLinkWorks(r.Context(), r.PathValue("secret"))
	if err != nil {
		return err
	}
	if !ok {
		return oauth.Refuse(oauth.SetupLinkUsed, "")
	}
	return s.page(w, r, "", "")
}

func (s *Setup) page(w http.ResponseWriter, r *http.Request, username, problem string) error {
	return web.WritePage(w, r, http.StatusOK, ui.SetupPage{Lang: web.Language(r, ""), Action: r.URL.Path, Username: username, FieldError: problem})
}

func (s *Setup) submit(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ParseForm(w, r)
	if err != nil {
		return err
	}
	username := form.Get("username")
	err = s.Manage.UseSetupLink(r.Context(), r.PathValue("secret"), username, form.Get("password"))
	if e, ok := errors.AsType[*manage.InvalidError](err); ok {
		return s.page(w, r, username, e.Error())
	}
	if errors.Is(err, store.ErrUsed) {
		return oauth.RefuseBecause(oauth.SetupLinkUsed, err)
	}
	if err != nil {
		return err
	}
	lang := web.Language(r, "")
	words := ui.MessagesFor(lang)
	return web.WritePage(w, r, http.StatusOK, ui.InfoPage{Lang: lang, RealmName: "Latchkey", Heading: words.SetupDone, Text: words.SetupDoneText + " " + username + "."})
}
