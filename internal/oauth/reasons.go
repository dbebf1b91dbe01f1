package oauth

import (
	"errors"
	"strings"
)

// Reason says why something was refused. It is the id that a person sees on an
// error page and that stands in the log; grep for it leads to the check.
type Reason string

// Answer is what a refusal sends: the error code of RFC 6749 (or of the
// extension that names it), the HTTP status and the description, in which %s
// stands for Error.Detail.
type Answer struct {
	Code        string
	Status      int
	Description string
}

// Reasons of the protocol endpoints. The texts are Keycloak 26.7's, because
// clients compare them.
const (
	ServerError Reason = "server_error"
	Unavailable Reason = "temporarily_unavailable"

	// realm and transport
	RealmNotFound    Reason = "realm_not_found"
	RealmDisabled    Reason = "realm_disabled"
	HTTPSRequired    Reason = "https_required"
	InvalidOrigin    Reason = "invalid_origin"
	InvalidForm      Reason = "invalid_form"
	TooLarge         Reason = "too_large"
	UnenforcedPolicy Reason = "unenforced_policy"

	// client authentication and client state
	UnknownClient         Reason = "unknown_client"
	ClientDisabled        Reason = "client_disabled"
	WrongSecret           Reason = "wrong_client_secret"
	BearerOnlyClient      Reason = "bearer_only_client"
	MissingClient         Reason = "missing_client"
	UnsupportedClientAuth Reason = "unsupported_client_authentication"
	AssertionMissing      Reason = "client_assertion_missing"

	// parameters
	MissingGrantType     Reason = "missing_grant_type"
	UnsupportedGrantType Reason = "unsupported_grant_type"
	DuplicatedParameter  Reason = "duplicated_parameter"
	MissingParameter     Reason = "missing_parameter"
	InvalidParameter     Reason = "invalid_parameter"
	InvalidScope         Reason = "invalid_scope"

	// authorization endpoint, before the redirect URI is known (a page)
	AuthRealmDisabled      Reason = "authorization_realm_disabled"
	AuthClientMissing      Reason = "authorization_client_missing"
	AuthClientNotFound     Reason = "authorization_client_not_found"
	AuthClientDisabled     Reason = "authorization_client_disabled"
	AuthBearerOnly         Reason = "authorization_bearer_only"
	RedirectURIInvalid     Reason = "redirect_uri_not_registered"
	AuthInvalidRequest     Reason = "authorization_request_invalid"
	RegistrationNotAllowed Reason = "registration_not_allowed"
	// authorization endpoint, after it (a redirect)
	ResponseTypeMissing     Reason = "response_type_missing"
	ResponseTypeUnsupported Reason = "response_type_unsupported"
	RequestNotSupported     Reason = "request_object_not_supported"
	RequestURINotSupported  Reason = "request_uri_not_supported"
	ResponseModeInvalid     Reason = "response_mode_invalid"
	ResponseModeQuery       Reason = "response_mode_query_not_allowed"
	StandardFlowDisabled    Reason = "standard_flow_disabled"
	ImplicitFlowDisabled    Reason = "implicit_flow_disabled"
	NonceMissing            Reason = "nonce_missing"
	ChallengeMissing        Reason = "code_challenge_missing"
	ChallengeMethodMissing  Reason = "code_challenge_method_missing"
	ChallengeMethodInvalid  Reason = "code_challenge_method_invalid"
	ChallengeMethodMismatch Reason = "code_challenge_method_mismatch"
	ChallengeInvalid        Reason = "code_challenge_invalid"
	LoginRequired           Reason = "login_required"
	InteractionRequired     Reason = "interaction_required"
	AccessDenied            Reason = "access_denied"
	AuthenticationExpired   Reason = "authentication_expired"
	HintInvalid             Reason = "id_token_hint_invalid" // at the logout too, a page there

	// login pages
	CrossSiteForm    Reason = "cross_site_form"
	CookieMissing    Reason = "login_cookie_missing"
	FormTokenWrong   Reason = "form_token_wrong"
	RequestExpired   Reason = "login_expired"
	RequestUnknown   Reason = "login_unknown"
	WrongCredentials Reason = "wrong_credentials"
	AccountDisabled  Reason = "account_disabled"
	AccountLocked    Reason = "account_locked"
	AccountNotSetUp  Reason = "account_not_set_up"
	HashingBusy      Reason = "hashing_busy"

	// logout
	LogoutRedirectInvalid Reason = "post_logout_redirect_uri_not_registered"
	LogoutHintMissing     Reason = "id_token_hint_missing"
	LogoutFailed          Reason = "logout_failed"

	SetupLinkUsed Reason = "setup_link_used"

	// grants
	CodeNotValid           Reason = "code_not_valid"
	CodeWrongClient        Reason = "code_of_another_client"
	CodeExchangeDisabled   Reason = "code_exchange_disabled"
	RedirectURIMismatch    Reason = "redirect_uri_mismatch"
	VerifierMissing        Reason = "code_verifier_missing"
	VerifierInvalid        Reason = "code_verifier_invalid"
	VerifierMismatch       Reason = "code_verifier_mismatch"
	VerifierUnexpected     Reason = "code_verifier_unexpected"
	UserDisabled           Reason = "user_disabled"
	UserNotFound           Reason = "user_not_found"
	SessionNotActive       Reason = "session_not_active"
	SessionWithoutClient   Reason = "session_without_client"
	RefreshMissing         Reason = "refresh_token_missing"
	RefreshInvalid         Reason = "refresh_token_invalid"
	RefreshExpired         Reason = "refresh_token_expired"
	RefreshStale           Reason = "refresh_token_stale"
	RefreshReused          Reason = "refresh_token_reused"
	RefreshWrongClient     Reason = "refresh_token_of_another_client"
	DirectGrantDisabled    Reason = "direct_access_grants_disabled"
	InvalidUserCredentials Reason = "invalid_user_credentials"
	UsernameMissing        Reason = "username_missing"
	GrantNeedsConsent      Reason = "grant_needs_consent"
	GrantAccountDisabled   Reason = "grant_account_disabled"
	ServiceAccountDisabled Reason = "service_account_disabled"
	ServiceAccountPublic   Reason = "service_account_public_client"

	// introspection and revocation
	IntrospectClientFailed Reason = "introspection_client_failed"
	IntrospectClientPublic Reason = "introspection_client_public"
	IntrospectTokenMissing Reason = "introspection_token_missing"
	IntrospectTokenType    Reason = "introspection_token_type"
	RevokeTokenMissing     Reason = "revocation_token_missing"
	RevokeTokenType        Reason = "revocation_token_type"
	RevokeWrongClient      Reason = "revocation_of_another_client"

	// userinfo
	TokenMissing       Reason = "token_missing"
	TokenInvalid       Reason = "token_invalid"
	TokenTwice         Reason = "token_sent_twice"
	TokenUserDisabled  Reason = "token_user_disabled"
	TokenSessionGone   Reason = "token_session_gone"
	ScopeWithoutOpenID Reason = "scope_without_openid"
	TokenLightweight   Reason = "token_lightweight"
)

