// Package jose signs and verifies tokens, and is the only one that speaks to
// the JOSE library, which reads and writes keys as JWKs here. The signatures are
// the standard library's own; tests compare them with the JOSE library's.
//
// A verification takes the allowed algorithms, the expected types and the
// expected issuer as arguments; there is no default that leaves one out
// (RFC 8725, sections 3.1, 3.9 and 3.11). Keys come from a Set that the caller
// chose: jwk, jku, x5u and x5c of a header are never read (RFC 8725, 3.10).
//
// It does no I/O: whoever calls it (keys, token, the relying party) brings the
// keys and the time.
package jose
