package adminapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/rep"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// refusal is an answer of the admin API that is no success. Message says that
// Keycloak writes it as errorMessage.
type refusal struct {
	status  int
	text    string
	message bool
}

func (e refusal) Error() string { return e.text }

func notFound(text string) error { return refusal{http.StatusNotFound, text, false} }

// missing turns the store's "not found" into Keycloak's words.
func missing(err error, text string) error {
	if errors.Is(err, store.ErrNotFound) {
		return notFound(text)
	}
	return err
}

// conflictOnPut: Keycloak says it in other words here than on creation.
type conflictOnPut struct{}

func (conflictOnPut) Error() string { return "Duplicate resource error" }

// oauthError is an answer in OAuth's form.
type oauthError struct {
	status            int
	code, description string
}

func (e oauthError) Error() string { return e.description }

// refuse writes errors as Keycloak's admin API does.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, body := answer(err)
	web.Log(a.Logger, r, status, err)
	if status == http.StatusServiceUnavailable {
		web.RetryLater(w)
	}
	_ = web.WriteJSON(w, status, body)
}

// answer is the one table from an error to what is sent.
func answer(err error) (int, any) {
	plain := func(status int, text string) (int, any) { return status, map[string]string{"error": text} }
	switch { // what the store could not do comes before what was made of it
	case errors.Is(err, store.ErrUnavailable):
		return http.StatusServiceUnavailable, map[string]string{"error": "temporarily_unavailable", "error_description": "The server's database does not answer"}
	case errors.Is(err, store.ErrText):
		return http.StatusBadRequest, map[string]string{"error": "invalid_request", "error_description": "A text with a NUL byte or broken UTF-8"}
	}
	if e, ok := errors.AsType[refusal](err); ok {
		if e.message {
			return e.status, map[string]string{"errorMessage": e.text}
		}
		return plain(e.status, e.text)
	}
	if e, ok := errors.AsType[oauthError](err); ok {
		return e.status, map[string]string{"error": e.code, "error_description": e.description}
	}
	if e, ok := errors.AsType[*store.ConflictError](err); ok {
		return http.StatusConflict, map[string]string{"errorMessage": conflictText(e)}
	}
	if e, ok := errors.AsType[*manage.InvalidError](err); ok {
		return http.StatusBadRequest, invalid(e)
	}
	if e, ok := errors.AsType[*rep.UnknownError](err); ok {
		return plain(http.StatusBadRequest, e.Error())
	}
	if _, ok := errors.AsType[conflictOnPut](err); ok {
		return http.StatusConflict, map[string]string{"error": "conflict", "error_description": err.Error()}
	}
	switch {
	case errors.Is(err, errForbidden):
		return plain(http.StatusForbidden, "HTTP 403 Forbidden")
	case errors.Is(err, rep.ErrJSON):
		return http.StatusBadRequest, map[string]string{"error": "invalid_request", "error_description": "Cannot parse the JSON"}
	case errors.Is(err, rep.ErrType):
		return http.StatusBadRequest, map[string]string{"error": "unknown_error", "error_description": "Cannot parse the JSON"}
	case errors.Is(err, store.ErrNotFound):
		return plain(http.StatusNotFound, "HTTP 404 Not Found")
	case errors.Is(err, store.ErrConflict):
		return http.StatusConflict, map[string]string{"errorMessage": "Conflict detected. See logs for details"}
	}
	switch oauth.ReasonOf(err) {
	case oauth.TokenMissing, oauth.TokenInvalid, oauth.TokenSessionGone, oauth.TokenUserDisabled:
		return plain(http.StatusUnauthorized, "HTTP 401 Unauthorized")
	case oauth.InvalidOrigin:
		return plain(http.StatusForbidden, "Invalid origin")
	}
	return http.StatusInternalServerError, map[string]string{"error": "unknown_error", "error_description": "For more on this error consult the server log."}
}

func conflictText(e *store.ConflictError) string {
	switch e.Field {
	case "realm":
		return "Realm " + e.Value + " already exists"
	case "clientId":
		return "Client " + e.Value + " already exists"
	case "role":
		return "Role with name " + e.Value + " already exists"
	case "scope":
		return "Client Scope " + e.Value + " already exists"
	}
	return "User exists with same " + e.Field
}

func invalid(e *manage.InvalidError) any {
	if len(e.All) > 1 {
		var all []any
		for _, one := range e.All {
			all = append(all, invalid(one))
		}
		return map[string]any{"errors": all}
	}
	if strings.HasPrefix(e.Text, "Character '/'") || strings.HasSuffix(e.Text, "assword not allowed") || e.Text == "No password provided" {
		return map[string]string{"error": e.Text}
	}
	if len(e.Params) > 0 {
		return map[string]any{"field": e.Field, "errorMessage": e.Text, "params": e.Params}
	}
	if strings.Contains(e.Text, "URI") || strings.Contains(e.Text, "URL") || strings.HasPrefix(e.Text, "Client ID") || strings.HasPrefix(e.Text, "Invalid protocol") {
		return map[string]string{"error": "invalid_input", "error_description": e.Text}
	}
	return map[string]string{"errorMessage": e.Text}
}
