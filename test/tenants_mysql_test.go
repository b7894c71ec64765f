package test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// mysqlTenant makes a tenant with a database of the blueprint, as its clients
// reach it.
func (in *installation) mysqlTenant(t testing.TB, name, blueprint string) mysqlDatabase {
	t.Helper()
	body := in.tenant(t, name, blueprint)
	connection := databaseOf(t, body, blueprint)["connection"].(map[string]any)
	return mysqlDatabase{
		database:   database{installation: in, id: name, url: addressOf(t, body, blueprint), name: connection["database"].(string)},
		connection: connection,
	}
}

// mysqlBlueprint is a tenant-mode workspace with what the script makes.
func (in *installation) mysqlBlueprint(t testing.TB, name, script string) mysqlDatabase {
	t.Helper()
	d := in.mysqlUnlimited(t, name, "tenant")
	d.load(t, script)
	return d
}

// definers are the owners of what a blueprint and a tenant have.
var definers = regexp.MustCompile("DEFINER=[`\"][^`\"]+([`\"]@)")

// deployed is the schema without its owner's name, which of a workspace is that of
// the database.
func (d mysqlDatabase) deployed(t testing.TB) string {
	t.Helper()
	schema := definers.ReplaceAllString(d.schema(t), "DEFINER=owner$1")
	return strings.ReplaceAll(schema, "role_of_the_workspace", "name_of_the_database")
}

func wantDeployed(t testing.TB, what string, blueprint, tenant mysqlDatabase) {
	t.Helper()
	if got, want := tenant.deployed(t), blueprint.deployed(t); got != want {
		t.Errorf("%s: the tenant's schema differs from the blueprint's:\n%s", what, firstDifference(got, want))
	}
}

