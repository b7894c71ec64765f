package workspace

import (
	"context"
	"sync"
)

// server is one physical server.
type server struct {
	name   string
	engine Engine

	naming    sync.Mutex    // held while a new database's name is chosen and recorded
	deploying chan struct{} // a place for each database that is being deployed to
	mu        sync.Mutex
	prepared  bool // guarded by mu
}

// label is how checks and logs name the server.
func (v *server) label() string { return string(v.engine.Type()) + "/" + v.name }

// prepare makes the server ready for workspaces, unless it is.
func (v *server) prepare(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.prepared {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	if err := v.engine.Prepare(ctx); err != nil {
		return err
	}
	v.prepared = true
	return nil
}

func (v *server) isPrepared() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.prepared
}
