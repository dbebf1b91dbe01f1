package provider_test

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"math"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/provider"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

// The kinds of people whom a wrong password must not tell apart, and "half", whose
// hash has half the memory: the control. A test that does not notice it is blind.
func kindsOfUsers() []string {
	return []string{"unknown", "wrong", "disabled", "locked", "passwordless", "half"}
}

// rounds a way in: 200 rounds of five kinds on two ways are 2,000 samples (the
// control's come on top).
const rounds = 200

// Both bounds have to be passed for a difference to count.
//
// rankBound is on P(a try of this kind takes longer than one for an unknown user),
// which is 1/2 when the time tells nothing. Within a round the order is random, so
// under that hypothesis every assignment of the times of a round is equally likely,
// whatever else the machine does: noise moves both kinds alike. Of 200 against 200
// samples the statistic (Mann and Whitney's U over n²) has the deviation
// sqrt((2n+1)/(12n²)) = 0.0289; five of them happen by chance once in 1.7 million.
//
// mostDifference is S-82's: the medians may differ by less than 5 % of the time of
// a hash. It lets through what is real and too small to be of use to anybody.
const (
	rankBound      = 5 * 0.0289
	mostDifference = 0.05
)

// S-82, H14, H15: the time of a refusal must not tell whether an account exists.
// Real costs, a real file: what is written to the disk takes time too.
func TestS82TheTimeTellsNothing(t *testing.T) {
	if os.Getenv("LATCHKEY_TEST_FULL") != "1" {
		t.Skip("2,000 real password hashes: set LATCHKEY_TEST_FULL=1")
	}
	s := timed(t)
	ways := map[string]try{"login form": s.byForm(), "password grant": s.byGrant("timed")}
	times := map[string]samples{"login form": {}, "password grant": {}}
	old := samples{}
	for range rounds {
		for way, send := range ways {
			times[way].round(t, send, kindsOfUsers())
		}
		old.round(t, s.byGrant("old"), imported())
	}
	for way := range ways {
		times[way].compare(t, way, kindsOfUsers())
	}
	old.compare(t, "password grant, imported hashes", imported())
}

// imported are kinds of people of a realm whose hashes were all made elsewhere, at
// another cost than new ones have here.
func imported() []string { return []string{"unknown", "wrong", "passwordless"} }

// timed is a provider with Keycloak's cost on a file, and a realm with brute force
// protection in which every kind of user stands.
func timed(t *testing.T) *server {
	t.Helper()
	var file *store.Store
	s := start(t, func(cfg *provider.Config) {
		cfg.Cost, cfg.Workers = password.Keycloak(), 1
		var err error
		if file, err = store.Open(t.Context(), store.Options{Path: t.TempDir() + "/latchkey.db", Seal: cfg.Seal}); err != nil {
			t.Fatal(err)
		}
		cfg.Store = file
	})
	t.Cleanup(func() { _ = file.Close() })
	user := func(name string, enabled bool, credentials ...map[string]any) map[string]any {
		return map[string]any{"username": named(name), "enabled": enabled, "email": name + "@example.com", "firstName": "A", "lastName": "B", "credentials": credentials}
	}
	right := map[string]any{"type": "password", "value": alicesPass}
	// Of the texts that choose who stands in for nobody none is before "!" or behind "~": "half" never does.
	half, last := halfTheCost(t), map[string]any{"id": "~", "type": "password", "value": alicesPass}
	half["id"] = "!"
	s.house("timed", user("wrong", true, right), user("disabled", false, last), user("locked", true, right), user("passwordless", true), user("half", true, half))
	s.house("old", user("wrong", true, halfTheCost(t)), user("passwordless", true))
	lock(t, file)
	return s
}

func (s *server) house(name string, users ...map[string]any) {
	s.t.Helper()
	doc, err := json.Marshal(map[string]any{"realm": name, "enabled": true, "bruteForceProtected": true, "failureFactor": 1_000_000, "quickLoginCheckMilliSeconds": 0,
		"clients": []map[string]any{{"clientId": "app", "secret": appSecret, "redirectUris": []string{callback}, "directAccessGrantsEnabled": true}}, "users": users})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.manage.CreateRealm(s.t.Context(), doc, false); err != nil {
		s.t.Fatal(err)
	}
}

