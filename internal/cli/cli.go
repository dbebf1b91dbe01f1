// Package cli is the command line: one file a command, each a table of flags and
// a function.
//
// Every flag is also an environment variable (--addr is LATCHKEY_ADDR) and a key
// of the YAML file given by --config; unknown ones are refused by name. Output
// for people goes to stderr, results to stdout. cmd/latchkey calls it.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Exit codes.
const (
	Done   = 0
	Failed = 1
	Usage  = 2
)

// Env is where a command runs.
type Env struct {
	Args           []string // without the program's name
	Vars           []string // KEY=value
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// command is one word of the command line.
type command struct {
	name, summary string
	run           func(ctx context.Context, e *Env, args []string) error
}

func commands() []command {
	return []command{
		{"demo", "provider and the guide's application in one process", runDemo},
		{"app", "the guide's application against any provider", runApp},
		{"serve", "the identity provider", runServe},
		{"start", "serve, in Keycloak's words: its flags, its variables, its defaults", runServeAs("start")},
		{"start-dev", "the same, as Keycloak's start-dev: plain http on this machine", runServeAs("start-dev")},
		{"keys", "keys list, rotate, retire: the keys that a realm signs with", runKeys},
		{"export", "a realm with everything in it as a file", runExport},
		{"import", "realms from files", runImport},
		{"user", "user reset-password: another password for somebody who is locked out", runUser},
		{"backup", "a whole copy of a data folder, while the server runs", runBackup},
		{"bench", "the figures of a provider beside what this machine could do at best", runBench},
		{"version", "version, commit and Go version", runVersion},
	}
}

// usageError is wrong usage: exit code 2.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// Run runs one command and gives the exit code.
func Run(ctx context.Context, e *Env) int {
	err := dispatch(ctx, e)
	switch {
	case err == nil:
		return Done
	case errors.Is(err, flag.ErrHelp):
		return Done
	}
	fmt.Fprintf(e.Stderr, "latchkey: %v\n", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return Usage
	}
	return Failed
}

func dispatch(ctx context.Context, e *Env) error {
	if len(e.Args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, e.Args[0]) {
		help(e.Stderr)
		if len(e.Args) == 0 {
			return usagef("which command?")
		}
		return nil
	}
	for _, c := range commands() {
		if c.name == e.Args[0] {
			return c.run(ctx, e, e.Args[1:])
		}
	}
	return usagef("unknown command %q; `latchkey help` lists them", e.Args[0])
}

func help(w io.Writer) {
	fmt.Fprint(w, "Latchkey logs people in.\n\nUsage: latchkey <command> [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\n`latchkey <command> -h` lists a command's flags.\n")
}

// many is a flag that may be repeated; in a variable its values stand between commas.
type many []string

func (m *many) String() string { return strings.Join(*m, ",") }

func (m *many) Set(v string) error {
	for _, part := range strings.Split(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			*m = append(*m, part)
		}
	}
	return nil
}

// flags is a command's flags, which variables and the configuration file can
// set too.
type flags struct {
	*flag.FlagSet
	config     string
	given      map[string]bool // what was set in Latchkey's own words
	byVariable map[string]bool // what of that was set by a variable
	positional bool            // arguments may stand behind the flags
}

func newFlags(e *Env, name, usage string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	f.SetOutput(e.Stderr)
	f.StringVar(&f.config, "config", "", "YAML `file` with the same names as the flags")
	f.Usage = func() {
		fmt.Fprintf(e.Stderr, "Usage: latchkey %s %s\n\nEvery flag is also a variable (--addr is LATCHKEY_ADDR) and a key of the file given by --config.\n\n", name, usage)
		f.PrintDefaults()
	}
	return f
}

// parse sets flags from, in this order: the command line, variables, the file.
// secrets are variables beside the flags that the command reads itself.
func (f *flags) parse(e *Env, args []string, secrets ...string) error {
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usagef("%v", err)
	}
	if f.NArg() > 0 && !f.positional {
		return usagef("unexpected argument %q", f.Arg(0))
	}
	f.given, f.byVariable = map[string]bool{}, map[string]bool{}
	f.Visit(func(fl *flag.Flag) { f.given[fl.Name] = true })
	if err := f.fromVars(e, f.given, secrets); err != nil {
		return err
	}
	return f.fromFile(f.given)
}

