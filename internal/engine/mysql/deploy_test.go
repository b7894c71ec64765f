package mysql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// newTenant is a tenant's database that goes with the test.
func newTenant(t *testing.T, e *Engine) workspace.Target {
	t.Helper()
	target := newTarget()
	target.Owner, target.OwnerPassword = strings.Replace(target.Role, "role", "owner", 1), target.Password+"-owner"
	target.Database = strings.Replace(target.Database, "_work-space", "__te-nant", 1)
	return made(t, e, target, false)
}

// ownerOf is the tenant's database as its owner's workspace.
func ownerOf(tenant workspace.Target) workspace.Target {
	return workspace.Target{Database: tenant.Database, Role: tenant.Owner, Password: tenant.OwnerPassword}
}

// entriesOf are changes as entries of the queue.
func entriesOf(list []workspace.Change) []workspace.Entry {
	entries := make([]workspace.Entry, len(list))
	for i, c := range list {
		entries[i] = workspace.Entry{ID: server.serial.Add(1), Change: c}
	}
	return entries
}

// recordedIn runs statements in a workspace, and gives them as they are recorded.
func recordedIn(t *testing.T, e *Engine, target workspace.Target, statements ...string) []workspace.Entry {
	t.Helper()
	s := newSession(t, e, target)
	for _, sql := range statements {
		e.Announce(target, s.id, sql)
		s.run(sql)
	}
	return entriesOf(taken(t, e, target))
}

// logged are the statements about a database that are in the log behind a
// position.
func loggedSince(t *testing.T, e *Engine, from position, database string) []string {
	t.Helper()
	admin := administrator(t, e)
	status, err := binlogStatus(t.Context(), admin.conn, e.known())
	must(t, err)
	if from == status.end {
		return nil
	}
	s, err := e.dump(t.Context(), from, uint32(server.serial.Add(1)))
	must(t, err)
	defer s.close()
	var list []string
	for {
		ev, err := s.read(t.Context())
		must(t, err)
		if q, err := decodeQuery(ev); err == nil && q.database == database && ddlOf(e, q).Schema {
			list = append(list, q.text)
		}
		if !ev.end.before(status.end) {
			return list
		}
	}
}

func logEnd(t *testing.T, e *Engine) position {
	t.Helper()
	status, err := binlogStatus(t.Context(), administrator(t, e).conn, e.known())
	must(t, err)
	return status.end
}

func TestDeploymentsRebuildTheBlueprint(t *testing.T) {
	e := newEngine(t)
	source, early := newTracked(t, e), newTenant(t, e)
	var versions []workspace.Version
	deploy := func(tenant workspace.Target, v workspace.Version) {
		t.Helper()
		for range 2 { // what is there is not run again
			must(t, e.Deploy(t.Context(), tenant, v))
		}
	}
	for n, sql := range everyKind {
		v := workspace.Version{Number: int64(n + 1), Entries: recordedIn(t, e, source, sql)}
		deploy(early, v)
		versions = append(versions, v)
		wantSame(t, dump(t, e, source), dump(t, e, ownerOf(early)))
	}
	from := logEnd(t, e)
	late := newTenant(t, e)
	for _, v := range versions {
		deploy(late, v)
	}
	wantSame(t, dump(t, e, source), dump(t, e, ownerOf(late)))
	if got := len(loggedSince(t, e, from, late.Database)); got != len(everyKind) {
		t.Errorf("%d statements ran, want %d", got, len(everyKind))
	}
	admin := administrator(t, e)
	for table, want := range map[string]string{"deployed": fmt.Sprint(len(versions)), "deploying": "0"} {
		if got := admin.value("SELECT count(*) FROM tenantsdb." + table + " WHERE name = " + literal(late.Database)); got != want {
			t.Errorf("%s rows in %s, want %s", got, table, want)
		}
	}
	must(t, e.Drop(t.Context(), late))
	if got := admin.value("SELECT count(*) FROM tenantsdb.deployed WHERE name = " + literal(late.Database)); got != "0" {
		t.Errorf("%s versions are remembered of a database that is gone", got)
	}
}

