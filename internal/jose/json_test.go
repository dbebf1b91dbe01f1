package jose_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

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
	if ok {
		compareWritten(t, got)
	}
}

func compareWritten(t *testing.T, claims map[string]any) {
	t.Helper()
	want, err := json.Marshal(claims)
	got, err2 := jose.Marshal(claims)
	if d := cmp.Diff(string(want), string(got)); d != "" || (err == nil) != (err2 == nil) {
		t.Errorf("%v: %v, %v: %s", claims, err, err2, d)
	}
}

func TestClaimsAreWrittenAsEncodingJSONDoes(t *testing.T) {
	deep := map[string]any{}
	deep["a"] = []any{map[string]any{"loop": deep}}
	type named string
	for name, claims := range map[string]map[string]any{
		"nothing": nil, "no member": {}, "texts": {"b": "a", "a": "", "ä": "ä", "<&>": "</script>", "\"": "\\\n\t\x7f\u2028\xff", "\xff": 1},
		"numbers": {"a": int64(1764288000), "b": int64(-1), "c": 1.5, "d": float64(1764288000), "e": 0.0, "f": math.Copysign(0, -1), "g": 1e15, "h": 1e21, "i": 1e300, "j": -7.0,
			"k": int64(math.MinInt64), "l": 5, "m": uint8(7), "n": 1e-9, "o": float32(0.1), "p": float64(math.MaxInt64)},
		"lists":     {"a": []any{}, "b": []any(nil), "c": []string{"x"}, "d": []any{"x", true, nil, []any{1.0}, map[string]any{"z": 1.0, "y": false}}, "e": map[string]any(nil), "f": map[string]string{"k": "v"}},
		"types":     {"a": named("n"), "b": json.RawMessage(`{"x": 1}`), "c": json.Number("12"), "d": []byte("x"), "e": struct{ A int }{1}, "f": time.Unix(0, 0).UTC()},
		"no number": {"a": math.NaN()}, "endless": {"a": math.Inf(1)}, "no JSON": {"a": make(chan int)}, "broken JSON": {"a": json.RawMessage(`{`)}, "a loop": deep,
	} {
		t.Run(name, func(t *testing.T) { compareWritten(t, claims) })
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

func TestClaimsWithMore(t *testing.T) {
	more := map[string]any{"active": true, "client_id": "app"}
	for _, c := range []struct{ name, payload, want string }{
		{"as they were signed", "{ \"b\" : 1.0, \"a\":\"\\u0041\" }\n", `{ "b" : 1.0, "a":"\u0041" ,"active":true,"client_id":"app"}`},
		{"none", "{}", `{"active":true,"client_id":"app"}`}, {"none but blanks", " { } ", `{"active":true,"client_id":"app"}`},
		{"a claim of that name", `{"active":false,"b":[1]}`, `{"active":true,"b":[1],"client_id":"app"}`},
		{"that name inside", `{"a":{"active":false}}`, `{"a":{"active":false},"active":true,"client_id":"app"}`},
		{"a brace in a text", `{"a":"}"}`, `{"a":"}","active":true,"client_id":"app"}`},
	} {
		claims, err := read(c.payload)
		if err != nil {
			t.Fatal(err)
		}
		got, err := (&jose.Token{Claims: claims, Raw: []byte(c.payload)}).With(more)
		if d := cmp.Diff(c.want, string(got)); d != "" || err != nil {
			t.Errorf("%s: %v %s", c.name, err, d)
		}
	}
	if got, err := (&jose.Token{Claims: map[string]any{"a": 1.0}, Raw: []byte(`{"a":1}`)}).With(nil); string(got) != `{"a":1}` || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

func TestSaysTheSame(t *testing.T) {
	claims, err := read(`{"n":5,"f":1.5,"s":"x","l":["a",{"b":true}],"z":null}`)
	if err != nil {
		t.Fatal(err)
	}
	written := func(change func(c map[string]any)) map[string]any {
		c := map[string]any{"n": int64(5), "f": 1.5, "s": "x", "l": []any{"a", map[string]any{"b": true}}, "z": nil}
		change(c)
		return c
	}
	for _, c := range []struct {
		name   string
		change func(c map[string]any)
		want   bool
	}{
		{"the same", func(map[string]any) {}, true}, {"as it was read", func(c map[string]any) { c["n"] = 5.0 }, true},
		{"another number", func(c map[string]any) { c["n"] = int64(6) }, false}, {"a text in a number's place", func(c map[string]any) { c["n"] = "5" }, false},
		{"a number in a text's place", func(c map[string]any) { c["s"] = int64(0) }, false},
		{"one less", func(c map[string]any) { delete(c, "s") }, false}, {"one more", func(c map[string]any) { c["m"] = "y" }, false},
		{"another in its place", func(c map[string]any) { delete(c, "z"); c["y"] = nil }, false}, {"inside", func(c map[string]any) { c["l"] = []any{"a", map[string]any{"b": false}} }, false},
		{"a longer list", func(c map[string]any) { c["l"] = []any{"a", map[string]any{"b": true}, "c"} }, false}, {"what only encoding/json knows", func(c map[string]any) { c["s"] = []string{"x"} }, false},
	} {
		if got := (&jose.Token{Claims: claims}).Says(written(c.change)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// usual is the payload of a token as most are.
func usual(b *testing.B) string {
	b.Helper()
	payload, err := json.Marshal(map[string]any{"exp": 1800000060, "iat": 1800000000, "jti": "onrtac:4d1e8f5c-6a0b-4d3f-9f3e-2b7f7a1c9e55", "iss": "https://sso.example/realms/r",
		"aud": []string{"app", "account"}, "sub": "0b7e5f4a-0f0b-4a58-8a11-0c6d2b4f9a77", "typ": "Bearer", "azp": "app", "sid": "a-session", "acr": "1", "allowed-origins": []string{"https://app.example"},
		"realm_access": map[string]any{"roles": []string{"offline_access", "uma_authorization", "default-roles-r"}}, "scope": "openid email profile", "email_verified": true, "name": "Alice Liddell",
		"resource_access": map[string]any{"account": map[string]any{"roles": []string{"manage-account", "manage-account-links", "view-profile"}}}, "email": "alice@example.com"})
	if err != nil {
		b.Fatal(err)
	}
	return string(payload)
}

func BenchmarkClaims(b *testing.B) {
	token := "e30." + part(usual(b)) + "."
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := jose.Unverified(token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	claims, err := read(usual(b))
	if err != nil {
		b.Fatal(err)
	}
	for name, write := range map[string]func(map[string]any) ([]byte, error){"here": jose.Marshal, "encoding json": func(c map[string]any) ([]byte, error) { return json.Marshal(c) }} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := write(claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
