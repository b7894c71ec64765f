package redis

import (
	"context"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Deploy has nothing to do: Redis has no schema, so no version of a blueprint
// has anything in it. What a deployment brings to a tenant are the settings,
// which are the proxy's, and the server knows nothing of.
func (e *Engine) Deploy(context.Context, workspace.Target, workspace.Version) error { return nil }
