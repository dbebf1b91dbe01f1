package storetest_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/storetest"
)

// beside opens a transaction of somebody else in the place's database.
func beside(t *testing.T, p storetest.Place) *sql.Tx {
	t.Helper()
	driver, dsn := "sqlite", "file:"+p.Options.Path+"?_txlock=immediate"
	if p.Options.Postgres != "" {
		driver, dsn = "pgx", p.Options.Postgres
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(); _ = db.Close() })
	return tx
}

func run(t *testing.T, tx *sql.Tx, statement string) {
	t.Helper()
	if _, err := tx.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// issue is something that is handed out while gates hold.
type issue struct {
	name  string
	rests string // on "all" of the gates, or on the "user" alone
	do    func(t *testing.T, f *fixture, g store.Gates) error
}

func issues() []issue {
	return []issue{
		{"refresh family", "all", func(t *testing.T, f *fixture, g store.Gates) error {
			return f.s.CreateRefreshFamily(t.Context(), familyOf(g, "second-"), g)
		}},
		{"refresh", "all", func(t *testing.T, f *fixture, g store.Gates) error {
			_, err := f.s.RotateRefresh(t.Context(), realmID, "f-"+g.SessionID, store.Rotate{ExpiresAt: time.Now().Add(time.Hour)}, g)
			return err
		}},
		{"session", "all", func(t *testing.T, f *fixture, g store.Gates) error {
			id := "beside-" + g.SessionID
			return f.s.CreateSession(t.Context(), realm.Session{ID: id, RealmID: realmID, UserID: "u1"}, realm.ClientSession{SessionID: id, ClientID: "c1", RealmID: realmID}, g)
		}},
		{"required action", "user", func(t *testing.T, f *fixture, g store.Gates) error {
			return f.s.StopForAction(t.Context(), store.Proof{RealmID: realmID, RequestID: "r-" + g.SessionID, BrowserHash: []byte("b"), NewBrowserHash: []byte("b"), UserID: "u1", UserGate: g.UserGate})
		}},
	}
}

func familyOf(g store.Gates, prefix string) realm.RefreshFamily {
	return realm.RefreshFamily{ID: prefix + "f-" + g.SessionID, RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: g.SessionID, ExpiresAt: time.Now().Add(time.Hour)}
}

// I5: somebody else has changed a fact and not committed yet. What rests on the
// fact waits, and is then refused. Lock: FOR SHARE and FOR NO KEY UPDATE in guard.
func TestI5NothingIsHandedOutBesideAChangeThatIsUnderWay(t *testing.T) {
	onEachShared(t, func(t *testing.T, p storetest.Place) {
		var ahead time.Duration // each case looks anew at what others changed
		f := fill(t, p.Open(t, func(o *store.Options) { o.Now = func() time.Time { return time.Now().Add(ahead) } }))
		for _, change := range []struct{ name, of, statement string }{
			{"user disabled", "user", "UPDATE users SET enabled = false, gate = gate + 1 WHERE id = 'u1'"},
			{"client changed", "client", "UPDATE clients SET gate = gate + 1 WHERE id = 'c1'; UPDATE realms SET version = version + 1"},
			{"session ended", "session", "UPDATE sessions SET ended_at = 1 WHERE id = 'SESSION'"},
			{"user deleted", "user", "DELETE FROM users WHERE id = 'u1'"},
		} {
			for _, i := range issues() {
				if i.rests != "all" && i.rests != change.of {
					continue
				}
				ahead += 2 * time.Second
				t.Run(change.name+", "+i.name, func(t *testing.T) { refusedBeside(t, p, f, i, change.statement, change.name == "user deleted") })
			}
		}
	})
}

func refusedBeside(t *testing.T, p storetest.Place, f *fixture, i issue, statement string, undo bool) {
	f.reload(t)
	g := f.gates(f.session(t))
	now := time.Now()
	if err := errors.Join(
		f.s.CreateRefreshFamily(t.Context(), familyOf(g, ""), g),
		f.s.CreateAuthRequest(t.Context(), &realm.AuthRequest{ID: "r-" + g.SessionID, RealmID: realmID, ClientID: "c1", BrowserHash: []byte("b"), CreatedAt: now, ExpiresAt: now.Add(time.Minute)}),
	); err != nil {
		t.Fatal(err)
	}
	other := beside(t, p)
	run(t, other, strings.ReplaceAll(statement, "SESSION", g.SessionID))
	done := make(chan error, 1)
	go func() { done <- i.do(t, f, g) }()
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if undo { // so that the next case has the user: what waited goes on
		if err := errors.Join(other.Rollback(), <-done); err != nil {
			t.Errorf("after a change that was taken back: %v", err)
		}
		return
	}
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, store.ErrGateMoved) {
		t.Errorf("handed out: %v", err)
	}
}

