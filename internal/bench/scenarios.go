package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/urls"
)

// scenario is one everyday request, and what it is measured by.
type scenario struct {
	name, text string
	run        func(ctx context.Context, s *server, c *client) (time.Duration, error)
	again      bool // may be asked any number of times
	settle     bool // uses up a session that has settled
	by         yardstick
}

// scenarios are the requests in the order of a login. Goals are the product's own.
func scenarios() []scenario {
	return []scenario{
		{name: "discovery", text: "the discovery document", run: discovery, again: true, by: yardstick{parts: []part{{limitBare, 1}}, goal: 2}},
		{name: "login", text: "login page, form, code", run: login, by: yardstick{requests: 2, parts: []part{{limitArgon2id, 1}}}},
		{name: "code", text: "code for tokens (two RS256)", run: exchange, by: yardstick{requests: 1, parts: []part{{limitRS256, 2}}}},
		{name: "client_credentials", text: "client credentials, RS256", run: clientCredentials(clientRS256), again: true,
			by: yardstick{requests: 1, parts: []part{{limitRS256, 1}}, goal: 1.2}},
		{name: "client_credentials_es256", text: "client credentials, ES256", run: clientCredentials(clientES256), again: true,
			by: yardstick{requests: 1, parts: []part{{limitES256, 1}}, goal: 3}},
		{name: "refresh", text: "refresh (two RS256)", run: refresh, settle: true,
			by: yardstick{requests: 1, parts: []part{{limitRS256, 2}}, goal: 1.25}},
		{name: "introspection", text: "introspection", run: introspect, again: true,
			by: yardstick{parts: []part{{limitBareReads, 1}}, goal: 1.5}},
		{name: "userinfo", text: "userinfo", run: userinfo, again: true,
			by: yardstick{parts: []part{{limitBareReads, 1}}, goal: 1.5}},
	}
}

// probes are the scenarios on this server. What is measured without a socket has
// "/inside" behind its key. A session is made for every refresh.
func (s *server) probes(settle time.Duration) []probe {
	ways := []way{{s.socket, ""}}
	if s.inside != nil {
		ways = append(ways, way{s.inside, inside})
	}
	var out []probe
	for _, sc := range scenarios() {
		switch {
		case sc.again:
			out = append(out, s.each(sc, ways, inARow, 0)...)
		case sc.settle:
			out = append(out, s.each(sc, ways, usedInARow, settle)...)
		default:
			out = append(out, s.each(sc, ways[:1], usedInARow*len(ways), 0)...)
		}
	}
	return out
}

// way is how a server is asked.
type way struct {
	client *client
	suffix string // of the key
}

func (s *server) each(sc scenario, ways []way, times int, settle time.Duration) []probe {
	var out []probe
	for _, w := range ways {
		out = append(out, probe{key: s.key(sc.name) + w.suffix, settle: sc.settle, times: times, run: func(ctx context.Context) (time.Duration, error) {
			if sc.settle {
				s.wait(ctx, settle)
			}
			return sc.run(ctx, s, w.client)
		}})
	}
	return out
}

const inside = "/inside"

func (s *server) key(scenario string) string { return s.name + "/" + scenario }

