package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// settlePatience is how long a write at the limit waits for those before it,
// which are on their way to the server.
const settlePatience = 2 * time.Second

// gate keeps the keys of a workspace within max_keys. Every command that may
// make keys claims them before it is sent, and settles when its reply is here.
// Far from the limit a claim takes from an allowance and costs an addition.
// Once that is spent, claims are decided one at a time with the server's own
// count, which the claims not yet settled are added to; a claim that then
// finds no place waits until those are settled and so counted by the server.
//
// The invariant: keys on the server + keys claimed and unsettled + allowance
// <= max_keys, where a claim of a key that exists needs no place of its own,
// because making it again takes that it was deleted. What makes a key in the
// place of another that it takes away (RENAME, a script) breaks that: the other
// may be claimed as one that exists. So near the limit it goes alone.
type gate struct {
	deciding sync.Mutex // held while one claim asks the server

	mu        sync.Mutex
	settings  *workspace.KeyRules
	allowance int64
	inFlight  int64         // keys claimed and not settled
	parked    int64         // of commands that may wait for others
	drained   chan struct{} // closed when inFlight is 0; nil where nobody waits
	alone     *claim        // unsettled, and none is granted beside it

	// Under deciding.
	server   *asker
	failed   time.Time // when the server could last not be asked
	closed   bool
	lastReap time.Time
	reaping  time.Duration
}

// claim is the keys that one command may make.
type claim struct {
	gate   *gate
	keys   int64
	moves  int64 // of keys, how many take another one's place
	unseen int64 // of keys, how many are new for all that is known
	parked bool
	// lone says that it is a script's that goes alone; behind it there may be
	// ceiling keys.
	lone    bool
	ceiling int64
	next    *claim // settled together with this one
}

// settle ends the claim and those that go with it: the server has counted what
// they made.
func (c *claim) settle() {
	for ; c != nil; c = c.next {
		c.gate.settle(c)
	}
}

func (g *gate) settle(c *claim) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.alone == c {
		g.alone = nil
	}
	if c.parked {
		g.parked -= c.keys
		return
	}
	g.inFlight -= c.keys
	if g.inFlight == 0 && g.drained != nil {
		close(g.drained)
		g.drained = nil
	}
}

// errFull says that a write would add a key to a workspace at its limit.
var errFull = errors.New("max_keys limit reached")

// take claims keys at once where the allowance has them.
func (g *gate) take(s *workspace.KeyRules, c *claim) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.settings != s {
		g.settings, g.allowance = s, 0
	}
	if g.allowance < c.keys {
		return false
	}
	g.allowance -= c.keys
	g.add(c)
	return true
}

// add counts a claim that was granted. The caller holds mu.
func (g *gate) add(c *claim) {
	if c.parked {
		g.parked += c.keys
	} else {
		g.inFlight += c.keys
	}
}

// errUnasked says that the server could not be asked for another claim.
var errUnasked = errors.New("the server can't be asked")

