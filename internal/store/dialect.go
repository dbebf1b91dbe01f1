package store

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"modernc.org/sqlite" // registers the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const driver = "sqlite"

// Pragmas stand in the DSN so that every pooled connection has them: a PRAGMA
// by Exec would reach one connection alone. synchronous=FULL makes a write that
// was acknowledged survive a power cut.
func fileDSN(path string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "busy_timeout(10000)", "temp_store(MEMORY)"},
	}.Encode()
}

func memoryDSN(name string) string {
	return "file:" + name + "?" + url.Values{
		"mode": {"memory"}, "cache": {"shared"}, "_txlock": {"immediate"},
		"_pragma": {"foreign_keys(1)", "busy_timeout(10000)"},
	}.Encode()
}

// wrap turns the driver's errors into the store's.
func wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case isUnique(err):
		return fmt.Errorf("%w: %w", ErrExists, err)
	}
	return fmt.Errorf("store: %w", err)
}

func isUnique(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// violates reports whether a unique column refused a row. SQLite tells the column
// in its text alone; this is the one place that reads it.
func violates(err error, column string) bool {
	return isUnique(err) && strings.Contains(err.Error(), column)
}

// conflict names what exists already.
func conflict(err error, field, value string) error {
	if errors.Is(err, ErrExists) {
		return &ConflictError{Field: field, Value: value}
	}
	return err
}
