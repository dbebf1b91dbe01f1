package jose

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func generated(t *testing.T, algorithm string) Key {
	t.Helper()
	k, err := Generate(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func unbase(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 8037, appendix A.4, and RFC 4231, section 4.7 (the only one there whose key
// is as long as RFC 7518, 3.2 wants it).
func TestKnownSignatures(t *testing.T) {
	private := ed25519.NewKeyFromSeed(unbase(t, "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
	for _, c := range []struct {
		key         Key
		input, want string
	}{
		{Key{Algorithm: EdDSA, Private: private, Public: private.Public()}, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
			hex.EncodeToString(unbase(t, "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"))},
		{Key{Algorithm: HS512, Secret: bytes.Repeat([]byte{0xaa}, 131)}, "Test Using Larger Than Block-Size Key - Hash Key First",
			"80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
	} {
		got, err := c.key.sign([]byte(c.input))
		if d := cmp.Diff(c.want, hex.EncodeToString(got)); err != nil || d != "" {
			t.Errorf("%s: %v %s", c.key.Algorithm, err, d)
		}
	}
}

// What is put together here is read by a library that has nothing to do with it.
func TestAnotherLibraryVerifiesEveryAlgorithm(t *testing.T) {
	const awkward = "a \"kid\" \\ <&> \u2028 é"
	for _, a := range append(SignatureAlgorithms(), HS512) {
		k := generated(t, a)
		k.ID = awkward
		var with any = k.Public
		if k.Secret != nil {
			with = k.Secret
		}
		for range 20 {
			token, err := Sign(k, "at+jwt", json.RawMessage(`{"sub":"1"}`))
			if err != nil {
				t.Fatal(err)
			}
			signed, err := gojose.ParseSignedCompact(token, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(a)})
			if err != nil {
				t.Fatalf("%s: %v", a, err)
			}
			payload, err := signed.Verify(with)
			h := signed.Signatures[0].Protected
			if err != nil || string(payload) != `{"sub":"1"}` || h.Algorithm != a || h.KeyID != awkward || h.ExtraHeaders[gojose.HeaderType] != "at+jwt" {
				t.Fatalf("%s: %s %+v, %v", a, payload, h, err)
			}
		}
	}
}

// Keycloak's order; a kid that is not there is not sent.
func TestHeader(t *testing.T) {
	for id, want := range map[string]string{"k": `{"alg":"ES256","typ":"JWT","kid":"k"}`, "": `{"alg":"ES256","typ":"JWT"}`} {
		k := generated(t, ES256)
		k.ID = id
		token, err := Sign(k, "JWT", map[string]any{})
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(token, ".")
		if d := cmp.Diff(want, string(unbase(t, head))); d != "" {
			t.Error(d)
		}
	}
}

// RFC 7518, 3.5: other libraries insist on the salt's length.
func TestPSSSaltIsAsLongAsTheHash(t *testing.T) {
	for _, a := range []string{PS256, PS384, PS512} {
		k := generated(t, a)
		sig, err := k.sign([]byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		h := hashOf(a).New()
		h.Write([]byte("x"))
		public, _ := k.Public.(*rsa.PublicKey)
		if err := rsa.VerifyPSS(public, hashOf(a), h.Sum(nil), sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

// RFC 7518, 3.4: "The octet sequence representations MUST NOT be shortened to
// omit any leading zero octets contained in the values."
func TestECDSASignaturesKeepLeadingZeros(t *testing.T) {
	for bits, size := range map[int]int{256: 32, 384: 48, 521: 66} {
		want := make([]byte, 2*size)
		want[size-1], want[2*size-1] = 1, 2
		if d := cmp.Diff(want, sideBySide(big.NewInt(1), big.NewInt(2), bits)); d != "" {
			t.Errorf("%d: %s", bits, d)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	rs, es, ed, hs := generated(t, RS256), generated(t, ES256), generated(t, EdDSA), generated(t, HS512)
	with := func(k Key, change func(k *Key)) Key {
		change(&k)
		return k
	}
	for name, k := range map[string]Key{
		"a key for encryption":           generated(t, RSAOAEP),
		"that key for signatures":        with(generated(t, RSAOAEP), func(k *Key) { k.Use = UseSignature }),
		"an algorithm that is not there": with(rs, func(k *Key) { k.Algorithm = "RS1" }),
		"no algorithm":                   with(rs, func(k *Key) { k.Algorithm = "" }),
		"none":                           with(rs, func(k *Key) { k.Algorithm = "none" }),
		"another kind of key":            with(rs, func(k *Key) { k.Algorithm = ES256 }),
		"another curve":                  with(es, func(k *Key) { k.Algorithm = ES384 }),
		"an HMAC with a public key":      with(rs, func(k *Key) { k.Algorithm = HS512 }),
		"a short secret":                 with(hs, func(k *Key) { k.Secret = k.Secret[:63] }),
		"a public RSA key":               with(rs, func(k *Key) { k.Private = nil }),
		"a public Ed25519 key":           with(ed, func(k *Key) { k.Private = crypto.Signer(nil) }),
		"nothing":                        {},
	} {
		if token, err := Sign(k, "JWT", map[string]any{}); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
}
