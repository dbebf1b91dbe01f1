package storetest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// again is single sign-on in a session that is there: the client's part of it goes
// on, or begins anew. It gives the new code's hash.
func (f *fixture) again(t testing.TB, session string) []byte {
	t.Helper()
	f.n++
	now, ctx := time.Now(), t.Context()
	id := "again-" + session + string(rune('a'+f.n))
	browser, hash := []byte(id+"-browser"), []byte(id+"-code")
	if err := errors.Join(
		f.s.CreateAuthRequest(ctx, &realm.AuthRequest{ID: id, RealmID: realmID, ClientID: "c1", BrowserHash: browser, CreatedAt: now, ExpiresAt: now.Add(time.Minute)}),
		f.s.Authenticate(ctx, store.Authentication{RequestID: id, BrowserHash: browser, NewBrowserHash: browser, Existing: true, Proved: true,
			Session: realm.Session{ID: session, UserID: "u1", AuthTime: now, TokenHash: []byte(id)}, Gates: store.Gates{RealmID: realmID, UserID: "u1", UserGate: f.user.Gate}}),
		f.s.FinishAuthRequest(ctx, store.Issued{RequestID: id, BrowserHash: browser, Gates: f.gates(session),
			Code: realm.Code{Hash: hash, RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: session, ExpiresAt: now.Add(time.Minute)}}),
	); err != nil {
		t.Fatal(err)
	}
	return hash
}

func (f *fixture) part(t testing.TB, session string) time.Time {
	t.Helper()
	p, err := f.s.Presence(t.Context(), realmID, session, "c1", "")
	if err != nil {
		t.Fatal(err)
	}
	return p.Part
}

// RFC 6749, 4.1.2: what a replay ended stays dead when single sign-on begins the
// part anew, whatever the nodes' clocks say.
func TestAPartBeginsAnewAtAnotherMoment(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		for name, ahead := range map[string]time.Duration{"this node's clock": 0, "a node's whose clock is ahead": time.Hour} {
			id, began := "session of "+name, time.Now().Add(ahead)
			if err := s.CreateSession(t.Context(), realm.Session{ID: id, RealmID: realmID, UserID: "u1", StartedAt: began, LastSeenAt: began, AuthTime: began},
				realm.ClientSession{SessionID: id, ClientID: "c1", RealmID: realmID, StartedAt: began}, f.gates("")); err != nil {
				t.Fatal(err)
			}
			first := f.part(t, id)
			f.again(t, id)
			if goesOn := f.part(t, id); !goesOn.Equal(first) {
				t.Errorf("%s: a part that lives began at %v and now at %v", name, first, goesOn)
			}
			for range 3 {
				if err := s.EndClientSession(t.Context(), realmID, id, "c1"); err != nil {
					t.Fatal(err)
				}
				f.again(t, id)
				anew := f.part(t, id)
				if !anew.After(first) {
					t.Errorf("%s: a part that ended began at %v and anew at %v", name, first, anew)
				}
				first = anew
			}
		}
	})
}

// A code that is being exchanged while it is replayed gives nothing, not even when
// single sign-on has begun the client's part anew in between.
func TestAnExchangeDoesNotPassAReplayAndSingleSignOn(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		id := f.session(t)
		code, err := s.ConsumeCode(t.Context(), realmID, f.again(t, id))
		if err != nil || !code.Part.Equal(f.part(t, id)) {
			t.Fatalf("%+v, %v", code, err)
		}
		family := realm.RefreshFamily{ID: "f1", RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: id, ExpiresAt: time.Now().Add(time.Hour), Part: code.Part}
		if err := s.CreateRefreshFamily(t.Context(), family, f.gates(id)); err != nil {
			t.Fatalf("before the replay: %v", err)
		}
		if got, err := s.RefreshFamily(t.Context(), realmID, "f1"); err != nil || !got.Part.Equal(code.Part) {
			t.Errorf("the family's part: %+v, %v", got, err)
		}
		open := f.again(t, id)
		if err := s.EndClientSession(t.Context(), realmID, id, "c1"); err != nil {
			t.Fatal(err)
		}
		f.again(t, id)
		family.ID = "f2"
		if err := s.CreateRefreshFamily(t.Context(), family, f.gates(id)); !errors.Is(err, store.ErrGateMoved) {
			t.Errorf("a family of the part that ended: %v", err)
		}
		if _, err := s.ConsumeCode(t.Context(), realmID, open); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a code of the part that ended: %v", err)
		}
	})
}

