package main_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// cluster is one or more nodes on the same data. All speak for one origin, as
// behind a load balancer.
type cluster struct {
	t       *testing.T
	binary  string
	host    string // of the origin
	data    string
	args    []string
	nodes   []*node
	kills   atomic.Int64
	journal *journal
}

// node is one process at a time, at one address.
type node struct {
	c      *cluster
	addr   string
	client *http.Client
	mu     sync.Mutex // held while it is killed or started
	cmd    *exec.Cmd
	killed atomic.Bool
	quiet  chan struct{} // closed when its log has ended
}

// The realms are the three ways that refresh tokens go.
const (
	plain   = "plain"   // the same token again and again
	rotated = "rotated" // revokeRefreshToken: each one once
	strict  = "strict"  // rotation, with ten seconds in which a token gets the same successor again
)

const (
	killCallback = "http://localhost:5000/oidc/callback"
	killSecret   = "a secret of the application's"
	killUsers    = 6
)

func newCluster(t *testing.T, nodes int, where func(dir string) []string) *cluster {
	t.Helper()
	c := &cluster{t: t, binary: builtLatchkey(t), data: filepath.Join(t.TempDir(), "data"), journal: &journal{successors: map[string]string{}}}
	realms := t.TempDir()
	for _, name := range []string{plain, rotated, strict} {
		writeRealm(t, filepath.Join(realms, name+".json"), name)
	}
	c.args = append([]string{"serve", "--management-addr", "", "--import", realms, "--log-level", "warn"}, where(c.data)...)
	for range nodes {
		n := &node{c: c, addr: strings.Replace(freeAddr(t), "localhost", "127.0.0.1", 1)}
		n.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2 * killWorkers, DialContext: n.dial},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		c.nodes = append(c.nodes, n)
	}
	_, port, _ := net.SplitHostPort(c.nodes[0].addr)
	c.host = "localhost:" + port
	c.args = append(c.args, "--url", "http://"+c.host)
	for _, n := range c.nodes {
		n.start()
		n.ready()
	}
	t.Cleanup(c.stop)
	return c
}

// writeRealm makes users whose imported hashes are cheap; the first login of
// each makes them argon2id, so that most logins of the test are single sign-on.
func writeRealm(t *testing.T, file, name string) {
	t.Helper()
	client := func(id string) map[string]any {
		return map[string]any{"clientId": id, "secret": killSecret, "redirectUris": []string{killCallback},
			"attributes": map[string]string{"latchkey.rotate.refresh": fmt.Sprint(name == strict)}}
	}
	users := []map[string]any{}
	for i := range killUsers {
		users = append(users, map[string]any{"username": fmt.Sprint("user", i), "enabled": true, "email": fmt.Sprintf("user%d@example.com", i), "emailVerified": true,
			"firstName": "A", "lastName": "User", "credentials": []map[string]any{{"type": "password", "value": killPassword}}})
	}
	doc, err := json.Marshal(map[string]any{"realm": name, "enabled": true, "revokeRefreshToken": name != plain, "accessTokenLifespan": 7200, "ssoSessionIdleTimeout": 7200,
		"clients": []any{client("app"), client("raced")}, "users": users})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		t.Fatal(err)
	}
}

const killPassword = "correct horse battery"

func (n *node) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, n.addr)
}

// start starts the process; called with mu held, or before anything else runs.
func (n *node) start() {
	n.killed.Store(false)
	n.cmd = exec.Command(n.c.binary, append(n.c.args, "--addr", n.addr)...)
	out, err := n.cmd.StderrPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		n.c.journal.violated("a node does not start: %v", err)
		return
	}
	n.quiet = make(chan struct{})
	go n.readLog(out, n.quiet)
}

// readLog takes every error of the product for a finding.
func (n *node) readLog(out io.Reader, quiet chan struct{}) {
	defer close(quiet)
	lines, last := bufio.NewScanner(out), ""
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		last = lines.Text()
		if strings.Contains(last, "level=ERROR") || strings.Contains(last, "panic") {
			n.c.journal.violated("the log says: %s", last)
		}
	}
	if !n.killed.Load() {
		n.c.journal.violated("a node ended by itself; its last line: %s", last)
	}
}

