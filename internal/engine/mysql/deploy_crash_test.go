package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func ddlOf(e *Engine, q loggedQuery) ddltrack.MySQLDescription {
	return ddltrack.DescribeMySQL(oneStatement(q.text, e.modeOf("")), ddltrack.MySQLCommand{Database: q.database})
}

// However far a deployment comes before its process dies, each of its statements
// runs once.
func TestDeploymentMayDieBetweenAnyTwoSteps(t *testing.T) {
	e := newEngine(t)
	source := newTracked(t, e)
	entries := recordedIn(t, e, source, "CREATE TABLE goods (id int)", "ALTER TABLE goods ADD name text", "CREATE OR REPLACE VIEW names AS SELECT name FROM goods",
		"CREATE PROCEDURE p() SELECT 1")
	v := workspace.Version{Number: 7, Entries: entries}
	want := dump(t, e, source)
	atEachMessage(t, func(at string, dying func(func(context.Context, *Engine) error) error) {
		tenant, from := newTenant(t, e), logEnd(t, e)
		// Whether it came to its end the second one is to find out.
		_ = dying(func(ctx context.Context, e *Engine) error { return e.Deploy(ctx, tenant, v) })
		must(t, e.Deploy(t.Context(), tenant, v))
		wantSame(t, want, dump(t, e, ownerOf(tenant)))
		if got := loggedSince(t, e, from, tenant.Database); len(got) != len(entries) {
			t.Fatalf("cut at message %s: %d statements ran, want %d:\n%s", at, len(got), len(entries), strings.Join(got, "\n"))
		}
	})
}

// begun is a deployment that has noted the entry, and not run it.
func begun(t *testing.T, e *Engine, tenant workspace.Target, v workspace.Version, entry workspace.Entry) *deployment {
	t.Helper()
	d, err := e.beginDeployment(t.Context(), tenant)
	must(t, err)
	t.Cleanup(d.close)
	must(t, d.owner.exec(t.Context(), d.settings(entry, time.Minute)))
	_, err = d.note(t.Context(), v.Number, entry.ID)
	must(t, err)
	return d
}

// Of every kind of statement the log tells whether it took effect, however the
// server writes it.
func TestEveryStatementIsFoundInTheLog(t *testing.T) {
	e := newEngine(t)
	source, tenant := newTracked(t, e), newTenant(t, e)
	list := append(slices.Clone(everyKind),
		"CREATE TABLE IF NOT EXISTS fresh (a int)", "CREATE TABLE IF NOT EXISTS fresh (b int)", "DROP TABLE IF EXISTS fresh, missing", "CREATE TABLE a (x int)", "CREATE TABLE b (x int)",
		"CREATE TABLE copied (c varchar(5)) SELECT x FROM a", "DROP TABLE b, a", "ALTER VIEW totals AS SELECT 1 AS one", "DROP VIEW totals, checked",
		"ALTER PROCEDURE fill COMMENT 'x'", "DROP PROCEDURE IF EXISTS FILL", "DROP FUNCTION twice", "ALTER EVENT nightly RENAME TO daily", "DROP EVENT daily",
		"ALTER TABLE child ENGINE = InnoDB, ADD COLUMN (y int, z int)", "CREATE TABLE goods (a int) ENGINE = MyISAM", "ALTER DATABASE COLLATE utf8mb4_bin",
		"CREATE SQL SECURITY INVOKER VIEW v AS SELECT 1", "RENAME TABLE v TO w", "ALTER TABLE goods RENAME TO bads, ADD b int", "ALTER TABLE pieces DROP PARTITION p0")
	if e.known().mariaDB {
		list = append(list, "CREATE SEQUENCE s START WITH 5", "ALTER SEQUENCE s INCREMENT BY 3", "CREATE OR REPLACE TABLE bads (c int)", "DROP SEQUENCE s",
			"CREATE OR REPLACE PROCEDURE p() SELECT 3", "ALTER TABLE bads ADD COLUMN IF NOT EXISTS d int", "DROP INDEX IF EXISTS missing ON bads", "CREATE OR REPLACE SEQUENCE s")
	}
	for n, sql := range list {
		for _, entry := range recordedIn(t, e, source, sql) {
			v := workspace.Version{Number: int64(n + 1), Entries: []workspace.Entry{entry}}
			from := logEnd(t, e)
			begun(t, e, tenant, v, entry).close() // dies before
			d, err := e.beginDeployment(t.Context(), tenant)
			must(t, err)
			done, err := d.settle(t.Context(), v)
			must(t, err)
			if done[entry.ID] {
				t.Errorf("%s: is taken for done before it ran", sql)
			}
			must(t, d.forget(t.Context(), entry.ID))
			d.close()
			d = begun(t, e, tenant, v, entry)
			must(t, d.owner.exec(t.Context(), d.statement(entry)))
			d.close() // dies behind it
			must(t, e.Deploy(t.Context(), tenant, v))
			if got := loggedSince(t, e, from, tenant.Database); len(got) != 1 {
				t.Errorf("%s ran %d times: %q", sql, len(got), got)
			}
		}
	}
	wantSame(t, dump(t, e, source), dump(t, e, ownerOf(tenant)))
}

