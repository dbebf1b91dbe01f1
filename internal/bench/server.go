package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/urls"
)

const (
	clientRS256 = "bench"
	clientES256 = "bench-es256"
	userName    = "bench-user"
	callback    = "http://127.0.0.1/callback"
)

// server is a provider that is measured, with the realm that was made in it.
type server struct {
	name   string
	at     urls.Realm
	socket *client
	inside *client // the handler itself, without a socket; nil for another server

	admin, adminPassword     string
	clientSecret, userSecret string

	verifier string
	codes    []string // of the last logins, not yet exchanged
	last     tokens   // of the last exchange
	waiting  []tokens // sessions that settle before they are refreshed
}

// tokens are what an exchange gave, and when.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	at      time.Time
}

// newServer makes the realm that is measured: two clients with service accounts,
// one of them signing with ES256, and a user with a password.
func newServer(ctx context.Context, name, base, remote, admin, password string) (*server, error) {
	u, err := parseTarget(base, remote)
	if err != nil {
		return nil, err
	}
	s := &server{name: name, at: urls.Realm{Origin: strings.TrimSuffix(u.String(), "/"), Name: "bench-" + strings.ToLower(rand.Text()[:10])},
		socket: newClient(remote != "" && u.Hostname() == remote), admin: admin, adminPassword: password,
		clientSecret: rand.Text(), userSecret: rand.Text(), verifier: rand.Text() + rand.Text()}
	if err := s.fill(ctx); err != nil {
		return nil, fmt.Errorf("bench: %s: %w", name, err)
	}
	return s, nil
}

func (s *server) fill(ctx context.Context) error {
	bearer, err := s.login(ctx)
	if err != nil {
		return err
	}
	audience := map[string]any{"name": "bench", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
		"config": map[string]string{"included.client.audience": clientRS256, "access.token.claim": "true"}}
	client := func(id string, attributes map[string]string) map[string]any {
		return map[string]any{"clientId": id, "enabled": true, "secret": s.clientSecret, "redirectUris": []string{callback}, "standardFlowEnabled": true,
			"serviceAccountsEnabled": true, "protocolMappers": []any{audience}, "attributes": attributes}
	}
	user := map[string]any{"username": userName, "enabled": true, "email": "bench@example.com", "emailVerified": true, "firstName": "Bench", "lastName": "User",
		"credentials": []any{map[string]any{"type": "password", "value": s.userSecret, "temporary": false}}}
	for _, step := range []struct {
		address string
		doc     map[string]any
	}{
		{s.at.Origin + urls.AdminRealmsPrefix, map[string]any{"realm": s.at.Name, "enabled": true}},
		{s.at.Admin() + "/clients", client(clientRS256, nil)},
		{s.at.Admin() + "/clients", client(clientES256, map[string]string{"access.token.signed.response.alg": "ES256"})},
		{s.at.Admin() + "/users", user},
	} {
		doc, err := json.Marshal(step.doc)
		if err != nil {
			return err
		}
		if _, _, err := s.socket.want(ctx, http.StatusCreated, call{method: http.MethodPost, address: step.address, json: doc, header: bearer}); err != nil {
			return err
		}
	}
	return nil
}

// login gets an administrator's token, as kcadm does.
func (s *server) login(ctx context.Context) (map[string]string, error) {
	master := urls.Realm{Origin: s.at.Origin, Name: "master"}
	a, _, err := s.socket.want(ctx, http.StatusOK, call{method: http.MethodPost, address: master.Token(),
		form: url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {s.admin}, "password": {s.adminPassword}}})
	if err != nil {
		return nil, err
	}
	var t tokens
	if err := json.Unmarshal(a.body, &t); err != nil {
		return nil, err
	}
	return map[string]string{"Authorization": "Bearer " + t.Access}, nil
}

// remove deletes the realm with everything that was made in it.
func (s *server) remove(ctx context.Context) error {
	bearer, err := s.login(ctx)
	if err != nil {
		return err
	}
	_, _, err = s.socket.want(ctx, http.StatusNoContent, call{method: http.MethodDelete, address: s.at.Admin(), header: bearer})
	return err
}
