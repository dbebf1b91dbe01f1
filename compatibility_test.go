package latchkey_test

import (
	"go/ast"
	"os"
	"regexp"
	"testing"
)

// docs/compatibility.md claims what tests show: each test it names is there.
func TestCompatibilityNamesTestsThatExist(t *testing.T) {
	b, err := os.ReadFile("docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.test && f.Recv == nil {
				there[f.Name.Name] = true
			}
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllSubmatch(b, -1)
	if len(named) < 5 {
		t.Fatalf("only %d tests are named", len(named))
	}
	for _, m := range named {
		if !there[string(m[1])] {
			t.Errorf("docs/compatibility.md names %s, which is no test", m[1])
		}
	}
}
