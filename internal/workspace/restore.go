package workspace

import (
	"context"
	"time"
)

const restoreEvery = time.Second

// restoreRoles brings back the roles of v's workspaces where its server has
// forgotten them.
func (s *Service) restoreRoles(ctx context.Context, v *server) error {
	r, ok := v.engine.(Restorer)
	if !ok || !v.isPrepared() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	return r.Restore(ctx, func() []Target {
		var targets []Target
		for _, h := range s.directory.databases(func(h *held) bool { return h.server == v && h.w.State == Ready }) {
			targets = append(targets, h.targetKept())
		}
		return targets
	})
}

// keepRoles watches one server for a new start until ctx ends. It says once
// that it can't, and once that it can again.
func (s *Service) keepRoles(ctx context.Context, v *server, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.restoreRoles(ctx, v)
		switch {
		case err != nil && !failing && ctx.Err() == nil:
			s.log.Warn("roles can't be looked after", "server", v.label(), "error", err)
		case err == nil && failing:
			s.log.Info("roles are looked after again", "server", v.label())
		}
		failing = err != nil
	}
}
