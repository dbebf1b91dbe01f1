package authorize

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/ui"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Respond writes the outcome of a login to the client. journey calls it.
func (e *Endpoint) Respond(w http.ResponseWriter, r *http.Request, v *journey.Visit, o journey.Outcome) error {
	return e.respond(w, r, v, o)
}

func (e *Endpoint) respond(w http.ResponseWriter, r *http.Request, v *journey.Visit, o journey.Outcome) error {
	w.Header().Set("Cache-Control", "no-store, must-revalidate, max-age=0")
	params := answerParams(v, o)
	target := withoutAnswer(v.Request.Params.RedirectURI)
	switch mode(v) {
	case "form_post":
		return web.WritePage(w, r, http.StatusOK, ui.PostPage{Lang: web.Language(r, v.Request.Params.UILocales), RealmName: v.Realm.Title(), Action: target, Fields: params})
	case "fragment":
		return redirect(w, target+"#"+encode(params))
	}
	return redirect(w, withQuery(target, params))
}

// mode: "the default Response Mode ... for the code is the query" (OAuth 2.0
// Multiple Response Type Encoding Practices, 2.1); with a token, the fragment.
func mode(v *journey.Visit) string {
	p := v.Request.Params
	if p.ResponseMode == "" && hasToken(p.ResponseType, "token", "id_token") {
		return "fragment"
	}
	return p.ResponseMode
}

// answerParams are the parameters in Keycloak's order. iss is in every answer,
// errors included (RFC 9207, section 2), unless the client attribute says no.
func answerParams(v *journey.Visit, o journey.Outcome) []ui.Detail {
	var out []ui.Detail
	add := func(name, value string) { out = append(out, ui.Detail{Name: name, Value: value}) }
	if o.Err != nil {
		a := oauth.AnswerTo(o.Err)
		add("error", a.Code)
		if a.Description != "" {
			add("error_description", a.Description)
		}
	}
	if v.Request.Params.StateSent {
		add("state", v.Request.Params.State)
	}
	if o.Err == nil && v.Client.Attributes["exclude.session.state.from.auth.response"] != "true" {
		add("session_state", o.SessionID)
	}
	if v.Client.Attributes["exclude.issuer.from.auth.response"] != "true" {
		add("iss", v.At.Issuer())
	}
	if o.Err == nil {
		add("code", o.Code)
	}
	return out
}

func encode(params []ui.Detail) string {
	var parts []string
	for _, p := range params {
		parts = append(parts, url.QueryEscape(p.Name)+"="+url.QueryEscape(p.Value))
	}
	return strings.Join(parts, "&")
}

// withQuery adds the answer to a redirect URI's own query.
func withQuery(target string, params []ui.Detail) string {
	base, query, _ := strings.Cut(target, "?")
	if query != "" {
		query += "&"
	}
	return base + "?" + query + encode(params)
}

// withoutAnswer drops from a redirect URI's own query what is named like an answer,
// so that nobody can shadow code, state or iss (A10), however the answer travels:
// many applications read query and form as one.
func withoutAnswer(target string) string {
	base, query, has := strings.Cut(target, "?")
	if !has {
		return target
	}
	own := []string{}
	for _, pair := range strings.Split(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if n, err := url.QueryUnescape(name); err == nil && pair != "" && !isAnswer(n) {
			own = append(own, pair)
		}
	}
	return base + "?" + strings.Join(own, "&")
}

func isAnswer(name string) bool {
	switch name {
	case "code", "state", "iss", "error", "error_description", "session_state", "access_token", "id_token", "token_type", "expires_in":
		return true
	}
	return false
}

// redirect is 302, never 307 or 308: those would send the password on (S-07).
func redirect(w http.ResponseWriter, to string) error {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
	return nil
}
