package main_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/latchkey-id/latchkey/internal/cli"
	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts in testdata/script are sessions at a terminal.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"latchkey": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		os.Exit(cli.Run(ctx, &cli.Env{Args: os.Args[1:], Vars: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}))
	}})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: func(e *testscript.Env) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		e.Defer(func() { _ = l.Close() })
		e.Setenv("TAKEN", fmt.Sprintf("localhost:%d", l.Addr().(*net.TCPAddr).Port))
		if wd, err := os.Getwd(); err == nil {
			e.Setenv("EXPORT", wd+"/../../internal/manage/testdata/keycloak-26.7.4-realm.json")
		}
		return nil
	}})
}
