package token

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/jose"
	"github.com/latchkey-id/latchkey/internal/realm"
)

// LongestLife is how long a token that a realm's key of this algorithm signs now
// can live, by the lifespans as they are set: for HS512 a refresh token, offline
// ones included, for the others an access or ID token of any of the clients. It
// errs on the long side; keys are retired by it.
func LongestLife(r *realm.Realm, clients []*realm.Client, algorithm string) time.Duration {
	l := r.Lifespans
	session := max(l.SSOSessionMax, l.SSOSessionMaxRememberMe, l.SSOSessionIdle, l.SSOSessionIdleRememberMe)
	if algorithm == jose.HS512 {
		return realm.Seconds(max(session, l.OfflineSessionIdle, l.ClientOfflineSessionIdle))
	}
	longest := max(l.AccessToken, l.AccessTokenImplicit)
	for _, c := range clients {
		n := attributeSeconds(c, "access.token.lifespan", l.AccessToken)
		if n <= 0 { // as long as its session
			n = session
		}
		longest = max(longest, n)
	}
	return realm.Seconds(longest)
}
