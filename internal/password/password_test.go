package password

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// cheap keeps the race detector's run short; the full cost is what
// BenchmarkVerify measures.
func cheap() Cost { return Cost{MemoryKiB: 64, Time: 1, Threads: 1} }

// The hashes of an unchanged Keycloak export verify as they are.
func TestHashesOfKeycloak(t *testing.T) {
	b, err := os.ReadFile("../manage/testdata/keycloak-26.7.4-realm.json")
	if err != nil {
		t.Fatal(err)
	}
	var realm struct {
		Users []struct {
			Username    string
			Credentials []struct{ CredentialData, SecretData string }
		}
	}
	if err := json.Unmarshal(b, &realm); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, u := range realm.Users {
		for _, c := range u.Credentials {
			n++
			h := Hash{Data: c.CredentialData, Secret: c.SecretData}
			for pw, want := range map[string]bool{u.Username + "-password": true, u.Username + "-passwore": false, "": false} {
				ok, rehash, err := verify(pw, h, Keycloak())
				if err != nil || ok != want {
					t.Errorf("%s with %q: %v, %v", u.Username, pw, ok, err)
				}
				if wantRehash := !strings.Contains(h.Data, "argon2"); rehash != wantRehash {
					t.Errorf("%s: rehash %v", u.Username, rehash)
				}
			}
		}
	}
	if n != 6 {
		t.Fatalf("%d hashes in the file, want 6", n)
	}
}

func TestVerifyRefuses(t *testing.T) {
	good, err := hashNew("secret", cheap())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		h    Hash
		want error // nil: any
	}{
		{"unknown algorithm", Hash{strings.Replace(good.Data, "argon2", "bcrypt", 1), good.Secret}, ErrUnknown},
		{"no salt", Hash{good.Data, `{"value":"` + strings.Repeat("A", 44) + `","salt":""}`}, ErrUnknown},
		{"an empty value accepts everything", Hash{good.Data, `{"value":"","salt":"AAAA"}`}, ErrUnknown},
		{"memory of a terabyte", Hash{strings.Replace(good.Data, `"64"`, `"1073741824"`, 1), good.Secret}, ErrUnknown},
		{"iterations without end", Hash{strings.Replace(good.Data, `"hashIterations":1`, `"hashIterations":2000000000`, 1), good.Secret}, ErrUnknown},
		{"argon2d", Hash{strings.Replace(good.Data, `"id"`, `"d"`, 1), good.Secret}, ErrUnknown},
		{"not JSON", Hash{"{", good.Secret}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			ok, _, err := verify("secret", c.h, cheap())
			if ok || err == nil || (c.want != nil && !errors.Is(err, c.want)) {
				t.Errorf("got %v, %v", ok, err)
			}
			if Usable(c.h) == nil {
				t.Error("an import would take it")
			}
		})
	}
}

func TestLongPasswords(t *testing.T) {
	long := strings.Repeat("x", MaxBytes+1)
	if _, err := hashNew(long, cheap()); !errors.Is(err, ErrTooLong) {
		t.Errorf("hashed: %v", err)
	}
	h, err := hashNew(long[:MaxBytes], cheap())
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := verify(long, h, cheap()); ok || err != nil {
		t.Errorf("a longer password counts as its beginning: %v, %v", ok, err)
	}
	// CVE-2025-22228: every byte counts, the 73rd and the last too.
	for _, at := range []int{71, 72, 73, MaxBytes - 1} {
		other := []byte(long[:MaxBytes])
		other[at] = 'y'
		if ok, _, err := verify(string(other), h, cheap()); ok || err != nil {
			t.Errorf("byte %d does not count: %v, %v", at+1, ok, err)
		}
	}
}

func TestPoolIsBusyAfterItsWait(t *testing.T) {
	p, err := NewPool(1, cheap())
	if err != nil {
		t.Fatal(err)
	}
	leave, err := p.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	began := time.Now()
	if _, err := p.Hash(t.Context(), "x"); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
	if time.Since(began) > 2*maxWait {
		t.Error("waited too long")
	}
}

func BenchmarkVerify(b *testing.B) {
	h, err := hashNew("secret", Keycloak())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, _, err := verify("secret", h, Keycloak()); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// S-82: nobody's hash costs the same and nobody has its password.
func TestNobodysHashIsVerifiedAtTheSameCost(t *testing.T) {
	h, err := nobodysHash(cheap())
	if err != nil {
		t.Fatal(err)
	}
	if ok, rehash, err := verify("", h, cheap()); ok || rehash || err != nil {
		t.Errorf("got %v, rehash %v, %v", ok, rehash, err)
	}
	p, err := NewPool(1, cheap())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.VerifyNobody(t.Context(), "x"); err != nil {
		t.Error(err)
	}
}
