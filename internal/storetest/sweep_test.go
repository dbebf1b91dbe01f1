package storetest_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/storetest"
)

// Most people close the browser and never log out: their sessions end by time
// alone, and must not fill the disk.
func TestTheSweepTakesSessionsThatNobodyEnded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		f := fill(t, s)
		r, err := s.RealmByID(t.Context(), realmID)
		if err != nil {
			t.Fatal(err)
		}
		changed := *r
		changed.Lifespans = realm.Lifespans{SSOSessionIdle: 1800, SSOSessionMax: 7200, SSOSessionIdleRememberMe: 3600}
		if err := s.UpdateRealm(t.Context(), &changed); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		for _, c := range []struct {
			id      string
			ago     time.Duration
			offline bool
			ended   bool
			stays   bool
		}{
			{id: "alive", ago: time.Minute, stays: true},
			{id: "over, and not yet a day", ago: 24*time.Hour + 59*time.Minute, stays: true},
			{id: "over for a day", ago: 25*time.Hour + time.Minute},
			{id: "offline ones have limits of their own", ago: 1000 * time.Hour, offline: true, stays: true},
			{id: "ended just now", ago: time.Hour, ended: true, stays: true},
		} {
			seen := now.Add(-c.ago)
			err := s.CreateSession(t.Context(), realm.Session{ID: c.id, RealmID: realmID, UserID: "u1", StartedAt: seen, LastSeenAt: seen, AuthTime: seen, Offline: c.offline},
				realm.ClientSession{SessionID: c.id, ClientID: "c1", RealmID: realmID, StartedAt: seen}, f.gates(""))
			if err != nil {
				t.Fatal(err)
			}
			if c.ended {
				if err := s.EndSession(t.Context(), realmID, c.id); err != nil {
					t.Fatal(err)
				}
			}
			defer func() {
				if _, err := s.Session(t.Context(), realmID, c.id); (err == nil) != c.stays {
					t.Errorf("%s: %v", c.id, err)
				}
				if parts, err := s.ClientSessions(t.Context(), realmID, c.id); err != nil || (len(parts) == 1) != (c.stays && !c.ended) {
					t.Errorf("%s: %d parts, %v", c.id, len(parts), err)
				}
			}()
		}
		if n, err := s.Sweep(t.Context()); err != nil || n != 1 {
			t.Errorf("%d rows, %v", n, err)
		}
	})
}

// A long reader, an export or a backup, keeps the write-ahead log growing. When it
// is gone, the disk gets the place back without a restart.
func TestTheWriteAheadLogShrinksAfterALongReader(t *testing.T) {
	p := storetest.At(t, "file")
	s := p.Open(t, nil)
	fill(t, s)
	write := func() {
		t.Helper()
		e := realm.Event{ID: realm.NewID(), RealmID: realmID, Details: map[string]string{"x": strings.Repeat("x", 1<<20)}}
		if err := s.AppendEvents(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(p.Options.Path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	in(t, p, func(db *sql.DB) error {
		reader, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			return err
		}
		var n int
		if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM users").Scan(&n); err != nil {
			return err
		}
		for range 40 {
			write()
		}
		if size() < 40<<20 {
			t.Errorf("the reader keeps nothing: %d bytes", size())
		}
		return reader.Rollback()
	})
	for range 3 { // one that copies the log into the file, one that begins it anew
		write()
	}
	if size() > 20<<20 {
		t.Errorf("the log keeps %d bytes", size())
	}
}
