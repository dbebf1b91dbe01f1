package latchkey

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// session is one login of the application.
type session struct {
	ID      string         `json:"i"`
	Claims  map[string]any `json:"c"`
	IDToken string         `json:"h,omitempty"` // the hint of a logout
	Token   *oauth2.Token  `json:"t,omitempty"`
	Until   time.Time      `json:"u"`
}

// Limits of a session in cookies. Chrome drops a cookie of more than 4,096 bytes
// without a word, and a redirect loop follows.
const (
	chunkBytes = 3800
	maxChunks  = 4
	maxPlain   = 256 << 10
)

// tooLargeError says what a session would need, instead of a loop.
type tooLargeError struct {
	Bytes, Limit int
	Largest      string
}

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the session needs %d bytes, cookies hold %d; the largest claim is %q: map less into the ID token, or set Config.Store", e.Bytes, e.Limit, e.Largest)
}

// keeper keeps sessions: in cookies, or in a Store with an id in a cookie.
type keeper interface {
	load(r *http.Request) (*session, error) // nil without one
	save(w http.ResponseWriter, r *http.Request, s *session) error
	update(w http.ResponseWriter, r *http.Request, s *session) error // ErrNoSession: it was ended meanwhile
	drop(w http.ResponseWriter, r *http.Request, s *session) error
}

// cookieNames derives the names from client and redirect URI, so that two
// applications on localhost, which share cookies, do not share sessions.
func cookiePrefix(c *Config) string {
	sum := sha256.Sum256([]byte(c.ClientID + "\x00" + c.RedirectURI))
	name := "latchkey-" + hex.EncodeToString(sum[:4]) + "-"
	if strings.HasPrefix(c.RedirectURI, "https://") {
		return "__Host-" + name
	}
	return name
}

func (a *Auth) cookie(name, value string, keep time.Duration) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteLaxMode, MaxAge: int(keep / time.Second)}
}

func (a *Auth) expire(w http.ResponseWriter, name string) {
	c := a.cookie(name, "", 0)
	c.MaxAge, c.Expires = -1, time.Unix(1, 0) // both: not every client reads Max-Age
	http.SetCookie(w, c)
}

// pack seals and compresses a session.
func (a *Auth) pack(s *session, purpose string) ([]byte, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("latchkey: %w", err)
	}
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("latchkey: %w", err)
	}
	_, werr := z.Write(plain)
	if err := errors.Join(werr, z.Close()); err != nil {
		return nil, fmt.Errorf("latchkey: %w", err)
	}
	return a.ring.Seal(b.Bytes(), "session", purpose)
}

// unpack opens a session; what does not open, or is over, is none.
func (a *Auth) unpack(sealed []byte, purpose string) *session {
	b, err := a.ring.Open(sealed, "session", purpose)
	if err != nil {
		return nil
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), maxPlain))
	if err != nil {
		return nil
	}
	var s session
	if json.Unmarshal(plain, &s) != nil || !a.cfg.Now().Before(s.Until) {
		return nil
	}
	return &s
}

// cookieKeeper keeps whole sessions in cookies, in chunks.
type cookieKeeper struct{ a *Auth }

func (k cookieKeeper) name(i int) string { return k.a.prefix + "s" + strconv.Itoa(i) }

func (k cookieKeeper) load(r *http.Request) (*session, error) {
	var text strings.Builder
	for i := range maxChunks {
		c, err := r.Cookie(k.name(i))
		if err != nil {
			break
		}
		text.WriteString(c.Value)
	}
	if text.Len() == 0 {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text.String())
	if err != nil {
		return nil, nil
	}
	return k.a.unpack(b, k.a.prefix), nil
}

func (k cookieKeeper) update(w http.ResponseWriter, r *http.Request, s *session) error {
	return k.save(w, r, s)
}

func (k cookieKeeper) save(w http.ResponseWriter, _ *http.Request, s *session) error {
	sealed, err := k.a.pack(s, k.a.prefix)
	if err != nil {
		return err
	}
	text := base64.RawURLEncoding.EncodeToString(sealed)
	if limit := chunkBytes * maxChunks; len(text) > limit {
		return &tooLargeError{Bytes: len(text), Limit: limit, Largest: largest(s.Claims)}
	}
	for i := range maxChunks {
		part := text[min(len(text), i*chunkBytes):min(len(text), (i+1)*chunkBytes)]
		if part != "" {
			http.SetCookie(w, k.a.cookie(k.name(i), part, s.Until.Sub(k.a.cfg.Now())))
		} else {
			k.a.expire(w, k.name(i)) // a chunk of a longer session would spoil this one
		}
	}
	return nil
}

func (k cookieKeeper) drop(w http.ResponseWriter, r *http.Request, _ *session) error {
	for i := range maxChunks {
		if _, err := r.Cookie(k.name(i)); err == nil {
			k.a.expire(w, k.name(i))
		}
	}
	return nil
}

func largest(claims map[string]any) string {
	name, most := "", 0
	for k, v := range claims {
		if b, err := json.Marshal(v); err == nil && len(b) > most {
			name, most = k, len(b)
		}
	}
	return name
}

// storeKeeper keeps sessions in a Store. The cookie holds a random id; the store
// sees its hash alone, so that whoever reads the store cannot be anybody.
type storeKeeper struct{ a *Auth }

func (k storeKeeper) name() string { return k.a.prefix + "id" }

func storeID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (k storeKeeper) load(r *http.Request) (*session, error) {
	c, err := r.Cookie(k.name())
	if err != nil || len(c.Value) > 100 {
		return nil, nil
	}
	b, err := k.a.cfg.Store.Load(r.Context(), storeID(c.Value))
	if errors.Is(err, ErrNoSession) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("latchkey: the session store: %w", err)
	}
	s := k.a.unpack(b, storeID(c.Value))
	if s != nil {
		s.ID = c.Value
	}
	return s, nil
}

// update writes a refreshed session only where there still is one: a logout that
// came between must not be undone (I4).
func (k storeKeeper) update(w http.ResponseWriter, r *http.Request, s *session) error {
	if _, err := k.a.cfg.Store.Load(r.Context(), storeID(s.ID)); err != nil {
		return fmt.Errorf("latchkey: the session store: %w", err)
	}
	return k.save(w, r, s)
}

func (k storeKeeper) save(w http.ResponseWriter, r *http.Request, s *session) error {
	sealed, err := k.a.pack(s, storeID(s.ID))
	if err != nil {
		return err
	}
	if err := k.a.cfg.Store.Save(r.Context(), storeID(s.ID), sealed, s.Until); err != nil {
		return fmt.Errorf("latchkey: the session store: %w", err)
	}
	http.SetCookie(w, k.a.cookie(k.name(), s.ID, s.Until.Sub(k.a.cfg.Now())))
	return nil
}

func (k storeKeeper) drop(w http.ResponseWriter, r *http.Request, s *session) error {
	k.a.expire(w, k.name())
	if s == nil {
		return nil
	}
	if err := k.a.cfg.Store.Delete(context.WithoutCancel(r.Context()), storeID(s.ID)); err != nil {
		return fmt.Errorf("latchkey: the session store: %w", err)
	}
	return nil
}

// random is 256 random bits in base64url.
func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// neededClaims leaves out what only the ID token itself needs: cookies are small.
func neededClaims(claims map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range claims {
		if !slices.Contains([]string{"exp", "iat", "jti", "nonce", "at_hash", "typ", "azp", "aud", "acr"}, k) {
			out[k] = v
		}
	}
	return out
}
