package test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// mysqlSource makes a control workspace with these tables, as a live database.
func (in *installation) mysqlSource(t testing.TB, id, script string) (mysqlLogin, map[string]any) {
	t.Helper()
	d := in.mysqlDatabase(t, id, "control")
	connection := in.sourceOf(t, "mysql", id)
	d.login().client(t, script)
	return d.login(), connection
}

// everyMySQLType is a table with values of each type that are hard to carry.
const everyMySQLType = "SET NAMES utf8mb4, sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone = '+00:00';" + `
	CREATE TABLE ` + "`odd ``table'\"`" + ` (` + "`a ``column'`" + ` varchar(40), ` + "`select`" + ` int);
	INSERT INTO ` + "`odd ``table'\"`" + ` VALUES ('it''s', 1), ('back\\slash\\', 2), ('nul\0 tab\t nl\n', 3), ('', 4), (NULL, 5), ('€😀', 6);
	CREATE TABLE every_type (
		id int unsigned AUTO_INCREMENT PRIMARY KEY, i1 tinyint, i3 mediumint, i8 bigint, u8 bigint unsigned, de decimal(65,30), f float, fm float(7,3), d double, b bit(1), b64 bit(64),
		da date, dt datetime(6), ts timestamp(6) NULL, ti time(6), ye year, ch char(10), vc varchar(100), la varchar(20) CHARACTER SET latin1, bi binary(5), vb varbinary(20),
		tb tinyblob, bl mediumblob, tx longtext, en enum('a','it''s'), se set('x','y','z'), js json, po point, ge geometry, twice bigint GENERATED ALWAYS AS (i1 * 2) STORED
	);
	INSERT INTO every_type (id, i1, i3, i8, u8, de, f, fm, d, b, b64, da, dt, ts, ti, ye, ch, vc, la, bi, vb, tb, bl, tx, en, se, js, po, ge) VALUES
	(0, -128, 8388607, -9223372036854775808, 18446744073709551615, -12345678901234567890123456789012345.123456789012345678901234567890, 16777215, 1234.567, 5e-324, b'1', 18446744073709551615,
		'9999-12-31', '1000-01-01 00:00:00.000001', '2038-01-19 03:14:07.999999', '-838:59:59.000000', 1901, 'trail  ', 'tab\tquote''"', _latin1 x'e9ff', x'00ff', x'27005c2200',
		x'', x'00ff27275c5c0a0d1a', repeat('€', 100000), 'it''s', 'x,z', '{"z": 1, "a": [12345678901234567890, "é\\u0000"]}', ST_GeomFromText('POINT(1 2)', 4326), ST_GeomFromText('POLYGON((0 0,0 1,1 1,0 0))')),
	(7, 127, -1, 0, 0, 0.000000000000000000000000000001, 0.1, -0.001, 1.7976931348623157e308, b'0', 0, '0000-00-00', '0000-00-00 00:00:00', '1970-01-01 00:00:01', '838:59:59', 2155, '', '', '', '', '', NULL, NULL, '', 'a', '', 'null', NULL, NULL),
	(4294967290, NULL, NULL, NULL, NULL, NULL, 3.4028235e38, NULL, 0.1, NULL, NULL, '2026-02-31', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
`

// mysqlRowsOf is all values of every_type, in hexadecimal.
func mysqlRowsOf(t testing.TB, l mysqlLogin) string {
	t.Helper()
	var columns []string
	for _, c := range strings.Fields("id i1 i3 i8 u8 de fm da dt ts ti ye ch vc la bi vb tb bl tx en se js twice") {
		columns = append(columns, "hex("+c+")")
	}
	return l.client(t, "SET time_zone = '+00:00'; SELECT "+strings.Join(columns, ", ")+", hex(b + 0), hex(b64 + 0), f * 1e0, d, hex(ST_AsWKB(po)), ST_SRID(po), hex(ST_AsWKB(ge)) FROM every_type ORDER BY id; "+
		"SELECT hex(`a ``column'`), `select` FROM `odd ``table'\"` ORDER BY 2")
}

func TestMySQLImportCarriesEveryTypeExactly(t *testing.T) {
	source, connection := shared.mysqlSource(t, "mytypes-source", everyMySQLType)
	d := shared.mysqlDatabase(t, "mytypes", "tenant")
	body := shared.must(t, http.StatusAccepted, "POST", "/workspaces/mytypes/import-full", map[string]any{"connection": connection})
	done := shared.importEnded(t, "mytypes", body["import_id"].(string))
	if done["status"] != "completed" || done["rows_imported"] != float64(3+6) {
		t.Fatalf("got %v, schema %v", done, body)
	}
	if got, want := mysqlRowsOf(t, d.login()), mysqlRowsOf(t, source); got != want {
		t.Errorf("got the rows\n%s\nwant\n%s", got, want)
	}
	if got := d.login().client(t, "INSERT INTO every_type () VALUES (); SELECT last_insert_id()"); !strings.Contains(got, "4294967291") {
		t.Errorf("next id: got %q", got)
	}
	for _, e := range d.queue(t) {
		if e.Source != "import" {
			t.Errorf("queue: got %+v", e)
		}
	}
}

