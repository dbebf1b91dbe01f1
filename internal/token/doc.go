// Package token makes and verifies tokens in Keycloak's dialect: which scopes
// and roles a request gets, which claims the mappers give, the access, ID and
// refresh tokens themselves, and what an access token that comes back is worth.
//
// Issue is the only caller of flow.MayIssue and the only place where a token is
// made. It authenticates nobody and speaks no HTTP: the grants, userinfo and the
// admin API call it.
package token
