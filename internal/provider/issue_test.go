package provider_test

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/token"
)

// issuing is everything that a grant starts from, as it was read at one moment,
// and an issuer of the test's own.
type issuing struct {
	*server
	issuer *token.Issuer
	grant  token.Grant
	role   string // id of a role that alice has
}

func (s *server) issuing() *issuing {
	s.t.Helper()
	ctx := s.t.Context()
	in := s.realm("lenient")
	role := &realm.Role{ID: realm.NewID(), RealmID: in.ID, Name: "keeper"}
	u, err := s.store.UserByUsername(ctx, in.ID, "alice")
	if err = errors.Join(err, s.store.CreateRole(ctx, role), s.store.SetUserRoles(ctx, in.ID, u.ID, []string{role.ID}, nil)); err != nil {
		s.t.Fatal(err)
	}
	c, err := s.store.ClientByClientID(ctx, in.ID, "app")
	if err != nil {
		s.t.Fatal(err)
	}
	i := &issuing{server: s, issuer: &token.Issuer{Store: s.store, Keys: s.keeper(), Seal: s.ring, Now: s.clock.now}, role: role.ID}
	i.grant = token.Grant{Realm: in, Client: c, Origin: s.url, Kind: token.GrantCode, ACR: "1"}
	i.logIn()
	return i
}

// logIn makes a session with a family of refresh tokens and reads both.
func (i *issuing) logIn() {
	i.t.Helper()
	ctx, in := i.t.Context(), i.grant.Realm.ID
	tokens := i.exchange("lenient", i.code(i.browser(), "lenient", nil))
	_, claims, err := jose.Unverified(tokens.text("refresh_token"))
	if err != nil {
		i.t.Fatal(err, tokens.body)
	}
	id, _, _ := strings.Cut(claims["reuse_id"].(string), ".")
	i.grant.Family, err = i.store.RefreshFamily(ctx, in, id)
	if err != nil {
		i.t.Fatal(err)
	}
	p, err := i.store.Presence(ctx, in, claims["sid"].(string), i.grant.Client.ID, "")
	if err != nil {
		i.t.Fatal(err)
	}
	i.grant.Session, i.grant.User = p.Session, p.Person
	all, err := i.store.ClientScopes(ctx, in)
	if err != nil {
		i.t.Fatal(err)
	}
	if i.grant.Scopes, err = token.ResolveScopes(i.grant.Client, all, token.OpenID); err != nil {
		i.t.Fatal(err)
	}
}

// Tokens are signed while the write runs. What the write refuses leaves nothing:
// neither tokens nor half an answer.
func TestNothingIsHandedOutWhenTheWriteFails(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		change func(i *issuing) error // after everything was read
		want   func(err error) bool
	}{
		{"logged out", nil, func(i *issuing) error { return i.store.EndSession(t.Context(), i.grant.Realm.ID, i.grant.Session.ID) }, because(oauth.SessionNotActive)},
		{"user off", nil, func(i *issuing) error {
			u := *i.grant.User.User
			u.Enabled = false
			return i.store.UpdateUser(t.Context(), &u, false)
		}, because(oauth.UserDisabled)},
		{"client off", nil, func(i *issuing) error {
			c := *i.grant.Client
			c.Enabled = false
			return i.store.UpdateClient(t.Context(), &c, nil)
		}, because(oauth.ClientDisabled)},
		{"user gone", nil, func(i *issuing) error {
			return i.store.DeleteUser(t.Context(), i.grant.Realm.ID, i.grant.User.ID)
		}, is(store.ErrNotFound)},
		{"facts that move with every decision", nil, func(i *issuing) error {
			i.issuer.Now = func() time.Time { // read when it is decided: the gate is raised behind its back
				if err := i.store.SetUserRoles(t.Context(), i.grant.Realm.ID, i.grant.User.ID, nil, []string{"none"}); err != nil {
					t.Error(err)
				}
				return i.clock.now()
			}
			return nil
		}, is(store.ErrGateMoved)},
		{"an older generation", nil, func(i *issuing) error {
			i.grant.Realm = changed(i.grant.Realm, func(r *realm.Realm) { r.RevokeRefreshToken = true })
			i.grant.Sent = i.grant.Family.Generation - 1
			return nil
		}, is(store.ErrUsed)},
		{"a family that ended", nil, func(i *issuing) error {
			return i.store.EndClientSession(t.Context(), i.grant.Realm.ID, i.grant.Session.ID, i.grant.Client.ID)
		}, is(store.ErrNotFound)},
		{"a code that was replayed meanwhile", nil, func(i *issuing) error {
			i.grant.Family = nil
			return i.store.EndClientSession(t.Context(), i.grant.Realm.ID, i.grant.Session.ID, i.grant.Client.ID)
		}, is(store.ErrGateMoved)},
		{"a request that was given up", gone, func(*issuing) error { return nil }, is(context.Canceled)},
		{"a database that is gone", nil, func(i *issuing) error { return i.store.Close() }, func(err error) bool { return err != nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := start(t, nil).issuing()
			if out, err := i.issuer.Issue(t.Context(), i.grant); err != nil || out.AccessToken == "" || out.IDToken == "" || out.RefreshToken == "" {
				t.Fatalf("nothing is wrong yet: %+v, %v", out, err)
			}
			if err := c.change(i); err != nil {
				t.Fatal(err)
			}
			ctx := c.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			out, err := i.issuer.Issue(ctx, i.grant)
			if out != nil || !c.want(err) {
				t.Errorf("got %+v, %v", out, err)
			}
		})
	}
}

