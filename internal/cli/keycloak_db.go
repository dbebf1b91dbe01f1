package cli

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// database is --data for Keycloak's own files and --db for PostgreSQL.
func (t *translation) database() error {
	if t.flags.given["db"] {
		return nil
	}
	vendor := strings.ToLower(t.get("db", ""))
	if vendor == "" && strings.HasPrefix(t.get("db-url", ""), "jdbc:postgresql:") {
		vendor = "postgres"
	}
	switch vendor {
	case "", "dev-file":
		return t.keepsFiles()
	case "postgres":
	case "dev-mem":
		return t.refuse("db", "is dev-mem: a server keeps what it has been told here; take it out for a folder (`latchkey demo` is in memory)")
	default:
		return t.refuse("db", "is %q: SQLite in a folder (without KC_DB) and PostgreSQL (KC_DB=postgres) are there", vendor)
	}
	dsn, err := t.postgres()
	if err != nil {
		return err
	}
	return t.set("db", dsn)
}

// postgres makes a PostgreSQL address of Keycloak's options. No message holds the
// address: a password may stand in it.
func (t *translation) postgres() (string, error) {
	u := &url.URL{Scheme: "postgres", Host: net.JoinHostPort(t.get("db-url-host", "localhost"), t.get("db-url-port", "5432")), Path: "/" + t.get("db-url-database", "keycloak")}
	properties := strings.TrimLeft(t.get("db-url-properties", ""), "?&;")
	from := "db-url-properties"
	if full := t.get("db-url", ""); full != "" {
		from = "db-url"
		rest, ok := strings.CutPrefix(full, "jdbc:postgresql://")
		address, query, _ := strings.Cut(rest, "?")
		hosts, name, hasName := strings.Cut(address, "/")
		if !ok || hosts == "" || !hasName || name == "" || strings.ContainsAny(address, "@${}") {
			return "", t.refuse("db-url", "cannot be read: it has to look like jdbc:postgresql://host:5432/database, with user and password in KC_DB_USERNAME and KC_DB_PASSWORD")
		}
		u.Host, u.Path, properties = hosts, "/"+name, query
	}
	query, user, password, err := t.properties(from, properties)
	if err != nil {
		return "", err
	}
	user, password = t.get("db-username", user), t.get("db-password", password)
	switch {
	case user != "" && password != "":
		u.User = url.UserPassword(user, password)
	case user != "":
		u.User = url.User(user)
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// properties turns the JDBC driver's properties into libpq's. One that is unknown
// is refused: many of them are about TLS.
func (t *translation) properties(from, text string) (out url.Values, user, password string, err error) {
	out = url.Values{}
	in, err := url.ParseQuery(strings.ReplaceAll(text, ";", "&"))
	if err != nil {
		return nil, "", "", t.refuse(from, "holds properties that cannot be read")
	}
	names := map[string]string{"sslmode": "sslmode", "sslrootcert": "sslrootcert", "sslcert": "sslcert", "sslkey": "sslkey", "currentSchema": "search_path",
		"ApplicationName": "application_name", "connectTimeout": "connect_timeout"}
	for name := range in {
		value := in.Get(name)
		switch {
		case name == "user":
			user = value
		case name == "password":
			password = value
		case name == "ssl" && value == "true": // the driver's ssl=true checks certificate and host
			out.Set("sslmode", "verify-full")
		case name == "targetServerType" && value == "primary":
			out.Set("target_session_attrs", "primary")
		case names[name] == "":
			return nil, "", "", t.refuse(from, "holds the property %s=…, which has no meaning here", name)
		default:
			out.Set(names[name], value)
		}
	}
	return out, user, password, t.databaseSafety(out)
}

// databaseSafety sets the schema and what db-tls-mode asks for.
func (t *translation) databaseSafety(out url.Values) error {
	if schema := t.get("db-schema", ""); schema != "" {
		out.Set("search_path", schema)
	}
	switch mode := t.get("db-tls-mode", "disabled"); {
	case mode == "verify-server":
		out.Set("sslmode", "verify-full")
	case mode != "disabled":
		return t.refuse("db-tls-mode", "is %q: disabled or verify-server", mode)
	}
	if mode := out.Get("sslmode"); mode != "" && !slices.Contains([]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}, mode) {
		return t.refuse("db-url-properties", "holds sslmode=%s, which is none", mode)
	}
	return nil
}
