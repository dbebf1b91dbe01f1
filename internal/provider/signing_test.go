package provider_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/keys"
	"github.com/latchkey-id/latchkey/internal/manage"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/storetest"
	"golang.org/x/oauth2"
)

func (s *server) set(realmName, member, value string) {
	s.t.Helper()
	doc, err := json.Marshal(map[string]string{member: value})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.manage.UpdateRealm(s.t.Context(), realmName, doc); err != nil {
		s.t.Fatal(err)
	}
}

func headerOf(t testing.TB, token string) jose.Header {
	t.Helper()
	h, _, err := jose.Unverified(token)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A realm's algorithm is in every token, and somebody else's client accepts it
// with nothing but the metadata.
func TestEveryAlgorithmFromLoginToLogout(t *testing.T) {
	s := start(t, nil)
	for _, algorithm := range jose.SignatureAlgorithms() {
		t.Run(algorithm, func(t *testing.T) {
			s.set("strict", "defaultSignatureAlgorithm", algorithm)
			p, err := oidc.NewProvider(t.Context(), s.url+"/realms/strict")
			if err != nil {
				t.Fatal(err)
			}
			tokens := s.exchange("strict", s.code(s.browser(), "strict", url.Values{"nonce": {"n1"}}))
			access, raw := tokens.text("access_token"), tokens.text("id_token")
			if a, i, r := headerOf(t, access), headerOf(t, raw), headerOf(t, tokens.text("refresh_token")); a.Algorithm != algorithm || i.Algorithm != algorithm || r.Algorithm != jose.HS512 {
				t.Fatalf("access %s, ID %s, refresh %s", a.Algorithm, i.Algorithm, r.Algorithm)
			}
			id, err := p.Verifier(&oidc.Config{ClientID: "app"}).Verify(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := id.VerifyAccessToken(access); err != nil {
				t.Errorf("at_hash: %v", err)
			}
			if info, err := p.UserInfo(t.Context(), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: access})); err != nil || info.Subject != id.Subject {
				t.Errorf("userinfo: %v", err)
			}
			asked := s.send(s.browser(), http.MethodPost, s.oidc("strict", "token/introspect"), url.Values{"client_id": {"app"}, "client_secret": {appSecret}, "token": {access}})
			if asked.json["active"] != true {
				t.Errorf("introspection: %s", asked.body)
			}
			next := s.refresh("strict", tokens.text("refresh_token"))
			if next.status != 200 {
				t.Fatalf("refresh: %s", next.body)
			}
			out := s.get(s.browser(), s.oidc("strict", "logout")+"?"+url.Values{"id_token_hint": {raw}, "post_logout_redirect_uri": {callback}}.Encode())
			if out.status != http.StatusFound || out.location.String() != callback {
				t.Errorf("logout with the hint: %d %v", out.status, out.location)
			}
			if a := s.refresh("strict", next.text("refresh_token")); a.status != 400 {
				t.Errorf("the hint ended no session: %d", a.status)
			}
		})
	}
}

func TestAClientMayChooseItsAlgorithms(t *testing.T) {
	s := start(t, nil)
	in, err := s.store.RealmByName(t.Context(), "strict")
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.store.ClientByClientID(t.Context(), in.ID, "app")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.manage.UpdateClient(t.Context(), in, c.ID, []byte(`{"attributes":{"access.token.signed.response.alg":"ES256","id.token.signed.response.alg":"EdDSA"}}`)); err != nil {
		t.Fatal(err)
	}
	tokens := s.exchange("strict", s.code(s.browser(), "strict", nil))
	access, raw := tokens.text("access_token"), tokens.text("id_token")
	if a, i := headerOf(t, access), headerOf(t, raw); a.Algorithm != jose.ES256 || i.Algorithm != jose.EdDSA {
		t.Fatalf("access %s, ID %s", a.Algorithm, i.Algorithm)
	}
	// The hash follows the ID token's algorithm, not the access token's (OpenID Connect Core 1.0, 3.1.3.6).
	want, err := jose.LeftHalfHash(jose.EdDSA, access)
	if got := claimsOf(t, raw)["at_hash"]; err != nil || got != want {
		t.Errorf("at_hash is %v, want %s", got, want)
	}
}

