package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/latchkey-id/latchkey/internal/seal"
)

func ring(t *testing.T, secrets ...[]byte) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNewRingRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		secret []byte
		want   error
	}{
		{"31 bytes", seal.RandomSecret()[:31], seal.ErrShortKey},
		{"one byte repeated", bytes.Repeat([]byte{7}, 32), seal.ErrExampleKey},
		{"the guide's key", []byte("your-random-secret-your-random-secret"), seal.ErrExampleKey},
		{"a key from documentation", []byte("0123456789abcdef0123456789abcdef"), seal.ErrExampleKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := seal.NewRing(c.secret); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if _, err := seal.NewRing(); !errors.Is(err, seal.ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
}

func TestRotation(t *testing.T) {
	older, newer := seal.RandomSecret(), seal.RandomSecret()
	sealed, err := ring(t, older).SealString([]byte("hello"), "cookie", "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		ring *seal.Ring
		ad   []string
		ok   bool
	}{
		{"the same key", ring(t, older), []string{"cookie", "a"}, true},
		{"a newer key in front", ring(t, newer, older), []string{"cookie", "a"}, true},
		{"the older key gone", ring(t, newer), []string{"cookie", "a"}, false},
		{"another name", ring(t, older), []string{"cookie", "b"}, false},
		{"the same letters in other parts", ring(t, older), []string{"cookiea"}, false},
		{"an empty ring", &seal.Ring{}, []string{"cookie", "a"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			plain, err := c.ring.OpenString(sealed, c.ad...)
			if c.ok != (err == nil && string(plain) == "hello") {
				t.Errorf("got %q, %v", plain, err)
			}
			if !c.ok && !errors.Is(err, seal.ErrOpen) {
				t.Errorf("error %v, want the one ErrOpen", err)
			}
		})
	}
}

func TestMAC(t *testing.T) {
	older, newer := seal.RandomSecret(), seal.RandomSecret()
	mac := ring(t, older).MAC("request", "step")
	for _, c := range []struct {
		name  string
		ring  *seal.Ring
		parts []string
		want  bool
	}{
		{"right", ring(t, older), []string{"request", "step"}, true},
		{"after rotation", ring(t, newer, older), []string{"request", "step"}, true},
		{"another key", ring(t, newer), []string{"request", "step"}, false},
		{"another step", ring(t, older), []string{"request", "other"}, false},
		{"empty ring", &seal.Ring{}, []string{"request", "step"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.ring.CheckMAC(mac, c.parts...); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
	if (&seal.Ring{}).CheckMAC(nil, "x") {
		t.Error("an empty ring accepts an empty MAC")
	}
}

func FuzzOpen(f *testing.F) {
	r, err := seal.NewRing(seal.RandomSecret())
	if err != nil {
		f.Fatal(err)
	}
	good, err := r.Seal([]byte("x"), "a")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, "a")
	f.Add(good[:len(good)-1], "a")
	f.Add(good, "b")
	f.Fuzz(func(t *testing.T, sealed []byte, ad string) {
		if _, err := r.Open(sealed, ad); err == nil && !(bytes.Equal(sealed, good) && ad == "a") {
			t.Errorf("a forged value opens: %x", sealed)
		}
	})
}
