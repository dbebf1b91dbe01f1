package storetest_test

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/storetest"
)

// pooler is a PgBouncer of this test's own before the server of the tests, and the
// address through it of a database that is this test's own too.
func pooler(t *testing.T, mode string) string {
	t.Helper()
	binary := pgbouncer(t)
	server, err := url.Parse(storetest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	server.RawQuery = "sslmode=disable"
	admin := server.String()
	name := "pooled_" + strings.ToLower(rand.Text())
	serverRun(t, admin, "CREATE DATABASE "+name)
	t.Cleanup(func() { serverRun(t, admin, "DROP DATABASE "+name+" WITH (FORCE)") })
	addr := startPooler(t, binary, server, mode)
	server.Host, server.Path = addr, "/"+name
	return server.String()
}

func pgbouncer(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} { // not every user's PATH has sbin
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	storetest.Missing(t, "no pgbouncer: `apt-get install pgbouncer` brings one")
	return ""
}

func startPooler(t *testing.T, binary string, server *url.URL, mode string) (addr string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = free.Addr().String()
	_ = free.Close()
	dir, err := os.MkdirTemp("", "latchkey-pgbouncer-") // its user reads no folder of t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	login := "user=" + server.User.Username()
	if password, ok := server.User.Password(); ok {
		login += " password=" + password
	}
	_, port, _ := net.SplitHostPort(addr)
	ini := fmt.Sprintf("[databases]\n* = host=%s port=%s %s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %s\nunix_socket_dir =\nauth_type = any\npool_mode = %s\n",
		server.Hostname(), server.Port(), login, port, mode)
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := errors.Join(os.WriteFile(file, []byte(ini), 0o644), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	args := []string{file}
	if os.Geteuid() == 0 { // it refuses root
		args = []string{"-u", "nobody", file}
	}
	cmd := exec.CommandContext(t.Context(), binary, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return addr
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("pgbouncer does not answer")
	return ""
}

func serverRun(t *testing.T, address, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// PgBouncer as Debian configures it, but for the mode: no parameter is let through,
// and in the mode "transaction" no statement stays prepared.
func TestAPoolerMayStandBefore(t *testing.T) {
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			p := storetest.Place{Engine: "postgres", Options: store.Options{Postgres: pooler(t, mode), Seal: ring(t)}}
			both := nodes(t, p)
			if !both[0].Pooled() {
				t.Error("it is not noticed")
			}
			f := fill(t, both[0])
			hash := f.code(t)
			got := tally(t, together(50, both, func(_ int, s *store.Store) error {
				_, err := s.ConsumeCode(t.Context(), realmID, hash)
				return err
			}), store.ErrUsed)
			if got[nil] != 1 || got[store.ErrUsed] != 49 {
				t.Errorf("%v", got)
			}
			for name, err := range map[string]error{"a session": f.s.EndSession(t.Context(), realmID, f.session(t)), "a password": f.s.SetPassword(t.Context(), realmID, "u1", realm.Credential{ID: "p2", Type: "password"})} {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if _, err := f.s.ReadRealm(t.Context(), "r"); err != nil {
				t.Error(err)
			}
			followsWithinASecond(t, f, both[1])
		})
	}
}

// followsWithinASecond: what one node changes, another one sees at its next look.
func followsWithinASecond(t *testing.T, f *fixture, other *store.Store) {
	t.Helper()
	if _, err := other.ClientByID(t.Context(), realmID, "c1"); err != nil {
		t.Fatal(err)
	}
	f.reload(t)
	changed := *f.c
	changed.Name = "seen"
	if err := f.s.UpdateClient(t.Context(), &changed, nil); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if got, err := other.ClientByID(t.Context(), realmID, "c1"); err != nil {
			t.Fatal(err)
		} else if got.Name == "seen" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("the other node has not seen it")
}

func TestAPoolerWithoutTransactionsIsRefused(t *testing.T) {
	if _, err := store.Open(t.Context(), store.Options{Postgres: pooler(t, "statement"), Seal: ring(t)}); !errors.Is(err, store.ErrPooler) {
		t.Errorf("got %v", err)
	}
}

func TestNoPoolerIsSeenWhereThereIsNone(t *testing.T) {
	if storetest.At(t, "postgres").Open(t, nil).Pooled() {
		t.Error("PostgreSQL itself is taken for a pooler")
	}
}
