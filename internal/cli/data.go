package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/latchkey-id/latchkey/internal/seal"
)

// The files of a data folder.
const (
	databaseFile = "latchkey.db"
	keyFile      = "key"
)

// checkFolder finds out whether this process can keep its data in a folder, and
// says what would help where it cannot: in a container the folder is mounted by
// somebody else.
func checkFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return folderError(dir, dir, err)
	}
	probe, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return folderError(dir, dir, err)
	}
	_, werr := probe.Write(make([]byte, 4096)) // an empty file fits on a full disk
	if err := errors.Join(werr, probe.Close(), os.Remove(probe.Name())); err != nil {
		return folderError(dir, dir, err)
	}
	for name, flag := range map[string]int{keyFile: os.O_RDONLY, databaseFile: os.O_RDWR} {
		path := filepath.Join(dir, name)
		f, err := os.OpenFile(path, flag, 0)
		if errors.Is(err, os.ErrNotExist) {
			continue // made later
		}
		if err != nil {
			return folderError(dir, path, err)
		}
		_ = f.Close() // nothing was written
	}
	return nil
}

func folderError(dir, path string, err error) error {
	why := "it has to be a folder that this user may write to"
	switch {
	case errors.Is(err, syscall.EROFS):
		why = "the file system is read-only: mount a folder there that can be written, and name it with --data"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		why = "the disk is full"
	case errors.Is(err, os.ErrPermission):
		why = "this process runs as user " + fmt.Sprint(os.Geteuid()) + ownerOf(path) + "; give it to this user (chown) or start as its owner"
	}
	return fmt.Errorf("--data %s: %w; %s", dir, err, why)
}

// ownerOf says whose the nearest thing of a path is that there is.
func ownerOf(path string) string {
	for {
		info, err := os.Stat(path)
		if err == nil {
			return owner(path, info)
		}
		up := filepath.Dir(path)
		if up == path {
			return ""
		}
		path = up
	}
}

// makeDatabase makes an empty database file for this user alone: the folder may
// be somebody else's work and open to all. The journal gets the file's mode.
func makeDatabase(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// sealingKey reads the key of a data folder, and makes it at the first start.
func sealingKey(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if !errors.Is(err, os.ErrNotExist) {
		return b, err
	}
	secret := seal.RandomSecret()
	err = writeNew(path, secret)
	if errors.Is(err, os.ErrExist) {
		return os.ReadFile(path) // another process was first
	}
	return secret, err
}

// writeNew writes a file for this user alone, never over another. A kill or a full
// disk on the way leaves no half of it: it gets its name when it is whole and on
// the disk.
func writeNew(path string, b []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w; it stays as it is", path, os.ErrExist)
	}
	half, err := os.CreateTemp(filepath.Dir(path), ".latchkey-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(half.Name())
	_, err = half.Write(b)
	if err = errors.Join(err, half.Sync(), half.Close()); err != nil {
		return err
	}
	err = os.Link(half.Name(), path) // unlike a rename it replaces nothing
	if err != nil && !errors.Is(err, os.ErrExist) {
		err = os.Rename(half.Name(), path) // a file system without hard links
	}
	return errors.Join(err, syncFolder(filepath.Dir(path)))
}
