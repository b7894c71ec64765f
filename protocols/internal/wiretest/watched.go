package wiretest

import (
	"context"
	"net"
	"slices"
	"sync"

	"github.com/tenantsdb/tenantsdb/protocols"
)

// Watched is a protocol, whose relays are of type R, that remembers every relay,
// so that tests can see what it still owes.
type Watched[R protocols.Relay] struct {
	Protocol
	mu      sync.Mutex
	prepare func(R)
	relays  []R
}

// Watch makes a protocol be watched.
func Watch[R protocols.Relay](p Protocol) *Watched[R] { return &Watched[R]{Protocol: p} }

// Handshake is the protocol's own, for a session that is watched.
func (w *Watched[R]) Handshake(ctx context.Context, conn net.Conn) (protocols.Session, error) {
	s, err := w.Protocol.Handshake(ctx, conn)
	if err != nil {
		return nil, err
	}
	return watchedSession[R]{s, w}, nil
}

// Prepare has f done to each relay from now on before it runs.
func (w *Watched[R]) Prepare(f func(R)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.prepare = f
}

// Relays are those of all sessions, in the order in which they connected.
func (w *Watched[R]) Relays() []R {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.relays)
}

// Last is the relay of the session that connected last.
func (w *Watched[R]) Last() R {
	relays := w.Relays()
	return relays[len(relays)-1]
}

type watchedSession[R protocols.Relay] struct {
	protocols.Session
	watched *Watched[R]
}

func (s watchedSession[R]) Connect(ctx context.Context) (protocols.Relay, error) {
	r, err := s.Session.Connect(ctx)
	if err != nil {
		return nil, err
	}
	s.watched.mu.Lock()
	defer s.watched.mu.Unlock()
	if s.watched.prepare != nil {
		s.watched.prepare(r.(R))
	}
	s.watched.relays = append(s.watched.relays, r.(R))
	return r, nil
}
