package web

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/ui"
)

type contextKey int

const (
	requestIDKey contextKey = iota
	realIPKey
)

// RequestID is the id of a request, in its log lines and on its error page.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// RealIP is the visitor's address: the peer's, unless the peer is a trusted proxy.
func RealIP(ctx context.Context) string {
	ip, _ := ctx.Value(realIPKey).(string)
	return ip
}

// Proxies are the networks whose X-Forwarded-For is believed. The zero value
// believes nobody (S-115).
type Proxies []netip.Prefix

func (p Proxies) trusts(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// clientIP walks X-Forwarded-For from the right, past trusted proxies alone:
// what stands further left was written by the visitor.
func (p Proxies) clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	at, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(forwarded) - 1; i >= 0 && p.trusts(at); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(forwarded[i]))
		if err != nil {
			break
		}
		at = next
	}
	return at.Unmap().String()
}

// FromTrustedProxy reports whether a request's peer is a trusted proxy.
func (p Proxies) FromTrustedProxy(r *http.Request) bool {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && p.trusts(ap.Addr())
}

// Shell is what stands around every route.
type Shell struct {
	Logger  *slog.Logger
	Proxies Proxies
	Metrics *Metrics
	HSTS    bool // the provider is reached by https alone
	Now     func() time.Time
}

// Wrap gives every request an id and an address, security headers, a line in the
// access log and a place in the metrics.
func (s *Shell) Wrap(next http.Handler) http.Handler {
	fixed := s.headers()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), requestIDKey, rand.Text())
		ctx = context.WithValue(ctx, realIPKey, s.Proxies.clientIP(r))
		r = r.WithContext(ctx)
		maps.Copy(w.Header(), fixed) // their values are shared; Set and Add put others in their place
		seen := &recorder{ResponseWriter: w, status: http.StatusOK}
		began := s.Now()
		next.ServeHTTP(seen, r)
		took := s.Now().Sub(began)
		s.Metrics.observe(r.Method, seen.status, took)
		// The query is left out: it holds codes, states and hints.
		s.Logger.LogAttrs(ctx, slog.LevelDebug, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", seen.status), slog.Duration("took", took), slog.String("ip", RealIP(ctx)))
	})
}

// headers are what every answer has, unless its surface says otherwise.
func (s *Shell) headers() http.Header {
	h := http.Header{
		"X-Content-Type-Options":     {"nosniff"},
		"Referrer-Policy":            {"no-referrer"},
		"X-Frame-Options":            {"DENY"},
		"Content-Security-Policy":    {"default-src 'none'; frame-ancestors 'none'"},
		"Permissions-Policy":         {"camera=(), geolocation=(), microphone=()"},
		"Cross-Origin-Opener-Policy": {"same-origin"},
		"X-Robots-Tag":               {"none"},
	}
	if s.HSTS {
		h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
	return h
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// MountAssets serves the files that pages refer to. Their paths name their
// content, so they may be kept forever.
func MountAssets(mux *http.ServeMux) {
	for _, a := range ui.Assets() {
		mux.HandleFunc("GET "+a.Path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", a.Type)
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			_, _ = w.Write(a.Body)
		})
	}
}

// NewServer is an http.Server with the time and size limits of S-110.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 60 * time.Second, MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
}

// WithRequestID is a slog.Handler that adds the request's id to every line.
type WithRequestID struct{ slog.Handler }

// Handle adds the id.
func (h WithRequestID) Handle(ctx context.Context, rec slog.Record) error {
	if id := RequestID(ctx); id != "" {
		rec.AddAttrs(slog.String("request", id))
	}
	return h.Handler.Handle(ctx, rec)
}

// WithAttrs and WithGroup keep the id.
func (h WithRequestID) WithAttrs(attrs []slog.Attr) slog.Handler {
	return WithRequestID{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the id.
func (h WithRequestID) WithGroup(name string) slog.Handler {
	return WithRequestID{h.Handler.WithGroup(name)}
}
