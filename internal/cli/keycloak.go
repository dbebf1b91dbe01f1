package cli

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// This file and its neighbours keycloak_*.go read what is written for Keycloak's
// server, so that a compose file keeps its meaning: its variables (KC_HTTP_PORT)
// for serve, and its words start and start-dev with its flags (--http-port).
// Whatever is said in Latchkey's own words wins.

// kcKind says what happens to an option of Keycloak.
type kcKind int

// Options are honoured, or need nothing here, or are passed over with a warning.
// One that asks for more safety than there is here is refused: passed over, it
// would leave a server weaker than its operator believes.
const (
	honoured kcKind = iota
	needless
	passed
	refused
)

// kcOption is a row of the table: Keycloak's option, what becomes of it, and for
// a refusal which values mean nothing and what to do about the others.
type kcOption struct {
	name     string // "http-port"; "cache*" is a family
	kind     kcKind
	harmless []string // of a refused one: values that ask for nothing
	advice   string
}

// kcOptions is the whole table. An option that is not in it is unknown.
func kcOptions() []kcOption {
	var out []kcOption
	for _, name := range []string{"bootstrap-admin-username", "bootstrap-admin-password", "hostname", "hostname-strict", "http-enabled", "http-host", "http-port", "https-port",
		"https-certificate-file", "https-certificate-key-file", "proxy-headers", "proxy-trusted-addresses", "db", "db-url", "db-url-host", "db-url-port", "db-url-database",
		"db-url-properties", "db-username", "db-password", "db-schema", "db-tls-mode", "log-level", "log-console-output", "health-enabled", "metrics-enabled",
		"http-management-host", "http-management-port", "import-realm", "run-in-container"} {
		out = append(out, kcOption{name: name, kind: honoured})
	}
	return slices.Concat(out, kcRefused(), []kcOption{
		{name: "optimized", kind: needless}, {name: "verbose", kind: needless}, {name: "cache*", kind: needless}, {name: "db-pool-*", kind: needless},
		{name: "transaction-*", kind: needless}, {name: "http-pool-max-threads", kind: needless}, {name: "server-async-bootstrap", kind: needless},
		{name: "http-management-health-enabled", kind: passed}, {name: "db-driver", kind: needless}, {name: "hostname-backchannel-dynamic", kind: passed},
		{name: "hostname-admin", kind: passed}, {name: "hostname-debug", kind: passed}, {name: "features", kind: passed}, {name: "feature-*", kind: passed},
		{name: "log", kind: passed}, {name: "log-*", kind: passed}, {name: "tracing-*", kind: passed}, {name: "telemetry-*", kind: passed}, {name: "event-metrics-*", kind: passed},
		{name: "http-*", kind: passed}, {name: "https-certificates-reload-period", kind: passed}, {name: "openapi-*", kind: passed}, {name: "shutdown-*", kind: passed},
		{name: "truststore-*", kind: passed}, {name: "tls-hostname-verifier", kind: passed}, {name: "bootstrap-admin-client-*", kind: passed}, {name: "spi-*", kind: passed},
		{name: "db-*", kind: passed},
	})
}

// kcRefused are the options that cannot be left out without a word.
func kcRefused() []kcOption {
	const pem = "give PEM files: KC_HTTPS_CERTIFICATE_FILE and KC_HTTPS_CERTIFICATE_KEY_FILE"
	const management = "the management address speaks plain http; keep it on a network of its own and take the option out"
	const root = "the provider stands at the root of its host; take the option out, and let a proxy move the path if it has to be another"
	return []kcOption{
		{"http-relative-path", refused, []string{"/"}, root},
		{"http-management-relative-path", refused, []string{"/"}, root},
		{"http-management-scheme", refused, []string{"http", "inherited"}, management},
		{"https-management-*", refused, []string{"none"}, management},
		{"https-client-auth", refused, []string{"none"}, "nobody asks clients for certificates here; let a proxy do it, and take the option out"},
		{"https-trust-store-*", refused, nil, "nobody asks clients for certificates here; let a proxy do it, and take the option out"},
		{"https-key-store-*", refused, nil, pem},
		{"https-protocols", refused, []string{"TLSv1.3,TLSv1.2", "TLSv1.2,TLSv1.3"}, "TLS 1.2 and 1.3 are spoken; let a proxy narrow it, and take the option out"},
		{"https-cipher-suites", refused, nil, "the cipher suites are Go's; let a proxy narrow them, and take the option out"},
		{"proxy-protocol-enabled", refused, []string{"false"}, "use KC_PROXY_HEADERS=xforwarded with KC_PROXY_TRUSTED_ADDRESSES"},
		{"proxy", refused, []string{"none"}, "use KC_PROXY_HEADERS=xforwarded with KC_PROXY_TRUSTED_ADDRESSES"},
		{"features-disabled", refused, nil, "features cannot be switched off here; close what must not be reached in a proxy, and take the option out"},
		{"fips-mode", refused, []string{"disabled"}, "build with Go's FIPS 140-3 module and take the option out"},
		{"vault*", refused, nil, "secrets in a vault are not read; take the option out, and ${vault.…} out of the realms"},
		{"config-keystore*", refused, nil, "options in a key store are not read; give them as variables"},
		{"config-file", refused, nil, "keycloak.conf is not read; give its options as variables, or use --config with Latchkey's own names"},
		{"db-tls-trust-store-*", refused, nil, "put sslrootcert=FILE (PEM) into KC_DB_URL_PROPERTIES"},
		{"db-mtls-*", refused, nil, "put sslcert=FILE and sslkey=FILE (PEM) into KC_DB_URL_PROPERTIES"},
		{"db-kind-*", refused, nil, "there is one database here"},
	}
}

