// Package web is the HTTP around the surfaces: handlers that return errors and
// the one adapter that writes them, forms with limits, pages, security headers,
// request ids, the visitor's address, metrics and the server's time limits.
//
// It knows no realm, no client and no token. Every surface calls it.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/ui"
)

// Handler is an http.Handler that may fail.
type Handler func(w http.ResponseWriter, r *http.Request) error

// ErrorWriter answers a request that failed.
type ErrorWriter func(w http.ResponseWriter, r *http.Request, err error)

// Adapt makes an http.HandlerFunc of a Handler: what it returns, or panics with,
// is written by one place. http.ErrAbortHandler passes through.
func Adapt(h Handler, write ErrorWriter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { // the very value is the contract
				panic(p)
			}
			write(w, r, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}()
		if err := h(w, r); err != nil {
			write(w, r, err)
		}
	}
}

// WriteJSON answers with a JSON document.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	WriteDocument(w, status, b)
	return nil
}

// WriteDocument answers with a JSON document that is there already.
func WriteDocument(w http.ResponseWriter, status int, doc []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(doc) // the visitor may be gone: nothing to be done
}

// NoStore forbids keeping an answer (RFC 6749, section 5.1).
func NoStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
}

// OAuthErrors writes refusals as RFC 6749, section 5.2, says. An error that is
// no refusal sends nothing but server_error: its text is in the log.
func OAuthErrors(log *slog.Logger) ErrorWriter {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		a := oauth.AnswerTo(err)
		Log(log, r, a.Status, err)
		NoStore(w)
		retryLater(w, a.Status)
		body := map[string]string{"error": a.Code}
		if a.Description != "" {
			body["error_description"] = a.Description
		}
		_ = WriteJSON(w, a.Status, body)
	}
}

// Log writes why a request failed, with its id: a refusal as information, a
// failure of ours as an error. A visitor who hung up is none.
func Log(log *slog.Logger, r *http.Request, status int, err error) {
	level, what := slog.LevelInfo, "refused"
	switch {
	case hungUp(r, status, err):
		what = "visitor gone"
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	log.Log(r.Context(), level, what, "reason", string(oauth.ReasonOf(err)), "status", status, "method", r.Method, "path", r.URL.Path, "err", err.Error())
}

// hungUp: what a request waits for ends when its visitor leaves, and a database that
// was interrupted for it says that it is unavailable. A panic stays one.
func hungUp(r *http.Request, status int, err error) bool {
	return errors.Is(r.Context().Err(), context.Canceled) && (errors.Is(err, context.Canceled) || status == http.StatusServiceUnavailable)
}

// RetryLater says when to come again, beside a 503.
func RetryLater(w http.ResponseWriter) { w.Header().Set("Retry-After", "2") }

func retryLater(w http.ResponseWriter, status int) {
	if status == http.StatusServiceUnavailable {
		RetryLater(w)
	}
}

// WriteJSONError answers with {"error": text}, Keycloak's form for what is no
// protocol error.
func WriteJSONError(w http.ResponseWriter, status int, text string) {
	_ = WriteJSON(w, status, map[string]string{"error": text})
}

// NotFound answers what Keycloak answers for a path below a realm or outside.
func NotFound(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { WriteJSONError(w, http.StatusNotFound, text) }
}

// Methods dispatches by method; any other is 405 in Keycloak's words.
func Methods(byMethod map[string]http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead && byMethod[method] == nil {
			method = http.MethodGet
		}
		if h, ok := byMethod[method]; ok {
			h(w, r)
			return
		}
		WriteJSONError(w, http.StatusMethodNotAllowed, "HTTP 405 Method Not Allowed")
	}
}

// Keycloak's names for the language that a person chose on a page: the parameter of
// the link, and the cookie that keeps it. Neither grants anything.
const (
	LocaleParam  = "kc_locale"
	LocaleCookie = "KEYCLOAK_LOCALE"
)

// Language is the language of the page that a request gets: the one that was chosen,
// else the application's wish, else the browser's.
func Language(r *http.Request, uiLocales string) string {
	chosen := ""
	if r.URL.RawQuery != "" {
		chosen = r.URL.Query().Get(LocaleParam)
	}
	if c, err := r.Cookie(LocaleCookie); err == nil {
		chosen += " " + c.Value
	}
	return ui.Language(chosen+" "+uiLocales, r.Header.Get("Accept-Language"))
}
