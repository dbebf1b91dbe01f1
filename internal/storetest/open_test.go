package storetest_test

import (
	"crypto/rand"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/seal"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/storetest"
)

func TestNodesThatStartAtOnceMakeOneSchema(t *testing.T) {
	onEachShared(t, func(t *testing.T, p storetest.Place) {
		for _, err := range together(6, []*store.Store{nil}, func(int, *store.Store) error {
			s, err := store.Open(t.Context(), p.Options)
			if err == nil {
				err = s.Close()
			}
			return err
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		fill(t, p.Open(t, nil))
	})
}

func TestAnotherSealingKeyIsNoticedAtTheStart(t *testing.T) {
	onEachShared(t, func(t *testing.T, p storetest.Place) {
		fill(t, p.Open(t, nil))
		other, err := seal.NewRing(seal.RandomSecret())
		if err != nil {
			t.Fatal(err)
		}
		p.Options.Seal = other
		if _, err := store.Open(t.Context(), p.Options); !errors.Is(err, store.ErrWrongKey) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOpenSaysWhatIsWrongAndNeverThePassword(t *testing.T) {
	const password = "hunter2-is-secret"
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for _, c := range []struct {
		name, dsn string
		want      error
	}{
		{"no address", password, store.ErrDSN},
		{"another scheme", "mysql://u:" + password + "@h/d", store.ErrDSN},
		{"a broken escape", "postgres://u:" + password + "%zz@h/d", store.ErrDSN},
		{"a broken port", "postgres://u:" + password + "@h:port/d", store.ErrDSN},
		{"a broken option", "postgres://u:" + password + "@h/d?connect_timeout=soon", store.ErrDSN},
		{"words instead of an address", "host=h password=" + password, store.ErrDSN},
		{"nobody there", "postgres://u:" + password + "@" + closed.Addr().String() + "/d", store.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := store.Open(t.Context(), store.Options{Postgres: c.dsn, Seal: ring(t)})
			if !errors.Is(err, c.want) || strings.Contains(err.Error(), password) {
				t.Errorf("got %v", err)
			}
			if at, err := store.Where(c.dsn); strings.Contains(at, password) || (err != nil && strings.Contains(err.Error(), password)) {
				t.Errorf("where: %q, %v", at, err)
			}
		})
	}
}

func TestWhatWaitingDoesNotHealIsRefused(t *testing.T) {
	at, err := url.Parse(storetest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	at.Path = "/there_is_no_such_database"
	if _, err := store.Open(t.Context(), store.Options{Postgres: at.String(), Seal: ring(t)}); !errors.Is(err, store.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// Nothing answers at all: neither yes nor no comes back.
func TestAnAddressThatIsSilentIsGivenUp(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	begun := time.Now()
	_, err = store.Open(t.Context(), store.Options{Postgres: "postgres://u@" + silent.Addr().String() + "/d?sslmode=disable", Seal: ring(t)})
	if took := time.Since(begun); !errors.Is(err, store.ErrUnavailable) || took > 6*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
}

// The other node's clock stands still, so that its look once a second never
// comes: what it notices it has heard.
func TestNodesHearOfEachOthersChanges(t *testing.T) {
	p := storetest.At(t, "postgres")
	first := p.Open(t, nil)
	f := fill(t, first)
	now := time.Now()
	second := p.Open(t, func(o *store.Options) { o.Now = func() time.Time { return now } })
	if _, err := second.ClientByID(t.Context(), realmID, "c1"); err != nil {
		t.Fatal(err)
	}
	for range 50 { // listening begins a moment after Open
		f.reload(t)
		changed := *f.c
		changed.Name = "heard"
		if err := first.UpdateClient(t.Context(), &changed, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		if got, err := second.ClientByID(t.Context(), realmID, "c1"); err != nil {
			t.Fatal(err)
		} else if got.Name == "heard" {
			return
		}
	}
	t.Error("the other node has not heard of it")
}

// PostgreSQL ends a deadlock by giving one transaction up; it runs again, whole.
func TestATransactionThatWasGivenUpRunsAgain(t *testing.T) {
	p := storetest.At(t, "postgres")
	f := fill(t, p.Open(t, nil))
	other := beside(t, p)
	run(t, other, "SET deadlock_timeout = '20s'") // the store's side notices first
	run(t, other, "UPDATE users SET first_name = 'x' WHERE id = 'u1'")
	done := make(chan error, 1)
	go func() { done <- f.s.DeleteRole(t.Context(), realmID, "r1") }() // has the realm, wants the user
	time.Sleep(200 * time.Millisecond)
	run(t, other, "UPDATE realms SET version = version WHERE id = '"+realmID+"'") // has the user, wants the realm
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("not run again: %v", err)
	}
	if direct, _, err := f.s.UserRoles(t.Context(), realmID, "u1"); err != nil || len(direct) != 0 {
		t.Errorf("roles %v, %v", direct, err)
	}
}

func TestTextsThatNotEveryEngineKeepsAreRefusedOnAll(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		for name, bad := range map[string]string{"a NUL byte": "a\x00b", "broken UTF-8": "a\xffb"} {
			_, read := s.UserByID(t.Context(), realmID, bad)
			_, cached := s.ClientByClientID(t.Context(), realmID, bad)
			email := *f.user
			email.Email = bad
			for what, err := range map[string]error{
				"read": read, "cached read": cached, "write": s.UpdateUser(t.Context(), &email, false),
				"attribute": s.CreateUser(t.Context(), store.NewUser{User: &realm.User{ID: "x", RealmID: realmID, Username: "x", Attributes: map[string][]string{"k": {bad}}}}),
			} {
				if !errors.Is(err, store.ErrText) {
					t.Errorf("%s, %s: %v", name, what, err)
				}
			}
		}
		id := "bad header"
		if err := s.CreateSession(t.Context(), realm.Session{ID: id, RealmID: realmID, UserID: "u1", UserAgent: "a\xffb"},
			realm.ClientSession{SessionID: id, ClientID: "c1", RealmID: realmID}, f.gates("")); err != nil {
			t.Errorf("a browser that names itself in another encoding: %v", err)
		}
	})
}

// A statement that somebody else's lock holds up is given up in time.
func TestALockedTableIsAnOutage(t *testing.T) {
	p := storetest.At(t, "postgres")
	s := p.Open(t, nil)
	fill(t, s)
	other := beside(t, p)
	run(t, other, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
	begun := time.Now()
	_, err := s.UserByID(t.Context(), realmID, "u1")
	if took := time.Since(begun); !errors.Is(err, store.ErrUnavailable) || took > 8*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UserByID(t.Context(), realmID, "u1"); err != nil {
		t.Errorf("and heals: %v", err)
	}
}

// A writer of SQLite that somebody else locks out is told to come again.
func TestALockedFileIsAnOutage(t *testing.T) {
	p := storetest.At(t, "file")
	s := p.Open(t, nil)
	fill(t, s)
	other := beside(t, p)
	run(t, other, "UPDATE users SET first_name = 'x'")
	begun := time.Now()
	err := s.SetPassword(t.Context(), realmID, "u1", realm.Credential{ID: "p9", Type: "password"})
	if took := time.Since(begun); !errors.Is(err, store.ErrUnavailable) || took > 8*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPassword(t.Context(), realmID, "u1", realm.Credential{ID: "p9", Type: "password"}); err != nil {
		t.Errorf("and heals: %v", err)
	}
}

// An address that moves from server to server may lead to a standby for a moment.
// Whoever connects then must neither read the past nor keep that connection when
// the address leads to the new primary.
func TestAServerThatMayNotWriteIsAnOutage(t *testing.T) {
	p := storetest.At(t, "postgres")
	server := os.Getenv(storetest.Server)
	role := "moves_" + strings.ToLower(rand.Text())
	serverRun(t, server, "CREATE ROLE "+role+" LOGIN SUPERUSER")
	at, err := url.Parse(p.Options.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	at.User = url.User(role)
	p.Options.Postgres = at.String()
	s := p.Open(t, nil)
	t.Cleanup(func() { // runs before the store is closed
		_ = s.Close()
		serverRun(t, server, "DROP OWNED BY "+role)
		serverRun(t, server, "DROP ROLE "+role)
	})
	f := fill(t, s)

	serverRun(t, server, "ALTER ROLE "+role+" SET default_transaction_read_only = on")
	serverRun(t, server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '"+role+"'")
	for range 20 { // the first ones find connections that are gone
		if _, err := s.UserByID(t.Context(), realmID, "u1"); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("a standby is read: %v", err)
		}
	}
	if _, err := store.Open(t.Context(), p.Options); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("at the start: %v", err)
	}
	serverRun(t, server, "ALTER ROLE "+role+" RESET default_transaction_read_only")
	if err := s.UpdateUser(t.Context(), f.user, false); err != nil {
		t.Errorf("it does not heal: %v", err)
	}
}
