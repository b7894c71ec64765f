package loginguard

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func address(host string, port int) net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(host), Port: port}
}

func TestDelaysDoubleUpToALimit(t *testing.T) {
	var g Guard
	now := time.Now()
	addr := netip.MustParseAddr("192.0.2.1")
	for n, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond, maxDelay, maxDelay} {
		if got := g.count(addr, now); got != want {
			t.Errorf("failure %d: got %v, want %v", n+1, got, want)
		}
	}
	for range 1000 { // no number of failures overflows
		if got := g.count(addr, now); got != maxDelay {
			t.Fatalf("got %v, want %v", got, maxDelay)
		}
	}
}

func TestFailuresAreForgotten(t *testing.T) {
	var g Guard
	now := time.Now()
	addr := netip.MustParseAddr("192.0.2.1")
	g.count(addr, now)
	g.count(addr, now)
	if got := g.count(addr, now.Add(forgetAfter+time.Second)); got != firstDelay {
		t.Errorf("after a while: got %v, want %v", got, firstDelay)
	}
	g.Succeeded(address("192.0.2.1", 5))
	if got := g.count(addr, now); got != firstDelay {
		t.Errorf("after a success: got %v, want %v", got, firstDelay)
	}
}

func TestAddressesAreToldApartByHostAlone(t *testing.T) {
	for name, c := range map[string]struct {
		a, b net.Addr
		same bool
	}{
		"ports":         {address("192.0.2.1", 1), address("192.0.2.1", 2), true},
		"hosts":         {address("192.0.2.1", 1), address("192.0.2.2", 1), false},
		"mapped IPv4":   {address("192.0.2.1", 1), &net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 1}, true},
		"unix sockets":  {&net.UnixAddr{Name: "a"}, &net.UnixAddr{Name: "b"}, true},
		"none and unix": {nil, &net.UnixAddr{Name: "b"}, true},
	} {
		if got := host(c.a) == host(c.b); got != c.same {
			t.Errorf("%s: got same %v, want %v", name, got, c.same)
		}
	}
}

func TestTheTableIsBounded(t *testing.T) {
	var g Guard
	now := time.Now()
	first := netip.MustParseAddr("10.0.0.0")
	addr := first
	for n := range maxAddresses + 10 {
		g.count(addr, now.Add(time.Duration(n)))
		addr = addr.Next()
	}
	if got := len(g.failures); got != maxAddresses {
		t.Errorf("addresses: got %d, want %d", got, maxAddresses)
	}
	if _, known := g.failures[first]; known {
		t.Error("the oldest failure is still known")
	}
	g.count(addr, now.Add(2*forgetAfter))
	if got := len(g.failures); got != 1 {
		t.Errorf("addresses after a while: got %d, want 1", got)
	}
}

func TestADelayEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Guard
		addr := address("192.0.2.1", 1)
		for range 10 {
			g.count(host(addr), time.Now())
		}
		ctx, cancel := context.WithTimeout(t.Context(), maxDelay/2)
		defer cancel()
		began := time.Now()
		g.Failed(ctx, addr)
		if took := time.Since(began); took != maxDelay/2 {
			t.Errorf("took %v, want %v", took, maxDelay/2)
		}
	})
}

func TestGuardIsSafeForAllAtOnce(t *testing.T) {
	var g Guard
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for range 100 {
				g.Failed(ctx, address("192.0.2.1", n))
			}
		})
	}
	all.Wait()
	if got := g.failures[netip.MustParseAddr("192.0.2.1")].count; got != 800 {
		t.Errorf("failures: got %d, want 800", got)
	}
}