func (n *node) ready() {
	for range 4000 {
		if a := n.try("GET", "/realms/"+plain, nil, nil, nil); a.status == http.StatusOK {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	n.c.journal.violated("a node does not answer again")
}

// kill is SIGKILL, and a new process at once on the same data.
func (n *node) kill(again bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.killed.Swap(true) {
		return
	}
	_ = n.cmd.Process.Kill()
	<-n.quiet
	_ = n.cmd.Wait()
	if again {
		n.c.kills.Add(1)
		n.start()
	}
}

// killAtRandom kills either node after a random time, one in four times before
// the last one that was killed has come up again.
func (c *cluster) killAtRandom(d dice, most int64, over <-chan struct{}) {
	for c.kills.Load() < most {
		n, pause := c.nodes[d.below(len(c.nodes))], time.Duration(300+d.below(1500))*time.Millisecond
		if d.of(25) {
			pause = time.Duration(d.below(300)) * time.Millisecond
		}
		select {
		case <-over:
			return
		case <-time.After(pause):
		}
		if n.kill(true); d.of(75) {
			n.ready()
		}
	}
}

func (c *cluster) stop() {
	for _, n := range c.nodes {
		n.kill(false)
	}
}

// answer is what came back. status 0: nothing did, and it may have happened or not.
type answer struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

func (a answer) lost() bool { return a.status == 0 }

func (a answer) String() string { return fmt.Sprintf("%d %.300s", a.status, a.body) }

// send sends a request to a node, waiting while nobody listens there: what was
// never sent is not lost.
func (n *node) send(method, path string, header map[string]string, cookies map[string]string, form url.Values) answer {
	began := time.Now()
	for {
		a := n.try(method, path, header, cookies, form)
		if a.status != unsent || time.Since(began) > 30*time.Second {
			if a.lost() {
				n.c.journal.lost.Add(1)
			}
			return a
		}
		time.Sleep(10 * time.Millisecond)
	}
}

const unsent = -1

func (n *node) try(method, path string, header, cookies map[string]string, form url.Values) answer {
	began := time.Now()
	req, err := http.NewRequest(method, "http://"+n.c.host+path, strings.NewReader(form.Encode()))
	if err != nil {
		n.c.journal.violated("%v", err)
		return answer{}
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	for k, v := range cookies {
		req.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	resp, err := n.client.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return answer{status: unsent}
	}
	if err != nil {
		return answer{took: time.Since(began)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{took: time.Since(began)}
	}
	return answer{resp.StatusCode, resp.Header, body, time.Since(began)}
}

// examineSQLite looks into the database that the kills left behind.
func examineSQLite(t *testing.T, data string, j *journal) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity_check: %q, %v", verdict, err)
	}
	rows, err := db.Query("PRAGMA foreign_key_check")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if rows.Next() {
		t.Error("foreign_key_check finds a row without its parent")
	}
	examine(t, db, j)
}

// examine counts what nobody can see from outside: what answers that were lost
// did. A code used twice would be a family of refresh tokens too many.
func examine(t *testing.T, db *sql.DB, j *journal) {
	t.Helper()
	count := func(query string) (n int64) {
		if err := db.QueryRow(query).Scan(&n); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return n
	}
	used, families, sessions := count("SELECT count(*) FROM codes WHERE used_at > 0"), count("SELECT count(*) FROM refresh_families"), count("SELECT count(*) FROM sessions")
	t.Logf("in the database: %d codes used, %d refresh families, %d sessions", used, families, sessions)
	if families > used {
		t.Errorf("%d codes were used and gave %d families of refresh tokens", used, families)
	}
	if families < j.exchanges.Load() {
		t.Errorf("%d exchanges were acknowledged, %d families are there", j.exchanges.Load(), families)
	}
	if made := j.passwordLogins.Load(); sessions < made || sessions > made+j.lostLogins.Load() {
		t.Errorf("%d logins were acknowledged and %d lost; %d sessions are there", made, j.lostLogins.Load(), sessions)
	}
}