func because(reason oauth.Reason) func(error) bool {
	return func(err error) bool { return err != nil && oauth.ReasonOf(err) == reason }
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

func changed(r *realm.Realm, change func(*realm.Realm)) *realm.Realm {
	other := *r
	change(&other)
	return &other
}

// A role that is taken away between the reading and the write: what was signed
// with it is thrown away, and the answer is made of the facts as they are.
func TestWhatWasSignedOnOlderFactsIsThrownAway(t *testing.T) {
	i := start(t, nil).issuing()
	roles := func() string {
		out, err := i.issuer.Issue(t.Context(), i.grant)
		if err != nil {
			t.Fatal(err)
		}
		_, claims, err := jose.Unverified(out.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		access, _ := claims["realm_access"].(map[string]any)
		named, _ := access["roles"].([]any)
		if slices.Contains(named, any("keeper")) {
			return "keeper"
		}
		return ""
	}
	if roles() != "keeper" {
		t.Fatal("the role is not in the token")
	}
	if err := i.store.SetUserRoles(t.Context(), i.grant.Realm.ID, i.grant.User.ID, nil, []string{i.role}); err != nil {
		t.Fatal(err)
	}
	if got := roles(); got != "" {
		t.Errorf("a token with the role %q left after it was taken away", got)
	}
}

// The client's part of the session begins anew, by its limit, between the reading
// and the write: the access token names the part that lives.
func TestATokenIsOfThePartThatWasWritten(t *testing.T) {
	i := start(t, nil).issuing()
	older := *i.grant.Family
	older.Part = older.Part.Add(-time.Hour)
	i.grant.Family = &older
	out, err := i.issuer.Issue(t.Context(), i.grant)
	if err != nil {
		t.Fatal(err)
	}
	if a := i.get(i.browser(), i.oidc("lenient", "userinfo"), "Authorization", "Bearer "+out.AccessToken); a.status != 200 {
		t.Errorf("%d %s: the token is dead at birth", a.status, a.header.Get("WWW-Authenticate"))
	}
}

// The write runs beside the request: what breaks there must not end the process.
func TestAPanicWhileWritingIsAnError(t *testing.T) {
	i := start(t, nil).issuing()
	if out, err := i.issuer.Issue(t.Context(), i.grant); err != nil || out == nil {
		t.Fatal(out, err)
	}
	broken := *i.issuer
	broken.Now = func() time.Time {
		if strings.Contains(string(debug.Stack()), ").record(") {
			panic("the clock stopped")
		}
		return i.clock.now()
	}
	i.grant.Family = nil
	out, err := broken.Issue(t.Context(), i.grant)
	if out != nil || err == nil || !strings.Contains(err.Error(), "the clock stopped") {
		t.Errorf("got %+v, %v", out, err)
	}
}
