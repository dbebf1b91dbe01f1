package main_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// race sends a code twice at the same time, both times rightly. One of them may
// win, and then the other one is a replay that ends what the code gave out
// (RFC 6749, section 4.1.2; S-11).
func (w *worker) race(b *browser, form url.Values) *family {
	one, two := w.both(b, form, form)
	var won []answer
	for _, a := range []answer{one, two} {
		if a.status == http.StatusOK {
			won = append(won, a)
		}
	}
	var f *family
	switch len(won) {
	case 2:
		w.j.violated("a code was redeemed twice: %v and %v", one, two)
		return nil
	case 1:
		f = w.newFamily(b, "raced", won[0])
	}
	if one.lost() || two.lost() {
		b.part("raced", unclear)
	} else {
		b.part("raced", dead)
		if f != nil && w.dice.of(30) {
			w.lookAtFamily(b, f)
		}
	}
	if f != nil && w.dice.of(20) {
		if a := w.token(b, form); a.status == http.StatusOK {
			w.j.violated("a code that was redeemed works again later: %v", a)
		}
	}
	return f
}

// exchange sends a code while a thief without the client's secret sends it too:
// he gets nothing and breaks nothing.
func (w *worker) exchange(b *browser, form url.Values) *family {
	thief := maps.Clone(form)
	thief["client_secret"] = []string{"guessed"}
	own, stolen := w.both(b, form, thief)
	if stolen.status == http.StatusOK {
		w.j.violated("a code was redeemed with a wrong secret: %v", stolen)
	}
	if own.lost() && w.dice.of(50) { // the application tries again: a replay if the first try happened
		if own = w.token(b, form); own.status != http.StatusOK {
			b.part("app", unclear)
			return nil
		}
	}
	switch {
	case own.lost():
		return nil // it goes on with a new code
	case own.status != http.StatusOK:
		w.j.violated("a code that was acknowledged and not used is refused: %v", own)
		return nil
	}
	return w.newFamily(b, "app", own)
}

// use is what an application does with its tokens for a while.
func (w *worker) use(b *browser, f *family) {
	w.userinfo(b, f)
	w.refresh(b, f)
	if w.dice.of(30) && f.fate == alive {
		w.refresh(b, f)
	}
	if w.dice.of(10) && f.fate == alive {
		w.replay(b, f)
	}
}

func (w *worker) askUserinfo(b *browser, f *family) answer {
	for range 50 {
		if a := w.node().send("GET", oidc(b.realm, "userinfo"), map[string]string{"Authorization": "Bearer " + f.access}, nil, nil); !a.lost() {
			return a
		}
	}
	return answer{}
}

