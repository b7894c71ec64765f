package mongodb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Codes of the server, of https://www.mongodb.com/docs/manual/reference/error-codes/.
const (
	codeUnauthorized       = 13
	codeAuthFailed         = 18
	codeUserNotFound       = 11
	codeNamespaceNotFound  = 26
	codeInvalidNamespace   = 73
	codeMaxTimeMSExpired   = 50
	codeCommandNotFound    = 59
	codeMemoryLimit        = 292
	codeRoleExists         = 51002
	codeUserExists         = 51003
	nameUnauthorized       = "Unauthorized"
	nameMaxTimeMSExpired   = "MaxTimeMSExpired"
	nameMemoryLimit        = "QueryExceededMemoryLimitNoDiskUseAllowed"
	nameDuplicateKey       = "DuplicateKey"
	nameFailedValidation   = "DocumentValidationFailure"
	codeDuplicateKey       = 11000
	codeFailedValidation   = 121
	codeInterruptedAtStop  = 11600
	codeInterruptedChanged = 11602
)

// failed says what was being done when err came. A server that can't be used at
// all is Unavailable; addresses and users are told to the log alone.
func (e *Engine) failed(doing string, err error) error {
	if code(err) != 0 && !unusable(err) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return workspace.Errorf(workspace.Unavailable, "mongodb server %s can't be reached", e.config.Name).Because(fmt.Errorf("%s: %w", doing, err))
}

// unusable says whether the server refuses whatever we ask: it does not take
// our login, is shutting down or is no primary.
func unusable(err error) bool {
	switch code(err) {
	case codeAuthFailed, codeInterruptedAtStop, codeInterruptedChanged, 91, 189, 10107, 13435, 13436:
		return true
	}
	return mongo.IsNetworkError(err)
}

// code is the server's code in err's chain; 0 where there is none.
func code(err error) int32 {
	if c, ok := errors.AsType[mongo.CommandError](err); ok {
		return c.Code
	}
	if w, ok := errors.AsType[mongo.WriteException](err); ok && len(w.WriteErrors) > 0 {
		return int32(w.WriteErrors[0].Code)
	}
	return 0
}

// nameOf is the name of a code that the server gives without one.
func nameOf(code int32) string {
	switch code {
	case codeDuplicateKey:
		return nameDuplicateKey
	case codeFailedValidation:
		return nameFailedValidation
	}
	return ""
}

// refusal is an error of a query, in the server's terms.
func refusal(code int32, codeName, format string, arguments ...any) *workspace.Error {
	err := workspace.Errorf(workspace.BadRequest, format, arguments...)
	err.Details = map[string]any{}
	if code != 0 {
		err.Details["mongo_code"] = code
	}
	if codeName != "" {
		err.Details["codeName"] = codeName
	}
	return err
}

func timeoutError(l workspace.Limits) *workspace.Error {
	return refusal(codeMaxTimeMSExpired, nameMaxTimeMSExpired, "%s", l.TimedOut())
}

func rowLimitError(l workspace.Limits) *workspace.Error {
	return refusal(codeMemoryLimit, nameMemoryLimit, "%s", l.TooManyRows())
}

func tooLarge() *workspace.Error {
	return refusal(codeMemoryLimit, nameMemoryLimit, "result is larger than %d MiB, the most that the API returns; select fewer documents or fields, or connect with a MongoDB client", maxResultBytes>>20)
}

// isReplyTooLarge says whether the driver refused a reply for its length. FerretDB
// fills a first batch whatever the size of its documents. The driver's error has
// no name to know it by.
func isReplyTooLarge(err error) bool {
	return strings.Contains(err.Error(), "length of read message too large")
}

func batchTooLarge() *workspace.Error {
	return refusal(codeMemoryLimit, nameMemoryLimit, "a batch of the result is larger than a message may be; select fewer documents or fields, ask for smaller batches (batchSize), or connect with a MongoDB client")
}
