package main_test

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// demo is the one line of `latchkey demo --json`.
type demo struct {
	App              string `json:"app"`
	Provider         string `json:"provider"`
	Realm            string `json:"realm"`
	Issuer           string `json:"issuer"`
	ClientID         string `json:"client_id"`
	ClientSecret     string `json:"client_secret"`
	RedirectURI      string `json:"redirect_uri"`
	TokenEndpoint    string `json:"token_endpoint"`
	UserinfoEndpoint string `json:"userinfo_endpoint"`
	Username         string `json:"username"`
	Password         string `json:"password"`
	AdminRealm       string `json:"admin_realm"`
	AdminUsername    string `json:"admin_username"`
	AdminPassword    string `json:"admin_password"`
}

// needs skips a test that wants more than Go, or fails it in the full run,
// where a skipped test would hide a missing installation.
func needs(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("LATCHKEY_TEST_FULL") != "" {
		t.Fatalf("needs %s", what)
	}
	t.Skipf("needs %s", what)
}

// build compiles a command of this module once a test.
func build(t *testing.T, pkg string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), filepath.Base(pkg))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // one file, as on a machine with nothing but Go
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, b)
	}
	return out
}

// builtLatchkey is the program that people run: the one that the full run built,
// or one built now.
func builtLatchkey(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("LATCHKEY_TEST_BINARY"); path != "" {
		return path
	}
	return build(t, "github.com/latchkey-id/latchkey/cmd/latchkey")
}

func startDemo(t *testing.T) demo {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), builtLatchkey(t),
		"demo", "--json", "--app-addr", freeAddr(t), "--addr", freeAddr(t))
	home := t.TempDir()
	cmd.Env, cmd.Dir = append(os.Environ(), "HOME="+home, "TMPDIR="+home), home
	cmd.Stderr = t.Output()
	t.Cleanup(func() { // runs after the program has ended
		if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
			t.Errorf("the demo leaves %v, %v", left, err)
		}
	})
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatalf("demo ended without a line: %v", err)
	}
	var d demo
	if err := json.Unmarshal(line, &d); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	return d
}

// startExample runs examples/guide beside the demo: the same client at another
// port, which the loopback rule allows.
func startExample(t *testing.T, d demo) string {
	t.Helper()
	addr := freeAddr(t)
	cmd := exec.CommandContext(t.Context(), build(t, "github.com/latchkey-id/latchkey/examples/guide"))
	cmd.Env = append(os.Environ(), "CLIENT_ID="+d.ClientID, "CLIENT_SECRET="+d.ClientSecret, "ISSUER="+d.Issuer,
		"REDIRECT_URI=http://"+addr+"/oidc/callback", "TOKEN_ENDPOINT="+d.TokenEndpoint, "USERINFO_ENDPOINT="+d.UserinfoEndpoint)
	cmd.Stderr = t.Output()
	start(t, cmd)
	app := "http://" + addr
	waitFor(t, app+"/")
	return app
}

func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
}

func waitFor(t *testing.T, address string) {
	t.Helper()
	for range 200 {
		resp, err := http.Get(address)
		if err == nil {
			resp.Body.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s never answered", address)
}

// freeAddr is a port that was free a moment ago, by the name that the demo
// prints: localhost.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1)
}
