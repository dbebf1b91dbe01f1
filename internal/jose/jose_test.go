package jose_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/jose"
)

func key(t testing.TB, algorithm string) jose.Key {
	t.Helper()
	k, err := jose.Generate(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, k jose.Key, claims map[string]any) string {
	t.Helper()
	s, err := jose.Sign(k, "JWT", claims)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func part(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func at() time.Time { return time.Unix(1_800_000_000, 0) }

func claims() map[string]any {
	return map[string]any{"iss": "https://sso.example/realms/r", "aud": []string{"app", "b"}, "sub": "1", "iat": at().Unix(), "exp": at().Unix() + 60}
}

func expected() jose.Expected {
	return jose.Expected{Algorithms: []string{jose.ES256}, Types: []string{"JWT"}, Issuer: "https://sso.example/realms/r", Audience: "app", Now: at()}
}

func TestVerifyEveryAlgorithm(t *testing.T) {
	for _, a := range []string{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.HS512} {
		k := key(t, a)
		want := expected()
		want.Algorithms = []string{a}
		if _, err := jose.Verify(sign(t, k, claims()), jose.NewSet(k), want); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestS51VerifyRefuses(t *testing.T) {
	es := key(t, jose.ES256)
	good := sign(t, es, claims())
	parts := strings.Split(good, ".")
	with := func(change func(c map[string]any)) string {
		c := claims()
		change(c)
		return sign(t, es, c)
	}
	for _, c := range []struct {
		name, token, check string
		change             func(e *jose.Expected)
	}{
		{name: "alg none", token: part(`{"alg":"none"}`) + "." + parts[1] + ".", check: "algorithm"},
		{name: "alg NoNe", token: part(`{"alg":"NoNe"}`) + "." + parts[1] + ".", check: "algorithm"},
		{name: "no alg", token: part(`{}`) + "." + parts[1] + "." + parts[2], check: "algorithm"},
		{name: "an HMAC", token: part(`{"alg":"HS256"}`) + "." + parts[1] + "." + parts[2], check: "algorithm"},
		{name: "an HMAC where HMACs are allowed, with the public key", token: part(`{"alg":"HS512","kid":"`+es.ID+`"}`) + "." + parts[1] + "." + parts[2], check: "key",
			change: func(e *jose.Expected) { e.Algorithms = []string{jose.HS512} }},
		{name: "crit", token: part(`{"alg":"ES256","crit":["x"],"x":1}`) + "." + parts[1] + "." + parts[2], check: "form"},
		{name: "b64", token: part(`{"alg":"ES256","b64":false}`) + "." + parts[1] + "." + parts[2], check: "form"},
		{name: "alg twice", token: part(`{"alg":"none","alg":"ES256"}`) + "." + parts[1] + "." + parts[2], check: "form"},
		{name: "something behind the header", token: part(`{"alg":"ES256"} {}`) + "." + parts[1] + "." + parts[2], check: "form"},
		{name: "two parts", token: parts[0] + "." + parts[1], check: "form"},
		{name: "five parts", token: good + ".x.y", check: "form"},
		{name: "padding", token: parts[0] + "=." + parts[1] + "." + parts[2], check: "form"},
		{name: "a newline in the header", token: parts[0][:4] + "\n" + parts[0][4:] + "." + parts[1] + "." + parts[2], check: "form"},
		{name: "too long", token: good + strings.Repeat("A", jose.MaxToken), check: "form"},
		{name: "empty", token: "", check: "form"},
		{name: "another payload", token: parts[0] + "." + part(`{"iss":"x"}`) + "." + parts[2], check: "signature"},
		{name: "no signature", token: parts[0] + "." + parts[1] + ".", check: "signature"},
		{name: "a jwk in the header is not read", token: part(`{"alg":"ES256","jwk":{"kty":"EC"},"kid":"stranger"}`) + "." + parts[1] + "." + parts[2], check: "key"},
		{name: "another issuer", token: with(func(c map[string]any) { c["iss"] = "https://sso.example/realms/r2" }), check: "issuer"},
		{name: "an issuer with the right beginning", token: with(func(c map[string]any) { c["iss"] = "https://sso.example/realms/r/" }), check: "issuer"},
		{name: "another audience", token: with(func(c map[string]any) { c["aud"] = "application" }), check: "audience"},
		{name: "no audience", token: with(func(c map[string]any) { delete(c, "aud") }), check: "audience"},
		{name: "expired", token: with(func(c map[string]any) { c["exp"] = at().Unix() - 1 }), check: "expiry"},
		{name: "expires now", token: with(func(c map[string]any) { c["exp"] = at().Unix() }), check: "expiry"},
		{name: "no exp", token: with(func(c map[string]any) { delete(c, "exp") }), check: "expiry"},
		{name: "exp as a text", token: with(func(c map[string]any) { c["exp"] = "1900000000" }), check: "form"},
		{name: "exp beyond any clock", token: with(func(c map[string]any) { c["exp"] = json.Number("1e300") }), check: "form"},
		{name: "not yet", token: with(func(c map[string]any) { c["nbf"] = at().Unix() + 5 }), check: "not-before"},
		{name: "from the future", token: with(func(c map[string]any) { c["iat"] = at().Unix() + 5 }), check: "issued-at"},
		{name: "another type", token: good, check: "type", change: func(e *jose.Expected) { e.Types = []string{"at+jwt"} }},
		{name: "nothing allowed", token: good, check: "algorithm", change: func(e *jose.Expected) { e.Algorithms = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := expected()
			if c.change != nil {
				c.change(&want)
			}
			_, err := jose.Verify(c.token, jose.NewSet(es), want)
			e, ok := errors.AsType[*jose.CheckError](err)
			if !ok || e.Check != c.check {
				t.Errorf("got %v, want check %q", err, c.check)
			}
		})
	}
}

func TestKeysAreBoundToTheirAlgorithmAndUse(t *testing.T) {
	rs := key(t, jose.RS256)
	s := sign(t, rs, claims())
	enc := rs
	enc.Use = jose.UseEncryption
	other := rs
	other.Algorithm = jose.PS256
	want := expected()
	want.Algorithms = []string{jose.RS256, jose.PS256}
	for name, k := range map[string]jose.Key{"an encryption key": enc, "a key of another algorithm": other} {
		if _, err := jose.Verify(s, jose.NewSet(k), want); !errors.Is(err, jose.ErrUnknownKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLeewayAndHints(t *testing.T) {
	k := key(t, jose.ES256)
	c := claims()
	c["exp"] = at().Unix() - 30
	s := sign(t, k, c)
	for name, change := range map[string]func(e *jose.Expected){
		"within the leeway": func(e *jose.Expected) { e.Leeway = time.Minute }, "a hint": func(e *jose.Expected) { e.AnyExpiry = true }} {
		want := expected()
		change(&want)
		if _, err := jose.Verify(s, jose.NewSet(k), want); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A clock that is ahead makes no token live longer.
func TestAnotherClockThatIsAhead(t *testing.T) {
	k := key(t, jose.ES256)
	for _, c := range []struct {
		name, claim string
		seconds     int64
		check       string
	}{
		{"issued ten seconds ahead", "iat", 10, ""}, {"issued eleven seconds ahead", "iat", 11, "issued-at"},
		{"good from ten seconds ahead", "nbf", 10, ""}, {"good from eleven seconds ahead", "nbf", 11, "not-before"},
		{"expired this second", "exp", 0, "expiry"}, {"expired five seconds ago", "exp", -5, "expiry"},
	} {
		all := claims()
		all[c.claim] = at().Unix() + c.seconds
		want := expected()
		want.Ahead = 10 * time.Second
		_, err := jose.Verify(sign(t, k, all), jose.NewSet(k), want)
		if got, _ := errors.AsType[*jose.CheckError](err); (c.check == "") != (err == nil) || got != nil && got.Check != c.check {
			t.Errorf("%s: %v, want check %q", c.name, err, c.check)
		}
	}
}

func TestSetPublishesNoSecret(t *testing.T) {
	rs, hs, es := key(t, jose.RS256), key(t, jose.HS512), key(t, jose.ES256)
	b, err := jose.NewSet(rs, hs, es).JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{`"d"`, `"p"`, `"q"`, `"k"`, hs.ID} {
		if strings.Contains(string(b), secret) {
			t.Errorf("the public document holds %s", secret)
		}
	}
	set, err := jose.ParseSet(b)
	if err != nil || len(set.Keys()) != 2 {
		t.Errorf("it reads back as %d keys, %v", len(set.Keys()), err)
	}
}

func TestParseSet(t *testing.T) {
	for name, doc := range map[string]string{"not JSON": "x", "no keys": `{}`, "too many": `{"keys":[` + strings.Repeat(`{},`, 100) + `{}]}`, "too large": strings.Repeat(" ", jose.MaxSetBytes+1)} {
		if _, err := jose.ParseSet([]byte(doc)); !errors.Is(err, jose.ErrSet) {
			t.Errorf("%s: %v", name, err)
		}
	}
	set, err := jose.ParseSet([]byte(`{"keys":[{"kty":"QUANTUM","kid":"a"},{"kty":"oct","kid":"b","k":"AAAA"}]}`))
	if err != nil || len(set.Keys()) != 0 {
		t.Errorf("unknown kinds and secrets are left out: %v, %v", set, err)
	}
}

func TestPrivateKeysReadBack(t *testing.T) {
	for _, a := range []string{jose.RS256, jose.ES256, jose.EdDSA, jose.HS512, jose.RSAOAEP} {
		k := key(t, a)
		b, err := k.MarshalPrivate()
		if err != nil {
			t.Fatal(err)
		}
		got, err := jose.ParsePrivate(k.Algorithm, k.ID, k.Use, b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := got.MarshalPrivate()
		if d := cmp.Diff(b, again); err != nil || d != "" {
			t.Errorf("%s: %v %s", a, err, d)
		}
	}
	if _, err := jose.Generate("none"); !errors.Is(err, jose.ErrAlgorithm) {
		t.Errorf("none: %v", err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err == nil {
		der, err := x509.MarshalPKCS8PrivateKey(weak)
		if err != nil {
			t.Fatal(err)
		}
		k, err := jose.ParsePrivate(jose.RS256, "weak", jose.UseSignature, der)
		if err == nil && len(jose.NewSet(k).Lookup("weak", jose.RS256)) != 0 {
			t.Error("an RSA key of 1024 bits verifies")
		}
	}
}

// The at_hash of OpenID Connect Core 1.0, appendix A.3.
func TestLeftHalfHash(t *testing.T) {
	got, err := jose.LeftHalfHash(jose.RS256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y")
	if err != nil || got != "77QmUPtjPfzWtF2AnpK9RQ" {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := jose.LeftHalfHash("XX", "x"); err == nil {
		t.Error("an unknown algorithm counts as nothing to compare")
	}
}

func FuzzVerify(f *testing.F) {
	k := key(f, jose.ES256)
	good := sign(f, k, claims())
	for _, s := range []string{good, part(`{"alg":"none"}`) + ".e30.", "a.b.c", good + ".", good[:len(good)-1], strings.Replace(good, ".", "..", 1), part(`{"alg":["ES256"]}`) + ".e30.AAAA"} {
		f.Add(s)
	}
	set := jose.NewSet(k)
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := jose.Verify(token, set, expected()); err == nil && token != good {
			t.Errorf("a changed token passes: %q", token)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	for _, a := range []string{jose.RS256, jose.ES256, jose.EdDSA} {
		k := key(b, a)
		b.Run(a, func(b *testing.B) {
			for b.Loop() {
				sign(b, k, claims())
			}
		})
	}
}

// Two parsers would disagree on a member that stands twice; what only looks like
// one is fine.
func TestMembersThatStandTwice(t *testing.T) {
	k := key(t, jose.ES256)
	const rest = `"iss":"https://sso.example/realms/r","aud":"app","iat":1800000000,"exp":1800000060}`
	for _, c := range []struct {
		name, payload string
		refused       bool
	}{
		{"once", `{"a":1,` + rest, false},
		{"twice", `{"a":1,"a":1,` + rest, true},
		{"twice, once with an escape", `{"a":1,"\u0061":2,` + rest, true},
		{"twice inside an object", `{"o":{"x":{},"x":{}},` + rest, true},
		{"twice inside an array", `{"l":[1,{"x":1,"x":2}],` + rest, true},
		{"the same name in two objects", `{"o":{"x":1},"p":{"x":1},"l":[{"x":1},{"x":1}],` + rest, false},
		{"colons, braces and quotes inside texts", `{"a:b":"{:\"x\":1,\\","c":"[[[[[[[[[[[[[[[[[[[[",` + rest, false},
		{"16 deep", `{"d":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `,` + rest, false},
		{"17 deep", `{"d":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `,` + rest, true},
		{"thousands of values", `{"d":[` + strings.Repeat("0,", 5000) + `0],` + rest, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := jose.Sign(k, "JWT", json.RawMessage(c.payload))
			if err != nil {
				t.Fatal(err)
			}
			_, err = jose.Verify(token, jose.NewSet(k), expected())
			e, ok := errors.AsType[*jose.CheckError](err)
			if c.refused != (ok && e.Check == "form") || (err != nil) != c.refused {
				t.Errorf("got %v, refused %v", err, c.refused)
			}
		})
	}
}
