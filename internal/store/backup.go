package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
)

// Backup writes a whole copy of the SQLite database at path into the file to,
// which must not be there. A server may run meanwhile: the copy is what was
// committed when it began, read in one transaction that keeps no writer waiting.
// The copy is checked and on the disk when Backup returns. Nothing is migrated.
func Backup(ctx context.Context, path, to string) error {
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // VACUUM INTO takes an empty file, and keeps its mode
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := vacuumInto(ctx, path, to); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return errors.Join(checkCopy(ctx, to), syncFile(to))
}

func vacuumInto(ctx context.Context, path, to string) error {
	if err := withSQLite(fileDSN(path), func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, "VACUUM INTO $1", to)
		return wrap(err)
	}); err != nil {
		return fmt.Errorf("copying %s: %w", path, err)
	}
	return nil
}

// checkCopy opens the copy as a file that nobody writes to.
func checkCopy(ctx context.Context, path string) error {
	return withSQLite(fileDSN(path)+"&mode=ro&immutable=1", func(db *sql.DB) error {
		verdict, err := one(ctx, db, scanText, "PRAGMA integrity_check(1)")
		if err == nil && verdict != "ok" {
			return fmt.Errorf("%w: %s", ErrDamaged, verdict)
		}
		return err
	})
}

func withSQLite(dsn string, do func(*sql.DB) error) error {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return errors.Join(do(db), db.Close())
}

// syncFile brings a file, or a folder's list of files, to the disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
