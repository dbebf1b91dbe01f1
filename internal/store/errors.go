package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Errors that a caller can act on.
var (
	ErrNotFound  = errors.New("store: not found")
	ErrExists    = errors.New("store: exists already")           // as a *ConflictError where the field is known
	ErrConflict  = errors.New("store: changed by somebody else") // the version is not the one that was read
	ErrGateMoved = errors.New("store: user, client or session changed since it was read")
	ErrUsed      = errors.New("store: used already")
	ErrLoop      = errors.New("store: a group below itself")
	ErrText      = errors.New("store: a text with a NUL byte or broken UTF-8 is not kept")

	// ErrUnavailable: the database does not answer, or not in time. What was to be
	// written may or may not be there; trying again later is right.
	ErrUnavailable = errors.New("store: the database is not available")

	// ErrDamaged: the file is not what SQLite wrote. Trying again does not help.
	ErrDamaged = errors.New("store: the database is damaged")

	// Errors of Open.
	ErrNewer    = errors.New("store: the database is newer than this program")
	ErrDSN      = errors.New("store: not an address of a PostgreSQL database; one looks like postgres://user@host:5432/database")
	ErrRefused  = errors.New("store: the database lets this user not in") // wrong password, no such database
	ErrEncoding = errors.New("store: the database does not keep UTF-8; make one with ENCODING 'UTF8'")
	ErrWrongKey = errors.New("store: the database was sealed with another key")
)

// ConflictError says what exists already: Field is "realm", "clientId", "scope",
// "role", "group", "username" or "email". errors.Is(err, ErrExists) holds.
type ConflictError struct{ Field, Value string }

func (e *ConflictError) Error() string { return "store: " + e.Field + " exists already: " + e.Value }

func (e *ConflictError) Unwrap() error { return ErrExists }

// PostgreSQL's error codes (appendix A of its manual) that mean something here.
const (
	pgUnique        = "23505"
	pgForeign       = "23503"
	pgText          = "22021"
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
)

// wrap turns the drivers' errors into the store's.
func wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case isUnique(err):
		return fmt.Errorf("%w: %w", ErrExists, err)
	case pgCode(err) == pgForeign, sqliteCode(err) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: // what the row refers to has gone meanwhile
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case pgCode(err) == pgText:
		return fmt.Errorf("%w: %w", ErrText, err)
	case damaged(err):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case unavailable(err):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("store: %w", err)
}

func pgCode(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// sqliteCode is the error's extended code; its lower byte is the primary one.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

func isUnique(err error) bool {
	code := sqliteCode(err)
	return code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || pgCode(err) == pgUnique
}

// violates reports whether a unique column refused a row. PostgreSQL names the
// constraint, which is called TABLE_COLUMN there. SQLite tells the column in its
// text alone; this is the one place that reads it.
func violates(err error, table, column string) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == pgUnique && e.ConstraintName == table+"_"+column
	}
	return isUnique(err) && strings.Contains(err.Error(), table+"."+column)
}

// conflict names what exists already.
func conflict(err error, field, value string) error {
	if errors.Is(err, ErrExists) {
		return &ConflictError{Field: field, Value: value}
	}
	return err
}

// again reports that PostgreSQL gave a transaction up so that another could
// finish: the same closure works now.
func again(err error) bool {
	code := pgCode(err)
	return code == pgSerialization || code == pgDeadlock
}

// unavailable finds what says nothing about the request and everything about the
// database.
func unavailable(err error) bool {
	if code := pgCode(err); code != "" {
		return pgUnavailable(code)
	}
	if code := sqliteCode(err); code != 0 {
		return sqliteUnavailable(code)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, known := range []error{context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, pgconn.ErrConnClosed, io.EOF, io.ErrUnexpectedEOF, errTooLong, net.ErrClosed} {
		if errors.Is(err, known) {
			return true
		}
	}
	return pgconn.SafeToRetry(err)
}

func pgUnavailable(code string) bool {
	for _, class := range []string{
		"08",    // connection exception
		"28",    // invalid authorization: somebody changed the password
		"3D",    // no such database
		"53",    // insufficient resources: disk full, too many connections
		"57",    // operator intervention: shutdown, crash, starting up, cancelled
		"58",    // system error
		"25006", // read only: another server has taken over
		"55P03", // lock not available
		"25P03", // idle in a transaction for too long
		pgSerialization, pgDeadlock,
	} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}

func sqliteUnavailable(code int) bool {
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT,
		sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return false
}

func damaged(err error) bool {
	primary := sqliteCode(err) & 0xff
	return primary == sqlite3.SQLITE_CORRUPT || primary == sqlite3.SQLITE_NOTADB
}

// refused tells, at the start, what waiting does not heal.
func refused(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (strings.HasPrefix(e.Code, "28") || strings.HasPrefix(e.Code, "3D")) {
		return fmt.Errorf("%w: %s", ErrRefused, e.Message)
	}
	return err
}

// checkText refuses what SQLite would keep and PostgreSQL would not, on both.
func checkText(args []any) error {
	for _, a := range args {
		text, ok := a.(string)
		if n, null := a.(sql.NullString); null {
			text, ok = n.String, true
		}
		if ok && (strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text)) {
			return ErrText
		}
	}
	return nil
}
