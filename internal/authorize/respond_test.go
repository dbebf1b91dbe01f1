package authorize

import (
	"errors"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/urls"
)

func visitOf(state string) *journey.Visit {
	return &journey.Visit{At: urls.Realm{Origin: "https://sso.example", Name: "demo"}, Client: &realm.Client{ClientID: "app"},
		Request: &realm.AuthRequest{Params: realm.AuthParams{ResponseType: "code", State: state, StateSent: true}}}
}

func outcomeOf(code string) journey.Outcome { return journey.Outcome{Code: code, SessionID: "sid"} }

// RFC 9207, section 2: iss is in every answer, those with an error too.
func TestAnswerParams(t *testing.T) {
	attribute := func(name, value string) func(*journey.Visit) {
		return func(v *journey.Visit) { v.Client.Attributes = map[string]string{name: value} }
	}
	refused := journey.Outcome{Err: oauth.Refuse(oauth.LoginRequired, ""), Code: "c", SessionID: "sid"}
	for _, c := range []struct {
		name    string
		change  func(*journey.Visit)
		outcome journey.Outcome
		want    string // the names
	}{
		{"a code", nil, outcomeOf("c"), "state session_state iss code"},
		{"an error gives neither code nor session", nil, refused, "error state iss"},
		{"an error that is explained", nil, journey.Outcome{Err: oauth.Refuse(oauth.InvalidScope, "x")}, "error error_description state iss"},
		{"an error of the server", nil, journey.Outcome{Err: errors.New("disk full")}, "error state iss"},
		{"no state was sent", func(v *journey.Visit) { v.Request.Params.StateSent = false }, outcomeOf("c"), "session_state iss code"},
		{"without session_state", attribute("exclude.session.state.from.auth.response", "true"), outcomeOf("c"), "state iss code"},
		{"with session_state", attribute("exclude.session.state.from.auth.response", "false"), outcomeOf("c"), "state session_state iss code"},
		{"without iss", attribute("exclude.issuer.from.auth.response", "true"), outcomeOf("c"), "state session_state code"},
		{"with iss", attribute("exclude.issuer.from.auth.response", "false"), outcomeOf("c"), "state session_state iss code"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := visitOf("s")
			if c.change != nil {
				c.change(v)
			}
			var names []string
			for _, p := range answerParams(v, c.outcome) {
				names = append(names, p.Name)
				if p.Name == "iss" && p.Value != "https://sso.example/realms/demo" {
					t.Errorf("iss is %q", p.Value)
				}
				if strings.Contains(p.Value, "disk") {
					t.Errorf("%s tells %q", p.Name, p.Value)
				}
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestMode(t *testing.T) {
	for _, c := range []struct{ types, sent, want string }{
		{"code", "", ""}, {"code", "form_post", "form_post"}, {"code", "fragment", "fragment"}, {"token", "", "fragment"},
		{"code id_token", "", "fragment"}, {"id_token", "form_post", "form_post"},
	} {
		v := visitOf("s")
		v.Request.Params.ResponseType, v.Request.Params.ResponseMode = c.types, c.sent
		if got := mode(v); got != c.want {
			t.Errorf("%s with %q is %q, want %q", c.types, c.sent, got, c.want)
		}
	}
}