// turn waits until no other claim is decided. The time for asking begins then,
// since a turn may be long in coming where many write at the limit; but who
// waited while the server could not be asked does not try for itself.
func (g *gate) turn() (ctx context.Context, done func(), err error) {
	came := time.Now()
	g.deciding.Lock()
	if came.Before(g.failed) {
		g.deciding.Unlock()
		return nil, nil, errUnasked
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	return ctx, func() { cancel(); g.deciding.Unlock() }, nil
}

// claim claims c for keys, or says errFull. What the session sent before must
// be on its way.
func (g *gate) claim(r *relay, s *workspace.KeyRules, c *claim, keys [][]byte) error {
	if g.take(s, c) {
		return nil
	}
	ctx, done, err := g.turn()
	if err != nil {
		return err
	}
	defer done()
	if g.take(s, c) {
		return nil
	}
	if err := g.notBeside(ctx); err != nil {
		return err
	}
	granted, err := g.decide(ctx, r, s, c, keys)
	if err != nil || granted {
		return err
	}
	if err := g.drain(ctx); err != nil {
		return err
	}
	granted, err = g.decide(ctx, r, s, c, keys)
	if err != nil || granted {
		return err
	}
	reaped, err := g.reap(ctx, r)
	if err != nil {
		return err
	}
	if reaped {
		granted, err = g.decide(ctx, r, s, c, keys)
		if err != nil || granted {
			return err
		}
	}
	return errFull
}

// decide asks the server how many keys there are, and which of keys, and grants
// the claim where they fit.
func (g *gate) decide(ctx context.Context, r *relay, s *workspace.KeyRules, c *claim, keys [][]byte) (granted bool, err error) {
	free, missing, err := g.count(ctx, r, s, keys)
	if missing += c.unseen; err != nil || missing > max(free, 0) {
		return false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if missing+c.moves > max(free, 0) {
		if c.parked || free < missing {
			return false, nil
		}
		g.alone = c
	}
	g.add(c)
	g.allowance = max(free-c.keys, 0)
	return true, nil
}

// count asks the server for the places that nobody has claimed, and how many of
// keys do not exist. It spends the allowance. The caller holds deciding.
func (g *gate) count(ctx context.Context, r *relay, s *workspace.KeyRules, keys [][]byte) (free, missing int64, err error) {
	commands := appendCommand(nil, "DBSIZE")
	for _, key := range keys {
		commands = appendCommand(commands, "EXISTS", string(key))
	}
	// Claims settled from here on may or may not be in the server's count; all
	// that are unsettled now are added to it.
	g.mu.Lock()
	unsettled := g.inFlight + g.parked
	g.allowance = 0
	g.mu.Unlock()
	answers, err := g.ask(ctx, r, commands, 1+len(keys))
	if err != nil {
		return 0, 0, err
	}
	size, ok := answers[0].(int64)
	if !ok {
		return 0, 0, errAnswer
	}
	for _, v := range answers[1:] {
		if v == int64(0) {
			missing++
		}
	}
	return s.MaxKeys - size - unsettled, missing, nil
}

// notBeside waits until a claim that goes alone is settled. The caller holds
// deciding.
func (g *gate) notBeside(ctx context.Context) error {
	g.mu.Lock()
	alone := g.alone != nil
	g.mu.Unlock()
	if !alone {
		return nil
	}
	return g.drain(ctx)
}

// drain waits until no claim but those of waiting commands is unsettled. None
// is granted meanwhile, since the allowance is spent and the caller decides.
func (g *gate) drain(ctx context.Context) error {
	g.mu.Lock()
	if g.inFlight == 0 {
		g.mu.Unlock()
		return nil
	}
	if g.drained == nil {
		g.drained = make(chan struct{})
	}
	drained := g.drained
	g.mu.Unlock()
	patience := time.NewTimer(settlePatience)
	defer patience.Stop()
	select {
	case <-drained:
		return nil
	case <-patience.C:
		return errFull
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reapRest is how many times as long as it took a reap is left out after it,
// so that a workspace at its limit does not keep the server busy with it.
const reapRest = 10

// reap makes the server delete what has expired, which its count still has: it
// does so with each expired key that SCAN meets. reaped is false where it was
// done just before.
func (g *gate) reap(ctx context.Context, r *relay) (reaped bool, err error) {
	began := time.Now()
	if began.Sub(g.lastReap) < reapRest*g.reaping {
		return false, nil
	}
	cursor := "0"
	for {
		answers, err := g.ask(ctx, r, appendCommand(nil, "SCAN", cursor, "COUNT", "1000"), 1)
		if err != nil {
			return false, err
		}
		page, ok := answers[0].([]any)
		if !ok || len(page) != 2 {
			return false, errAnswer
		}
		if cursor, ok = page[0].(string); !ok {
			return false, errAnswer
		}
		if cursor == "0" {
			break
		}
	}
	g.lastReap = time.Now()
	g.reaping = g.lastReap.Sub(began)
	return true, nil
}

// ask asks the server on the gate's own connection as the workspace's role. A
// connection that the server closed meanwhile is replaced.
func (g *gate) ask(ctx context.Context, r *relay, commands []byte, n int) ([]any, error) {
	if g.server != nil {
		answers, err := g.server.ask(commands, n)
		if err == nil {
			return answers, nil
		}
		g.server.conn.Close()
		g.server = nil
	}
	if g.closed {
		return nil, net.ErrClosed
	}
	b, err := r.protocol.dial(ctx, r.route)
	if err != nil {
		g.failed = time.Now()
		return nil, fmt.Errorf("count keys: %w", err)
	}
	a := &asker{b.conn, bufio.NewReader(b.conn)}
	answers, err := a.ask(commands, n)
	if err != nil {
		g.failed = time.Now()
		a.conn.Close()
		return nil, fmt.Errorf("count keys: %w", err)
	}
	g.server = a
	return answers, nil
}

// close closes the gate's connection.
func (g *gate) close() {
	g.deciding.Lock()
	defer g.deciding.Unlock()
	g.closed = true
	if g.server != nil {
		g.server.conn.Close()
		g.server = nil
	}
}
