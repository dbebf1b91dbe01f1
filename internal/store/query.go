package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

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