// A better hash is written over the password that was verified, never over one that
// was set since.
func TestARehashNeverBringsAPasswordBack(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		f := fill(t, s)
		read := func() realm.Credential {
			all, err := s.Credentials(ctx, realmID, "u1")
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			return all[0]
		}
		was, gate := read(), f.user.Gate
		if err := s.RehashPassword(ctx, realmID, gate, was, `{"better":1}`, "better"); err != nil {
			t.Fatal(err)
		}
		if got := read(); got.Data != `{"better":1}` || got.Secret != "better" || got.ID != was.ID {
			t.Errorf("after a rehash: %+v", got)
		}
		if f.reload(t); f.user.Gate != gate {
			t.Error("a rehash raised the gate")
		}
		if err := s.RehashPassword(ctx, realmID, gate, was, "late", "late"); !errors.Is(err, store.ErrGateMoved) {
			t.Errorf("a hash that was bettered already: %v", err)
		}
		was = read()
		// An administrator may choose the id, and the parameters may be the same.
		if err := s.SetPassword(ctx, realmID, "u1", realm.Credential{ID: was.ID, Type: "password", Data: was.Data, Secret: "new"}); err != nil {
			t.Fatal(err)
		}
		if err := s.RehashPassword(ctx, realmID, gate, was, was.Data, "old"); !errors.Is(err, store.ErrGateMoved) {
			t.Errorf("over another password: %v", err)
		}
		if got := read(); got.Secret != "new" {
			t.Errorf("the old password is back: %+v", got)
		}
		if err := s.DeleteCredential(ctx, realmID, "u1", was.ID); err != nil {
			t.Fatal(err)
		}
		f.reload(t)
		if err := s.RehashPassword(ctx, realmID, f.user.Gate, was, was.Data, "old"); !errors.Is(err, store.ErrGateMoved) {
			t.Errorf("over a password that was taken away: %v", err)
		}
	})
}

// S-42: a proof gives the session another cookie. Single sign-on that read it before
// does not bring the old one back, nor the old time of the proof.
func TestSingleSignOnBringsNoCookieBack(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store) {
		ctx, f := t.Context(), fill(t, s)
		id := f.session(t)
		f.again(t, id)
		read, err := s.Session(ctx, realmID, id)
		if err != nil {
			t.Fatal(err)
		}
		signOn := func(request string, n realm.Session) error {
			browser := []byte(request)
			return errors.Join(
				s.CreateAuthRequest(ctx, &realm.AuthRequest{ID: request, RealmID: realmID, ClientID: "c1", BrowserHash: browser, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Minute)}),
				s.Authenticate(ctx, store.Authentication{RequestID: request, BrowserHash: browser, NewBrowserHash: browser, Existing: true, Session: n,
					Gates: store.Gates{RealmID: realmID, UserID: "u1", UserGate: f.user.Gate}}))
		}
		if err := signOn("with the cookie", *read); err != nil {
			t.Errorf("with the session's cookie: %v", err)
		}
		f.again(t, id) // the proof in another tab
		if err := signOn("with the old cookie", *read); !errors.Is(err, store.ErrGateMoved) {
			t.Errorf("with the cookie of before the proof: %v", err)
		}
		if _, err := s.SessionByToken(ctx, realmID, read.TokenHash); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the old cookie: %v", err)
		}
	})
}
