package workspace

import (
	"context"
	"fmt"
)

// ChannelPrefix is what the names of a Redis workspace's channels begin with on
// its server, where channels know no databases: its number and a colon.
func ChannelPrefix(database string) string { return database + ":" }

// Keys is what is in a database of keys and values: never the values.
type Keys struct {
	Total    int64 // keys in the database
	Looked   int64 // keys that Groups count
	Complete bool  // all were looked at
	Groups   []KeyGroup
}

// KeyGroup is the keys with one prefix.
type KeyGroup struct {
	Pattern string // a glob that matches them: "session:*"; "*" for those without a prefix
	Count   int64
	Types   map[string]int64 // "string", "hash", …
	WithTTL int64            // those that expire
}

// Keys is the keys of a Redis workspace; BadRequest for the other types.
func (s *Service) Keys(ctx context.Context, p Principal, id string) (Keys, error) {
	if err := p.mayRead(); err != nil {
		return Keys{}, err
	}
	h, w, err := s.find(p, id)
	if err != nil {
		return Keys{}, err
	}
	engine, ok := h.server.engine.(KeySpace)
	if !ok {
		return Keys{}, Errorf(BadRequest, "a %s workspace has no keys, but a schema", w.Type.DisplayName())
	}
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	keys, err := engine.Keys(ctx, h.target)
	if err != nil {
		return Keys{}, fmt.Errorf("read keys: %w", err)
	}
	return keys, nil
}
