// Package store keeps everything in SQL: SQLite inside the process, or
// PostgreSQL for several nodes, with the same statements and the same tests.
//
// Every write is a method named by its intent that runs one closure in one
// transaction and is durable when it returns. Reads of what is configured
// (realms, clients, scopes, roles, keys) go through a bounded cache; what lives
// by time is never cached. It decides nothing about the protocol: hashes come in
// ready made, and hashing or signing never happens inside a transaction.
//
// "Not found" has one meaning everywhere: ErrNotFound. keys, web and audit name
// the small interfaces that they need; token, session, manage and journey
// call it directly.
package store
