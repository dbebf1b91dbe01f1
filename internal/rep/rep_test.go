package rep

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/realm"
)

// Every member of a representation is marked: one that narrows who may log in
// must not be kept without a word.
func TestEveryMemberIsMarked(t *testing.T) {
	marks := realm.Fields()
	have := map[string]bool{}
	add := func(prefix string, fields []field, kept []string) {
		for _, f := range fields {
			have[prefix+f.name] = true
		}
		for _, k := range kept {
			have[prefix+k] = true
		}
	}
	var m []Mapper
	add("realm.", append(realmFields(&realm.Realm{}), (&File{}).fields()...), keptOfRealm())
	add("client.", clientFields(&realm.Client{}, &ClientExtra{}, &m), keptOfClient())
	add("user.", userFields(&realm.User{}, &UserExtra{}), keptOfUser())
	for name := range have {
		if marks[name] == "" {
			t.Errorf("%s is marked neither enforced nor inert nor refuses in realm.Fields", name)
		}
	}
	for name, mark := range marks {
		if !have[name] {
			t.Errorf("%s is marked and no representation has it", name)
		}
		if !slices.Contains([]realm.Mark{realm.Enforced, realm.Inert, realm.Refuses}, mark) {
			t.Errorf("%s is marked %q", name, mark)
		}
	}
}

func export(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../manage/testdata/keycloak-26.7.4-realm.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What an unchanged export of Keycloak says comes back as it was.
func TestRealmRoundTrip(t *testing.T) {
	var r realm.Realm
	f, err := DecodeFile(export(t), &r)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Users) != 7 || len(f.Clients) < 8 || len(f.ClientScopes) < 12 {
		t.Errorf("%d users, %d clients, %d scopes", len(f.Users), len(f.Clients), len(f.ClientScopes))
	}
	out, err := EncodeRealm(&r, nil)
	if err != nil {
		t.Fatal(err)
	}
	var want, got map[string]any
	if err := errors.Join(json.Unmarshal(export(t), &want), json.Unmarshal(out, &got)); err != nil {
		t.Fatal(err)
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			delete(want, name) // an export shows more than GET
		}
	}
	if d := cmp.Diff(want, got); d != "" || len(got) < 80 {
		t.Errorf("%d members: %s", len(got), d)
	}
}

