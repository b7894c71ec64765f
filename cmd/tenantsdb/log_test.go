package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestTheOperatorHearsWhyAServerCantBeReached(t *testing.T) {
	err := fmt.Errorf("prepare main: %w", workspace.Errorf(workspace.Unavailable, "postgresql server main can't be reached").
		Because(errors.New("password authentication failed")))
	const want = "prepare main: postgresql server main can't be reached: password authentication failed"
	for _, format := range []string{"json", "text"} {
		live, liveErr := newLiveSettings(defaultConfig(), nil)
		if liveErr != nil {
			t.Fatal(liveErr)
		}
		var log strings.Builder
		newLogger(format, &log, live).Warn("server can't be reached", "server", "postgresql/main", "error", err)
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log as %s has %s", format, log.String())
		}
	}
	var stderr strings.Builder
	if exitCode(err, &stderr); !strings.Contains(stderr.String(), want) {
		t.Errorf("the last word was %s", stderr.String())
	}
}
