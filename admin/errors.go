package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// failure is an error of HTTP's own, beyond those of the domain.
type failure struct {
	status int
	code   string
	text   string
	header http.Header
}

func (f *failure) Error() string { return f.text }

func badRequest(format string, args ...any) error {
	return &failure{status: http.StatusBadRequest, code: "bad_request", text: fmt.Sprintf(format, args...)}
}

func tooMany(wait time.Duration, format string, args ...any) error {
	seconds := int64(math.Ceil(wait.Seconds()))
	return &failure{
		status: http.StatusTooManyRequests,
		code:   "rate_limited",
		text:   fmt.Sprintf(format, args...) + fmt.Sprintf("; try again in %d s", seconds),
		header: http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}},
	}
}

// statusOf is the one table from the domain's codes to HTTP.
func statusOf(code workspace.Code) int {
	switch code {
	case workspace.BadRequest:
		return http.StatusBadRequest
	case workspace.AuthRequired, workspace.Unauthorized:
		return http.StatusUnauthorized
	case workspace.Forbidden:
		return http.StatusForbidden
	case workspace.NotFound:
		return http.StatusNotFound
	case workspace.Conflict:
		return http.StatusConflict
	case workspace.RateLimited:
		return http.StatusTooManyRequests
	case workspace.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// fail answers with err: what the client may know goes out, the rest only to
// the log. Once part of an answer is out, the connection is cut instead.
func (a *api) fail(x *exchange, err error) {
	if x.status != 0 {
		a.log.Error("answer broke off", "request_id", x.id, "error", err)
		panic(http.ErrAbortHandler)
	}
	f, details := a.tell(x, err)
	for name, values := range f.header {
		x.Header()[name] = values
	}
	if f.status == http.StatusUnauthorized {
		x.Header().Set("WWW-Authenticate", `Bearer realm="tenantsdb"`)
	}

	head := refusal{envelope: envelope{HTTPStatus: f.status, Code: f.code}, Error: f.text}
	if f.status == http.StatusInternalServerError {
		head.RequestID = x.id
	}
	x.code = f.code
	if err := x.refuse(head, details); err != nil {
		a.log.Info("answer not taken", "request_id", x.id, "error", err)
	}
}

// refusal is the part that all errors have; its keys are its own.
type refusal struct {
	envelope
	Error     string `json:"error"`
	RequestID string `json:"request_id,omitempty"`
}

// refuse answers with head and, after it, details under other keys. Details
// that have no JSON are left out: the refusal itself must arrive.
func (x *exchange) refuse(head refusal, details map[string]any) error {
	details = maps.Clone(details)
	for _, own := range []string{"success", "http_status", "code", "error", "request_id"} {
		delete(details, own)
	}
	more, err := encode(details)
	if err != nil || len(details) == 0 {
		return x.send(head.HTTPStatus, head)
	}
	first, err := encode(head)
	if err != nil {
		return fmt.Errorf("encode refusal: %w", err)
	}
	return x.sendText(head.HTTPStatus, join(first, more))
}

// tell decides what the client hears of err.
func (a *api) tell(x *exchange, err error) (*failure, map[string]any) {
	if f, ok := errors.AsType[*failure](err); ok {
		return f, nil
	}
	if e, ok := errors.AsType[*workspace.Error](err); ok && statusOf(e.Code) != http.StatusInternalServerError {
		if e.Code == workspace.Unavailable {
			a.log.Warn("request could not be served", "request_id", x.id, "error", workspace.Causes(e))
		}
		f := &failure{status: statusOf(e.Code), code: string(e.Code), text: e.Message}
		if e.Code == workspace.RateLimited {
			f.header = http.Header{"Retry-After": {"1"}} // seconds; a query that ends makes room at any time
		}
		return f, e.Details
	}
	if errors.Is(err, context.Canceled) && x.r.Context().Err() != nil {
		return &failure{status: http.StatusServiceUnavailable, code: "unavailable", text: "the request was cancelled"}, nil
	}
	a.log.Error("request failed", "request_id", x.id, "error", workspace.Causes(err))
	return &failure{
		status: http.StatusInternalServerError,
		code:   "internal_error",
		text:   "something went wrong on the server; its log has the details under this request_id",
	}, nil
}
