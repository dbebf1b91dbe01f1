package realm

// Mark says what a member of a representation does here.
type Mark string

// The marks. A member that narrows who may log in is Enforced, or it Refuses the
// logins that it affects; everything else is Inert. There is no fourth: a member
// in none of them fails a test (design: fail closed).
const (
	Enforced Mark = "enforced"
	Inert    Mark = "inert"
	Refuses  Mark = "refuses"
)

// Fields marks every member of a realm, a client and a user, by "realm.member",
// "client.member" and "user.member".
func Fields() map[string]Mark {
	out := map[string]Mark{}
	for _, group := range []struct {
		prefix string
		mark   Mark
		names  []string
	}{
		{"realm.", Enforced, []string{"id", "realm", "notBefore", "defaultSignatureAlgorithm", "revokeRefreshToken", "refreshTokenMaxReuse", "accessTokenLifespan",
			"ssoSessionIdleTimeout", "ssoSessionMaxLifespan", "ssoSessionIdleTimeoutRememberMe", "ssoSessionMaxLifespanRememberMe", "clientSessionIdleTimeout", "clientSessionMaxLifespan",
			"accessCodeLifespan", "accessCodeLifespanLogin", "enabled", "sslRequired", "rememberMe", "loginWithEmailAllowed", "bruteForceProtected", "bruteForceStrategy",
			"maxFailureWaitSeconds", "minimumQuickLoginWaitSeconds", "waitIncrementSeconds", "quickLoginCheckMilliSeconds", "maxDeltaTimeSeconds", "failureFactor", "duplicateEmailsAllowed",
			"editUsernameAllowed", "attributes", "defaultRole", "roles", "groups", "defaultGroups", "users", "clients", "clientScopes", "defaultDefaultClientScopes",
			"defaultOptionalClientScopes", "scopeMappings", "clientScopeMappings", "requiredActions"}},
		{"realm.", Refuses, []string{"permanentLockout", "verifyEmail", "passwordPolicy", "browserFlow", "directGrantFlow", "clientAuthenticationFlow", "authenticationFlows",
			"clientPolicies"}},
		// They widen, tune or describe what is off; none of them keeps anybody out by itself.
		{"realm.", Inert, []string{"displayName", "displayNameHtml", "accessTokenLifespanForImplicitFlow", "offlineSessionIdleTimeout", "offlineSessionMaxLifespanEnabled",
			"offlineSessionMaxLifespan", "clientOfflineSessionIdleTimeout", "clientOfflineSessionMaxLifespan", "accessCodeLifespanUserAction",
			"actionTokenGeneratedByAdminLifespan", "actionTokenGeneratedByUserLifespan", "oauth2DeviceCodeLifespan", "oauth2DevicePollingInterval",
			"registrationAllowed", "registrationEmailAsUsername", "resetPasswordAllowed", "maxTemporaryLockouts",
			"maxSecondaryAuthFailures", "requiredCredentials", "otpPolicyType", "otpPolicyAlgorithm", "otpPolicyInitialCounter", "otpPolicyDigits",
			"otpPolicyLookAheadWindow", "otpPolicyPeriod", "otpPolicyCodeReusable", "otpSupportedApplications", "localizationTexts", "browserSecurityHeaders",
			"smtpServer", "loginTheme", "accountTheme", "adminTheme", "emailTheme", "eventsEnabled", "eventsExpiration", "eventsListeners", "enabledEventTypes",
			"adminEventsEnabled", "adminEventsDetailsEnabled", "identityProviders", "identityProviderMappers", "components", "internationalizationEnabled",
			"supportedLocales", "defaultLocale", "authenticatorConfig", "registrationFlow", "resetCredentialsFlow",
			"dockerAuthenticationFlow", "firstBrokerLoginFlow", "keycloakVersion", "userManagedAccessAllowed", "organizationsEnabled", "organizations",
			"verifiableCredentialsEnabled", "adminPermissionsEnabled", "adminPermissionsClient", "scimApiEnabled", "clientProfiles", "federatedUsers",
			"userFederationProviders", "userFederationMappers", "workflows", "defaultRoles"}},
		{"client.", Enforced, []string{"id", "clientId", "rootUrl", "enabled", "clientAuthenticatorType", "secret", "redirectUris", "webOrigins", "notBefore", "bearerOnly",
			"standardFlowEnabled", "implicitFlowEnabled", "directAccessGrantsEnabled", "serviceAccountsEnabled", "publicClient", "protocol", "attributes",
			"fullScopeAllowed", "protocolMappers", "defaultClientScopes", "optionalClientScopes"}},
		{"client.", Refuses, []string{"consentRequired", "authenticationFlowBindingOverrides"}},
		{"client.", Inert, []string{"name", "description", "adminUrl", "baseUrl", "frontchannelLogout", "access", "surrogateAuthRequired", "alwaysDisplayInConsole",
			"nodeReRegistrationTimeout", "registeredNodes", "authorizationServicesEnabled", "authorizationSettings", "origin", "registrationAccessToken", "defaultRoles",
			"useTemplateConfig", "useTemplateScope", "useTemplateMappers", "clientTemplate", "type"}},
		{"user.", Enforced, []string{"id", "username", "email", "emailVerified", "firstName", "lastName", "attributes", "enabled", "serviceAccountClientId", "notBefore",
			"realmRoles", "clientRoles", "groups"}},
		{"user.", Refuses, []string{"credentials", "requiredActions"}},
		{"user.", Inert, []string{"createdTimestamp", "totp", "clientConsents", "federatedIdentities", "federationLink", "disableableCredentialTypes", "origin", "self",
			"socialLinks", "access", "userProfileMetadata", "applicationRoles", "verifiableCredentials"}},
	} {
		for _, name := range group.names {
			out[group.prefix+name] = group.mark
		}
	}
	for _, kind := range []string{"webAuthnPolicy", "webAuthnPolicyPasswordless"} {
		for _, member := range []string{"RpEntityName", "SignatureAlgorithms", "RpId", "AttestationConveyancePreference", "AuthenticatorAttachment", "RequireResidentKey",
			"ResidentKey", "UserVerificationRequirement", "CreateTimeout", "AvoidSameAuthenticatorRegister", "AcceptableAaguids", "ExtraOrigins", "Mediation", "PasskeysEnabled"} {
			out["realm."+kind+member] = Inert
		}
	}
	return out
}
