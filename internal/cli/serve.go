package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/latchkey-id/latchkey/internal/provider"
	"github.com/latchkey-id/latchkey/internal/web"
)

const adminPassword = "LATCHKEY_ADMIN_PASSWORD"

// serveFlags are the flags of serve.
type serveFlags struct {
	storeFlags
	addr, managementAddr, admin    string
	urls, imports, accept, proxies many
	tlsCert, tlsKey, logFormat     string
	logLevel                       string
	metrics                        bool
}

func runServe(ctx context.Context, e *Env, args []string) error {
	return runServeAs("serve")(ctx, e, args)
}

// runServeAs is serve under its own name or under one of Keycloak's words.
func runServeAs(word string) func(ctx context.Context, e *Env, args []string) error {
	return func(ctx context.Context, e *Env, args []string) error {
		var o serveFlags
		f := newFlags(e, word, "--data DIR | --db postgres://… [flags]")
		o.define(f)
		kc := &keycloak{word: word, values: map[string]string{}, said: map[string]string{}}
		if err := f.parse(e, kc.split(args), adminPassword, sealingKeyVar); err != nil {
			return err
		}
		kc.variables(e.Vars)
		e, err := kc.apply(f, e)
		if err != nil {
			return err
		}
		if err := o.check(word); err != nil {
			return err
		}
		log, err := newLogger(e, o.logFormat, o.logLevel)
		if err != nil {
			return err
		}
		return serve(ctx, e, o, log)
	}
}

// define declares the flags.
func (o *serveFlags) define(f *flags) {
	o.register(f)
	f.StringVar(&o.addr, "addr", ":8080", "`address` to listen on")
	f.StringVar(&o.managementAddr, "management-addr", "localhost:9000", "`address` of /health and /metrics; empty: none")
	f.Var(&o.urls, "url", "public `origin`, for example https://sso.example.com; may be repeated, the first is canonical")
	f.StringVar(&o.admin, "admin", "", "`name` of the first administrator; the password in "+adminPassword)
	f.Var(&o.imports, "import", "realm `file` or folder of realm files to import; a realm that exists stays as it is")
	f.Var(&o.accept, "accept-weaker", "`path` of a setting of an import that may be left unenforced; may be repeated")
	f.Var(&o.proxies, "trusted-proxy", "`network` (CIDR) of a proxy whose X-Forwarded-For is believed; may be repeated")
	f.StringVar(&o.tlsCert, "tls-cert", "", "certificate `file` (PEM)")
	f.StringVar(&o.tlsKey, "tls-key", "", "key `file` (PEM)")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	f.BoolVar(&o.metrics, "metrics", true, "/metrics at the management address")
}

// check refuses wrong usage before anything is opened.
func (o *serveFlags) check(word string) error {
	if err := o.storeFlags.check(word); err != nil {
		return err
	}
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return usagef("--tls-cert and --tls-key go together")
	}
	return nil
}

func newLogger(e *Env, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usagef("--log-level %q: debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(web.WithRequestID{Handler: slog.NewTextHandler(e.Stderr, options)}), nil
	case "json":
		return slog.New(web.WithRequestID{Handler: slog.NewJSONHandler(e.Stderr, options)}), nil
	}
	return nil, usagef("--log-format %q: text or json", format)
}

func serve(ctx context.Context, e *Env, o serveFlags, log *slog.Logger) error {
	proxies, err := parseProxies(o.proxies)
	if err != nil {
		return err
	}
	listener, err := listen(o.addr, "--addr")
	if err != nil {
		return err
	}
	defer listener.Close()
	s, ring, err := openStore(ctx, e, o.storeFlags, log)
	if err != nil {
		return err
	}
	defer s.Close()
	origins := o.urls
	if len(origins) == 0 {
		origins = many{defaultOrigin(listener, o.tlsCert != "")}
	}
	p, err := provider.New(provider.Config{Store: s, Seal: ring, Origins: origins, Logger: log, Proxies: proxies})
	if errors.Is(err, provider.ErrOrigin) {
		return usagef("--url: %v", err)
	}
	if err != nil {
		return err
	}
	defer p.Close()
	if err := prepare(ctx, e, p, o, origins[0]); err != nil {
		return err
	}
	return runServers(ctx, o, log, p, listener, origins[0])
}

func defaultOrigin(l net.Listener, tls bool) string {
	_, port, _ := net.SplitHostPort(l.Addr().String()) // a listener's address has a port
	if tls {
		return "https://localhost:" + port
	}
	return "http://localhost:" + port
}

