package flow_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/flow"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
)

func now() time.Time { return time.Unix(1_800_000_000, 0) }

// facts are those of a login that may happen.
func facts() flow.Facts {
	return flow.Facts{
		Realm:  &realm.Realm{Enabled: true, Lifespans: realm.Lifespans{SSOSessionIdle: 1800, SSOSessionMax: 36000}},
		Client: &realm.Client{ClientID: "app", Enabled: true}, User: &realm.User{Username: "alice", Email: "alice@example.com", FirstName: "Alice", LastName: "Liddell", Enabled: true}, Credentials: []string{"password"},
		Session: &realm.Session{StartedAt: now().Add(-time.Hour), LastSeenAt: now().Add(-time.Minute), AuthTime: now().Add(-time.Hour)},
		Request: &realm.AuthRequest{State: realm.RequestOpen}, Now: now(),
	}
}

func seconds(n int64) *int64 { return &n }

func TestNext(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *flow.Facts)
		want   flow.Step
		reason oauth.Reason
	}{
		{"single sign-on", func(*flow.Facts) {}, flow.Step{Kind: flow.Issue, Existing: true}, ""},
		{"nobody is logged in", func(f *flow.Facts) { f.Session, f.User = nil, nil }, flow.Step{Kind: flow.Login}, ""},
		{"idle too long", func(f *flow.Facts) { f.Session.LastSeenAt = now().Add(-1801 * time.Second) }, flow.Step{Kind: flow.Login}, ""},
		{"idle to the second", func(f *flow.Facts) { f.Session.LastSeenAt = now().Add(-1800 * time.Second) }, flow.Step{Kind: flow.Login}, ""},
		{"too old", func(f *flow.Facts) { f.Session.StartedAt = now().Add(-36001 * time.Second) }, flow.Step{Kind: flow.Login}, ""},
		{"ended", func(f *flow.Facts) { f.Session.EndedAt = now().Add(-time.Second) }, flow.Step{Kind: flow.Login}, ""},
		{"the user was disabled", func(f *flow.Facts) { f.User.Enabled = false }, flow.Step{Kind: flow.Login}, ""},
		{"the user was deleted", func(f *flow.Facts) { f.User = nil }, flow.Step{Kind: flow.Login}, ""},
		{"prompt=login", func(f *flow.Facts) { f.Request.Params.Prompt = "login" }, flow.Step{Kind: flow.Login, Reauthenticate: true}, ""},
		{"max_age passed", func(f *flow.Facts) { f.Request.Params.MaxAge = seconds(60) }, flow.Step{Kind: flow.Login, Reauthenticate: true}, ""},
		{"max_age=0", func(f *flow.Facts) { f.Request.Params.MaxAge = seconds(0) }, flow.Step{Kind: flow.Login, Reauthenticate: true}, ""},
		{"max_age=0, in the same moment", func(f *flow.Facts) { f.Request.Params.MaxAge, f.Session.AuthTime = seconds(0), f.Now }, flow.Step{Kind: flow.Login, Reauthenticate: true}, ""},
		{"max_age to the second", func(f *flow.Facts) {
			f.Request.Params.MaxAge, f.Session.AuthTime = seconds(60), f.Now.Add(-60*time.Second)
		}, flow.Step{Kind: flow.Issue, Existing: true}, ""},
		{"id_token_hint", func(f *flow.Facts) { f.User.ID, f.Request.Params.Subject = "a", "a" }, flow.Step{Kind: flow.Issue, Existing: true}, ""},
		{"id_token_hint of another", func(f *flow.Facts) { f.User.ID, f.Request.Params.Subject = "a", "b" }, flow.Step{Kind: flow.Login}, ""},
		{"id_token_hint of another, prompt=login", func(f *flow.Facts) {
			f.User.ID, f.Request.Params.Subject, f.Request.Params.Prompt = "a", "b", "login"
		}, flow.Step{Kind: flow.Login}, ""},
		{"id_token_hint of another, prompt=none", func(f *flow.Facts) {
			f.User.ID, f.Request.Params.Subject, f.Request.Params.Prompt = "a", "b", "none"
		}, flow.Step{Kind: flow.Deny}, oauth.LoginRequired},
		{"id_token_hint, and another has logged in", func(f *flow.Facts) {
			f.User.ID, f.Request.Params.Subject, f.Request.State, f.Session = "a", "b", realm.RequestActing, nil
		}, flow.Step{Kind: flow.Deny}, oauth.LoginRequired},
		{"id_token_hint, and another is authenticated", func(f *flow.Facts) {
			f.User.ID, f.Request.Params.Subject, f.Request.State = "a", "b", realm.RequestAuthenticated
		}, flow.Step{Kind: flow.Deny}, oauth.LoginRequired},
		{"max_age not passed", func(f *flow.Facts) { f.Request.Params.MaxAge = seconds(7200) }, flow.Step{Kind: flow.Issue, Existing: true}, ""},
		{"max_age to the second", func(f *flow.Facts) { f.Request.Params.MaxAge = seconds(3600) }, flow.Step{Kind: flow.Issue, Existing: true}, ""},
		{"max_age passed by a millisecond", func(f *flow.Facts) {
			f.Request.Params.MaxAge, f.Session.AuthTime = seconds(3600), f.Session.AuthTime.Add(-time.Millisecond)
		}, flow.Step{Kind: flow.Login, Reauthenticate: true}, ""},
		{"prompt=none", func(f *flow.Facts) { f.Request.Params.Prompt = "none" }, flow.Step{Kind: flow.Issue, Existing: true}, ""},
		{"prompt=none and nobody", func(f *flow.Facts) { f.Request.Params.Prompt = "none"; f.Session = nil }, flow.Step{Kind: flow.Deny}, oauth.LoginRequired},
		{"prompt=none and max_age", func(f *flow.Facts) { f.Request.Params.Prompt = "none"; f.Request.Params.MaxAge = seconds(1) }, flow.Step{Kind: flow.Deny}, oauth.LoginRequired},
		{"authenticated", func(f *flow.Facts) { f.Request.State = realm.RequestAuthenticated; f.Request.Params.Prompt = "login" }, flow.Step{Kind: flow.Issue}, ""},
		{"authenticated, client disabled", func(f *flow.Facts) { f.Request.State = realm.RequestAuthenticated; f.Client.Enabled = false }, flow.Step{Kind: flow.Deny}, oauth.ClientDisabled},
		{"a required action", func(f *flow.Facts) { f.User.RequiredActions = []string{"UPDATE_PASSWORD"} }, flow.Step{Kind: flow.Action, Action: "UPDATE_PASSWORD", Existing: true}, ""},
		{"a required action after the proof", func(f *flow.Facts) {
			f.Request.State, f.Session, f.User.RequiredActions = realm.RequestActing, nil, []string{"UPDATE_PASSWORD"}
		}, flow.Step{Kind: flow.Action, Action: "UPDATE_PASSWORD"}, ""},
		{"proved, and nothing left to do", func(f *flow.Facts) { f.Request.State, f.Session = realm.RequestActing, nil }, flow.Step{Kind: flow.Issue}, ""},
		{"proved, and disabled since", func(f *flow.Facts) { f.Request.State, f.Session, f.User.Enabled = realm.RequestActing, nil, false }, flow.Step{Kind: flow.Deny}, oauth.UserDisabled},
		{"a required action and prompt=none", func(f *flow.Facts) {
			f.Request.Params.Prompt, f.User.RequiredActions = "none", []string{"UPDATE_PASSWORD"}
		}, flow.Step{Kind: flow.Deny}, oauth.InteractionRequired},
		{"an action that is not done here", func(f *flow.Facts) { f.User.RequiredActions = []string{"UPDATE_PASSWORD", "CONFIGURE_TOTP"} }, flow.Step{Kind: flow.Deny}, oauth.UnenforcedPolicy},
		{"a profile that lacks a name", func(f *flow.Facts) { f.User.LastName = " " }, flow.Step{Kind: flow.Action, Action: "VERIFY_PROFILE", Existing: true}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := facts()
			c.change(&f)
			got := flow.Next(f)
			if got.Kind != c.want.Kind || got.Reauthenticate != c.want.Reauthenticate || got.Action != c.want.Action || got.Existing != c.want.Existing && got.Kind != flow.Deny {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if c.reason != "" && oauth.ReasonOf(got.Err) != c.reason {
				t.Errorf("reason %v, want %s", got.Err, c.reason)
			}
		})
	}
}

