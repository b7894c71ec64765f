package workspace

import "context"

// RestoreRole puts the workspace's physical roles back as they were made. A role
// may change its own password, on PostgreSQL nobody can forbid it, and would
// lock its workspace's clients out; the relay asks for this when the server
// refuses ours.
func (s *Service) RestoreRole(ctx context.Context, workspaceID int64) error {
	h, w := s.directory.numbered(workspaceID)
	switch {
	case h == nil || w.State != Ready:
		return Errorf(NotFound, "workspace %d is not there", workspaceID)
	case h.server == nil:
		return serverMissing(w)
	}
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	h.readers.Lock()
	defer h.readers.Unlock()
	return h.server.engine.Create(ctx, h.targetKept(), w.Mode == Tenant)
}
