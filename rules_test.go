package latchkey_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/latchkey-id/latchkey"

// floors is the dependency rule: a package imports only floors below its own.
func floors() [][]string {
	return [][]string{
		{"oauth", "urls", "seal", "ui"},
		{"realm"},
		{"rep", "jose"},
		{"", "web", "store", "keys", "password", "flow", "outbound", "totp", "passkey", "mail"},
		{"audit", "storetest"},
		{"token", "session", "clientauth", "guideapp"},
		{"manage", "journey"},
		{"discovery", "authorize", "grant", "userinfo", "introspect", "checksession", "logout", "device", "register", "login", "account", "adminapi", "console"},
		{"provider", "gateway"},
		{"latchkeytest", "bench"},
		{"cli"},
		{"cmd/latchkey", "examples/guide"},
	}
}

// pending are floors' entries whose package comes with a later change.
func pending() []string {
	return []string{"outbound", "totp", "passkey", "mail", "device", "register", "account", "console", "gateway", "latchkeytest"}
}

// owners names, for each outside module, the packages that may import it.
func owners() map[string][]string {
	return map[string][]string{
		"github.com/go-jose/go-jose/v4":       {"jose"},
		"golang.org/x/oauth2":                 {""},
		"golang.org/x/crypto":                 {"password"},
		"modernc.org/sqlite":                  {"store"},
		"github.com/jackc/pgx/v5":             {"store"},
		"github.com/prometheus/client_golang": {"web"},
		"go.yaml.in/yaml/v3":                  {"cli"},
	}
}

// source is one Go file of the product.
type source struct {
	path, pkg string // pkg is "" for the root, "oauth" for internal/oauth, "cmd/latchkey"
	test      bool
	file      *ast.File
	set       *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || exists(filepath.Join(p, "go.mod"))) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(filepath.ToSlash(p))
		out = append(out, source{filepath.ToSlash(p), packageName(dir), strings.HasSuffix(p, "_test.go"), f, set})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 50 {
		t.Fatalf("only %d files found: the rules would hold for nothing", len(out))
	}
	return out
}

func exists(p string) bool {
	_, err := os.Stat(p)
	return err == nil
}

func packageName(dir string) string {
	if dir == "." {
		return ""
	}
	return strings.TrimPrefix(dir, "internal/")
}

func TestPackagesStandOnFloors(t *testing.T) {
	floor := map[string]int{}
	for i, names := range floors() {
		for _, n := range names {
			floor[n] = i + 1
		}
	}
	seen := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		seen[s.pkg] = true
		own, ok := floor[s.pkg]
		if !ok {
			t.Errorf("%s: package %q stands on no floor; give it one in floors() and in ARCHITECTURE.md", s.path, s.pkg)
			continue
		}
		for _, imp := range s.file.Imports {
			checkImport(t, s, own, floor, unquote(t, imp.Path.Value))
		}
	}
	for name := range floor {
		if !seen[name] && !slices.Contains(pending(), name) {
			t.Errorf("floor entry %q has no package", name)
		}
	}
	for _, name := range pending() {
		if seen[name] {
			t.Errorf("package %q is there: take it out of pending()", name)
		}
	}
}

func unquote(t *testing.T, s string) string {
	t.Helper()
	v, err := strconv.Unquote(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func checkImport(t *testing.T, s source, own int, floor map[string]int, imp string) {
	t.Helper()
	if imp == module || strings.HasPrefix(imp, module+"/") {
		name := packageName(strings.TrimPrefix(strings.TrimPrefix(imp, module), "/"))
		if imp == module {
			name = ""
		}
		if floor[name] >= own {
			t.Errorf("%s (floor %d) imports %q (floor %d): a package imports floors below its own alone, so that a change never travels in a circle", s.path, own, name, floor[name])
		}
		return
	}
	if strings.Contains(strings.Split(imp, "/")[0], ".") {
		checkOwner(t, s, imp)
		return
	}
	if own <= 3 && slices.Contains([]string{"net/http", "database/sql", "os", "log/slog", "context", "net"}, imp) {
		t.Errorf("%s imports %s: floors 1 to 3 do no I/O", s.path, imp)
	}
}

func checkOwner(t *testing.T, s source, imp string) {
	t.Helper()
	for mod, names := range owners() {
		if imp == mod || strings.HasPrefix(imp, mod+"/") {
			if !slices.Contains(names, s.pkg) {
				t.Errorf("%s imports %s, which belongs to %v: one owner keeps a library replaceable", s.path, imp, names)
			}
			return
		}
	}
	t.Errorf("%s imports %s, which has no owner; name one in owners() and say why in docs/decisions", s.path, imp)
}

func TestEveryPackageHasOneComment(t *testing.T) {
	comments := map[string]int{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		comments[s.pkg] += 0
		if s.file.Doc != nil {
			comments[s.pkg]++
		}
	}
	for pkg, n := range comments {
		if n != 1 {
			t.Errorf("package %q has %d package comments, want one: what it is, what it is not, who calls it", pkg, n)
		}
	}
}

func TestFunctionsAreShort(t *testing.T) {
	const most = 80
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			if n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1; n > most && !s.test {
				t.Errorf("%s: %s has %d lines, at most %d: nobody reviews more at once", s.path, f.Name.Name, n, most)
			}
			if f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s has an init(): what happens at start stands in one wiring function", s.path)
			}
		}
	}
}

