// Package provider wires all surfaces of the identity provider into one
// http.Handler. It reads as a table: who needs what stands here and nowhere else.
//
// It holds no logic of the protocol. cli, bench and latchkeytest call it.
package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/adminapi"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authorize"
	"github.com/latchkey-id/latchkey/internal/checksession"
	"github.com/latchkey-id/latchkey/internal/clientauth"
	"github.com/latchkey-id/latchkey/internal/discovery"
	"github.com/latchkey-id/latchkey/internal/grant"
	"github.com/latchkey-id/latchkey/internal/introspect"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/keys"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/logout"
	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/seal"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/token"
	"github.com/latchkey-id/latchkey/internal/urls"
	"github.com/latchkey-id/latchkey/internal/userinfo"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Config says what a provider is made of.
type Config struct {
	Store   *store.Store
	Seal    *seal.Ring
	Origins []string // public origins; the first is canonical
	Logger  *slog.Logger
	Now     func() time.Time // time.Now when nil
	Proxies web.Proxies
	Cost    password.Cost // Keycloak's when zero
	Workers int           // hashes at once; 0: one a processor
}

// Provider is the identity provider.
type Provider struct {
	Manage *manage.Manager

	store   *store.Store
	keys    *keys.Keeper
	log     *slog.Logger
	handler http.Handler
	metrics *web.Metrics
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// New makes a provider and starts what it does in the background: spare keys
// and the clean-up. Close ends both.
func New(cfg Config) (*Provider, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Cost == (password.Cost{}) {
		cfg.Cost = password.Keycloak()
	}
	if err := checkOrigins(cfg.Origins); err != nil {
		return nil, err
	}
	pool, err := password.NewPool(cfg.Workers, cfg.Cost)
	if err != nil {
		return nil, err
	}
	p := wire(cfg, pool)
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.done.Go(func() { p.background(ctx) })
	return p, nil
}

// ErrOrigin is wrapped by every refusal of an origin.
var ErrOrigin = errors.New("not a usable public URL")

// checkOrigins: plain http is for loopback alone, because session cookies
// travel with it.
func checkOrigins(origins []string) error {
	if len(origins) == 0 {
		return fmt.Errorf("%w: none given; use --url https://sso.example.com", ErrOrigin)
	}
	for _, o := range origins {
		u, err := url.Parse(o)
		switch {
		case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
			return fmt.Errorf("%w: %q; it has to look like https://sso.example.com", ErrOrigin, o)
		case u.Scheme == "http" && !urls.IsLoopback(o):
			return fmt.Errorf("%w: %q; plain http is for localhost alone, use https", ErrOrigin, o)
		case u.Scheme != "http" && u.Scheme != "https":
			return fmt.Errorf("%w: %q; the scheme has to be https", ErrOrigin, o)
		}
	}
	return nil
}

// wire is the table of who needs what.
func wire(cfg Config, pool *password.Pool) *Provider {
	var (
		log     = cfg.Logger
		realms  = newResolver(cfg.Store, cfg.Origins, cfg.Proxies)
		keeper  = &keys.Keeper{Store: cfg.Store, Seal: cfg.Seal, Now: cfg.Now, Logger: log, NotFound: store.ErrNotFound, Conflict: store.ErrConflict}
		events  = &audit.Log{Logger: log, Store: cfg.Store, Now: cfg.Now}
		issuer  = &token.Issuer{Store: cfg.Store, Keys: keeper, Seal: cfg.Seal, Now: cfg.Now, Same: &token.Unchanged{}}
		clients = &clientauth.Authenticator{Clients: cfg.Store}
		cookies = &session.Cookies{Store: cfg.Store, Now: cfg.Now}
		steps   = &journey.Journey{Store: cfg.Store, Cookies: cookies, Passwords: pool, Audit: events, Now: cfg.Now}
		manager = &manage.Manager{Store: cfg.Store, Passwords: pool, Now: cfg.Now, Loopback: urls.IsLoopback(cfg.Origins[0])}
		json    = realms.errors(web.OAuthErrors(log))
		page    = realms.errors(web.PageErrors(log, realms.place))
		metrics = web.NewMetrics()
	)
	auth := &authorize.Endpoint{Realms: realms, Store: cfg.Store, Issuer: issuer, Journey: steps, Logger: log, Now: cfg.Now, Errors: page}
	pages := &login.Pages{Realms: realms, Journey: steps, Seal: cfg.Seal, Errors: page}
	steps.Show, steps.Act, steps.Respond = pages.Show, pages.Act, auth.Respond

	mux := http.NewServeMux()
	for _, surface := range []interface{ Mount(mux *http.ServeMux) }{
		auth,
		pages,
		&grant.Endpoint{Realms: realms, Store: cfg.Store, Clients: clients, Issuer: issuer, Passwords: steps, Audit: events, Logger: log, Now: cfg.Now, Errors: json},
		&userinfo.Endpoint{Realms: realms, Issuer: issuer, Logger: log, Errors: json},
		&introspect.Endpoint{Realms: realms, Store: cfg.Store, Clients: clients, Issuer: issuer, Logger: log, Errors: json},
		&discovery.Documents{Realms: realms, Store: cfg.Store, Keys: keeper, Logger: log, Errors: json},
		&checksession.Endpoint{Realms: realms, Store: cfg.Store, Errors: json},
		&logout.Endpoint{Realms: realms, Store: cfg.Store, Issuer: issuer, Clients: clients, Cookies: cookies, Seal: cfg.Seal, Audit: events,
			Logger: log, Now: cfg.Now, PageErrors: page, JSONErrors: json},
		&adminapi.API{Store: cfg.Store, Manage: manager, Issuer: issuer, Origin: realms.Origin, Logger: log, Now: cfg.Now},
		&login.Setup{Manage: manager, Errors: page},
	} {
		surface.Mount(mux)
	}
	web.MountAssets(mux)
	mux.HandleFunc("/", realms.nothing)
	shell := &web.Shell{Logger: log, Proxies: cfg.Proxies, Metrics: metrics, HSTS: strings.HasPrefix(cfg.Origins[0], "https://"), Now: cfg.Now}
	return &Provider{Manage: manager, store: cfg.Store, keys: keeper, log: log, metrics: metrics, handler: shell.Wrap(protect(mux, cfg.Origins, page))}
}

func trimmed(origins []string) []string {
	var out []string
	for _, o := range origins {
		out = append(out, strings.TrimSuffix(o, "/"))
	}
	return out
}

// protect refuses cross-origin writes. The exceptions, each by name with its own
// defence: the authorization request may be posted by any site (it changes
// nothing before a login), token, userinfo, introspection and revocation
// authenticate by credentials that no browser adds by itself, logout asks unless
// it is given a valid hint, and the admin API takes a bearer token.
func protect(mux *http.ServeMux, origins []string, refuse web.ErrorWriter) http.Handler {
	guard := http.NewCrossOriginProtection()
	for _, o := range trimmed(origins) {
		_ = guard.AddTrustedOrigin(o) // checkOrigins has seen to its form
	}
	guard.SetDenyHandler(web.Adapt(func(_ http.ResponseWriter, r *http.Request) error {
		return oauth.RefuseBecause(oauth.CrossSiteForm, guard.Check(r))
	}, refuse))
	guarded := guard.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if own(r) {
			mux.ServeHTTP(w, r)
			return
		}
		if strings.Contains(r.URL.Path, "/login-actions/") || strings.HasSuffix(r.URL.Path, "/logout-confirm") || strings.HasPrefix(r.URL.Path, "/setup/") {
			guarded.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// own reports what a browser without Sec-Fetch-Site sends with the forms of our own
// pages: they say "no-referrer", and then the Origin of a form is "null" (Fetch,
// "append a request Origin header"). Another site's form can look like that in such
// a browser; there the form token, the sealed logout and the setup link are the defence.
func own(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null"
}

// Handler serves the provider.
func (p *Provider) Handler() http.Handler { return p.handler }

// Management serves health and metrics, for an address that is not public.
func (p *Provider) Management() http.Handler {
	mux := http.NewServeMux()
	live := func(w http.ResponseWriter, _ *http.Request) { _ = web.WriteJSON(w, http.StatusOK, health("UP")) }
	ready := func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := p.store.Ping(ctx); err != nil {
			p.log.ErrorContext(ctx, "not ready", "err", err)
			_ = web.WriteJSON(w, http.StatusServiceUnavailable, health("DOWN"))
			return
		}
		live(w, r)
	}
	mux.HandleFunc("GET /health/live", live)
	mux.HandleFunc("GET /health/started", live)
	mux.HandleFunc("GET /health/ready", ready)
	mux.HandleFunc("GET /health", ready)
	mux.Handle("GET /metrics", p.metrics.Handler())
	return mux
}

func health(status string) map[string]any {
	return map[string]any{"status": status, "checks": []any{}}
}

func (p *Provider) background(ctx context.Context) {
	if err := p.keys.KeepSpares(ctx); err != nil && ctx.Err() == nil {
		p.log.ErrorContext(ctx, "spare keys not made", "err", err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(2 * time.Second):
		debug.FreeOSMemory() // what the start and the spare keys needed goes back to the machine
	}
	tick := time.NewTicker(5 * time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := p.store.Sweep(ctx); err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "clean-up failed", "err", err)
		}
		if err := p.keys.Tidy(ctx); err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "keys that are gone not forgotten", "err", err)
		}
		if err := p.keys.KeepSpares(ctx); err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "spare keys not made", "err", err)
		}
	}
}

// Close ends what runs in the background. The store is the caller's.
func (p *Provider) Close() {
	p.stop()
	p.done.Wait()
}
