package mysql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/schema"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func imported(t *testing.T, e *Engine, target workspace.Target, limits workspace.Limits, steps ...schema.Step) []workspace.Outcome {
	t.Helper()
	outcomes, err := e.Import(t.Context(), target, steps, limits)
	must(t, err)
	if len(outcomes) != len(steps) {
		t.Fatalf("%d outcomes of %d steps", len(outcomes), len(steps))
	}
	return outcomes
}

func stepsOf(statements ...string) []schema.Step {
	var steps []schema.Step
	for _, s := range statements {
		steps = append(steps, schema.Step{Statement: s})
	}
	return steps
}

// wantOneImport wants the changes to be those of one import.
func wantOneImport(t *testing.T, list []workspace.Change) {
	t.Helper()
	for _, c := range list {
		if c.Source != "import" || c.Unit != list[0].Unit || !strings.HasPrefix(c.Unit, "import:") {
			t.Errorf("%s: source %q, unit %q", c.Statement, c.Source, c.Unit)
		}
	}
}

func TestImportIsOneUnitWhoseFailuresLeaveTheRest(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	outcomes := imported(t, e, target, workspace.Limits{Workspace: "shop", TimeoutMS: 5000}, stepsOf(
		"CREATE TABLE a (id int PRIMARY KEY)",
		"CREATE TABLE b (a int, FOREIGN KEY (a) REFERENCES nowhere (id))",
		"CREATE TABLE a (id int)",
		"CREATE TABLE c (id int); CREATE TABLE d (id int)",
		"DROP DATABASE "+quote(target.Database),
		"CREATE TABLE slow AS SELECT count(*) AS n FROM information_schema.COLLATIONS a, information_schema.COLLATIONS b, information_schema.COLLATIONS c, information_schema.COLLATIONS d",
		"CREATE USER other",
		"CREATE INDEX a_id ON a (id)",
		"CREATE TABLE e (a int, FOREIGN KEY (a) REFERENCES a (id))",
	)...)
	for i, want := range []string{"", "nowhere", "exists", "not one statement", "not one statement", "5000 ms (query_timeout_ms)", "denied", "", ""} {
		err := outcomes[i].Err
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			// A server without that table says 150, and no name.
			if i != 1 || err == nil {
				t.Errorf("step %d: got %v, want %q", i, err, want)
			}
		}
		if errors.Is(err, workspace.ErrExists) != (i == 2) {
			t.Errorf("step %d: exists before: %v", i, err)
		}
	}
	list := taken(t, e, target)
	wantStatements(t, list, "CREATE TABLE a (id int PRIMARY KEY)", "CREATE INDEX a_id ON a (id)", "CREATE TABLE e (a int, FOREIGN KEY (a) REFERENCES a (id))")
	wantOneImport(t, list)
	wantReplay(t, e, target, list)
}

// More statements than a session's announcements have room for; and two imports
// are two units.
func TestLongImportsAreOneUnitEach(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	var units []string
	for _, prefix := range []string{"a", "b"} {
		var statements []string
		for i := range 2*maxAnnouncedTexts + 5 {
			statements = append(statements, fmt.Sprintf("CREATE /* as sent */ TABLE %s%d (id int)", prefix, i))
		}
		for i, o := range imported(t, e, target, workspace.Limits{}, stepsOf(statements...)...) {
			if o.Err != nil {
				t.Fatalf("%s: %v", statements[i], o.Err)
			}
		}
		list := taken(t, e, target)
		wantStatements(t, list, statements...)
		wantOneImport(t, list)
		units = append(units, list[0].Unit)
	}
	if units[0] == units[1] {
		t.Errorf("both imports have the unit %s", units[0])
	}
}

var sourceSchema = []string{"CREATE TABLE users (id int unsigned AUTO_INCREMENT PRIMARY KEY, email varchar(255) NOT NULL UNIQUE, kind enum('a','b') NOT NULL DEFAULT 'a', is_on tinyint(1) NOT NULL DEFAULT 1," +
	" seen timestamp NULL, made datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), note longtext, data json, age int CHECK (age >= 0))",
	"CREATE TABLE orders (id bigint PRIMARY KEY, user_id int unsigned NOT NULL, total decimal(10,2) NOT NULL DEFAULT 0, shape geometry, `order` year," +
		" KEY by_user (user_id, total), FULLTEXT KEY words (note), note text, FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE)",
	"CREATE VIEW dear AS SELECT id, total FROM orders WHERE total > 5",
	"CREATE PROCEDURE p() SELECT 1",
	"CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.total = 1"}

func loginTo(t *testing.T, target workspace.Target) workspace.SourceLogin {
	t.Helper()
	port := devstacktest.TCP(t, server.socket)
	return workspace.SourceLogin{Type: "mysql", Host: "127.0.0.1", Port: int64(port), Database: target.Database, User: target.Role, Password: target.Password}
}

