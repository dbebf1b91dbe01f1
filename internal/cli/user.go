package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/store"
)

const newPassword = "LATCHKEY_NEW_PASSWORD"

// runUser is `user reset-password`, for the administrator who is locked out: it
// works on the database itself, beside a server that runs.
func runUser(ctx context.Context, e *Env, args []string) error {
	if len(args) == 0 || args[0] != "reset-password" {
		return usagef("user reset-password --data DIR | --db postgres://… [--realm REALM] --username NAME; the password from %s or standard input", newPassword)
	}
	var o storeFlags
	var realmName, username string
	f := newFlags(e, "user reset-password", "--data DIR | --db postgres://… [--realm REALM] --username NAME")
	o.register(f)
	f.StringVar(&realmName, "realm", manage.Master, "`realm` of the user")
	f.StringVar(&username, "username", "", "`name` of the user")
	if err := f.parse(e, args[1:], newPassword, adminPassword, sealingKeyVar); err != nil {
		return err
	}
	if err := o.check("user reset-password"); err != nil {
		return err
	}
	if username == "" {
		return usagef("user reset-password needs --username NAME")
	}
	pw, err := readPassword(e)
	if err != nil {
		return err
	}
	m, closeStore, err := openManager(ctx, e, o)
	if err != nil {
		return err
	}
	defer closeStore()
	if err := m.ResetPassword(ctx, realmName, username, pw); errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no user %q in realm %q", username, realmName)
	} else if err != nil {
		return err
	}
	fmt.Fprintf(e.Stderr, "latchkey: %s in realm %s has the new password; all sessions of the user have ended\n", username, realmName)
	return nil
}

func readPassword(e *Env) (string, error) {
	if pw := e.get(newPassword); pw != "" {
		return pw, nil
	}
	fmt.Fprint(e.Stderr, "New password: ")
	line, err := bufio.NewReader(io.LimitReader(e.Stdin, 4096)).ReadString('\n')
	pw := strings.TrimRight(line, "\r\n")
	if pw == "" {
		return "", usagef("no password: put it into %s or type it (%v)", newPassword, err)
	}
	return pw, nil
}
