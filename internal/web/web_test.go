package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/ui"
	"github.com/latchkey-id/latchkey/internal/web"
)

func TestS115RealIP(t *testing.T) {
	trusted := web.Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name, peer, forwarded, want string
		proxies                     web.Proxies
	}{
		{"nobody is trusted by default", "10.0.0.1:1", "1.2.3.4", "10.0.0.1", nil},
		{"a trusted proxy", "10.0.0.1:1", "1.2.3.4", "1.2.3.4", trusted},
		{"what a visitor wrote stands left", "10.0.0.1:1", "6.6.6.6, 1.2.3.4", "1.2.3.4", trusted},
		{"two proxies", "10.0.0.1:1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4", trusted},
		{"a visitor who pretends", "1.2.3.4:1", "10.0.0.9", "1.2.3.4", trusted},
		{"nonsense", "10.0.0.1:1", "nonsense", "10.0.0.1", trusted},
		{"nothing", "10.0.0.1:1", "", "10.0.0.1", trusted},
		{"IPv6", "[2001:db8::1]:1", "1.2.3.4", "2001:db8::1", trusted},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:1", "1.2.3.4", "1.2.3.4", trusted},
	} {
		t.Run(c.name, func(t *testing.T) {
			shell := web.Shell{Logger: slog.New(slog.DiscardHandler), Proxies: c.proxies, Metrics: web.NewMetrics(), Now: time.Now}
			var got string
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.peer
			r.Header.Set("X-Forwarded-For", c.forwarded)
			shell.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = web.RealIP(r.Context()) })).ServeHTTP(httptest.NewRecorder(), r)
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestS110ParseForm(t *testing.T) {
	for _, c := range []struct {
		name, kind, body string
		fields           int
		reason           oauth.Reason
	}{
		{"a form", "application/x-www-form-urlencoded; charset=utf-8", "a=1&b=2", 2, ""},
		{"JSON is no form", "application/json", `{"a":1}`, 0, ""},
		{"no type", "", "a=1", 0, ""},
		{"a type that is none", "a;;b", "a=1", 0, ""},
		{"too large", "application/x-www-form-urlencoded", "a=" + strings.Repeat("x", web.MaxForm), 0, oauth.TooLarge},
		{"too many fields", "application/x-www-form-urlencoded", strings.Repeat("a=1&", web.MaxFields), 0, oauth.TooLarge},
		{"broken", "application/x-www-form-urlencoded", "a=%zz", 0, oauth.InvalidForm},
		{"a NUL byte", "application/x-www-form-urlencoded", "a=x%00", 0, oauth.InvalidForm},
		{"a NUL byte in a name", "application/x-www-form-urlencoded", "a%00=x", 0, oauth.InvalidForm},
		{"broken UTF-8", "application/x-www-form-urlencoded", "a=1&b=%ff", 0, oauth.InvalidForm},
		{"a semicolon", "application/x-www-form-urlencoded", "a=1;b=2", 0, oauth.InvalidForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/?query=1", strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.kind)
			v, err := web.ParseForm(httptest.NewRecorder(), r)
			if c.reason != "" {
				if err == nil || oauth.ReasonOf(err) != c.reason {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || len(v) != c.fields {
				t.Errorf("got %v, %v", v, err)
			}
		})
	}
}

func TestFailuresSendNothingOfTheirCause(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	page := web.PageErrors(logger, func(*http.Request) web.Place { return web.Place{Name: "demo"} })
	for name, write := range map[string]web.ErrorWriter{"JSON": web.OAuthErrors(logger), "page": page} {
		for cause, h := range map[string]web.Handler{
			"an error": func(http.ResponseWriter, *http.Request) error { return errors.New("hunter2 in a row") },
			"a panic":  func(http.ResponseWriter, *http.Request) error { panic("hunter2 in a panic") },
		} {
			log.Reset()
			w := httptest.NewRecorder()
			web.Adapt(h, write)(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != 500 || strings.Contains(w.Body.String(), "hunter2") || !strings.Contains(log.String(), "hunter2") {
				t.Errorf("%s, %s: %d %s; the log: %s", name, cause, w.Code, w.Body, log.String())
			}
		}
	}
}

// A visitor who hangs up is no failure of ours; a panic and a failure that has
// nothing to do with it are.
func TestWhoHangsUpIsNoFailure(t *testing.T) {
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	waiting := fmt.Errorf("store: %w", context.Canceled)
	for _, c := range []struct {
		name   string
		ctx    context.Context
		status int
		err    error
		level  string
	}{
		{"gone", gone, 500, waiting, "INFO"},
		{"gone, and the database was interrupted for it", gone, 503, errors.New("interrupted"), "INFO"},
		{"gone, and something else failed", gone, 500, errors.New("no such key"), "ERROR"},
		{"gone, in a panic", gone, 500, errors.New("panic: x"), "ERROR"},
		{"there, and the work was given up", t.Context(), 500, waiting, "ERROR"},
		{"there, and the database does not answer", t.Context(), 503, errors.New("down"), "ERROR"},
	} {
		var log bytes.Buffer
		web.Log(slog.New(slog.NewTextHandler(&log, nil)), httptest.NewRequestWithContext(c.ctx, http.MethodGet, "/", nil), c.status, c.err)
		if !strings.Contains(log.String(), "level="+c.level+" ") {
			t.Errorf("%s: %s", c.name, log.String())
		}
	}
}

func TestDetailsAreShownOnThePage(t *testing.T) {
	w := httptest.NewRecorder()
	err := &web.Detailed{Err: oauth.Refuse(oauth.RedirectURIInvalid, ""), Details: []ui.Detail{{Name: "Sent", Value: "<b>"}}}
	web.PageErrors(slog.New(slog.DiscardHandler), func(*http.Request) web.Place { return web.Place{Name: "demo"} })(w, httptest.NewRequest(http.MethodGet, "/", nil), err)
	if w.Code != 400 || !strings.Contains(w.Body.String(), "&lt;b&gt;") || !strings.Contains(w.Body.String(), "redirect_uri_not_registered") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestS08OnlyRegisteredOriginsAreAllowed(t *testing.T) {
	for _, c := range []struct {
		name, origin string
		registered   []string
		allowed      string
		credentials  bool
		refused      bool
	}{
		{"no browser", "", []string{"https://app.example"}, "", false, false},
		{"registered", "https://app.example", []string{"https://app.example"}, "https://app.example", true, false},
		{"foreign", "https://evil.example", []string{"https://app.example"}, "", false, true},
		{"the beginning of one", "https://app.example.evil", []string{"https://app.example"}, "", false, true},
		{"any, without credentials", "https://any.example", []string{"*"}, "*", false, false},
		{"null", "null", []string{"https://app.example"}, "", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			err := web.AllowOrigin(w, r, c.registered)
			if (err != nil) != c.refused || w.Header().Get("Access-Control-Allow-Origin") != c.allowed || (w.Header().Get("Access-Control-Allow-Credentials") != "") != c.credentials {
				t.Errorf("%v, %v", err, w.Header())
			}
		})
	}
}
