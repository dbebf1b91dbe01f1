// Package manage is what administrators do: make, change and import realms,
// clients and users, with the rules that hold however they are asked for.
//
// It speaks no HTTP: adminapi (JSON) and the command line call it. It decides no
// login.
package manage

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/password"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Master is the realm whose administrators administer every realm.
const Master = "master"

// Manager does what administrators do.
type Manager struct {
	Store     *store.Store
	Passwords *password.Pool
	Now       func() time.Time
	Loopback  bool // the provider is on loopback: redirect URI "*" is allowed
}

// InvalidError is input that a rule refuses. Text is Keycloak's where it has one;
// Field names the member, "" for the whole.
type InvalidError struct {
	Field, Text string
	Params      []any
	All         []*InvalidError // when several members are wrong
}

func (e *InvalidError) Error() string {
	if e.Field == "" {
		return e.Text
	}
	return e.Field + ": " + e.Text
}

func cloneExtra[V any](in map[string]V) map[string]V {
	out := map[string]V{}
	for k, v := range in {
		out[k] = v
	}
	return out
}
