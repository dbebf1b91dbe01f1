package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/latchkey-id/latchkey/internal/seal"
)

// Options say where the data is. Exactly one of Path, Memory and Postgres is set.
type Options struct {
	Path       string           // a SQLite file, made when it is not there
	Memory     bool             // SQLite in memory, gone with Close
	Seal       *seal.Ring       // seals client secrets, credentials and private keys
	Now        func() time.Time // time.Now when nil
	CacheBytes int              // 64 MiB when 0
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	read, write *sql.DB
	anchor      *sql.Conn // keeps a database in memory alive
	seal        *seal.Ring
	now         func() time.Time
	cache       *cache
}

// Open opens the database and brings its schema up to date. It returns
// ErrNewer for a database that a newer program has written to.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{seal: o.Seal, now: o.Now, cache: newCache(o.CacheBytes)}
	if s.now == nil {
		s.now = time.Now
	}
	if err := s.connect(ctx, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := migrate(ctx, s.write); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) connect(ctx context.Context, o Options) error {
	var err error
	if o.Memory {
		dsn := memoryDSN(rand.Text())
		if s.write, err = sql.Open(driver, dsn); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		s.write.SetMaxOpenConns(2) // one works, one is the anchor
		s.read = s.write
		s.anchor, err = s.write.Conn(ctx)
		return wrap(err)
	}
	if s.write, err = sql.Open(driver, fileDSN(o.Path)); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open(driver, fileDSN(o.Path)); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s.read.SetMaxOpenConns(2 * runtime.NumCPU())
	s.read.SetMaxIdleConns(2 * runtime.NumCPU())
	s.read.SetConnMaxIdleTime(time.Second) // kept while there is work, given back when there is none
	return wrap(s.write.PingContext(ctx))
}

// Close ends all connections.
func (s *Store) Close() error {
	var errs []error
	if s.anchor != nil {
		errs = append(errs, s.anchor.Close())
	}
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return wrap(s.read.QueryRowContext(ctx, "SELECT 1").Scan(&one))
}

// tx runs one closure in one transaction. The closure uses nothing but tx.
func (s *Store) tx(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return wrap(err)
	}
	if err := do(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return wrap(tx.Commit())
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// queryer is a *sql.DB or a *sql.Tx.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// exec runs a statement and gives how many rows it changed.
func exec(ctx context.Context, q queryer, query string, args ...any) (int64, error) {
	res, err := q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, wrap(err)
	}
	n, err := res.RowsAffected()
	return n, wrap(err)
}

// must runs a statement that has to change a row, otherwise it returns missing.
func must(ctx context.Context, q queryer, missing error, query string, args ...any) error {
	n, err := exec(ctx, q, query, args...)
	if err == nil && n == 0 {
		return missing
	}
	return err
}

// list reads all rows of a query.
func list[T any](ctx context.Context, q queryer, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, wrap(err)
		}
		out = append(out, v)
	}
	return out, wrap(rows.Err())
}

// one reads one row; ErrNotFound when there is none.
func one[T any](ctx context.Context, q queryer, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	v, err := scan(q.QueryRowContext(ctx, query, args...))
	return v, wrap(err)
}

type scanner interface{ Scan(dest ...any) error }

func scanText(r scanner) (string, error) {
	var s string
	return s, r.Scan(&s)
}

// millis and instant are the two ways between time.Time and the columns: Unix
// milliseconds UTC, 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	return string(b), nil
}

func decode(doc string, into any) error {
	if err := json.Unmarshal([]byte(doc), into); err != nil {
		return fmt.Errorf("store: a row does not parse: %w", err)
	}
	return nil
}