// kcFind gives the row of an option, the first that fits.
func kcFind(name string) (kcOption, bool) {
	for _, o := range kcOptions() {
		family, isFamily := strings.CutSuffix(o.name, "*")
		if o.name == name || (isFamily && strings.HasPrefix(name, family)) {
			return o, true
		}
	}
	return kcOption{}, false
}

// keycloak is what was said in Keycloak's words.
type keycloak struct {
	word   string            // "serve", "start", "start-dev"
	values map[string]string // by Keycloak's name of the option
	said   map[string]string // how it was said: KC_HTTP_PORT or --http-port
}

// split takes Keycloak's flags out of the arguments of start and start-dev. Where
// a name means something in both languages, Keycloak's counts: these are its words.
func (k *keycloak) split(args []string) (rest []string) {
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		_, known := kcFind(name)
		if k.word == "serve" || !strings.HasPrefix(args[i], "--") || !known || (name == "db" && strings.Contains(value, "://")) {
			rest = append(rest, args[i])
			continue
		}
		if isSwitch := slices.Contains([]string{"import-realm", "optimized", "verbose"}, name); !has && isSwitch {
			value = "true"
		} else if !has && i+1 < len(args) {
			i++
			value = args[i]
		}
		k.values[name], k.said[name] = value, "--"+name
	}
	return rest
}

// variables reads KC_* and the two older names. A flag said it first.
func (k *keycloak) variables(vars []string) {
	for _, kv := range vars {
		key, value, _ := strings.Cut(kv, "=")
		name := kcName(key)
		if _, said := k.values[name]; name == "" || said {
			continue
		}
		k.values[name], k.said[name] = value, key
	}
}

// kcName is the option of a variable, "" for another's.
func kcName(variable string) string {
	switch variable {
	case "KEYCLOAK_ADMIN":
		return "bootstrap-admin-username"
	case "KEYCLOAK_ADMIN_PASSWORD":
		return "bootstrap-admin-password"
	}
	name, ok := strings.CutPrefix(variable, "KC_")
	if !ok {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
}

// check refuses what cannot be honoured and must not be passed over, and warns of
// the rest by name.
func (k *keycloak) check(e *Env) error {
	for _, name := range k.names() {
		o, known := kcFind(name)
		switch {
		case !known:
			fmt.Fprintf(e.Stderr, "latchkey: warning: %s is no option of Keycloak that is known here; it is not read\n", k.said[name])
		case o.kind == passed:
			fmt.Fprintf(e.Stderr, "latchkey: warning: %s has no effect here\n", k.said[name])
		case o.kind == refused && k.values[name] != "" && !slices.Contains(o.harmless, k.values[name]):
			return usagef("%s cannot be honoured here: %s", k.said[name], o.advice)
		}
	}
	return nil
}

func (k *keycloak) names() []string {
	var out []string
	for name := range k.values {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// start reports whether the word is one of Keycloak's, whose defaults then hold.
func (k *keycloak) start() bool { return k.word != "serve" }

func (k *keycloak) get(name, otherwise string) string {
	if v := k.values[name]; v != "" {
		return v
	}
	return otherwise
}

func (k *keycloak) on(name string) bool { return strings.EqualFold(k.values[name], "true") }

func (k *keycloak) has(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return k.values[n] != "" })
}

// apply sets the flags that nothing of Latchkey's own has set. It returns where
// the command runs from then on, with the administrator's password among its variables.
func (k *keycloak) apply(f *flags, e *Env) (*Env, error) {
	if err := k.check(e); err != nil {
		return nil, err
	}
	t := &translation{keycloak: k, flags: f, env: e}
	for _, step := range []func() error{t.origin, t.address, t.management, t.proxies, t.database, t.logging, t.administrator, t.imports} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return t.env, nil
}

// translation turns options into flags.
type translation struct {
	*keycloak
	flags *flags
	env   *Env
}

// set sets a flag, unless it was set in Latchkey's own words.
func (t *translation) set(flagName, value string) error {
	if t.flags.given[flagName] {
		return nil
	}
	if t.flags.Lookup(flagName) == nil {
		return usagef("Keycloak's options ask for --%s, which `latchkey %s` does not have", flagName, t.flags.Name())
	}
	if err := t.flags.Set(flagName, value); err != nil {
		return usagef("--%s, from Keycloak's options: %v", flagName, err)
	}
	return nil
}

// refuse names the option as it was said.
func (t *translation) refuse(name, format string, args ...any) error {
	said := t.said[name]
	if said == "" {
		said = "KC_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	}
	return usagef("%s %s", said, fmt.Sprintf(format, args...))
}

func (t *translation) warn(format string, args ...any) {
	fmt.Fprintf(t.env.Stderr, "latchkey: warning: "+format+"\n", args...)
}

// host gives the address for an option's host, "" being every interface.
func host(h string) string {
	if h == "0.0.0.0" || h == "::" {
		return ""
	}
	return strings.Trim(h, "[]")
}

func join(h, port string) string { return net.JoinHostPort(host(h), port) }