// wait gives the oldest session the time to settle.
func (s *server) wait(ctx context.Context, settle time.Duration) {
	if len(s.waiting) == 0 {
		return
	}
	t := time.NewTimer(time.Until(s.waiting[0].at.Add(settle)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func discovery(ctx context.Context, s *server, c *client) (time.Duration, error) {
	_, took, err := c.want(ctx, http.StatusOK, call{method: http.MethodGet, address: s.at.Discovery()})
	return took, err
}

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)

var errForm = errors.New("no form that leads back to the server")

// login asks for the page, sends the form and keeps the code.
func login(ctx context.Context, s *server, c *client) (time.Duration, error) {
	address := urls.WithQuery(s.at.Auth(), url.Values{"client_id": {clientRS256}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid"},
		"state": {"s"}, "nonce": {"n"}, "code_challenge": {oauth.S256(s.verifier)}, "code_challenge_method": {"S256"}})
	form, first, err := c.want(ctx, http.StatusOK, call{method: http.MethodGet, address: address})
	if err != nil {
		return 0, err
	}
	m := formAction.FindSubmatch(form.body)
	if m == nil || !strings.HasPrefix(html.UnescapeString(string(m[1])), s.at.Origin+"/") {
		return 0, errForm
	}
	done, second, err := c.want(ctx, http.StatusFound, call{method: http.MethodPost, address: html.UnescapeString(string(m[1])),
		form: url.Values{"username": {userName}, "password": {s.userSecret}}, header: map[string]string{"Cookie": cookies(form.header)}})
	if err != nil {
		return 0, err
	}
	back, err := url.Parse(done.header.Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		return 0, fmt.Errorf("no code in %q", done.header.Get("Location"))
	}
	s.codes = append(s.codes, back.Query().Get("code"))
	return first + second, nil
}

// cookies sends every cookie back, those with Secure too: Keycloak sets them on
// plain http, and browsers return them to this machine.
func cookies(h http.Header) string {
	var out []string
	for _, line := range h.Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(line); err == nil && c.MaxAge >= 0 {
			out = append(out, c.Name+"="+c.Value)
		}
	}
	return strings.Join(out, "; ")
}

// token asks the token endpoint as a client.
func (s *server) token(ctx context.Context, c *client, clientID string, form url.Values) (tokens, time.Duration, error) {
	form.Set("client_id", clientID)
	form.Set("client_secret", s.clientSecret)
	a, took, err := c.want(ctx, http.StatusOK, call{method: http.MethodPost, address: s.at.Token(), form: form})
	if err != nil {
		return tokens{}, 0, err
	}
	t := tokens{at: time.Now()}
	return t, took, json.Unmarshal(a.body, &t)
}

func exchange(ctx context.Context, s *server, c *client) (time.Duration, error) {
	if len(s.codes) == 0 { // logins have their own turn, which may come later
		if _, err := login(ctx, s, c); err != nil {
			return 0, err
		}
	}
	code := s.codes[0]
	s.codes = s.codes[1:]
	t, took, err := s.token(ctx, c, clientRS256, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {s.verifier}})
	if err == nil {
		s.last, s.waiting = t, append(s.waiting, t)
	}
	return took, err
}

func clientCredentials(clientID string) func(context.Context, *server, *client) (time.Duration, error) {
	return func(ctx context.Context, s *server, c *client) (time.Duration, error) {
		_, took, err := s.token(ctx, c, clientID, url.Values{"grant_type": {"client_credentials"}})
		return took, err
	}
}

// refresh uses every session once: a second time would find its sign of life
// written already.
func refresh(ctx context.Context, s *server, c *client) (time.Duration, error) {
	if len(s.waiting) == 0 {
		return 0, errors.New("no session to refresh")
	}
	oldest := s.waiting[0]
	s.waiting = s.waiting[1:]
	_, took, err := s.token(ctx, c, clientRS256, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {oldest.Refresh}})
	return took, err
}

func introspect(ctx context.Context, s *server, c *client) (time.Duration, error) {
	a, took, err := c.want(ctx, http.StatusOK, call{method: http.MethodPost, address: s.at.Introspect(),
		form: url.Values{"client_id": {clientRS256}, "client_secret": {s.clientSecret}, "token": {s.last.Access}}})
	if err != nil {
		return 0, err
	}
	var said struct{ Active bool }
	if err := json.Unmarshal(a.body, &said); err != nil || !said.Active {
		return 0, fmt.Errorf("not active: %.300s", a.body)
	}
	return took, nil
}

func userinfo(ctx context.Context, s *server, c *client) (time.Duration, error) {
	_, took, err := c.want(ctx, http.StatusOK, call{method: http.MethodGet, address: s.at.Userinfo(), header: map[string]string{"Authorization": "Bearer " + s.last.Access}})
	return took, err
}
