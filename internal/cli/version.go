package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version is the version of this source.
const Version = "0.1.0"

func runVersion(_ context.Context, e *Env, args []string) error {
	if len(args) > 0 {
		return usagef("version takes nothing")
	}
	commit := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	fmt.Fprintf(e.Stdout, "latchkey %s (commit %s, %s)\n", Version, commit, runtime.Version())
	return nil
}