func TestSourceOfTheSameTypeIsTakenExactly(t *testing.T) {
	e := newEngine(t)
	from, to := newWorkspace(t, e), newTracked(t, e)
	newSession(t, e, from).run(sourceSchema...)
	steps, err := Source{}.Statements(t.Context(), loginTo(t, from))
	must(t, err)
	for _, step := range steps {
		if step.Makes != slices.Contains([]string{"users", "orders"}, step.Object) || strings.Contains(step.Statement, "DEFINER=") || step.Object == "t" && step.Table != "orders" {
			t.Errorf("got the step %+v", step)
		}
	}
	for i, o := range imported(t, e, to, workspace.Limits{}, steps...) {
		if o.Err != nil {
			t.Errorf("%s: %v", steps[i].Statement, o.Err)
		}
	}
	wantSame(t, dump(t, e, from), dump(t, e, to))
	list := taken(t, e, to)
	wantOneImport(t, list)
	wantReplay(t, e, to, list)
}

func TestSourceForOtherTypes(t *testing.T) {
	e := newEngine(t)
	from := newWorkspace(t, e)
	newSession(t, e, from).run(sourceSchema...)
	found, warnings, err := Source{}.Schema(t.Context(), loginTo(t, from))
	must(t, err)
	carried, more := found.CarriedOver(schema.MySQL)
	steps, _, err := carried.Render(schema.PostgreSQL)
	must(t, err)
	var got []string
	for _, step := range steps {
		got = append(got, strings.Join(strings.Fields(step.Statement), " "))
	}
	want := []string{
		`CREATE TABLE "users" ( "id" BIGSERIAL NOT NULL, "email" VARCHAR(255) NOT NULL, "kind" TEXT CHECK ("kind" IN ('a', 'b')) NOT NULL DEFAULT 'a', "is_on" BOOLEAN NOT NULL DEFAULT true, ` +
			`"seen" TIMESTAMPTZ(0), "made" TIMESTAMP(6) NOT NULL DEFAULT now(), "note" TEXT, "data" JSON, "age" INTEGER, PRIMARY KEY ("id"), CHECK ("age" >= 0) )`,
		`CREATE TABLE "orders" ( "id" BIGINT NOT NULL, "user_id" BIGINT NOT NULL, "total" NUMERIC(10,2) NOT NULL DEFAULT 0.00, "shape" TEXT, "order" SMALLINT, "note" TEXT, PRIMARY KEY ("id"), ` +
			`FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE )`,
		`CREATE INDEX "orders_user_id_total_idx" ON "orders" ("user_id", "total")`,
		`CREATE UNIQUE INDEX "users_email_key" ON "users" ("email")`,
	}
	slices.Sort(got)
	slices.Sort(want)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	all := strings.Join(append(warnings, more...), "\n")
	for _, want := range []string{"orders: the index words is left out", "orders: shape is text: geometry is"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning says %q:\n%s", want, all)
		}
	}
}

