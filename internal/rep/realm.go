package rep

import (
	"encoding/json"
	"maps"
	"reflect"

	"github.com/latchkey-id/latchkey/internal/realm"
)

func realmFields(r *realm.Realm) []field {
	l, b := &r.Lifespans, &r.BruteForce
	return []field{
		{"id", &r.ID}, {"realm", &r.Name}, {"displayName", &r.DisplayName}, {"displayNameHtml", &r.DisplayNameHTML}, {"notBefore", &r.NotBefore},
		{"defaultSignatureAlgorithm", &r.DefaultSignatureAlgorithm}, {"revokeRefreshToken", &r.RevokeRefreshToken},
		{"refreshTokenMaxReuse", &r.RefreshTokenMaxReuse}, {"accessTokenLifespan", &l.AccessToken},
		{"accessTokenLifespanForImplicitFlow", &l.AccessTokenImplicit}, {"ssoSessionIdleTimeout", &l.SSOSessionIdle},
		{"ssoSessionMaxLifespan", &l.SSOSessionMax}, {"ssoSessionIdleTimeoutRememberMe", &l.SSOSessionIdleRememberMe},
		{"ssoSessionMaxLifespanRememberMe", &l.SSOSessionMaxRememberMe}, {"offlineSessionIdleTimeout", &l.OfflineSessionIdle},
		{"offlineSessionMaxLifespanEnabled", &l.OfflineSessionMaxEnabled}, {"offlineSessionMaxLifespan", &l.OfflineSessionMax},
		{"clientSessionIdleTimeout", &l.ClientSessionIdle}, {"clientSessionMaxLifespan", &l.ClientSessionMax},
		{"clientOfflineSessionIdleTimeout", &l.ClientOfflineSessionIdle}, {"clientOfflineSessionMaxLifespan", &l.ClientOfflineSessionMax},
		{"accessCodeLifespan", &l.AccessCode}, {"accessCodeLifespanUserAction", &l.AccessCodeUserAction}, {"accessCodeLifespanLogin", &l.AccessCodeLogin},
		{"actionTokenGeneratedByAdminLifespan", &l.ActionTokenByAdmin}, {"actionTokenGeneratedByUserLifespan", &l.ActionTokenByUser},
		{"oauth2DeviceCodeLifespan", &l.DeviceCode}, {"oauth2DevicePollingInterval", &l.DevicePollingInterval}, {"enabled", &r.Enabled},
		{"sslRequired", &r.SSLRequired}, {"registrationAllowed", &r.RegistrationAllowed}, {"registrationEmailAsUsername", &r.RegistrationEmailAsUsername},
		{"rememberMe", &r.RememberMe}, {"verifyEmail", &r.VerifyEmail}, {"loginWithEmailAllowed", &r.LoginWithEmailAllowed},
		{"duplicateEmailsAllowed", &r.DuplicateEmailsAllowed}, {"resetPasswordAllowed", &r.ResetPasswordAllowed},
		{"editUsernameAllowed", &r.EditUsernameAllowed}, {"bruteForceProtected", &b.Protected}, {"permanentLockout", &b.PermanentLockout},
		{"maxTemporaryLockouts", &b.MaxTemporaryLockouts}, {"bruteForceStrategy", &b.Strategy}, {"maxFailureWaitSeconds", &b.MaxFailureWait},
		{"minimumQuickLoginWaitSeconds", &b.MinimumQuickLoginWait}, {"waitIncrementSeconds", &b.WaitIncrement},
		{"quickLoginCheckMilliSeconds", &b.QuickLoginCheckMillis}, {"maxDeltaTimeSeconds", &b.MaxDeltaTime}, {"failureFactor", &b.FailureFactor},
		{"passwordPolicy", &r.PasswordPolicy}, {"attributes", &r.Attributes},
	}
}

