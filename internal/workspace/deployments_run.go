package workspace

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	parallelDeployments = 4                // databases at once on each physical server, over all deployments
	versionTimeout      = 30 * time.Minute // of one version on one database

	// How long, and after which pauses, a version is asked for again where
	// somebody else is at the database.
	rivalPatience     = time.Minute
	firstRivalPause   = 50 * time.Millisecond
	longestRivalPause = 2 * time.Second
)

// resume takes up the deployments that the last process did not end.
func (s *Service) resume(ctx context.Context) error {
	all, err := s.catalog.UnfinishedDeployments(ctx)
	if err != nil {
		return err
	}
	for _, d := range all {
		s.begin(func() { s.deploy(s.background, d) })
	}
	return nil
}

// deploy runs a deployment to its end, or until ctx ends or the catalog fails:
// then it is taken up where it stands at the next start.
func (s *Service) deploy(ctx context.Context, d Deployment) {
	if err := s.catalog.SetDeploymentState(ctx, d.ID, DeploymentInProgress, nil); err != nil {
		s.deploymentLost(ctx, d, err)
		return
	}
	var wg sync.WaitGroup
	var lost atomic.Bool
	for _, parts := range s.unfinishedParts(d) {
		next := make(chan *DeploymentResult, len(parts))
		for _, r := range parts {
			next <- r
		}
		close(next)
		for range min(len(parts), parallelDeployments) {
			wg.Go(func() {
				for r := range next {
					if err := s.deployInTurn(ctx, d, r); err != nil {
						s.deploymentLost(ctx, d, err)
						lost.Store(true)
					}
				}
			})
		}
	}
	wg.Wait()
	if ctx.Err() != nil || lost.Load() {
		return
	}
	now := s.time()
	state := outcome(d.Results)
	if err := s.catalog.SetDeploymentState(ctx, d.ID, state, &now); err != nil {
		s.deploymentLost(ctx, d, err)
		return
	}
	s.audit.Info("deployment ended", "deployment", d.ID, "blueprint", d.Blueprint, "version", d.Version, "state", state, "tenants", len(d.Results))
}

// unfinishedParts is a deployment's parts that have not ended, by the server that
// holds the database; nil for none.
func (s *Service) unfinishedParts(d Deployment) map[*server][]*DeploymentResult {
	parts := map[*server][]*DeploymentResult{}
	for i := range d.Results {
		r := &d.Results[i]
		if r.State == DeploymentCompleted || r.State == DeploymentFailed {
			continue
		}
		var on *server
		if h, _ := s.directory.numbered(r.DatabaseID); h != nil {
			on = h.server
		}
		parts[on] = append(parts[on], r)
	}
	return parts
}

// deployInTurn is deployOne when it is the database's turn: after other
// deployments to it, which take one place on its server together, so that one
// database that hangs holds up no others. It does nothing once ctx has ended.
func (s *Service) deployInTurn(ctx context.Context, d Deployment, r *DeploymentResult) error {
	h, _ := s.directory.numbered(r.DatabaseID)
	if h == nil || h.server == nil {
		return s.deployOne(ctx, d, r)
	}
	h.of.deploying.Lock()
	defer h.of.deploying.Unlock()
	select {
	case <-ctx.Done():
		return nil
	case h.server.deploying <- struct{}{}:
	}
	defer func() { <-h.server.deploying }()
	return s.deployOne(ctx, d, r)
}

// deploymentLost says that the catalog failed a deployment, which stays
// unfinished until the next start. One that is not there went with its blueprint.
func (s *Service) deploymentLost(ctx context.Context, d Deployment, err error) {
	if ctx.Err() == nil && !errors.Is(err, ErrNotFound) {
		s.log.Error("deployment can't go on before the next start", "deployment", d.ID, "error", err)
	}
}

// outcome is the state of a deployment whose parts have ended.
func outcome(results []DeploymentResult) DeploymentState {
	failed := 0
	for _, r := range results {
		if r.State != DeploymentCompleted {
			failed++
		}
	}
	switch failed {
	case 0:
		return DeploymentCompleted
	case len(results):
		return DeploymentFailed
	}
	return DeploymentPartial
}

