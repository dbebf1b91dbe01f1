package token

import (
	"strings"
	"sync"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// basis is all that the mappers of an access token read. Two that are equal lead to
// the same claims.
type basis struct {
	realm                *realm.Realm // the very one: whatever of a realm's configuration changes, the store gives another
	client               *realm.Client
	user                 string
	version, gate        int64
	roles, groups, lent  string
	asked, since         int64 // when the user was asked, and the session began
	fromBrowser, enabled bool
}

func basisOf(r *realm.Realm, a *Access) basis {
	u := a.User
	b := basis{realm: r, client: a.Client, user: u.ID, version: u.Version, gate: u.Gate, enabled: u.Enabled,
		roles: strings.Join(u.RoleIDs, " "), groups: strings.Join(u.GroupIDs, " "), lent: strings.Join(u.ViaGroupIDs, " ")}
	if a.Session != nil {
		b.asked, b.since, b.fromBrowser = a.Session.AuthTime.Unix(), a.Session.StartedAt.UnixMilli(), a.Session.TokenHash != nil
	}
	return b
}

// mostUnchanged is how many tokens are remembered; they are forgotten all at once.
const mostUnchanged = 4096

// Unchanged remembers of access tokens, by their jti, on what basis they were found
// to say what the mappers would say: whoever is asked about a token again and again,
// as a resource server asks, need not run them each time. What a token is worth is
// looked at every time; this is about its words alone. The zero value is empty, nil
// remembers nothing. It is safe for concurrent use.
type Unchanged struct {
	mu sync.Mutex
	by map[string]basis
}

func (u *Unchanged) since(jti string, b basis) bool {
	if u == nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	was, ok := u.by[jti]
	return ok && was == b
}

func (u *Unchanged) keep(jti string, b basis) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.by == nil || len(u.by) >= mostUnchanged {
		u.by = map[string]basis{}
	}
	u.by[jti] = b
}
