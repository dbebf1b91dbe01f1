package realm

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

// Realm is one tenant: its settings, its users and its clients.
type Realm struct {
	ID      string // UUID
	Name    string // in every path; see CheckName
	Version int64  // bumped by every write to the realm or to anything cached in it

	Enabled         bool
	DisplayName     string
	DisplayNameHTML string
	SSLRequired     string // none | external | all
	NotBefore       int64  // seconds since 1970: tokens issued before it are void

	DefaultSignatureAlgorithm string // RS256, ES256, EdDSA, …
	Lifespans                 Lifespans
	RevokeRefreshToken        bool
	RefreshTokenMaxReuse      int

	RegistrationAllowed         bool
	RegistrationEmailAsUsername bool
	RememberMe                  bool
	VerifyEmail                 bool
	LoginWithEmailAllowed       bool
	DuplicateEmailsAllowed      bool
	ResetPasswordAllowed        bool
	EditUsernameAllowed         bool

	BruteForce     BruteForce
	PasswordPolicy string // Keycloak's string form, "length(8) and digits(1)"

	DefaultRoleID string            // role default-roles-<realm>
	Attributes    map[string]string // includes latchkey.… switches, see Profile
	// Extra holds every member of the representation that has no field here,
	// by its JSON name (flows, smtpServer, …), so that nothing is lost.
	Extra map[string]json.RawMessage
}

// Lifespans are in seconds, with Keycloak's names. 0 means what Keycloak means
// by it: inherit, for the remember-me and client session ones.
type Lifespans struct {
	AccessToken              int // accessTokenLifespan
	AccessTokenImplicit      int // accessTokenLifespanForImplicitFlow
	SSOSessionIdle           int // ssoSessionIdleTimeout
	SSOSessionMax            int // ssoSessionMaxLifespan
	SSOSessionIdleRememberMe int
	SSOSessionMaxRememberMe  int
	OfflineSessionIdle       int
	OfflineSessionMaxEnabled bool
	OfflineSessionMax        int
	ClientSessionIdle        int
	ClientSessionMax         int
	ClientOfflineSessionIdle int
	ClientOfflineSessionMax  int
	AccessCode               int // accessCodeLifespan
	AccessCodeUserAction     int
	AccessCodeLogin          int // accessCodeLifespanLogin
	ActionTokenByAdmin       int
	ActionTokenByUser        int
	DeviceCode               int
	DevicePollingInterval    int
}

// BruteForce are the realm's settings against password guessing, with
// Keycloak's meaning (seconds unless said).
type BruteForce struct {
	Protected             bool
	PermanentLockout      bool
	MaxTemporaryLockouts  int
	Strategy              string // LINEAR | MULTIPLE
	MaxFailureWait        int
	MinimumQuickLoginWait int
	WaitIncrement         int
	QuickLoginCheckMillis int64
	MaxDeltaTime          int
	FailureFactor         int
}

// Title is what a person sees of a realm.
func (r *Realm) Title() string {
	if r.DisplayName != "" {
		return r.DisplayName
	}
	return r.Name
}

// Seconds turns a lifespan into a duration.
func Seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// Client is an application registered in a realm.
type Client struct {
	ID       string // UUID
	RealmID  string
	ClientID string // the client_id of the protocol
	Version  int64
	Gate     int64 // raised when tokens must no longer be issued on old facts

	Name, Description          string
	RootURL, BaseURL, AdminURL string
	Enabled                    bool
	Public                     bool
	BearerOnly                 bool
	AuthenticatorType          string // client-secret, client-jwt, …
	SecretHash                 []byte // SHA-256 of the secret; nil without one
	RedirectURIs               []string
	WebOrigins                 []string
	Protocol                   string // openid-connect
	StandardFlow               bool
	ImplicitFlow               bool
	DirectAccessGrants         bool
	ServiceAccounts            bool
	ConsentRequired            bool
	FullScopeAllowed           bool
	FrontchannelLogout         bool
	NotBefore                  int64
	Attributes                 map[string]string
	Mappers                    []Mapper
	DefaultScopes              []string // client scope names
	OptionalScopes             []string // client scope names
	Extra                      map[string]json.RawMessage
}

// Home is the address of an application for a person who wants to go back to it, ""
// when none is known. It is what an administrator registered, never what a request
// says; our own applications, whose root is a variable, are not there yet.
func (c *Client) Home() string {
	home := c.BaseURL
	if strings.HasPrefix(home, "/") {
		home = strings.TrimSuffix(c.RootURL, "/") + home
	}
	u, err := url.Parse(home)
	if err != nil || !c.Enabled || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return home
}

// Attributes of a client that choose the algorithm of one kind of token in place
// of the realm's.
const (
	AccessTokenAlgorithm = "access.token.signed.response.alg"
	IDTokenAlgorithm     = "id.token.signed.response.alg"
)

// User is a person, or a service account when ServiceAccountClient is set.
type User struct {
	ID      string // UUID
	RealmID string
	Version int64
	Gate    int64

	Username             string // lower case
	Email                string // lower case; "" when there is none
	EmailVerified        bool
	FirstName            string
	LastName             string
	Enabled              bool
	CreatedAt            time.Time
	NotBefore            int64
	Attributes           map[string][]string
	RequiredActions      []string
	ServiceAccountClient string // client UUID
	Extra                map[string]json.RawMessage
}

// Credential is one way a user proves who they are. Data and Secret are
// Keycloak's credentialData and secretData JSON documents.
type Credential struct {
	ID        string
	UserID    string
	Type      string // password, otp, webauthn, …
	Label     string
	Data      string // not secret: algorithm, iterations
	Secret    string // sealed in the store: hash value and salt
	CreatedAt time.Time
	Priority  int
	Temporary bool
}

// Role is a realm role, or a client role when ClientID (a client's UUID) is set.
type Role struct {
	ID, RealmID, ClientID string
	Name, Description     string
	Composite             bool
	Attributes            map[string][]string
	Version               int64
}

// Group is a node in the tree of groups. Path is "/a/b".
type Group struct {
	ID, RealmID, ParentID string
	Name, Path            string
	Description           string
	Attributes            map[string][]string
	Version               int64
}

// ClientScope is a named set of mappers and roles that clients share.
type ClientScope struct {
	ID, RealmID string
	Name        string
	Description string
	Protocol    string
	Attributes  map[string]string
	Mappers     []Mapper
	Version     int64
	Extra       map[string]json.RawMessage
}

// Mapper turns something known of the user, the session or the client into a
// claim. Type is Keycloak's protocolMapper, for example
// "oidc-usermodel-property-mapper".
type Mapper struct {
	ID, Name, Protocol, Type string
	Config                   map[string]string
}
