package provider

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/oauth"
	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/urls"
	"github.com/latchkey-id/latchkey/internal/web"
)

// resolver finds the realm of a request and the origin it came to.
type resolver struct {
	store   *store.Store
	origins []string
	hosts   []string // of the origins
	proxies web.Proxies
}

// newResolver takes the origins apart once; checkOrigins has seen to their form.
func newResolver(s *store.Store, origins []string, proxies web.Proxies) *resolver {
	v := &resolver{store: s, origins: trimmed(origins), proxies: proxies}
	for _, o := range v.origins {
		_, host, _ := strings.Cut(o, "://")
		v.hosts = append(v.hosts, host)
	}
	return v
}

// Resolve gives the realm named in the path. Reasons: RealmNotFound, HTTPSRequired.
func (v *resolver) Resolve(r *http.Request) (*realm.Realm, urls.Realm, error) {
	name := r.PathValue("realm")
	at := urls.Realm{Origin: v.Origin(r), Name: name}
	if realm.CheckName(name) != nil {
		return nil, at, oauth.Refuse(oauth.RealmNotFound, "")
	}
	in, err := v.store.RealmByName(r.Context(), name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, at, oauth.Refuse(oauth.RealmNotFound, "")
	}
	if err != nil {
		return nil, at, err
	}
	if in.SSLRequired != "none" && strings.HasPrefix(at.Origin, "http://") && !urls.IsLoopback(at.Origin) {
		return nil, at, oauth.Refuse(oauth.HTTPSRequired, "")
	}
	return in, at, nil
}

// Origin is the configured origin that a request came to: the one whose host its
// Host header names, the canonical one otherwise. A Host header can choose among
// what is configured and never add to it (CVE-2025-64101).
func (v *resolver) Origin(r *http.Request) string {
	i := slices.IndexFunc(v.hosts, func(host string) bool { return strings.EqualFold(host, r.Host) })
	return v.origins[max(i, 0)]
}

// place is where a page stands that could not find out itself: what failed before may
// be anything, so that nothing here can fail.
func (v *resolver) place(r *http.Request) web.Place {
	name := r.PathValue("realm")
	if realm.CheckName(name) != nil {
		return web.Place{Name: name}
	}
	in, err := v.store.RealmByName(r.Context(), name)
	if err != nil {
		return web.Place{Name: name}
	}
	at := web.Place{Name: in.Title()}
	if id := r.URL.Query().Get("client_id"); id != "" {
		if c, err := v.store.ClientByClientID(r.Context(), in.ID, id); err == nil {
			at.BackURL = c.Home()
		}
	}
	return at
}

// errors answers what Keycloak answers before any surface: an unknown realm and
// a foreign origin are bare {"error": …} everywhere.
func (v *resolver) errors(next web.ErrorWriter) web.ErrorWriter {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		err = fromStore(err)
		switch reason := oauth.ReasonOf(err); reason {
		case oauth.RealmNotFound:
			web.WriteJSONError(w, http.StatusNotFound, "Realm does not exist")
		case oauth.InvalidOrigin:
			web.NoStore(w)
			web.WriteJSONError(w, http.StatusForbidden, "Invalid origin")
		default:
			next(w, r, err)
		}
	}
}

// fromStore gives the store's failures that say nothing about the request, or
// everything, their reason. Whatever a surface made of one on its way, "invalid
// token" say, an outage stays an outage.
func fromStore(err error) error {
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return oauth.RefuseBecause(oauth.Unavailable, err)
	case errors.Is(err, store.ErrText):
		return oauth.RefuseBecause(oauth.InvalidForm, err)
	}
	return err
}

// nothing answers paths that no surface has, in Keycloak's words.
func (v *resolver) nothing(w http.ResponseWriter, r *http.Request) {
	rest, below := strings.CutPrefix(r.URL.Path, "/realms/")
	if !below {
		web.WriteJSONError(w, http.StatusNotFound, "Unable to find matching target resource method")
		return
	}
	name, path, _ := strings.Cut(rest, "/")
	_, err := v.store.RealmByName(r.Context(), name)
	if errors.Is(err, store.ErrUnavailable) {
		web.RetryLater(w)
		web.WriteJSONError(w, http.StatusServiceUnavailable, "temporarily_unavailable")
		return
	}
	if err != nil {
		web.WriteJSONError(w, http.StatusNotFound, "Realm does not exist")
		return
	}
	if protocol, ok := strings.CutPrefix(path, "protocol/"); ok && !strings.HasPrefix(protocol, "openid-connect") {
		web.WriteJSONError(w, http.StatusNotFound, "Protocol not found")
		return
	}
	web.WriteJSONError(w, http.StatusNotFound, "HTTP 404 Not Found")
}