// A statement that its dead process has left on the server is waited for.
func TestAStatementThatStillRunsIsNotRunTwice(t *testing.T) {
	e := newEngine(t)
	source, tenant := newTracked(t, e), newTenant(t, e)
	must(t, e.Deploy(t.Context(), tenant, workspace.Version{Number: 1, Entries: recordedIn(t, e, source, "CREATE TABLE goods (id int)")}))
	entry := recordedIn(t, e, source, "ALTER TABLE goods ADD name text")[0]
	v := workspace.Version{Number: 2, Entries: []workspace.Entry{entry}}
	holder := newSession(t, e, tenant)
	holder.run("BEGIN", "SELECT * FROM goods")
	from := logEnd(t, e)
	d := begun(t, e, tenant, v, entry)
	must(t, d.owner.send(3, []byte(d.statement(entry))))
	admin := administrator(t, e)
	await(t, "the statement waits", func() bool { return waits(admin, tenant) })
	d.close()
	deployed := make(chan error, 1)
	go func() { deployed <- e.Deploy(t.Context(), tenant, v) }()
	await(t, "the second deployment waits for the first", func() bool {
		return admin.value("SELECT count(*) FROM information_schema.PROCESSLIST WHERE USER = "+literal(tenant.Owner)+" AND INFO LIKE 'SELECT GET_LOCK%'") == "1"
	})
	holder.run("COMMIT")
	must(t, <-deployed)
	wantSame(t, dump(t, e, source), dump(t, e, ownerOf(tenant)))
	if got := loggedSince(t, e, from, tenant.Database); len(got) != 1 {
		t.Errorf("the statement ran %d times: %q", len(got), got)
	}
}

func TestWhatTheLogHasLostIsNotGuessed(t *testing.T) {
	e := newEngine(t)
	source, tenant := newTracked(t, e), newTenant(t, e)
	entry := recordedIn(t, e, source, "CREATE TABLE goods (id int)")[0]
	v := workspace.Version{Number: 1, Entries: []workspace.Entry{entry}}
	begun(t, e, tenant, v, entry).close()
	admin := administrator(t, e)
	where := " WHERE name = " + literal(tenant.Database)
	for _, from := range []string{"file = 'gone.000001', at = 4", "file = 'mysql-bin.99999999', at = 4"} {
		admin.run("SET sql_log_bin = 0", "UPDATE tenantsdb.deploying SET "+from+where)
		err := e.Deploy(t.Context(), tenant, v)
		if told, ok := errors.AsType[*workspace.Error](err); !ok || told.Code != workspace.Conflict || !strings.Contains(told.Message, "tenantsdb.deploying") || !errors.Is(err, workspace.ErrPartly) {
			t.Errorf("%s: got %v, want a Conflict that says what to do", from, err)
		}
	}
	admin.run("DELETE FROM tenantsdb.deploying" + where)
	must(t, e.Deploy(t.Context(), tenant, v))
	wantSame(t, dump(t, e, source), dump(t, e, ownerOf(tenant)))
}

// The server is killed while deployments run. Each tenant has each statement once.
func TestServerMayBeKilledInTheMiddleOfDeployments(t *testing.T) {
	e, pidFile, ok := ownServer(t)
	if !ok {
		return
	}
	source := newTracked(t, e)
	var versions []workspace.Version
	for n := range 12 {
		statements := []string{fmt.Sprintf("CREATE TABLE t%d (a int)", n), fmt.Sprintf("ALTER TABLE t%d ADD b int, ADD KEY (b)", n), fmt.Sprintf("CREATE VIEW v%d AS SELECT b FROM t%d", n, n),
			fmt.Sprintf("CREATE TABLE x%d (a int)", n), fmt.Sprintf("RENAME TABLE t%d TO u%d", n, n), fmt.Sprintf("DROP TABLE x%d", n)}
		versions = append(versions, workspace.Version{Number: int64(n + 1), Entries: recordedIn(t, e, source, statements...)})
	}
	want := dump(t, e, source)
	for round := range 4 {
		awaitServer(t, e)
		tenants := []workspace.Target{newTenant(t, e), newTenant(t, e)}
		ends := make(chan error, len(tenants))
		for _, tenant := range tenants {
			go func() {
				for _, v := range versions {
					if err := e.Deploy(t.Context(), tenant, v); err != nil {
						ends <- err
						return
					}
				}
				ends <- nil
			}()
		}
		admin := administrator(t, e)
		await(t, "deployments are under way", func() bool {
			return admin.value("SELECT count(*) FROM tenantsdb.deployed WHERE name IN ("+literal(tenants[0].Database)+", "+literal(tenants[1].Database)+")") > fmt.Sprint(round+1)
		})
		kill(t, pidFile)
		for range tenants {
			<-ends
		}
		awaitServer(t, e)
		for _, tenant := range tenants {
			for _, v := range versions {
				must(t, e.Deploy(t.Context(), tenant, v))
			}
			wantSame(t, want, dump(t, e, ownerOf(tenant)))
		}
	}
}