// Somebody is being given what a change takes away, and that is not committed yet:
// the change waits, and raises that gate too. Lock: FOR UPDATE in raiseHolders and
// raiseMembers.
func TestI5WhoIsGivenWhatGoesIsNotMissed(t *testing.T) {
	const joins, getsRole = "INSERT INTO memberships (user_id, group_id) VALUES ('u2', 'g1')", "INSERT INTO user_roles (user_id, role_id) VALUES ('u2', '%s')"
	for _, c := range []struct {
		name, meanwhile string
		take            func(ctx context.Context, s *store.Store) error
	}{
		{"group deleted", joins, func(ctx context.Context, s *store.Store) error { return s.DeleteGroup(ctx, realmID, "g1") }},
		{"group moved", joins, func(ctx context.Context, s *store.Store) error { return s.MoveGroup(ctx, realmID, "g1", "") }},
		{"role taken from a group", joins, func(ctx context.Context, s *store.Store) error {
			return s.SetGroupRoles(ctx, realmID, "g1", nil, []string{"r3"})
		}},
		{"role of a group deleted", joins, func(ctx context.Context, s *store.Store) error { return s.DeleteRole(ctx, realmID, "r3") }},
		{"role deleted", strings.ReplaceAll(getsRole, "%s", "r1"), func(ctx context.Context, s *store.Store) error { return s.DeleteRole(ctx, realmID, "r1") }},
		{"role taken out of a role", strings.ReplaceAll(getsRole, "%s", "r1"), func(ctx context.Context, s *store.Store) error {
			return s.SetComposites(ctx, realmID, "r1", nil, []string{"r2"})
		}},
		{"contained role deleted", strings.ReplaceAll(getsRole, "%s", "r1"), func(ctx context.Context, s *store.Store) error { return s.DeleteRole(ctx, realmID, "r2") }},
		{"client deleted with its roles", strings.ReplaceAll(getsRole, "%s", "r3"), func(ctx context.Context, s *store.Store) error { return s.DeleteClient(ctx, realmID, "c1") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEachShared(t, func(t *testing.T, p storetest.Place) {
				s := p.Open(t, nil)
				fill(t, s)
				if err := s.CreateUser(t.Context(), store.NewUser{User: &realm.User{ID: "u2", RealmID: realmID, Username: "bob", Enabled: true}}); err != nil {
					t.Fatal(err)
				}
				before, err := s.UserByID(t.Context(), realmID, "u2")
				if err != nil {
					t.Fatal(err)
				}
				other := beside(t, p)
				run(t, other, c.meanwhile)
				done := make(chan error, 1)
				go func() { done <- c.take(t.Context(), s) }()
				select {
				case err := <-done:
					t.Fatalf("it did not wait: %v", err)
				case <-time.After(50 * time.Millisecond):
				}
				if err := errors.Join(other.Commit(), <-done); err != nil {
					t.Fatal(err)
				}
				if after, err := s.UserByID(t.Context(), realmID, "u2"); err != nil || after.Gate <= before.Gate {
					t.Errorf("the gate is %d, as before, %v", after.Gate, err)
				}
			})
		})
	}
}