// A setting of one statement is not the next one's.
func TestDeploymentsHaveTheSettingsOfEachStatement(t *testing.T) {
	e := newEngine(t)
	source, tenant := newTracked(t, e), newTenant(t, e)
	newSession(t, e, source).run(
		"SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'", `CREATE TABLE "quoted" ("a" varchar(9) DEFAULT '\')`,
		"SET sql_mode = DEFAULT, foreign_key_checks = 0, unique_checks = 0", "CREATE TABLE child (a int, FOREIGN KEY (a) REFERENCES not_yet (id))",
		"SET foreign_key_checks = 1, unique_checks = 1, time_zone = '+03:00'",
		"CREATE EVENT ev ON SCHEDULE AT '2032-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE DO SELECT 1",
		"SET time_zone = DEFAULT, NAMES latin1", "CREATE VIEW v AS SELECT 'x' AS x",
		"SET NAMES utf8mb4 COLLATE utf8mb4_bin", "CREATE PROCEDURE p() SELECT 'x'",
		"SET NAMES utf8mb4", "CREATE TABLE parent (id int PRIMARY KEY)", "CREATE PROCEDURE q() SELECT 'x'")
	must(t, e.Deploy(t.Context(), tenant, workspace.Version{Number: 1, Entries: entriesOf(taken(t, e, source))}))
	wantSame(t, dump(t, e, source), dump(t, e, ownerOf(tenant)))
}

// A blueprint may be made by programs that write the database before every name.
func TestDeploymentsReachTheirOwnDatabase(t *testing.T) {
	e := newEngine(t)
	source, tenant := newTracked(t, e), newTenant(t, e)
	own := quote(source.Database)
	entries := recordedIn(t, e, source, "CREATE TABLE "+own+".parent (id int PRIMARY KEY)",
		"CREATE TABLE "+own+".child (a int, FOREIGN KEY (a) REFERENCES "+own+".parent (id))",
		"CREATE VIEW v AS SELECT "+own+".parent.id FROM "+own+".parent", "ALTER DATABASE "+own+" COLLATE utf8mb4_bin")
	must(t, e.Deploy(t.Context(), tenant, workspace.Version{Number: 1, Entries: entries}))
	wantSame(t, dump(t, e, source), dump(t, e, ownerOf(tenant)))
}

func TestARefusedStatementSaysWhichItWas(t *testing.T) {
	e := newEngine(t)
	source, tenant := newTracked(t, e), newTenant(t, e)
	first := recordedIn(t, e, source, "CREATE TABLE goods (id int)")
	must(t, e.Deploy(t.Context(), tenant, workspace.Version{Number: 1, Entries: first}))
	newSession(t, e, tenant).run("INSERT INTO goods VALUES (1), (1)")

	unique := recordedIn(t, e, source, "ALTER TABLE goods ADD UNIQUE KEY once (id)")[0]
	table := recordedIn(t, e, source, "CREATE TABLE more (id int)")[0]
	check := func(v workspace.Version, partly bool) {
		t.Helper()
		for range 2 {
			err := e.Deploy(t.Context(), tenant, v)
			told, ok := errors.AsType[*workspace.Error](err)
			if !ok || told.Code != workspace.BadRequest || told.Details["errno"] != 1062 || told.Details["ddl_id"] != unique.ID {
				t.Fatalf("got %v, want a BadRequest with errno 1062 and ddl_id %d", err, unique.ID)
			}
			if errors.Is(err, workspace.ErrPartly) != partly {
				t.Errorf("%v: a part took effect: want %v", err, partly)
			}
		}
	}
	check(workspace.Version{Number: 2, Entries: []workspace.Entry{unique, table}}, false)
	check(workspace.Version{Number: 3, Entries: []workspace.Entry{table, unique}}, true)
	newSession(t, e, tenant).run("DELETE FROM goods")
	must(t, e.Deploy(t.Context(), tenant, workspace.Version{Number: 3, Entries: []workspace.Entry{table, unique}}))
	wantSame(t, dump(t, e, source), dump(t, e, ownerOf(tenant)))
}

