package web

import (
	"bytes"
	"log/slog"
	"net/http"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/ui"
)

// pagePolicy is the Content-Security-Policy of a page, but for form-action.
const pagePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"

// policyOf adds form-action where a form stays here. A page whose form ends at a
// client goes without: Chromium applies it to the whole chain of redirects (S-74
// gives way there, the form token stays).
func policyOf(p ui.Page) string {
	switch p.(type) {
	case ui.LoginPage, ui.PasswordPage, ui.ProfilePage, ui.LogoutPage, ui.PostPage:
		return pagePolicy
	}
	return pagePolicy + "; form-action 'self'"
}

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
	h.Set("Content-Security-Policy", policyOf(p))
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

// Place is what a page says about where it stands: whose login this is, and the way
// back to the application, "" when none is known.
type Place struct{ Name, BackURL string }

// PageErrors writes refusals as a page: what happened, what to do, the reason
// and the request's id, which stand in the log beside the exact cause.
func PageErrors(log *slog.Logger, place func(r *http.Request) Place) ErrorWriter {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		a, at, reason := oauth.AnswerTo(err), place(r), oauth.ReasonOf(err)
		Log(log, r, a.Status, err)
		retryLater(w, a.Status)
		lang := Language(r, r.URL.Query().Get("ui_locales"))
		page := ui.ErrorPage{Lang: lang, RealmName: at.Name, BackURL: at.BackURL, Reason: string(reason), ID: RequestID(r.Context())}
		page.What, page.Do = words(lang, a, reason)
		if d, ok := detailsOf(err); ok {
			page.Details = d
		}
		if err := WritePage(w, r, a.Status, page); err != nil {
			log.ErrorContext(r.Context(), "page not written", "err", err)
		}
	}
}

// Detailed is an error with facts for the person, shown as a table.
type Detailed struct {
	Err     error
	Details []ui.Detail
}

func (e *Detailed) Error() string { return e.Err.Error() }

func (e *Detailed) Unwrap() error { return e.Err }
