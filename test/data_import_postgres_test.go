package test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// source makes a control workspace with these tables, as a live database.
func (in *installation) postgresSource(t testing.TB, id, script string) (database, map[string]any) {
	t.Helper()
	d := in.workspace(t, id, "control")
	connection := in.sourceOf(t, "postgresql", id)
	d.psql(t, script)
	return d, connection
}

// everyPostgresType is a table with values of each type that are hard to carry.
const everyPostgresType = `
	CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"', 'back\slash');
	CREATE TYPE pair AS (a int, b text);
	CREATE DOMAIN positive AS numeric(20, 5) CHECK (VALUE > 0);
	CREATE SCHEMA "Odd ""Schema";
	CREATE TABLE "Odd ""Schema"."Odd ""table.name'" ("a ""column'" text, "select" int);
	INSERT INTO "Odd ""Schema"."Odd ""table.name'" VALUES (E'tab\there\nline\r\\back\\N\\.', 1), ('\N', 2), ('\.', 3), ('', 4), (NULL, 5), (E'\u20ac\U0001F600', 6);
	CREATE TABLE every (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, i2 smallint, i8 bigint, n numeric, f4 real, f8 double precision, m money,
		t text, v varchar(9), c char(5), nm name, b bytea, d date, ts timestamp, tz timestamptz, ti time, tt timetz, iv interval, bo boolean,
		po point, li line, ls lseg, bx box, pa path, pg polygon, ci circle, ip inet, cd cidr, ma macaddr, m8 macaddr8, bi bit(5), bv varbit,
		vec tsvector, q tsquery, u uuid, x xml, j json, jb jsonb, jp jsonpath, r4 int4range, rn numrange, mr int4multirange, l pg_lsn, oi oid, rc regclass,
		mo mood, pr pair, pos positive, ia int[], ta text[][], ma2 mood[], pra pair[], ba bytea[], twice bigint GENERATED ALWAYS AS (i8 / 2) STORED
	);
	INSERT INTO every (i2, i8, n, f4, f8, m, t, v, c, nm, b, d, ts, tz, ti, tt, iv, bo, po, li, ls, bx, pa, pg, ci, ip, cd, ma, m8, bi, bv, vec, q, u, x, j, jb, jp, r4, rn, mr, l, oi, rc, mo, pr, pos, ia, ta, ma2, pra, ba)
	VALUES
	(-32768, 9223372036854775807, 'NaN', 3.4028235e38, 5e-324, -92233720368547758.08, E'\t\n\\', 'nine char', 'ab', 'name', '\x00ff0a5c2e', 'infinity', '0044-03-15 BC 12:00', '294276-12-31 23:59:59.999999+00', '24:00', '00:00:00.000001+15:59', '-1 year -2 mons +3 days -04:05:06.789', true,
		'(1e-300,2)', '{1,2,3}', '[(1,2),(3,4)]', '(3,4),(1,2)', '[(1,2),(3,4)]', '((0,0),(1,1),(1,0))', '<(1,2),3>', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', B'10110', B'', $$'a ''quoted''':1A b:2,3$$, 'a & !b:*C <2> d', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '<a b="c">&amp;</a>', '{"z":1,  "a":[1e400, "\\u00e9"]}', '{"z":1,"a":[1e400,null]}', '$.a[*] ? (@ > 1)', '[1,10)', 'empty', '{[1,3),[5,7)}', '16/B374D848', 4294967295, 'pg_class',
		'back\slash', ROW(NULL, E'q"\\'), 0.00001, '{1,NULL,-3}', '{{"a,b","{}"},{"NULL",NULL}}', ARRAY['it''s "ok"', 'sad']::mood[], ARRAY[ROW(1,'x,y')::pair, NULL], ARRAY['\x00'::bytea, '\x'::bytea]),
	(0, -9223372036854775808, 1e-1000 + 123456789012345678901234567890.5, '-Infinity', '-0', 0, '', '', '', '', '', '-infinity', '-infinity', 'infinity', '00:00', '23:59:59-15:59', '178000000 years', false,
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}', '{}', NULL, NULL, NULL);
	INSERT INTO every DEFAULT VALUES;
	CREATE TABLE legacy (id serial PRIMARY KEY, at int) ; INSERT INTO legacy (at) SELECT generate_series(1, 700); DELETE FROM legacy WHERE id % 7 = 0;
	CREATE TABLE parted (id int, at int) PARTITION BY RANGE (id); CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (100); CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
	INSERT INTO parted SELECT n, -n FROM generate_series(50, 150) n;
	CREATE TABLE heirs (a int); CREATE TABLE heir (b int) INHERITS (heirs); INSERT INTO heirs VALUES (1); INSERT INTO heir VALUES (2, 3);
`

