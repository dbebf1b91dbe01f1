package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serve as other programs drive it: data folder, first administrator, an import
// of an unchanged Keycloak export, a restart, another password.
func TestServeKeepsWhatItHas(t *testing.T) {
	latchkey, data, addr := builtLatchkey(t), filepath.Join(t.TempDir(), "data"), freeAddr(t)
	base := "http://" + addr
	args := []string{"serve", "--data", data, "--addr", addr, "--management-addr", freeAddr(t), "--url", base, "--admin", "boss",
		"--import", "../../internal/manage/testdata/keycloak-26.7.4-realm.json"}
	begin := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), latchkey, args...)
		cmd.Env = append(os.Environ(), "LATCHKEY_ADMIN_PASSWORD=the first password")
		cmd.Stderr = t.Output()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, base+"/realms/master")
		return cmd
	}
	end := func(cmd *exec.Cmd) {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ended with %v", err)
		}
	}
	cmd := begin()
	wantStatus(t, 200, grant(t, base, "master", "admin-cli", "", "boss", "the first password"))
	for user, want := range map[string]int{"alice": 200, "bob": 200, "carol": 200, "dave": 200, "frank": 400} {
		if got := grant(t, base, "guide", "guide-app", "guide-secret", user, user+"-password"); got != want {
			t.Errorf("%s with the password that Keycloak hashed: %d", user, got)
		}
	}
	info, err := os.Stat(filepath.Join(data, "key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the sealing key: %v, %v", info, err)
	}
	end(cmd)

	cmd = begin()
	wantStatus(t, 200, grant(t, base, "guide", "guide-app", "guide-secret", "alice", "alice-password"))
	reset := exec.CommandContext(t.Context(), latchkey, "user", "reset-password", "--data", data, "--username", "boss")
	reset.Stdin = strings.NewReader("another password\n")
	if out, err := reset.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	wantStatus(t, 400, grant(t, base, "master", "admin-cli", "", "boss", "the first password"))
	wantStatus(t, 200, grant(t, base, "master", "admin-cli", "", "boss", "another password"))
	end(cmd)
}

func wantStatus(t *testing.T, want, got int) {
	t.Helper()
	if got != want {
		t.Errorf("status %d, want %d", got, want)
	}
}

func grant(t *testing.T, base, realm, client, secret, user, password string) int {
	t.Helper()
	form := url.Values{"grant_type": {"password"}, "client_id": {client}, "username": {user}, "password": {password}}
	if secret != "" {
		form.Set("client_secret", secret)
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).PostForm(base+"/realms/"+realm+"/protocol/openid-connect/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// The demo and the application as a program drives them, without a browser.
func TestDemoForPrograms(t *testing.T) {
	d := startDemo(t)
	for _, v := range []string{d.App, d.Provider, d.Realm, d.Issuer, d.ClientID, d.ClientSecret, d.RedirectURI, d.TokenEndpoint, d.UserinfoEndpoint, d.Username, d.Password,
		d.AdminRealm, d.AdminUsername, d.AdminPassword} {
		if v == "" {
			t.Fatalf("a value is missing: %+v", d)
		}
	}
	if got := read(t, d.App); got != "Welcome to the public route." {
		t.Errorf("/ answers %q", got)
	}
	var meta struct {
		Issuer   string `json:"issuer"`
		Token    string `json:"token_endpoint"`
		Userinfo string `json:"userinfo_endpoint"`
	}
	if err := json.Unmarshal([]byte(read(t, d.Issuer+"/.well-known/openid-configuration")), &meta); err != nil {
		t.Fatal(err)
	}
	if meta.Issuer != d.Issuer || meta.Token != d.TokenEndpoint || meta.Userinfo != d.UserinfoEndpoint {
		t.Errorf("%+v does not agree with %+v", meta, d)
	}
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		u, err := url.Parse(d.App)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, "http://"+host+":"+u.Port()+"/"); got == "" {
			t.Errorf("%s does not answer", host)
		}
	}
	wantStatus(t, 200, grant(t, d.Provider, d.AdminRealm, "admin-cli", "", d.AdminUsername, d.AdminPassword))
}

func read(t *testing.T, address string) string {
	t.Helper()
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
