package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/bench"
)

type benchFlags struct {
	bench.Options
	admin       string
	json, check bool
}

func runBench(ctx context.Context, e *Env, args []string) error {
	o := benchFlags{Options: bench.Options{Settle: bench.Settled, Progress: e.Stderr}}
	f := newFlags(e, "bench", "[--target URL --admin USER:PASSWORD] [flags]")
	f.IntVar(&o.Runs, "runs", 300, "`number` of times that every request is made")
	f.DurationVar(&o.Time, "time", 2*time.Minute, "`duration` after which no further run begins")
	f.StringVar(&o.Target, "target", "", "base `URL` of another server, for example a Keycloak's http://127.0.0.1:8180; without it this program's own provider")
	f.BoolVar(&o.Beside, "beside", false, "with --target: measure the own provider too, in the same run")
	f.StringVar(&o.Remote, "allow-remote", "", "`host` of a target that is not this machine: bench loads it")
	f.StringVar(&o.admin, "admin", "", "`user:password` of an administrator of the target's realm master, who makes and deletes the realm that is measured; the password may stand in "+adminPassword)
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.BoolVar(&o.check, "check", false, "exit with 1 when a goal is missed")
	if err := f.parse(e, args, adminPassword); err != nil {
		return err
	}
	var found bool
	if o.Admin, o.Password, found = strings.Cut(o.admin, ":"); !found {
		o.Password = e.get(adminPassword)
	}
	return runBenchIn(ctx, e, o)
}

func runBenchIn(ctx context.Context, e *Env, o benchFlags) (err error) {
	if o.Dir, err = os.MkdirTemp("", "latchkey-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	r, err := bench.Run(ctx, o.Options)
	if errors.Is(err, bench.ErrOptions) {
		return usageError{err.Error()}
	}
	if err != nil {
		return err
	}
	print := r.Table
	if o.json {
		print = r.JSON
	}
	if err := print(e.Stdout); err != nil || !o.check {
		return err
	}
	if missed := r.Missed(); len(missed) > 0 {
		return fmt.Errorf("missed: %s", strings.Join(missed, "; "))
	}
	return nil
}
