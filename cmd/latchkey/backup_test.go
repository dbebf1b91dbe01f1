package main_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// serveOn starts a provider on a data folder until the test ends, and gives its
// process.
func serveOn(t *testing.T, latchkey, data, addr string, flags ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), latchkey, append([]string{"serve", "--data", data, "--addr", addr, "--management-addr", "", "--url", "http://" + addr, "--admin", "boss",
		"--log-level", "warn"}, flags...)...)
	cmd.Env = append(os.Environ(), "LATCHKEY_ADMIN_PASSWORD=the first password")
	cmd.Stderr = t.Output()
	start(t, cmd)
	waitFor(t, "http://"+addr+"/realms/master")
	return cmd
}

// post sends a form and gives the status and the members of the answer.
func post(t *testing.T, address string, form url.Values) (int, map[string]any) {
	t.Helper()
	resp, err := (&http.Client{Timeout: 20 * time.Second}).PostForm(address, form)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	defer resp.Body.Close()
	var out map[string]any
	b, err := io.ReadAll(resp.Body)
	if err == nil {
		_ = json.Unmarshal(b, &out) // an error's body may be anything
	}
	return resp.StatusCode, out
}

func createUser(t *testing.T, base, token, name string) bool {
	req, err := http.NewRequest("POST", base+"/admin/realms/master/users", strings.NewReader(fmt.Sprintf(`{"username":%q,"enabled":true}`, name)))
	if err != nil {
		t.Error(err)
		return false
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Timeout: 20 * time.Second}).Do(req)
	if err != nil {
		t.Error(err)
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusCreated
}

// A backup is taken while users are made and people log in. What was
// acknowledged before it began is in it; it starts, and it is whole.
func TestBackupWhileItRuns(t *testing.T) {
	latchkey, dir, addr := builtLatchkey(t), t.TempDir(), freeAddr(t)
	base, data := "http://"+addr, filepath.Join(dir, "data")
	server := serveOn(t, latchkey, data, addr)
	token := base + "/realms/master/protocol/openid-connect/token"
	login := url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"boss"}, "password": {"the first password"}}
	_, session := post(t, token, login)
	access, _ := session["access_token"].(string)
	refresh, _ := session["refresh_token"].(string)

	var made atomic.Int64 // users 0 to made-1 are acknowledged
	stop, load := make(chan struct{}), sync.WaitGroup{}
	load.Go(func() {
		for n := int64(0); ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if !createUser(t, base, access, fmt.Sprint("user", n)) {
				t.Error("a user was not made")
				return
			}
			made.Store(n + 1)
		}
	})
	load.Go(func() {
		for made.Load() >= 0 {
			select {
			case <-stop:
				return
			default:
				if status, _ := post(t, token, login); status != http.StatusOK {
					t.Errorf("a login beside the backup: %d", status)
				}
			}
		}
	})
	var copies []string
	var acknowledged []int64
	for n := range 3 {
		for made.Load() < int64(20*(n+1)) && !t.Failed() {
			time.Sleep(5 * time.Millisecond)
		}
		copies, acknowledged = append(copies, filepath.Join(dir, fmt.Sprint("copy", n))), append(acknowledged, made.Load())
		if out, err := exec.Command(latchkey, "backup", "--data", data, "--to", copies[n]).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	close(stop)
	load.Wait()
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait()
	for n, folder := range copies {
		holds(t, folder, acknowledged[n])
	}

	// The restore: another server on the last copy, for the same origin.
	serveOn(t, latchkey, copies[2], addr)
	if status, _ := post(t, token, url.Values{"grant_type": {"refresh_token"}, "client_id": {"admin-cli"}, "refresh_token": {refresh}}); status != http.StatusOK {
		t.Errorf("a session of before the backup: %d", status)
	}
	wantStatus(t, 200, grant(t, base, "master", "admin-cli", "", "boss", "the first password"))
	if createUser(t, base, access, fmt.Sprint("user", acknowledged[2]-1)) {
		t.Error("the newest user of before the backup was not there")
	}
	if !createUser(t, base, access, "restored") {
		t.Error("the copy takes no new user")
	}
}

// holds looks at a copy that nobody has opened yet.
func holds(t *testing.T, folder string, users int64) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "latchkey.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity_check of %s: %q, %v", folder, verdict, err)
	}
	for n := range users {
		var found int
		if err := db.QueryRow("SELECT count(*) FROM users WHERE username = $1", fmt.Sprint("user", n)).Scan(&found); err != nil || found != 1 {
			t.Errorf("user%d was acknowledged before %s and is not in it: %v", n, folder, err)
		}
	}
	for name, mode := range map[string]os.FileMode{".": 0o700, "key": 0o600, "latchkey.db": 0o600} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s of %s: %v, %v", name, folder, info, err)
		}
	}
}