// rowsOf is all rows of the tables, as text that tells every value from another.
func rowsOf(t testing.TB, d database, tables ...string) string {
	t.Helper()
	script := "SET extra_float_digits = 3; SET bytea_output = hex; SET timezone = 'Asia/Kathmandu'; SET intervalstyle = iso_8601;\n"
	for _, table := range tables {
		script += `COPY (SELECT r FROM ONLY ` + table + ` r ORDER BY r::text COLLATE "C") TO STDOUT;` + "\n"
	}
	return d.psql(t, script)
}

func TestPostgresImportCarriesEveryTypeExactly(t *testing.T) {
	source, connection := shared.postgresSource(t, "types-source", everyPostgresType)
	d := shared.workspace(t, "types", "tenant")
	body := shared.must(t, http.StatusAccepted, "POST", "/workspaces/types/import-full", map[string]any{"connection": connection})
	if failed := body["details"].(map[string]any)["statements_failed"]; failed != float64(0) {
		t.Errorf("schema: got %v", body)
	}
	done := shared.importEnded(t, "types", body["import_id"].(string))
	if done["status"] != "completed" || done["rows_imported"] != float64(6+3+600+101+2) {
		t.Errorf("got %v", done)
	}
	tables := []string{"every", `"Odd ""Schema"."Odd ""table.name'"`, "legacy", "parted_low", "parted_rest", "heirs", "heir"}
	if got, want := rowsOf(t, d, tables...), rowsOf(t, source, tables...); got != want {
		t.Errorf("got the rows\n%s\nwant\n%s", got, want)
	}
	// What is counted goes on behind the rows that came.
	if got := d.psql(t, "INSERT INTO every DEFAULT VALUES RETURNING id; INSERT INTO legacy DEFAULT VALUES RETURNING id", "-At", "-q"); strings.Fields(got)[0] != "4" || strings.Fields(got)[1] != "700" {
		t.Errorf("next ids: got %q, want 4 and 700", got)
	}
	// Rows are no schema changes: all that is queued came with the schema.
	for _, e := range d.queue(t) {
		if e.Version != 1 || e.Source != "import" {
			t.Errorf("queue: got %+v", e)
		}
	}
}

