// Package oauth holds the protocol's words and the rules that need nothing
// but words: the reasons of a refusal with their error code, status and text,
// parameters, grant types, PKCE, redirect URIs, scopes and return addresses.
//
// It does no I/O and knows no realm: what is registered comes in as strings.
// Every other package, the relying party at the root included, calls it.
package oauth
