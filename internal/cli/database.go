package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/latchkey-id/latchkey/internal/seal"
	"github.com/latchkey-id/latchkey/internal/store"
)

// sealingKeyVar holds the sealing key itself; --key-file names a file with it.
const sealingKeyVar = "LATCHKEY_KEY"

// storeFlags say where a command finds the database: a folder with SQLite in it,
// or PostgreSQL. Every command that opens it embeds them and calls register,
// check (after parse, which needs sealingKeyVar among its secrets) and openStore.
type storeFlags struct {
	data, db, keyFile string
	flags             *flags
}

func (o *storeFlags) register(f *flags) {
	o.flags = f
	f.StringVar(&o.data, "data", "", "`folder` that holds the database and its sealing key")
	f.StringVar(&o.db, "db", "", "`address` of a PostgreSQL database instead: postgres://user@host:5432/latchkey; with a password in it better as the variable LATCHKEY_DB")
	f.StringVar(&o.keyFile, "key-file", "", "`file` with the key that seals what is secret in the database; or the variable "+sealingKeyVar)
}

// check refuses wrong usage before anything is opened. The variable for --data gives
// way to --db: a container image may set it for everybody.
func (o *storeFlags) check(command string) error {
	if o.data != "" && o.db != "" && o.flags.byVariable["data"] {
		fmt.Fprintf(o.flags.Output(), "latchkey: warning: the database is PostgreSQL's; LATCHKEY_DATA=%s is not used\n", o.data)
		o.data = ""
	}
	switch {
	case o.data == "" && o.db == "":
		return usagef("%s needs --data DIR, a folder with the database in it, or --db postgres://…, a PostgreSQL database", command)
	case o.data != "" && o.db != "":
		return usagef("--data and --db: one of them, please (each is a variable too: LATCHKEY_DATA, LATCHKEY_DB)")
	case o.db != "":
		if _, err := store.Where(o.db); err != nil {
			return usagef("--db: not an address of a PostgreSQL database; one looks like postgres://user:password@host:5432/latchkey")
		}
	}
	return nil
}

// where names the database for a log, without a password.
func (o *storeFlags) where() string {
	if o.db == "" {
		return o.data
	}
	at, _ := store.Where(o.db) // check has seen to its form
	return at
}

// patience is how long a command waits for PostgreSQL at its start: a compose file
// starts both at once.
const patience = 30 * time.Second

