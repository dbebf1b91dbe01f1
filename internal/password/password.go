// Package password hashes and verifies passwords: argon2id with Keycloak's
// parameters for new ones, and every hash that Keycloak writes for imported ones.
//
// A Pool is the one place where hashing happens: as many at once as there are
// processors, so that a flood of logins leaves everything else alive (S-81). It
// knows no users and stores nothing; journey, the password grant and manage
// call it.
package password

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1" // #nosec G505 -- only to verify hashes that Keycloak wrote with it
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strconv"

	"golang.org/x/crypto/argon2"
)

// MaxBytes is the longest password that is hashed: hashing costs nothing more
// for a long one, reading it does.
const MaxBytes = 256

// Errors of this package.
var (
	ErrTooLong = errors.New("password: longer than 256 bytes")
	ErrUnknown = errors.New("password: a hash of an unknown kind")
	ErrBusy    = errors.New("password: too many logins at once")
)

// Cost are the parameters of argon2id. The zero value is not usable: see Keycloak.
type Cost struct {
	MemoryKiB uint32
	Time      uint32
	Threads   uint8
}

// Keycloak is the cost that Keycloak 26 uses, which OWASP lists as equal to
// 19 MiB and two passes (S-80).
func Keycloak() Cost { return Cost{MemoryKiB: 7168, Time: 5, Threads: 1} }

// Hash is a stored password: the two JSON documents of a Keycloak credential.
type Hash struct {
	Data   string // credentialData: algorithm and parameters
	Secret string // secretData: value and salt
}

type data struct {
	HashIterations       int                 `json:"hashIterations"`
	Algorithm            string              `json:"algorithm"`
	AdditionalParameters map[string][]string `json:"additionalParameters"`
}

type secret struct {
	Value                []byte              `json:"value"`
	Salt                 []byte              `json:"salt"`
	AdditionalParameters map[string][]string `json:"additionalParameters"`
}

const (
	keyBytes  = 32
	saltBytes = 16
)

// hashNew hashes a password with a fresh salt.
func hashNew(password string, c Cost) (Hash, error) {
	if len(password) > MaxBytes {
		return Hash{}, ErrTooLong
	}
	salt := random(saltBytes)
	return encodeHash(salt, argon2.IDKey([]byte(password), salt, c.Time, c.MemoryKiB, c.Threads, keyBytes), c)
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func encodeHash(salt, value []byte, c Cost) (Hash, error) {
	d, err1 := json.Marshal(data{HashIterations: int(c.Time), Algorithm: "argon2", AdditionalParameters: map[string][]string{
		"hashLength": {strconv.Itoa(keyBytes)}, "memory": {strconv.Itoa(int(c.MemoryKiB))}, "type": {"id"}, "version": {"1.3"},
		"parallelism": {strconv.Itoa(int(c.Threads))},
	}})
	s, err2 := json.Marshal(secret{Value: value, Salt: salt, AdditionalParameters: map[string][]string{}})
	return Hash{Data: string(d), Secret: string(s)}, errors.Join(err1, err2)
}

// verify compares a password with a stored hash, in constant time. rehash says
// that the hash is of another kind or cost than new ones.
func verify(password string, h Hash, c Cost) (ok, rehash bool, err error) {
	if len(password) > MaxBytes {
		return false, false, nil
	}
	d, s, derive, err := read(h)
	if err != nil {
		return false, false, err
	}
	derived, err := derive(password)
	if err != nil {
		return false, false, err
	}
	return subtle.ConstantTimeCompare(derived, s.Value) == 1, !isCurrent(d, c), nil
}

func isCurrent(d data, c Cost) bool {
	return d.Algorithm == "argon2" && d.HashIterations == int(c.Time) && parameter(d, "memory") == int(c.MemoryKiB)
}

// Bounds keep a hash from an imported file from taking the machine.
const (
	maxIterations = 10_000_000
	maxMemoryKiB  = 1 << 20
)

// deriver makes a password the value that is compared.
type deriver func(password string) ([]byte, error)

// read parses a stored hash and finds how it was made. It derives nothing: that
// takes as long as a login.
func read(h Hash) (d data, s secret, derive deriver, err error) {
	if err := errors.Join(json.Unmarshal([]byte(h.Data), &d), json.Unmarshal([]byte(h.Secret), &s)); err != nil {
		return d, s, nil, fmt.Errorf("%w: the credential does not parse: %w", ErrUnknown, err)
	}
	if d.HashIterations < 1 || d.HashIterations > maxIterations || len(s.Value) < 16 || len(s.Value) > 512 || len(s.Salt) == 0 {
		return d, s, nil, fmt.Errorf("%w: parameters out of bounds", ErrUnknown)
	}
	switch d.Algorithm {
	case "argon2":
		derive, err = byArgon2(d, s)
	case "pbkdf2-sha512":
		derive = byPBKDF2(sha512.New, d, s)
	case "pbkdf2-sha256":
		derive = byPBKDF2(sha256.New, d, s)
	case "pbkdf2":
		derive = byPBKDF2(sha1.New, d, s)
	default:
		err = fmt.Errorf("%w: %q", ErrUnknown, d.Algorithm)
	}
	return d, s, derive, err
}

func byPBKDF2(h func() hash.Hash, d data, s secret) deriver {
	return func(password string) ([]byte, error) {
		return pbkdf2.Key(h, password, s.Salt, d.HashIterations, len(s.Value))
	}
}

func byArgon2(d data, s secret) (deriver, error) {
	memory, threads := parameter(d, "memory"), parameter(d, "parallelism")
	if memory < 8 || memory > maxMemoryKiB || threads < 1 || threads > 255 || d.HashIterations > 100 {
		return nil, fmt.Errorf("%w: argon2 parameters out of bounds", ErrUnknown)
	}
	if v := first(d, "version"); v != "" && v != "1.3" {
		return nil, fmt.Errorf("%w: argon2 version %q", ErrUnknown, v)
	}
	key := argon2.IDKey
	switch kind := first(d, "type"); kind {
	case "id", "":
	case "i":
		key = argon2.Key
	default:
		return nil, fmt.Errorf("%w: argon2 type %q", ErrUnknown, kind)
	}
	return func(password string) ([]byte, error) {
		return key([]byte(password), s.Salt, uint32(d.HashIterations), uint32(memory), uint8(threads), uint32(len(s.Value))), nil // #nosec G115 -- bounded above
	}, nil
}

func first(d data, name string) string {
	if v := d.AdditionalParameters[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func parameter(d data, name string) int {
	n, err := strconv.Atoi(first(d, name))
	if err != nil {
		return 0
	}
	return n
}

// Usable reports whether a stored hash is of a kind that Verify understands, so
// that an import can say so before anybody fails to log in. It costs no hash: a
// file may hold a million.
func Usable(h Hash) error {
	_, _, _, err := read(h)
	return err
}
