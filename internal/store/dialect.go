package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// dialect is what the engines do not share. Every other file has the same SQL
// for both. A row lock is a suffix of a SELECT: SQLite has one writer and needs
// none, PostgreSQL runs transactions side by side (READ COMMITTED), so that a
// fact that a decision rests on is locked until the commit.
type dialect struct {
	engine string // also the folder of its migrations

	isolation sql.IsolationLevel
	snapshot  sql.IsolationLevel // of a transaction that reads many statements at one moment

	share      string // nobody changes or deletes the row; others may share it
	update     string // the row is this transaction's; foreign keys to it do not wait
	exclusive  string // the row is about to go; foreign keys to it wait
	skipLocked string // the row is this transaction's; rows of others are passed over

	watched bool   // a read by keys may wait, see byKeys
	begin   string // runs first in every transaction; "" for nothing
	lock    func(ctx context.Context, tx *sql.Tx, kind, key string) error
	notify  func(ctx context.Context, tx *sql.Tx, realmID string) error
}

func sqliteDialect() dialect {
	return dialect{
		engine: "sqlite",
		lock:   func(context.Context, *sql.Tx, string, string) error { return nil }, // BEGIN IMMEDIATE: there is one writer
		notify: func(context.Context, *sql.Tx, string) error { return nil },         // the look once a second is enough
	}
}

// channel carries the ids of realms that changed.
const channel = "latchkey_realms"

func postgresDialect() dialect {
	return dialect{
		engine: "postgres", watched: true, isolation: sql.LevelReadCommitted, snapshot: sql.LevelRepeatableRead, share: " FOR SHARE", update: " FOR NO KEY UPDATE", exclusive: " FOR UPDATE", skipLocked: " FOR UPDATE SKIP LOCKED",
		lock: func(ctx context.Context, tx *sql.Tx, kind, key string) error {
			_, err := exec(ctx, tx, "SELECT pg_advisory_xact_lock($1)", lockNumber(kind, key))
			return err
		},
		notify: func(ctx context.Context, tx *sql.Tx, realmID string) error {
			_, err := exec(ctx, tx, "SELECT pg_notify($1, $2)", channel, realmID)
			return err
		},
	}
}

// lockNumber names a lock that has no row: PostgreSQL counts them by 64 bits. Two
// names with one number wait for each other and nothing worse.
func lockNumber(kind, key string) int64 {
	sum := sha256.Sum256([]byte("latchkey " + kind + "\n" + key))
	return int64(binary.BigEndian.Uint64(sum[:8])) // any 64 bits do
}

// Pragmas stand in the DSN so that every pooled connection has them: a PRAGMA
// by Exec would reach one connection alone. synchronous=FULL makes a write that
// was acknowledged survive a power cut.
func fileDSN(path string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "busy_timeout(4000)", "temp_store(MEMORY)", "journal_size_limit(16777216)"},
	}.Encode()
}

func memoryDSN(name string) string {
	return "file:" + name + "?" + url.Values{
		"mode": {"memory"}, "cache": {"shared"}, "_txlock": {"immediate"},
		"_pragma": {"foreign_keys(1)", "busy_timeout(4000)"},
	}.Encode()
}

// Times of a connection to PostgreSQL. An address that answers nothing must not
// hold a request; a node that dies in a transaction must not hold its locks.
const (
	connectTime  = 3 * time.Second
	idleInTx     = "30s"
	connIdleTime = 5 * time.Minute
	connLifetime = 30 * time.Minute // finds a server that took over, in time
)

// parsePostgres reads a DSN. Its error never holds the DSN: a password stands in it.
func parsePostgres(dsn string) (*pgx.ConnConfig, error) {
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return nil, ErrDSN
	}
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, ErrDSN
	}
	if c.ConnectTimeout == 0 || c.ConnectTimeout > connectTime {
		c.ConnectTimeout = connectTime
	}
	if c.ValidateConnect == nil {
		c.ValidateConnect = writable
	}
	for name, value := range map[string]string{"application_name": "latchkey", idleSetting: idleInTx} {
		if c.RuntimeParams[name] == "" {
			c.RuntimeParams[name] = value
		}
	}
	return c, nil
}

// Where names a PostgreSQL database for a log: host, port and database, no user
// and no password. ErrDSN for what is no such address.
func Where(dsn string) (string, error) {
	c, err := parsePostgres(dsn)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("postgres://%s:%d/%s", c.Host, c.Port, c.Database), nil
}

func openPostgres(c *pgx.ConnConfig) *sql.DB {
	db := stdlib.OpenDB(*c)
	most := max(10, 4*runtime.NumCPU())
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	db.SetConnMaxIdleTime(connIdleTime)
	db.SetConnMaxLifetime(connLifetime)
	return db
}
