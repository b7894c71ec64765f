package test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPgbench runs PostgreSQL's own load through the proxy in each mode; what
// it leaves must add up.
func TestPgbench(t *testing.T) {
	l := shared.workspace(t, "pgbench", "tenant").login(t)
	contains(t, "pgbench -i", l.try(t, "", "pgbench", "-i", "-s", "1", "--foreign-keys").stderr, "100000 of 100000 tuples (100%) done", "done in")
	if got := l.psql(t, "SELECT count(*) FROM pgbench_accounts"); got != "100000" {
		t.Fatalf("pgbench -i left %s accounts", got)
	}
	script := filepath.Join(t.TempDir(), "pipeline.sql")
	if err := os.WriteFile(script, []byte(`\set a random(1, 100000)
\startpipeline
UPDATE pgbench_accounts SET abalance = abalance + 0 WHERE aid = :a;
SELECT abalance FROM pgbench_accounts WHERE aid = :a;
SELECT count(*) FROM pgbench_branches;
\endpipeline
`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, run := range []struct {
		name string
		want string
		args []string
	}{
		{"simple", "200/200", []string{"-c", "4", "-t", "50", "-M", "simple"}},
		{"extended", "200/200", []string{"-c", "4", "-t", "50", "-M", "extended"}},
		{"prepared", "200/200", []string{"-c", "4", "-t", "50", "-M", "prepared"}},
		{"a pipeline", "200/200", []string{"-c", "4", "-t", "50", "-M", "prepared", "-f", script}},
		{"a connection each", "80/80", []string{"-c", "4", "-t", "20", "-S", "-C"}},
		{"many clients", "400/400", []string{"-c", "40", "-t", "10", "-S", "-M", "prepared"}},
	} {
		t.Run(run.name, func(t *testing.T) {
			out := l.run(t, "", "pgbench", append([]string{"-n", "-j", "2"}, run.args...)...)
			contains(t, run.name, out, "number of transactions actually processed: "+run.want, "number of failed transactions: 0")
		})
	}
	got := l.psql(t, `SELECT (SELECT count(*) FROM pgbench_history),
		(SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history),
		(SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history),
		(SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM pgbench_history)`)
	if got != "600|t|t|t" {
		t.Errorf("history and sums: got %s, want 600|t|t|t", got)
	}
}