// tables are package-level values that are no error, pattern, file or guard, and
// that nothing assigns to.
func tables() []string {
	return []string{"oauth.answers", "ui.templates"}
}

func TestPackageLevelVariables(t *testing.T) {
	names := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				for i, n := range v.Names {
					names[s.pkg+"."+n.Name] = true
					if !allowedVar(s, g, v, i) {
						t.Errorf("%s: package-level var %s: allowed are errors, compiled patterns, embedded files, interface guards and the tables listed here; state belongs into a struct", s.path, n.Name)
					}
				}
			}
		}
	}
	assigned(t, names)
}

func allowedVar(s source, g *ast.GenDecl, v *ast.ValueSpec, i int) bool {
	name := v.Names[i].Name
	if name == "_" || slices.Contains(tables(), s.pkg+"."+name) {
		return true
	}
	for _, doc := range []*ast.CommentGroup{g.Doc, v.Doc} {
		if doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed") }) {
			return true
		}
	}
	if i >= len(v.Values) {
		return false
	}
	call, ok := v.Values[i].(*ast.CallExpr)
	if !ok {
		return false
	}
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, _ := fn.X.(*ast.Ident)
	return pkg != nil && slices.Contains([]string{"errors.New", "fmt.Errorf", "regexp.MustCompile"}, pkg.Name+"."+fn.Sel.Name)
}

// assigned looks for assignments to package-level variables inside functions.
func assigned(t *testing.T, names map[string]bool) {
	t.Helper()
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			a, ok := n.(*ast.AssignStmt)
			if !ok || a.Tok == token.DEFINE {
				return true
			}
			for _, l := range a.Lhs {
				if id, ok := l.(*ast.Ident); ok && id.Obj == nil && names[s.pkg+"."+id.Name] {
					t.Errorf("%s assigns to the package-level var %s", s.path, id.Name)
				}
			}
			return true
		})
	}
}

// safest are the least versions without a known weakness that reaches us.
func safest() map[string][3]int {
	return map[string][3]int{
		"github.com/go-jose/go-jose/v4": {4, 1, 4}, // CVE-2026-34986
		"golang.org/x/crypto":           {0, 45, 0},
		"github.com/jackc/pgx/v5":       {5, 9, 0},
		"modernc.org/sqlite":            {1, 49, 0}, // WAL-reset corruption in older SQLite
	}
}

var requireLine = regexp.MustCompile(`(?m)^\s*(?:require )?(\S+) v(\d+)\.(\d+)\.(\d+)`)

func versions(b []byte) map[string][3]int {
	out := map[string][3]int{}
	for _, m := range requireLine.FindAllSubmatch(b, -1) {
		var v [3]int
		for i := range v {
			v[i], _ = strconv.Atoi(string(m[i+2]))
		}
		out[string(m[1])] = v
	}
	return out
}

func TestLeastSafeVersions(t *testing.T) {
	b, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	have := versions(b)
	for mod, least := range safest() {
		if v, ok := have[mod]; ok && slices.Compare(v[:], least[:]) < 0 {
			t.Errorf("%s is %v, at least %v: older ones have a known weakness", mod, v, least)
		}
	}
	// modernc.org/sqlite is generated against one version of its libc.
	sum, err := os.ReadFile(filepath.Join(moduleCache(), "cache", "download", "modernc.org", "sqlite", "@v", versionText(b, "modernc.org/sqlite")+".mod"))
	if err != nil {
		t.Skip("needs the module cache: ", err)
	}
	if want := versions(sum)["modernc.org/libc"]; have["modernc.org/libc"] != want {
		t.Errorf("modernc.org/libc is %v, modernc.org/sqlite wants %v", have["modernc.org/libc"], want)
	}
}

func versionText(gomod []byte, mod string) string {
	m := regexp.MustCompile(regexp.QuoteMeta(mod) + ` (v\S+)`).FindSubmatch(gomod)
	if m == nil {
		return ""
	}
	return string(m[1])
}

func moduleCache() string {
	if dir := os.Getenv("GOMODCACHE"); dir != "" {
		return dir
	}
	if dir := os.Getenv("GOPATH"); dir != "" {
		return filepath.Join(dir, "pkg", "mod")
	}
	home, _ := os.UserHomeDir()
	return filepath.Join(home, "go", "pkg", "mod")
}

// What a security reviewer greps for.
func TestForbiddenWords(t *testing.T) {
	forbidden := map[string]string{
		"math/rand":                "randomness comes from crypto/rand",
		"http.DefaultClient":       "it has no time limit",
		"AddInsecureBypassPattern": "CVE-2025-47910",
		"template.HTML(":           "it switches escaping off",
		"template.JS(":             "it switches escaping off",
		"template.URL(":            "it switches escaping off",
		"InsecureSkipVerify":       "give it the certificate authority instead",
		"proxy.golang" + ".org":    "the product names no registry",
		"registry.npmjs" + ".org":  "the product names no registry",
		"/home" + "/":              "a path of one machine",
		"/root" + "/":              "a path of one machine",
	}
	for _, s := range sources(t) {
		b, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		for word, why := range forbidden {
			if s.path != "rules_test.go" && bytes.Contains(b, []byte(word)) {
				t.Errorf("%s contains %q: %s", s.path, word, why)
			}
		}
	}
}
