package workspace_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Close must have waited for all that a Service started.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