// MariaDB drops the table that it then fails to make.
func TestAStatementMayTakeEffectInPart(t *testing.T) {
	e := newEngine(t)
	if !e.known().mariaDB {
		t.Log("MySQL does all or nothing")
		return
	}
	source, tenant := newTracked(t, e), newTenant(t, e)
	must(t, e.Deploy(t.Context(), tenant, workspace.Version{Number: 1, Entries: recordedIn(t, e, source, "CREATE TABLE c (x varchar(9))")}))
	entries := recordedIn(t, e, source, "CREATE OR REPLACE TABLE c (x int)")
	entries[0].Statement = "CREATE OR REPLACE TABLE c (x date NOT NULL) SELECT 'abc' AS x"
	err := e.Deploy(t.Context(), tenant, workspace.Version{Number: 2, Entries: entries})
	if told, ok := errors.AsType[*workspace.Error](err); !ok || told.Details["ddl_id"] != entries[0].ID || !errors.Is(err, workspace.ErrPartly) {
		t.Errorf("got %v, want that a part took effect", err)
	}
}

// A server that dies may have dropped one of several.
func TestTheRestOfADropIsDropped(t *testing.T) {
	e := newEngine(t)
	source, tenant := newTracked(t, e), newTenant(t, e)
	must(t, e.Deploy(t.Context(), tenant, workspace.Version{Number: 1, Entries: recordedIn(t, e, source, "CREATE TABLE a (x int)", "CREATE TABLE b (x int)")}))
	v := workspace.Version{Number: 2, Entries: recordedIn(t, e, source, "DROP TABLE a, b")}
	if e.known().mariaDB { // MySQL does all or nothing
		d := begun(t, e, tenant, v, v.Entries[0])
		must(t, d.owner.exec(t.Context(), "DROP TABLE b"))
		d.close()
	}
	must(t, e.Deploy(t.Context(), tenant, v))
	wantSame(t, dump(t, e, source), dump(t, e, ownerOf(tenant)))
}

// A client's transaction is waited for, while others go on.
func TestDeploymentsWaitForOpenTransactions(t *testing.T) {
	e := newEngine(t)
	source, tenant := newTracked(t, e), newTenant(t, e)
	must(t, e.Deploy(t.Context(), tenant, workspace.Version{Number: 1, Entries: recordedIn(t, e, source, "CREATE TABLE goods (id int)")}))
	entries := recordedIn(t, e, source, "ALTER TABLE goods ADD name text")
	holder, other := newSession(t, e, tenant), newSession(t, e, tenant)
	holder.run("BEGIN", "SELECT * FROM goods")
	deployed := make(chan error, 1)
	go func() { deployed <- e.Deploy(t.Context(), tenant, workspace.Version{Number: 2, Entries: entries}) }()
	admin := administrator(t, e)
	await(t, "the statement waits", func() bool { return waits(admin, tenant) })
	other.run("SELECT * FROM goods") // passes in the first pause
	await(t, "the statement waits again", func() bool { return waits(admin, tenant) })
	holder.run("COMMIT")
	must(t, <-deployed)
	wantSame(t, dump(t, e, source), dump(t, e, ownerOf(tenant)))
}

// waits says whether the owner's statement waits for others.
func waits(admin session, tenant workspace.Target) bool {
	return admin.value("SELECT count(*) FROM information_schema.PROCESSLIST WHERE USER = "+literal(tenant.Owner)+" AND STATE LIKE '%metadata lock%'") != "0"
}

