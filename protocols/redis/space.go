package redis

import "sync"

// space is what the sessions of one workspace share: the gate of max_keys, and
// who listens to which pattern or is told of which keys.
type space struct {
	gate    gate
	scripts scripts
	// redirects is whom sessions have told of the keys that they track.
	redirects redirects

	mu        sync.Mutex
	listening int            // sessions with a pattern
	patterns  map[string]int // sessions by pattern
}

// close closes the space's own connections to the server.
func (s *space) close() {
	s.gate.close()
	s.redirects.close()
}

// listen counts a session's pattern, by 1 or -1. change is by how much that
// changes the number of sessions with any.
func (s *space) listen(pattern string, by, change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.patterns == nil {
		s.patterns = make(map[string]int)
	}
	s.listening += change
	s.patterns[pattern] += by
	if s.patterns[pattern] <= 0 {
		delete(s.patterns, pattern)
	}
}

// count is how many patterns are listened to.
func (s *space) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.patterns)
}

// listened says whether any session has a pattern.
func (s *space) listened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listening > 0
}

// receivers is the server's count of those who got a message on channel as
// Redis counts: once for each pattern that matches, and not once for each
// session that the proxy listens for.
func (s *space) receivers(counted int64, channel string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	counted -= int64(s.listening)
	for pattern, sessions := range s.patterns {
		if match([]byte(pattern), []byte(channel)) {
			counted += int64(sessions)
		}
	}
	return max(counted, 0)
}