func TestPostgresImportMeetsForeignKeysInAnyOrder(t *testing.T) {
	schema := `
		CREATE TABLE c_first (id int PRIMARY KEY, boss int REFERENCES c_first);
		CREATE TABLE b_second (id int PRIMARY KEY, first int REFERENCES c_first NOT NULL);
		CREATE TABLE a_third (id int PRIMARY KEY, second int REFERENCES b_second NOT NULL);
		CREATE TABLE left_side (id int PRIMARY KEY, other int NOT NULL);
		CREATE TABLE right_side (id int PRIMARY KEY, other int NOT NULL REFERENCES left_side DEFERRABLE);
		ALTER TABLE left_side ADD CONSTRAINT back FOREIGN KEY (other) REFERENCES right_side DEFERRABLE;`
	source, connection := shared.postgresSource(t, "keys-source", schema+`
		INSERT INTO c_first SELECT n, nullif(n % 50 + 1, n) FROM generate_series(1, 50) n; INSERT INTO b_second SELECT n, n % 50 + 1 FROM generate_series(1, 500) n; INSERT INTO a_third SELECT n, n FROM generate_series(1, 500) n;
		BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO left_side SELECT n, n FROM generate_series(1, 9) n; INSERT INTO right_side SELECT n, n FROM generate_series(1, 9) n; COMMIT;`)
	d := shared.workspace(t, "keys", "control")
	d.psql(t, schema)
	request := map[string]any{"connection": connection}
	shared.importData(t, "keys", "import-data", request)
	tables := []string{"c_first", "b_second", "a_third", "left_side", "right_side"}
	if got, want := rowsOf(t, d, tables...), rowsOf(t, source, tables...); got != want {
		t.Errorf("got the rows\n%s\nwant\n%s", got, want)
	}

	// A circle that nothing defers is refused before anything is copied.
	d.psql(t, "TRUNCATE a_third, b_second, c_first, left_side, right_side; ALTER TABLE left_side ALTER CONSTRAINT back NOT DEFERRABLE; ALTER TABLE right_side ALTER CONSTRAINT right_side_other_fkey NOT DEFERRABLE")
	shared.refusedImport(t, "keys", request, "foreign keys lead in a circle among the tables left_side, right_side", "DEFERRABLE")

	// A deferred key that is not met undoes all, with the server's words for it.
	d.psql(t, "ALTER TABLE left_side ALTER CONSTRAINT back DEFERRABLE; ALTER TABLE right_side ALTER CONSTRAINT right_side_other_fkey DEFERRABLE")
	source.psql(t, "ALTER TABLE left_side DROP CONSTRAINT back; UPDATE left_side SET other = 77 WHERE id = 3")
	shared.failedImport(t, "keys", request, `violates foreign key constraint "back"`, "(other)=(77)")
	if got := rowsOf(t, d, tables...); strings.TrimSpace(got) != "SET\nSET\nSET\nSET" {
		t.Errorf("after an import that failed: got the rows\n%s", got)
	}
}

func TestPostgresImportIntoRowsThatAreThereOverwritesNothing(t *testing.T) {
	schema := "CREATE TABLE before (id int PRIMARY KEY); CREATE TABLE users (id serial PRIMARY KEY, name text)"
	_, connection := shared.postgresSource(t, "there-source", schema+"; INSERT INTO before SELECT generate_series(1, 1000); INSERT INTO users SELECT n, 'theirs' FROM generate_series(1, 1000) n")
	d := shared.workspace(t, "there", "control")
	d.psql(t, schema+"; INSERT INTO users VALUES (777, 'ours')")
	body := shared.failedImport(t, "there", map[string]any{"connection": connection}, "table users: ", `"users_pkey"`, "Key (id)=(777) already exists.")
	if body["rows_imported"] != float64(0) {
		t.Errorf("got %v", body)
	}
	if got := d.psql(t, "SELECT count(*), (SELECT count(*) FROM before), min(name), nextval('users_id_seq') FROM users", "-At"); got != "1|0|ours|1\n" {
		t.Errorf("after an import that failed: got %q", got)
	}
	d.psql(t, "DELETE FROM users")
	shared.importData(t, "there", "import-data", map[string]any{"connection": connection, "tables": []string{"users"}})
	if got := d.psql(t, "SELECT count(*), nextval('users_id_seq') FROM users", "-At"); got != "1000|1001\n" {
		t.Errorf("got %q", got)
	}
}

