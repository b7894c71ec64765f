package proxy

import (
	"net"
	"net/netip"
	"sync"
)

// gate counts the connections that have no session yet.
type gate struct {
	most, mostPerHost int

	mu      sync.Mutex
	total   int
	perHost map[netip.Addr]int
}

// enter admits a connection from addr; leave, which may be called again, is
// its end. ok is false where too many are inside.
func (g *gate) enter(addr net.Addr) (leave func(), ok bool) {
	host := hostOf(addr)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= g.most || g.perHost[host] >= g.mostPerHost {
		return nil, false
	}
	if g.perHost == nil {
		g.perHost = make(map[netip.Addr]int)
	}
	g.total++
	g.perHost[host]++
	return sync.OnceFunc(func() { g.leave(host) }), true
}

func (g *gate) leave(host netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	g.perHost[host]--
	if g.perHost[host] == 0 {
		delete(g.perHost, host)
	}
}

// hostOf is addr without its port; connections without one share the zero
// address.
func hostOf(addr net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