func TestUnknownAlgorithmsAreRefused(t *testing.T) {
	s := start(t, nil)
	in, err := s.store.RealmByName(t.Context(), "strict")
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.store.ClientByClientID(t.Context(), in.ID, "app")
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []string{"none", "NONE", "HS256", "HS512", "RSA-OAEP", "es256", "XX9", "RS256 "} {
		quoted, err := json.Marshal(alg)
		if err != nil {
			t.Fatal(err)
		}
		client := func(attribute string) error {
			return s.manage.UpdateClient(t.Context(), in, c.ID, []byte(`{"attributes":{"`+attribute+`":`+string(quoted)+`}}`))
		}
		_, _, imported := s.manage.Import(t.Context(), []byte(`{"realm":"new","defaultSignatureAlgorithm":`+string(quoted)+`}`), nil)
		for name, err := range map[string]error{
			"realm": s.manage.UpdateRealm(t.Context(), "strict", []byte(`{"defaultSignatureAlgorithm":`+string(quoted)+`}`)), "import": imported,
			"access tokens": client(realm.AccessTokenAlgorithm), "ID tokens": client(realm.IDTokenAlgorithm),
		} {
			if _, ok := errors.AsType[*manage.InvalidError](err); !ok || !strings.Contains(err.Error(), "RS256") || !strings.Contains(err.Error(), "EdDSA") {
				t.Errorf("%s, %q: %v", name, alg, err)
			}
		}
	}
}

func (s *server) keeper() *keys.Keeper {
	return &keys.Keeper{Store: s.store, Seal: s.ring, Now: s.clock.now, NotFound: store.ErrNotFound, Conflict: store.ErrConflict}
}

