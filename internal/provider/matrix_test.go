package provider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// what somebody has who logged in with realm "lenient".
type had struct {
	code, access, refresh string
	browser               *http.Client
}

// ways are all that still could give something, each with what it has to say:
// "" for a refusal of any kind.
func (s *server) ways(h had) map[string]func() bool {
	post := func(form url.Values) bool { return s.token("lenient", form).text("access_token") != "" }
	active := func(token, hint string) bool {
		a := s.send(s.browser(), http.MethodPost, s.oidc("lenient", "token/introspect"), url.Values{"client_id": {"app"}, "client_secret": {appSecret}, "token": {token}, "token_type_hint": {hint}})
		return a.json["active"] == true
	}
	return map[string]func() bool{
		"code": func() bool {
			return post(url.Values{"grant_type": {"authorization_code"}, "code": {h.code}, "redirect_uri": {callback}, "code_verifier": {verifier}})
		},
		"refresh": func() bool { return post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {h.refresh}}) },
		"password": func() bool {
			return post(url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {alicesPass}})
		},
		"service": func() bool { return post(url.Values{"grant_type": {"client_credentials"}}) },
		"userinfo": func() bool {
			return s.get(s.browser(), s.oidc("lenient", "userinfo"), "Authorization", "Bearer "+h.access).status == 200
		},
		"introspect access":  func() bool { return active(h.access, "access_token") },
		"introspect refresh": func() bool { return active(h.refresh, "refresh_token") },
		"single sign-on": func() bool {
			a := s.get(h.browser, s.authURL("lenient", url.Values{"prompt": {"none"}}))
			return a.location != nil && a.location.Query().Get("code") != ""
		},
	}
}

// C4 to C10, C12: whatever is switched off, every way to a token is shut, and what
// was given out is worth nothing.
func TestC6WhatIsSwitchedOffGivesNothing(t *testing.T) {
	all := "code refresh password service userinfo introspect-access introspect-refresh single-sign-on"
	for _, c := range []struct {
		name   string
		off    func(s *server)
		shut   string // the rest goes on
		future bool   // not-before lies a moment ahead of what was given out
	}{
		{"nothing", func(*server) {}, "", false},
		{"the user", func(s *server) {
			s.byAdmin(t, http.MethodPut, "users/"+s.userID(t, "alice"), map[string]any{"enabled": false})
		},
			strings.ReplaceAll(all, "service ", ""), false},
		{"the client", func(s *server) {
			s.byAdmin(t, http.MethodPut, "clients/"+s.clientID(t), map[string]any{"clientId": "app", "enabled": false})
		}, all, false},
		{"the realm", func(s *server) { s.change(func(r *realm.Realm) { r.Enabled = false }) }, all, false},
		{"the service account", func(s *server) {
			s.byAdmin(t, http.MethodPut, "users/"+s.userID(t, "service-account-app"), map[string]any{"enabled": false})
		}, "service", false},
		{"the session", func(s *server) { s.byAdmin(t, http.MethodPost, "users/"+s.userID(t, "alice")+"/logout", nil) },
			"code refresh userinfo introspect-access introspect-refresh single-sign-on", false},
		{"not-before of the realm", func(s *server) { s.change(func(r *realm.Realm) { r.NotBefore = s.clock.now().Unix() + 5 }) },
			"code refresh userinfo introspect-access introspect-refresh single-sign-on", true},
		{"not-before of the client, an older one of the realm", func(s *server) {
			s.byAdmin(t, http.MethodPut, "clients/"+s.clientID(t), map[string]any{"clientId": "app", "notBefore": s.clock.now().Unix() + 5})
			s.change(func(r *realm.Realm) { r.NotBefore = 1 })
		}, "code refresh userinfo introspect-access introspect-refresh single-sign-on", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, nil)
			s.t = t
			s.change(func(r *realm.Realm) { r.Attributes = map[string]string{"latchkey.introspect.own": "true"} })
			h := had{browser: s.browser()}
			tokens := s.exchange("lenient", s.code(h.browser, "lenient", nil))
			h.access, h.refresh, h.code = tokens.text("access_token"), tokens.text("refresh_token"), s.code(h.browser, "lenient", nil)
			c.off(s)
			if c.future {
				s.clock.move(10e9)
			}
			for way, open := range s.ways(h) {
				if got, want := open(), !strings.Contains(" "+c.shut+" ", " "+strings.ReplaceAll(way, " ", "-")+" "); got != want {
					t.Errorf("%s: open %v, want %v", way, got, want)
				}
			}
		})
	}
}

// byAdmin has the administrator change something of realm "lenient".
func (s *server) byAdmin(t *testing.T, method, path string, body any) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if a := s.admin(s.adminBearer(), method, "lenient", "/"+path, string(b)); a.status >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
}

func (s *server) userID(t *testing.T, username string) string {
	t.Helper()
	in, err := s.store.RealmByName(t.Context(), "lenient")
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.store.UserByUsername(t.Context(), in.ID, username)
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func (s *server) clientID(t *testing.T) string {
	t.Helper()
	in, err := s.store.RealmByName(t.Context(), "lenient")
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.store.ClientByClientID(t.Context(), in.ID, "app")
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}
