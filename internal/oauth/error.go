package oauth

import "errors"

// Error is a refusal: a Reason, which decides what is sent (see Answer), and a
// cause, which only reaches the log.
type Error struct {
	Reason Reason
	Detail string // fills the %s of the reason's description; never a secret
	Cause  error  // for the log; never sent
}

// Refuse makes an *Error as an error. detail fills the %s of the reason's
// description where it has one.
func Refuse(reason Reason, detail string) error { return &Error{Reason: reason, Detail: detail} }

// RefuseBecause is Refuse with a cause for the log.
func RefuseBecause(reason Reason, cause error) error { return &Error{Reason: reason, Cause: cause} }

func (e *Error) Error() string {
	s := string(e.Reason)
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

// ReasonOf finds the reason of a refusal; anything else is ServerError.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ServerError
}
