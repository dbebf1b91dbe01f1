// Command guide is the guide's application on package latchkey.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"

	"github.com/latchkey-id/latchkey"
)

func main() {
	cfg, err := latchkey.ConfigFromEnv() // CLIENT_ID, CLIENT_SECRET, ISSUER, REDIRECT_URI, …
	if err != nil {
		log.Fatal(err)
	}
	auth, err := latchkey.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	app := http.NewServeMux()
	app.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Welcome to the public route.") })
	app.Handle("GET /protected", auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := latchkey.UserFromContext(r.Context()).Select("email", "sub", "name")
		json.NewEncoder(w).Encode(map[string]any{"message": "You are authenticated", "user": user})
	})))
	app.HandleFunc("/logout", auth.Logout)
	if err := auth.Mount(app); err != nil {
		log.Fatal(err)
	}
	at, _ := url.Parse(cfg.RedirectURI)
	log.Fatal(http.ListenAndServe(at.Host, auth.Middleware(app)))
}