func TestTenantsQueriesChangeNoSchema(t *testing.T) {
	e := newEngine(t)
	source, tenant := newTracked(t, e), newTenant(t, e)
	must(t, e.Deploy(t.Context(), tenant, workspace.Version{Number: 1, Entries: recordedIn(t, e, source, "CREATE TABLE goods (id int)")}))
	ask := func(text string) error {
		_, err := e.Query(t.Context(), tenant, text, workspace.Limits{TimeoutMS: time.Minute.Milliseconds()})
		return err
	}
	for _, text := range []string{"CREATE TABLE x (a int)", "INSERT INTO goods VALUES (1); DROP TABLE goods", "DROP DATABASE " + quote(tenant.Database)} {
		told, ok := errors.AsType[*workspace.Error](ask(text))
		if !ok || told.Code != workspace.BadRequest || told.Message != workspace.NoDDLQuery().Message {
			t.Errorf("%s: got %v", text, told)
		}
	}
	must(t, ask("CREATE TEMPORARY TABLE x (a int); INSERT INTO x VALUES (1); INSERT INTO goods SELECT * FROM x"))
	if got := newSession(t, e, tenant).value("SELECT count(*) FROM goods"); got != "1" {
		t.Errorf("%s rows, want the one that was let in", got)
	}
	for key := range e.announced.sessions {
		if key.database == tenant.Database {
			t.Error("queries are kept that no one looks for")
		}
	}
}