func parseProxies(in many) (web.Proxies, error) {
	var out web.Proxies
	for _, s := range in {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, usagef("--trusted-proxy %q: a network like 10.0.0.0/8", s)
		}
		out = append(out, p)
	}
	return out, nil
}

// listen says what would work when a port is taken.
func listen(addr, flagName string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if port, ok := strings.CutPrefix(addr, "localhost:"); ok && isLookup(err) {
		// "Name resolution APIs and libraries SHOULD recognize localhost names as
		// special" (RFC 6761, section 6.3): a container may have no /etc/hosts.
		l, err = net.Listen("tcp", "127.0.0.1:"+port)
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s %s is taken by another program; try %s", flagName, addr, flagName+" "+nextPort(addr))
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", flagName, addr, err)
	}
	return l, nil
}

func isLookup(err error) bool {
	_, ok := errors.AsType[*net.DNSError](err)
	return ok
}

// nextPort finds a port near the one that is taken.
func nextPort(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		return addr
	}
	for try := n + 1; try < n+100; try++ {
		next := net.JoinHostPort(host, fmt.Sprint(try))
		if l, err := net.Listen("tcp", next); err == nil {
			_ = l.Close()
			return next
		}
	}
	return net.JoinHostPort(host, "0")
}

// prepare does what serve does before it answers: realm master, imports, the
// first administrator.
func prepare(ctx context.Context, e *Env, p *provider.Provider, o serveFlags, origin string) error {
	if err := p.Manage.EnsureMaster(ctx); err != nil {
		return err
	}
	if err := importAll(ctx, e, p, o); err != nil {
		return err
	}
	if o.admin != "" {
		return firstAdmin(ctx, e, p, o.admin)
	}
	has, err := p.Manage.HasAdmin(ctx)
	if err != nil || has {
		return err
	}
	secret, err := p.Manage.SetupLink(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Stderr, "\n  There is no administrator yet. This link makes the first one; it works once, for 24 hours:\n\n    %s/setup/%s\n\n", origin, secret)
	return nil
}

func firstAdmin(ctx context.Context, e *Env, p *provider.Provider, name string) error {
	has, err := p.Manage.HasAdmin(ctx)
	if err != nil {
		return err
	}
	if has {
		fmt.Fprintln(e.Stderr, "latchkey: there is an administrator already; --admin changes nothing (`latchkey user reset-password` gives somebody another password)")
		return nil
	}
	if e.get(adminPassword) == "" {
		return usagef("--admin %s: put the password into the variable %s", name, adminPassword)
	}
	_, err = p.Manage.CreateAdmin(ctx, name, e.get(adminPassword))
	return err
}

// runServers serves until the context ends, then lets requests under way finish.
func runServers(ctx context.Context, o serveFlags, log *slog.Logger, p *provider.Provider, listener net.Listener, origin string) error {
	servers := []running{{web.NewServer(p.Handler(), log), listener, o.tlsCert, o.tlsKey}}
	if o.managementAddr != "" {
		l, err := listen(o.managementAddr, "--management-addr")
		if err != nil {
			return err
		}
		servers = append(servers, running{web.NewServer(managementHandler(p, o.metrics), log), l, "", ""})
	}
	log.InfoContext(ctx, "ready", "url", origin, "addr", listener.Addr().String(), "data", o.where())
	return serveUntil(ctx, servers)
}

// managementHandler leaves the figures out where they are not wanted.
func managementHandler(p *provider.Provider, metrics bool) http.Handler {
	if metrics {
		return p.Management()
	}
	mux := http.NewServeMux()
	mux.Handle("/", p.Management())
	mux.Handle("/metrics", http.NotFoundHandler())
	return mux
}

// running is a server with its door.
type running struct {
	server    *http.Server
	listener  net.Listener
	cert, key string
}

// drain is how long requests under way may take to finish.
const drain = 10 * time.Second

func serveUntil(ctx context.Context, servers []running) error {
	failed := make(chan error, len(servers))
	for _, s := range servers {
		go func() {
			if s.cert != "" {
				failed <- s.server.ServeTLS(s.listener, s.cert, s.key)
				return
			}
			failed <- s.server.Serve(s.listener)
		}()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	errs := []error{err}
	for _, s := range servers {
		errs = append(errs, s.server.Shutdown(ending))
	}
	errs = slices.DeleteFunc(errs, func(err error) bool { return errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) })
	return errors.Join(errs...)
}
