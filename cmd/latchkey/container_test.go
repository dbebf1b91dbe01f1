//go:build linux

package main_test

import (
	"bytes"
	"errors"
	"fmt"
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

// A container without a container engine: namespaces of its own for mounts and
// processes, the static binary alone on a read-only root (no /tmp, /proc, /dev,
// /etc), a user without a name or a home, process 1, no terminal. Only /data is
// mounted, as each case says.
const enclose = `set -e
mount --make-rprivate /
mount -t tmpfs -o size=64k,mode=755 root "$ROOT"
mkdir "$ROOT/data"
touch "$ROOT/latchkey"
mount --bind "$BINARY" "$ROOT/latchkey"
%s
mount -o remount,ro "$ROOT"
exec env -i LATCHKEY_ADMIN_PASSWORD='the first password' "$(command -v chroot)" --userspec=4711:4711 "$ROOT" /latchkey serve --data /data --url "http://$ADDR" --addr "$ADDR" --management-addr "$MANAGEMENT" --admin boss
`

type container struct {
	cmd        *exec.Cmd
	base       string
	management string
	log        bytes.Buffer
}

func startContainer(t *testing.T, latchkey, mounts string) *container {
	t.Helper()
	addr, management := strings.Replace(freeAddr(t), "localhost", "127.0.0.1", 1), strings.Replace(freeAddr(t), "localhost", "127.0.0.1", 1)
	c := &container{base: "http://" + addr, management: "http://" + management}
	c.cmd = exec.CommandContext(t.Context(), "/bin/sh", "-c", fmt.Sprintf(enclose, mounts))
	c.cmd.Env = append(os.Environ(), "ROOT="+t.TempDir(), "BINARY="+latchkey, "ADDR="+addr, "MANAGEMENT="+strings.Replace(management, "127.0.0.1", "localhost", 1)) // as the default: there is no /etc/hosts
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	c.cmd.Stderr, c.cmd.WaitDelay = &c.log, 10*time.Second
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil {
			_ = c.cmd.Process.Kill()
			_ = c.cmd.Wait()
		}
	})
	return c
}

// namespaces skips the test where the machine does not allow them.
func namespaces(t *testing.T) string {
	t.Helper()
	if os.Getenv("LATCHKEY_TEST_FULL") == "" {
		t.Skip("part of the full test run: set LATCHKEY_TEST_FULL=1")
	}
	try := exec.Command("/bin/sh", "-c", "mount --make-rprivate / && mount -t tmpfs none /mnt && command -v chroot")
	try.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	if out, err := try.CombinedOutput(); err != nil {
		t.Skipf("this machine does not allow namespaces and mounts: %v %s", err, out)
	}
	return builtLatchkey(t)
}

const own = `mount -t tmpfs -o size=12m,mode=700,uid=4711,gid=4711 data "$ROOT/data"`

func (c *container) token() string { return c.base + "/realms/master/protocol/openid-connect/token" }

func login() url.Values {
	return url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"boss"}, "password": {"the first password"}}
}

func (c *container) up(t *testing.T) {
	t.Helper()
	for range 200 {
		if resp, err := http.Get(c.management + "/health/ready"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
	t.Fatalf("it never answered:\n%s", c.log.String())
}

// down is how an engine stops a container: SIGTERM to its process 1, which has
// to have asked for it.
func (c *container) down(t *testing.T) {
	t.Helper()
	began := time.Now()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("after SIGTERM: %v in %s:\n%s", err, time.Since(began), c.log.String())
	}
}

func TestServeInAContainer(t *testing.T) {
	c := startContainer(t, namespaces(t), own)
	c.up(t)
	if status, _ := post(t, c.token(), login()); status != http.StatusOK {
		t.Errorf("a login: %d", status)
	}
	inside := fmt.Sprint("/proc/", c.cmd.Process.Pid)
	if status, err := os.ReadFile(inside + "/status"); err != nil || !bytes.Contains(status, []byte("Uid:\t4711\t4711")) {
		t.Errorf("it does not run as the user that was meant: %v", err)
	}
	if err := os.WriteFile(filepath.Join(inside, "root", "x"), nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Errorf("the root can be written: the test proves nothing (%v)", err)
	}
	left, err := os.ReadDir(filepath.Join(inside, "root", "data"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s in the data folder: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	c.down(t)
}

// What does not work is said in one sentence that helps.
func TestContainersThatCannotWork(t *testing.T) {
	latchkey := namespaces(t)
	for _, c := range []struct{ name, mounts, want string }{
		{"somebody else's folder", `mount -t tmpfs -o mode=755 data "$ROOT/data"`, "this process runs as user 4711 and /data belongs to user 0 (mode 0755); give it to this user (chown)"},
		{"a read-only folder", own + `; mount -o remount,ro "$ROOT/data"`, "the file system is read-only: mount a folder there that can be written"},
		{"no folder mounted", ``, "the file system is read-only: mount a folder there that can be written"},
		{"a full disk", own + `; head -c 12m /dev/zero > "$ROOT/data/full" || :; rm -f "$ROOT/data/none"`, "the disk is full"},
		{"somebody else's key", own + `; touch "$ROOT/data/key"; chmod 600 "$ROOT/data/key"`, "/data/key belongs to user 0 (mode 0600)"},
		{"somebody else's database", own + `; touch "$ROOT/data/latchkey.db"; chmod 644 "$ROOT/data/latchkey.db"`, "/data/latchkey.db belongs to user 0 (mode 0644)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := startContainer(t, latchkey, c.mounts)
			err := run.cmd.Wait()
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
				t.Errorf("it ended with %v", err)
			}
			if out := strings.TrimSpace(run.log.String()); !strings.Contains(out, c.want) || strings.Count(out, "\n") > 0 {
				t.Errorf("it says\n%s\nwithout %q", out, c.want)
			}
		})
	}
}

// A full disk answers 503 with Retry-After, keeps what it has, and heals.
func TestDiskFullHeals(t *testing.T) {
	c := startContainer(t, namespaces(t), own)
	c.up(t)
	data := filepath.Join("/proc", fmt.Sprint(c.cmd.Process.Pid), "root", "data")
	_, session := post(t, c.token(), login())
	refresh, _ := session["refresh_token"].(string)

	filler := filepath.Join(data, "filler")
	if err := os.WriteFile(filler, make([]byte, 16<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk does not get full: %v", err)
	}
	busy := 0
	for range 10 {
		resp, err := http.PostForm(c.token(), login())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
			busy++
		case resp.StatusCode != http.StatusOK:
			t.Errorf("on a full disk: %d", resp.StatusCode)
		}
	}
	if busy == 0 {
		t.Error("every login was written to a full disk: the test proves nothing")
	}
	if resp, err := http.Get(c.base + "/realms/master"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("what only reads: %v, %v", resp, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if status, _ := post(t, c.token(), login()); status != http.StatusOK {
		t.Errorf("a login when there is room again: %d", status)
	}
	if status, _ := post(t, c.token(), url.Values{"grant_type": {"refresh_token"}, "client_id": {"admin-cli"}, "refresh_token": {refresh}}); status != http.StatusOK {
		t.Errorf("the session of before: %d", status)
	}
	inside := exec.Command("nsenter", "--target", fmt.Sprint(c.cmd.Process.Pid), "--mount", "--root", "/latchkey", "backup", "--data", "/data", "--to", "/data/copy")
	if out, err := inside.CombinedOutput(); err != nil { // it checks the integrity
		t.Errorf("%v: %s", err, out)
	}
	c.down(t)
}
