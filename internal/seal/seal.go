// Package seal seals values: what goes into cookies and states, and the secrets
// that administrators read back, is encrypted and authenticated with keys that
// can rotate.
//
// It stores nothing and knows no HTTP. The relying party's cookies, the store's
// sealed columns and the form tokens of the login pages call it.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MinSecret is the least length of a secret, in bytes.
const MinSecret = 32

// Errors of this package. ErrOpen is the one answer to every value that does
// not open, so that an attacker learns nothing from the difference.
var (
	ErrShortKey   = errors.New("seal: a key needs at least 32 bytes")
	ErrExampleKey = errors.New("seal: this key stands in an example; make one of your own, for example with `openssl rand -base64 32`")
	ErrNoKey      = errors.New("seal: there is no key")
	ErrOpen       = errors.New("seal: the value does not open with any key")
)

// A sealed value is version ‖ key id ‖ nonce ‖ ciphertext.
const (
	version  = 1
	idSize   = 4
	headSize = 1 + idSize
)

type key struct {
	id   [idSize]byte
	aead cipher.AEAD
	mac  []byte
}

// Ring holds keys, newest first: the newest seals, every one opens. The zero
// value opens nothing and refuses to seal. It is safe for concurrent use.
type Ring struct{ keys []key }

// NewRing makes a ring from secrets of at least MinSecret bytes, newest first.
// It returns ErrShortKey, ErrExampleKey or ErrNoKey.
func NewRing(secrets ...[]byte) (*Ring, error) {
	if len(secrets) == 0 {
		return nil, ErrNoKey
	}
	r := &Ring{}
	for _, s := range secrets {
		k, err := newKey(s)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, k)
	}
	return r, nil
}

// RandomSecret is a new secret for NewRing.
func RandomSecret() []byte {
	b := make([]byte, MinSecret)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return b
}

func newKey(secret []byte) (key, error) {
	if len(secret) < MinSecret {
		return key{}, ErrShortKey
	}
	if isExample(secret) {
		return key{}, ErrExampleKey
	}
	enc, err1 := hkdf.Key(sha256.New, secret, nil, "latchkey seal v1 encrypt", 32)
	mac, err2 := hkdf.Key(sha256.New, secret, nil, "latchkey seal v1 mac", 32)
	id, err3 := hkdf.Key(sha256.New, secret, nil, "latchkey seal v1 id", idSize)
	if err := errors.Join(err1, err2, err3); err != nil {
		return key{}, fmt.Errorf("seal: %w", err)
	}
	block, err := aes.NewCipher(enc)
	if err != nil {
		return key{}, fmt.Errorf("seal: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return key{}, fmt.Errorf("seal: %w", err)
	}
	return key{id: [idSize]byte(id), aead: aead, mac: mac}, nil
}

// isExample finds keys nobody may rely on: one repeated byte, or the words of
// documentation ("your-random-secret" stands in the guide).
func isExample(secret []byte) bool {
	if len(slices.Compact(slices.Clone(secret))) == 1 {
		return true
	}
	low := strings.ToLower(string(secret))
	for _, word := range []string{"your-random-secret", "change-me", "changeme", "change_me", "example", "replace-me", "secret-key", "0123456789abcdef0123456789abcdef"} {
		if strings.Contains(low, word) {
			return true
		}
	}
	return false
}

// ID names the newest key: 8 hexadecimal digits, "" for an empty ring.
func (r *Ring) ID() string {
	if len(r.keys) == 0 {
		return ""
	}
	return hex.EncodeToString(r.keys[0].id[:])
}

// Seal encrypts plain with the newest key. ad is what the value belongs to
// (cookie name and purpose; table, row and column): it opens only with the same.
func (r *Ring) Seal(plain []byte, ad ...string) ([]byte, error) {
	if len(r.keys) == 0 {
		return nil, ErrNoKey
	}
	k := r.keys[0]
	out := append([]byte{version}, k.id[:]...)
	return k.aead.Seal(out, nil, plain, join(ad)), nil
}

// Open decrypts a sealed value, or returns ErrOpen.
func (r *Ring) Open(sealed []byte, ad ...string) ([]byte, error) {
	if len(sealed) < headSize || sealed[0] != version {
		return nil, ErrOpen
	}
	for _, k := range r.keys {
		if !hmac.Equal(k.id[:], sealed[1:headSize]) {
			continue
		}
		if plain, err := k.aead.Open(nil, nil, sealed[headSize:], join(ad)); err == nil {
			return plain, nil
		}
	}
	return nil, ErrOpen
}

// SealString is Seal in base64url without padding, for cookies and URLs.
func (r *Ring) SealString(plain []byte, ad ...string) (string, error) {
	b, err := r.Seal(plain, ad...)
	return base64.RawURLEncoding.EncodeToString(b), err
}

// OpenString opens what SealString made, or returns ErrOpen.
func (r *Ring) OpenString(sealed string, ad ...string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil {
		return nil, ErrOpen
	}
	return r.Open(b, ad...)
}

// MAC is an HMAC-SHA256 over the parts with the newest key. An empty ring
// gives nil, which CheckMAC never accepts.
func (r *Ring) MAC(parts ...string) []byte {
	if len(r.keys) == 0 {
		return nil
	}
	return sum(r.keys[0].mac, parts)
}

// CheckMAC reports in constant time whether mac is MAC of the parts with any
// key of the ring.
func (r *Ring) CheckMAC(mac []byte, parts ...string) bool {
	ok := false
	for _, k := range r.keys {
		ok = hmac.Equal(mac, sum(k.mac, parts)) || ok
	}
	return ok
}

func sum(key []byte, parts []string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(join(parts))
	return h.Sum(nil)
}

// join writes every part with its length, so that ("ab","c") and ("a","bc")
// are different.
func join(parts []string) []byte {
	var out []byte
	for _, p := range parts {
		out = binary.BigEndian.AppendUint64(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}
