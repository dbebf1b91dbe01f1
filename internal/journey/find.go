package journey

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/urls"
)

// Find loads the login that a form or a link belongs to, if this browser began
// it. One that has expired begins again (Visit.Stale). Reasons: CookieMissing,
// RequestUnknown.
func (j *Journey) Find(r *http.Request, in *realm.Realm, id string) (*Visit, error) {
	browser, ok := j.Cookies.Browser(r)
	if !ok {
		return nil, oauth.Refuse(oauth.CookieMissing, "")
	}
	req, stale, err := j.request(r.Context(), in, id, browser)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(req.BrowserHash, browser.Hash) != 1 {
		return nil, oauth.Refuse(oauth.CookieMissing, "the request belongs to another browser, or to this one before its last login")
	}
	client, err := j.Store.ClientByID(r.Context(), in.ID, req.ClientID)
	if err != nil {
		return nil, err
	}
	v := &Visit{Realm: in, At: urls.Realm{Origin: req.Origin, Name: in.Name}, Client: client, Request: req, Browser: browser, Stale: stale}
	if err := j.loadSession(r, v); err != nil || req.State != realm.RequestActing {
		return v, err
	}
	return v, j.loadProved(r.Context(), v)
}

// request loads a request. Who comes back to a page that stood open for too long
// is not sent away: the stored request begins again, and nothing of the browser's
// makes a part of it (S-16).
func (j *Journey) request(ctx context.Context, in *realm.Realm, id string, browser session.Value) (req *realm.AuthRequest, stale oauth.Reason, err error) {
	req, err = j.Store.AuthRequest(ctx, in.ID, id)
	if errors.Is(err, store.ErrNotFound) {
		stale = oauth.RequestExpired
		if err = j.Store.RestartAuthRequest(ctx, in.ID, id, browser.Hash, realm.Seconds(in.Lifespans.AccessCodeLogin)); err == nil {
			req, err = j.Store.AuthRequest(ctx, in.ID, id)
		}
	}
	if errors.Is(err, store.ErrUsed) || errors.Is(err, store.ErrNotFound) {
		return nil, "", oauth.RefuseBecause(oauth.RequestUnknown, err)
	}
	return req, stale, err
}

// loadProved takes the user who proved themselves in this login. A proof from
// before a change of the user by somebody else is worth nothing: the password may
// have been taken away since.
func (j *Journey) loadProved(ctx context.Context, v *Visit) error {
	u, err := j.Store.UserByID(ctx, v.Realm.ID, v.Request.UserID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && u.Gate == v.Request.UserGate {
		v.User = u
		return nil
	}
	return j.reopen(ctx, v)
}

func (j *Journey) reopen(ctx context.Context, v *Visit) error {
	err := j.Store.ReopenAuthRequest(ctx, v.Realm.ID, v.Request.ID, v.Browser.Hash)
	if errors.Is(err, store.ErrUsed) {
		return oauth.RefuseBecause(oauth.RequestUnknown, err)
	}
	v.Request.State, v.Request.UserID = realm.RequestOpen, ""
	return err
}
