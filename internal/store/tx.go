package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

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
