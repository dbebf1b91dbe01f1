// Package flow decides: what must happen next in this login, and may a token be
// issued now? Both are pure functions over facts that somebody else loaded.
//
// It reads nothing, writes nothing and knows no HTTP. journey asks Next;
// token.Issue asks MayIssue and nobody else does, so that no grant can forget it
// (S-86).
package flow

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
)

// Facts are everything a decision looks at. A nil Session means that there is
// none, a nil Request that no browser takes part.
type Facts struct {
	Realm       *realm.Realm
	Client      *realm.Client
	User        *realm.User
	Credentials []string // kinds of the user's credentials
	Session     *realm.Session
	Request     *realm.AuthRequest
	Now         time.Time
	NotActing   bool // the user takes no part: client_credentials
}

// Kind says what must happen next.
type Kind string

// The kinds of steps.
const (
	Login  Kind = "login"
	Action Kind = "action"
	Issue  Kind = "issue"
	Deny   Kind = "deny"
)

// Step is what must happen next. Reauthenticate asks the session's user again;
// Reason says why a request is denied.
type Step struct {
	Kind           Kind
	Reauthenticate bool
	Action         string // the required action to be done
	Existing       bool   // by the session that is there: single sign-on
	Err            error
}

// Next decides what must happen next in a login.
func Next(f Facts) Step {
	prompt := strings.Fields(f.Request.Params.Prompt)
	switch f.Request.State {
	case realm.RequestAuthenticated:
		return issueOrDeny(f)
	case realm.RequestActing:
		return actOrIssue(f, prompt)
	}
	if why := mustLogin(f, prompt); why != none {
		// OpenID Connect Core 1.0, 3.1.2.1: "none: The Authorization Server MUST
		// NOT display any authentication or consent user interface pages."
		if slices.Contains(prompt, "none") {
			return Step{Kind: Deny, Err: oauth.Refuse(oauth.LoginRequired, "")}
		}
		return Step{Kind: Login, Reauthenticate: why == again}
	}
	step := actOrIssue(f, prompt)
	step.Existing = true
	return step
}

// actOrIssue: who the user is stands fast; nothing is issued before they have done
// what they have to do.
func actOrIssue(f Facts, prompt []string) Step {
	step := issueOrDeny(f)
	if step.Kind == Deny {
		return step
	}
	if action := realm.PendingAction(f.Realm, f.User); action != "" {
		if slices.Contains(prompt, "none") {
			return Step{Kind: Deny, Err: oauth.Refuse(oauth.InteractionRequired, "")}
		}
		return Step{Kind: Action, Action: action}
	}
	return step
}

type why int

const (
	none  why = iota
	fresh     // nobody is logged in
	again     // somebody is, and must prove it once more
)

func mustLogin(f Facts, prompt []string) why {
	switch {
	case f.Session == nil || !SessionLives(f.Realm, f.Session, f.Now):
		return fresh
	case f.User == nil || !f.User.Enabled || !hinted(f):
		return fresh
	case slices.Contains(prompt, "login"):
		return again
	case tooLongAgo(f.Request.Params.MaxAge, f.Session.AuthTime, f.Now):
		return again
	}
	return none
}

// tooLongAgo: "If the elapsed time is greater than this value, the OP MUST attempt
// to actively re-authenticate the End-User. ... Note that max_age=0 is equivalent to
// prompt=login" (OpenID Connect Core 1.0, 3.1.2.1).
func tooLongAgo(maxAge *int64, at, now time.Time) bool {
	return maxAge != nil && (*maxAge == 0 || now.Sub(at) > time.Duration(*maxAge)*time.Second)
}

func issueOrDeny(f Facts) Step {
	if err := MayIssue(f); err != nil {
		return Step{Kind: Deny, Err: err}
	}
	if !hinted(f) {
		return Step{Kind: Deny, Err: oauth.Refuse(oauth.LoginRequired, "another user than id_token_hint is about")}
	}
	return Step{Kind: Issue}
}

// hinted: "If the End-User identified by the ID Token is already logged in or is
// logged in as a result of the request ..., then the Authorization Server returns a
// positive response; otherwise, it MUST return an error, such as login_required"
// (OpenID Connect Core 1.0, 3.1.2.1, id_token_hint).
func hinted(f Facts) bool {
	about := f.Request.Params.Subject
	return about == "" || about == f.User.ID
}

