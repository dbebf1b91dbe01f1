// Package realm holds the domain: realms, clients, users, credentials, roles,
// groups, client scopes, mappers, and what lives by time (sessions,
// authorization requests, codes, refresh families), with their validation.
//
// It does no I/O and knows neither JSON nor SQL: rep translates Keycloak's
// JSON to these types, store keeps them. Everything above floor 2 calls it.
package realm
