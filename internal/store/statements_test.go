package store

import (
	"fmt"
	"path/filepath"
	"testing"
)

// A kept statement is in use until its rows are closed: the same query inside them
// gets another one. What a search makes up does not pile up.
func TestConnectionsKeepStatements(t *testing.T) {
	db, err := openSQLite(fileDSN(filepath.Join(t.TempDir(), "x.db")), false)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := t.Context()
	c, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	number := func(r scanner) (n int, err error) { err = r.Scan(&n); return }
	const three = "SELECT $1 UNION ALL SELECT $1 + 1 UNION ALL SELECT $1 + 2"
	rows, err := c.QueryContext(ctx, three, 10)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for rows.Next() {
		n, err := number(rows)
		if err != nil {
			t.Fatal(err)
		}
		inner, err := list(ctx, c, number, three, n)
		if err != nil || len(inner) != 3 || inner[0] != n {
			t.Fatalf("the same query inside its own rows: %v, %v", inner, err)
		}
		sum += n + inner[2]
	}
	if err := rows.Close(); err != nil || sum != 10+12+11+13+12+14 {
		t.Fatalf("sum %d, %v", sum, err)
	}
	for n := range 3 * keptStatements {
		if got, err := one(ctx, c, number, fmt.Sprintf("SELECT %d + $1", n), 1); err != nil || got != n+1 {
			t.Fatalf("%d: %v", got, err)
		}
	}
	if _, err := one(ctx, c, number, "SELECT nothing FROM nowhere WHERE x = $1", 1); err == nil {
		t.Error("a broken query was run")
	}
	err = c.Raw(func(inner any) error {
		if kept := len(inner.(*keepingConn).kept); kept != keptStatements {
			t.Errorf("%d statements are kept", kept)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A schema that changes under a kept statement: SQLite prepares it anew.
func TestKeptStatementsFollowTheSchema(t *testing.T) {
	db, err := openSQLite(fileDSN(filepath.Join(t.TempDir(), "x.db")), true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := t.Context()
	for _, q := range []string{"CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES ('1')"} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []string{"", "ALTER TABLE t ADD COLUMN b TEXT", "DROP TABLE t; CREATE TABLE t (b TEXT, a TEXT); INSERT INTO t VALUES ('2', '1')"} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
		if got, err := one(ctx, db, scanText, "SELECT a FROM t WHERE a = $1", "1"); err != nil || got != "1" {
			t.Errorf("after %q: %q, %v", q, got, err)
		}
	}
}