// SessionLives decides at read time whether a session is within its idle and
// its maximum life, never by what a clean-up has deleted (S-38).
func SessionLives(r *realm.Realm, s *realm.Session, now time.Time) bool {
	if !s.EndedAt.IsZero() {
		return false
	}
	if s.RememberMe && !r.RememberMe { // C17: what is switched off holds for those who are there
		return false
	}
	idle, most := SessionLimits(r, s)
	return now.Before(s.LastSeenAt.Add(idle)) && now.Before(s.StartedAt.Add(most))
}

// SessionLimits are the idle and the maximum life of a session. The remember-me
// ones count where they are set; 0 inherits.
func SessionLimits(r *realm.Realm, s *realm.Session) (idle, most time.Duration) {
	l := r.Lifespans
	idle, most = realm.Seconds(l.SSOSessionIdle), realm.Seconds(l.SSOSessionMax)
	if s.RememberMe && r.RememberMe { // a realm that no longer remembers forgets those it did (CVE-2025-11429)
		idle = max(idle, realm.Seconds(l.SSOSessionIdleRememberMe))
		most = max(most, realm.Seconds(l.SSOSessionMaxRememberMe))
	}
	return idle, most
}

// ClientLimits are the idle and the maximum life of a client's part of a session:
// the client's own, else the realm's for all clients. 0 is as long as the session.
func ClientLimits(r *realm.Realm, c *realm.Client) (idle, most time.Duration) {
	own := func(name string, otherwise int) time.Duration {
		n, err := strconv.ParseInt(c.Attributes[name], 10, 32)
		if err != nil || n <= 0 {
			n = int64(max(otherwise, 0))
		}
		return realm.Seconds(int(n))
	}
	return own("client.session.idle.timeout", r.Lifespans.ClientSessionIdle), own("client.session.max.lifespan", r.Lifespans.ClientSessionMax)
}

// MayIssue decides whether this user and client may get a token now. It is the
// one place for every grant; the checks stand in their order.
func MayIssue(f Facts) error {
	for _, check := range []func(Facts) error{
		realmEnabled, clientEnabled, userEnabled, sessionAlive, notBefore, policiesEnforced,
	} {
		if err := check(f); err != nil {
			return err
		}
	}
	return nil
}

func realmEnabled(f Facts) error {
	if !f.Realm.Enabled {
		return oauth.Refuse(oauth.RealmDisabled, "")
	}
	return nil
}

func clientEnabled(f Facts) error {
	if !f.Client.Enabled {
		return oauth.Refuse(oauth.ClientDisabled, "")
	}
	return nil
}

func userEnabled(f Facts) error {
	if f.User == nil {
		return oauth.Refuse(oauth.UserNotFound, "")
	}
	if !f.User.Enabled {
		return oauth.Refuse(oauth.UserDisabled, "")
	}
	return nil
}

func sessionAlive(f Facts) error {
	if f.Session != nil && !SessionLives(f.Realm, f.Session, f.Now) {
		return oauth.Refuse(oauth.SessionNotActive, "")
	}
	return nil
}

// notBefore: a session from before a not-before of the realm, the client or the
// user gives nothing any more (S-34).
func notBefore(f Facts) error {
	if f.Session == nil {
		return nil
	}
	if f.Session.StartedAt.Unix() < max(f.Realm.NotBefore, f.Client.NotBefore, f.User.NotBefore) {
		return oauth.Refuse(oauth.SessionNotActive, "")
	}
	return nil
}

// policiesEnforced fails closed: what narrows who may log in and is not
// enforced refuses the login, with the path of the setting.
func policiesEnforced(f Facts) error {
	if f.NotActing {
		if path := realm.UnenforcedForService(f.Realm, f.Client); path != "" {
			return oauth.Refuse(oauth.UnenforcedPolicy, path)
		}
		return nil
	}
	if path := realm.Unenforced(f.Realm, f.Client, f.User, f.Credentials); path != "" {
		return oauth.Refuse(oauth.UnenforcedPolicy, path)
	}
	return nil
}