func (w *worker) userinfo(b *browser, f *family) {
	a := w.askUserinfo(b, f)
	var claims struct {
		Sub string `json:"sub"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &claims) != nil || claims.Sub != f.sub {
		w.j.violated("the newest access token of a session that lives in realm %s: %v", b.realm, a)
		return
	}
	w.j.userinfos.Add(1)
}

func (f *family) form(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {f.client}, "client_secret": {killSecret}}
}

func (w *worker) refreshed(f *family, sent string, a answer) {
	t := w.tokensOf(a)
	w.j.refreshes.Add(1)
	w.j.succeeded(sent, t.Refresh)
	if t.Refresh != f.refresh {
		f.older = append(f.older, f.refresh)
	}
	f.access, f.refresh, f.since = t.Access, t.Refresh, time.Time{}
}

// grace is what the test counts on of the ten seconds.
const grace = 8 * time.Second

// refresh uses the newest refresh token: twice at the same time where that is
// allowed, once where a second use ends the family.
func (w *worker) refresh(b *browser, f *family) {
	sent := f.refresh
	if b.realm == rotated {
		w.settle(b, f, sent, w.token(b, f.form(sent)), time.Now())
		return
	}
	began := time.Now()
	one, two := w.both(b, f.form(sent), f.form(sent))
	slow := time.Since(began) > grace && b.realm == strict
	for _, a := range []answer{one, two} {
		switch {
		case a.lost():
		case a.status == http.StatusOK && a.header != nil:
			if f.refresh == sent {
				w.refreshed(f, sent, a)
			} else {
				w.j.succeeded(sent, w.tokensOf(a).Refresh)
			}
		case slow:
			b.part(f.client, unclear)
		default:
			w.j.violated("the newest refresh token of a session that lives in realm %s: %v", b.realm, a)
			b.part(f.client, unclear)
		}
	}
	if one.lost() && two.lost() {
		w.settle(b, f, sent, one, began)
	}
}

// settle sends a refresh token again until there is an answer.
func (w *worker) settle(b *browser, f *family, sent string, a answer, began time.Time) {
	lost := a.lost()
	for n := 0; a.lost() && n < 50; n++ {
		a = w.token(b, f.form(sent))
	}
	switch {
	case a.status == http.StatusOK:
		w.refreshed(f, sent, a)
	case lost && b.realm == rotated, lost && b.realm == strict && time.Since(began) > grace:
		w.j.refusedAfterLoss.Add(1) // the lost one happened, and this was a reuse
		b.part(f.client, dead)
	default:
		w.j.violated("the newest refresh token of a session that lives in realm %s (a use was lost: %v): %v", b.realm, lost, a)
		b.part(f.client, unclear)
	}
}

// replay sends a refresh token whose successor was used: it gives nothing, and
// the family ends (RFC 9700, section 4.14.2).
func (w *worker) replay(b *browser, f *family) {
	back := map[string]int{rotated: 1, strict: 2}[b.realm]
	if back == 0 || len(f.older) < back {
		return
	}
	old := f.older[len(f.older)-back]
	switch a := w.token(b, f.form(old)); {
	case a.lost():
		b.part(f.client, unclear)
	case a.status == http.StatusOK:
		w.j.violated("refresh generation %s is accepted in realm %s after its successor was used", claim(old, "reuse_id"), b.realm)
	default:
		b.part(f.client, dead)
		w.lookAtFamily(b, f)
	}
}

// logout ends the session by the browser or by a refresh token, again until it
// is acknowledged.
func (w *worker) logout(b *browser) {
	if b.session != alive || b.idToken == "" {
		return
	}
	b.session = unclear
	f := b.families[len(b.families)-1]
	byToken := w.dice.of(50) && f.fate == alive
	for range 50 {
		var a answer
		if byToken {
			a = w.node().send("POST", oidc(b.realm, "logout"), nil, nil, url.Values{"refresh_token": {f.refresh}, "client_id": {f.client}, "client_secret": {killSecret}})
		} else { // the cookies are kept: they must be worth nothing
			a = w.node().send("GET", oidc(b.realm, "logout?")+url.Values{"id_token_hint": {b.idToken}}.Encode(), nil, b.cookies, nil)
		}
		if a.lost() {
			continue
		}
		if a.status != http.StatusOK && a.status != http.StatusNoContent {
			w.j.violated("a logout in realm %s: %v", b.realm, a)
			return
		}
		b.session = dead
		w.j.logouts.Add(1)
		return
	}
}

// lookAtAll is the end of the run: everything that was acknowledged is held
// against what the server does now.
func (w *worker) lookAtAll() {
	for _, b := range w.browsers {
		if !w.j.broken() {
			w.look(b)
		}
	}
}

// look holds a browser's journal against the server.
func (w *worker) look(b *browser) {
	if !b.in {
		return
	}
	w.j.checked.Add(1)
	q := url.Values{"client_id": {"app"}, "redirect_uri": {killCallback}, "response_type": {"code"}, "scope": {"openid"}, "prompt": {"none"},
		"code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"}}
	a := answer{}
	for n := 0; a.lost() && n < 50; n++ {
		a = w.node().send("GET", oidc(b.realm, "auth?")+q.Encode(), nil, b.cookies, nil)
	}
	switch got := codeOf(a); {
	case b.session == alive && got == "":
		w.j.violated("a session that was acknowledged is lost in realm %s: %v to %s", b.realm, a, a.header.Get("Location"))
	case b.session == dead && (got != "" || !strings.Contains(a.header.Get("Location"), "error=login_required")):
		w.j.violated("a logout that was acknowledged is undone in realm %s: %v to %s", b.realm, a, a.header.Get("Location"))
	}
	for _, f := range b.families[max(0, len(b.families)-4):] {
		w.lookAtFamily(b, f)
	}
}

func (w *worker) lookAtFamily(b *browser, f *family) {
	if b.session == unclear {
		return
	}
	switch {
	case b.session == dead || f.fate == dead:
		if a := w.token(b, f.form(f.refresh)); a.status == http.StatusOK {
			w.j.violated("a refresh token of what has ended works in realm %s (session ended: %v)", b.realm, b.session == dead)
		}
		if a := w.askUserinfo(b, f); b.session == dead && a.status == http.StatusOK {
			w.j.violated("an access token works after the logout in realm %s", b.realm)
		}
	case f.fate == alive:
		w.userinfo(b, f)
		w.refresh(b, f)
	default: // it happened or it did not, never half
		if a := w.token(b, f.form(f.refresh)); a.status == http.StatusOK {
			w.refreshed(f, f.refresh, a)
			f.fate = alive
			w.userinfo(b, f)
		} else if !a.lost() {
			b.partOf(f)
		}
	}
}

// partOf: a family that was refused has ended; its client's others stay unclear.
func (b *browser) partOf(f *family) { f.fate = dead }
