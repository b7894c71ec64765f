package test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The measure of the deploy queue: replaying it on an empty database gives a
// dump identical to the workspace's.

func TestReplayOfTheQueueRebuildsWhatPsqlLoaded(t *testing.T) {
	for _, c := range []struct {
		name, schema string
		args         []string
	}{
		{"rental", "rental.sql", []string{"-v", "single=off"}},
		{"rental-one-tx", "rental.sql", []string{"-v", "single=on", "--single-transaction"}},
		{"billing", "billing.sql", []string{"-v", "single=off"}},
		{"billing-one-tx", "billing.sql", []string{"-v", "single=on", "--single-transaction"}},
		{"migrations", "migrations.sql", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := unlimited(t, c.name)
			source.psql(t, "", append(c.args, "-q", "-f", filepath.Join("testdata", "schemas", c.schema))...)
			mustRebuild(t, source)
		})
	}
}

// A dump is the largest script that most people ever send, and the only one
// that qualifies every name.
func TestReplayOfTheQueueRebuildsALoadedDump(t *testing.T) {
	for _, c := range []struct {
		name, schema string
		dump         []string
	}{
		{"rental-dump", "rental.sql", nil},
		{"billing-dump", "billing.sql", []string{"--schema-only"}}, // its rows are behind row security
	} {
		t.Run(c.name, func(t *testing.T) {
			first := unlimited(t, c.name+"-0")
			first.psql(t, "", "-q", "-v", "single=off", "-f", filepath.Join("testdata", "schemas", c.schema))
			second := unlimited(t, c.name)
			// Default privileges name their role even so.
			dump := strings.ReplaceAll(first.pgDump(t, append(c.dump, "--no-owner")...), first.role(t), second.role(t))
			second.psql(t, dump, "-q")
			if got, want := second.schema(t), first.schema(t); got != want {
				t.Fatalf("the loaded dump differs from what was dumped:\n%s", firstDifference(got, want))
			}
			mustRebuild(t, second)
		})
	}
}

// unlimited makes a tenant workspace whose limits no dump of a large schema
// can reach.
func unlimited(t *testing.T, name string) database {
	t.Helper()
	d := shared.workspace(t, name, "tenant")
	d.withoutLimits(t)
	return d
}

func (d database) withoutLimits(t testing.TB) {
	t.Helper()
	d.installation.must(t, http.StatusOK, "POST", "/workspaces/"+d.id+"/settings", map[string]any{"query_timeout_ms": 0, "max_rows_per_query": 0})
}

// mustRebuild holds the source to the measure: its queue, and the statements of
// its details, each rebuild it on an empty workspace; and the replay is itself
// recorded as the very same statements.
func mustRebuild(t *testing.T, source database) {
	t.Helper()
	want, entries := source.schema(t), source.queue(t)

	replayed := unlimited(t, source.id+"-r")
	renamed := renameRole(entries, source.role(t), replayed.role(t))
	replayed.replay(t, renamed)
	if got := replayed.schema(t); got != want {
		t.Errorf("a replay of the queue differs from the workspace:\n%s", firstDifference(got, want))
	}
	mustEqualQueues(t, replayed.queue(t), renamed)

	redefined := source.installation.workspace(t, source.id+"-d", "control")
	redefined.withoutLimits(t)
	redefined.runAll(t, source.definitions(t))
	if got := redefined.schema(t); got != want {
		t.Errorf("the details' schema differs from the workspace:\n%s", firstDifference(got, want))
	}
}

// renameRole makes entries fit another owner, for those that name their role.
func renameRole(entries []entry, from, to string) []entry {
	renamed := slices.Clone(entries)
	for i := range renamed {
		renamed[i].DDL = strings.ReplaceAll(renamed[i].DDL, from, to)
	}
	return renamed
}

// mustEqualQueues compares what a replay goes by.
func mustEqualQueues(t *testing.T, got, want []entry) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		if g.DDL != w.DDL || g.Object != w.Object || g.Operation != w.Operation || !maps.Equal(g.Session, w.Session) {
			t.Fatalf("entry %d of the replay's queue: got %q (%s %s, %v), want %q (%s %s, %v)", i,
				g.DDL, g.Operation, g.Object, g.Session, w.DDL, w.Operation, w.Object, w.Session)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("the replay's queue has %d entries, want %d", len(got), len(want))
	}
}

