// Package session is the browser's side of a login: Keycloak's cookies, their
// values and flags, and the session they stand for.
//
// It decides nothing: how long a session lives is flow's answer. journey and
// logout call it.
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/flow"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/urls"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Keycloak's cookie names.
const (
	browserCookie  = "AUTH_SESSION_ID"   // binds the logins under way to this browser
	identityCookie = "KEYCLOAK_IDENTITY" // proves the session
	iframeCookie   = "KEYCLOAK_SESSION"  // read by the session iframe; grants nothing
)

// Cookies reads and writes the cookies of one realm.
type Cookies struct {
	Store *store.Store
	Now   func() time.Time
}

// Value is a random value of a cookie, with the hash that is stored.
type Value struct {
	Text string
	Hash []byte
}

// NewValue makes a value of 256 random bits.
func NewValue() Value {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return valueOf(base64.RawURLEncoding.EncodeToString(b))
}

func valueOf(text string) Value {
	sum := sha256.Sum256([]byte(text))
	return Value{Text: text, Hash: sum[:]}
}

// NewID is a session's id: 24 characters of base64url, as Keycloak's.
func NewID() string {
	b := make([]byte, 18)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Browser gives the browser's value; ok is false when it sent none.
func (c *Cookies) Browser(r *http.Request) (Value, bool) {
	return read(r, browserCookie)
}

// read takes a cookie only when its value has the form of ours.
func read(r *http.Request, name string) (Value, bool) {
	ck, err := r.Cookie(name)
	if err != nil || len(ck.Value) != 43 {
		return Value{}, false
	}
	return valueOf(ck.Value), true
}

// Current gives the session that the browser proves, nil without one. A session
// that is over is none.
func (c *Cookies) Current(ctx context.Context, r *http.Request, in *realm.Realm) (*realm.Session, error) {
	v, ok := read(r, identityCookie)
	if !ok {
		return nil, nil
	}
	s, err := c.Store.SessionByToken(ctx, in.ID, v.Hash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil || !flow.SessionLives(in, s, c.Now()) {
		return nil, err
	}
	return s, nil
}

// SetLanguage keeps the language that a person chose, as long as the browser runs.
func (c *Cookies) SetLanguage(w http.ResponseWriter, at urls.Realm, lang string) {
	http.SetCookie(w, c.cookie(at, web.LocaleCookie, lang, true, 0))
}

// SetBrowser binds the browser to a value.
func (c *Cookies) SetBrowser(w http.ResponseWriter, at urls.Realm, v Value) {
	http.SetCookie(w, c.cookie(at, browserCookie, v.Text, true, 0))
}

// Renew gives the browser a new value at the end of a session (S-42).
func (c *Cookies) Renew(w http.ResponseWriter, r *http.Request, in *realm.Realm, at urls.Realm) error {
	fresh := NewValue()
	if old, ok := c.Browser(r); ok {
		if err := c.Store.RenewBrowser(r.Context(), in.ID, old.Hash, fresh.Hash); err != nil {
			return err
		}
	}
	c.SetBrowser(w, at, fresh)
	return nil
}

// SetSession makes the browser prove a session. With remember-me the cookie
// outlives the browser, as long as the session can.
func (c *Cookies) SetSession(w http.ResponseWriter, at urls.Realm, in *realm.Realm, s *realm.Session, v Value) {
	_, most := flow.SessionLimits(in, s)
	keep := time.Duration(0)
	if s.RememberMe {
		keep = most
	}
	http.SetCookie(w, c.cookie(at, identityCookie, v.Text, true, keep))
	sum := sha512.Sum384([]byte(s.ID))
	http.SetCookie(w, c.cookie(at, iframeCookie, base64.RawURLEncoding.EncodeToString(sum[:]), false, most))
}

// Clear takes the session's cookies away.
func (c *Cookies) Clear(w http.ResponseWriter, at urls.Realm) {
	for name, httpOnly := range map[string]bool{identityCookie: true, iframeCookie: false} {
		ck := c.cookie(at, name, "", httpOnly, 0)
		ck.MaxAge, ck.Expires = -1, time.Unix(1, 0) // both: not every client reads Max-Age
		http.SetCookie(w, ck)
	}
}

// cookie has the flags of the origin. On https it is sent cross-site, because
// keycloak-js, form_post and cross-site logout need it: the defence against
// forgery is the form token. Plain http is for loopback alone.
func (c *Cookies) cookie(at urls.Realm, name, value string, httpOnly bool, keep time.Duration) *http.Cookie {
	ck := &http.Cookie{Name: name, Value: value, Path: at.CookiePath(), HttpOnly: httpOnly, SameSite: http.SameSiteLaxMode, MaxAge: int(keep / time.Second)}
	if strings.HasPrefix(at.Origin, "https://") {
		ck.Secure, ck.SameSite = true, http.SameSiteNoneMode
	}
	return ck
}
