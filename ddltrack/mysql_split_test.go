package ddltrack

import (
	"slices"
	"strings"
	"testing"
)

func mysqlTexts(list []MySQLStatement) []string {
	var s []string
	for _, st := range list {
		s = append(s, st.Text)
	}
	return s
}

// Each text is one statement to a server, however many semicolons it has.
func TestSplitMySQLKeepsProgramsWhole(t *testing.T) {
	for _, sql := range []string{
		"CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END",
		"CREATE DEFINER=`a`@`%` PROCEDURE p(IN a INT, OUT b INT) COMMENT 'x;y' BEGIN DECLARE x INT DEFAULT 0; SET b = x; END",
		"CREATE PROCEDURE IF NOT EXISTS p() IF 1 THEN SELECT 1; ELSEIF 2 THEN SELECT 2; ELSE SELECT 3; END IF",
		"CREATE PROCEDURE `p`() IF NOT EXISTS (SELECT 1) THEN SELECT 1; END IF",
		"CREATE FUNCTION f(a INT) RETURNS INT DETERMINISTIC IF a THEN RETURN 1; ELSE RETURN 2; END IF",
		"CREATE FUNCTION f() RETURNS SET('a','b') CHARACTER SET latin1 NO SQL BEGIN RETURN 'a'; END",
		"CREATE FUNCTION f() RETURNS TEXT BEGIN RETURN IF(1, 'a', REPEAT('b', 2)); END",
		"CREATE PROCEDURE p() l: LOOP SET @a = 1; LEAVE l; END LOOP l",
		"CREATE PROCEDURE p() BEGIN WHILE a < 1 DO SET a = 1; END WHILE; REPEAT SET a = 2; UNTIL a > 1 END REPEAT; END",
		"CREATE PROCEDURE p() BEGIN REPEAT SET a = 2; UNTIL CASE WHEN a THEN 1 END END REPEAT; SELECT 1; END",
		"CREATE PROCEDURE p() BEGIN CASE a WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE; SELECT CASE WHEN a THEN IF(1,2,3) ELSE 4 END; END",
		"CREATE PROCEDURE p() BEGIN SELECT begin, end, t.end, t.begin, @end FROM bookings; SELECT end INTO x FROM y; END",
		"CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END; DECLARE CONTINUE HANDLER FOR NOT FOUND SET d = IF(1,2,3); SELECT 1; END",
		"CREATE PROCEDURE p() BEGIN DECLARE CONTINUE HANDLER FOR 1062, SQLSTATE '23000' IF a THEN SET b = 1; END IF; SELECT 1; END",
		"CREATE PROCEDURE p() BEGIN FOR i IN 1..10 DO INSERT INTO t VALUES (i); END FOR; SELECT 2; END",
		"CREATE PROCEDURE p() BEGIN FOR r IN (SELECT a FROM b) DO SELECT r.a; END FOR; END",
		"CREATE TRIGGER IF NOT EXISTS t BEFORE INSERT ON a FOR EACH ROW FOLLOWS u BEGIN SET NEW.end = 1; SET NEW.a = 2; END",
		"CREATE TRIGGER t AFTER UPDATE ON a FOR EACH ROW BEGIN IF NEW.a THEN SET @a = 1; END IF; SET @b = 2; END",
		"CREATE TRIGGER t AFTER UPDATE ON a FOR EACH ROW FOR i IN 1..3 DO SET @a = i; END FOR",
		"CREATE TRIGGER t AFTER UPDATE ON a FOR EACH ROW IF NEW.a THEN INSERT INTO b VALUES (1); INSERT INTO c VALUES (2); END IF",
		"CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS IF(1, NOW(), NOW()) DO BEGIN DELETE FROM a; DELETE FROM b; END",
		"ALTER EVENT e DO BEGIN DELETE FROM a; DO SLEEP(1); END",
		"BEGIN NOT ATOMIC DECLARE x INT; CREATE TABLE a (i INT); END",
		"IF 1 THEN CREATE TABLE a (i INT); ELSE DROP TABLE a; END IF",
		"outer_loop: LOOP LEAVE outer_loop; END LOOP",
		"WHILE 0 DO SELECT 1; END WHILE",
		"CREATE PACKAGE p PROCEDURE a(); FUNCTION b() RETURNS INT; END",
		"CREATE PACKAGE BODY p PROCEDURE a() BEGIN SELECT 1; END; FUNCTION b() RETURNS INT BEGIN RETURN 1; END; END",
		"/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.a = 1; SET NEW.b = 2; END */",
		"CREATE TABLE `;` (a VARCHAR(9) DEFAULT ';' COMMENT \"it''s; \\\" \", b INT /* ; */ -- ;\n , c INT # ;\n)",
		"INSERT INTO a VALUES ('\\';', 'x'';')",
	} {
		behind := "/* a ; */ " + sql + " ; -- ;\n SELECT 'last'"
		if got := mysqlTexts(SplitMySQL(behind, MySQLMode{MariaDB: true})); !slices.Equal(got, []string{sql, "SELECT 'last'"}) {
			t.Errorf("%s\n got %q", sql, got)
		}
	}
}

