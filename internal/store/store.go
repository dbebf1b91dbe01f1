package store

import (
	"context"
	"crypto/rand"
	"database/sql"
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
