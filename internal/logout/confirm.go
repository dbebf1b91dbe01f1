package logout

import (
	"net/http"
	"net/url"
	"time"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/web"
)

// formToken seals what was asked, bound to the session it would end: the form
// carries it, and nothing of it can be changed on the way.
func (e *Endpoint) formToken(a *asked) (string, error) {
	v := url.Values{"client": {""}, "target": {a.target}, "state": {a.state}, "locales": {a.locales}, "session": {""}, "until": {e.Now().Add(10 * time.Minute).Format(time.RFC3339)}}
	if a.client != nil {
		v.Set("client", a.client.ClientID)
	}
	if a.current != nil {
		v.Set("session", a.current.ID)
	}
	return e.Seal.SealString([]byte(v.Encode()), "logout", a.realm.ID)
}

// confirm is the button. Reason: LogoutFailed.
func (e *Endpoint) confirm(w http.ResponseWriter, r *http.Request) error {
	in, at, err := e.Realms.Resolve(r)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(w, r)
	if err != nil {
		return err
	}
	plain, err := e.Seal.OpenString(form.Get("session_code"), "logout", in.ID)
	if err != nil {
		return oauth.RefuseBecause(oauth.LogoutFailed, err)
	}
	v, err := url.ParseQuery(string(plain))
	if err != nil {
		return oauth.RefuseBecause(oauth.LogoutFailed, err)
	}
	a := &asked{realm: in, at: at, target: v.Get("target"), state: v.Get("state"), locales: v.Get("locales")}
	if a.current, err = e.Cookies.Current(r.Context(), r, in); err != nil {
		return err
	}
	if err := e.sameAsShown(a, v); err != nil {
		return err
	}
	if err := e.checkClient(r.Context(), a, v.Get("client"), a.target != ""); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-cache")
	return e.finish(w, r, a)
}

// sameAsShown: the page was made for this session, a short time ago.
func (e *Endpoint) sameAsShown(a *asked, v url.Values) error {
	until, err := time.Parse(time.RFC3339, v.Get("until"))
	if err != nil || e.Now().After(until) {
		return oauth.Refuse(oauth.LogoutFailed, "the page is too old")
	}
	if a.current != nil && a.current.ID != v.Get("session") {
		return oauth.Refuse(oauth.LogoutFailed, "another session than when the page was shown")
	}
	return nil
}
