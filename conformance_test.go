package latchkey_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var conformanceRow = regexp.MustCompile(`(?m)^\| ([A-Za-z0-9_-]+) \| ([^|]+) \| (.+) \|$`)

// Every known module of the conformance plans is answered by a test that exists, or
// by a reason.
func TestEveryConformanceModuleIsAnswered(t *testing.T) {
	doc, err := os.ReadFile("docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	known, err := os.ReadFile("testdata/conformance.txt")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	tests := testsByName(t)
	for _, m := range conformanceRow.FindAllStringSubmatch(string(doc), -1) {
		row, answer := m[1], m[3]
		if row == "module" { // the head of a table
			continue
		}
		if have[row] {
			t.Errorf("%s stands twice", row)
		}
		have[row] = true
		checkAnswer(t, tests, row, answer)
	}
	checkNames(t, tests, "the text", string(doc)) // a reason may name tests too
	modules := strings.Fields(string(known))
	for _, row := range modules {
		if !have[row] {
			t.Errorf("%s is not in docs/conformance.md", row)
		}
		delete(have, row)
	}
	for row := range have {
		t.Errorf("%s is in docs/conformance.md alone", row)
	}
	if len(modules) < 180 {
		t.Errorf("only %d modules are known: the list was shortened", len(modules))
	}
}
