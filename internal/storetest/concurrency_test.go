package storetest_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/storetest"
)

// What SQLite's one writer gives for nothing, PostgreSQL has to be asked for. Each
// of these fails there without the lock that it names.

// nodes opens a place as two nodes would, where it can be shared.
func nodes(t *testing.T, p storetest.Place) []*store.Store {
	t.Helper()
	out := []*store.Store{p.Open(t, nil)}
	if p.Shared() {
		out = append(out, p.Open(t, nil))
	}
	// Connections first: making one takes longer than what the tests want to collide.
	for _, err := range together(40, out, func(_ int, s *store.Store) error {
		_, err := s.Realms(t.Context())
		return errors.Join(err, s.Ping(t.Context()))
	}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// together runs n calls at once, spread over the nodes, and gives their errors.
func together(n int, nodes []*store.Store, call func(i int, s *store.Store) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = call(i, nodes[i%len(nodes)])
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// tally counts how often each error came; nil is "done".
func tally(t *testing.T, errs []error, known ...error) map[error]int {
	t.Helper()
	got := map[error]int{}
	for _, err := range errs {
		found := err == nil
		for _, k := range known {
			if errors.Is(err, k) {
				got[k]++
				found = true
				break
			}
		}
		if err == nil {
			got[nil]++
		}
		if !found {
			t.Errorf("unexpected: %v", err)
		}
	}
	return got
}

func TestI1OneOfFiftyRedeemsACode(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		both := nodes(t, p)
		hash := fill(t, both[0]).code(t)
		got := tally(t, together(50, both, func(_ int, s *store.Store) error {
			_, err := s.ConsumeCode(t.Context(), realmID, hash)
			return err
		}), store.ErrUsed)
		if got[nil] != 1 || got[store.ErrUsed] != 49 {
			t.Errorf("%v", got)
		}
	})
}

// Lock: the family's row. Without it a use that comes second fails on the
// condition of its UPDATE instead of getting the same successor.
func TestI2FiftyUsesOfARefreshTokenHaveOneSuccessor(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		both := nodes(t, p)
		f := fill(t, both[0])
		for round := range 5 {
			id := f.session(t)
			family := realm.RefreshFamily{ID: "f" + id, RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: id, ExpiresAt: time.Now().Add(time.Hour)}
			if err := f.s.CreateRefreshFamily(t.Context(), family, f.gates(id)); err != nil {
				t.Fatal(err)
			}
			gates := f.gates("") // gates that do not hold the session's row
			got := tally(t, together(50, both, func(_ int, s *store.Store) error {
				after, err := s.RotateRefresh(t.Context(), realmID, family.ID, store.Rotate{Rotation: true, Grace: time.Minute, ExpiresAt: time.Now().Add(time.Hour)}, gates)
				if err == nil && after.Generation != 1 {
					t.Errorf("generation %d", after.Generation)
				}
				return err
			}))
			if got[nil] != 50 {
				t.Errorf("round %d: %v", round, got)
			}
			if after, err := f.s.RefreshFamily(t.Context(), realmID, family.ID); err != nil || after.Generation != 1 {
				t.Errorf("generation %+v, %v", after, err)
			}
		}
	})
}

// Lock: the account's name. Counting reads, decides and writes; the first try has
// no row to lock.
func TestS83TriesSideBySideCannotPassTheLimit(t *testing.T) {
	const limit, tries = 30, 60
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		both := nodes(t, p)
		fill(t, both[0])
		rules := realm.BruteForce{MaxDeltaTime: 3600, WaitIncrement: 600, MaxFailureWait: 900, FailureFactor: limit}
		locked := errors.New("locked")
		got := tally(t, together(tries, both, func(_ int, s *store.Store) error {
			try, err := s.CountLoginAttempt(t.Context(), realmID, "u1", "192.0.2.1", rules)
			if try.Locked {
				return locked
			}
			return err
		}), locked)
		if got[nil] != limit || got[locked] != tries-limit {
			t.Errorf("%v, want %d tries and the rest locked out", got, limit)
		}
	})
}

// What was never looked at is given back, whatever came between, and with it the
// lock that it set; what was looked at stays counted.
func TestTriesThatAreGivenBackLockNobodyOut(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		both := nodes(t, p)
		fill(t, both[0])
		rules := realm.BruteForce{MaxDeltaTime: 3600, WaitIncrement: 600, MaxFailureWait: 900, FailureFactor: 10}
		for _, wrong := range []int{0, 1} {
			for _, err := range together(40, both, func(i int, s *store.Store) error {
				try, err := s.CountLoginAttempt(t.Context(), realmID, "u1", "192.0.2.1", rules)
				if err != nil || i < wrong && !try.Locked {
					return err
				}
				return s.ReturnLoginAttempt(t.Context(), realmID, "u1", try)
			}) {
				if err != nil {
					t.Error(err)
				}
			}
			f, err := both[0].FailedLogins(t.Context(), realmID, "u1")
			if err != nil || f.Count > wrong || f.Lockouts > 0 || !f.LockedUntil.IsZero() {
				t.Errorf("%d wrong: %+v, %v", wrong, f, err)
			}
		}
	})
}

