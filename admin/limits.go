package admin

import (
	"container/list"
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"sync"
	"time"
)

const (
	requestsPerSecond   = 100    // for one address; also the size of a burst
	wrongKeysPerSecond  = 1      // for one address, after the burst
	wrongKeysBurst      = 20     //
	rememberedAddresses = 16_384 // the longest silent is forgotten first
)

// limiter counts the requests and the wrong keys of each address. Its memory is
// bounded, however many addresses there are.
type limiter struct {
	mu       sync.Mutex
	visitors map[netip.Prefix]*list.Element // of recent
	recent   *list.List                     // of *visitor, the latest in front
}

// visitor is one address; for IPv6 the /64 that one subscriber has.
type visitor struct {
	prefix    netip.Prefix
	requests  bucket
	wrongKeys bucket
	rightKey  [sha256.Size]byte // hash of the key last accepted; zero: none
}

// bucket holds tokens that come back with time.
type bucket struct {
	tokens float64
	at     time.Time // when tokens was true
}

func newLimiter() *limiter {
	return &limiter{visitors: make(map[netip.Prefix]*list.Element), recent: list.New()}
}

// take counts one request. Above 0 it is refused, and the result is how long
// until the next may come.
func (l *limiter) take(addr netip.Addr, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := &l.visitor(addr, now).requests
	if wait := b.wait(now, requestsPerSecond, requestsPerSecond); wait > 0 {
		return wait
	}
	b.tokens--
	return 0
}

// mayTry says how long the address must wait until it may try key.
func (l *limiter) mayTry(addr netip.Addr, key string, now time.Time) (wait time.Duration) {
	hash := sha256.Sum256([]byte(key))
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.visitor(addr, now)
	if subtle.ConstantTimeCompare(hash[:], v.rightKey[:]) == 1 {
		return 0
	}
	return v.wrongKeys.wait(now, wrongKeysPerSecond, wrongKeysBurst)
}

// refused counts a wrong key.
func (l *limiter) refused(addr netip.Addr, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visitor(addr, now).wrongKeys.tokens--
}

// accepted remembers the address's right key.
func (l *limiter) accepted(addr netip.Addr, key string, now time.Time) {
	hash := sha256.Sum256([]byte(key))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visitor(addr, now).rightKey = hash
}

// visitor finds or makes the address's record. The caller holds mu.
func (l *limiter) visitor(addr netip.Addr, now time.Time) *visitor {
	prefix := prefixOf(addr)
	if e, ok := l.visitors[prefix]; ok {
		l.recent.MoveToFront(e)
		return e.Value.(*visitor)
	}
	if l.recent.Len() >= rememberedAddresses {
		oldest := l.recent.Remove(l.recent.Back()).(*visitor)
		delete(l.visitors, oldest.prefix)
	}
	v := &visitor{
		prefix:    prefix,
		requests:  bucket{tokens: requestsPerSecond, at: now},
		wrongKeys: bucket{tokens: wrongKeysBurst, at: now},
	}
	l.visitors[prefix] = l.recent.PushFront(v)
	return v
}

// wait refills the bucket and says how long until it has a token.
func (b *bucket) wait(now time.Time, perSecond, most float64) time.Duration {
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.tokens = min(most, b.tokens+passed*perSecond)
		b.at = now
	}
	if b.tokens >= 1 {
		return 0
	}
	return max(1, time.Duration((1-b.tokens)/perSecond*float64(time.Second)))
}

// prefixOf is what counts as one address. Clients without any (unix sockets)
// share one.
func prefixOf(addr netip.Addr) netip.Prefix {
	if addr.Is6() {
		return netip.PrefixFrom(addr, 64).Masked()
	}
	return netip.PrefixFrom(addr, 32)
}
