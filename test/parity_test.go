package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// players are the ways to send a script without psql.
var players = []struct {
	name string
	play player
	copy bool // can send what COPY FROM STDIN waits for
}{
	{"simple", simple, true},
	{"extended", extended(0), true},
	{"pieces", extended(2), true},
	{"pipelined", pipelined, false},
}

// TestParity holds the proxy to what PostgreSQL itself says: each script of
// testdata/parity, by each way to send it, gives the same rows, tags, notices,
// notifications and errors through the proxy as past it.
func TestParity(t *testing.T) {
	p := sameAsDirect(t, "parity_scripts")
	for _, path := range scripts(t, "testdata/parity/*.sql") {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		script := string(content)
		t.Run(strings.TrimSuffix(filepath.Base(path), ".sql"), func(t *testing.T) {
			if !strings.HasPrefix(script, "-- not for psql") {
				t.Run("psql", func(t *testing.T) { p.samePsql(t, script) })
			}
			for _, way := range players {
				if !way.copy && strings.Contains(script, "FROM STDIN") {
					continue
				}
				t.Run(way.name, func(t *testing.T) {
					p.fresh(t)
					proxied := way.play(p.proxied.wire(t), messages(script))
					direct := way.play(p.direct.wire(t), messages(script))
					wantEqual(t, p.normal(strings.Join(proxied, "\n")), p.normal(strings.Join(direct, "\n")))
				})
			}
		})
	}
}

// TestPsqlParity does the same for what only psql can send: its commands.
func TestPsqlParity(t *testing.T) {
	p := sameAsDirect(t, "parity_psql")
	for _, path := range scripts(t, "testdata/parity/psql/*.sql") {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".sql"), func(t *testing.T) {
			p.samePsql(t, string(content))
		})
	}
}

// samePsql runs the script with psql on both sides.
func (p pair) samePsql(t *testing.T, script string) {
	t.Helper()
	p.fresh(t)
	args := []string{"-X", "-v", "VERBOSITY=verbose", "-v", "SHOW_CONTEXT=always", "-f", "-"}
	proxied := p.proxied.try(t, script, "psql", args...)
	direct := p.direct.try(t, script, "psql", args...)
	if proxied.err != nil || direct.err != nil {
		t.Fatalf("psql ended with %v through the proxy, %v direct\n%s%s", proxied.err, direct.err, proxied.stderr, direct.stderr)
	}
	wantEqual(t, p.normal(proxied.stdout), p.normal(direct.stdout))
	wantEqual(t, p.normal(proxied.stderr), p.normal(direct.stderr))
}

func scripts(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("no scripts in %s", pattern)
	}
	return paths
}