// openStore opens the database that the flags name, with the key that seals what
// is secret in it. While PostgreSQL does not answer it waits, and says so.
func openStore(ctx context.Context, e *Env, o storeFlags, log *slog.Logger) (*store.Store, *seal.Ring, error) {
	if o.db == "" {
		if err := checkFolder(o.data); err != nil {
			return nil, nil, err
		}
	}
	ring, err := openRing(e, o)
	if err != nil {
		return nil, nil, err
	}
	if o.db == "" {
		path := filepath.Join(o.data, databaseFile)
		if err := makeDatabase(path); err != nil {
			return nil, nil, err
		}
		s, err := store.Open(ctx, store.Options{Path: path, Seal: ring})
		if errors.Is(err, store.ErrDamaged) {
			err = fmt.Errorf("%s: %w; it was copied while a server ran, perhaps, or the disk has lost something: keep it, and start on a copy of a backup (`latchkey backup` makes one beside a running server)", path, err)
		}
		return s, ring, err
	}
	until := time.Now().Add(patience)
	for said := false; ; said = true {
		s, err := store.Open(ctx, store.Options{Postgres: o.db, Seal: ring})
		switch {
		case err == nil:
			if s.Pooled() {
				log.InfoContext(ctx, "a pooler stands before the database: statements are not prepared, and what other nodes change is seen within a second", "db", o.where())
			}
			return s, ring, nil
		case errors.Is(err, store.ErrRefused):
			return nil, nil, fmt.Errorf("--db %s: %w", o.where(), err)
		case !errors.Is(err, store.ErrUnavailable):
			return nil, nil, err
		case time.Now().After(until):
			return nil, nil, fmt.Errorf("--db %s has not answered for %s: %w; is it started, and does the address reach it?", o.where(), patience, err)
		case !said:
			log.WarnContext(ctx, "waiting for the database", "db", o.where(), "err", err)
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// openRing finds the sealing key: --key-file, LATCHKEY_KEY, or, beside SQLite, the
// file key in the data folder, made at the first start.
func openRing(e *Env, o storeFlags) (*seal.Ring, error) {
	switch {
	case o.keyFile != "":
		b, err := os.ReadFile(o.keyFile)
		if err != nil {
			return nil, fmt.Errorf("--key-file: %w; `openssl rand -base64 32 > FILE` makes one", err)
		}
		return newRing("--key-file "+o.keyFile, b)
	case e.get(sealingKeyVar) != "":
		return newRing(sealingKeyVar, []byte(e.get(sealingKeyVar)))
	case o.db != "":
		return nil, usagef("--db needs the key that seals what is secret in the database: `openssl rand -base64 32 > FILE` makes one, " +
			"--key-file FILE or the variable " + sealingKeyVar + " gives it; all nodes have the same, and it belongs into the backup")
	}
	path := filepath.Join(o.data, keyFile)
	if err := keyBelongs(o.data, path); err != nil {
		return nil, err
	}
	b, err := sealingKey(path)
	if err != nil {
		return nil, err
	}
	return ringOf(path, folderKeys(b))
}

// keyBelongs refuses to make a new key for a database that has another one: it would
// open nothing, and lie in the next backup as the one that does.
func keyBelongs(dir, path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return nil // there, or sealingKey says what is wrong with it
	}
	if info, err := os.Stat(filepath.Join(dir, databaseFile)); err != nil || info.Size() == 0 {
		return nil // the first start makes both
	}
	return fmt.Errorf("%s is not there: %w; put the key back (a backup holds it), or give it as --key-file FILE or in the variable %s", path, store.ErrWrongKey, sealingKeyVar)
}

// folderKeys reads the file key of a data folder: each line is a key byte for byte,
// its end included, which is what the file has always been. Lines without their
// ends, and the file as one key, only open.
func folderKeys(b []byte) [][]byte {
	if !isText(b) {
		return [][]byte{b}
	}
	var keys, older [][]byte
	for line := range bytes.Lines(b) {
		if short := bytes.TrimSpace(line); len(short) > 0 {
			keys, older = append(keys, line), append(older, short)
		}
	}
	for _, k := range append(older, b) {
		if _, err := seal.NewRing(k); err == nil {
			keys = append(keys, k)
		}
	}
	return keys
}

// newRing reads one key or several, newest first, each on a line or between
// commas. What is no text is one key, byte for byte.
func newRing(from string, b []byte) (*seal.Ring, error) {
	keys := [][]byte{b}
	if isText(b) {
		keys = nil
		for line := range bytes.FieldsFuncSeq(b, func(c rune) bool { return c == ',' || c == '\n' || c == '\r' }) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				keys = append(keys, line)
			}
		}
	}
	return ringOf(from, keys)
}

func ringOf(from string, keys [][]byte) (*seal.Ring, error) {
	r, err := seal.NewRing(keys...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; `openssl rand -base64 32` makes one", from, err)
	}
	return r, nil
}

func isText(b []byte) bool {
	return bytes.IndexFunc(b, func(c rune) bool { return c > '~' || c < ' ' && c != '\n' && c != '\r' && c != '\t' }) < 0
}

// openData opens a data folder: the database, and the key that seals what is
// secret in it, made at the first start.
func openData(ctx context.Context, dir string) (*store.Store, *seal.Ring, error) {
	return openStore(ctx, &Env{}, storeFlags{data: dir}, slog.New(slog.DiscardHandler))
}

// exists refuses a data folder without a database: a command beside a server must
// not make an empty one.
func (o storeFlags) exists() error {
	if _, err := os.Stat(filepath.Join(o.data, databaseFile)); o.data != "" && err != nil {
		return fmt.Errorf("--data %s holds no database of a server: %w", o.data, err)
	}
	return nil
}
