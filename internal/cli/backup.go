package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/latchkey-id/latchkey/internal/store"
)

// runBackup copies a data folder while its server runs. The copy is a data
// folder itself: `serve --data COPY` is the restore.
func runBackup(ctx context.Context, e *Env, args []string) error {
	var data, to string
	f := newFlags(e, "backup", "--data DIR --to DIR")
	f.StringVar(&data, "data", "", "data `folder` of the server, which may run meanwhile")
	f.StringVar(&to, "to", "", "`folder` to make; it must not be there yet")
	if err := f.parse(e, args, adminPassword, newPassword); err != nil {
		return err
	}
	if data == "" || to == "" {
		return usagef("backup needs --data and --to")
	}
	if _, err := os.Stat(filepath.Join(data, databaseFile)); err != nil {
		return fmt.Errorf("--data %s holds no database of a server: %w", data, err)
	}
	if err := backup(ctx, data, to); err != nil {
		return err
	}
	fmt.Fprintf(e.Stderr, "latchkey: %s holds the database, checked%s\n", to, aboutKey(to))
	return nil
}

func aboutKey(to string) string {
	if _, err := os.Stat(filepath.Join(to, keyFile)); err != nil {
		return "; its sealing key is NOT there, because the server has it from --key-file or " + sealingKeyVar + ": without it the copy cannot be used, so keep it too"
	}
	return ", and the key that opens it: whoever has both can sign tokens, so keep them as safe as the server"
}

// backup makes the copy beside its place and moves it there when it is whole:
// what stands at to is never half a backup.
func backup(ctx context.Context, data, to string) (err error) {
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("--to %s is there already, and a backup overwrites nothing; name another folder", to)
	}
	parent := filepath.Dir(filepath.Clean(to))
	half, err := os.MkdirTemp(parent, ".latchkey-backup-")
	if err != nil {
		return fmt.Errorf("--to %s: %w", to, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(half))
		}
	}()
	if err := copyKey(filepath.Join(data, keyFile), filepath.Join(half, keyFile)); err != nil {
		return fmt.Errorf("the sealing key: %w", err)
	}
	if err := store.Backup(ctx, filepath.Join(data, databaseFile), filepath.Join(half, databaseFile)); err != nil {
		return err
	}
	if err := syncFolder(half); err != nil {
		return err
	}
	if err := os.Rename(half, to); err != nil {
		return fmt.Errorf("--to %s: %w", to, err)
	}
	return syncFolder(parent)
}

// copyKey copies the key of a data folder. A server that has its key from
// elsewhere has none there.
func copyKey(from, to string) error {
	b, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return writeNew(to, b)
}

// syncFolder brings the names in a folder to the disk.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