// keptOfRealm are the members that are kept as they came.
func keptOfRealm() []string {
	kept := []string{"maxSecondaryAuthFailures", "requiredCredentials", "otpPolicyType", "otpPolicyAlgorithm", "otpPolicyInitialCounter", "otpPolicyDigits",
		"otpPolicyLookAheadWindow", "otpPolicyPeriod", "otpPolicyCodeReusable", "otpSupportedApplications", "localizationTexts"}
	for _, kind := range []string{"webAuthnPolicy", "webAuthnPolicyPasswordless"} {
		for _, member := range []string{"RpEntityName", "SignatureAlgorithms", "RpId", "AttestationConveyancePreference", "AuthenticatorAttachment", "RequireResidentKey",
			"ResidentKey", "UserVerificationRequirement", "CreateTimeout", "AvoidSameAuthenticatorRegister", "AcceptableAaguids", "ExtraOrigins", "Mediation", "PasskeysEnabled"} {
			kept = append(kept, kind+member)
		}
	}
	return append(kept, "browserSecurityHeaders", "smtpServer", "loginTheme", "accountTheme", "adminTheme", "emailTheme", "eventsEnabled", "eventsExpiration",
		"eventsListeners", "enabledEventTypes", "adminEventsEnabled", "adminEventsDetailsEnabled", "identityProviders", "identityProviderMappers", "components",
		"internationalizationEnabled", "supportedLocales", "defaultLocale", "authenticationFlows", "authenticatorConfig", "requiredActions", "browserFlow",
		"registrationFlow", "directGrantFlow", "resetCredentialsFlow", "clientAuthenticationFlow", "dockerAuthenticationFlow", "firstBrokerLoginFlow",
		"keycloakVersion", "userManagedAccessAllowed", "organizationsEnabled", "organizations", "verifiableCredentialsEnabled", "adminPermissionsEnabled",
		"adminPermissionsClient", "scimApiEnabled", "clientProfiles", "clientPolicies", "federatedUsers",
		"userFederationProviders", "userFederationMappers", "workflows")
}

// hiddenOfRealm are kept members that only an export shows.
func hiddenOfRealm() []string {
	return []string{"authenticationFlows", "authenticatorConfig", "requiredActions", "components", "identityProviders", "identityProviderMappers", "keycloakVersion",
		"localizationTexts", "federatedUsers", "organizations", "workflows", "userFederationProviders", "userFederationMappers"}
}

// DecodeRealm writes a RealmRepresentation's own members into a realm; members
// that hold other things (clients, users, …) are in File.
func DecodeRealm(doc []byte, into *realm.Realm) error {
	_, err := decodeRealm(doc, into)
	return err
}

func decodeRealm(doc []byte, into *realm.Realm) (*File, error) {
	o, err := parse(doc)
	if err != nil {
		return nil, err
	}
	f := &File{}
	attributes, before := into.Attributes, maps.Clone(into.Extra)
	into.Attributes = nil
	if err := o.fill("RealmRepresentation", append(realmFields(into), f.fields()...), keptOfRealm(), &into.Extra); err != nil {
		return nil, err
	}
	into.Attributes = mergeAttributes(attributes, into.Attributes)
	for name, raw := range into.Extra {
		into.Extra[name] = unmasked(raw, before[name])
	}
	if c, ok := into.Extra["components"]; ok {
		into.Extra["components"] = withoutKeys(c)
	}
	for _, name := range []string{"smtpServer", "browserSecurityHeaders"} { // texts all, whatever a script makes of a port
		if raw, ok := into.Extra[name]; ok {
			into.Extra[name] = spelled(raw, reflect.TypeFor[map[string]string]())
		}
	}
	return f, nil
}

// mergeAttributes: attributes that are sent replace those there, except our own
// switches, which only their name takes away: a client that does not know them
// must not weaken a realm by saving it.
func mergeAttributes(have, sent map[string]string) map[string]string {
	if sent == nil {
		return have
	}
	out := map[string]string{}
	for k, v := range have {
		if isOurs(k) {
			out[k] = v
		}
	}
	for k, v := range sent {
		out[k] = v
	}
	return out
}

func isOurs(attribute string) bool {
	const prefix = "latchkey."
	return len(attribute) > len(prefix) && attribute[:len(prefix)] == prefix
}

// EncodeRealm is what GET of a realm answers.
func EncodeRealm(r *realm.Realm, defaultRole *realm.Role) (json.RawMessage, error) {
	shown := *r
	fields := []field{}
	for _, f := range realmFields(&shown) {
		if s, ok := f.ptr.(*string); ok && *s == "" {
			continue
		}
		fields = append(fields, f)
	}
	if defaultRole != nil {
		fields = append(fields, field{"defaultRole", NewRole(defaultRole, r.ID)})
	}
	extra := map[string]json.RawMessage{}
	for k, v := range r.Extra {
		extra[k] = v
	}
	for _, k := range hiddenOfRealm() {
		delete(extra, k)
	}
	if smtp, ok := extra["smtpServer"]; ok {
		extra["smtpServer"] = masked(smtp)
	}
	return encode(fields, keptOfRealm(), extra)
}

// EncodeBriefRealm is a realm in a list that was asked for brief.
func EncodeBriefRealm(r *realm.Realm) (json.RawMessage, error) {
	return encode([]field{{"id", r.ID}, {"realm", r.Name}, {"displayName", optional(r.DisplayName)}, {"displayNameHtml", optional(r.DisplayNameHTML)},
		{"enabled", r.Enabled}}, nil, nil)
}
