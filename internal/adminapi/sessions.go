package adminapi

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/flow"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
)

func sessionRoutes() []route {
	users := []string{"view-users", "manage-users"}
	clients := []string{"view-clients", "manage-clients"}
	return []route{
		{http.MethodGet, "realms/{realm}/users/{user}/sessions", users, (*API).listUserSessions},
		{http.MethodGet, "realms/{realm}/users/{user}/offline-sessions/{client}", users, (*API).listUserOffline},
		{http.MethodGet, "realms/{realm}/clients/{client}/user-sessions", clients, (*API).listClientSessions},
		{http.MethodGet, "realms/{realm}/clients/{client}/session-count", clients, (*API).countClientSessions},
		{http.MethodGet, "realms/{realm}/clients/{client}/offline-sessions", clients, (*API).listClientOffline},
		{http.MethodGet, "realms/{realm}/clients/{client}/offline-session-count", clients, (*API).countClientOffline},
		{http.MethodGet, "realms/{realm}/client-session-stats", []string{"view-realm", "manage-realm"}, (*API).sessionStats},
		{http.MethodDelete, "realms/{realm}/sessions/{session}", []string{"manage-users"}, (*API).endSession},
		{http.MethodPost, "realms/{realm}/logout-all", []string{"manage-users"}, (*API).logoutAll},
		{http.MethodPost, "realms/{realm}/push-revocation", []string{"manage-realm"}, (*API).pushRevocation},
		{http.MethodPost, "realms/{realm}/clients/{client}/push-revocation", []string{"manage-clients"}, (*API).pushClientRevocation},
	}
}

// alive says from when on sessions of a realm still live.
func (a *API) alive(r *realm.Realm) store.Alive {
	now := a.Now()
	since := func(remember bool) (seen, started time.Time) {
		idle, most := flow.SessionLimits(r, &realm.Session{RememberMe: remember})
		return now.Add(-idle), now.Add(-most)
	}
	var out store.Alive
	out.Seen, out.Started = since(false)
	out.RememberSeen, out.RememberStarted = since(true)
	return out
}

// offline says it of offline sessions, which last for ever unless the realm limits them.
func (a *API) offline(r *realm.Realm) store.Alive {
	out := store.Alive{Offline: true, Seen: a.Now().Add(-realm.Seconds(r.Lifespans.OfflineSessionIdle))}
	if r.Lifespans.OfflineSessionMaxEnabled {
		out.Started = a.Now().Add(-realm.Seconds(r.Lifespans.OfflineSessionMax))
	}
	out.RememberSeen, out.RememberStarted = out.Seen, out.Started
	return out
}

func (a *API) listUserSessions(c *call) error {
	u, err := a.user(c)
	if err != nil {
		return err
	}
	first, limit, err := c.page(most)
	if err != nil {
		return err
	}
	found, err := a.Store.LiveUserSessions(c.ctx(), c.realm.ID, u.ID, a.alive(c.realm), first, min(max(limit, 0), most))
	if err != nil {
		return err
	}
	return c.sessions(found)
}

func (a *API) listClientSessions(c *call) error { return a.clientSessions(c, a.alive(c.realm)) }
func (a *API) listClientOffline(c *call) error  { return a.clientSessions(c, a.offline(c.realm)) }

func (a *API) clientSessions(c *call, alive store.Alive) error {
	cl, err := a.client(c)
	if err != nil {
		return err
	}
	first, limit, err := c.page(100)
	if err != nil {
		return err
	}
	found, err := a.Store.LiveClientSessions(c.ctx(), c.realm.ID, cl.ID, alive, first, min(max(limit, 0), most))
	if err != nil {
		return err
	}
	return c.sessions(found)
}