// Programs and views are the owner's, and clients use them, by the owner's rights
// or by their own.
func TestClientsUseWhatDeploymentsMade(t *testing.T) {
	e := newEngine(t)
	source, tenant := newTracked(t, e), newTenant(t, e)
	must(t, e.Deploy(t.Context(), tenant, workspace.Version{Number: 1, Entries: recordedIn(t, e, source,
		"CREATE TABLE goods (id int AUTO_INCREMENT PRIMARY KEY, name varchar(20))", "CREATE TABLE log (name varchar(20))",
		"CREATE TRIGGER noted AFTER INSERT ON goods FOR EACH ROW INSERT INTO log VALUES (NEW.name)",
		"CREATE VIEW definers AS SELECT name FROM goods", "CREATE SQL SECURITY INVOKER VIEW invokers AS SELECT name FROM goods",
		"CREATE PROCEDURE restock(n varchar(20)) INSERT INTO goods (name) VALUES (n)",
		"CREATE PROCEDURE restock2(n varchar(20)) SQL SECURITY INVOKER INSERT INTO goods (name) VALUES (n)",
		"CREATE FUNCTION known() RETURNS int READS SQL DATA RETURN (SELECT count(*) FROM goods)",
		"CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM log")}))
	s := newSession(t, e, tenant)
	s.run("INSERT INTO goods (name) VALUES ('a')", "CALL restock('b')", "CALL restock2('c')", "UPDATE definers SET name = 'd' WHERE name = 'a'",
		"CREATE TEMPORARY TABLE t SELECT * FROM invokers", "ALTER TABLE t ADD more int", "CREATE INDEX i ON t (more)", "TRUNCATE t", "DROP TEMPORARY TABLE t",
		"LOCK TABLES goods WRITE, log READ", "UNLOCK TABLES", "ANALYZE TABLE goods", "SHOW CREATE VIEW definers", "SHOW CREATE TABLE goods")
	for sql, want := range map[string]string{
		"SELECT known()": "3", "SELECT group_concat(name ORDER BY name) FROM definers": "b,c,d",
		"SELECT group_concat(name ORDER BY name) FROM invokers": "b,c,d", "SELECT group_concat(name ORDER BY name) FROM log": "a,b,c",
	} {
		if got := s.value(sql); got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
	admin := administrator(t, e)
	in := " = " + literal(tenant.Database)
	if got := admin.value("SELECT group_concat(DISTINCT DEFINER) FROM (SELECT DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA" + in +
		" UNION SELECT DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA" + in + " UNION SELECT DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA" + in +
		" UNION SELECT DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA" + in + ") d"); got != tenant.Owner+"@localhost" {
		t.Errorf("definers are %s, want the owner", got)
	}
}

// The proxy is not needed to keep clients from the schema.
func TestClientsOfATenantChangeNoSchema(t *testing.T) {
	e := newEngine(t)
	source, tenant := newTracked(t, e), newTenant(t, e)
	must(t, e.Deploy(t.Context(), tenant, workspace.Version{Number: 1, Entries: recordedIn(t, e, source, everyKind[:len(everyKind)-8]...)}))
	before := dump(t, e, ownerOf(tenant))
	s := newSession(t, e, tenant)
	refused := []uint16{1044, 1142, 1227, 1370, 1410, 1396, 1419, 1290, 1221, 1064, 1305, 1360, 4166, 1699, 1698, 1130, 1133}
	list := []string{
		"CREATE TABLE x (a int)", "CREATE TABLE x SELECT * FROM parent", "CREATE TABLE x LIKE parent", "ALTER TABLE parent ADD x int", "ALTER TABLE parent DISABLE KEYS",
		"DROP TABLE child", "TRUNCATE TABLE child", "RENAME TABLE child TO x", "CREATE INDEX i ON child (id)", "DROP INDEX code ON parent",
		"CREATE VIEW x AS SELECT 1", "CREATE OR REPLACE VIEW totals AS SELECT 1", "ALTER VIEW totals AS SELECT 1", "DROP VIEW totals",
		"CREATE TRIGGER x BEFORE INSERT ON parent FOR EACH ROW SET @a = 1", "DROP TRIGGER child_before", "CREATE PROCEDURE x() SELECT 1", "CREATE FUNCTION x() RETURNS int RETURN 1",
		"ALTER PROCEDURE fill COMMENT 'x'", "DROP PROCEDURE fill", "DROP FUNCTION twice", "CREATE EVENT x ON SCHEDULE EVERY 1 DAY DO SELECT 1", "DROP EVENT nightly",
		"ALTER DATABASE COLLATE utf8mb4_bin", "DROP DATABASE " + quote(tenant.Database), "CREATE DATABASE x", "GRANT SELECT ON " + pattern(tenant.Database, e.known().literally) + ".* TO CURRENT_USER()",
		"SET @q = 'CREATE TABLE x (a int)'; PREPARE q FROM @q; EXECUTE q", "SELECT * FROM tenantsdb.deployed", "DELETE FROM tenantsdb.deploying",
	}
	if e.known().mariaDB {
		list = append(list, "CREATE SEQUENCE x", "BEGIN NOT ATOMIC CREATE TABLE x (a int); END", "EXECUTE IMMEDIATE CONCAT('DROP ', 'TABLE child')", "/*M! DROP TABLE child */")
	}
	for _, sql := range list {
		if got := s.fail(sql); !slices.Contains(refused, got) {
			t.Errorf("%s: refused with error %d", sql, got)
		}
	}
	wantSame(t, before, dump(t, e, ownerOf(tenant)))
	for _, name := range []string{tenant.Database, tenant.Owner, tenant.Role} {
		if is, err := e.Exists(t.Context(), name); err != nil || !is {
			t.Errorf("%s exists: got %v %v, want true", name, is, err)
		}
	}
	must(t, e.Create(t.Context(), tenant, false)) // what exists keeps its schema
	wantSame(t, before, dump(t, e, ownerOf(tenant)))
	must(t, e.Drop(t.Context(), tenant))
	for _, name := range []string{tenant.Database, tenant.Owner, tenant.Role} {
		if is, err := e.Exists(t.Context(), name); err != nil || is {
			t.Errorf("%s exists: got %v %v, want false", name, is, err)
		}
	}
}
