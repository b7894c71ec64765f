package redis

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	// mostScanned and scanTime bound one look at a database's keys.
	mostScanned = 100_000
	scanTime    = 5 * time.Second
	scanBatch   = 1000
	// mostPatterns is how many prefixes are told apart; keys of further ones
	// count as those without a prefix.
	mostPatterns = 1000
	// rest is the pattern of keys that have no prefix of their own.
	rest = "*"
)

// Keys counts the workspace's keys by their prefix, the part before the first
// ':'. It looks at names, types and expiries, never at values, and stops at
// 100,000 keys or after 5 s: the total is exact all the same.
func (e *Engine) Keys(ctx context.Context, t workspace.Target) (workspace.Keys, error) {
	inside, err := e.within(t)
	if err != nil {
		return workspace.Keys{}, err
	}
	defer inside.Close()
	total, err := inside.DBSize(ctx).Result()
	if err != nil {
		return workspace.Keys{}, e.failed("count keys", err)
	}
	found := &census{groups: map[string]*workspace.KeyGroup{}}
	deadline := time.Now().Add(scanTime)
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		if found.seen >= mostScanned || time.Now().After(deadline) {
			return found.keys(total, false), nil
		}
		var names []string
		if names, cursor, err = inside.Scan(ctx, cursor, "", scanBatch).Result(); err != nil {
			return workspace.Keys{}, e.failed("scan keys", err)
		}
		if err := found.look(ctx, inside, names); err != nil {
			return workspace.Keys{}, e.failed("look at keys", err)
		}
	}
	return found.keys(total, true), nil
}

// census is the keys counted so far.
type census struct {
	seen   int64
	groups map[string]*workspace.KeyGroup // by pattern
}

// look counts the keys of one batch.
func (c *census) look(ctx context.Context, inside *goredis.Client, names []string) error {
	types := make([]*goredis.StatusCmd, len(names))
	expiries := make([]*goredis.DurationCmd, len(names))
	_, err := inside.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for i, name := range names {
			types[i], expiries[i] = p.Type(ctx, name), p.PTTL(ctx, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, name := range names {
		// A key that is gone meanwhile has the type none.
		if kind := types[i].Val(); kind != "none" {
			c.count(name, kind, expiries[i].Val() >= 0)
		}
	}
	return nil
}

func (c *census) count(name, kind string, expires bool) {
	pattern := patternOf(name)
	group := c.groups[pattern]
	if group == nil {
		if len(c.groups) >= mostPatterns {
			pattern = rest
		}
		if group = c.groups[pattern]; group == nil {
			group = &workspace.KeyGroup{Pattern: pattern, Types: map[string]int64{}}
			c.groups[pattern] = group
		}
	}
	c.seen++
	group.Count++
	group.Types[kind]++
	if expires {
		group.WithTTL++
	}
}

// patternOf is the pattern that matches all keys with the same prefix. A prefix
// that is no text can't be shown.
func patternOf(name string) string {
	prefix, _, found := strings.Cut(name, ":")
	if !found || !utf8.ValidString(prefix) {
		return rest
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`).Replace(prefix) + ":*"
}

// keys is the groups, the largest first.
func (c *census) keys(total int64, complete bool) workspace.Keys {
	all := workspace.Keys{Total: total, Looked: c.seen, Complete: complete, Groups: []workspace.KeyGroup{}}
	for _, group := range c.groups {
		all.Groups = append(all.Groups, *group)
	}
	slices.SortFunc(all.Groups, func(a, b workspace.KeyGroup) int {
		if a.Count != b.Count {
			return int(b.Count - a.Count)
		}
		return strings.Compare(a.Pattern, b.Pattern)
	})
	return all
}