func TestRefusedDocuments(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		want      error
	}{
		{"empty", "", ErrJSON}, {"a list", "[]", ErrType}, {"something behind it", `{} {}`, ErrJSON}, {"no end", `{"username":"x"`, ErrJSON}, {"breaks off", `{"username":`, ErrJSON}, {"twice", `{"username":"a","username":"b"}`, ErrJSON},
		{"wrong type", `{"username":[1]}`, ErrType}, {"too deep", `{"attributes":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, ErrJSON},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := DecodeUser([]byte(c.doc), &realm.User{}); !errors.Is(err, c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	_, err := DecodeUser([]byte(`{"username":"x","foo":1}`), &realm.User{})
	if e, ok := errors.AsType[*UnknownError](err); !ok || e.Member != "foo" || !strings.HasPrefix(e.Error(), `Invalid json representation for UserRepresentation. Unrecognized field "foo" at line 1 column `) {
		t.Errorf("an unknown member: %v", err)
	}
}

func TestOnlyTextsThatEveryDatabaseKeeps(t *testing.T) {
	for name, c := range map[string]struct {
		doc string
		ok  bool
	}{
		"plain":                       {`{"firstName":"Ünïcode \u00e9"}`, true},
		"a NUL character":             {`{"firstName":"a\u0000b"}`, false},
		"a NUL character in a name":   {`{"attributes":{"a\u0000":["b"]}}`, false},
		"deep inside what is kept":    {`{"attributes":{"a":["b\u0000"]}}`, false},
		"a NUL byte":                  {"{\"firstName\":\"a\x00\"}", false},
		"broken UTF-8":                {"{\"firstName\":\"a\xff\"}", false},
		"a backslash and six letters": {`{"firstName":"a\\u0000b"}`, true},
	} {
		_, err := DecodeUser([]byte(c.doc), &realm.User{})
		if (err == nil) != c.ok || (err != nil && !errors.Is(err, ErrJSON)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPartialDocumentsKeepTheRest(t *testing.T) {
	c := &realm.Client{ClientID: "app", Name: "old", Enabled: true, RedirectURIs: []string{"https://a/"}, Attributes: map[string]string{"a": "1", "b": "2", "latchkey.require.pkce": "true"}}
	x, err := DecodeClient([]byte(`{"name":"new","attributes":{"b":"","c":"3"},"secret":"**********"}`), c)
	if err != nil {
		t.Fatal(err)
	}
	want := &realm.Client{ClientID: "app", Name: "new", Enabled: true, RedirectURIs: []string{"https://a/"}, Attributes: map[string]string{"a": "1", "c": "3", "latchkey.require.pkce": "true"}}
	if d := cmp.Diff(want, c); d != "" {
		t.Error(d)
	}
	if x.Secret != nil {
		t.Error("the mask was taken for a secret (CVE-2026-15943)")
	}
}

// A document is read over a record that others share: a change that is refused
// afterwards must have changed nothing, and clients that begin with the same
// scopes must keep their own.
func TestDecodingWritesIntoNothingShared(t *testing.T) {
	shared := func() *realm.Client {
		return &realm.Client{RedirectURIs: []string{"https://a/"}, WebOrigins: []string{"https://a"}, DefaultScopes: []string{"profile"}, OptionalScopes: []string{"phone"},
			Attributes: map[string]string{"a": "1"}, Mappers: []realm.Mapper{{Name: "m", Config: map[string]string{"claim.name": "a"}}}}
	}
	cached := shared()
	c := *cached
	if _, err := DecodeClient([]byte(`{"redirectUris":["https://evil/"],"webOrigins":["https://evil"],"defaultClientScopes":["all"],"optionalClientScopes":["more"],
		"attributes":{"a":"2"},"protocolMappers":[{"name":"n","config":{"claim.name":"b"}}]}`), &c); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(shared(), cached); d != "" {
		t.Error(d)
	}
	user := &realm.User{Attributes: map[string][]string{"a": {"1"}}, RequiredActions: []string{"UPDATE_PASSWORD"}}
	u := *user
	if _, err := DecodeUser([]byte(`{"attributes":{"a":["2"]},"requiredActions":["OTHER"]}`), &u); err != nil {
		t.Fatal(err)
	}
	if user.Attributes["a"][0] != "1" || user.RequiredActions[0] != "UPDATE_PASSWORD" {
		t.Errorf("the user that others share has changed: %+v", user)
	}
}

// A client that does not know our switches must not weaken a realm by saving it.
func TestSavingARealmKeepsItsSwitches(t *testing.T) {
	r := &realm.Realm{Attributes: map[string]string{realm.ProfileAttribute: realm.ProfileStrict, "old": "1"}}
	if err := DecodeRealm([]byte(`{"attributes":{"new":"2"}}`), r); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{realm.ProfileAttribute: realm.ProfileStrict, "new": "2"}, r.Attributes); d != "" {
		t.Error(d)
	}
}

func FuzzRealmFile(f *testing.F) {
	f.Add(export(f))
	for _, s := range []string{`{}`, `{"realm":"x","users":[{}]}`, `{"roles":{"realm":null}}`, `{"realm":"a","realm":"b"}`, "\xff", `{"clients":[[]]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var r realm.Realm
		if _, err := DecodeFile(doc, &r); err != nil {
			return
		}
		out, err := EncodeRealm(&r, nil)
		if err != nil {
			t.Fatalf("what was read does not write: %v", err)
		}
		var again realm.Realm
		if err := DecodeRealm(out, &again); err != nil {
			t.Fatalf("what was written does not read: %v\n%s", err, out)
		}
	})
}