// replay runs a deploy queue as the contract says: each entry's session
// settings, then its statement as it was sent.
func (d database) replay(t *testing.T, entries []entry) {
	t.Helper()
	conn := d.connect(t)
	var session map[string]string
	for _, e := range entries {
		if session == nil || !maps.Equal(session, e.Session) {
			session = e.Session
			settings := "RESET ALL"
			for _, name := range slices.Sorted(maps.Keys(session)) {
				settings += fmt.Sprintf("; SELECT set_config(%s, %s, false)", literal(name), literal(session[name]))
			}
			mustExec(t, conn, settings)
		}
		if err := exec1(conn, e.DDL); err != nil {
			t.Fatalf("replay entry %d (%s %s): %v\n%s\nsession %v", e.ID, e.Operation, e.Object, err, e.DDL, e.Session)
		}
	}
}

// runAll runs statements in order in one fresh session.
func (d database) runAll(t *testing.T, statements []string) {
	t.Helper()
	conn := d.connect(t)
	for _, s := range statements {
		mustExec(t, conn, s)
	}
}

// definitions are the statements of the details' schema.
func (d database) definitions(t *testing.T) []string {
	t.Helper()
	body := d.installation.must(t, http.StatusOK, "GET", "/workspaces/"+d.id, nil)
	list, ok := body["schema"].([]any)
	if !ok || body["schema_error"] != nil {
		t.Fatalf("details of %s: got schema %T and schema_error %v", d.id, body["schema"], body["schema_error"])
	}
	statements := make([]string, len(list))
	for i, s := range list {
		statements[i] = s.(string)
	}
	return statements
}

// connect opens a session that lives as long as the test.
func (d database) connect(t testing.TB) *pgconn.PgConn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgconn.Connect(ctx, d.url)
	if err != nil {
		t.Fatalf("connect to %s: %v", d.id, err)
	}
	t.Cleanup(func() { closeConn(conn) })
	return conn
}

func closeConn(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn.Close(ctx)
}

// exec1 sends sql as one simple query and reads all of its results.
func exec1(conn *pgconn.PgConn, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	_, err := conn.Exec(ctx, sql).ReadAll()
	return err
}

func mustExec(t testing.TB, conn *pgconn.PgConn, sql string) {
	t.Helper()
	if err := exec1(conn, sql); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

// scalar is the first column of the first row of sql.
func scalar(t testing.TB, conn *pgconn.PgConn, sql string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	last := results[len(results)-1]
	if len(last.Rows) == 0 {
		t.Fatalf("no row: %s", sql)
	}
	return string(last.Rows[0][0])
}

// literal is s as an SQL string under standard_conforming_strings.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// pgDump is pg_dump's output through the proxy.
func (d database) pgDump(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command("pg_dump", append([]string{"-d", d.url}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pg_dump %s: %v\n%s", d.id, err, stderr.String())
	}
	return string(out)
}

// schema is a dump of the schema, with owners and privileges, in which only
// the role's and the database's own names are made equal, and the token that
// newer versions of pg_dump make anew for each run.
func (d database) schema(t testing.TB) string {
	t.Helper()
	role := d.role(t)
	dump := regexp.MustCompile(`(?m)^\\(un)?restrict .*\n`).ReplaceAllString(d.pgDump(t, "--schema-only"), "")
	return strings.NewReplacer(`"`+role+`"`, "role_of_the_workspace", role, "role_of_the_workspace", d.name, "name_of_the_database").Replace(dump)
}

// role is the physical role that owns the database.
func (d database) role(t testing.TB) string {
	t.Helper()
	return scalar(t, d.connect(t), "SELECT current_user")
}

// firstDifference shows where two texts part, with a few lines around.
func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	i := 0
	for i < len(g) && i < len(w) && g[i] == w[i] {
		i++
	}
	around := func(lines []string) string {
		return strings.Join(lines[min(max(0, i-6), len(lines)):min(len(lines), i+12)], "\n")
	}
	return fmt.Sprintf("line %d, got:\n%s\n\nwant:\n%s", i+1, around(g), around(w))
}