func TestMySQLImportMeetsForeignKeysAndIsAllOrNothing(t *testing.T) {
	schema := `CREATE TABLE c_first (id int PRIMARY KEY, boss int, FOREIGN KEY (boss) REFERENCES c_first (id));
		CREATE TABLE b_second (id int PRIMARY KEY, first int NOT NULL, FOREIGN KEY (first) REFERENCES c_first (id));
		CREATE TABLE l (id int PRIMARY KEY, other int); CREATE TABLE r (id int PRIMARY KEY, other int, CONSTRAINT r_other FOREIGN KEY (other) REFERENCES l (id));
		ALTER TABLE l ADD CONSTRAINT l_other FOREIGN KEY (other) REFERENCES r (id);`
	source, connection := shared.mysqlSource(t, "mykeys-source", schema+`
		SET foreign_key_checks = 0; INSERT INTO c_first VALUES (1, 2), (2, 1), (3, NULL); INSERT INTO b_second VALUES (1, 3), (2, 2); INSERT INTO l VALUES (1, 1); INSERT INTO r VALUES (1, 1);`)
	d := shared.mysqlDatabase(t, "mykeys", "control").login()
	d.client(t, schema)
	request := map[string]any{"connection": connection}
	shared.importData(t, "mykeys", "import-data", request)
	counts := func() string {
		return strings.Join(strings.Fields(d.client(t, "SELECT concat((SELECT count(*) FROM c_first), (SELECT count(*) FROM b_second), (SELECT count(*) FROM l), (SELECT count(*) FROM r)) AS n")), " ")
	}
	if got := counts(); !strings.HasSuffix(got, "3211") {
		t.Errorf("got %s", got)
	}
	shared.failedImport(t, "mykeys", request, "table c_first: Duplicate entry '")
	d.client(t, "SET foreign_key_checks = 0; DELETE FROM c_first; DELETE FROM b_second; DELETE FROM l; DELETE FROM r")
	source.client(t, "SET foreign_key_checks = 0; UPDATE l SET other = 77")
	shared.failedImport(t, "mykeys", request, "violates the foreign key l_other", "(77)")
	if got := counts(); !strings.HasSuffix(got, "0000") {
		t.Errorf("after an import that failed: got %s", got)
	}
	d.client(t, "CREATE TABLE loose (id int) ENGINE = MyISAM")
	source.client(t, "CREATE TABLE loose (id int)")
	shared.refusedImport(t, "mykeys", request, "the table loose can take no rows: its engine MyISAM has no transactions")
}

func TestMySQLImportRoutesRowsToTenantsInBatches(t *testing.T) {
	schema := "CREATE TABLE users (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, tenant_id varchar(20) NOT NULL, t text NOT NULL)"
	source, connection := shared.mysqlSource(t, "myrouted-source", schema+`; INSERT INTO users (tenant_id, t) SELECT elt(seq % 3 + 1, 'acme', 'globex', 'Acme'), repeat('it''s ', 200) FROM seq_1_to_3000`)
	source.client(t, "UPDATE users SET tenant_id = 'initech' WHERE BINARY tenant_id = 'Acme'")
	d := shared.mysqlDatabase(t, "myrouted", "tenant")
	d.login().client(t, schema)
	request := map[string]any{"connection": connection, "routing_field": "tenant_id", "create_tenants": true}
	body := shared.must(t, http.StatusAccepted, "POST", "/workspaces/myrouted/import-data", request)
	t.Cleanup(func() {
		for _, name := range []string{"acme", "globex", "initech"} {
			shared.call(t, "DELETE", "/tenants/"+name+"?hard=true", nil)
		}
	})
	done := shared.importEnded(t, "myrouted", body["import_id"].(string))
	if done["status"] != "completed" || done["rows_imported"] != float64(3000) || len(done["tenants"].([]any)) != 3 {
		t.Fatalf("got %v", done)
	}
	for _, name := range []string{"acme", "globex", "initech"} {
		got := shared.must(t, http.StatusOK, "POST", "/admin/query", map[string]any{"blueprint": "myrouted", "tenant_id": name,
			"query": "SELECT count(*), min(tenant_id), max(tenant_id), min(length(t)) FROM users"})
		if rows := fmt.Sprint(got["rows"]); rows != fmt.Sprintf("[[1000 %s %s 1000]]", name, name) {
			t.Errorf("%s: got %s", name, rows)
		}
	}
	// One fails amid its rows, and those behind it are told of the same moment.
	shared.must(t, http.StatusOK, "DELETE", "/tenants/globex?hard=true", nil)
	body = shared.must(t, http.StatusAccepted, "POST", "/workspaces/myrouted/import-data", request)
	done = shared.importEnded(t, "myrouted", body["import_id"].(string))
	if done["status"] != "failed" || done["rows_imported"] != float64(1000) || !strings.Contains(fmt.Sprint(done["error"]), "tenant acme: table users: Duplicate entry") {
		t.Errorf("again: got %v", done)
	}
}
