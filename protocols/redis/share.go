package redis

import (
	"errors"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// A script says by its keys how many it makes at the least; the server knows
// better while it runs, and stops it at the room that was claimed for it. Far
// from the limit that is a share of the allowance, for as many keys as it makes; near
// to it the script goes alone, and there may be as many keys as the limit says,
// so that it is never refused a place that is free or that it frees. A script in
// MULTI has a share only, since it keeps it until EXEC.
const (
	minQueued = 1 << 4
	// queuedShares is into how many the allowance is divided for them.
	queuedShares = 256
	minShare     = 1 << 10
	maxShare     = 1 << 16
	// shares is into how many an allowance is divided.
	shares = 8
)

// takeShare claims room for a script at once, where the allowance is far above
// what it may need.
func (g *gate) takeShare(s *workspace.KeyRules, c *claim, named int64) bool {
	return g.takeLeast(s, c, shares, max(minShare, named))
}

// takeLeast is takeShare with the least that the share may be.
func (g *gate) takeLeast(s *workspace.KeyRules, c *claim, shares, least int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.settings != s {
		g.settings, g.allowance = s, 0
	}
	return g.divide(c, shares, least)
}

// divide is takeLeast for who holds mu.
func (g *gate) divide(c *claim, shares, least int64) bool {
	if g.allowance < 2*least {
		return false
	}
	c.keys = max(min(g.allowance/shares, maxShare), least)
	g.allowance -= c.keys
	g.add(c)
	return true
}

// share claims room for a script, and sets how many keys there may then be
// where it goes alone. A script behind a command that waits gets a part only, as
// it keeps it for as long.
func (g *gate) share(r *relay, s *workspace.KeyRules, c *claim, named int64) error {
	ctx, done, err := g.turn()
	if err != nil {
		return err
	}
	defer done()
	if g.takeShare(s, c, named) {
		return nil
	}
	if err := g.notBeside(ctx); err != nil {
		return err
	}
	free, _, err := g.count(ctx, r, s, nil)
	if err != nil {
		return err
	}
	if free < 2*max(minShare, named) {
		if err := g.drain(ctx); err != nil && !errors.Is(err, errFull) {
			return err
		}
		if free, _, err = g.count(ctx, r, s, nil); err != nil {
			return err
		}
	}
	if free < max(named, 1) {
		reaped, err := g.reap(ctx, r)
		if err != nil {
			return err
		}
		if reaped {
			if free, _, err = g.count(ctx, r, s, nil); err != nil {
				return err
			}
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.allowance = max(free, 0)
	if g.divide(c, shares, max(minShare, named)) || c.parked && g.divide(c, queuedShares, max(minQueued, named)) {
		return nil
	}
	if c.parked {
		c.keys = min(g.allowance, max(named, 1))
		g.allowance -= c.keys
		g.add(c)
		return nil
	}
	c.lone, c.ceiling = true, max(s.MaxKeys-g.inFlight-g.parked, 0)
	c.keys = 1
	g.allowance, g.alone = 0, c
	g.add(c)
	return nil
}

// queue claims a share for a script in MULTI. taken is false where too little is
// left for that.
func (g *gate) queue(r *relay, s *workspace.KeyRules, c *claim, named int64) (taken bool, err error) {
	ctx, done, err := g.turn()
	if err != nil {
		return false, err
	}
	defer done()
	least := max(minQueued, named)
	if g.takeLeast(s, c, queuedShares, least) {
		return true, nil
	}
	if err := g.notBeside(ctx); err != nil {
		return false, err
	}
	free, _, err := g.count(ctx, r, s, nil)
	if err != nil {
		return false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.allowance = max(free, 0)
	return g.divide(c, queuedShares, least), nil
}