func TestS86MayIssue(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *flow.Facts)
		want   oauth.Reason
	}{
		{"yes", func(*flow.Facts) {}, ""},
		{"realm disabled", func(f *flow.Facts) { f.Realm.Enabled = false }, oauth.RealmDisabled},
		{"client disabled", func(f *flow.Facts) { f.Client.Enabled = false }, oauth.ClientDisabled},
		{"user disabled", func(f *flow.Facts) { f.User.Enabled = false }, oauth.UserDisabled},
		{"user gone", func(f *flow.Facts) { f.User = nil }, oauth.UserNotFound},
		{"session over", func(f *flow.Facts) { f.Session.EndedAt = now() }, oauth.SessionNotActive},
		{"not-before of the realm", func(f *flow.Facts) { f.Realm.NotBefore = now().Unix() }, oauth.SessionNotActive},
		{"not-before of the client", func(f *flow.Facts) { f.Client.NotBefore = now().Unix() }, oauth.SessionNotActive},
		{"not-before of the user", func(f *flow.Facts) { f.User.NotBefore = now().Unix() }, oauth.SessionNotActive},
		{"a not-before of the second in which it began", func(f *flow.Facts) { f.Realm.NotBefore = f.Session.StartedAt.Unix() }, ""},
		{"a not-before of the second after it", func(f *flow.Facts) { f.Realm.NotBefore = f.Session.StartedAt.Unix() + 1 }, oauth.SessionNotActive},
		{"an older not-before", func(f *flow.Facts) { f.Realm.NotBefore = now().Add(-2 * time.Hour).Unix() }, ""},
		{"a required action that is not done here", func(f *flow.Facts) { f.User.RequiredActions = []string{"CONFIGURE_TOTP"} }, oauth.UnenforcedPolicy},
		{"a refresh while an action waits for the next login", func(f *flow.Facts) { f.User.RequiredActions = []string{"UPDATE_PASSWORD"} }, ""},
		{"a second factor", func(f *flow.Facts) { f.Credentials = []string{"password", "otp"} }, oauth.UnenforcedPolicy},
		{"consent", func(f *flow.Facts) { f.Client.ConsentRequired = true }, oauth.UnenforcedPolicy},
		{"brute force protection", func(f *flow.Facts) { f.Realm.BruteForce.Protected = true }, ""},
		{"a lock that only an administrator opens", func(f *flow.Facts) { f.Realm.BruteForce = realm.BruteForce{Protected: true, PermanentLockout: true} }, oauth.UnenforcedPolicy},
		{"a password policy", func(f *flow.Facts) { f.Realm.PasswordPolicy = "length(8)" }, oauth.UnenforcedPolicy},
		{"another browser flow", func(f *flow.Facts) { f.Realm.Extra = extra("browserFlow", `"with otp"`) }, oauth.UnenforcedPolicy},
		{"the browser flow as it is", func(f *flow.Facts) { f.Realm.Extra = extra("browserFlow", `"browser"`) }, ""},
		{"a changed built-in flow", func(f *flow.Facts) {
			f.Realm.Extra = extra("authenticationFlows", `[{"alias":"forms","authenticationExecutions":[{"authenticator":"auth-otp-form","requirement":"REQUIRED"}]}]`)
		}, oauth.UnenforcedPolicy},
		{"flows that do not parse", func(f *flow.Facts) { f.Realm.Extra = extra("authenticationFlows", `{}`) }, oauth.UnenforcedPolicy},
		{"tokens bound by DPoP", func(f *flow.Facts) { f.Client.Attributes = map[string]string{"dpop.bound.access.tokens": "true"} }, oauth.UnenforcedPolicy},
		{"tokens bound to a certificate", func(f *flow.Facts) {
			f.Client.Attributes = map[string]string{"tls.client.certificate.bound.access.tokens": "true"}
		}, oauth.UnenforcedPolicy},
		{"tokens bound to nothing", func(f *flow.Facts) { f.Client.Attributes = map[string]string{"dpop.bound.access.tokens": "false"} }, ""},
		{"pushed requests alone", func(f *flow.Facts) {
			f.Client.Attributes = map[string]string{"require.pushed.authorization.requests": "true"}
		}, oauth.UnenforcedPolicy},
		{"signed requests alone", func(f *flow.Facts) {
			f.Client.Attributes = map[string]string{"request.object.required": "request only"}
		}, oauth.UnenforcedPolicy},
		{"any request", func(f *flow.Facts) {
			f.Client.Attributes = map[string]string{"request.object.required": "not required"}
		}, ""},
		{"ID tokens for the client's eyes alone", func(f *flow.Facts) {
			f.Client.Attributes = map[string]string{"id.token.encrypted.response.alg": "RSA-OAEP"}
		}, oauth.UnenforcedPolicy},
		{"userinfo for them", func(f *flow.Facts) {
			f.Client.Attributes = map[string]string{"user.info.encrypted.response.alg": "RSA-OAEP"}
		}, oauth.UnenforcedPolicy},
		{"nothing of the kind", func(f *flow.Facts) {
			f.Client.Attributes = map[string]string{"id.token.encrypted.response.alg": "", "user.info.encrypted.response.alg": ""}
		}, ""},
		{"a sub that others do not know", func(f *flow.Facts) {
			f.Client.Mappers = []realm.Mapper{{Name: "pairwise", Type: "oidc-sha256-pairwise-sub-mapper"}}
		}, oauth.UnenforcedPolicy},
		{"everybody's sub", func(f *flow.Facts) { f.Client.Mappers = []realm.Mapper{{Name: "sub", Type: "oidc-sub-mapper"}} }, ""},
		{"a higher level", func(f *flow.Facts) { f.Client.Attributes = map[string]string{"minimum.acr.value": "2"} }, oauth.UnenforcedPolicy},
		{"a policy for clients", func(f *flow.Facts) {
			f.Realm.Extra = extra("clientPolicies", `{"policies":[{"name":"fapi","enabled":true}]}`)
		}, oauth.UnenforcedPolicy},
		{"a policy for clients that is off", func(f *flow.Facts) {
			f.Realm.Extra = extra("clientPolicies", `{"policies":[{"name":"fapi","enabled":false}]}`)
		}, ""},
		{"no policies for clients", func(f *flow.Facts) { f.Realm.Extra = extra("clientPolicies", `{"policies":[]}`) }, ""},
		{"policies for clients that do not parse", func(f *flow.Facts) { f.Realm.Extra = extra("clientPolicies", `[]`) }, oauth.UnenforcedPolicy},
		{"clients authenticate in another way", func(f *flow.Facts) { f.Realm.Extra = extra("clientAuthenticationFlow", `"mine"`) }, oauth.UnenforcedPolicy},
		{"remember-me switched off", func(f *flow.Facts) { f.Session.RememberMe = true }, oauth.SessionNotActive},
		{"remember-me", func(f *flow.Facts) { f.Session.RememberMe, f.Realm.RememberMe = true, true }, ""},
		{"accepted by name", func(f *flow.Facts) {
			f.Realm.PasswordPolicy = "length(8)"
			f.Realm.Attributes = map[string]string{realm.AcceptedAttribute: "verifyEmail##passwordPolicy"}
		}, ""},
		{"another one accepted", func(f *flow.Facts) {
			f.Realm.PasswordPolicy = "length(8)"
			f.Realm.Attributes = map[string]string{realm.AcceptedAttribute: "verifyEmail"}
		}, oauth.UnenforcedPolicy},
		{"a service account has no second factor", func(f *flow.Facts) { f.NotActing, f.Session, f.Realm.PasswordPolicy = true, nil, "length(8)" }, ""},
		{"a service account's tokens bound by DPoP", func(f *flow.Facts) {
			f.NotActing, f.Session, f.Client.Attributes = true, nil, map[string]string{"dpop.bound.access.tokens": "true"}
		}, oauth.UnenforcedPolicy},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := facts()
			c.change(&f)
			err := flow.MayIssue(f)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || oauth.ReasonOf(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func extra(name, value string) map[string]json.RawMessage {
	return map[string]json.RawMessage{name: json.RawMessage(value)}
}

// CVE-2025-11429: a realm that no longer remembers gives nobody the longer life.
func TestSessionLimits(t *testing.T) {
	lives := realm.Lifespans{SSOSessionIdle: 10, SSOSessionMax: 20, SSOSessionIdleRememberMe: 100, SSOSessionMaxRememberMe: 200}
	shorter := realm.Lifespans{SSOSessionIdle: 10, SSOSessionMax: 20, SSOSessionIdleRememberMe: 5}
	for _, c := range []struct {
		name             string
		lives            realm.Lifespans
		remembers, asked bool
		idle, most       time.Duration
	}{
		{"remembered", lives, true, true, 100 * time.Second, 200 * time.Second},
		{"not asked for", lives, true, false, 10 * time.Second, 20 * time.Second},
		{"switched off since", lives, false, true, 10 * time.Second, 20 * time.Second},
		{"neither", lives, false, false, 10 * time.Second, 20 * time.Second},
		{"shorter, and not set", shorter, true, true, 10 * time.Second, 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			idle, most := flow.SessionLimits(&realm.Realm{RememberMe: c.remembers, Lifespans: c.lives}, &realm.Session{RememberMe: c.asked})
			if idle != c.idle || most != c.most {
				t.Errorf("got %v and %v, want %v and %v", idle, most, c.idle, c.most)
			}
		})
	}
}

func TestClientLimits(t *testing.T) {
	for _, c := range []struct {
		name      string
		own       map[string]string
		realmIdle int
		want      time.Duration
	}{
		{"its own", map[string]string{"client.session.idle.timeout": "60"}, 300, time.Minute},
		{"the realm's", nil, 300, 5 * time.Minute},
		{"0 inherits", map[string]string{"client.session.idle.timeout": "0"}, 300, 5 * time.Minute},
		{"less than nothing inherits", map[string]string{"client.session.idle.timeout": "-1"}, 300, 5 * time.Minute},
		{"no number inherits", map[string]string{"client.session.idle.timeout": "60s"}, 300, 5 * time.Minute},
		{"more than a number holds inherits", map[string]string{"client.session.idle.timeout": "9223372036854775807"}, 300, 5 * time.Minute},
		{"the realm's less than nothing", nil, -1, 0},
		{"neither", nil, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &realm.Realm{Lifespans: realm.Lifespans{ClientSessionIdle: c.realmIdle, ClientSessionMax: 7}}
			idle, most := flow.ClientLimits(r, &realm.Client{Attributes: c.own})
			if idle != c.want || most != 7*time.Second {
				t.Errorf("got %v and %v, want %v and 7s", idle, most, c.want)
			}
		})
	}
}
