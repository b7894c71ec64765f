// Package loginguard slows down addresses that fail to log in.
package loginguard

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// firstDelay doubles with each failure up to maxDelay.
	firstDelay = 100 * time.Millisecond
	maxDelay   = 3 * time.Second
	// forgetAfter is how long a failure counts.
	forgetAfter = 10 * time.Minute
	// maxAddresses bounds the table; beyond it the oldest failures are forgotten.
	maxAddresses = 1 << 14
)

// Guard counts failed logins by address. The zero value is ready.
type Guard struct {
	mu       sync.Mutex
	failures map[netip.Addr]failure
}

type failure struct {
	count int
	last  time.Time
}

// Failed counts a failure of the client at addr and waits out its delay, or
// until ctx ends.
func (g *Guard) Failed(ctx context.Context, addr net.Addr) {
	delay := time.NewTimer(g.count(host(addr), time.Now()))
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-ctx.Done():
	}
}

// Succeeded forgets the failures of the client at addr.
func (g *Guard) Succeeded(addr net.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.failures, host(addr))
}

func (g *Guard) count(addr netip.Addr, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failures == nil {
		g.failures = make(map[netip.Addr]failure)
	}
	if _, known := g.failures[addr]; !known && len(g.failures) >= maxAddresses {
		g.forget(now)
	}
	f := g.failures[addr]
	if now.Sub(f.last) > forgetAfter {
		f.count = 0
	}
	f.count++
	f.last = now
	g.failures[addr] = f
	return min(firstDelay<<min(f.count-1, 16), maxDelay)
}

// forget makes room: what is too old to count, or else the oldest.
func (g *Guard) forget(now time.Time) {
	var oldest netip.Addr
	oldestTime := now
	for addr, f := range g.failures {
		if now.Sub(f.last) > forgetAfter {
			delete(g.failures, addr)
		} else if !f.last.After(oldestTime) {
			oldest, oldestTime = addr, f.last
		}
	}
	if len(g.failures) >= maxAddresses {
		delete(g.failures, oldest)
	}
}

// host is the address without its port; clients without one share the zero
// address.
func host(addr net.Addr) netip.Addr {
	if addr == nil {
		return netip.Addr{}
	}
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