// What the server sets by itself, and dates that no other has, stay behind.
func TestSourceColumnsThatOnlyMySQLHas(t *testing.T) {
	e := newEngine(t)
	from := newWorkspace(t, e)
	newSession(t, e, from).run("SET sql_mode = ''", "CREATE TABLE g (a int, b int GENERATED ALWAYS AS (a + 1) STORED, c int AS (a * 2) VIRTUAL, z datetime NOT NULL DEFAULT '0000-00-00 00:00:00', "+
		"d date DEFAULT '2001-00-00', y date DEFAULT '2001-02-03', u timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)", "CREATE VIEW v AS SELECT * FROM g")
	found, warnings, err := Source{}.Schema(t.Context(), loginTo(t, from))
	must(t, err)
	carried, more := found.CarriedOver(schema.MySQL)
	steps, _, err := carried.Render(schema.PostgreSQL)
	must(t, err)
	want := `CREATE TABLE "g" ( "a" INTEGER, "b" INTEGER, "c" INTEGER, "z" TIMESTAMP NOT NULL, "d" DATE, "y" DATE DEFAULT '2001-02-03', "u" TIMESTAMPTZ(0) NOT NULL DEFAULT now() )`
	if got := strings.Join(strings.Fields(steps[0].Statement), " "); got != want || len(steps) != 1 {
		t.Errorf("got %d steps,\n%s\nwant\n%s", len(steps), got, want)
	}
	wanted := []string{"g: b is a plain column: how it is generated is left out", "g: c is a plain column: how it is generated is left out", "g: u is no longer set ON UPDATE",
		"g: the default of z is left out: '0000-00-00 00:00:00'", "g: the default of d is left out: '2001-00-00'"}
	if got := append(warnings, more...); !slices.Equal(got, wanted) {
		t.Errorf("got the warnings\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
}

func TestSourceThatCanNotBeReadIsABadRequestWithoutASecret(t *testing.T) {
	e := newEngine(t)
	from := newWorkspace(t, e)
	verified := "not trusted" // MySQL makes a certificate for itself
	if e.known().mariaDB {
		verified = "not with this encryption"
	}
	for says, change := range map[string]func(l *workspace.SourceLogin){
		"denied":             func(l *workspace.SourceLogin) { l.Password = "planted-secret-wrong" },
		"nowhere":            func(l *workspace.SourceLogin) { l.Database = "nowhere" },
		"connection refused": func(l *workspace.SourceLogin) { l.Port = 1 },
		verified:             func(l *workspace.SourceLogin) { l.TLS = "verify" },
	} {
		login := loginTo(t, from)
		change(&login)
		_, err := Source{}.Statements(t.Context(), login)
		if workspace.ErrorCode(err) != workspace.BadRequest || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
		if err != nil && strings.Contains(workspace.Causes(err), "planted-secret") {
			t.Errorf("the error has the password: %v", workspace.Causes(err))
		}
	}
}

// What a source names by its own database is meant in the workspace's.
func TestSourceNamesItsOwnDatabase(t *testing.T) {
	e := newEngine(t)
	from, to := newWorkspace(t, e), newTracked(t, e)
	own := quote(from.Database)
	newSession(t, e, from).run("CREATE TABLE users (id int)", "CREATE TABLE log (id int)",
		"CREATE TRIGGER "+own+".noted BEFORE INSERT ON "+own+".users FOR EACH ROW INSERT INTO "+own+" . log VALUES (NEW.id)",
		"CREATE FUNCTION "+own+".logged() RETURNS int READS SQL DATA RETURN (SELECT max("+own+".log.id) FROM "+own+".log)",
		"CREATE VIEW "+own+".seen AS SELECT "+own+".logged() AS id FROM "+own+".users")
	steps, err := Source{}.Statements(t.Context(), loginTo(t, from))
	must(t, err)
	for i, o := range imported(t, e, to, workspace.Limits{}, steps...) {
		if o.Err != nil {
			t.Errorf("%s: %v", steps[i].Statement, o.Err)
		}
	}
	s := newSession(t, e, to)
	s.run("INSERT INTO users VALUES (7)")
	if got := s.value("SELECT id FROM seen"); got != "7" {
		t.Errorf("got %s, want 7", got)
	}
	list := taken(t, e, to)
	wantReplay(t, e, to, list)
}

// A program is read under the settings that it was made under, which are not
// those of a session here, though they are those of its server.
func TestSourceWithSettingsOfItsOwn(t *testing.T) {
	e := newEngine(t)
	admin := administrator(t, e)
	mode := admin.value("SELECT @@global.sql_mode")
	restore := "SET GLOBAL sql_mode = " + literal(mode)
	defer admin.run(restore)
	admin.run("SET GLOBAL sql_mode = " + literal(mode+",ANSI_QUOTES"))
	from := newWorkspace(t, e)
	newSession(t, e, from).run(`CREATE TABLE "t" (id int)`, `CREATE FUNCTION largest() RETURNS int READS SQL DATA RETURN (SELECT max("id") FROM t)`, `CREATE FUNCTION one() RETURNS int DETERMINISTIC RETURN 1`)
	steps, err := Source{}.Statements(t.Context(), loginTo(t, from))
	must(t, err)
	admin.run(restore)
	e = newEngine(t)
	to := newTracked(t, e)
	steps = append(steps, schema.Step{Statement: `CREATE TABLE later (a varchar(9) DEFAULT "x")`})
	for i, o := range imported(t, e, to, workspace.Limits{}, steps...) {
		if o.Err != nil {
			t.Errorf("%s: %v", steps[i].Statement, o.Err)
		}
	}
	s := newSession(t, e, to)
	s.run("INSERT INTO t VALUES (7)")
	if got := s.value("SELECT largest()"); got != "7" {
		t.Errorf("got %s, want 7", got)
	}
	wantReplay(t, e, to, taken(t, e, to))
}

// MySQL and MariaDB have settings that the other does not know.
func TestSettingsOfTheOtherKindOfServer(t *testing.T) {
	e := newEngine(t)
	to := newTracked(t, e)
	own := "utf8mb4_bin"
	outcomes := imported(t, e, to, workspace.Limits{},
		schema.Step{Before: "SET sql_mode = 'ANSI_QUOTES,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION', collation_connection = 'utf8mb4_of_others'", Statement: `CREATE PROCEDURE "p"() SELECT 1`, After: "SET sql_mode = DEFAULT, NAMES utf8mb4"},
		schema.Step{Before: "SET sql_mode = 'ANSI_QUOTES,NO_AUTO_CREATE_USER', collation_connection = '" + own + "'", Statement: `CREATE VIEW "v" AS SELECT 'a' AS a`, After: "SET sql_mode = DEFAULT, NAMES utf8mb4"},
		schema.Step{Before: "SET sql_mode = 'ANSI_QUOTES,A_MODE_OF_OTHERS'", Statement: `CREATE PROCEDURE "q"() SELECT 1`, After: "SET sql_mode = DEFAULT"},
		schema.Step{Statement: `CREATE TABLE t (a varchar(9) DEFAULT "x")`},
	)
	for i, want := range []string{"", "", "A_MODE_OF_OTHERS", ""} {
		if err := outcomes[i].Err; (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("step %d: got %v, want %q", i, err, want)
		}
	}
	if got := newSession(t, e, to).value("SELECT COLLATION(a) FROM v"); got != own {
		t.Errorf("got collation %s, want %s", got, own)
	}
}

func TestCollationsOfTheOtherKindOfServer(t *testing.T) {
	e := newEngine(t)
	to := newTracked(t, e)
	others, own := "utf8mb4_uca1400_as_ci", "utf8mb4_0900_as_ci"
	if e.known().mariaDB {
		others, own = "utf8mb4_0900_as_ci", "utf8mb4_uca1400_nopad_as_ci"
	}
	outcomes := imported(t, e, to, workspace.Limits{},
		schema.Step{Statement: "CREATE TABLE t (a varchar(9)) DEFAULT CHARSET=utf8mb4 COLLATE=" + others, Object: "t"},
		schema.Step{Statement: "CREATE TABLE u (a varchar(9) COLLATE utf8mb4_of_nobody)", Object: "u"})
	if out := outcomes[0]; out.Err != nil || !strings.Contains(out.Warning, "t: the server has no "+others) {
		t.Errorf("got %+v", out)
	}
	if out := outcomes[1]; out.Err == nil || out.Warning != "" || !strings.Contains(out.Err.Error(), "utf8mb4_of_nobody") {
		t.Errorf("got %+v", out)
	}
	s := newSession(t, e, to)
	s.run("INSERT INTO t VALUES ('A')")
	if got := s.value("SELECT max(COLLATION(a)) FROM t WHERE a = 'a'"); got != own {
		t.Errorf("got collation %s, want %s", got, own)
	}
	list := taken(t, e, to)
	wantStatements(t, list, "CREATE TABLE t (a varchar(9)) DEFAULT CHARSET=utf8mb4 COLLATE="+own)
	wantReplay(t, e, to, list)
}

// Under each sql_mode a text has its own quotes, escapes and blocks.
func TestSourceProgramsOfEverySQLMode(t *testing.T) {
	e := newEngine(t)
	from, to := newWorkspace(t, e), newTracked(t, e)
	s := newSession(t, e, from)
	if e.known().mariaDB {
		s.run("SET sql_mode = ORACLE",
			"CREATE PACKAGE pk AS PROCEDURE p1; FUNCTION f1 RETURN INT; END",
			"CREATE PACKAGE BODY pk AS PROCEDURE p1 AS BEGIN SELECT 1; SELECT 2; END; FUNCTION f1 RETURN INT AS BEGIN RETURN 5; END; END",
			"CREATE PROCEDURE op(x INT) AS y INT := 2; BEGIN SELECT x; IF x > 1 THEN SELECT 'it''s; END'; END IF; END")
	}
	s.run("SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
		`CREATE PROCEDURE nb() BEGIN SELECT 'C:\'; SELECT ';\'; BEGIN SELECT 3; END; END`,
		`CREATE FUNCTION nbf() RETURNS varchar(20) DETERMINISTIC RETURN 'a\'`,
		"SET sql_mode = 'ANSI_QUOTES'",
		`CREATE TABLE "odd ""x"";" ("a;b" int, c varchar(20) DEFAULT 'x;''y')`,
		`CREATE TRIGGER "tr;x" BEFORE INSERT ON "odd ""x"";" FOR EACH ROW BEGIN SET NEW."a;b" = 1; END`,
		`CREATE VIEW "v""w" AS SELECT "a;b" AS "c'd" FROM "odd ""x"";"`,
		"CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DO BEGIN SELECT 1; SELECT 2; END")
	steps, err := Source{}.Statements(t.Context(), loginTo(t, from))
	must(t, err)
	for i, o := range imported(t, e, to, workspace.Limits{}, steps...) {
		if o.Err != nil {
			t.Errorf("%s: %v", steps[i].Statement, o.Err)
		}
	}
	wantSame(t, dump(t, e, from), dump(t, e, to))
	wantReplay(t, e, to, taken(t, e, to))
}