func TestMySQLTenantIsADatabaseOfItsOwn(t *testing.T) {
	in := shared
	blueprint := in.mysqlBlueprint(t, "my-own", "CREATE TABLE goods (id INT AUTO_INCREMENT PRIMARY KEY, name TEXT); CREATE VIEW names AS SELECT name FROM goods;"+
		"CREATE PROCEDURE restock(n TEXT) INSERT INTO goods (name) VALUES (n); INSERT INTO goods (name) VALUES ('of the workspace')")
	acme, globex := in.mysqlTenant(t, "my_own_acme", "my-own"), in.mysqlTenant(t, "my_own_globex", "my-own")
	wantDeployed(t, "a new tenant", blueprint, acme)
	if acme.name != "my-own__my_own_acme" {
		t.Errorf("the database is %s, want my-own__my_own_acme", acme.name)
	}
	for i, d := range []mysqlDatabase{acme, globex} {
		l := d.pasted(t)
		conn := l.connect(t)
		wantColumn(t, conn, "SELECT DATABASE()", d.name)
		change(t, conn, "INSERT INTO goods (name) VALUES (?)", fmt.Sprint("of ", i))
		change(t, conn, "CALL restock('more')")
		l.client(t, "CREATE TEMPORARY TABLE t SELECT * FROM names; INSERT INTO goods (name) SELECT CONCAT(name, '!') FROM t;")
		wantColumn(t, conn, "SELECT name FROM names ORDER BY name", "more", "more!", fmt.Sprint("of ", i), fmt.Sprintf("of %d!", i))
		// Its login leads to it alone.
		l.database = ""
		wantColumn(t, l.connect(t), "SELECT DATABASE()", d.name)
		for _, database := range []string{blueprint.name, []string{globex.name, acme.name}[i]} {
			l.database = database
			_, err := l.tryConnect(t)
			wantNumber(t, "another's database", err, 1045)
		}
	}

	conn := acme.login().connect(t, multiStatements)
	for _, sql := range []string{
		"CREATE TABLE x (a INT)", "ALTER TABLE goods ADD more INT", "DROP VIEW names", "DROP DATABASE `" + acme.name + "`", "PREPARE s FROM 'DROP TABLE goods'",
		"INSERT INTO goods (name) VALUES ('kept out'); RENAME TABLE goods TO bads",
	} {
		if told := wantNumber(t, sql, execMySQL(conn, sql), 1142); told != noDDL {
			t.Errorf("%s: got %q", sql, told)
		}
	}
	if _, err := conn.PrepareContext(t.Context(), "DROP TABLE goods"); err == nil || !strings.Contains(err.Error(), noDDL) {
		t.Errorf("prepare: got %v", err)
	}
	for _, sql := range []string{"TRUNCATE goods", "SET @q = 'DROP TABLE goods'; PREPARE s FROM @q; EXECUTE s"} {
		if told := wantNumber(t, sql, execMySQL(conn, sql), 1142); told == noDDL {
			t.Errorf("%s: is not the server's own refusal", sql)
		}
	}
	wantColumn(t, conn, "SELECT count(*) FROM goods", "4")
	wantDeployed(t, "after what was refused", blueprint, acme)

	ask := func(request map[string]any) answer {
		request["blueprint"] = "my-own"
		return in.call(t, "POST", "/admin/query", request)
	}
	a := ask(map[string]any{"tenant_id": "my_own_acme", "query": "INSERT INTO goods (name) VALUES ('kept out'); DROP TABLE goods"})
	if a.status != http.StatusBadRequest || a.body["error"] != "DDL not allowed on tenant databases. Deploy schema through blueprints." {
		t.Errorf("DDL in a query: got %d %v", a.status, a.body)
	}
	holds(t, ask(map[string]any{"all_tenants": true, "query": "SELECT count(*) AS n FROM goods"}).body,
		`{"total_tenants": 2, "results": [{"tenant_id": "my_own_acme", "columns": ["n"], "rows": [[4]], "row_count": 1}, {"tenant_id": "my_own_globex", "columns": ["n"], "rows": [[4]], "row_count": 1}]}`)

	// The rows of a dump go in, as the documentation says.
	dump := exec.Command("mysqldump", append(in.mysqlAdministrator(t), "--no-create-info", "--skip-triggers", "--skip-disable-keys", "--skip-lock-tables", blueprint.name)...)
	if !dumpsMariaDB(t) {
		dump.Args = append(dump.Args, "--set-gtid-purged=OFF")
	}
	rows, err := dump.Output()
	if err != nil {
		t.Fatal(err)
	}
	change(t, conn, "DELETE FROM goods")
	acme.load(t, string(rows))
	wantColumn(t, conn, "SELECT name FROM goods", "of the workspace")
}

func TestMySQLTenantsGetVersions(t *testing.T) {
	in := shared
	blueprint := in.mysqlBlueprint(t, "my-versions", "CREATE TABLE goods (id INT)")
	acme := in.mysqlTenant(t, "my_versions_acme", "my-versions")
	conn := acme.login().connect(t)
	change(t, conn, "INSERT INTO goods VALUES (1)")
	blueprint.load(t, "ALTER TABLE goods ADD name VARCHAR(20) DEFAULT 'none'; CREATE INDEX by_name ON goods (name)")
	if _, err := column(conn, "SELECT name FROM goods"); err == nil {
		t.Error("a column is there that was not deployed")
	}
	holds(t, in.deploy(t, map[string]any{"blueprint_name": "my-versions", "tenants": []string{"my_versions_acme"}}),
		`{"version": 3, "status": "completed", "tenants_total": 1, "tenants_completed": 1, "tenants_failed": 0}`)
	wantColumn(t, conn, "SELECT name FROM goods", "none") // on the session that was open
	wantDeployed(t, "after the deployment", blueprint, acme)

	// What the server refuses is told with its reason, and is pending again.
	change(t, conn, "INSERT INTO goods (id) VALUES (1)")
	blueprint.load(t, "ALTER TABLE goods ADD UNIQUE KEY once (id)")
	d := in.deploy(t, map[string]any{"blueprint_name": "my-versions", "deploy_all": true})
	holds(t, d, `{"version": 4, "status": "failed", "tenants_failed": 1}`)
	result := d["results"].([]any)[0].(map[string]any)
	holds(t, result, `{"tenant_id": "my_versions_acme", "status": "failed", "version": 3}`)
	if told := fmt.Sprint(result["error"]); !strings.HasPrefix(told, "Duplicate entry '1' for key") {
		t.Errorf("the failure is told as %q", told)
	}
	blueprint.load(t, "DROP INDEX once ON goods")
	for _, e := range blueprint.queue(t) {
		in.must(t, http.StatusOK, "DELETE", fmt.Sprintf("/workspaces/my-versions/diff/%d", e.ID), nil)
	}
	blueprint.load(t, "CREATE TABLE more (id INT)")
	in.deployAll(t, "my-versions")
	wantDeployed(t, "without what was skipped", blueprint, acme)
	wantDeployed(t, "a new tenant", blueprint, in.mysqlTenant(t, "my_versions_late", "my-versions"))
}

