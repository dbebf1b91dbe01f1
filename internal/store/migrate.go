package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed migrations
var migrations embed.FS

// migrate applies the files that the database has not seen, in order, each in
// one transaction with its number, so that an interrupted one is done again
// whole (I12). Nodes that start at once wait for each other in each step.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/"+s.d.engine+"/*.sql")
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	at, err := s.schemaVersion(ctx)
	if err != nil {
		return err
	}
	if at > len(files) {
		return fmt.Errorf("%w: it is at version %d, this program knows %d; start the newer program, or restore the backup made before it ran", ErrNewer, at, len(files))
	}
	for i := at; i < len(files); i++ {
		if err := s.apply(ctx, files[i], i+1); err != nil {
			return fmt.Errorf("store: %s: %w", files[i], err)
		}
	}
	if 0 < at && at < sealing {
		return s.compact(ctx)
	}
	return nil
}

// compact writes the file anew: where a row was, SQLite leaves what stood in it
// until another one needs the place. PostgreSQL's own VACUUM comes by itself.
func (s *Store) compact(ctx context.Context) error {
	if s.d.engine != "sqlite" {
		return nil
	}
	_, err := s.write.ExecContext(ctx, "VACUUM")
	return wrap(err)
}

func (s *Store) schemaVersion(ctx context.Context) (at int, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.d.lock(ctx, tx, "migrate", ""); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)"); err != nil {
			return err
		}
		at, err = versionIn(ctx, tx)
		return err
	})
	return at, err
}

func versionIn(ctx context.Context, tx *sql.Tx) (int, error) {
	return one(ctx, tx, scanInt, "SELECT coalesce(max(version), 0) FROM schema_version")
}

// sealing is the migration that SQL alone cannot do.
const sealing = 3

// apply has no time limit on the file itself: a large table takes what it takes.
func (s *Store) apply(ctx context.Context, file string, number int) error {
	text, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.d.lock(ctx, tx, "migrate", ""); err != nil {
			return err
		}
		if at, err := versionIn(ctx, tx); err != nil || at >= number {
			return err // another node was first
		}
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return wrap(err)
		}
		if number == sealing {
			if err := s.sealOld(ctx, tx); err != nil {
				return err
			}
		}
		_, err := exec(ctx, tx, "INSERT INTO schema_version (version) VALUES ($1)", number)
		return err
	})
}
