package mongodb

import (
	"context"
	"errors"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Deploy implements workspace.Engine.
func (e *Engine) Deploy(context.Context, workspace.Target, workspace.Version) error {
	return errors.New("not yet")
}
