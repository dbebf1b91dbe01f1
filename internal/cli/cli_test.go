package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/seal"
)

// words are the ways to every command's flags.
func words(t *testing.T) [][]string {
	t.Helper()
	under := map[string][]string{"keys": {"list", "rotate", "retire"}, "user": {"reset-password"}}
	var out [][]string
	for _, c := range commands() {
		if under[c.name] == nil && c.name != "version" { // which has no flags
			out = append(out, []string{c.name})
		}
		for _, sub := range under[c.name] {
			out = append(out, []string{c.name, sub})
		}
	}
	return out
}

var flagLine = regexp.MustCompile(`(?m)^  -([a-z-]+)`)

// One environment serves all commands: a flag whose variable is not in the list
// would stop every other command.
func TestEveryFlagsVariableIsKnownToEveryCommand(t *testing.T) {
	used := map[string]bool{}
	for _, word := range words(t) {
		var out bytes.Buffer
		if code := Run(t.Context(), &Env{Args: append(word, "-h"), Stdout: &out, Stderr: &out}); code != Done {
			t.Errorf("%v -h: exit code %d", word, code)
		}
		found := flagLine.FindAllStringSubmatch(out.String(), -1)
		if len(found) == 0 {
			t.Errorf("%v -h lists no flags: %s", word, out.String())
		}
		for _, m := range found {
			used[variable(m[1])] = true
			if !slices.Contains(everyVariable(), variable(m[1])) {
				t.Errorf("--%s of %v: everyVariable does not have %s", m[1], word, variable(m[1]))
			}
		}
	}
	others := []string{adminPassword, newPassword, sealingKeyVar, "LATCHKEY_TOKEN_ENDPOINT", "LATCHKEY_USERINFO_ENDPOINT", "LATCHKEY_SESSION_KEYS"}
	for _, v := range everyVariable() {
		if !used[v] && !slices.Contains(others, v) {
			t.Errorf("%s is no command's variable", v)
		}
	}
}

// A variable that an image sets gives way to a database that somebody names; what
// is said twice on purpose is refused.
func TestDataOrDatabase(t *testing.T) {
	const db = "postgres://u@localhost:1/d"
	config := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(config, []byte("data: d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		args, vars []string
		refused    bool
	}{
		{"a flag and the image's variable", []string{"--db", db}, []string{"LATCHKEY_DATA=/data"}, false},
		{"two variables", nil, []string{"LATCHKEY_DATA=/data", "LATCHKEY_DB=" + db}, false},
		{"Keycloak's word and the image's variable", nil, []string{"LATCHKEY_DATA=/data", "KC_DB=postgres"}, false},
		{"two flags", []string{"--data", "d", "--db", db}, nil, true},
		{"a flag against Keycloak's word", []string{"--data", "d"}, []string{"KC_DB=postgres"}, true},
		{"a flag against a variable", []string{"--data", "d"}, []string{"LATCHKEY_DB=" + db}, true},
		{"the file against a flag", []string{"--config", config, "--db", db}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var o serveFlags
			var out bytes.Buffer
			e := &Env{Vars: c.vars, Stderr: &out}
			f := newFlags(e, "serve", "")
			o.define(f)
			kc := &keycloak{word: "serve", values: map[string]string{}, said: map[string]string{}}
			if err := f.parse(e, kc.split(c.args)); err != nil {
				t.Fatal(err)
			}
			kc.variables(e.Vars)
			if _, err := kc.apply(f, e); err != nil {
				t.Fatal(err)
			}
			err := o.check("serve")
			if (err != nil) != c.refused {
				t.Fatalf("got %v, refused: %v", err, c.refused)
			}
			if !c.refused && (o.data != "" || o.db == "" || !strings.Contains(out.String(), "LATCHKEY_DATA=/data is not used")) {
				t.Errorf("data %q, db %q, said %q", o.data, o.db, out.String())
			}
		})
	}
}

// The file key of a data folder has always been a key byte for byte, its line end
// included; what was sealed with it opens.
func TestTheKeyOfADataFolderOpensAsBefore(t *testing.T) {
	const one, two = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d", "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c"
	for _, c := range []struct{ name, was, is string }{
		{"without a line end", one, one},
		{"with one", one + "\n", one + "\n"},
		{"a line end of Windows", one + "\r\n", one + "\r\n"},
		{"a comma in it", "some words, then others, 40 bytes in all", "some words, then others, 40 bytes in all"},
		{"spaces around it", "  " + one + " \n", "  " + one + " \n"},
		{"31 bytes and a line end", one[:31] + "\n", one[:31] + "\n"},
		{"bytes that are no text", string([]byte{0, 255, '\n'}) + one, string([]byte{0, 255, '\n'}) + one},
		{"with a newer one before it", one + "\n", two + "\n" + one + "\n"},
		{"without a line end, with a newer one before it", one, two + "\n" + one},
		{"a line end that came later", one, one + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, err := seal.NewRing([]byte(c.was))
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := before.Seal([]byte("secret"))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, keyFile), []byte(c.is), 0o600); err != nil {
				t.Fatal(err)
			}
			ring, err := openRing(&Env{}, storeFlags{data: dir})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ring.Open(sealed); err != nil {
				t.Errorf("what was sealed before does not open: %v", err)
			}
			if (c.is == c.was) != (ring.ID() == before.ID()) {
				t.Errorf("not the newest key seals: %s", ring.ID())
			}
		})
	}
}
