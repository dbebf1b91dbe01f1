package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"

	"github.com/latchkey-id/latchkey"
	"github.com/latchkey-id/latchkey/internal/guideapp"
	"github.com/latchkey-id/latchkey/internal/web"
)

// runApp serves the guide's application. The six values come from flags, from
// variables of exactly their names, or from flask-oidc's or Keycloak's file.
func runApp(ctx context.Context, e *Env, args []string) error {
	var c latchkey.Config
	var addr, secretsFile, keycloakFile, logFormat, keys string
	f := newFlags(e, "app", "[--client-secrets FILE | --keycloak-json FILE] [--issuer …]")
	f.StringVar(&secretsFile, "client-secrets", "", "flask-oidc's client_secrets.json `file`")
	f.StringVar(&keycloakFile, "keycloak-json", "", "keycloak.json `file` of Keycloak's admin console; REDIRECT_URI has to be given beside it")
	f.StringVar(&c.Issuer, "issuer", e.get("ISSUER"), "`URL` of the realm (ISSUER)")
	f.StringVar(&c.ClientID, "client-id", e.get("CLIENT_ID"), "client `id` (CLIENT_ID)")
	f.StringVar(&c.ClientSecret, "client-secret", "", "client `secret` (better in the variable CLIENT_SECRET)")
	f.StringVar(&c.RedirectURI, "redirect-uri", e.get("REDIRECT_URI"), "callback `URL` of the application (REDIRECT_URI)")
	f.StringVar(&c.TokenEndpoint, "token-endpoint", e.get("TOKEN_ENDPOINT"), "token `URL`, optional (TOKEN_ENDPOINT)")
	f.StringVar(&c.UserinfoEndpoint, "userinfo-endpoint", e.get("USERINFO_ENDPOINT"), "userinfo `URL`, optional (USERINFO_ENDPOINT)")
	f.StringVar(&addr, "addr", "", "`address` to listen on; the redirect URI's host and port without it")
	f.StringVar(&keys, "session-keys", "", "base64 keys that seal sessions, newest first")
	f.StringVar(&logFormat, "log-format", "text", "text or json")
	if err := f.parse(e, args); err != nil {
		return err
	}
	if c.ClientSecret == "" {
		c.ClientSecret = e.get("CLIENT_SECRET")
	}
	c, err := withFiles(c, secretsFile, keycloakFile)
	if err != nil {
		return err
	}
	log, err := newLogger(e, logFormat, "info")
	if err != nil {
		return err
	}
	if c.SessionKeys, err = latchkey.ParseSessionKeys(keys); err != nil {
		return usageError{err.Error()}
	}
	c.Logger = log
	return serveApp(ctx, e, c, addr)
}

// withFiles reads flask-oidc's or Keycloak's file, where one is named.
func withFiles(c latchkey.Config, secretsFile, keycloakFile string) (latchkey.Config, error) {
	load, path := latchkey.LoadClientSecrets, secretsFile
	if keycloakFile != "" {
		load, path = latchkey.LoadKeycloakJSON, keycloakFile
	}
	switch {
	case path == "":
		return c, nil
	case secretsFile != "" && keycloakFile != "":
		return c, usagef("--client-secrets and --keycloak-json say the same; one of them, please")
	}
	file, err := load(path)
	if err != nil {
		return c, usageError{err.Error()}
	}
	if c.ClientSecret == "" && file.ClientAuth != "" {
		c.ClientAuth = file.ClientAuth
	}
	return withFile(c, file), nil
}

// withFile fills in from the file what neither a flag nor a variable says.
func withFile(c, file latchkey.Config) latchkey.Config {
	for _, f := range []struct {
		own   *string
		other string
	}{{&c.Issuer, file.Issuer}, {&c.ClientID, file.ClientID}, {&c.ClientSecret, file.ClientSecret}, {&c.RedirectURI, file.RedirectURI},
		{&c.TokenEndpoint, file.TokenEndpoint}, {&c.UserinfoEndpoint, file.UserinfoEndpoint}} {
		if *f.own == "" {
			*f.own = f.other
		}
	}
	return c
}

func serveApp(ctx context.Context, e *Env, c latchkey.Config, addr string) error {
	handler, err := newApp(c)
	if err != nil {
		return err
	}
	at, err := url.Parse(c.RedirectURI)
	if err != nil {
		return usageError{err.Error()}
	}
	if addr == "" {
		addr = hostPort(at)
	}
	listeners, err := listenBoth(addr, "--addr")
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Stderr, "\n  The guide's application is at %s://%s/\n\n", at.Scheme, at.Host)
	return serveUntil(ctx, serversOn(handler, c.Logger, listeners))
}

// newApp turns a mistake in the configuration into wrong usage.
func newApp(c latchkey.Config) (http.Handler, error) {
	auth, err := latchkey.New(c)
	if e, ok := errors.AsType[*latchkey.ConfigError](err); ok {
		return nil, usageError{e.Error()}
	}
	if err != nil {
		return nil, err
	}
	return guideapp.New(auth)
}

func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "https" {
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return net.JoinHostPort(u.Hostname(), "80")
}

// listenBoth listens on 127.0.0.1 and [::1] for localhost: which of them a
// browser tries first is its own affair. A machine without IPv6 has one of them.
func listenBoth(addr, flagName string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usagef("%s %q: an address like localhost:5000", flagName, addr)
	}
	if host != "localhost" {
		l, err := listen(addr, flagName)
		return []net.Listener{l}, err
	}
	first, err := listen(net.JoinHostPort("127.0.0.1", port), flagName)
	if err != nil {
		return nil, err
	}
	_, port, _ = net.SplitHostPort(first.Addr().String()) // port 0 has become one
	out := []net.Listener{first}
	second, err := listen(net.JoinHostPort("::1", port), flagName)
	if err == nil {
		return append(out, second), nil
	}
	if hasIPv6Loopback() {
		_ = first.Close()
		return nil, err
	}
	return out, nil
}

func hasIPv6Loopback() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

func serversOn(h http.Handler, log *slog.Logger, listeners []net.Listener) []running {
	var out []running
	for _, l := range listeners {
		out = append(out, running{web.NewServer(h, log), l, "", ""})
	}
	return out
}