// Secrets of other systems are masked, and the mask is no secret when it comes back (S-118).
func TestMasks(t *testing.T) {
	before := `{"smtpServer":{"host":"m","password":"p1","authTokenClientSecret":"p2"},
		"identityProviders":[{"alias":"a","config":{"clientSecret":"p3"}},{"alias":"b","config":{"clientSecret":"p4","n":12345678901234567890}}],
		"components":{"org.keycloak.storage.UserStorageProvider":[{"id":"1","config":{"bindCredential":["p5"]}}]},
		"userFederationProviders":[{"id":"2","config":{"bindCredential":"p6"}}]}`
	for _, c := range []struct{ name, sent, member, want string }{
		{"a mask keeps", `{"smtpServer":{"host":"other","password":"**********"}}`, "smtpServer", `{"host":"other","password":"p1"}`},
		{"another value replaces", `{"smtpServer":{"password":"new"}}`, "smtpServer", `{"password":"new"}`},
		{"what is left out goes", `{"smtpServer":{"host":"m"}}`, "smtpServer", `{"host":"m"}`},
		{"by alias, not by place", `{"identityProviders":[{"alias":"b","config":{"clientSecret":"**********","n":12345678901234567890}}]}`, "identityProviders",
			`[{"alias":"b","config":{"clientSecret":"p4","n":12345678901234567890}}]`},
		{"of another there is none", `{"identityProviders":[{"alias":"c","config":{"clientSecret":"**********"}}]}`, "identityProviders", `[{"alias":"c","config":{}}]`},
		{"in lists", `{"components":{"org.keycloak.storage.UserStorageProvider":[{"id":"1","config":{"bindCredential":["**********"]}}]}}`, "components",
			`{"org.keycloak.storage.UserStorageProvider":[{"config":{"bindCredential":["p5"]},"id":"1"}]}`},
		{"where nothing was", `{"authenticatorConfig":[{"alias":"x","config":{"secret":"**********"}}]}`, "authenticatorConfig", `[{"alias":"x","config":{}}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r realm.Realm
			if err := errors.Join(DecodeRealm([]byte(before), &r), DecodeRealm([]byte(c.sent), &r)); err != nil {
				t.Fatal(err)
			}
			if got := string(r.Extra[c.member]); got != c.want {
				t.Errorf("it keeps %s, not %s", got, c.want)
			}
		})
	}
	var r realm.Realm
	if err := DecodeRealm([]byte(before), &r); err != nil {
		t.Fatal(err)
	}
	shown, err := EncodeRealm(&r, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"p1", "p2", "p3", "p4", "p5", "p6"} {
		if strings.Contains(string(shown), `"`+secret+`"`) {
			t.Errorf("GET shows %s: %s", secret, shown)
		}
	}
	if want := `"smtpServer":{"authTokenClientSecret":"**********","host":"m","password":"**********"}`; !strings.Contains(string(shown), want) {
		t.Errorf("GET says %s", shown)
	}
}

func TestMasksLeaveWhatIsNoSecret(t *testing.T) {
	for _, plain := range []string{`{"password":"${vault.smtp}"}`, `{"password":""}`, `{"port":25,"user":"u"}`, `{"password":null}`} {
		if got := string(masked(json.RawMessage(plain))); got != plain {
			t.Errorf("%s is shown as %s", plain, got)
		}
	}
}

// A token that lets its holder change a client is neither kept nor shown.
func TestNoRegistrationToken(t *testing.T) {
	var c realm.Client
	if _, err := DecodeClient([]byte(`{"clientId":"a","registrationAccessToken":"rt","origin":"x"}`), &c); err != nil {
		t.Fatal(err)
	}
	if c.Extra["registrationAccessToken"] != nil || c.Extra["origin"] == nil {
		t.Errorf("it keeps %v", c.Extra)
	}
	c.Extra["registrationAccessToken"] = json.RawMessage(`"rt"`)
	if shown, err := EncodeClient(&c, "", nil); err != nil || strings.Contains(string(shown), "rt\"") {
		t.Errorf("GET shows %s, %v", shown, err)
	}
}

// Keycloak reads a scalar in another spelling, and so scripts write it.
func TestScalarsInAnotherSpelling(t *testing.T) {
	var r realm.Realm
	if err := DecodeRealm([]byte(`{"enabled":"true","accessTokenLifespan":"301","displayName":5,"attributes":{"a":true,"n":1.5,"s":"x"},"smtpServer":{"port":25,"auth":true}}`), &r); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"a": "true", "n": "1.5", "s": "x"}, r.Attributes); d != "" || !r.Enabled || r.Lifespans.AccessToken != 301 || r.DisplayName != "5" {
		t.Errorf("%+v %s", r, d)
	}
	if got := string(r.Extra["smtpServer"]); got != `{"auth":"true","port":"25"}` {
		t.Error(got)
	}
	var c realm.Client
	if _, err := DecodeClient([]byte(`{"publicClient":"False","notBefore":"7","protocolMappers":[{"name":"m","config":{"access.token.claim":true,"claim.name":"c"}}]}`), &c); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]realm.Mapper{{Name: "m", Config: map[string]string{"access.token.claim": "true", "claim.name": "c"}}}, c.Mappers); d != "" || c.NotBefore != 7 {
		t.Error(d)
	}
	var u realm.User
	x, err := DecodeUser([]byte(`{"attributes":{"a":"1","b":["2",3],"c":4},"credentials":[{"value":12345,"temporary":"true"}]}`), &u)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string][]string{"a": {"1"}, "b": {"2", "3"}, "c": {"4"}}, u.Attributes); d != "" || x.Credentials[0].Value != "12345" || !x.Credentials[0].Temporary {
		t.Errorf("%+v %s", x, d)
	}
}

func TestSpellingsThatAreNone(t *testing.T) {
	for name, doc := range map[string]string{"no boolean": `{"enabled":"yes"}`, "a list for a boolean": `{"enabled":[true]}`, "an object for a text": `{"username":{}}`,
		"a list for a text": `{"username":["a"]}`, "no number": `{"notBefore":"1x"}`, "too great a number": `{"notBefore":"99999999999999999999"}`,
		"an object for an attribute": `{"attributes":{"a":{"b":"c"}}}`, "a text for attributes": `{"attributes":"a"}`, "lists of lists": `{"attributes":{"a":[["b"]]}}`} {
		if _, err := DecodeUser([]byte(doc), &realm.User{}); !errors.Is(err, ErrType) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
