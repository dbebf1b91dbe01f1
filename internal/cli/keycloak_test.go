package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// translated runs one of serve's words up to where it would start, and gives the
// flags that are not at their defaults.
func translated(t *testing.T, word string, args []string, vars ...string) (changed map[string]string, e *Env, stderr string, err error) {
	t.Helper()
	var o serveFlags
	var out bytes.Buffer
	e = &Env{Vars: vars, Stderr: &out}
	f := newFlags(e, word, "")
	o.define(f)
	if f.Lookup("db") == nil {
		f.String("db", "", "")
	}
	defaults := map[string]string{}
	for _, name := range []string{"addr", "management-addr", "url", "admin", "import", "trusted-proxy", "tls-cert", "tls-key", "log-format", "log-level", "data", "db", "metrics"} {
		defaults[name] = f.Lookup(name).Value.String()
	}
	kc := &keycloak{word: word, values: map[string]string{}, said: map[string]string{}}
	if err := f.parse(e, kc.split(args), adminPassword); err != nil {
		return nil, e, out.String(), err
	}
	kc.variables(vars)
	e2, err := kc.apply(f, e)
	if err != nil {
		return nil, e, out.String(), err
	}
	changed = map[string]string{}
	for name, was := range defaults {
		if now := f.Lookup(name).Value.String(); now != was {
			changed[name] = now
		}
	}
	return changed, e2, out.String(), nil
}

type flagsSet = map[string]string

