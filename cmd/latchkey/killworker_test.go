package main_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// fate is what the test knows about something that it was given.
type fate int

const (
	alive   fate = iota // acknowledged, and nothing since could have ended it
	dead                // its end was acknowledged
	unclear             // a request that may have ended it was lost
)

// browser is one person's browser in one realm, with what it was told.
type browser struct {
	realm, user, idToken string
	cookies              map[string]string
	in                   bool // a login was acknowledged
	session              fate
	families             []*family
}

// family is what one code exchange gave: the newest tokens that were
// acknowledged, and the refresh tokens before them.
type family struct {
	client, access, refresh, sub string
	older                        []string
	fate                         fate
	since                        time.Time // a use was lost then; zero without one
}

// worker does one thing after the other, in browsers that nobody else touches.
type worker struct {
	c        *cluster
	j        *journal
	dice     dice
	browsers []*browser
}

func (w *worker) node() *node { return w.c.nodes[w.dice.below(len(w.c.nodes))] }

func oidc(realm, endpoint string) string {
	return "/realms/" + realm + "/protocol/openid-connect/" + endpoint
}

// visit is one login with what follows it. It gives how many exchanges were
// acknowledged.
func (w *worker) visit() int {
	b := w.browser()
	client := "app"
	if w.dice.of(33) {
		client = "raced"
	}
	verifier := base64.RawURLEncoding.EncodeToString(sum(string(rune(w.dice.next()>>40)) + time.Now().String()))
	code, ok := w.authorize(b, client, verifier)
	if !ok {
		return 0
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {killCallback}, "code_verifier": {verifier}, "client_id": {client}, "client_secret": {killSecret}}
	var f *family
	if client == "raced" {
		f = w.race(b, form)
	} else {
		f = w.exchange(b, form)
	}
	if f != nil && f.fate == alive {
		w.use(b, f)
	}
	switch {
	case w.dice.of(12):
		if w.logout(b); w.dice.of(50) { // at once; the others at the end
			w.look(b)
		}
	case w.dice.of(10):
		w.look(w.browsers[w.dice.below(len(w.browsers))])
	}
	if f == nil {
		return 0
	}
	return 1
}

// browser is mostly one that is logged in.
func (w *worker) browser() *browser {
	if len(w.browsers) > 0 && w.dice.of(88) {
		from := max(0, len(w.browsers)-8)
		if b := w.browsers[from+w.dice.below(len(w.browsers)-from)]; b.session == alive {
			return b
		}
	}
	b := &browser{realm: []string{plain, rotated, strict}[w.dice.below(3)], user: "user" + string(rune('0'+w.dice.below(killUsers))), cookies: map[string]string{}}
	w.browsers = append(w.browsers, b)
	return b
}

var formAction = regexp.MustCompile(`<form id="kc-form-login" action="([^"]+)"`)

// authorize gets a code, by single sign-on or by the form. A browser whose login
// was acknowledged must not be asked again.
func (w *worker) authorize(b *browser, client, verifier string) (code string, ok bool) {
	q := url.Values{"client_id": {client}, "redirect_uri": {killCallback}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum(verifier))}, "code_challenge_method": {"S256"}}
	for range 100 {
		a := w.node().send("GET", oidc(b.realm, "auth?")+q.Encode(), nil, b.cookies, nil)
		if a.lost() {
			continue
		}
		b.take(a)
		if a.status == http.StatusOK {
			if b.in {
				w.j.violated("a session that was acknowledged is lost: %s in realm %s is asked for the password again", b.user, b.realm)
				return "", false
			}
			if a = w.typePassword(b, a); a.lost() || a.status == http.StatusServiceUnavailable {
				continue
			}
		}
		if code := codeOf(a); code != "" {
			b.in = true
			return code, true
		}
		w.j.violated("authorization of %s in realm %s: %v to %s", b.user, b.realm, a, a.header.Get("Location"))
		return "", false
	}
	w.j.violated("a hundred authorization requests and no answer")
	return "", false
}

func (w *worker) typePassword(b *browser, page answer) answer {
	m := formAction.FindSubmatch(page.body)
	if m == nil {
		w.j.violated("a page without a login form: %v", page)
		return answer{}
	}
	u, err := url.Parse(html.UnescapeString(string(m[1])))
	if err != nil {
		w.j.violated("%v", err)
		return answer{}
	}
	a := w.node().send("POST", u.RequestURI(), nil, b.cookies, url.Values{"username": {b.user}, "password": {killPassword}})
	switch {
	case a.lost():
		w.j.lostLogins.Add(1)
	case codeOf(a) != "":
		w.j.passwordLogins.Add(1)
		b.take(a)
	}
	return a
}

func (b *browser) take(a answer) {
	for _, ck := range (&http.Response{Header: a.header}).Cookies() {
		b.cookies[ck.Name] = ck.Value
		if ck.MaxAge < 0 {
			delete(b.cookies, ck.Name)
		}
	}
}

func codeOf(a answer) string {
	if a.status != http.StatusFound {
		return ""
	}
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || !strings.HasPrefix(u.String(), killCallback+"?") {
		return ""
	}
	return u.Query().Get("code")
}

func sum(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

// both sends two forms to the token endpoint at the same time.
func (w *worker) both(b *browser, one, two url.Values) (first, second answer) {
	n, m := w.node(), w.node()
	var other sync.WaitGroup
	other.Go(func() { second = m.send("POST", oidc(b.realm, "token"), nil, nil, two) })
	first = n.send("POST", oidc(b.realm, "token"), nil, nil, one)
	other.Wait()
	w.expectNoFailure(first, second)
	return first, second
}

func (w *worker) token(b *browser, form url.Values) answer {
	a := w.node().send("POST", oidc(b.realm, "token"), nil, nil, form)
	w.expectNoFailure(a)
	return a
}

func (w *worker) expectNoFailure(answers ...answer) {
	for _, a := range answers {
		if a.status >= 500 || a.status == unsent {
			w.j.violated("the token endpoint failed: %v", a)
		}
	}
}

// tokens are the members of a token response that the test reads.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

func (w *worker) tokensOf(a answer) tokens {
	var t tokens
	if err := json.Unmarshal(a.body, &t); err != nil || t.Access == "" || t.Refresh == "" {
		w.j.violated("half a token response: %v, %v", a, err)
	}
	return t
}

// claim reads a claim of a token that came from the server a moment ago.
func claim(token, name string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	var claims map[string]any
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(b, &claims) != nil {
		return ""
	}
	s, _ := claims[name].(string)
	return s
}

func (w *worker) newFamily(b *browser, client string, a answer) *family {
	t := w.tokensOf(a)
	f := &family{client: client, access: t.Access, refresh: t.Refresh, sub: claim(t.Access, "sub")}
	b.families, b.idToken = append(b.families, f), t.ID
	w.j.exchanges.Add(1)
	return f
}

// part sets the fate of everything that a client was given in this browser.
func (b *browser) part(client string, to fate) {
	for _, f := range b.families {
		if f.client == client && f.fate != dead {
			f.fate = to
		}
	}
}