func (s *server) realm(name string) *realm.Realm {
	s.t.Helper()
	in, err := s.store.RealmByName(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	return in
}

func (s *server) published(realmName string) []string {
	s.t.Helper()
	set, err := jose.ParseSet([]byte(s.get(s.browser(), s.oidc(realmName, "certs")).body))
	if err != nil {
		s.t.Fatal(err)
	}
	var kids []string
	for _, k := range set.Keys() {
		kids = append(kids, k.ID)
	}
	return kids
}

func (s *server) userinfo(realmName, access string) int {
	s.t.Helper()
	return s.get(s.browser(), s.oidc(realmName, "userinfo"), "Authorization", "Bearer "+access).status
}

func TestS60RotationKeepsEverybodyLoggedIn(t *testing.T) {
	s := start(t, nil)
	s.set("strict", "defaultSignatureAlgorithm", jose.ES256)
	in, keeper := s.realm("strict"), s.keeper()
	before := s.exchange("strict", s.code(s.browser(), "strict", nil))
	old := headerOf(t, before.text("access_token")).KeyID
	if !slices.Contains(s.published("strict"), old) {
		t.Fatal("the key that signs is not published")
	}
	next, err := keeper.Rotate(t.Context(), in, jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keeper.Rotate(t.Context(), in, jose.HS512); err != nil {
		t.Fatal(err)
	}
	if kids := s.published("strict"); !slices.Contains(kids, old) || !slices.Contains(kids, next) {
		t.Errorf("%v lacks %s or %s", kids, old, next)
	}
	if got := s.userinfo("strict", before.text("access_token")); got != 200 {
		t.Errorf("a token of before: %d", got)
	}
	after := s.refresh("strict", before.text("refresh_token"))
	if after.status != 200 || headerOf(t, after.text("access_token")).KeyID != next || headerOf(t, after.text("id_token")).KeyID != next {
		t.Errorf("a refresh token of before: %s", after.body)
	}
	if h := headerOf(t, after.text("refresh_token")); h.KeyID == headerOf(t, before.text("refresh_token")).KeyID {
		t.Error("the new refresh token has the old key")
	}
	if a := s.get(s.browser(), s.oidc("strict", "logout")+"?"+url.Values{"id_token_hint": {before.text("id_token")}}.Encode()); a.status != 200 || strings.Contains(a.body, "<form") {
		t.Errorf("the hint of before asks again: %d", a.status)
	}
}

func TestS60RetiredKeysAreWorthNothing(t *testing.T) {
	s := start(t, nil)
	s.set("strict", "defaultSignatureAlgorithm", jose.ES256)
	in, keeper := s.realm("strict"), s.keeper()
	tokens := s.exchange("strict", s.code(s.browser(), "strict", nil))
	access := tokens.text("access_token")
	old := headerOf(t, access).KeyID
	const life = 5 * time.Minute
	if _, err := keeper.Retire(t.Context(), in, old, life, false); !errors.Is(err, keys.ErrActive) {
		t.Errorf("an active key: %v", err)
	}
	if _, err := keeper.Retire(t.Context(), in, "nobody's", life, true); !errors.Is(err, keys.ErrUnknown) {
		t.Errorf("an unknown key: %v", err)
	}
	if _, err := keeper.Retire(t.Context(), s.realm("lenient"), old, life, true); !errors.Is(err, keys.ErrUnknown) {
		t.Errorf("another realm's key: %v", err)
	}
	if _, err := keeper.Rotate(t.Context(), in, jose.ES256); err != nil {
		t.Fatal(err)
	}
	s.clock.move(life)
	if _, err := keeper.Retire(t.Context(), in, old, life, false); err == nil || !isAlive(err) {
		t.Errorf("a moment too early: %v", err)
	}
	s.clock.move(time.Minute + time.Second)
	if next, err := keeper.Retire(t.Context(), in, old, life, false); err != nil || next != "" {
		t.Fatalf("in time: %q, %v", next, err)
	}
	if slices.Contains(s.published("strict"), old) {
		t.Error("it is still published")
	}
	if _, err := keeper.Retire(t.Context(), in, old, life, true); !errors.Is(err, keys.ErrUnknown) {
		t.Errorf("twice: %v", err)
	}
}

func isAlive(err error) bool {
	_, ok := errors.AsType[*keys.AliveError](err)
	return ok
}

// A key that leaked goes at once, and with it everything signed with it.
func TestS60AForcedRetirementEndsWhatWasSigned(t *testing.T) {
	s := start(t, nil)
	s.set("strict", "defaultSignatureAlgorithm", jose.EdDSA)
	in, keeper := s.realm("strict"), s.keeper()
	tokens := s.exchange("strict", s.code(s.browser(), "strict", nil))
	access, refresh := tokens.text("access_token"), tokens.text("refresh_token")
	leaked := headerOf(t, access).KeyID
	next, err := keeper.Retire(t.Context(), in, leaked, time.Hour, true)
	if err != nil {
		t.Fatal(err)
	}
	if kids := s.published("strict"); slices.Contains(kids, leaked) || !slices.Contains(kids, next) {
		t.Errorf("published: %v", kids)
	}
	if got := s.userinfo("strict", access); got != 401 {
		t.Errorf("a token of the leaked key: %d", got)
	}
	again := s.refresh("strict", refresh) // has a key of its own
	if again.status != 200 || headerOf(t, again.text("access_token")).KeyID != next {
		t.Fatalf("refresh: %s", again.body)
	}
	if _, err := keeper.Retire(t.Context(), in, headerOf(t, refresh).KeyID, time.Hour, true); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.refresh("strict", again.text("refresh_token")), 400, "invalid_grant", "Invalid refresh token")
}

// Two processes that rotate at once end with one active key, and each of them is
// told whether its key is the one.
func TestS60RotatingAtOnceLeavesOneActiveKey(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		if !p.Shared() {
			t.Skip("one process alone has it")
		}
		stores := []*store.Store{p.Open(t, nil), p.Open(t, nil)}
		if err := stores[0].CreateRealm(t.Context(), &store.Aggregate{Realm: &realm.Realm{ID: "r", Name: "r"}}); err != nil {
			t.Fatal(err)
		}
		var keepers []*keys.Keeper
		for _, st := range stores {
			keepers = append(keepers, &keys.Keeper{Store: st, Seal: p.Options.Seal, Now: time.Now, NotFound: store.ErrNotFound, Conflict: store.ErrConflict})
		}
		rotateAtOnce(t, keepers, &realm.Realm{ID: "r", Name: "r"})
		rows, err := p.Open(t, nil).SigningKeys(t.Context(), "r")
		if err != nil {
			t.Fatal(err)
		}
		if active := slices.DeleteFunc(rows, func(k realm.SigningKey) bool { return k.State != keys.Active }); len(active) != 1 {
			t.Errorf("%d active keys", len(active))
		}
	})
}

