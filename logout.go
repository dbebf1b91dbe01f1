package latchkey

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"

	"github.com/latchkey-id/latchkey/internal/ui"
)

// Logout ends both sessions: the application's at once, the provider's by sending
// the person there and back to "/". A GET acts at once when it was made on this
// site; a link on another site only gets a button (P9). A POST from another site
// is refused.
func (a *Auth) Logout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	s, err := a.current(r)
	if err != nil {
		a.fail(w, r, reasonStore, err)
		return
	}
	ownSite := slices.Contains([]string{"", "none", "same-origin"}, r.Header.Get("Sec-Fetch-Site"))
	switch {
	case s == nil:
		http.Redirect(w, r, "/", http.StatusFound)
	case r.Method == http.MethodGet && ownSite:
		a.logOut(w, r, s)
	case r.Method == http.MethodGet:
		a.logoutButton(w, r, s)
	case r.Method == http.MethodPost && a.mayPost(r, s):
		a.logOut(w, r, s)
	default:
		a.fail(w, r, reasonForged, nil)
	}
}

// mayPost: the form's own token, or a browser that says the form is ours. A
// request without Fetch Metadata is a program's or an old browser's: it needs the token.
func (a *Auth) mayPost(r *http.Request, s *session) bool {
	if r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		return true
	}
	r.Body = http.MaxBytesReader(nil, r.Body, maxCallback)
	mac, err := base64.RawURLEncoding.DecodeString(r.PostFormValue("token"))
	return err == nil && a.ring.CheckMAC(mac, "logout", s.ID)
}

func (a *Auth) logoutButton(w http.ResponseWriter, r *http.Request, s *session) {
	words := ui.MessagesFor(language(r))
	token := base64.RawURLEncoding.EncodeToString(a.ring.MAC("logout", s.ID))
	a.page(w, r, http.StatusOK, ui.AppPage{Lang: words.Lang, App: a.callback.Host, Heading: words.LoggingOut, Text: words.ReallyLogOut,
		Form: &ui.Form{Action: logoutPath, Token: token, Button: words.LogOut}})
}

// logOut ends the application's session first: whatever happens on the way to the
// provider, this one is over.
func (a *Auth) logOut(w http.ResponseWriter, r *http.Request, s *session) {
	if err := a.keep.drop(w, r, s); err != nil {
		a.fail(w, r, reasonStore, err)
		return
	}
	a.clearLoop(w, r)
	m, err := a.provider.metadata(r.Context())
	if err != nil || m.EndSession == "" {
		a.cfg.Logger.WarnContext(r.Context(), "latchkey: only the application's session has ended", "err", err)
		http.Redirect(w, r, "/", http.StatusFound)
		return
	}
	t := transaction{State: random(), Logout: true, Started: a.cfg.Now()}
	if err := a.saveTransaction(w, r, t); err != nil {
		a.fail(w, r, reasonInternal, err)
		return
	}
	http.Redirect(w, r, addQuery(m.EndSession, url.Values{"id_token_hint": {s.IDToken}, "client_id": {a.cfg.ClientID},
		"post_logout_redirect_uri": {a.cfg.PostLogoutRedirectURI}, "state": {t.State}}), http.StatusFound)
}
