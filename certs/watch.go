package certs

import (
	"context"
	"slices"
	"time"
)

const (
	// LookEvery is how often Watch looks at the files by default.
	LookEvery = 5 * time.Second
	// warnBefore is how long before the expiry Watch begins to warn.
	warnBefore = 14 * 24 * time.Hour
	// warnEvery is how often it does.
	warnEvery = 24 * time.Hour
)

// Watch reloads the certificate when its files change, renews a development
// certificate in time and warns of an expiry that nobody prevents. It looks
// every so often (0 means LookEvery), because notifications of the file system
// miss the renamed folders and network mounts by which certificates arrive. It
// returns when ctx ends.
func (s *Store) Watch(ctx context.Context, every time.Duration) {
	if every <= 0 {
		every = LookEvery
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	warned := s.now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s.look()
		if s.now().Sub(warned) >= warnEvery {
			warned = s.now()
			s.warnOfExpiry()
		}
	}
}

// look reloads if there is something new. Files that are no good are told of
// once, not at each look.
func (s *Store) look() {
	if !s.changed() && !s.source.due(s.Leaf(), s.now()) {
		return
	}
	if err := s.Reload(); err != nil {
		s.log.Error("certificate kept because the new one is no good", "error", err)
	}
}

func (s *Store) changed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.Equal(s.stamps, stampsOf(s.source.paths()))
}

func (s *Store) warnOfExpiry() {
	left := s.NotAfter().Sub(s.now())
	if left > warnBefore {
		return
	}
	s.log.Warn("certificate expires soon or is expired", "not_after", s.NotAfter().UTC(), "days_left", int(left.Hours()/24))
}
