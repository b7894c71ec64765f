package workspace

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The bounds of settings: far above any use, and safe to compute with.
const (
	maxTimeoutMS     = 24 * 60 * 60 * 1000
	maxRows          = 1_000_000_000
	maxSessions      = 100_000
	maxTTL           = 10 * 365 * 24 * 60 * 60
	maxKeys          = 1_000_000_000
	maxPatterns      = 100
	maxPatternLength = 256
)

// setting is one number of Settings by its API name.
type setting struct {
	name string
	max  int64
	at   func(*Settings) *int64
}

// settingsOf are the numbers that a type has, in the order of its answers.
func settingsOf(t DatabaseType) []setting {
	if t == Redis {
		return []setting{
			{"default_ttl", maxTTL, func(s *Settings) *int64 { return &s.DefaultTTL }},
			{"max_keys", maxKeys, func(s *Settings) *int64 { return &s.MaxKeys }},
		}
	}
	return []setting{
		{"query_timeout_ms", maxTimeoutMS, func(s *Settings) *int64 { return &s.QueryTimeoutMS }},
		{"max_rows_per_query", maxRows, func(s *Settings) *int64 { return &s.MaxRowsPerQuery }},
		{"max_connections", maxSessions, func(s *Settings) *int64 { return &s.MaxConnections }},
	}
}

// AvailableSettings are the API names of a type's settings, in their order.
func AvailableSettings(t DatabaseType) []string {
	var names []string
	for _, f := range settingsOf(t) {
		names = append(names, f.name)
	}
	if t == Redis {
		names = append(names, "patterns")
	}
	return names
}

// Settings is the workspace with its settings.
func (s *Service) Settings(_ context.Context, p Principal, id string) (Workspace, error) {
	if err := p.mayRead(); err != nil {
		return Workspace{}, err
	}
	_, w, err := s.find(p, id)
	return w, err
}

// UpdateSettings changes the fields given, by their API names, on the open
// sessions too. Values are decoded JSON (json.Number, map[string]any); a wrong
// one is a BadRequest naming the field and the available ones. patterns
// replaces all patterns.
func (s *Service) UpdateSettings(ctx context.Context, p Principal, id string, fields map[string]any) (Workspace, error) {
	if err := p.mayWrite(); err != nil {
		return Workspace{}, err
	}
	h, _, err := s.find(p, id)
	if err != nil {
		return Workspace{}, err
	}
	h.changing.Lock()
	defer h.changing.Unlock()
	w := s.directory.current(h)
	changed, err := w.Settings.with(w.Type, fields)
	if err != nil {
		return Workspace{}, err
	}
	if err := s.setSettings(ctx, h, changed); err != nil {
		return Workspace{}, err
	}
	return s.directory.current(h), nil
}

// setSettings keeps the settings of a workspace or a tenant's database, and has
// them hold on open sessions.
func (s *Service) setSettings(ctx context.Context, h *held, changed Settings) error {
	keep := s.catalog.SetSettings
	if h.of != nil {
		keep = s.catalog.SetTenantDatabaseSettings
	}
	if err := keep(ctx, h.live.ID, changed); err != nil {
		return storeFailed(err)
	}
	s.directory.setSettings(h, changed)
	h.live.Set(changed)
	return nil
}

// with is s with fields in place of its own.
func (s Settings) with(t DatabaseType, fields map[string]any) (Settings, error) {
	known := settingsOf(t)
	for _, name := range slices.Sorted(maps.Keys(fields)) { // sorted: the same mistake gets the same answer
		value := fields[name]
		if t == Redis && name == "patterns" {
			patterns, err := parsePatterns(value)
			if err != nil {
				return s, err
			}
			s.Patterns = patterns
			continue
		}
		i := slices.IndexFunc(known, func(f setting) bool { return f.name == name })
		if i < 0 {
			return s, badSetting(t, name, "unknown setting %.60q", name)
		}
		n, why := number(value, known[i].max)
		if why != "" {
			return s, badSetting(t, name, "%s %s", name, why)
		}
		*known[i].at(&s) = n
	}
	return s, nil
}

// number is a JSON value as a whole number from 0 to limit, or why it is none.
func number(value any, limit int64) (n int64, why string) {
	j, ok := value.(json.Number)
	if !ok {
		return 0, "must be a whole number, 0 for no limit"
	}
	n, err := j.Int64()
	switch {
	case strings.HasPrefix(j.String(), "-") && n != 0:
		return 0, "can't be negative; 0 means no limit"
	case err != nil && strings.Trim(j.String(), "0123456789") != "":
		return 0, "must be a whole number, 0 for no limit"
	case err != nil || n > limit:
		return 0, fmt.Sprintf("can't be more than %d; 0 means no limit", limit)
	}
	return n, ""
}

// parsePatterns reads {"cache:*": {"ttl": 300}}.
func parsePatterns(value any) (map[string]Pattern, error) {
	given, ok := value.(map[string]any)
	if !ok {
		return nil, badSetting(Redis, "patterns", `patterns must be an object such as {"cache:*": {"ttl": 300}}`)
	}
	if len(given) > maxPatterns {
		return nil, badSetting(Redis, "patterns", "patterns can't be more than %d", maxPatterns)
	}
	patterns := make(map[string]Pattern, len(given))
	for _, key := range slices.Sorted(maps.Keys(given)) {
		field := fmt.Sprintf("patterns[%.60q]", key)
		if key == "" || len(key) > maxPatternLength {
			return nil, badSetting(Redis, field, "%s: a pattern is 1 to %d bytes", field, maxPatternLength)
		}
		rule, ok := given[key].(map[string]any)
		if !ok {
			return nil, badSetting(Redis, field, `%s must be an object such as {"ttl": 300}`, field)
		}
		ttl, given := rule["ttl"]
		if len(rule) != 1 || !given {
			return nil, badSetting(Redis, field, "%s takes ttl and nothing else", field)
		}
		n, why := number(ttl, maxTTL)
		if why != "" {
			return nil, badSetting(Redis, field+".ttl", "%s.ttl %s", field, why)
		}
		patterns[key] = Pattern{TTL: n}
	}
	return patterns, nil
}

// badSetting is a BadRequest that names the field and the ones there are.
func badSetting(t DatabaseType, field, format string, args ...any) *Error {
	available := AvailableSettings(t)
	e := badField(field, "%s; available settings: %s", fmt.Sprintf(format, args...), strings.Join(available, ", "))
	e.Details["available_fields"] = available
	return e
}
