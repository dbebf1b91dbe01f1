package cli

import "context"

func runApp(ctx context.Context, e *Env, args []string) error { return usagef("app: not yet") }

func runDemo(ctx context.Context, e *Env, args []string) error { return usagef("demo: not yet") }
