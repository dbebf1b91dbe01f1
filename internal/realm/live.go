package realm

import "time"

// Session is a browser's login in a realm (Keycloak's user session). Its id is
// 24 characters of base64url and is the claim sid.
type Session struct {
	ID         string
	RealmID    string
	UserID     string
	TokenHash  []byte // SHA-256 of the value of KEYCLOAK_IDENTITY; nil for a grant without browser
	StartedAt  time.Time
	LastSeenAt time.Time // moved by single sign-on and refresh
	AuthTime   time.Time
	EndedAt    time.Time // zero while it lives; a tombstone after
	RememberMe bool
	Methods    []string // how the user proved who they are: pwd, otp, …
	IP         string
	UserAgent  string
	Offline    bool
}

// ClientSession is what one client was given in a session.
type ClientSession struct {
	SessionID, ClientID string // ClientID is the client's UUID
	RealmID             string
	StartedAt           time.Time
	LastSeenAt          time.Time
	Scope               string
	RedirectURI         string
	EndedAt             time.Time
}

// RequestState is where an authorization request stands. Each move is one
// conditional UPDATE.
type RequestState string

// The states of an authorization request.
const (
	RequestOpen          RequestState = "open"
	RequestActing        RequestState = "acting" // the user is proved and has something to do before anything is issued
	RequestAuthenticated RequestState = "authenticated"
	RequestDone          RequestState = "done"
	RequestDenied        RequestState = "denied"
)

// AuthRequest is a validated authorization request, kept from the
// authorization endpoint until it expires.
type AuthRequest struct {
	ID          string // opaque, 256 bits; in URLs as tab_id
	RealmID     string
	ClientID    string // client's UUID
	BrowserHash []byte // SHA-256 of the browser's AUTH_SESSION_ID
	State       RequestState
	Params      AuthParams
	Origin      string // the provider's public origin the request came to: its issuer
	UserID      string // set when acting or authenticated
	SessionID   string // set when authenticated
	Methods     []string
	AuthTime    time.Time
	RememberMe  bool  // asked for in the login form; for the session that is made later
	UserGate    int64 // the user's gate when the proof was given: another one takes it back
	CreatedAt   time.Time
	ExpiresAt   time.Time
}

// AuthParams are the parameters of an authorization request as they were sent,
// checked. It is stored as one JSON document.
type AuthParams struct {
	ResponseType        string `json:"response_type,omitempty"`
	ResponseMode        string `json:"response_mode,omitempty"`
	RedirectURI         string `json:"redirect_uri,omitempty"`
	RedirectURISent     bool   `json:"redirect_uri_sent,omitempty"`
	State               string `json:"state,omitempty"`
	StateSent           bool   `json:"state_sent,omitempty"`
	Scope               string `json:"scope,omitempty"`
	Nonce               string `json:"nonce,omitempty"`
	CodeChallenge       string `json:"code_challenge,omitempty"`
	CodeChallengeMethod string `json:"code_challenge_method,omitempty"`
	Prompt              string `json:"prompt,omitempty"`
	MaxAge              *int64 `json:"max_age,omitempty"` // seconds
	LoginHint           string `json:"login_hint,omitempty"`
	Subject             string `json:"subject,omitempty"` // who id_token_hint is about
	UILocales           string `json:"ui_locales,omitempty"`
	ACRValues           string `json:"acr_values,omitempty"`
	Claims              string `json:"claims,omitempty"`
	KCAction            string `json:"kc_action,omitempty"`
}

// Code is an authorization code's facts; the code itself is stored as a hash.
type Code struct {
	Hash                []byte // SHA-256 of the code as sent
	RealmID             string
	ClientID            string // client's UUID
	UserID              string
	SessionID           string
	RedirectURI         string // as sent; "" when none was sent
	Scope               string
	Nonce               string
	CodeChallenge       string
	CodeChallengeMethod string
	AuthTime            time.Time
	ACR                 string
	ExpiresAt           time.Time
	UsedAt              time.Time // zero until used
	Part                time.Time // when the client's part of the session began, as of the use; zero when it ended. It is not the code's own
}

// RefreshFamily is one line of refresh tokens: each use makes the next
// generation; the token is derived from family and generation.
type RefreshFamily struct {
	ID         string
	RealmID    string
	ClientID   string // client's UUID
	UserID     string
	SessionID  string
	Scope      string // as granted at first
	Nonce      string
	AuthTime   time.Time
	ACR        string
	Generation int64
	Uses       int // uses of the current generation (refreshTokenMaxReuse)
	RotatedAt  time.Time
	StartedAt  time.Time
	ExpiresAt  time.Time
	RevokedAt  time.Time
	Offline    bool
	Part       time.Time // when the client's part of the session began; zero when it ended. It is not the family's own
}

// FailedLogins counts wrong passwords of one account.
type FailedLogins struct {
	RealmID, UserID string
	Count           int
	LastAt          time.Time
	LastIP          string
	LockedUntil     time.Time
	Lockouts        int
}

// Consent is what a user allowed a client.
type Consent struct {
	RealmID, UserID, ClientID string
	Scopes                    []string
	CreatedAt, UpdatedAt      time.Time
}

// Event is a line of the audit log: a login, its refusal, or an administrator's
// change. Details never hold a secret.
type Event struct {
	ID        string
	RealmID   string
	Time      time.Time
	Kind      string // login | admin
	Type      string // LOGIN, LOGIN_ERROR, CODE_TO_TOKEN, …; CREATE, UPDATE, … for admin
	ClientID  string
	UserID    string
	SessionID string
	IP        string
	Error     string // the reason of a refusal
	Details   map[string]string
}

// SigningKey is a key of a realm as stored; Sealed is the sealed private key.
type SigningKey struct {
	ID        string // kid
	RealmID   string
	Use       string // sig | enc
	Algorithm string
	State     string // active | passive | spare; a retired key is gone
	Sealed    []byte
	Public    []byte // DER of the certificate, or nil
	CreatedAt time.Time
	Priority  int
}
