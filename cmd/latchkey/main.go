// Command latchkey logs people in: an identity provider, the guide's application,
// and both together as a demonstration.
//
// It turns signals, arguments and variables into one call of cli.Run, and the
// answer into an exit code. Nothing else is here.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/latchkey-id/latchkey/internal/cli"
)

func main() {
	runtime.MemProfileRate = 0 // nobody reads the profile; its table is a megabyte and a half
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, &cli.Env{Args: os.Args[1:], Vars: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
	stop()
	os.Exit(code)
}
