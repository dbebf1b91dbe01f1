package storetest_test

import (
	"database/sql"
	"errors"
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

// I5: somebody else has changed a fact and not committed yet. What rests on the
// fact waits, and is then refused. Lock: FOR SHARE and FOR NO KEY UPDATE in guard.
func TestI5NothingIsHandedOutBesideAChangeThatIsUnderWay(t *testing.T) {
	changes := map[string]string{
		"user disabled":  "UPDATE users SET enabled = false, gate = gate + 1 WHERE id = 'u1'",
		"client changed": "UPDATE clients SET gate = gate + 1 WHERE id = 'c1'",
		"session ended":  "UPDATE sessions SET ended_at = 1 WHERE id = 'session-1'",
		"user deleted":   "DELETE FROM users WHERE id = 'u1'",
	}
	later := func() time.Time { return time.Now().Add(time.Hour) }
	issues := map[string]func(t *testing.T, f *fixture, g store.Gates) error{
		"refresh family": func(t *testing.T, f *fixture, g store.Gates) error {
			return f.s.CreateRefreshFamily(t.Context(), realm.RefreshFamily{ID: "f2", RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: g.SessionID, ExpiresAt: later()}, g)
		},
		"refresh": func(t *testing.T, f *fixture, g store.Gates) error {
			_, err := f.s.RotateRefresh(t.Context(), realmID, "f1", store.Rotate{ExpiresAt: later()}, g)
			return err
		},
		"session": func(t *testing.T, f *fixture, g store.Gates) error {
			return f.s.CreateSession(t.Context(), realm.Session{ID: "s9", RealmID: realmID, UserID: "u1"}, realm.ClientSession{SessionID: "s9", ClientID: "c1", RealmID: realmID}, g)
		},
		"required action": func(t *testing.T, f *fixture, g store.Gates) error {
			return f.s.StopForAction(t.Context(), store.Proof{RealmID: realmID, RequestID: "request", BrowserHash: []byte("b"), NewBrowserHash: []byte("b"), UserID: "u1", UserGate: g.UserGate})
		},
	}
	for name, change := range changes {
		for what, issue := range issues {
			if what == "required action" && (name == "client changed" || name == "session ended") {
				continue // it rests on the user alone
			}
			t.Run(name+", "+what, func(t *testing.T) {
				onEachShared(t, func(t *testing.T, p storetest.Place) {
					f := fill(t, p.Open(t, nil))
					g := f.gates(f.session(t))
					prepareIssue(t, f, g)
					other := beside(t, p)
					run(t, other, change)
					done := make(chan error, 1)
					go func() { done <- issue(t, f, g) }()
					select {
					case err := <-done:
						t.Fatalf("it did not wait: %v", err)
					case <-time.After(100 * time.Millisecond):
					}
					if err := other.Commit(); err != nil {
						t.Fatal(err)
					}
					if err := <-done; !errors.Is(err, store.ErrGateMoved) {
						t.Errorf("handed out: %v", err)
					}
				})
			})
		}
	}
}

func prepareIssue(t *testing.T, f *fixture, g store.Gates) {
	t.Helper()
	now := time.Now()
	if err := errors.Join(
		f.s.CreateRefreshFamily(t.Context(), realm.RefreshFamily{ID: "f1", RealmID: realmID, ClientID: "c1", UserID: "u1", SessionID: g.SessionID, ExpiresAt: now.Add(time.Hour)}, g),
		f.s.CreateAuthRequest(t.Context(), &realm.AuthRequest{ID: "request", RealmID: realmID, ClientID: "c1", BrowserHash: []byte("b"), CreatedAt: now, ExpiresAt: now.Add(time.Minute)}),
	); err != nil {
		t.Fatal(err)
	}
}
