package oauth_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/latchkey-id/latchkey/internal/oauth"
)

func TestAnswerTo(t *testing.T) {
	cause := errors.New("secret=hunter2")
	for _, c := range []struct {
		name string
		err  error
		want oauth.Answer
	}{
		{"a refusal", oauth.Refuse(oauth.CodeNotValid, ""), oauth.Answer{Code: "invalid_grant", Status: 400, Description: "Code not valid"}},
		{"wrapped", fmt.Errorf("exchange: %w", oauth.Refuse(oauth.WrongSecret, "")),
			oauth.Answer{Code: "unauthorized_client", Status: 401, Description: "Invalid client or Invalid client credentials"}},
		{"with a detail", oauth.Refuse(oauth.InvalidScope, "openid x"), oauth.Answer{Code: "invalid_scope", Status: 400, Description: "Invalid scopes: openid x"}},
		{"a cause is not sent", oauth.RefuseBecause(oauth.TokenInvalid, cause), oauth.Answer{Code: "invalid_token", Status: 401, Description: "Token verification failed"}},
		{"any other error", cause, oauth.Answer{Code: "server_error", Status: 500}},
		{"a reason without a row", oauth.Refuse("nonsense", "x"), oauth.Answer{Code: "server_error", Status: 500}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, oauth.AnswerTo(c.err)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCauseStaysForTheLog(t *testing.T) {
	cause := errors.New("row is gone")
	err := oauth.RefuseBecause(oauth.CodeNotValid, cause)
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "row is gone") {
		t.Errorf("the log would read %q", err)
	}
}

func TestTheLogNamesReasonDetailAndCause(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"a reason", oauth.Refuse(oauth.WrongSecret, ""), "wrong_client_secret"},
		{"a detail", oauth.Refuse(oauth.WrongSecret, "app"), "wrong_client_secret (app)"},
		{"a cause", oauth.RefuseBecause(oauth.WrongSecret, errors.New("no row")), "wrong_client_secret: no row"},
		{"both", &oauth.Error{Reason: oauth.WrongSecret, Detail: "app", Cause: errors.New("no row")}, "wrong_client_secret (app): no row"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.err.Error(); got != c.want {
				t.Errorf("the log would read %q, want %q", got, c.want)
			}
		})
	}
}

// A reason without a row would answer 500 where a refusal was meant.
func TestEveryReasonHasARow(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || spec.Type == nil || len(spec.Values) != 1 {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != "Reason" {
			return true
		}
		reason, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		a := oauth.AnswerTo(oauth.Refuse(oauth.Reason(reason), ""))
		if a.Code == "server_error" && oauth.Reason(reason) != oauth.ServerError {
			t.Errorf("reason %q has no row in answers", reason)
		}
		return true
	})
	if n < 50 {
		t.Errorf("only %d reasons found: the test no longer reads the table", n)
	}
}