// To both servers a comment behind a program is a part of its body.
func TestSplitMySQLKeepsCommentsBehindPrograms(t *testing.T) {
	for _, sql := range []string{
		"CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @a = 1 /* c; */",
		"CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET @a = 1; END -- c;",
		"CREATE PROCEDURE p() SELECT 1 /* a */ # b",
		"CREATE FUNCTION f() RETURNS INT RETURN 1 /* c */",
		"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1 /* c */",
	} {
		list := SplitMySQL("SELECT 'first' /* x */;"+sql+"\n; SELECT 'last' /* y */", MySQLMode{})
		if got := mysqlTexts(list); !slices.Equal(got, []string{"SELECT 'first'", sql, "SELECT 'last'"}) {
			t.Errorf("%s\n got %q", sql, got)
			continue
		}
		want := strings.TrimRight(sql[:max(strings.Index(sql, "/*"), strings.Index(sql, "--"))], " ")
		if got := list[1].Bare().Text; got != want {
			t.Errorf("%s\n bare is %q, want %q", sql, got, want)
		}
	}
}

func TestSplitMySQLKeepsOracleProgramsWhole(t *testing.T) {
	for _, sql := range []string{
		"CREATE PROCEDURE p(a IN INT) AS b INT; BEGIN SELECT 1; END",
		"CREATE OR REPLACE FUNCTION f RETURN INT IS CURSOR c IS SELECT 1; BEGIN WHILE 1 LOOP EXIT; END LOOP; RETURN 1; END",
		"DECLARE a INT; BEGIN SELECT a; EXCEPTION WHEN OTHERS THEN NULL; END",
		"BEGIN SELECT 1; SELECT 2; END",
		"CREATE PACKAGE p AS PROCEDURE a; FUNCTION b RETURN INT; END",
		"CREATE PACKAGE BODY p AS v INT; PROCEDURE a AS w INT; BEGIN SELECT 1; END; BEGIN v := 1; END",
		"CREATE PROCEDURE p AS BEGIN FOR i IN 1..3 LOOP SELECT i; END LOOP; END",
	} {
		got := mysqlTexts(SplitMySQL(sql+"; SELECT \"last\"", MySQLModeOf("ORACLE")))
		if !slices.Equal(got, []string{sql, "SELECT \"last\""}) {
			t.Errorf("%s\n got %q", sql, got)
		}
	}
}

func TestSplitMySQLFollowsTheSession(t *testing.T) {
	maria, mysql9 := MySQLMode{MariaDB: true, Version: 101106}, MySQLMode{Version: 90100}
	for _, test := range []struct {
		name, sql string
		mode      MySQLMode
		want      []string
	}{
		{"backslash", `SELECT '\'; SELECT '; SELECT 2`, MySQLMode{}, []string{`SELECT '\'; SELECT '`, "SELECT 2"}},
		{"no backslash", `SELECT '\'; SELECT 2`, MySQLModeOf("NO_BACKSLASH_ESCAPES"), []string{`SELECT '\'`, "SELECT 2"}},
		{"quoted string", `SELECT "\";"; SELECT 2`, MySQLMode{}, []string{`SELECT "\";"`, "SELECT 2"}},
		{"quoted name", `SELECT "\"; SELECT 2`, MySQLModeOf("STRICT_TRANS_TABLES, ansi_quotes"), []string{`SELECT "\"`, "SELECT 2"}},
		{"begin is a transaction", "BEGIN; SELECT 1; COMMIT", maria, []string{"BEGIN", "SELECT 1", "COMMIT"}},
		{"two dashes are no comment", "SELECT 1--1; SELECT 2", maria, []string{"SELECT 1--1", "SELECT 2"}},
		{"executed", "/*!40101 SET a = 1 */; /*!50003 CREATE TABLE a (i INT) */;", maria, []string{"/*!40101 SET a = 1 */", "/*!50003 CREATE TABLE a (i INT) */"}},
		{"newer", "/*!80000 DROP TABLE a */; /*!90200 DROP TABLE b */; SELECT 1", mysql9, []string{"/*!80000 DROP TABLE a */", "SELECT 1"}},
		{"not MariaDB's", "/*!80000 DROP TABLE a */; /*M!100000 DROP TABLE b */", maria, []string{"/*M!100000 DROP TABLE b */"}},
		{"MariaDB's", "/*M! DROP TABLE a */; SELECT 1", mysql9, []string{"SELECT 1"}},
		{"sandbox", `/*M!999999\- enable the sandbox mode */ SELECT 1`, maria, []string{"SELECT 1"}},
		{"empty", ";; -- x", maria, nil},
		{"open", "SELECT 'a; b", maria, []string{"SELECT 'a; b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			list := SplitMySQL(test.sql, test.mode)
			if got := mysqlTexts(list); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			for _, s := range list {
				if !strings.HasPrefix(test.sql[s.Offset:], s.Text) {
					t.Errorf("%q is not at %d", s.Text, s.Offset)
				}
			}
		})
	}
}