func variable(flagName string) string {
	return "LATCHKEY_" + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

// everyVariable are the variables of all commands; a test compares it with their flags.
func everyVariable() []string {
	return []string{adminPassword, newPassword, sealingKeyVar, "LATCHKEY_CONFIG", "LATCHKEY_DATA", "LATCHKEY_DB", "LATCHKEY_KEY_FILE", "LATCHKEY_ADDR", "LATCHKEY_MANAGEMENT_ADDR", "LATCHKEY_URL", "LATCHKEY_ADMIN", "LATCHKEY_IMPORT",
		"LATCHKEY_ACCEPT_WEAKER", "LATCHKEY_TRUSTED_PROXY", "LATCHKEY_TLS_CERT", "LATCHKEY_TLS_KEY", "LATCHKEY_LOG_FORMAT", "LATCHKEY_LOG_LEVEL", "LATCHKEY_APP_ADDR",
		"LATCHKEY_JSON", "LATCHKEY_REALM", "LATCHKEY_USERNAME", "LATCHKEY_CLIENT_SECRETS", "LATCHKEY_ISSUER", "LATCHKEY_CLIENT_ID", "LATCHKEY_CLIENT_SECRET",
		"LATCHKEY_REDIRECT_URI", "LATCHKEY_TOKEN_ENDPOINT", "LATCHKEY_USERINFO_ENDPOINT", "LATCHKEY_SESSION_KEYS",
		"LATCHKEY_KEYCLOAK_JSON", "LATCHKEY_METRICS", "LATCHKEY_ALGORITHM", "LATCHKEY_KID", "LATCHKEY_FORCE",
		"LATCHKEY_FILE", "LATCHKEY_USERS", "LATCHKEY_LOOPBACK", "LATCHKEY_TO",
		"LATCHKEY_RUNS", "LATCHKEY_TIME", "LATCHKEY_TARGET", "LATCHKEY_BESIDE", "LATCHKEY_ALLOW_REMOTE", "LATCHKEY_CHECK"}
}

func (f *flags) fromVars(e *Env, given map[string]bool, secrets []string) error {
	byVar := map[string]string{}
	others := everyVariable()
	f.VisitAll(func(fl *flag.Flag) { byVar[variable(fl.Name)] = fl.Name })
	for _, kv := range e.Vars {
		key, value, _ := strings.Cut(kv, "=")
		name, known := byVar[key]
		switch {
		case !strings.HasPrefix(key, "LATCHKEY_") || strings.HasPrefix(key, "LATCHKEY_TEST_") || key == "LATCHKEY_FIGURES" || slices.Contains(secrets, key):
		case !known && slices.Contains(others, key): // of another command: one environment serves them all
		case !known:
			return usagef("unknown variable %s; `latchkey %s -h` lists the flags, each is a variable too", key, f.Name())
		case !given[name]:
			if err := f.Set(name, value); err != nil {
				return usagef("%s: %v", key, err)
			}
			given[name], f.byVariable[name] = true, true
		}
	}
	return nil
}

func (f *flags) fromFile(given map[string]bool) error {
	if f.config == "" {
		return nil
	}
	b, err := os.ReadFile(f.config)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return usagef("--config %s: %v", f.config, err)
	}
	var inFile []string
	for key, value := range doc {
		if f.Lookup(key) == nil || key == "config" {
			return usagef("--config %s: unknown key %q", f.config, key)
		}
		if given[key] {
			continue
		}
		inFile = append(inFile, key)
		values, isList := value.([]any)
		if !isList {
			values = []any{value}
		}
		for _, v := range values {
			if v == nil { // "management-addr:" is the empty text
				v = ""
			}
			if _, isMap := v.(map[string]any); isMap {
				return usagef("--config %s: %s: a text, a number or a list", f.config, key)
			}
			if err := f.Set(key, fmt.Sprint(v)); err != nil {
				return usagef("--config %s: %s: %v", f.config, key, err)
			}
		}
	}
	for _, key := range inFile {
		given[key] = true
	}
	return nil
}

// get gives an environment variable, "" when it is not set.
func (e *Env) get(name string) string {
	for _, kv := range e.Vars {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v
		}
	}
	return ""
}
