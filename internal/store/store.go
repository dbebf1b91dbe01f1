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
	Postgres   string           // the address of a PostgreSQL database: postgres://user@host:5432/database
	Seal       *seal.Ring       // seals client secrets, credentials and private keys
	Now        func() time.Time // time.Now when nil
	CacheBytes int              // 64 MiB when 0
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	read, write *sql.DB
	d           dialect
	anchor      *sql.Conn // keeps a database in memory alive
	seal        *seal.Ring
	now         func() time.Time
	cache       *cache
	pooled      bool      // a pooler stands before PostgreSQL
	listener    *listener // nil on SQLite, and behind a pooler
}

// Open opens the database and brings its schema up to date. Errors: ErrNewer for
// a database that a newer program has written to, ErrWrongKey, and for PostgreSQL
// ErrDSN, ErrRefused, ErrEncoding, ErrPooler and, while it does not answer, ErrUnavailable.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{seal: o.Seal, now: o.Now, cache: newCache(o.CacheBytes), d: sqliteDialect()}
	if s.now == nil {
		s.now = time.Now
	}
	for _, step := range []func() error{
		func() error { return s.connect(ctx, o) },
		func() error { return s.migrate(ctx) },
		func() error { return s.checkKey(ctx, s.read) },
	} {
		if err := step(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func (s *Store) connect(ctx context.Context, o Options) error {
	switch {
	case o.Postgres != "":
		return s.connectPostgres(ctx, o.Postgres)
	case o.Memory:
		return s.connectMemory(ctx)
	}
	var err error
	if s.write, err = openSQLite(fileDSN(o.Path), true); err != nil {
		return wrap(err)
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = openSQLite(fileDSN(o.Path), false); err != nil {
		return wrap(err)
	}
	s.read.SetMaxOpenConns(2 * runtime.NumCPU())
	s.read.SetMaxIdleConns(2 * runtime.NumCPU())
	s.read.SetConnMaxIdleTime(time.Second) // kept while there is work, given back when there is none
	return wrap(s.write.PingContext(ctx))
}

func (s *Store) connectMemory(ctx context.Context) (err error) {
	if s.write, err = openSQLite(memoryDSN(rand.Text()), false); err != nil {
		return wrap(err)
	}
	s.write.SetMaxOpenConns(2) // one works, one is the anchor
	s.read = s.write
	s.anchor, err = s.write.Conn(ctx)
	return wrap(err)
}

func (s *Store) connectPostgres(ctx context.Context, dsn string) error {
	c, err := parsePostgres(dsn)
	if err != nil {
		return err
	}
	s.d = postgresDialect()
	if s.pooled, err = behindPooler(ctx, c); err != nil {
		return refused(err)
	}
	if s.pooled {
		s.d.begin = "SET LOCAL " + idleSetting + " = '" + idleInTx + "'"
	}
	s.write = openPostgres(c)
	s.read = s.write
	encoding, err := one(ctx, s.read, scanText, "SHOW server_encoding")
	if err != nil {
		return refused(err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("%w (it has %s)", ErrEncoding, encoding)
	}
	if !s.pooled {
		s.listener = listen(c, s.cache.drop)
	}
	return nil
}

// Pooled reports that a pooler stands between this program and PostgreSQL.
func (s *Store) Pooled() bool { return s.pooled }

// checkKey opens one sealed value, so that a wrong key is noticed at the start
// and not in the middle of a login.
func (s *Store) checkKey(ctx context.Context, q queryer) error {
	if s.seal == nil {
		return nil
	}
	for _, c := range []struct{ table, column, query string }{
		{"signing_keys", "private", "SELECT id, sealed FROM signing_keys LIMIT 1"},
		{"clients", "secret", "SELECT id, secret_sealed FROM clients WHERE secret_sealed IS NOT NULL LIMIT 1"},
	} {
		var id string
		sealed, err := one(ctx, q, func(r scanner) (b []byte, err error) { err = r.Scan(&id, &b); return }, c.query)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := s.seal.Open(sealed, c.table, id, c.column); err != nil {
			return fmt.Errorf("%w: start with the key that it was made with", ErrWrongKey)
		}
	}
	return nil
}

// Close ends all connections.
func (s *Store) Close() error {
	var errs []error
	if s.listener != nil {
		s.listener.close()
	}
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
	_, err := one(ctx, s.read, scanInt, "SELECT 1")
	return err
}

// patience is how long one step waits for the database: for a connection, a
// statement, a commit.
const patience = 5 * time.Second

var errTooLong = errors.New("no answer in time")

// tries is how often a transaction runs that PostgreSQL gives up for another's sake.
const tries = 5

// tx runs one closure in one transaction. The closure uses nothing but tx, and
// may run again from its start: what it sets outside it sets each time.
func (s *Store) tx(ctx context.Context, do func(tx *sql.Tx) error) error {
	for n := 1; ; n++ {
		err := s.once(ctx, do)
		if n == tries || !again(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(n) * 5 * time.Millisecond):
		}
	}
}

// once bounds the wait for a connection and for the commit, not the whole: an
// import is one long transaction of short statements.
func (s *Store) once(ctx context.Context, do func(tx *sql.Tx) error) error {
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	clock := time.AfterFunc(patience, func() { cancel(errTooLong) })
	defer clock.Stop()
	tx, err := s.write.BeginTx(bounded, &sql.TxOptions{Isolation: s.d.isolation})
	if err != nil {
		return wrap(inTime(bounded, err))
	}
	clock.Stop()
	if err := s.run(bounded, tx, do); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	clock.Reset(patience)
	return wrap(inTime(bounded, tx.Commit()))
}

func (s *Store) run(ctx context.Context, tx *sql.Tx, do func(tx *sql.Tx) error) error {
	if s.d.begin != "" {
		if _, err := exec(ctx, tx, s.d.begin); err != nil {
			return err
		}
	}
	return do(tx)
}

// inTime names the cause where it was our clock that ended a wait.
func inTime(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errTooLong) {
		return fmt.Errorf("%w: %w", errTooLong, err)
	}
	return err
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
	if err := checkText(args); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
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

// list reads all rows of a query. The wait for each is bounded: all users of a
// large realm take what they take.
func list[T any](ctx context.Context, q queryer, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	if err := checkText(args); err != nil {
		return nil, err
	}
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	clock := time.AfterFunc(patience, func() { cancel(errTooLong) })
	defer clock.Stop()
	rows, err := q.QueryContext(bounded, query, args...)
	if err != nil {
		return nil, wrap(inTime(bounded, err))
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		clock.Reset(patience)
		v, err := scan(rows)
		if err != nil {
			return nil, wrap(err)
		}
		out = append(out, v)
	}
	return out, wrap(inTime(bounded, rows.Err()))
}

// one reads one row; ErrNotFound when there is none.
func one[T any](ctx context.Context, q queryer, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	var zero T
	if err := checkText(args); err != nil {
		return zero, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v, err := scan(q.QueryRowContext(ctx, query, args...))
	return v, wrap(err)
}

// byKeys is one for a read by keys. SQLite is done with it before anybody could
// give up, and two goroutines that watch for that cost as much as the read: there
// only the wait for a connection is bounded, and for a lock, by busy_timeout.
func byKeys[T any](ctx context.Context, s *Store, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	if s.d.watched {
		return one(ctx, s.read, scan, query, args...)
	}
	var zero T
	if err := checkText(args); err != nil {
		return zero, err
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := s.read.Conn(waiting)
	if err != nil {
		return zero, wrap(err)
	}
	defer c.Close()
	v, err := scan(c.QueryRowContext(context.WithoutCancel(ctx), query, args...))
	return v, wrap(err)
}

type scanner interface{ Scan(dest ...any) error }

func scanInt(r scanner) (n int, err error) { err = r.Scan(&n); return }

func scanText(r scanner) (string, error) {
	var s string
	return s, r.Scan(&s)
}

// atMost is a limit as both engines understand it: below zero, SQLite gives all
// rows and PostgreSQL an error.
func atMost(limit int) int {
	if limit < 0 {
		return 1 << 30
	}
	return limit
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
