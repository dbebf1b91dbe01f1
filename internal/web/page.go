package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/ui"
)

// pagePolicy is the Content-Security-Policy of a page. There is no form-action
// in the policy of a page whose form ends at a client: Chromium applies it to the
// whole chain of redirects (S-74 gives way there, the form token stays).
const pagePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"

// WritePage renders a page into memory and sends it. It may not be kept.
func WritePage(w http.ResponseWriter, _ *http.Request, status int, p ui.Page) error {
	var b bytes.Buffer
	if err := p.Render(&b); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store, must-revalidate, max-age=0")
	}
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
	return nil
}

// WriteFramed sends a page that runs one script in a frame of another site's page
// and shows nothing. ancestors are the sources that may frame it; "" is any.
func WriteFramed(w http.ResponseWriter, p ui.Page, ancestors string) error {
	var b bytes.Buffer
	if err := p.Render(&b); err != nil {
		return err
	}
	policy := "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
	if ancestors != "" {
		policy += "; frame-ancestors " + ancestors
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-cache, must-revalidate, no-transform, no-store")
	h.Set("Content-Security-Policy", policy)
	h.Del("X-Frame-Options")
	_, _ = w.Write(b.Bytes())
	return nil
}

// PageErrors writes refusals as a page: what happened, what to do, the reason
// and the request's id, which stand in the log beside the exact cause. realm
// names the realm of a request for the page's header.
func PageErrors(log *slog.Logger, realm func(r *http.Request) string) ErrorWriter {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		a := oauth.AnswerTo(err)
		Log(log, r, a.Status, err)
		retryLater(w, a.Status)
		reason := oauth.ReasonOf(err)
		page := ui.ErrorPage{Lang: Language(r, ""), RealmName: realm(r), What: what(a), Do: advice(reason), Reason: string(reason), ID: RequestID(r.Context())}
		if d, ok := detailsOf(err); ok {
			page.Details = d
		}
		if err := WritePage(w, r, a.Status, page); err != nil {
			log.ErrorContext(r.Context(), "page not written", "err", err)
		}
	}
}

func what(a oauth.Answer) string {
	if a.Description != "" {
		return a.Description
	}
	if a.Status >= http.StatusInternalServerError {
		return "Something went wrong on our side."
	}
	return strings.ReplaceAll(a.Code, "_", " ")
}

// advice says what a person can do. A reason without a line gets the general one.
func advice(reason oauth.Reason) string {
	switch reason {
	case oauth.RedirectURIInvalid:
		return "The application sent an address to return to that is not registered for it. Whoever runs the application can add it to its valid redirect URIs."
	case oauth.AuthClientNotFound, oauth.AuthClientDisabled, oauth.AuthClientMissing:
		return "The application's client_id is not known here, or is switched off. Whoever runs the application can compare it with the clients of this realm."
	case oauth.CookieMissing, oauth.RequestUnknown, oauth.RequestExpired, oauth.FormTokenWrong:
		return "Go back to the application and sign in again. Cookies must be allowed for this site."
	case oauth.HashingBusy, oauth.Unavailable:
		return "Please try again in a few seconds."
	case oauth.LogoutRedirectInvalid, oauth.HintInvalid, oauth.LogoutHintMissing, oauth.LogoutFailed:
		return "You may still be logged in. Go back to the application and log out again."
	case oauth.UnenforcedPolicy:
		return "The login is refused because it would be weaker than this realm asks for. An administrator finds the setting by the name above."
	case oauth.RegistrationNotAllowed:
		return "Nobody can make an account for themselves here. Whoever runs this login can make one for you."
	case oauth.AuthRealmDisabled:
		return "This login is switched off. Whoever runs it can say when it is back."
	case oauth.HTTPSRequired:
		return "Open the same address with https."
	}
	return "Go back to the application and try again. If it happens once more, give the reason and the number below to whoever runs it."
}

// Detailed is an error with facts for the person, shown as a table.
type Detailed struct {
	Err     error
	Details []ui.Detail
}

func (e *Detailed) Error() string { return e.Err.Error() }

func (e *Detailed) Unwrap() error { return e.Err }