// HTTP statuses, as numbers: the protocol's words stand below net/http.
const (
	statusBadRequest            = 400
	statusForbidden             = 403
	statusGone                  = 410
	statusInternalServerError   = 500
	statusNotFound              = 404
	statusOK                    = 200
	statusRequestEntityTooLarge = 413
	statusServiceUnavailable    = 503
	statusUnauthorized          = 401
)

// answers is the one table of what each reason sends.
var answers = map[Reason]Answer{
	ServerError:      {"server_error", statusInternalServerError, ""},
	Unavailable:      {"temporarily_unavailable", statusServiceUnavailable, "The server's database does not answer"},
	RealmNotFound:    {"Realm does not exist", statusNotFound, ""},
	RealmDisabled:    {"access_denied", statusForbidden, "Realm not enabled"},
	HTTPSRequired:    {"invalid_request", statusForbidden, "HTTPS required"},
	InvalidOrigin:    {"Invalid origin", statusForbidden, ""},
	InvalidForm:      {"invalid_request", statusBadRequest, "Invalid form"},
	TooLarge:         {"invalid_request", statusRequestEntityTooLarge, "Request too large"},
	UnenforcedPolicy: {"access_denied", statusForbidden, "A policy of this realm is not enforced by this server: %s"},

	UnknownClient:         {"invalid_client", statusUnauthorized, "Invalid client or Invalid client credentials"},
	ClientDisabled:        {"invalid_client", statusUnauthorized, "Invalid client or Invalid client credentials"},
	MissingClient:         {"invalid_client", statusUnauthorized, "Invalid client or Invalid client credentials"},
	UnsupportedClientAuth: {"invalid_client", statusUnauthorized, "Invalid client or Invalid client credentials"},
	AssertionMissing:      {"invalid_client", statusBadRequest, "Parameter client_assertion_type is missing"},
	WrongSecret:           {"unauthorized_client", statusUnauthorized, "Invalid client or Invalid client credentials"},
	BearerOnlyClient:      {"invalid_client", statusBadRequest, "Bearer-only not allowed"},

	MissingGrantType:     {"invalid_request", statusBadRequest, "Missing form parameter: grant_type"},
	UnsupportedGrantType: {"unsupported_grant_type", statusBadRequest, "Unsupported grant_type"},
	DuplicatedParameter:  {"invalid_request", statusBadRequest, "duplicated parameter"},
	MissingParameter:     {"invalid_request", statusBadRequest, "Missing parameter: %s"},
	InvalidParameter:     {"invalid_request", statusBadRequest, "Invalid parameter: %s"},
	InvalidScope:         {"invalid_scope", statusBadRequest, "Invalid scopes: %s"},

	AuthRealmDisabled:      {"invalid_request", statusBadRequest, "Realm not enabled"},
	AuthClientMissing:      {"invalid_request", statusBadRequest, "Invalid Request"},
	AuthInvalidRequest:     {"invalid_request", statusBadRequest, "Invalid Request"},
	AuthClientNotFound:     {"invalid_request", statusBadRequest, "Client not found."},
	AuthClientDisabled:     {"invalid_request", statusBadRequest, "Client disabled."},
	AuthBearerOnly:         {"invalid_request", statusForbidden, "Bearer-only applications are not allowed to initiate browser login"},
	RedirectURIInvalid:     {"invalid_request", statusBadRequest, "Invalid parameter: redirect_uri"},
	RegistrationNotAllowed: {"invalid_request", statusBadRequest, "Registration not allowed"},

	ResponseTypeMissing:     {"invalid_request", statusBadRequest, "Missing parameter: response_type"},
	ResponseTypeUnsupported: {"unsupported_response_type", statusBadRequest, ""},
	RequestNotSupported:     {"request_not_supported", statusBadRequest, ""},
	RequestURINotSupported:  {"request_uri_not_supported", statusBadRequest, ""},
	ResponseModeInvalid:     {"invalid_request", statusBadRequest, "Invalid parameter: response_mode"},
	ResponseModeQuery:       {"invalid_request", statusBadRequest, "Response_mode 'query' not allowed for implicit or hybrid flow"},
	StandardFlowDisabled:    {"unauthorized_client", statusBadRequest, "Client is not allowed to initiate browser login with given response_type. Standard flow is disabled for the client."},
	ImplicitFlowDisabled:    {"unauthorized_client", statusBadRequest, "Client is not allowed to initiate browser login with given response_type. Implicit flow is disabled for the client."},
	NonceMissing:            {"invalid_request", statusBadRequest, "Missing parameter: nonce"},
	ChallengeMissing:        {"invalid_request", statusBadRequest, "Missing parameter: code_challenge"},
	ChallengeMethodMissing:  {"invalid_request", statusBadRequest, "Missing parameter: code_challenge_method"},
	ChallengeMethodInvalid:  {"invalid_request", statusBadRequest, "Invalid parameter: code_challenge_method"},
	ChallengeMethodMismatch: {"invalid_request", statusBadRequest, "Invalid parameter: code challenge method is not matching the configured one"},
	ChallengeInvalid:        {"invalid_request", statusBadRequest, "Invalid parameter: code_challenge"},
	LoginRequired:           {"login_required", statusBadRequest, ""},
	InteractionRequired:     {"interaction_required", statusBadRequest, ""},
	AccessDenied:            {"access_denied", statusBadRequest, ""},
	HintInvalid:             {"invalid_request", statusBadRequest, "Invalid parameter: id_token_hint"},
	AuthenticationExpired:   {"temporarily_unavailable", statusBadRequest, "authentication_expired"},

	CrossSiteForm:    {"invalid_request", statusForbidden, "This form came from another address"},
	CookieMissing:    {"invalid_request", statusBadRequest, "Restart login cookie not found."},
	FormTokenWrong:   {"invalid_request", statusBadRequest, "This form is not from this login"},
	RequestExpired:   {"expired_token", statusBadRequest, "Action expired. Please continue with login now."},
	RequestUnknown:   {"invalid_request", statusBadRequest, "Page has expired"},
	WrongCredentials: {"invalid_grant", statusOK, "Invalid username or password."},
	AccountDisabled:  {"invalid_grant", statusOK, "Account is disabled, contact your administrator."},
	AccountLocked:    {"invalid_grant", statusOK, "Invalid username or password."},
	AccountNotSetUp:  {"invalid_grant", statusBadRequest, "Account is not fully set up"},
	HashingBusy:      {"temporarily_unavailable", statusServiceUnavailable, "Too many logins at once"},

	LogoutRedirectInvalid: {"invalid_request", statusBadRequest, "Invalid redirect uri"},
	LogoutHintMissing:     {"invalid_request", statusBadRequest, "Missing parameters: id_token_hint"},
	LogoutFailed:          {"invalid_request", statusBadRequest, "Logout failed"},

	SetupLinkUsed: {"invalid_request", statusGone, "This link has been used, or is too old."},

	CodeNotValid:           {"invalid_grant", statusBadRequest, "Code not valid"},
	CodeWrongClient:        {"invalid_grant", statusBadRequest, "Auth error: Found different client_id in clientSession"},
	CodeExchangeDisabled:   {"invalid_grant", statusBadRequest, "Client not allowed to exchange code"},
	RedirectURIMismatch:    {"invalid_grant", statusBadRequest, "Incorrect redirect_uri"},
	VerifierMissing:        {"invalid_grant", statusBadRequest, "PKCE code verifier not specified"},
	VerifierInvalid:        {"invalid_grant", statusBadRequest, "PKCE verification failed: Invalid code verifier"},
	VerifierMismatch:       {"invalid_grant", statusBadRequest, "PKCE verification failed: Code mismatch"},
	VerifierUnexpected:     {"invalid_grant", statusBadRequest, "PKCE code verifier specified but challenge not present in authorization"},
	UserDisabled:           {"invalid_grant", statusBadRequest, "User disabled"},
	UserNotFound:           {"invalid_grant", statusBadRequest, "User not found"},
	SessionNotActive:       {"invalid_grant", statusBadRequest, "Session not active"},
	SessionWithoutClient:   {"invalid_grant", statusBadRequest, "Session doesn't have required client"},
	RefreshMissing:         {"invalid_request", statusBadRequest, "No refresh token"},
	RefreshInvalid:         {"invalid_grant", statusBadRequest, "Invalid refresh token"},
	RefreshExpired:         {"invalid_grant", statusBadRequest, "Token is not active"},
	RefreshStale:           {"invalid_grant", statusBadRequest, "Stale token"},
	RefreshReused:          {"invalid_grant", statusBadRequest, "Maximum allowed refresh token reuse exceeded"},
	RefreshWrongClient:     {"invalid_grant", statusBadRequest, "Invalid refresh token. Token client and authorized client don't match"},
	DirectGrantDisabled:    {"unauthorized_client", statusBadRequest, "Client not allowed for direct access grants"},
	InvalidUserCredentials: {"invalid_grant", statusBadRequest, "Invalid user credentials"},
	UsernameMissing:        {"invalid_request", statusUnauthorized, "Missing parameter: username"},
	GrantNeedsConsent:      {"invalid_client", statusBadRequest, "Client requires user consent"},
	GrantAccountDisabled:   {"invalid_grant", statusBadRequest, "Account disabled"},
	ServiceAccountDisabled: {"unauthorized_client", statusUnauthorized, "Client not enabled to retrieve service account"},
	ServiceAccountPublic:   {"unauthorized_client", statusUnauthorized, "Public client not allowed to retrieve service account"},

	IntrospectClientFailed: {"invalid_client", statusUnauthorized, "Client authentication failed."},
	IntrospectClientPublic: {"invalid_request", statusForbidden, "Client not allowed."},
	IntrospectTokenMissing: {"invalid_request", statusBadRequest, "Token not provided."},
	IntrospectTokenType:    {"invalid_request", statusBadRequest, "Unsupported token type."},
	RevokeTokenMissing:     {"invalid_request", statusBadRequest, "Token not provided"},
	RevokeTokenType:        {"unsupported_token_type", statusBadRequest, "Unsupported token type"},
	RevokeWrongClient:      {"invalid_request", statusBadRequest, "Unmatching clients"},

	TokenMissing:       {"", statusUnauthorized, ""},
	TokenInvalid:       {"invalid_token", statusUnauthorized, "Token verification failed"},
	TokenTwice:         {"invalid_request", statusBadRequest, "More than one method used for including an access token"},
	TokenUserDisabled:  {"invalid_token", statusUnauthorized, "User disabled"},
	TokenSessionGone:   {"invalid_token", statusUnauthorized, "user_session_not_found"},
	TokenLightweight:   {"invalid_token", statusUnauthorized, "Lightweight access token not allowed for userinfo endpoint"},
	ScopeWithoutOpenID: {"insufficient_scope", statusForbidden, "Missing openid scope"},
}

// AnswerTo gives what an error sends. Anything that is not an *Error, and a
// reason without a row, is a bare server_error: its text stays in the log.
func AnswerTo(err error) Answer {
	e := asError(err)
	a, ok := answers[e.Reason]
	if !ok {
		return answers[ServerError]
	}
	a.Description = strings.Map(described, strings.ReplaceAll(a.Description, "%s", e.Detail))
	return a
}

// described: "Values for the "error_description" parameter MUST NOT include
// characters outside the set %x20-21 / %x23-5B / %x5D-7E" (RFC 6749, 4.1.2.1). What a
// request brings along would put any there.
func described(r rune) rune {
	if r < ' ' || r == '"' || r == '\\' || r > '~' {
		return '?'
	}
	return r
}

func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Reason: ServerError, Cause: err}
}
