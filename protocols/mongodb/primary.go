package mongodb

import (
	"context"
	"slices"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// How the primary of a replica set is followed: the engine watches the set, and
// Login gives where its primary is now. A session that hears from its server
// that this is the primary no more passes that on, as the driver expects it, and
// takes its next backend from there. Until there is a primary hello says so, and
// drivers in discovery mode wait for it.

// lookAgain is how often servers without a primary are asked whether they have
// one.
const lookAgain = 500 * time.Millisecond

// notPrimary says whether a code is that of a server that is not, or will not be
// for long, the primary
// (https://github.com/mongodb/specifications/blob/master/source/server-discovery-and-monitoring/server-discovery-and-monitoring.md#not-writable-primary-and-node-is-recovering).
func notPrimary(code int64) bool {
	return slices.Contains([]int64{10107, 13435, 10058, 11600, 11602, 13436, 189, codeShutdownInProgress}, code)
}

// suspect notes a reply by which the server is the primary no more.
func (r *relay) suspect(body []byte) {
	code := errorCode(body)
	if failed, err := lookup(body, "writeConcernError"); err == nil && failed.kind == typeDocument {
		if e, err := lookup(failed.value, "code"); err == nil {
			code, _ = e.number()
		}
	}
	if !notPrimary(code) {
		return
	}
	r.stale = true
	r.protocol.doubt()
}

// relocate makes the route lead to where the workspace is now.
func (r *relay) relocate(ctx context.Context) {
	login, err := r.protocol.config.Directory.Login(ctx, workspace.MongoDB, r.user, r.route.Database)
	if err != nil {
		r.log.Warn("workspace not looked up", "workspace", r.live.Name, "error", err)
		return
	}
	if login.Known && login.Route.Live == r.live {
		r.route.Address = login.Route.Address
	}
}

// doubt has the servers asked anew, soon.
func (p *Protocol) doubt() {
	select {
	case p.doubts <- struct{}{}:
	default:
	}
}

// again is when the servers are to be asked without being doubted: nil where
// there is a primary.
func (p *Protocol) again() <-chan time.Time {
	if v, seen := p.topology.view(); seen && !v.writable() {
		return time.After(lookAgain)
	}
	return nil
}
