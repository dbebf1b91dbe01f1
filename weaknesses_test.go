package latchkey_test

import (
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// surfaces are what a row of docs/weaknesses.md may wait for, with the package
// that ends the waiting: once it is there, the row needs a test.
func surfaces() map[string]string {
	return map[string]string{"gateway": "gateway", "the device grant": "device", "passkeys": "passkey", "one-time passwords": "totp", "client registration": "register",
		"the account console": "account", "brokering": "", "SAML": "", "offline sessions": "", "back-channel logout": "", "private_key_jwt": "", "step-up": "",
		"front-channel logout": "", "request objects": "", "implicit and hybrid flow": "", "consent": "", "WebFinger": "", "mutual TLS": "", "aggregated claims": "", "a session iframe in the application": ""}
}

var (
	weaknessRow = regexp.MustCompile(`(?m)^\| ([A-Z]\d+) \| ([^|]+) \| ([^|]+) \| (.+) \|$`)
	namedTest   = regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz)\\w+)(?:/([^`]+))?`")
)

// Every known weakness is answered by a test that exists, or by a reason.
func TestEveryWeaknessIsAnswered(t *testing.T) {
	doc, err := os.ReadFile("docs/weaknesses.md")
	if err != nil {
		t.Fatal(err)
	}
	known, err := os.ReadFile("testdata/weaknesses.txt")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	tests := testsByName(t)
	for _, m := range weaknessRow.FindAllStringSubmatch(string(doc), -1) {
		row, ids, answer := m[1], m[2], m[4]
		if _, twice := have[row]; twice {
			t.Errorf("%s stands twice", row)
		}
		have[row] = strings.ReplaceAll(ids, ",", "")
		checkAnswer(t, tests, row, answer)
	}
	n := 0
	for line := range strings.Lines(string(known)) {
		n++
		row, ids, _ := strings.Cut(strings.TrimSpace(line), " ")
		if have[row] != ids {
			t.Errorf("%s: docs/weaknesses.md has %q, known is %q", row, have[row], ids)
		}
		delete(have, row)
	}
	for row := range have {
		t.Errorf("%s is in docs/weaknesses.md alone", row)
	}
	if n < 111 {
		t.Errorf("only %d weaknesses are known: the list was shortened", n)
	}
}

func checkAnswer(t *testing.T, tests map[string]*ast.FuncDecl, row, answer string) {
	t.Helper()
	if strings.HasPrefix(answer, "n/a: because ") {
		return
	}
	if surface, ok := strings.CutPrefix(answer, "later: "); ok {
		pkg, known := surfaces()[surface]
		if !known {
			t.Errorf("%s waits for %q, which is no surface that is to come", row, surface)
		}
		if pkg != "" && !slices.Contains(pending(), pkg) {
			t.Errorf("%s waits for %s, and package %s is there: write the test", row, surface, pkg)
		}
		return
	}
	if rest := strings.Trim(namedTest.ReplaceAllString(answer, ""), ", "); !namedTest.MatchString(answer) || rest != "" {
		t.Errorf("%s: %q is neither tests nor a reason", row, answer)
	}
	checkNames(t, tests, row, answer)
}

// checkNames: what is named exists.
func checkNames(t *testing.T, tests map[string]*ast.FuncDecl, row, answer string) {
	t.Helper()
	for _, m := range namedTest.FindAllStringSubmatch(answer, -1) {
		f := tests[m[1]+"."+m[2]]
		if f == nil {
			t.Errorf("%s names %s.%s, which does not exist", row, m[1], m[2])
		} else if m[3] != "" && !holds(f, m[3]) {
			t.Errorf("%s: %s.%s has no case %q", row, m[1], m[2], m[3])
		}
	}
}

// testsByName are all tests and fuzz targets, by package and name.
func testsByName(t *testing.T) map[string]*ast.FuncDecl {
	t.Helper()
	out := map[string]*ast.FuncDecl{}
	for _, s := range sources(t) {
		pkg := s.pkg
		if pkg == "" {
			pkg = "latchkey"
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.test && f.Recv == nil {
				out[pkg+"."+f.Name.Name] = f
			}
		}
	}
	return out
}

// holds reports whether a literal text stands in a function.
func holds(f *ast.FuncDecl, text string) bool {
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			v, err := strconv.Unquote(lit.Value)
			found = found || err == nil && v == text
		}
		return !found
	})
	return found
}
