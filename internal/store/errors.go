package store

import "errors"

// Errors that a caller can act on.
var (
	ErrNotFound  = errors.New("store: not found")
	ErrExists    = errors.New("store: exists already")           // as a *ConflictError where the field is known
	ErrConflict  = errors.New("store: changed by somebody else") // the version is not the one that was read
	ErrGateMoved = errors.New("store: user, client or session changed since it was read")
	ErrUsed      = errors.New("store: used already")
	ErrNewer     = errors.New("store: the database is newer than this program")
)

// ConflictError says what exists already: Field is "realm", "clientId", "scope",
// "role", "group", "username" or "email". errors.Is(err, ErrExists) holds.
type ConflictError struct{ Field, Value string }

func (e *ConflictError) Error() string { return "store: " + e.Field + " exists already: " + e.Value }

func (e *ConflictError) Unwrap() error { return ErrExists }
