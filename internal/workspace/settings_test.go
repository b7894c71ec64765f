package workspace_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// decoded is JSON as the admin API hands it on.
func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	var fields map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	must(t, d.Decode(&fields))
	return fields
}

func TestSettingsReachOpenSessionsAndTheNextStart(t *testing.T) {
	i, s, p, _ := newWorkspace(t)
	login, err := s.Login(t.Context(), workspace.PostgreSQL, i.boot.ProjectID, "shop_workspace")
	must(t, err)
	w, err := s.UpdateSettings(t.Context(), p, "shop", decoded(t, `{"max_connections": 7, "query_timeout_ms": 0}`))
	must(t, err)
	want := workspace.Settings{QueryTimeoutMS: 0, MaxRowsPerQuery: 10000, MaxConnections: 7}
	equal(t, "answer", w.Settings, want)
	live := login.Route.Live
	equal(t, "live connections", live.MaxConnections(), int64(7))
	equal(t, "live timeout", live.QueryTimeout(), time.Duration(0))

	i.faults.set("set settings", errors.New("disk full"))
	_, err = s.UpdateSettings(t.Context(), p, "shop", decoded(t, `{"max_connections": 8}`))
	refused(t, err, workspace.Unavailable)
	equal(t, "live after a failure", live.MaxConnections(), int64(7))

	w, err = i.start().Settings(t.Context(), p, "shop")
	must(t, err)
	equal(t, "after a restart", w.Settings, want)
}

func TestWrongSettingsNameFieldAndChoices(t *testing.T) {
	_, s, p, _ := newWorkspace(t)
	for _, c := range []struct{ body, field, says string }{
		{`{"max_conections": 1}`, "max_conections", `unknown setting "max_conections"`},
		{`{"default_ttl": 1}`, "default_ttl", "unknown"},
		{`{"max_connections": -1}`, "max_connections", "negative"},
		{`{"max_connections": -99999999999999999999}`, "max_connections", "negative"},
		{`{"max_connections": "5"}`, "max_connections", "whole number"},
		{`{"max_connections": 1.5}`, "max_connections", "whole number"},
		{`{"max_connections": 1e3}`, "max_connections", "whole number"},
		{`{"max_connections": null}`, "max_connections", "whole number"},
		{`{"max_connections": true}`, "max_connections", "whole number"},
		{`{"max_connections": 100001}`, "max_connections", "more than 100000"},
		{`{"query_timeout_ms": 99999999999999999999}`, "query_timeout_ms", "more than 86400000"},
		{`{"max_rows_per_query": 5, "max_connections": -1}`, "max_connections", "negative"},
	} {
		_, err := s.UpdateSettings(t.Context(), p, "shop", decoded(t, c.body))
		e := refused(t, err, workspace.BadRequest, c.says, "query_timeout_ms, max_rows_per_query, max_connections")
		equal(t, c.body, e.Details["field"], any(c.field))
	}
	w, err := s.Settings(t.Context(), p, "shop")
	must(t, err)
	equal(t, "settings", w.Settings, workspace.DefaultSettings())
}

func TestRedisSettings(t *testing.T) {
	i := install(t)
	i.engines["redis"] = newFakeServer(workspace.Redis, i.faults)
	s := i.start()
	p := i.admin(s)
	_, err := s.Create(t.Context(), p, "cache", "redis", "control")
	must(t, err)
	w, err := s.UpdateSettings(t.Context(), p, "cache", decoded(t,
		`{"default_ttl": 3600, "max_keys": 50000, "patterns": {"cache:*": {"ttl": 300}, "s:*": {"ttl": 0}}}`))
	must(t, err)
	equal(t, "ttl", w.Settings.DefaultTTL, int64(3600))
	equal(t, "keys", w.Settings.MaxKeys, int64(50000))
	equal(t, "patterns", w.Settings.Patterns, map[string]workspace.Pattern{"cache:*": {TTL: 300}, "s:*": {}})
	for _, c := range []struct{ body, says string }{
		{`{"max_connections": 1}`, "unknown"},
		{`{"patterns": []}`, "object"},
		{`{"patterns": {"": {"ttl": 1}}}`, "1 to 256"},
		{`{"patterns": {"a": 5}}`, `patterns["a"]`},
		{`{"patterns": {"a": {}}}`, "ttl"},
		{`{"patterns": {"a": {"ttl": 1, "x": 2}}}`, "nothing else"},
		{`{"patterns": {"a": {"ttl": -1}}}`, "negative"},
	} {
		_, err := s.UpdateSettings(t.Context(), p, "cache", decoded(t, c.body))
		refused(t, err, workspace.BadRequest, c.says, "default_ttl, max_keys, patterns")
	}
}
