package workspace

import (
	"errors"
	"fmt"
	"testing"
)

func TestCausesAreToldOnce(t *testing.T) {
	refused := errors.New("connection refused")
	down := Errorf(Unavailable, "the store can't be reached").Because(refused)
	for want, err := range map[string]error{
		"connection refused": refused,
		"no cause":           Errorf(Conflict, "no cause"),
		"the store can't be reached: connection refused":                   down,
		"start: the store can't be reached: connection refused":            fmt.Errorf("start: %w", down),
		"recorded later: the store can't be reached: connection refused":   Errorf(Unavailable, "recorded later: %v", down).Because(down),
		"line 1: connection refused":                                       Errorf(BadRequest, "line 1: %w", refused),
		"the query failed: the store can't be reached: connection refused": Errorf(Unavailable, "the query failed").Because(down),
		"not ready: store: the store can't be reached: connection refused": Errorf(Unavailable, "not ready: store").Because(down),
	} {
		if got := Causes(err); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
