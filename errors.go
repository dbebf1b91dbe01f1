package latchkey

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"crypto/rand"

	"github.com/latchkey-id/latchkey/internal/ui"
)

// reason says why a login failed. It stands on the page and in the log; grep for
// it leads to the check.
type reason string

const (
	reasonState       reason = "login_state_missing"
	reasonCallback    reason = "callback_malformed"
	reasonIss         reason = "issuer_of_answer_wrong"
	reasonIssuer      reason = "issuer_mismatch"
	reasonIDToken     reason = "id_token_refused"
	reasonUserinfo    reason = "userinfo_refused"
	reasonExchange    reason = "code_refused"
	reasonClient      reason = "client_refused"
	reasonProvider    reason = "provider_answer_unusable"
	reasonUnreachable reason = "provider_unreachable"
	reasonRefused     reason = "login_refused"
	reasonDenied      reason = "access_denied"
	reasonLoop        reason = "login_loop"
	reasonTooLarge    reason = "session_too_large"
	reasonEnded       reason = "session_ended"
	reasonStore       reason = "session_store_failed"
	reasonForged      reason = "request_from_another_site"
	reasonInternal    reason = "internal_error"
)

// loginError is a failure with its reason. err is for the log alone.
type loginError struct {
	reason reason
	code   string // the provider's error code
	err    error
}

func (e *loginError) Error() string { return string(e.reason) + ": " + e.err.Error() }

func (e *loginError) Unwrap() error { return e.err }

func reasonOf(err error) reason {
	if _, ok := errors.AsType[*tooLargeError](err); ok {
		return reasonTooLarge
	}
	if e, ok := errors.AsType[*loginError](err); ok {
		return e.reason
	}
	return reasonInternal
}

// advice is what a person reads, and the status.
type advice struct {
	status   int
	what, do string
}

func adviceFor(r reason) advice {
	switch r {
	case reasonState:
		return advice{http.StatusBadRequest, "This login was not begun in this browser, or it took too long.",
			"Start again. If it happens once more, allow cookies for this site."}
	case reasonCallback:
		return advice{http.StatusBadRequest, "The answer of the login page could not be read.", "Start again from the application."}
	case reasonLoop:
		return advice{http.StatusInternalServerError, "You were logged in several times in a row, and the application still did not know you.",
			"Your browser may not return this site's cookies: allow them, and open the application by the very address it was set up with (localhost and 127.0.0.1 are two addresses)."}
	case reasonTooLarge:
		return advice{http.StatusInternalServerError, "Your account has more attached to it than fits into a session.",
			"Whoever runs the application finds the size and the largest part of it in its log."}
	case reasonDenied:
		return advice{http.StatusForbidden, "You were not let in.", "You said no, or you lack a permission. You can try again with another account."}
	case reasonRefused:
		return advice{http.StatusBadGateway, "The login page refused this login.", "Whoever runs the application finds why in its log."}
	case reasonUnreachable, reasonProvider:
		return advice{http.StatusServiceUnavailable, "The login service does not answer as it should.", "Try again in a minute. Pages that need no login still work."}
	case reasonIssuer, reasonClient, reasonExchange:
		return advice{http.StatusBadGateway, "The application and the login service do not agree about their settings.",
			"Whoever runs the application finds what they disagree about, and what to change, in its log."}
	case reasonIss, reasonIDToken, reasonUserinfo:
		return advice{http.StatusBadGateway, "What the login service sent did not pass a check, so you were not logged in.", "Try again. If it happens once more, tell whoever runs the application."}
	case reasonForged:
		return advice{http.StatusForbidden, "This request came from another site.", "Open the application and do it there."}
	case reasonStore:
		return advice{http.StatusServiceUnavailable, "The application cannot reach its sessions.", "Try again in a minute."}
	}
	return advice{http.StatusInternalServerError, "Something went wrong on our side.", "Try again in a minute."}
}

// fail answers with a page or, for a program, with JSON. The exact cause is in
// the log under the same id.
func (a *Auth) fail(w http.ResponseWriter, r *http.Request, why reason, cause error) {
	id := rand.Text()[:10]
	adv := adviceFor(why)
	a.cfg.Logger.Log(r.Context(), level(r, cause), "latchkey: login failed", "reason", string(why), "id", id, "status", adv.status, "path", r.URL.Path, "err", errText(cause))
	w.Header().Set("Cache-Control", "no-store")
	if adv.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "30")
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		writeJSON(w, adv.status, map[string]string{"error": string(why), "error_description": adv.what + " " + adv.do, "id": id})
		return
	}
	words := ui.MessagesFor(language(r))
	a.page(w, r, adv.status, ui.AppPage{Lang: words.Lang, App: a.callback.Host, Heading: words.SorryTitle, Text: adv.what + " " + adv.do, Reason: string(why), ID: id,
		Links: []ui.Detail{{Name: words.BackToApplication, Value: "/"}}})
}

// level: a visitor who hung up is no failure of the application's.
func level(r *http.Request, cause error) slog.Level {
	if errors.Is(r.Context().Err(), context.Canceled) && errors.Is(cause, context.Canceled) {
		return slog.LevelInfo
	}
	return slog.LevelError
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func language(r *http.Request) string { return ui.Language("", r.Header.Get("Accept-Language")) }

// page renders into memory first. Its stylesheet is inlined: the package has no
// route for files in the application.
func (a *Auth) page(w http.ResponseWriter, r *http.Request, status int, p ui.Page) {
	var b bytes.Buffer
	if err := p.Render(&b); err != nil {
		a.cfg.Logger.ErrorContext(r.Context(), "latchkey: page not rendered", "err", err)
		http.Error(w, http.StatusText(status), status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	// No form-action: Chromium applies it to the redirect too, and the logout
	// button's form goes on to the provider.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+ui.StyleSource()+"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// unauthorized answers what is no navigation: 401, with the address to log in at.
// A person's form that was sent after the session's end gets a page that says so.
func (a *Auth) unauthorized(w http.ResponseWriter, r *http.Request) {
	login := a.LoginURL(r.URL.RequestURI())
	if r.Method != http.MethodGet {
		login = a.LoginURL("/")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("WWW-Authenticate", `Latchkey realm="login", error="login_required"`)
	if r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Mode") == "navigate" {
		words := ui.MessagesFor(language(r))
		a.page(w, r, http.StatusUnauthorized, ui.AppPage{Lang: words.Lang, App: a.callback.Host, Heading: words.PageExpired,
			Text:  "Your session ended before this form was sent. Nothing was saved. Log in, go back and send it again.",
			Links: []ui.Detail{{Name: words.SignIn, Value: login}}, Reason: "login_required"})
		return
	}
	writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "login_required", "login_url": login})
}
