package latchkey

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/oauth"
)

// Bounds of logins under way in one browser (S-25, CVE-2021-22119).
const (
	maxTransactions = 8
	transactionLife = 10 * time.Minute
)

// transaction is one login, or one logout, under way. It lives in a sealed cookie
// of its own, named by its state: parallel tabs do not meet (defect 7).
type transaction struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n,omitempty"`
	Verifier string    `json:"v,omitempty"`
	Return   string    `json:"r,omitempty"`
	Issuer   string    `json:"i,omitempty"`
	Logout   bool      `json:"o,omitempty"`
	Retry    bool      `json:"y,omitempty"` // begun by the package itself: there is no third time
	Started  time.Time `json:"t"`
}

func (a *Auth) transactionName(state string) string {
	sum := sha256.Sum256([]byte(state))
	return a.prefix + "t-" + base64.RawURLEncoding.EncodeToString(sum[:9])
}

func (a *Auth) saveTransaction(w http.ResponseWriter, r *http.Request, t transaction) error {
	plain, err := json.Marshal(t)
	if err != nil {
		return err
	}
	name := a.transactionName(t.State)
	sealed, err := a.ring.SealString(plain, "transaction", name)
	if err != nil {
		return err
	}
	a.evict(w, r)
	c := a.cookie(name, sealed, transactionLife)
	if a.cfg.FormPost {
		c.SameSite = http.SameSiteNoneMode // the provider's POST comes from another site
	}
	http.SetCookie(w, c)
	return nil
}

// evict drops the oldest transactions, so that cookies cannot pile up until the
// server refuses the header.
func (a *Auth) evict(w http.ResponseWriter, r *http.Request) {
	type old struct {
		name    string
		started time.Time
	}
	var all []old
	for _, c := range r.Cookies() {
		if !strings.HasPrefix(c.Name, a.prefix+"t-") {
			continue
		}
		t := a.openTransaction(c)
		if t == nil {
			a.expire(w, c.Name)
			continue
		}
		all = append(all, old{c.Name, t.Started})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].started.Before(all[j].started) })
	for len(all) >= maxTransactions {
		a.expire(w, all[0].name)
		all = all[1:]
	}
}

func (a *Auth) openTransaction(c *http.Cookie) *transaction {
	plain, err := a.ring.OpenString(c.Value, "transaction", c.Name)
	if err != nil {
		return nil
	}
	var t transaction
	if json.Unmarshal(plain, &t) != nil || a.cfg.Now().Sub(t.Started) > transactionLife {
		return nil
	}
	return &t
}

// takeTransaction finds the transaction of a state in this browser and ends it:
// it works once.
func (a *Auth) takeTransaction(w http.ResponseWriter, r *http.Request, state string) *transaction {
	if state == "" || len(state) > 200 {
		return nil
	}
	c, err := r.Cookie(a.transactionName(state))
	if err != nil {
		return nil
	}
	a.expire(w, c.Name)
	t := a.openTransaction(c)
	if t == nil || subtle.ConstantTimeCompare([]byte(t.State), []byte(state)) != 1 {
		return nil
	}
	return t
}

// retryMark begins the state of a login that the package began by itself after a
// failure. It is how a retry is known when the browser returns no cookie at all.
const retryMark = "r."

// begin sends a person to the provider.
func (a *Auth) begin(w http.ResponseWriter, r *http.Request, returnTo string, retry bool) {
	w.Header().Set("Cache-Control", "no-store")
	if a.loops(r) {
		a.fail(w, r, reasonLoop, nil)
		return
	}
	m, err := a.provider.metadata(r.Context())
	if err != nil {
		a.fail(w, r, reasonOf(err), err)
		return
	}
	t := transaction{State: random(), Nonce: random(), Verifier: random(), Return: returnAddress(returnTo), Issuer: a.cfg.Issuer, Started: a.cfg.Now(), Retry: retry}
	if retry {
		t.State = retryMark + t.State
	}
	if err := a.saveTransaction(w, r, t); err != nil {
		a.fail(w, r, reasonInternal, err)
		return
	}
	http.Redirect(w, r, a.authURL(m, t), http.StatusFound)
}

func (a *Auth) authURL(m *metadata, t transaction) string {
	q := url.Values{"response_type": {"code"}, "client_id": {a.cfg.ClientID}, "redirect_uri": {a.cfg.RedirectURI}, "scope": {strings.Join(a.cfg.Scopes, " ")},
		"state": {t.State}, "nonce": {t.Nonce}, "code_challenge": {oauth.S256(t.Verifier)}, "code_challenge_method": {oauth.MethodS256}}
	if a.cfg.FormPost {
		q.Set("response_mode", "form_post")
	}
	return addQuery(m.Authorization, q)
}

func addQuery(to string, q url.Values) string {
	if strings.Contains(to, "?") {
		return to + "&" + q.Encode()
	}
	return to + "?" + q.Encode()
}

// A login loop: the provider logs the person in, the application asks again at
// once. It is noticed by finished logins, so that many tabs opened together are
// no loop.
const (
	loopLimit  = 3
	loopWindow = time.Minute
)

type finished struct {
	N     int       `json:"n"`
	Since time.Time `json:"t"`
}

func (a *Auth) loopName() string { return a.prefix + "n" }

func (a *Auth) finishedLogins(r *http.Request) finished {
	var f finished
	c, err := r.Cookie(a.loopName())
	if err != nil {
		return f
	}
	plain, err := a.ring.OpenString(c.Value, "loop")
	if err != nil || json.Unmarshal(plain, &f) != nil || a.cfg.Now().Sub(f.Since) > loopWindow {
		return finished{}
	}
	return f
}

func (a *Auth) loops(r *http.Request) bool { return a.finishedLogins(r).N >= loopLimit }

// countLogin notes a finished login. Nothing else depends on it.
func (a *Auth) countLogin(w http.ResponseWriter, r *http.Request) {
	f := a.finishedLogins(r)
	if f.N == 0 {
		f.Since = a.cfg.Now()
	}
	f.N++
	plain, err := json.Marshal(f)
	if err != nil {
		return
	}
	if sealed, err := a.ring.SealString(plain, "loop"); err == nil {
		http.SetCookie(w, a.cookie(a.loopName(), sealed, loopWindow))
	}
}

func (a *Auth) clearLoop(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie(a.loopName()); err == nil {
		a.expire(w, a.loopName())
	}
}
