package workspace

import (
	"errors"
	"fmt"
	"strings"
)

// Code is a kind of failure; the admin API maps each to one HTTP status.
type Code string

// The codes of the contract.
const (
	BadRequest   Code = "bad_request"
	AuthRequired Code = "auth_required"
	Unauthorized Code = "unauthorized"
	Forbidden    Code = "forbidden"
	NotFound     Code = "not_found"
	Conflict     Code = "conflict"
	RateLimited  Code = "rate_limited"
	Unavailable  Code = "unavailable"
	Internal     Code = "internal_error"
)

// Error is a failure that may be told to a client. Details holds the extra
// keys of the answer (sqlstate, position, reason, action_required, …).
type Error struct {
	Code    Code
	Message string
	Details map[string]any
	cause   error
}

func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause, which is for the log only.
func (e *Error) Unwrap() error { return e.cause }

// Errorf makes an Error; a cause given with %w is kept for the log.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), cause: errors.Unwrap(err)}
}

// Because keeps cause for the log without telling it to the client.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

// ErrorCode is the Code in err's chain, Internal where there is none.
func ErrorCode(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// Causes is err with the cause that an Error keeps for the log.
func Causes(err error) string {
	text := err.Error()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.cause == nil {
		return text
	}
	cause := Causes(e.cause)
	switch told, more := e.cause.Error(), strings.TrimPrefix(cause, e.cause.Error()); {
	case strings.Contains(text, cause):
		return text
	case strings.HasSuffix(text, told):
		return text + more
	}
	return text + ": " + cause
}
