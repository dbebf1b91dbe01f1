package web

import (
	"net/http"
	"slices"

	"github.com/latchkey-id/latchkey/internal/oauth"
)

// AllowOrigin answers a request from another origin: allowed only for the web
// origins of the client that the request belongs to, and computed once that
// client is known (S-08). origins may hold "*", which never comes with
// credentials. Reason: InvalidOrigin.
func AllowOrigin(w http.ResponseWriter, r *http.Request, origins []string) error {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	w.Header().Add("Vary", "Origin")
	switch {
	case slices.Contains(origins, origin):
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Allow-Credentials", "true")
	case slices.Contains(origins, "*"):
		w.Header().Set("Access-Control-Allow-Origin", "*")
	default:
		return oauth.Refuse(oauth.InvalidOrigin, "")
	}
	w.Header().Set("Access-Control-Expose-Headers", "Access-Control-Allow-Methods")
	return nil
}

// Public answers a document that anybody may read and that holds nothing of
// whoever asks: any origin gets it, as from Keycloak.
func Public(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Access-Control-Expose-Headers", "Access-Control-Allow-Methods")
	}
}

// Allow answers an OPTIONS request with the methods alone: what is no business of
// another origin's scripts gives them nothing (S-08).
func Allow(methods string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Allow", methods) }
}

// Preflight answers an OPTIONS request for some methods, for any origin as
// Keycloak does: whether the request itself is allowed is decided when it comes.
func Preflight(methods string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if origin := r.Header.Get("Origin"); origin != "" {
			h.Add("Vary", "Origin")
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers", "Accept, Access-Control-Request-Headers, Access-Control-Request-Method, Authorization, Content-Type, DPoP, Origin, X-Requested-With")
			h.Set("Access-Control-Max-Age", "3600")
		}
		w.WriteHeader(http.StatusOK)
	}
}
