package proxy

import (
	"context"
	"sync"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
)

// registry counts and knows the sessions of each workspace. The zero value is
// ready.
type registry struct {
	mu         sync.Mutex
	draining   bool
	workspaces map[int64]map[*slot]struct{}
}

// slot is the right to one session of a workspace.
type slot struct {
	registry  *registry
	workspace int64
	live      *workspace.Live
	key       *workspace.LiveKey // nil: of a login that is no key's
	released  chan struct{}

	// Under the registry's lock: the relay once there is one, and why it is to
	// stop if that was said before.
	relay   protocols.Relay
	stopped protocols.Reason
}

// take counts and registers a session in one critical section, or says why
// not. The slot's release must be deferred.
func (g *registry) take(route workspace.Route) (*slot, protocols.Reason) {
	live := route.Live
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining {
		return nil, protocols.Draining
	}
	if live.Suspended() {
		return nil, protocols.Suspended
	}
	if route.Key.Revoked() {
		return nil, protocols.Revoked
	}
	if !live.Enter() {
		return nil, protocols.Full
	}
	taken := g.workspaces[live.ID]
	if g.workspaces == nil {
		g.workspaces = make(map[int64]map[*slot]struct{})
	}
	if taken == nil {
		taken = make(map[*slot]struct{})
		g.workspaces[live.ID] = taken
	}
	s := &slot{registry: g, workspace: live.ID, live: live, key: route.Key, released: make(chan struct{})}
	taken[s] = struct{}{}
	if live.Deleted() {
		// Removed between the login and here; its sessions may have been
		// stopped before this one was among them.
		s.stopped = protocols.Deleted
	}
	return s, 0
}

// attach makes the slot's session stoppable, and stops it where that was asked
// for while it connected.
func (s *slot) attach(r protocols.Relay) {
	s.registry.mu.Lock()
	s.relay = r
	stopped := s.stopped
	s.registry.mu.Unlock()
	if stopped != 0 {
		r.Stop(stopped)
	}
}

// release gives the slot back.
func (s *slot) release() {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	taken := s.registry.workspaces[s.workspace]
	delete(taken, s)
	if len(taken) == 0 {
		delete(s.registry.workspaces, s.workspace)
	}
	s.live.Leave()
	close(s.released)
}

// closeWorkspace stops the sessions of a workspace that is deleted, or of a
// tenant's database that is suspended, and waits until they ended or ctx did.
func (g *registry) closeWorkspace(ctx context.Context, id int64) {
	awaitRelease(ctx, g.stop(g.whyClosed(id), func(s *slot) bool { return s.workspace == id }))
}

// closeKey stops the sessions of a key that is revoked, and waits until they
// ended or ctx did.
func (g *registry) closeKey(ctx context.Context, key *workspace.LiveKey) {
	awaitRelease(ctx, g.stop(protocols.Revoked, func(s *slot) bool { return s.key == key }))
}

func awaitRelease(ctx context.Context, slots []*slot) {
	for _, s := range slots {
		select {
		case <-s.released:
		case <-ctx.Done():
			return
		}
	}
}

// whyClosed is what the sessions of a workspace or tenant's database are told
// that is being closed.
func (g *registry) whyClosed(id int64) protocols.Reason {
	g.mu.Lock()
	defer g.mu.Unlock()
	for s := range g.workspaces[id] {
		if s.live.Suspended() {
			return protocols.Suspended
		}
	}
	return protocols.Deleted
}

// stopAll stops every session, those of the future too.
func (g *registry) stopAll(reason protocols.Reason) {
	g.mu.Lock()
	g.draining = true
	g.mu.Unlock()
	g.stop(reason, func(*slot) bool { return true })
}

func (g *registry) stop(reason protocols.Reason, match func(*slot) bool) []*slot {
	g.mu.Lock()
	var slots []*slot
	var relays []protocols.Relay
	for _, taken := range g.workspaces {
		for s := range taken {
			if !match(s) {
				continue
			}
			slots = append(slots, s)
			if reason != protocols.Draining || s.stopped == 0 {
				s.stopped = reason
			}
			if s.relay != nil {
				relays = append(relays, s.relay)
			}
		}
	}
	g.mu.Unlock()
	for _, r := range relays {
		r.Stop(reason)
	}
	return slots
}
