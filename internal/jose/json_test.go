package jose_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-id/latchkey/internal/jose"
)

// read takes a payload apart as every token's is.
func read(payload string) (map[string]any, error) {
	_, claims, err := jose.Unverified("e30." + part(payload) + ".")
	return claims, err
}

// oracle is encoding/json's reading of one object; ok is false where it is none,
// where a member stands twice, or where it is beyond our bounds.
func oracle(payload string) (out map[string]any, ok bool) {
	if json.Unmarshal([]byte(payload), &out) != nil || out == nil {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader([]byte(payload)))
	depth, values := 0, 0
	type level struct {
		object bool
		names  map[string]bool
		name   bool // a name comes next
	}
	var levels []*level
	for {
		t, err := d.Token()
		if err != nil {
			return out, true // the end
		}
		var in *level
		if len(levels) > 0 {
			in = levels[len(levels)-1]
		}
		if closes := t == json.Delim('}') || t == json.Delim(']'); closes {
			levels, depth = levels[:len(levels)-1], depth-1
			continue
		}
		if in != nil && in.object && in.name {
			if name := t.(string); in.names[name] {
				return nil, false
			} else {
				in.names[name] = true
			}
			in.name = false
			continue
		}
		if in != nil {
			in.name = true
		}
		if values++; values > 4096 {
			return nil, false
		}
		if t == json.Delim('{') || t == json.Delim('[') {
			if depth++; depth > 16 {
				return nil, false
			}
			levels = append(levels, &level{object: t == json.Delim('{'), names: map[string]bool{}, name: true})
		}
	}
}

func seeds() []string {
	return []string{`{}`, ` { } `, `{"a":1}`, "{\t\"a\"\r\n:\n1 , \"b\" : [ 1 , 2 ] }", `{"a":[]}`, `{"a":[{}]}`, `{"a":{"b":{"c":[1,[2,[3]]]}}}`, `{"a":null,"b":true,"c":false}`,
		`{"a":"\u00e4\ud83d\ude00\"\\\/\b\f\n\r\t"}`, `{"a":"ä😀"}`, "{\"a\":\"\xff\"}", "{\"a\":\"\x00\"}", "{\"a\":\"\x7f\"}", `{"a":"\ud800"}`, `{"\u0061":1}`, `{"a":1,"\u0061":2}`, `{"a":1,"a":1}`,
		`{"a":{"b":1,"b":2}}`, "{\"\xff\":1,\"\xfe\":2}", `{"a":0,"b":-0,"c":-1,"d":1.5,"e":1e3,"f":1E-3,"g":123456789012345,"h":1234567890123456789,"i":0.1}`, `{"a":1e400}`, `{"a":01}`, `{"a":+1}`,
		`{"a":.5}`, `{"a":1.}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":tru}`, `{"a":trueX}`, `{"a":'b'}`, `{a:1}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":1 "b":2}`,
		`{"a":1}}`, `{"a":1} x`, `{"a":1}{"a":1}`, `{"a":1`, `{"a":[1`, `{"a":"`, `{"a":"\`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a`, `{`, ``, ` `, `null`, `[]`, `"a"`, `1`, "\ufeff{}", "{\"a\":1\f}", "{\"a\":\v1}",
		`{"a":1{}`, `{"a":1:2}`, `{"a":"b""c"}`, `{"a"::1}`, `{"a":[1}`, `{"a":{]}`, `{"":""}`, `{"a":--1}`, `{"a":1/**/}`, `{"__proto__":{}}`, `{"d":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}`,
		`{"d":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`, `{"d":[` + strings.Repeat("0,", 4090) + `0]}`, `{"d":[` + strings.Repeat("0,", 4095) + `0]}`}
}

func compare(t *testing.T, payload string) {
	t.Helper()
	want, ok := oracle(payload)
	got, err := read(payload)
	if e, isCheck := errors.AsType[*jose.CheckError](err); err != nil && (!isCheck || e.Check != "form" || got != nil) {
		t.Errorf("%q: got %v, %v", payload, got, err)
	}
	if ok != (err == nil) {
		t.Errorf("%q: %v; encoding/json reads it: %v", payload, err, ok)
		return
	}
	if d := cmp.Diff(want, got); ok && d != "" {
		t.Errorf("%q: %s", payload, d)
	}
}

func TestClaimsAreReadAsEncodingJSONDoes(t *testing.T) {
	passed := 0
	for _, s := range seeds() {
		compare(t, s)
		if _, err := read(s); err == nil {
			passed++
		}
	}
	if passed < 15 || passed > len(seeds())-30 {
		t.Errorf("%d of %d pass: the seeds show nothing", passed, len(seeds()))
	}
}

func FuzzClaims(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		if len(payload) < 10_000 { // a token is no longer
			compare(t, payload)
		}
	})
}

func BenchmarkClaims(b *testing.B) {
	payload, err := json.Marshal(map[string]any{"exp": 1800000060, "iat": 1800000000, "jti": "onrtac:4d1e8f5c-6a0b-4d3f-9f3e-2b7f7a1c9e55", "iss": "https://sso.example/realms/r",
		"aud": []string{"app", "account"}, "sub": "0b7e5f4a-0f0b-4a58-8a11-0c6d2b4f9a77", "typ": "Bearer", "azp": "app", "sid": "a-session", "acr": "1", "allowed-origins": []string{"https://app.example"},
		"realm_access": map[string]any{"roles": []string{"offline_access", "uma_authorization", "default-roles-r"}}, "scope": "openid email profile", "email_verified": true, "name": "Alice Liddell",
		"resource_access": map[string]any{"account": map[string]any{"roles": []string{"manage-account", "manage-account-links", "view-profile"}}}, "email": "alice@example.com"})
	if err != nil {
		b.Fatal(err)
	}
	token := "e30." + part(string(payload)) + "."
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := jose.Unverified(token); err != nil {
			b.Fatal(err)
		}
	}
}
