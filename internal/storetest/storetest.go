// Package storetest runs one suite of tests on every engine of the store: SQLite
// in memory, SQLite in a file, PostgreSQL.
//
// It is no store and no fake of one. Its own tests are the suite; tests of other
// packages that want every engine call Each or Open:
//
//	storetest.Each(t, func(t *testing.T, s *store.Store) { … })
//
// PostgreSQL is the server that LATCHKEY_TEST_POSTGRES names (the address of a
// superuser on a server that may be thrown away; test/postgres starts one). Every
// test has a schema of its own there. Without the variable those tests skip, and
// fail when LATCHKEY_TEST_FULL is 1.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/seal"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Server is the variable that names the PostgreSQL server of the tests.
const Server = "LATCHKEY_TEST_POSTGRES"

// Place is where a test keeps its data.
type Place struct {
	Engine  string        // "memory", "file" or "postgres"
	Options store.Options // says where; Seal is set
}

// Shared reports that the same data can be opened more than once.
func (p Place) Shared() bool { return !p.Options.Memory }

// Open opens the data, a second time as well where they are Shared; the test's end
// closes them. change may be nil.
func (p Place) Open(t testing.TB, change func(*store.Options)) *store.Store {
	t.Helper()
	o := p.Options
	if change != nil {
		change(&o)
	}
	s, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Each runs a test on every engine, each with an empty store of its own.
func Each(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	EachPlace(t, func(t *testing.T, p Place) { test(t, p.Open(t, nil)) })
}

// EachPlace is Each for a test that opens the data itself, or twice.
func EachPlace(t *testing.T, test func(t *testing.T, p Place)) {
	t.Helper()
	for _, engine := range []string{"memory", "file", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, At(t, engine)) })
	}
}

// At makes an empty place on one engine.
func At(t testing.TB, engine string) Place {
	t.Helper()
	o := store.Options{Seal: Ring(t)}
	switch engine {
	case "memory":
		o.Memory = true
	case "file":
		o.Path = filepath.Join(t.TempDir(), "latchkey.db")
	case "postgres":
		o.Postgres = Postgres(t)
	default:
		t.Fatalf("there is no engine %q: memory, file or postgres", engine)
	}
	return Place{Engine: engine, Options: o}
}

// Ring is the sealing key of the tests.
func Ring(t testing.TB) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing([]byte("a sealing key of 32 bytes, made up"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Postgres makes an empty schema on the server of the tests and gives its address.
// The test's end drops it.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv(Server)
	if server == "" {
		Missing(t, Server+" is not set: `test/postgres start DIR PORT` prints a value for it")
	}
	at, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s: an address like postgres://postgres@127.0.0.1:5432/postgres", Server)
	}
	schema := "test_" + strings.ToLower(rand.Text())
	onServer(t, server, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { onServer(t, server, "DROP SCHEMA "+schema+" CASCADE") })
	q := at.Query()
	q.Set("search_path", schema)
	at.RawQuery = q.Encode()
	return at.String()
}

func onServer(t testing.TB, server, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", server) // store registers the driver
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Missing skips a test for want of a peer, or fails it when everything has to run.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("LATCHKEY_TEST_FULL") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}
