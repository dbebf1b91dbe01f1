package main_test

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/storetest"
)

// Proof 4: logins in parallel while the process is killed at random moments.
// No code and no refresh generation is used twice, no acknowledged session is
// lost, no acknowledged logout is undone (I1, I2, I4, I6).
//
// LATCHKEY_TEST_KILL is the number of logins; without it the full test run plays
// a short form. LATCHKEY_TEST_SEED plays a run's dice again; the moments of the
// kills against the requests stay the machine's.
//
// A kill ends the process, not the machine: what the kernel holds is kept. That
// a write reaches the disk is for synchronous=FULL, which a test of the store reads.
func TestKillsOnSQLite(t *testing.T) {
	n := killLogins(t)
	c := newCluster(t, 1, func(dir string) []string { return []string{"--data", dir} })
	kill(t, c, n)
	c.stop()
	examineSQLite(t, c.data, c.journal)
}

// Two nodes on one database, either of which is killed.
func TestKillsOnPostgres(t *testing.T) {
	n, key := killLogins(t), filepath.Join(t.TempDir(), "key")
	dsn := storetest.Postgres(t)
	if err := os.WriteFile(key, []byte(rand.Text()+rand.Text()), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, 2, func(string) []string { return []string{"--db", dsn, "--key-file", key} })
	kill(t, c, n)
	c.stop()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	examine(t, db, c.journal)
}

func killLogins(t *testing.T) (logins int) {
	t.Helper()
	if v := os.Getenv("LATCHKEY_TEST_KILL"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("LATCHKEY_TEST_KILL=%q: a number of logins", v)
		}
		return n
	}
	if os.Getenv("LATCHKEY_TEST_FULL") == "" {
		t.Skip("takes a minute: set LATCHKEY_TEST_FULL=1, or LATCHKEY_TEST_KILL to a number of logins")
	}
	return 300
}

func seed(t *testing.T) uint64 {
	t.Helper()
	v := os.Getenv("LATCHKEY_TEST_SEED")
	if v == "" {
		return uint64(time.Now().UnixNano())
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		t.Fatalf("LATCHKEY_TEST_SEED=%q: a number", v)
	}
	return n
}

const (
	killWorkers = 12
	leastKills  = 10
)

// kill plays the logins and the kills, then looks at everything once more.
func kill(t *testing.T, c *cluster, logins int) {
	t.Helper()
	began, from := time.Now(), seed(t)
	t.Logf("seed %d: LATCHKEY_TEST_SEED=%d plays it again", from, from)
	over := make(chan struct{})
	var killer, working sync.WaitGroup
	killer.Go(func() { c.killAtRandom(dice{from}, int64(leastKills+logins/30), over) })
	var done atomic.Int64
	workers := make([]*worker, killWorkers)
	for i := range workers {
		w := &worker{c: c, j: c.journal, dice: dice{from + uint64(i) + 1}}
		workers[i] = w
		working.Go(func() {
			for (done.Load() < int64(logins) || c.kills.Load() < leastKills) && !c.journal.broken() {
				done.Add(int64(w.visit()))
			}
		})
	}
	working.Wait()
	close(over)
	killer.Wait()
	played := time.Since(began)
	for _, w := range workers {
		working.Go(w.lookAtAll)
	}
	working.Wait()
	t.Logf("%d logins in %s, %d kills; %s", done.Load(), played.Round(time.Second), c.kills.Load(), c.journal)
	c.journal.report(t)
	if c.journal.lost.Load() == 0 {
		t.Error("no request was under way at any kill: the test proves nothing")
	}
}

// journal holds what the test as a whole knows: counts of acknowledged answers,
// and what broke an invariant. What a browser was told stands in the browser.
type journal struct {
	mu         sync.Mutex
	violations []string
	successors map[string]string // generation that was sent → jti of what came back

	passwordLogins, lostLogins, exchanges, refreshes, userinfos, logouts, lost, refusedAfterLoss, checked atomic.Int64
}

func (j *journal) String() string {
	return fmt.Sprintf("%d password logins, %d code exchanges, %d refreshes, %d userinfo, %d logouts acknowledged; %d requests lost at a kill; %d sessions looked at",
		j.passwordLogins.Load(), j.exchanges.Load(), j.refreshes.Load(), j.userinfos.Load(), j.logouts.Load(), j.lost.Load(), j.checked.Load())
}

func (j *journal) violated(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.violations = append(j.violations, fmt.Sprintf(format, args...))
}

// broken ends the run early: ten reasons are enough.
func (j *journal) broken() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.violations) >= 10
}

func (j *journal) report(t *testing.T) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, v := range j.violations {
		t.Error(v)
	}
}

// succeeded notes what a generation was answered with: always the same.
func (j *journal) succeeded(sent, got string) {
	was, is := claim(sent, "reuse_id"), claim(got, "jti")
	j.mu.Lock()
	before, known := j.successors[was]
	j.successors[was] = is
	j.mu.Unlock()
	if known && before != is {
		j.violated("refresh generation %s has two successors, %s and %s", was, before, is)
	}
}

// dice is splitmix64: the same seed plays the same.
type dice struct{ state uint64 }

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (d *dice) below(n int) int { return int(d.next() % uint64(n)) }

// of is true in percent of all cases.
func (d *dice) of(percent int) bool { return d.below(100) < percent }
