package mysql

import (
	"math/rand/v2"
	"sync"
)

// firstID keeps our numbers of connections apart from a server's own. They end at
// twice as many: some clients have them signed, in 32 bits, and KILL by them.
const firstID = 1 << 30

// sessions finds the session that a KILL is for.
type sessions struct {
	mu     sync.Mutex
	last   uint32
	relays map[uint32]*relay
}

func newSessions() sessions {
	return sessions{last: rand.Uint32(), relays: make(map[uint32]*relay)}
}

// next is the number of another connection.
func (s *sessions) next() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		s.last = firstID | (s.last+1)%firstID
		if s.relays[s.last] == nil {
			return s.last
		}
	}
}

func (s *sessions) add(r *relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.relays[r.id] = r
}

func (s *sessions) forget(id uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.relays, id)
}

// target is the backend of the session with the number id, where it is one of
// the workspace's. A KILL for it is on its way until kills.Done is called.
func (s *sessions) target(id uint64, workspaceID int64) *backend {
	if id < firstID || id >= 2*firstID {
		return nil
	}
	r := s.find(uint32(id))
	if r == nil || r.live.ID != workspaceID {
		return nil
	}
	return r.claim()
}

// find is the session with the number id; nil where there is none.
func (s *sessions) find(id uint32) *relay {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.relays[id]
}
