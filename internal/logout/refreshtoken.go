package logout

import (
	"net/http"
	"net/url"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/token"
	"github.com/latchkey-id/latchkey/internal/web"
)

// byRefreshToken is Keycloak's logout of adapters without a browser: 204, also
// when the session is gone already.
func (e *Endpoint) byRefreshToken(w http.ResponseWriter, r *http.Request, form url.Values) error {
	in, at, err := e.Realms.Resolve(r)
	if err != nil {
		return err
	}
	client, err := e.Clients.Authenticate(r.Context(), r, form, in)
	if err != nil {
		return err
	}
	if err := web.AllowOrigin(w, r, token.WebOrigins(client)); err != nil {
		return err
	}
	t, err := e.Issuer.ParseRefresh(r.Context(), in, at.Origin, form.Get("refresh_token"))
	if err != nil {
		return err
	}
	if t.ClientID != client.ClientID {
		return oauth.Refuse(oauth.RefreshWrongClient, "")
	}
	if err := e.Store.EndSession(r.Context(), in.ID, t.SessionID); err != nil {
		return err
	}
	e.Audit.Record(r.Context(), in, realm.Event{Type: audit.Logout, ClientID: client.ClientID, SessionID: t.SessionID, IP: web.RealIP(r.Context())})
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