// rotateAtOnce checks that a key which was acknowledged is there.
func rotateAtOnce(t *testing.T, keepers []*keys.Keeper, in *realm.Realm) {
	t.Helper()
	if _, err := keepers[0].Active(t.Context(), in, jose.ES256); err != nil {
		t.Fatal(err)
	}
	made := make(chan string, 20)
	var all sync.WaitGroup
	for i := range cap(made) {
		all.Go(func() {
			switch kid, err := keepers[i%2].Rotate(t.Context(), in, jose.ES256); {
			case err == nil:
				made <- kid
			case !errors.Is(err, keys.ErrTaken):
				t.Error(err)
			}
		})
	}
	all.Wait()
	close(made)
	if len(made) == 0 {
		t.Error("nobody rotated anything")
	}
	rows, err := keepers[0].Store.SigningKeys(t.Context(), in.ID)
	if err != nil {
		t.Fatal(err)
	}
	for kid := range made {
		if !slices.ContainsFunc(rows, func(k realm.SigningKey) bool { return k.ID == kid }) {
			t.Errorf("%s was acknowledged and is gone", kid)
		}
	}
}

func TestAdminAPIShowsKeys(t *testing.T) {
	s := start(t, nil)
	s.set("strict", "defaultSignatureAlgorithm", jose.EdDSA)
	admin := "Bearer " + s.send(s.browser(), "POST", s.oidc("master", "token"), url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {adminPass}}).text("access_token")
	old := headerOf(t, s.exchange("strict", s.code(s.browser(), "strict", nil)).text("access_token")).KeyID
	next, err := s.keeper().Rotate(t.Context(), s.realm("strict"), jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	a := s.get(s.browser(), s.url+"/admin/realms/strict/keys", "Authorization", admin)
	var got struct {
		Active map[string]string
		Keys   []struct {
			Kid, Status, Type, Algorithm, Use, PublicKey, Certificate string
			ValidTo                                                   int64
		}
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got.Active["EdDSA"] != next || got.Active["HS512"] == "" || got.Active["RS256"] == "" || got.Active["RSA-OAEP"] == "" {
		t.Errorf("active: %v", got.Active)
	}
	for _, k := range got.Keys {
		wantStatus := map[string]string{old: "PASSIVE", next: "ACTIVE"}[k.Kid]
		switch {
		case k.Type == "OCT" && k.PublicKey+k.Certificate != "":
			t.Errorf("a secret shows something: %+v", k)
		case k.Type == "RSA" && (k.PublicKey == "" || k.Certificate == "" || k.ValidTo == 0):
			t.Errorf("an RSA key lacks something: %+v", k)
		case k.Algorithm == "EdDSA" && (k.Type != "OKP" || k.Certificate != "" || k.PublicKey == "" || k.Status != wantStatus || k.Use != "SIG"):
			t.Errorf("an EdDSA key: %+v", k)
		}
	}
	alice := "Bearer " + s.token("strict", url.Values{"grant_type": {"client_credentials"}}).text("access_token")
	if a := s.get(s.browser(), s.url+"/admin/realms/strict/keys", "Authorization", alice); a.status != 403 {
		t.Errorf("without a role: %d", a.status)
	}
}
