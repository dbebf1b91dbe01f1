// Package latchkey logs people in: OpenID Connect for any net/http application.
//
//	auth, err := latchkey.New(latchkey.Config{
//		Issuer:       "https://sso.example.com/realms/demo",
//		ClientID:     "app",
//		ClientSecret: os.Getenv("CLIENT_SECRET"),
//		RedirectURI:  "https://app.example.com/oidc/callback",
//	})
//	if err != nil {
//		log.Fatal(err) // a mistake in the configuration, never the network
//	}
//	mux := http.NewServeMux()
//	mux.Handle("GET /protected", auth.RequireLogin(http.HandlerFunc(protected)))
//	mux.HandleFunc("/logout", auth.Logout)
//	if err := auth.Mount(mux); err != nil {
//		log.Fatal(err)
//	}
//	log.Fatal(http.ListenAndServe(":5000", auth.Middleware(mux)))
//
//	func protected(w http.ResponseWriter, r *http.Request) {
//		user := latchkey.UserFromContext(r.Context())
//		json.NewEncoder(w).Encode(user.Select("email", "sub", "name"))
//	}
//
// It is a relying party: the authorization code flow with PKCE, state and nonce,
// one transaction for each login, the ID token checked by a named list, sessions
// in sealed cookies or in a Store, refresh, and logout at both ends. It is no
// provider, and it never calls one for a page that needs no login.
//
// Applications import it; so do `latchkey app` and `latchkey demo`.
package latchkey
