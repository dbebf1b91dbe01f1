package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"

	"github.com/latchkey-id/latchkey/internal/provider"
	"github.com/latchkey-id/latchkey/internal/seal"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// own is this program's provider in this process: what serve runs, on SQLite in a
// folder, every write durable.
type own struct {
	base, admin, password string
	store                 *store.Store
	provider              *provider.Provider
	http                  *http.Server
	server                *server
}

func startOwn(ctx context.Context, dir string) (*own, error) {
	ring, err := seal.NewRing(seal.RandomSecret())
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	o := &own{base: "http://" + listener.Addr().String(), admin: "bench-admin", password: rand.Text()}
	if o.store, err = store.Open(ctx, store.Options{Path: filepath.Join(dir, "latchkey.db"), Seal: ring}); err != nil {
		_ = listener.Close()
		return nil, err
	}
	log := slog.New(web.WithRequestID{Handler: slog.NewTextHandler(io.Discard, nil)}) // as serve's, but its lines go nowhere
	if o.provider, err = provider.New(provider.Config{Store: o.store, Seal: ring, Origins: []string{o.base}, Logger: log}); err != nil {
		_ = listener.Close()
		_ = o.store.Close()
		return nil, err
	}
	o.http = web.NewServer(o.provider.Handler(), log)
	go func() { _ = o.http.Serve(listener) }() // ends with close
	if err := o.provider.Manage.EnsureMaster(ctx); err != nil {
		o.close()
		return nil, err
	}
	if _, err := o.provider.Manage.CreateAdmin(ctx, o.admin, o.password); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// direct is a client that calls the handler itself.
func (o *own) direct() *client { return &client{direct: o.provider.Handler()} }

func (o *own) close() {
	_ = o.http.Close()
	o.provider.Close()
	_ = o.store.Close()
}
