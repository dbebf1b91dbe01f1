package latchkey

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/seal"
)

// ClientAuth is how the application proves to the token endpoint who it is. It is
// never found out by trying: a try that fails has used the code up.
type ClientAuth string

// The methods. The zero value chooses: none without a secret, otherwise what the
// provider lists, client_secret_basic first.
const (
	ClientSecretBasic ClientAuth = "client_secret_basic"
	ClientSecretPost  ClientAuth = "client_secret_post"
	NoClientAuth      ClientAuth = "none"
)

// Config is what the application knows of its provider. The first six fields are
// the six values that stand in a Keycloak admin console.
type Config struct {
	Issuer           string // Keycloak: Realm settings → General → Endpoints; https://host/realms/name
	ClientID         string // Keycloak: Clients → your client → Settings
	ClientSecret     string // Keycloak: Clients → your client → Credentials; empty for a public client
	RedirectURI      string // where the provider sends people back to; it gives the application's origin too
	TokenEndpoint    string // optional: discovery gives it; given, it wins
	UserinfoEndpoint string // optional: discovery gives it; given, it wins

	Scopes                []string // "openid email profile" when empty; openid is always asked for
	SessionKeys           [][]byte // seal sessions, newest first, 32 bytes or more each; random when empty
	Store                 Store    // keeps sessions on the server; nil keeps them in sealed cookies
	PostLogoutRedirectURI string   // where the provider sends people after a logout; RedirectURI when empty
	ClientAuth            ClientAuth
	FormPost              bool              // ask for response_mode=form_post; https only
	Transport             http.RoundTripper // for calls to the provider; the standard one when nil
	Logger                *slog.Logger      // slog.Default() when nil
	SessionLife           time.Duration     // a session's longest life; 10 hours when 0
	Leeway                time.Duration     // between the two clocks; 60 seconds when 0
	Now                   func() time.Time  // time.Now when nil
}

// ConfigError is a mistake in the configuration: which field, what is wrong with
// it, and where its value is to be found.
type ConfigError struct{ Field, Problem, Where string }

func (e *ConfigError) Error() string {
	s := "latchkey: " + e.Field + " " + e.Problem
	if e.Where != "" {
		s += "; " + e.Where
	}
	return s
}

// where says where each value stands in Keycloak's admin console.
func where(field string) string {
	switch field {
	case "Issuer":
		return "in the admin console: Realm settings → General → Endpoints → OpenID Endpoint Configuration, the value of \"issuer\" (https://your host/realms/your realm's name)"
	case "ClientID":
		return "in the admin console: Clients → your client → Settings → Client ID"
	case "ClientSecret":
		return "in the admin console: Clients → your client → Credentials → Client Secret"
	case "RedirectURI":
		return "the application's own callback address, as it is registered: Clients → your client → Settings → Valid redirect URIs (for example http://localhost:5000/oidc/callback)"
	case "TokenEndpoint":
		return "in the admin console: Realm settings → General → Endpoints → OpenID Endpoint Configuration, the value of \"token_endpoint\"; it may be left out"
	case "UserinfoEndpoint":
		return "in the admin console: Realm settings → General → Endpoints → OpenID Endpoint Configuration, the value of \"userinfo_endpoint\"; it may be left out"
	}
	return ""
}

func problem(field, format string, args ...any) error {
	return &ConfigError{Field: field, Problem: fmt.Sprintf(format, args...), Where: where(field)}
}

// check refuses what cannot work and what stands in a guide as an example.
func (c *Config) check() error {
	for _, v := range []struct {
		field, value string
		required     bool
	}{
		{"Issuer", c.Issuer, true}, {"ClientID", c.ClientID, true}, {"RedirectURI", c.RedirectURI, true},
		{"ClientSecret", c.ClientSecret, false}, {"TokenEndpoint", c.TokenEndpoint, false}, {"UserinfoEndpoint", c.UserinfoEndpoint, false},
	} {
		if v.value == "" && v.required {
			return problem(v.field, "is missing")
		}
		if word := placeholder(v.value); word != "" {
			return problem(v.field, "is %q: %q is a placeholder of the guide", v.value, word)
		}
	}
	for field, value := range map[string]string{"Issuer": c.Issuer, "RedirectURI": c.RedirectURI, "TokenEndpoint": c.TokenEndpoint,
		"UserinfoEndpoint": c.UserinfoEndpoint, "PostLogoutRedirectURI": c.PostLogoutRedirectURI} {
		if err := checkURL(field, value); err != nil {
			return err
		}
	}
	return c.checkRest()
}