func TestPostgresImportRoutesRowsToTenants(t *testing.T) {
	source, connection := shared.postgresSource(t, "routed-source", `
		CREATE TABLE plans (id int PRIMARY KEY, name text); INSERT INTO plans SELECT n, 'plan ' || n FROM generate_series(1, 5) n;
		CREATE TABLE users (tenant_id text NOT NULL, id int PRIMARY KEY, plan int REFERENCES plans);
		INSERT INTO users SELECT (ARRAY['acme', 'globex', 'initech'])[n % 3 + 1], n, n % 5 + 1 FROM generate_series(1, 3000) n;
		CREATE TABLE notes (id bigserial PRIMARY KEY, user_id int REFERENCES users, tenant_id char(10));
		INSERT INTO notes (user_id, tenant_id) SELECT id, tenant_id FROM users WHERE id % 10 = 0;`)
	d := shared.workspace(t, "routed", "tenant")
	d.psql(t, "CREATE TABLE plans (id int PRIMARY KEY, name text); CREATE TABLE users (id int PRIMARY KEY, plan int REFERENCES plans); CREATE TABLE notes (id bigserial PRIMARY KEY, user_id int REFERENCES users, tenant_id text)")
	shared.tenantDatabase(t, "acme", "routed")
	request := map[string]any{"connection": connection, "routing_field": "tenant_id"}
	shared.refusedImport(t, "routed", request, "the table plans has no column tenant_id", "tenant acme: the table users has no column tenant_id", "no databases of blueprint routed for the tenants globex, initech")
	request["shared_tables"], request["drop_routing_field"] = []string{"plans"}, true
	analysis := shared.must(t, http.StatusOK, "POST", "/workspaces/routed/import-data/analyze", request)
	if got := fmt.Sprint(analysis["tenants"], analysis["routing_candidates"]); got != "[map[exists:true rows:1100 tenant_id:acme] map[exists:false rows:1100 tenant_id:globex] map[exists:false rows:1100 tenant_id:initech]] [tenant_id]" {
		t.Errorf("analysis: got %s", got)
	}
	request["create_tenants"] = true
	body := shared.must(t, http.StatusAccepted, "POST", "/workspaces/routed/import-data", request)
	t.Cleanup(func() {
		for _, name := range []string{"globex", "initech"} {
			shared.call(t, "DELETE", "/tenants/"+name+"?hard=true", nil)
		}
	})
	if made := body["created_tenants"].([]any); len(made) != 2 || strings.Contains(fmt.Sprint(made), "•") {
		t.Errorf("made the tenants %v", made)
	}
	done := shared.importEnded(t, "routed", body["import_id"].(string))
	if done["status"] != "completed" || done["rows_imported"] != float64(3300+3*5) || len(done["tenants"].([]any)) != 3 {
		t.Fatalf("got %v", done)
	}
	for i, name := range []string{"acme", "globex", "initech"} {
		got := shared.must(t, http.StatusOK, "POST", "/admin/query", map[string]any{"blueprint": "routed", "tenant_id": name,
			"query": "SELECT (SELECT count(*) FROM plans), count(*), min(u.id % 3), max(u.id % 3), sum(u.id)::text, (SELECT count(*) FROM notes), (SELECT rtrim(min(tenant_id)) || rtrim(max(tenant_id)) FROM notes) FROM users u"})
		want := strings.TrimSpace(source.psql(t, fmt.Sprintf("SELECT 5, count(*), %d, %d, sum(id), (SELECT count(*) FROM notes WHERE tenant_id = '%s'), '%s%s' FROM users WHERE tenant_id = '%s'", i, i, name, name, name, name), "-At", "-F", " "))
		if rows := strings.Trim(fmt.Sprint(got["rows"]), "[]"); rows != want {
			t.Errorf("%s: got %s, want %s", name, rows, want)
		}
	}
	if got := d.psql(t, "SELECT count(*) FROM users", "-At"); got != "0\n" {
		t.Errorf("the blueprint's own database got %s rows", got)
	}

	// A tenant whose rows are there already fails alone, and keeps what it has.
	shared.must(t, http.StatusOK, "DELETE", "/tenants/globex?hard=true", nil)
	body = shared.must(t, http.StatusAccepted, "POST", "/workspaces/routed/import-data", request)
	done = shared.importEnded(t, "routed", body["import_id"].(string))
	if states := fmt.Sprint(done["status"], done["error"]); done["rows_imported"] != float64(1105) || !strings.Contains(states, "failed") || !strings.Contains(states, "tenant acme: table plans: ") || !strings.Contains(states, "and 1 more tenant") {
		t.Errorf("again: got %v", done)
	}
	shared.refusedImport(t, "routed", map[string]any{"connection": connection, "routing_field": "tenant_id", "tenants": []string{"nobody"}}, `no row names the tenant "nobody"`)
	source.psql(t, "ALTER TABLE users ALTER tenant_id DROP NOT NULL; UPDATE users SET tenant_id = CASE WHEN id = 1 THEN 'Not A Name' END WHERE id < 3")
	shared.refusedImport(t, "routed", request, "1 rows have no tenant_id", `"Not A Name" can't be a tenant`)
}