func halfTheCost(t *testing.T) map[string]any {
	t.Helper()
	cost := password.Keycloak()
	cost.MemoryKiB /= 2
	pool, err := password.NewPool(1, cost)
	if err != nil {
		t.Fatal(err)
	}
	h, err := pool.Hash(t.Context(), alicesPass)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"type": "password", "credentialData": h.Data, "secretData": h.Secret}
}

func lock(t *testing.T, st *store.Store) {
	t.Helper()
	in, err := st.RealmByName(t.Context(), "timed")
	if err != nil {
		t.Fatal(err)
	}
	u, err := st.UserByUsername(t.Context(), in.ID, named("locked"))
	if err != nil {
		t.Fatal(err)
	}
	once := realm.BruteForce{Protected: true, FailureFactor: 1, WaitIncrement: 86400, MaxFailureWait: 86400, MaxDeltaTime: 86400}
	if _, err := st.CountLoginAttempt(t.Context(), in.ID, u.ID, "", once); err != nil {
		t.Fatal(err)
	}
	if try, err := st.CountLoginAttempt(t.Context(), in.ID, u.ID, "", once); err != nil || !try.Locked {
		t.Fatal("not locked", err)
	}
}

// try sends a wrong password with a name and gives the answer.
type try func(username string) answer

// byForm posts into one login page, again and again.
func (s *server) byForm() try {
	s.t.Helper()
	c := s.browser()
	to := formAction(s.t, s.get(c, s.authURL("timed", nil)))
	return func(username string) answer {
		return s.send(c, http.MethodPost, to, url.Values{"username": {username}, "password": {"not the password"}})
	}
}

func (s *server) byGrant(realmName string) try {
	c := s.browser()
	return func(username string) answer {
		return s.send(c, http.MethodPost, s.oidc(realmName, "token"), url.Values{"grant_type": {"password"}, "client_id": {"app"}, "client_secret": {appSecret},
			"username": {username}, "password": {"not the password"}})
	}
}

// named has the same length for every kind: the login page shows it.
func named(kind string) string { return kind + strings.Repeat("x", 16-len(kind)) }

// samples are the times of one way in, by kind of user.
type samples map[string][]time.Duration

// round tries every kind once, in random order. Status and size of the answers
// must not tell either.
func (m samples) round(t *testing.T, send try, kinds []string) {
	t.Helper()
	var first answer
	for i, kind := range shuffled(kinds) {
		began := time.Now()
		a := send(named(kind))
		m[kind] = append(m[kind], time.Since(began))
		if i == 0 {
			first = a
		}
		if a.status != first.status || len(a.body) != len(first.body) || a.status >= 500 {
			t.Fatalf("%s: %d and %d bytes, another one's is %d and %d bytes", kind, a.status, len(a.body), first.status, len(first.body))
		}
	}
}

func (m samples) compare(t *testing.T, way string, kinds []string) {
	t.Helper()
	unknown := m["unknown"]
	base := median(unknown)
	for _, kind := range kinds[1:] {
		difference := float64(median(m[kind])-base) / float64(base)
		rank := later(m[kind], unknown) - 0.5
		told := math.Abs(rank) > rankBound && math.Abs(difference) >= mostDifference
		t.Logf("%s, %-12s %d samples, median %v, unknown users %v: %+.2f %%, rank %+.3f", way, kind, len(m[kind]), median(m[kind]), base, 100*difference, rank)
		switch {
		case kind == "half" && !told:
			t.Errorf("%s: half a hash is not told from a whole one: this test would notice nothing", way)
		case kind != "half" && told:
			t.Errorf("%s: the time tells %s from unknown users", way, kind)
		}
	}
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// later is the share of pairs in which a took longer than b.
func later(a, b []time.Duration) float64 {
	n := 0.0
	for _, x := range a {
		for _, y := range b {
			n += float64(cmp.Compare(x, y)+1) / 2
		}
	}
	return n / float64(len(a)*len(b))
}

func shuffled(names []string) []string {
	for i := len(names) - 1; i > 0; i-- {
		n, _ := rand.Int(rand.Reader, big.NewInt(int64(i+1)))
		j := int(n.Int64())
		names[i], names[j] = names[j], names[i]
	}
	return names
}