func TestMySQLTenantIsSuspendedResumedTrashedAndRestored(t *testing.T) {
	in := shared
	in.mysqlBlueprint(t, "my-life", "CREATE TABLE goods (id INT)")
	acme, other := in.mysqlTenant(t, "my_life_acme", "my-life"), in.mysqlTenant(t, "my_life_globex", "my-life")
	l := acme.login()
	open := func(why string) {
		t.Helper()
		wantColumn(t, l.connect(t), "SELECT count(*) FROM goods", "1")
		if t.Failed() {
			t.Fatal(why)
		}
	}
	change(t, l.connect(t), "INSERT INTO goods VALUES (1)")
	open("at first")
	bystander := other.login().connect(t)

	sleeper := l.connect(t)
	asleep := make(chan error, 1)
	go func() { asleep <- execMySQL(sleeper, "SELECT SLEEP(120)") }()
	admin := in.mysqlAdmin(t)
	for admin.clientIn(t, "SELECT count(*) FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(120)' AND DB = '"+acme.name+"'") != "1" {
		time.Sleep(20 * time.Millisecond)
	}
	in.must(t, http.StatusOK, "POST", "/tenants/my_life_acme/suspend", nil)
	wantNumber(t, "an open session", <-asleep, 3118)
	_, err := l.tryConnect(t)
	if told := wantNumber(t, "a login", err, 3118); !strings.Contains(told, acme.name) {
		t.Errorf("a login hears %q", told)
	}
	wantColumn(t, bystander, "SELECT 1", "1")
	in.must(t, http.StatusOK, "POST", "/tenants/my_life_acme/resume", nil)
	open("after it was resumed")

	in.must(t, http.StatusOK, "DELETE", "/tenants/my_life_acme", nil)
	_, err = l.tryConnect(t)
	wantNumber(t, "a login in the trash", err, 1045)
	in.must(t, http.StatusOK, "POST", "/tenants/my_life_acme/restore", nil)
	open("after it was restored")

	in.must(t, http.StatusOK, "DELETE", "/tenants/my_life_acme?hard=true", nil)
	_, err = l.tryConnect(t)
	wantNumber(t, "a login when it is gone", err, 1045)
	if left := admin.clientIn(t, "SELECT (SELECT count(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '"+acme.name+"')"+
		" + (SELECT count(*) FROM tenantsdb.deployed WHERE name = '"+acme.name+"') + (SELECT count(*) FROM mysql.db WHERE Db LIKE '%life%acme%')"); left != "0" {
		t.Errorf("%s things are left of it on the server", left)
	}
	wantColumn(t, bystander, "SELECT count(*) FROM goods", "0")
}

// clientIn is client without a database.
func (l mysqlLogin) clientIn(t testing.TB, statements string) string {
	t.Helper()
	return strings.TrimSpace(l.run(t, statements, "mariadb", "--batch", "--skip-column-names"))
}