// deployOne runs a deployment's part for one tenant and keeps how it ended in r.
// An error is the catalog's, which has not kept it.
func (s *Service) deployOne(ctx context.Context, d Deployment, r *DeploymentResult) error {
	if ctx.Err() != nil {
		return nil
	}
	began := time.Now()
	r.State = DeploymentInProgress
	if err := s.catalog.SetDeploymentResult(ctx, d.ID, *r); err != nil {
		return err
	}
	err := s.deployTo(ctx, d, r)
	if ctx.Err() != nil {
		return nil
	}
	r.State, r.Took = DeploymentCompleted, r.Took+time.Since(began)
	if err != nil {
		r.State, r.Error = DeploymentFailed, toldDeploying(err)
		s.log.Warn("tenant can't be deployed to", "deployment", d.ID, "tenant", r.Tenant, "error", Causes(err))
	}
	return s.catalog.SetDeploymentResult(ctx, d.ID, *r)
}

// toldDeploying is what of a failure the API may show.
func toldDeploying(err error) string {
	if ErrorCode(err) == Internal {
		return "the deployment failed here; the log has the cause"
	}
	return told(err)
}

// deployTo brings r's database to the deployment's version and settings.
func (s *Service) deployTo(ctx context.Context, d Deployment, r *DeploymentResult) error {
	h, _ := s.directory.numbered(r.DatabaseID)
	if h == nil {
		return tenantNotFound(r.Tenant)
	}
	h.changing.Lock()
	defer h.changing.Unlock()
	now, w := s.directory.numbered(r.DatabaseID)
	if now == nil || w.State != Ready {
		return tenantNotFound(r.Tenant)
	}
	if h.server == nil {
		return serverMissing(w)
	}
	err := s.bring(ctx, h, d.Version)
	r.Version = s.directory.current(h).Version
	if err != nil {
		return err
	}
	return s.setSettings(ctx, h, s.directory.current(h.of.blueprint).Settings)
}

// bring gives a tenant's database the versions of its blueprint that it has not,
// up to that one, in their order; changing is held.
func (s *Service) bring(ctx context.Context, h *held, to int64) error {
	for n := s.directory.current(h).Version + 1; n <= to; n++ {
		if t := s.tenantOf(h); t.State == TenantTrash {
			return inTrash(t)
		}
		if err := s.bringOne(ctx, h, n); err != nil {
			return fmt.Errorf("version %d: %w", n, err)
		}
	}
	return nil
}

func (s *Service) bringOne(ctx context.Context, h *held, n int64) error {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	v, err := s.catalog.BeginVersion(ctx, h.live.ID, n)
	if err != nil {
		return storeFailed(err)
	}
	if len(v.Entries) > 0 {
		if err := s.runVersion(ctx, h, v); err != nil {
			s.abandonVersion(ctx, h, err)
			return err
		}
	}
	if err := s.catalog.FinishVersion(ctx, h.live.ID, n, s.time()); err != nil {
		return storeFailed(err)
	}
	s.directory.setVersion(h, n)
	s.audit.Info("version deployed", "tenant", s.tenantOf(h).Name, "blueprint", h.of.blueprint.live.Name, "version", n, "statements", len(v.Entries))
	return nil
}

// runVersion has the server run a version. Where it is still at the last request
// of a process that died, that is waited for.
func (s *Service) runVersion(ctx context.Context, h *held, v Version) error {
	pause := firstRivalPause
	for began := time.Now(); ; pause = min(2*pause, longestRivalPause) {
		err := h.server.engine.Deploy(ctx, h.target, v)
		if !errors.Is(err, ErrRival) || time.Since(began) > rivalPatience {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// abandonVersion gives a version back that the server has refused whole. Of any
// other failure nobody knows what it left.
func (s *Service) abandonVersion(ctx context.Context, h *held, cause error) {
	if ErrorCode(cause) != BadRequest || errors.Is(cause, ErrPartly) {
		return
	}
	if err := s.catalog.AbandonVersion(ctx, h.live.ID); err != nil {
		s.log.Warn("version that failed still counts as deployed", "workspace", h.live.ID, "error", err)
	}
}
