package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/latchkey-id/latchkey/internal/jose"
)

func algorithms() []string { return append(jose.SignatureAlgorithms(), jose.HS512) }

func material(k jose.Key) (private, public any) {
	if k.Secret != nil {
		return k.Secret, k.Secret
	}
	return k.Private, k.Public
}

// theirs signs with the JOSE library.
func theirs(t testing.TB, k jose.Key, payload []byte) string {
	t.Helper()
	private, _ := material(k)
	s, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.SignatureAlgorithm(k.Algorithm), Key: private}, (&gojose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	out, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// each gives a key for every algorithm; RSA keys are slow to make, and shared.
func each(t testing.TB) []jose.Key {
	rsa := key(t, jose.RS256)
	var out []jose.Key
	for _, a := range algorithms() {
		k := rsa
		if a[:2] != "RS" && a[:2] != "PS" {
			k = key(t, a)
		}
		k.Algorithm = a
		out = append(out, k)
	}
	return out
}

func passes(token string, k jose.Key) error {
	want := expected()
	want.Algorithms = algorithms()
	_, err := jose.Verify(token, jose.NewSet(k), want)
	return err
}

func TestSignaturesAsAnotherImplementation(t *testing.T) {
	payload, err := json.Marshal(claims())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range each(t) {
		a := k.Algorithm
		if err := passes(theirs(t, k, payload), k); err != nil {
			t.Errorf("%s: theirs does not pass here: %v", a, err)
		}
		ours, err := gojose.ParseSignedCompact(sign(t, k, claims()), []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(a)})
		if err != nil {
			t.Fatal(a, err)
		}
		_, public := material(k)
		if _, err := ours.Verify(public); err != nil {
			t.Errorf("%s: ours does not pass there: %v", a, err)
		}
	}
}

func TestChangedSignaturesAreRefused(t *testing.T) {
	others := each(t)
	for n, k := range each(t) {
		a := k.Algorithm
		good := sign(t, k, claims())
		end := strings.LastIndexByte(good, '.') + 1
		signature, err := base64.RawURLEncoding.DecodeString(good[end:])
		if err != nil {
			t.Fatal(err)
		}
		refuse := func(what string, signature []byte) {
			t.Helper()
			err := passes(good[:end]+base64.RawURLEncoding.EncodeToString(signature), k)
			if e, ok := errors.AsType[*jose.CheckError](err); !ok || e.Check != "signature" {
				t.Errorf("%s, %s: %v", a, what, err)
			}
		}
		if err := passes(good, k); err != nil {
			t.Fatal(a, err)
		}
		for i := 0; i < len(signature); i += 3 {
			other := append([]byte{}, signature...)
			other[i] ^= 1 << (i % 8)
			refuse("a bit changed", other)
		}
		refuse("empty", nil)
		refuse("zeros", make([]byte, len(signature)))
		refuse("one byte less", signature[:len(signature)-1])
		refuse("without its first byte", signature[1:])
		refuse("one byte more", append(append([]byte{}, signature...), 0))
		refuse("a zero before it", append([]byte{0}, signature...))
		refuse("twice", append(append([]byte{}, signature...), signature...))
		refuse("another key's", signatureOf(t, others[n]))
		if err := passes(good[:end-3]+"A."+good[end:], k); err == nil {
			t.Errorf("%s: a changed payload passes", a)
		}
	}
}

func signatureOf(t testing.TB, k jose.Key) []byte {
	t.Helper()
	s := sign(t, k, claims())
	b, err := base64.RawURLEncoding.DecodeString(s[strings.LastIndexByte(s, '.')+1:])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A signature in another form, or by another algorithm that the same key could be
// used with, is none.
func TestSignaturesOfAnotherFormAreRefused(t *testing.T) {
	rs, es := key(t, jose.RS256), key(t, jose.ES256)
	rs.Algorithm = "" // as a key of a set that names none
	input := func(algorithm string) string {
		b, err := json.Marshal(claims())
		if err != nil {
			t.Fatal(err)
		}
		return part(`{"alg":"`+algorithm+`","typ":"JWT"}`) + "." + base64.RawURLEncoding.EncodeToString(b)
	}
	with := func(algorithm string, make func(sum []byte) ([]byte, error)) string {
		sum := sha256.Sum256([]byte(input(algorithm)))
		signature, err := make(sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return input(algorithm) + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	private := rs.Private.(*rsa.PrivateKey)
	pkcs1 := func(sum []byte) ([]byte, error) { return rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum) }
	pss := func(salt int) func(sum []byte) ([]byte, error) {
		return func(sum []byte) ([]byte, error) {
			return rsa.SignPSS(rand.Reader, private, crypto.SHA256, sum, &rsa.PSSOptions{SaltLength: salt})
		}
	}
	asn1 := func(sum []byte) ([]byte, error) {
		return ecdsa.SignASN1(rand.Reader, es.Private.(*ecdsa.PrivateKey), sum)
	}
	for _, c := range []struct {
		name, token string
		key         jose.Key
		right       bool
	}{
		{"RS256", with(jose.RS256, pkcs1), rs, true},
		{"PS256", with(jose.PS256, pss(sha256.Size)), rs, true},
		{"RS256 that is PS256", with(jose.RS256, pss(sha256.Size)), rs, false},
		{"PS256 that is RS256", with(jose.PS256, pkcs1), rs, false},
		{"PS256 without salt", with(jose.PS256, pss(0)), rs, false},
		{"PS256 with a longer salt", with(jose.PS256, pss(64)), rs, false},
		{"RS384 over SHA-256", with(jose.RS384, pkcs1), rs, false},
		{"RSA-OAEP", with(jose.RSAOAEP, pkcs1), rs, false},
		{"ES256 as ASN.1", with(jose.ES256, asn1), es, false},
	} {
		want := expected()
		want.Algorithms = append(algorithms(), jose.RSAOAEP)
		if _, err := jose.Verify(c.token, jose.NewSet(c.key), want); (err == nil) != c.right {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// One token has one spelling: bits behind the last byte, padding and line ends
// would give the same bytes another name.
func TestOneSpellingOfEveryPart(t *testing.T) {
	k := key(t, jose.ES256)
	good := sign(t, k, claims())
	parts := strings.Split(good, ".")
	for i, p := range parts {
		for name, other := range map[string]string{"padding": p + "=", "padding twice": p + "==", "a line end": p[:4] + "\n" + p[4:], "a carriage return": p + "\r", "a blank": p + " ",
			"another alphabet": p[:len(p)-2] + "+/", "bits behind the end": p[:len(p)-1] + nextLetter(p)} {
			if other == p {
				continue
			}
			changed := append([]string{}, parts...)
			changed[i] = other
			if err := passes(strings.Join(changed, "."), k); err == nil {
				t.Errorf("part %d with %s passes", i, name)
			}
		}
	}
}

// nextLetter is the letter behind the last one in base64url's alphabet: where a
// part ends within a letter, it stands for the same bytes.
func nextLetter(part string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[(strings.IndexByte(alphabet, part[len(part)-1])+1)%len(alphabet)])
}

func BenchmarkVerify(b *testing.B) {
	for _, a := range []string{jose.RS256, jose.ES256} {
		k := key(b, a)
		token := sign(b, k, claims())
		b.Run(a, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := passes(token, k); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