func TestKeycloaksVariablesForServe(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		name string
		args []string
		vars []string
		want flagsSet
	}{
		{"nothing", nil, nil, flagsSet{}},
		{"a whole URL", nil, []string{"KC_HOSTNAME=https://sso.example.com"}, flagsSet{"url": "https://sso.example.com"}},
		{"a host behind a proxy", nil, []string{"KC_HOSTNAME=sso.example.com"}, flagsSet{"url": "https://sso.example.com"}},
		{"this machine", nil, []string{"KC_HOSTNAME=localhost", "KC_HTTP_PORT=9090"}, flagsSet{"url": "http://localhost:9090", "addr": ":9090"}},
		{"a host and our certificate", nil, []string{"KC_HOSTNAME=sso.example.com", "KC_HTTPS_CERTIFICATE_FILE=c.pem", "KC_HTTPS_CERTIFICATE_KEY_FILE=k.pem"},
			flagsSet{"url": "https://sso.example.com:8443", "tls-cert": "c.pem", "tls-key": "k.pem", "addr": ":8443"}},
		{"a certificate at 443", nil, []string{"KC_HOSTNAME=sso.example.com", "KC_HTTPS_CERTIFICATE_FILE=c.pem", "KC_HTTPS_CERTIFICATE_KEY_FILE=k.pem", "KC_HTTPS_PORT=443"},
			flagsSet{"url": "https://sso.example.com", "tls-cert": "c.pem", "tls-key": "k.pem", "addr": ":443"}},
		{"an interface", nil, []string{"KC_HTTP_HOST=127.0.0.1"}, flagsSet{"addr": "127.0.0.1:8080"}},
		{"every interface", nil, []string{"KC_HTTP_HOST=0.0.0.0", "KC_HTTP_PORT=1"}, flagsSet{"addr": ":1"}},
		{"the management address", nil, []string{"KC_HTTP_MANAGEMENT_PORT=9100"}, flagsSet{"management-addr": "localhost:9100"}},
		{"trusted proxies", nil, []string{"KC_PROXY_HEADERS=xforwarded", "KC_PROXY_TRUSTED_ADDRESSES=10.0.0.0/8, 192.0.2.7,2001:db8::1"},
			flagsSet{"trusted-proxy": "10.0.0.0/8,192.0.2.7/32,2001:db8::1/128"}},
		{"a log level", nil, []string{"KC_LOG_LEVEL=WARN", "KC_LOG_CONSOLE_OUTPUT=json"}, flagsSet{"log-level": "warn", "log-format": "json"}},
		{"levels of categories", nil, []string{"KC_LOG_LEVEL=org.keycloak:trace,DEBUG"}, flagsSet{"log-level": "debug"}},
		{"an administrator", nil, []string{"KC_BOOTSTRAP_ADMIN_USERNAME=boss", "KC_BOOTSTRAP_ADMIN_PASSWORD=p"}, flagsSet{"admin": "boss"}},
		{"an administrator by the older names", nil, []string{"KEYCLOAK_ADMIN=boss", "KEYCLOAK_ADMIN_PASSWORD=p"}, flagsSet{"admin": "boss"}},
		{"an administrator without a name", nil, []string{"KC_BOOTSTRAP_ADMIN_PASSWORD=p"}, flagsSet{"admin": "temp-admin"}},
		{"the database by its parts", nil, []string{"KC_DB=postgres", "KC_DB_URL_HOST=db", "KC_DB_URL_PORT=5433", "KC_DB_URL_DATABASE=sso", "KC_DB_USERNAME=me", "KC_DB_PASSWORD=p@ss/w"},
			flagsSet{"db": "postgres://me:p%40ss%2Fw@db:5433/sso"}},
		{"the database by Keycloak's defaults", nil, []string{"KC_DB=postgres"}, flagsSet{"db": "postgres://localhost:5432/keycloak"}},
		{"the database by its URL", nil, []string{"KC_DB_URL=jdbc:postgresql://db/sso?sslmode=verify-full&currentSchema=auth", "KC_DB_USERNAME=me", "KC_DB_URL_HOST=not-read"},
			flagsSet{"db": "postgres://me@db/sso?search_path=auth&sslmode=verify-full"}},
		{"several databases", nil, []string{"KC_DB_URL=jdbc:postgresql://a:1,b:2/sso?targetServerType=primary"}, flagsSet{"db": "postgres://a:1,b:2/sso?target_session_attrs=primary"}},
		{"the database over TLS", nil, []string{"KC_DB=postgres", "KC_DB_TLS_MODE=verify-server", "KC_DB_SCHEMA=auth"},
			flagsSet{"db": "postgres://localhost:5432/keycloak?search_path=auth&sslmode=verify-full"}},
		{"properties", nil, []string{"KC_DB=postgres", "KC_DB_URL_PROPERTIES=?ssl=true&sslrootcert=ca.pem"},
			flagsSet{"db": "postgres://localhost:5432/keycloak?sslmode=verify-full&sslrootcert=ca.pem"}},
		{"what means nothing here", nil, []string{"KC_CACHE=ispn", "KC_DB_POOL_MAX_SIZE=10", "KC_FIPS_MODE=disabled", "KC_HTTP_RELATIVE_PATH=/", "KC_HTTPS_CLIENT_AUTH=none"}, flagsSet{}},
		{"Latchkey's own flags win", []string{"--addr", ":1", "--url", "https://own.example"}, []string{"KC_HTTP_PORT=9090", "KC_HOSTNAME=sso.example.com"},
			flagsSet{"addr": ":1", "url": "https://own.example"}},
		{"Latchkey's own variables win", nil, []string{"KC_HTTP_PORT=9090", "LATCHKEY_ADDR=:1", "LATCHKEY_DB=postgres://own", "KC_DB=postgres"}, flagsSet{"addr": ":1", "db": "postgres://own"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, stderr, err := translated(t, "serve", c.args, c.vars...)
			if err != nil {
				t.Fatal(err, stderr)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestKeycloaksWords(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("data/import", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("data", "import", "r.json"), []byte(`{"realm":"r"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, word string
		args       []string
		vars       []string
		want       flagsSet
	}{
		{"start-dev", "start-dev", nil, nil, flagsSet{"data": "data", "addr": "localhost:8080", "management-addr": ""}},
		{"start-dev in a container", "start-dev", nil, []string{"KC_RUN_IN_CONTAINER=true"}, flagsSet{"data": "data", "management-addr": ""}},
		{"start behind a proxy", "start", nil, []string{"KC_HOSTNAME=https://sso.example.com", "KC_HTTP_ENABLED=true", "KC_HEALTH_ENABLED=true"},
			flagsSet{"data": "data", "url": "https://sso.example.com", "management-addr": ":9000", "metrics": "false"}},
		{"start with a certificate and figures", "start", []string{"--hostname=sso.example.com", "--https-certificate-file=c.pem", "--https-certificate-key-file=k.pem", "--metrics-enabled=true"}, nil,
			flagsSet{"data": "data", "url": "https://sso.example.com:8443", "tls-cert": "c.pem", "tls-key": "k.pem", "addr": ":8443", "management-addr": ":9000"}},
		{"flags before variables", "start-dev", []string{"--http-port=8180", "--http-host", "127.0.0.1"}, []string{"KC_HTTP_PORT=9090"},
			flagsSet{"data": "data", "addr": "127.0.0.1:8180", "management-addr": ""}},
		{"an import", "start-dev", []string{"--import-realm"}, nil, flagsSet{"data": "data", "addr": "localhost:8080", "management-addr": "", "import": filepath.Join("data", "import")}},
		{"an import of an empty folder", "start-dev", []string{"--import-realm", "--data", "elsewhere"}, nil, flagsSet{"data": "elsewhere", "addr": "localhost:8080", "management-addr": ""}},
		{"PostgreSQL", "start-dev", []string{"--db", "postgres", "--db-username=me"}, nil, flagsSet{"db": "postgres://me@localhost:5432/keycloak", "addr": "localhost:8080", "management-addr": ""}},
		{"Latchkey's own address of a database", "start-dev", []string{"--db=postgres://own"}, nil, flagsSet{"db": "postgres://own", "addr": "localhost:8080", "management-addr": ""}},
		{"switches", "start", []string{"--optimized", "--verbose", "--http-enabled=true", "--hostname-strict=false"}, nil, flagsSet{"data": "data", "management-addr": ""}},
		{"Latchkey's own flags", "start-dev", []string{"--addr", ":1", "--management-addr", ":2", "--data", "d"}, nil, flagsSet{"data": "d", "addr": ":1", "management-addr": ":2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, stderr, err := translated(t, c.word, c.args, c.vars...)
			if err != nil {
				t.Fatal(err, stderr)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// What would leave the server weaker than its operator believes stops it, with a
// sentence that names what was said.
func TestKeycloaksOptionsThatAreRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct{ variable, want string }{
		{"KC_HTTP_RELATIVE_PATH=/auth", "root of its host"},
		{"KC_HTTP_MANAGEMENT_RELATIVE_PATH=/m", "root of its host"},
		{"KC_HTTP_MANAGEMENT_SCHEME=https", "plain http"},
		{"KC_HTTPS_MANAGEMENT_CERTIFICATE_FILE=c.pem", "plain http"},
		{"KC_HTTPS_MANAGEMENT_CLIENT_AUTH=required", "plain http"},
		{"KC_HTTPS_CLIENT_AUTH=required", "asks clients for certificates"},
		{"KC_HTTPS_TRUST_STORE_FILE=t.p12", "asks clients for certificates"},
		{"KC_HTTPS_KEY_STORE_FILE=k.jks", "PEM"},
		{"KC_HTTPS_PROTOCOLS=TLSv1.3", "TLS 1.2 and 1.3"},
		{"KC_HTTPS_CIPHER_SUITES=X", "cipher suites"},
		{"KC_PROXY_PROTOCOL_ENABLED=true", "xforwarded"},
		{"KC_PROXY=edge", "xforwarded"},
		{"KC_PROXY_HEADERS=forwarded", "X-Forwarded-For alone"},
		{"KC_PROXY_TRUSTED_ADDRESSES=10.0.0.1", "KC_PROXY_HEADERS=xforwarded"},
		{"KC_FEATURES_DISABLED=admin-api", "cannot be switched off"},
		{"KC_FIPS_MODE=strict", "FIPS"},
		{"KC_VAULT=file", "vault"},
		{"KC_CONFIG_KEYSTORE=k", "key store"},
		{"KC_CONFIG_FILE=keycloak.conf", "is not read"},
		{"KC_DB=mysql", "SQLite in a folder"},
		{"KC_DB=dev-mem", "latchkey demo"},
		{"KC_DB_KIND_USERS=postgres", "one database"},
		{"KC_DB_URL=jdbc:postgresql:sso", "jdbc:postgresql://host"},
		{"KC_DB_URL=jdbc:postgresql://db/sso?sslfactory=x", "property sslfactory"},
		{"KC_DB_URL=jdbc:postgresql://db/sso?sslmode=none", "sslmode=none"},
		{"KC_DB_TLS_TRUST_STORE_FILE=t.p12", "sslrootcert"},
		{"KC_DB_MTLS_KEY_STORE_FILE=k.p12", "sslcert"},
		{"KC_HOSTNAME=https://sso.example.com/auth", "take the path out"},
		{"KC_HOSTNAME=http://[::", "a host name or a whole URL"},
		{"KC_LOG_LEVEL=loud", "debug, info, warn or error"},
		{"KC_LOG_CONSOLE_OUTPUT=xml", "default or json"},
		{"KEYCLOAK_ADMIN=boss", "is missing beside"},
	} {
		t.Run(c.variable, func(t *testing.T) {
			_, _, _, err := translated(t, "serve", nil, c.variable)
			if _, ok := errors.AsType[usageError](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	for name, c := range map[string]struct {
		vars []string
		want string
	}{
		"no host name":               {[]string{"KC_HTTP_ENABLED=true"}, "KC_HOSTNAME is missing"},
		"plain http without a word":  {[]string{"KC_HOSTNAME=sso.example.com"}, "KC_HTTP_ENABLED is not true"},
		"trusted addresses and TLS":  {[]string{"KC_HOSTNAME=sso.example.com", "KC_HTTP_ENABLED=true", "KC_PROXY_HEADERS=xforwarded", "KC_PROXY_TRUSTED_ADDRESSES=proxy"}, "addresses and networks"},
		"TLS of the database unread": {[]string{"KC_HOSTNAME=sso.example.com", "KC_HTTP_ENABLED=true", "KC_DB=postgres", "KC_DB_TLS_MODE=sometimes"}, "verify-server"},
	} {
		if _, _, _, err := translated(t, "start", nil, c.vars...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoPasswordInWhatIsSaid(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, v := range []string{"KC_DB_URL=jdbc:postgresql://me:hush@db/sso", "KC_DB_URL=jdbc:postgresql://db/sso?password=hush&sslfactory=x", "KC_DB_URL=jdbc:mysql://db/sso?password=hush"} {
		_, _, stderr, err := translated(t, "serve", nil, v, "KC_DB=postgres", "KC_DB_PASSWORD=hush")
		if err == nil || strings.Contains(err.Error()+stderr, "hush") {
			t.Errorf("%v %s", err, stderr)
		}
	}
}

func TestUnknownOptionsOfKeycloakAreNamed(t *testing.T) {
	_, _, stderr, err := translated(t, "serve", nil, "KC_NONSENSE=1", "KC_HOSTNAME_ADMIN=https://admin.example", "KC_CACHE=ispn", "KC_PROXY_HEADERS=xforwarded", "KC_HOSTNAME_STRICT=false")
	for _, want := range []string{"KC_NONSENSE is no option", "KC_HOSTNAME_ADMIN has no effect", "KC_PROXY_HEADERS: nobody's", "KC_HOSTNAME_STRICT: links are never"} {
		if err != nil || !strings.Contains(stderr, want) {
			t.Errorf("%q lacks %q (%v)", stderr, want, err)
		}
	}
	if strings.Contains(stderr, "KC_CACHE") {
		t.Errorf("a warning about nothing: %s", stderr)
	}
}

func TestTheAdministratorsPassword(t *testing.T) {
	_, e, _, err := translated(t, "serve", nil, "KC_BOOTSTRAP_ADMIN_PASSWORD=theirs")
	if err != nil || e.get(adminPassword) != "theirs" {
		t.Errorf("%q, %v", e.get(adminPassword), err)
	}
	_, e, _, err = translated(t, "serve", nil, "KC_BOOTSTRAP_ADMIN_PASSWORD=theirs", adminPassword+"=ours")
	if err != nil || e.get(adminPassword) != "ours" {
		t.Errorf("%q, %v", e.get(adminPassword), err)
	}
}

// docs/from-keycloak.md tells every option that is honoured or refused.
func TestTheDocumentNamesEveryOption(t *testing.T) {
	b, err := os.ReadFile("../../docs/from-keycloak.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range kcOptions() {
		name := "KC_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
		if slices.Contains([]kcKind{honoured, refused}, o.kind) && !strings.Contains(string(b), name) {
			t.Errorf("the document lacks %s", name)
		}
	}
}