// Large schemas, deployed in steps to a tenant that was there before them, and at
// once to a new one.
func TestMySQLTenantsHaveTheBlueprintsSchema(t *testing.T) {
	for _, name := range []string{"rental", "migrations", shared.mysqlKind(t), "generated"} {
		t.Run(name, func(t *testing.T) {
			in := shared
			blueprint := in.mysqlUnlimited(t, "my-t-"+name, "tenant")
			early := in.mysqlTenant(t, "my_t_"+name+"_early", blueprint.id)
			script := ""
			if name == "generated" {
				script = generateMySQLSchema(rand.New(rand.NewPCG(testSeed(t), 3)), generatedTables/6)
			} else {
				script = readSchema(t, name+".sql")
			}
			blueprint.load(t, script)
			queue := blueprint.queue(t)
			for _, n := range []int{len(queue) / 3, len(queue) / 2, len(queue) - 1} {
				d := in.deploy(t, map[string]any{"blueprint_name": blueprint.id, "deploy_all": true, "version": queue[n].Version})
				if d["status"] != "completed" {
					t.Fatalf("version %d: %v", queue[n].Version, d)
				}
			}
			wantDeployed(t, "in steps", blueprint, early)
			wantDeployed(t, "at once", blueprint, in.mysqlTenant(t, "my_t_"+name+"_late", blueprint.id))
		})
	}
}

// The program is killed again and again while it deploys, and its server with it.
// In the end every tenant has every statement once.
func TestKilledWhileItDeploysEveryMySQLTenantHasEachVersionOnce(t *testing.T) {
	in := newInstallation(t, "mysql")
	const tenants, units = 3, 6
	rounds := 5
	if testing.Short() {
		rounds = 2
	}
	blueprint := in.mysqlBlueprint(t, "killed", "CREATE TABLE t0 (a INT)")
	var all []mysqlDatabase
	for n := range tenants {
		all = append(all, in.mysqlTenant(t, fmt.Sprintf("tenant_%d", n), blueprint.id))
	}
	random := rand.New(rand.NewPCG(testSeed(t), 4))
	for round := range rounds {
		var script strings.Builder
		for n := range units {
			// None of them can run twice, and a later one needs those before.
			fmt.Fprintf(&script, "CREATE TABLE r%d_%d (a INT); ALTER TABLE t%d ADD c%d INT, ADD KEY (c%d); RENAME TABLE r%d_%d TO s%d_%d; CREATE VIEW v%d_%d AS SELECT c%d FROM t%d;\n",
				round, n, round, n, n, round, n, round, n, round, n, n, round)
		}
		fmt.Fprintf(&script, "CREATE TABLE t%d (a INT);", round+1)
		blueprint.load(t, script.String())
		id := in.must(t, http.StatusCreated, "POST", "/deployments", map[string]any{"blueprint_name": blueprint.id, "deploy_all": true})["id"]
		admin := in.mysqlAdmin(t)
		moment := fmt.Sprintf("SELECT count(*) >= %d FROM information_schema.TABLES WHERE TABLE_SCHEMA = '%s' AND TABLE_NAME LIKE '_%d\\_%%'", random.IntN(2*units), all[0].name, round)
		for deadline := time.Now().Add(time.Minute); admin.clientIn(t, moment) != "1"; {
			if time.Now().After(deadline) {
				t.Fatal("the deployment does not begin")
			}
		}
		in.kill()
		if err := in.start(); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(time.Minute)
		for {
			d := in.must(t, http.StatusOK, "GET", fmt.Sprintf("/deployments/%v", id), nil)
			if d["completed_at"] != nil {
				if d["status"] != "completed" {
					in.deployAll(t, blueprint.id) // one that met the dying server
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the deployment was not taken up: %v", d)
			}
			time.Sleep(50 * time.Millisecond)
		}
		for _, d := range all {
			wantDeployed(t, fmt.Sprintf("round %d, %s", round, d.name), blueprint, d)
		}
	}
	admin := in.mysqlAdmin(t)
	versions := strings.Fields(admin.clientIn(t, "SELECT count(*) FROM tenantsdb.deployed GROUP BY name"))
	if len(versions) != tenants || len(slices.Compact(versions)) != 1 {
		t.Errorf("the tenants have %v versions, want the same number each", versions)
	}
	if left := admin.clientIn(t, "SELECT count(*) FROM tenantsdb.deploying"); left != "0" {
		t.Errorf("%s entries are not ended", left)
	}
}