// listUserOffline gives a user's offline sessions with one client.
func (a *API) listUserOffline(c *call) error {
	u, err := a.user(c)
	if err != nil {
		return err
	}
	cl, err := a.client(c)
	if err != nil {
		return err
	}
	found, err := a.Store.LiveUserSessions(c.ctx(), c.realm.ID, u.ID, a.offline(c.realm), 0, most)
	if err != nil {
		return err
	}
	return c.sessions(slices.DeleteFunc(found, func(s store.LiveSession) bool { return s.Clients[cl.ID] == "" }))
}

// sessions answers with UserSessionRepresentations; times are Unix milliseconds.
func (c *call) sessions(found []store.LiveSession) error {
	out := []map[string]any{}
	for _, s := range found {
		out = append(out, map[string]any{"id": s.ID, "username": s.Username, "userId": s.UserID, "ipAddress": s.IP, "start": millis(s.StartedAt),
			"lastAccess": millis(s.LastSeenAt), "rememberMe": s.RememberMe, "clients": s.Clients, "transientUser": false})
	}
	return c.json(out)
}

func (a *API) countClientSessions(c *call) error { return a.count(c, a.alive(c.realm)) }
func (a *API) countClientOffline(c *call) error  { return a.count(c, a.offline(c.realm)) }

func (a *API) count(c *call, alive store.Alive) error {
	cl, err := a.client(c)
	if err != nil {
		return err
	}
	n, err := a.Store.CountClientSessions(c.ctx(), c.realm.ID, cl.ID, alive)
	if err != nil {
		return err
	}
	return c.json(map[string]int{"count": n})
}

// sessionStats counts the sessions of each client that has some.
func (a *API) sessionStats(c *call) error {
	stats := map[string]map[string]string{}
	for kind, alive := range map[string]store.Alive{"active": a.alive(c.realm), "offline": a.offline(c.realm)} {
		counts, err := a.Store.ClientSessionCounts(c.ctx(), c.realm.ID, alive)
		if err != nil {
			return err
		}
		for _, n := range counts {
			if stats[n.ID] == nil {
				stats[n.ID] = map[string]string{"id": n.ID, "clientId": n.ClientID, "active": "0", "offline": "0"}
			}
			stats[n.ID][kind] = strconv.Itoa(n.Count)
		}
	}
	out := slices.SortedFunc(maps.Values(stats), func(x, y map[string]string) int { return strings.Compare(x["clientId"], y["clientId"]) })
	if out == nil {
		out = []map[string]string{}
	}
	return c.json(out)
}

func (a *API) endSession(c *call) error {
	s, err := a.Store.Session(c.ctx(), c.realm.ID, c.path["session"])
	if err != nil || !s.EndedAt.IsZero() {
		return notFound("Sesssion not found") // three s, as Keycloak spells it
	}
	if err := a.Store.EndSession(c.ctx(), c.realm.ID, s.ID); err != nil {
		return err
	}
	return c.noContent()
}

// logoutAll ends every session of the realm; what was issued before now is void.
func (a *API) logoutAll(c *call) error {
	r := *c.realm
	r.NotBefore = a.Now().Unix()
	if err := a.Store.LogoutAll(c.ctx(), &r); err != nil {
		return err
	}
	return a.notTold(c)
}

// pushRevocation changes nothing: whoever verifies a token here looks at the
// not-before of the realm itself.
func (a *API) pushRevocation(c *call) error { return a.notTold(c) }

// notTold answers with the clients that wait to be told at their admin URL: that
// is an interface of Keycloak's own adapters, and nobody is called.
func (a *API) notTold(c *call) error {
	all, err := a.Store.Clients(c.ctx(), c.realm.ID, store.ClientFilter{})
	if err != nil {
		return err
	}
	return c.untold(all)
}

func (a *API) pushClientRevocation(c *call) error {
	cl, err := a.client(c)
	if err != nil {
		return err
	}
	return c.untold([]*realm.Client{cl})
}

func (c *call) untold(all []*realm.Client) error {
	out := map[string][]string{}
	for _, cl := range all {
		if cl.AdminURL != "" && cl.Enabled {
			out["failedRequests"] = append(out["failedRequests"], cl.AdminURL)
		}
	}
	return c.json(out)
}