func TestMayChangeSchemaMySQL(t *testing.T) {
	for _, sql := range []string{
		"CREATE TABLE a (i INT)", "\n\t create table a (i int)", "/* x */ -- y\n # z\n ALTER TABLE a ADD b INT", "DROP TABLE a",
		"RENAME TABLE a TO b", "CALL p()", "EXECUTE s", "EXECUTE IMMEDIATE 'x'", "PREPARE s FROM 'CREATE TABLE a (i INT)'",
		"BEGIN NOT ATOMIC CREATE TABLE a (i INT); END", "begin/**/not atomic select 1; end", "IF 1 THEN DROP TABLE a; END IF",
		"l: LOOP DROP TABLE a; END LOOP", "WHILE 1 DO DROP TABLE a; END WHILE", "SELECT 1; DROP TABLE a", "select 1;/**/drop/**/table a",
		"/*!40101 CREATE TABLE a (i INT) */", "/*!40101CREATE TABLE a (i INT) */", "/*!99999 SELECT 1 */ DROP TABLE a",
		"/*M!100100 ALTER TABLE a ADD b INT */", "SET STATEMENT max_statement_time = 1 FOR CREATE TABLE a (i INT)",
		"SET/**/STATEMENT sort_buffer_size = 1 FOR DROP TABLE a", "SET /*!50000 STATEMENT */ a = 1 FOR DROP TABLE a",
		"; DROP TABLE a", "SELECT ';'; DROP TABLE a", "COMMIT; CREATE TABLE a (i INT)", "BEGIN; DROP TABLE a", "(((CREATE", "GRANT ALL ON a TO b",
		"BEGIN /*!50000 NOT ATOMIC DROP TABLE a; END */", "DECLARE a INT; BEGIN DROP TABLE a; END", "IMPORT TABLE FROM 'x'",
	} {
		if !MayChangeSchemaMySQL([]byte(sql)) {
			t.Errorf("%s: got false, want true", sql)
		}
	}
	for _, sql := range []string{
		"", ";", "SELECT 1", " select 'create table'", "(SELECT 1) UNION (SELECT 2)", "INSERT INTO a VALUES ('x;y')", "SELECT 1;", "SELECT 1; SELECT 2",
		"UPDATE a SET b = 1", "DELETE FROM a", "BEGIN", "BEGIN WORK", "BEGIN;", "COMMIT", "ROLLBACK TO a", "START TRANSACTION", "SET NAMES utf8mb4",
		"SET @a = 'CREATE TABLE'", "SHOW CREATE TABLE a", "/*!40101 SET @saved = @@character_set_client */", "/* SELECT */ -- x\n SELECT 1",
		"WITH a AS (SELECT 1) SELECT * FROM a", "TRUNCATE TABLE a", "USE b", "EXPLAIN SELECT 1", "-- only a comment", "/* CREATE", "REPLACE INTO a VALUES (1)",
		"DO SLEEP(1)", "SAVEPOINT a", "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
	} {
		if MayChangeSchemaMySQL([]byte(sql)) {
			t.Errorf("%s: got true, want false", sql)
		}
	}
}

func TestMayChangeSchemaMySQLAllocatesNothing(t *testing.T) {
	long := []byte("INSERT INTO a VALUES ('" + strings.Repeat("x;y ", 1000) + "')")
	short := []byte("SELECT c FROM sbtest1 WHERE id = 5")
	if n := testing.AllocsPerRun(100, func() { MayChangeSchemaMySQL(long); MayChangeSchemaMySQL(short) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}