// Lock: the browser's name.
func TestABrowserHasSixteenRequestsHoweverTheyCome(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		both := nodes(t, p)
		fill(t, both[0])
		now := time.Now()
		for _, err := range together(60, both, func(i int, s *store.Store) error {
			return s.CreateAuthRequest(t.Context(), &realm.AuthRequest{ID: "r" + strconv.Itoa(i), RealmID: realmID, ClientID: "c1", BrowserHash: []byte("one browser"),
				CreatedAt: now.Add(time.Duration(i) * time.Millisecond), ExpiresAt: now.Add(time.Minute)})
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		left := 0
		for i := range 60 {
			if _, err := both[0].AuthRequest(t.Context(), realmID, "r"+strconv.Itoa(i)); err == nil {
				left++
			}
		}
		if left != 16 {
			t.Errorf("%d requests are open", left)
		}
	})
}

func TestWhoComesSecondReadsTheFirstKey(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		both := nodes(t, p)
		fill(t, both[0])
		ids := make([]string, 20)
		for _, err := range together(len(ids), both, func(i int, s *store.Store) error {
			k, err := s.AddSigningKey(t.Context(), realm.SigningKey{ID: "k" + strconv.Itoa(i), RealmID: realmID, Use: "sig", Algorithm: "RS256", State: "active", Sealed: []byte("x")})
			ids[i] = k.ID
			return err
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		for _, id := range ids {
			if id == "" || id != ids[0] {
				t.Fatalf("not one key: %v", ids)
			}
		}
	})
}

// Lock: the role's name. Two links for the first administrator, used at once by
// two people, make one.
func TestThereIsOneFirstAdministrator(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		both := nodes(t, p)
		fill(t, both[0])
		late := errors.New("late")
		for _, role := range []string{"r2", "r3"} {
			got := tally(t, together(20, both, func(i int, s *store.Store) error {
				id := role + "-" + strconv.Itoa(i)
				made, err := s.CreateFirstHolder(t.Context(), store.NewUser{User: &realm.User{ID: id, RealmID: realmID, Username: id}}, role)
				if err == nil && !made {
					return late
				}
				return err
			}), late)
			if n, err := both[0].RoleHolders(t.Context(), realmID, role); err != nil || n != 1 || got[nil] != 1 {
				t.Errorf("%d administrators, %v; %v", n, err, got)
			}
		}
	})
}

// Lock: the realm's row lets one change after the other; each loses nothing of
// another.
func TestChangesOfARealmLoseNothing(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		both := nodes(t, p)
		before, err := fill(t, both[0]).s.RealmByID(t.Context(), realmID)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range together(20, both, func(i int, s *store.Store) error {
			return s.CreateRole(t.Context(), &realm.Role{ID: "n" + strconv.Itoa(i), RealmID: realmID, Name: "new" + strconv.Itoa(i)})
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		after, err := both[0].RealmByID(t.Context(), realmID)
		if err != nil || after.Version != before.Version+20 {
			t.Errorf("version %d after %d and 20 changes, %v", after.Version, before.Version, err)
		}
	})
}

// I4, I5: whatever side wins, a session that is over holds nothing that works.
// Lock: the session's row, by guard and by everything that ends one.
func TestI4WhatIsGivenOutNeverPassesAnEnd(t *testing.T) {
	ends := map[string]func(ctx context.Context, s *store.Store, session string) error{
		"logout": func(ctx context.Context, s *store.Store, id string) error { return s.EndSession(ctx, realmID, id) },
		"replay": func(ctx context.Context, s *store.Store, id string) error {
			return s.EndClientSession(ctx, realmID, id, "c1")
		},
		"all of the user": func(ctx context.Context, s *store.Store, _ string) error {
			return s.EndUserSessions(ctx, realmID, "u1")
		},
		"who is sent away": func(ctx context.Context, s *store.Store, _ string) error { return s.LogOutUser(ctx, realmID, "u1") },
	}
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		both := nodes(t, p)
		f := fill(t, both[0])
		for name, end := range ends {
			t.Run(name, func(t *testing.T) {
				for range 25 {
					passEnd(t, f, both, name, end)
				}
			})
		}
	})
}

func passEnd(t *testing.T, f *fixture, both []*store.Store, name string, end func(ctx context.Context, s *store.Store, session string) error) {
	f.reload(t)
	id := f.session(t)
	gates := f.gates(id)
	fresh := func(i int) string { return id + "-" + strconv.Itoa(i) }
	_ = together(9, both, func(i int, s *store.Store) error {
		switch now := time.Now(); {
		case i == 4:
			return end(t.Context(), s, id)
		case i%2 == 0:
			family := familyOf(gates, "")
			family.ID = fresh(i)
			return s.CreateRefreshFamily(t.Context(), family, gates)
		default:
			return s.CreateSession(t.Context(), realm.Session{ID: fresh(i), RealmID: realmID, UserID: "u1", StartedAt: now, LastSeenAt: now, AuthTime: now},
				realm.ClientSession{SessionID: fresh(i), ClientID: "c1", RealmID: realmID, StartedAt: now}, store.Gates{RealmID: realmID, UserID: "u1", UserGate: gates.UserGate})
		}
	})
	for i := range 9 {
		if family, err := f.s.RefreshFamily(t.Context(), realmID, fresh(i)); err == nil && family.RevokedAt.IsZero() {
			t.Fatal("refresh tokens outlive their session")
		}
		if s, err := f.s.Session(t.Context(), realmID, fresh(i)); name == "all of the user" && err == nil && s.EndedAt.IsZero() {
			t.Fatal("a session was made behind the end of all")
		}
	}
}