// placeholder finds the words that the guide tells its reader to replace.
func placeholder(value string) string {
	low := strings.ToLower(value)
	for _, exact := range []string{"CLIENT_ID", "CLIENT_SECRET", "ISSUER", "REDIRECT_URI", "TOKEN_ENDPOINT", "USERINFO_ENDPOINT"} {
		if value == exact {
			return exact
		}
	}
	for _, word := range []string{"your-realm", "your-keycloak-domain", "your-domain", "your-client", "your-random-secret", "changeme"} {
		if strings.Contains(low, word) {
			return word
		}
	}
	return ""
}

func checkURL(field, value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return problem(field, "is %q, which is no URL", value)
	case u.Scheme != "https" && u.Scheme != "http":
		return problem(field, "is %q; it has to begin with https:// (or http:// on localhost)", value)
	case u.Host == "" || u.User != nil || u.Fragment != "":
		return problem(field, "is %q; it needs a host, and neither user name nor fragment", value)
	case u.Scheme == "http" && !isLoopback(u.Hostname()) && field != "TokenEndpoint" && field != "UserinfoEndpoint":
		// The two endpoints may be plain http: in a split horizon they are inside.
		return problem(field, "is %q; plain http is for localhost alone, use https", value)
	case field == "Issuer" && u.RawQuery != "":
		return problem(field, "is %q; an issuer has no query", value)
	}
	return nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}

func (c *Config) checkRest() error {
	if c.SessionLife < 0 || c.Leeway < 0 {
		return &ConfigError{Field: "SessionLife", Problem: "and Leeway cannot be negative"}
	}
	u, err := url.Parse(c.RedirectURI)
	if err != nil || u.Path == "" || u.Path == "/" {
		return problem("RedirectURI", "is %q; it needs a path of its own", c.RedirectURI)
	}
	if c.FormPost && u.Scheme != "https" {
		return problem("FormPost", "needs an https RedirectURI: its cookie has to travel cross-site")
	}
	if !slices.Contains([]ClientAuth{"", ClientSecretBasic, ClientSecretPost, NoClientAuth}, c.ClientAuth) {
		return problem("ClientAuth", "is %q; it is client_secret_basic, client_secret_post or none", c.ClientAuth)
	}
	if c.ClientSecret == "" && (c.ClientAuth == ClientSecretBasic || c.ClientAuth == ClientSecretPost) {
		return problem("ClientSecret", "is missing, and ClientAuth says %s", c.ClientAuth)
	}
	return nil
}

// ring makes the keys that seal sessions. Without keys a random one serves until
// the program ends.
func (c *Config) ring() (*seal.Ring, error) {
	keys := c.SessionKeys
	if len(keys) == 0 {
		c.Logger.Warn("latchkey: no SessionKeys: sessions end when this program does; give it 32 random bytes to keep them")
		keys = [][]byte{seal.RandomSecret()}
	}
	ring, err := seal.NewRing(keys...)
	if err != nil {
		return nil, &ConfigError{Field: "SessionKeys", Problem: "cannot be used: " + err.Error()}
	}
	return ring, nil
}

func (c *Config) defaults() {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.SessionLife == 0 {
		c.SessionLife = 10 * time.Hour
	}
	if c.Leeway == 0 {
		c.Leeway = time.Minute
	}
	if c.PostLogoutRedirectURI == "" {
		c.PostLogoutRedirectURI = c.RedirectURI
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"openid", "email", "profile"}
	}
	if !slices.Contains(c.Scopes, "openid") {
		c.Scopes = append([]string{"openid"}, c.Scopes...)
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
}
