package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey"
	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/provider"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/seal"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/urls"
)

// demoLine is what demo prints with --json, on one line.
type demoLine struct {
	App              string `json:"app"`
	Provider         string `json:"provider"`
	Realm            string `json:"realm"`
	Issuer           string `json:"issuer"`
	ClientID         string `json:"client_id"`
	ClientSecret     string `json:"client_secret"`
	RedirectURI      string `json:"redirect_uri"`
	TokenEndpoint    string `json:"token_endpoint"`
	UserinfoEndpoint string `json:"userinfo_endpoint"`
	Username         string `json:"username"`
	Password         string `json:"password"`
	AdminRealm       string `json:"admin_realm"`
	AdminUsername    string `json:"admin_username"`
	AdminPassword    string `json:"admin_password"`
}

type demoFlags struct {
	appAddr, addr, data string
	json                bool
}

func runDemo(ctx context.Context, e *Env, args []string) error {
	var o demoFlags
	f := newFlags(e, "demo", "[flags]")
	f.StringVar(&o.appAddr, "app-addr", "localhost:5000", "`address` of the application")
	f.StringVar(&o.addr, "addr", "localhost:8080", "`address` of the provider")
	f.StringVar(&o.data, "data", "", "`folder` to keep everything in; memory without it")
	f.BoolVar(&o.json, "json", false, "print one line of JSON when both answer")
	if err := f.parse(e, args); err != nil {
		return err
	}
	return demo(ctx, e, o)
}

// demo is the whole story in one process.
func demo(ctx context.Context, e *Env, o demoFlags) error {
	providerDoor, err := listenBoth(o.addr, "--addr")
	if err != nil {
		return err
	}
	appDoor, err := listenBoth(o.appAddr, "--app-addr")
	if err != nil {
		closeAll(providerDoor)
		return err
	}
	defer closeAll(append(providerDoor, appDoor...))
	log := slog.New(slog.NewTextHandler(e.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, ring, err := demoStore(ctx, o.data)
	if err != nil {
		return err
	}
	defer s.Close()
	line := newLine(origin(o.addr, providerDoor), origin(o.appAddr, appDoor))
	p, err := provider.New(provider.Config{Store: s, Seal: ring, Origins: []string{line.Provider}, Logger: log})
	if err != nil {
		return err
	}
	defer p.Close()
	if err := fillDemo(ctx, p, &line); err != nil {
		return err
	}
	app, err := newApp(latchkey.Config{Issuer: line.Issuer, ClientID: line.ClientID, ClientSecret: line.ClientSecret, RedirectURI: line.RedirectURI,
		SessionKeys: [][]byte{seal.RandomSecret()}, Logger: log})
	if err != nil {
		return err
	}
	servers := append(serversOn(p.Handler(), log, providerDoor), serversOn(app, log, appDoor)...)
	go func() {
		if answers(ctx, line.App) && answers(ctx, line.Issuer+"/.well-known/openid-configuration") {
			announce(e, o, line)
		}
	}()
	return serveUntil(ctx, servers)
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close()
	}
}

func demoStore(ctx context.Context, data string) (*store.Store, *seal.Ring, error) {
	if data != "" {
		return openData(ctx, data)
	}
	ring, err := seal.NewRing(seal.RandomSecret())
	if err != nil {
		return nil, nil, err
	}
	s, err := store.Open(ctx, store.Options{Memory: true, Seal: ring})
	return s, ring, err
}

// origin is the address as a person types it: the name that was given, with the
// port that it became.
func origin(addr string, listeners []net.Listener) string {
	host, _, _ := net.SplitHostPort(addr)                         // listenBoth has parsed it
	_, port, _ := net.SplitHostPort(listeners[0].Addr().String()) // a listener's address has a port
	return "http://" + net.JoinHostPort(host, port)
}

func newLine(providerOrigin, appOrigin string) demoLine {
	at := urls.Realm{Origin: providerOrigin, Name: "demo"}
	return demoLine{App: appOrigin + "/", Provider: providerOrigin, Realm: at.Name, Issuer: at.Issuer(), ClientID: "guide-app", ClientSecret: realm.NewSecret(),
		RedirectURI: appOrigin + "/oidc/callback", TokenEndpoint: at.Token(), UserinfoEndpoint: at.Userinfo(), Username: "alice", Password: easyPassword(),
		AdminRealm: manage.Master, AdminUsername: "admin", AdminPassword: easyPassword()}
}

// easyPassword is 80 random bits that a person can read from a screen.
func easyPassword() string {
	t := strings.ToLower(rand.Text())[:16]
	return t[:4] + "-" + t[4:8] + "-" + t[8:12] + "-" + t[12:]
}

// fillDemo makes the realm, or, in a data folder that has one, gives the people
// in it the passwords that are printed.
func fillDemo(ctx context.Context, p *provider.Provider, line *demoLine) error {
	if err := p.Manage.EnsureMaster(ctx); err != nil {
		return err
	}
	made, err := p.Manage.CreateAdmin(ctx, line.AdminUsername, line.AdminPassword)
	if err != nil {
		return err
	}
	err = p.Manage.CreateDemo(ctx, manage.Demo{Realm: line.Realm, ClientID: line.ClientID, Secret: line.ClientSecret, RedirectURI: line.RedirectURI,
		Username: line.Username, Password: line.Password})
	if errors.Is(err, store.ErrExists) {
		return renewDemo(ctx, p, line)
	}
	if err == nil && !made {
		err = p.Manage.ResetPassword(ctx, line.AdminRealm, line.AdminUsername, line.AdminPassword)
	}
	return err
}

func renewDemo(ctx context.Context, p *provider.Provider, line *demoLine) error {
	secret, err := p.Manage.DemoSecret(ctx, line.Realm, line.ClientID, line.RedirectURI)
	if err != nil {
		return err
	}
	line.ClientSecret = secret
	if err := p.Manage.ResetPassword(ctx, line.Realm, line.Username, line.Password); err != nil {
		return err
	}
	return p.Manage.ResetPassword(ctx, line.AdminRealm, line.AdminUsername, line.AdminPassword)
}

func answers(ctx context.Context, address string) bool {
	client := &http.Client{Timeout: 2 * time.Second}
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return false
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

func announce(e *Env, o demoFlags, d demoLine) {
	if o.json {
		_ = json.NewEncoder(e.Stdout).Encode(d)
		return
	}
	where := "in memory: Ctrl-C ends it and leaves nothing"
	if o.data != "" {
		where = "in " + o.data
	}
	fmt.Fprintf(e.Stdout, `
  Latchkey demo (%s)

  1. Open          %s
  2. Sign in as    %s   with password   %s

  The six values of the guide, for an application of your own
    ISSUER             %s
    CLIENT_ID          %s
    CLIENT_SECRET      %s
    REDIRECT_URI       %s   (any port of localhost)
    TOKEN_ENDPOINT     %s
    USERINFO_ENDPOINT  %s

  Administration     %s/admin/realms   (REST, realm %s)
    user %s   password   %s

`, where, d.App, d.Username, d.Password, d.Issuer, d.ClientID, d.ClientSecret, d.RedirectURI, d.TokenEndpoint, d.UserinfoEndpoint,
		d.Provider, d.AdminRealm, d.AdminUsername, d.AdminPassword)
}
