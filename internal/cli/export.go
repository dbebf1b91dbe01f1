package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/store"
)

// runExport writes a realm to a file, beside a server that runs.
func runExport(ctx context.Context, e *Env, args []string) error {
	var o storeFlags
	var realmName, file, users string
	f := newFlags(e, "export", "--data DIR | --db postgres://… --realm NAME [--file FILE]")
	o.register(f)
	f.StringVar(&realmName, "realm", "", "`realm` to export")
	f.StringVar(&file, "file", "", "`file` to write, which must not exist; standard output without it")
	f.StringVar(&users, "users", "same_file", "same_file, or skip to leave people out (service accounts stay)")
	if err := f.parse(e, args, adminPassword, newPassword, sealingKeyVar); err != nil {
		return err
	}
	if err := o.check("export"); err != nil {
		return err
	}
	if realmName == "" {
		return usagef("export needs --realm NAME")
	}
	if users == "realm_file" { // Keycloak's other word for it
		users = "same_file"
	}
	if users != "same_file" && users != "skip" {
		return usagef("--users %q: same_file or skip", users)
	}
	m, closeStore, err := openManager(ctx, e, o)
	if err != nil {
		return err
	}
	defer closeStore()
	out, err := m.Export(ctx, realmName, users == "same_file")
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no realm %q", realmName)
	}
	if err != nil {
		return err
	}
	return deliver(e, out, realmName, file)
}

func deliver(e *Env, out *manage.Exported, realmName, file string) error {
	to := "standard output"
	if file == "" {
		if _, err := e.Stdout.Write(out.Doc); err != nil {
			return err
		}
	} else {
		if err := writeNew(file, out.Doc); err != nil {
			return fmt.Errorf("--file: %w", err)
		}
		to = file
	}
	fmt.Fprintf(e.Stderr, "latchkey: realm %q is in %s: %d clients with their secrets, %d users with their password hashes. Keep it like a password.\n"+
		"latchkey: not in it: signing keys (the realm makes new ones where it is imported), sessions, tokens, consents, events, counts of failed logins\n",
		realmName, to, out.Clients, out.Users)
	return nil
}

// openManager opens the database of a server for a command beside it.
func openManager(ctx context.Context, e *Env, o storeFlags) (*manage.Manager, func(), error) {
	if err := o.exists(); err != nil {
		return nil, nil, err
	}
	return newManager(ctx, e, o)
}

func newManager(ctx context.Context, e *Env, o storeFlags) (*manage.Manager, func(), error) {
	log, err := newLogger(e, "text", "info")
	if err != nil {
		return nil, nil, err
	}
	s, _, err := openStore(ctx, e, o, log)
	if err != nil {
		return nil, nil, err
	}
	pool, err := password.NewPool(1, password.Keycloak())
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return &manage.Manager{Store: s, Passwords: pool, Now: time.Now}, func() { _ = s.Close() }, nil
}

// runImport makes realms from files, beside a server that runs or before the
// first start.
func runImport(ctx context.Context, e *Env, args []string) error {
	var o storeFlags
	var accept many
	var loopback bool
	f := newFlags(e, "import", "--data DIR | --db postgres://… [flags] FILE|DIR...")
	f.positional = true
	o.register(f)
	f.Var(&accept, "accept-weaker", "`path` of a setting that may be left unenforced; may be repeated")
	f.BoolVar(&loopback, "loopback", false, "the server's --url is on loopback: a redirect URI * is allowed")
	if err := f.parse(e, args, adminPassword, newPassword, sealingKeyVar); err != nil {
		return err
	}
	if err := o.check("import"); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return usagef("import needs a realm file or a folder of them, behind the flags")
	}
	m, closeStore, err := newManager(ctx, e, o)
	if err != nil {
		return err
	}
	defer closeStore()
	m.Loopback = loopback
	if err := m.EnsureMaster(ctx); err != nil {
		return err
	}
	return importPaths(ctx, e, m, f.Args(), accept)
}

// importPaths goes through all files: a realm that exists stays as it is, and
// the command fails at the end, because it has not done what it was told.
func importPaths(ctx context.Context, e *Env, m *manage.Manager, paths, accept []string) error {
	var left []error
	for _, path := range paths {
		docs, err := realmDocs(path)
		if err != nil {
			return err
		}
		for _, d := range docs {
			name, made, err := m.Import(ctx, d.doc, accept)
			switch {
			case err != nil:
				return fmt.Errorf("%s: %w", d.file, err)
			case made:
				fmt.Fprintf(e.Stderr, "latchkey: realm %q imported from %s\n", name, d.file)
			default:
				left = append(left, fmt.Errorf("realm %q exists already; %s changes nothing", name, d.file))
			}
		}
	}
	return errors.Join(left...)
}
