package ddltrack

import (
	"strings"
	"testing"
)

// Every kind of statement, and where each is decided: here, or by the server's
// grants.
func TestDefinesMySQL(t *testing.T) {
	for sql, want := range map[string]bool{
		"CREATE TABLE t (a INT)":                                         true,
		"create table if not exists t (a int)":                           true,
		"CREATE OR REPLACE TABLE t (a INT)":                              true,
		"CREATE TABLE t SELECT 1":                                        true,
		"CREATE TABLE t LIKE u":                                          true,
		"CREATE TABLE t":                                                 true, // the server says what is wrong with it
		"CREATE UNIQUE INDEX i ON t (a)":                                 true,
		"CREATE VIEW v AS SELECT 1":                                      true,
		"CREATE DEFINER=`a`@`%` SQL SECURITY DEFINER VIEW v AS SELECT 1": true,
		"CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1": true,
		"CREATE PROCEDURE p() SELECT 1":                                  true,
		"CREATE FUNCTION f() RETURNS INT RETURN 1":                       true,
		"CREATE FUNCTION f RETURNS STRING SONAME 'f.so'":                 true,
		"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1":             true,
		"CREATE SEQUENCE s":                                              true,
		"CREATE PACKAGE k PROCEDURE a(); END":                            true,
		"CREATE LIBRARY l LANGUAGE JAVASCRIPT AS 'x'":                    true,
		"CREATE DATABASE d":                                              true,
		"DROP SCHEMA d":                                                  true,
		"ALTER DATABASE COLLATE utf8mb4_bin":                             true,
		"ALTER TABLE t ADD b INT":                                        true,
		"ALTER TABLE t FORCE":                                            true,
		"ALTER TABLE t TRUNCATE PARTITION p":                             true,
		"/*!40000 ALTER TABLE t DISABLE KEYS */":                         true,
		"ALTER VIEW v AS SELECT 2":                                       true,
		"ALTER EVENT e DISABLE":                                          true,
		"ALTER SEQUENCE s RESTART 5":                                     true,
		"ALTER PROCEDURE p COMMENT 'x'":                                  true,
		"DROP TABLE t":                                                   true, // also where t is a temporary one: without TEMPORARY only the server knows
		"DROP TABLES IF EXISTS t, u":                                     true,
		"DROP VIEW v":                                                    true,
		"DROP INDEX i ON t":                                              true,
		"DROP TRIGGER g":                                                 true,
		"DROP PROCEDURE IF EXISTS p":                                     true,
		"DROP FUNCTION f":                                                true,
		"DROP EVENT e":                                                   true,
		"RENAME TABLE t TO u":                                            true,
		"SET STATEMENT lock_wait_timeout = 1 FOR DROP TABLE t":           true,
		" # why not\n/* now */ DROP -- really\n TABLE t":                 true,
		"SELECT 1; DROP TABLE t":                                         true,
		"INSERT INTO t VALUES (1);;\n CREATE TABLE u (a INT)":            true,
		"/*!40101 CREATE TABLE t (a INT) */":                             true,
		"/*!40101CREATE TABLE t (a INT)*/":                               true,
		"/*!50700 DROP TABLE t */":                                       true,
		"/*M!100100 DROP TABLE t */":                                     true,
		"CREATE /*!50000 TABLE */ t (a INT)":                             true,
		"PREPARE s FROM 'CREATE TABLE t (a INT)'":                        true,
		"PREPARE s FROM \"DROP TABLE t\"":                                true,
		`PREPARE s FROM 'CREATE TABLE t (a CHAR(9) DEFAULT \'x\')'`:      true,
		`PREPARE s FROM 'CREATE\nTABLE t (a INT)'`:                       true,
		"PREPARE s FROM 'PREPARE s FROM ''DROP TABLE t'''":               true,
		"EXECUTE IMMEDIATE 'ALTER TABLE t ADD b INT'":                    true,

		"CREATE TEMPORARY TABLE t (a INT)":                      false,
		"CREATE OR REPLACE TEMPORARY TABLE t SELECT 1 AS a":     false,
		"CREATE /* x */ TEMPORARY TABLE IF NOT EXISTS t LIKE u": false,
		"CREATE TEMPORARY SEQUENCE s":                           false,
		"DROP TEMPORARY TABLE t":                                false,
		"DROP TEMPORARY TABLES IF EXISTS t, u":                  false,
		"PREPARE s FROM 'CREATE TEMPORARY TABLE t (a INT)'":     false,

		// Data, sessions and counts: what the grants allow or refuse.
		"TRUNCATE TABLE t":                             false,
		"INSERT INTO t SELECT 1":                       false,
		"REPLACE INTO t VALUES ('DROP TABLE t')":       false,
		"SELECT 'a; DROP TABLE t'":                     false,
		"SELECT \"; CREATE TABLE t (a INT)\"":          false,
		"SELECT `drop` FROM `create`":                  false,
		"/* DROP TABLE t */ SELECT 1":                  false,
		"SELECT 1 -- ; DROP TABLE t":                   false,
		"SHOW CREATE TABLE t":                          false,
		"EXPLAIN SELECT 1":                             false,
		"ANALYZE TABLE t":                              false,
		"OPTIMIZE TABLE t":                             false,
		"CHECK TABLE t":                                false,
		"REPAIR TABLE t":                               false,
		"FLUSH TABLES":                                 false,
		"LOCK TABLES t WRITE":                          false,
		"LOAD DATA LOCAL INFILE 'drop' INTO TABLE t":   false,
		"CALL p()":                                     false,
		"SELECT NEXTVAL(s), SETVAL(s, 5)":              false,
		"BEGIN":                                        false,
		"DROP PREPARE s":                               false,
		"DEALLOCATE PREPARE s":                         false,
		"EXECUTE s":                                    false,
		"PREPARE s FROM @made":                         false,
		"PREPARE s FROM 'SELECT 1'":                    false,
		"EXECUTE IMMEDIATE CONCAT('DROP ', 'TABLE t')": false,
		"BEGIN NOT ATOMIC CREATE TABLE t (a INT); END": false,

		// Users and the server: no role has the rights.
		"CREATE USER u":                              false,
		"ALTER USER u ACCOUNT LOCK":                  false,
		"DROP USER u":                                false,
		"RENAME USER u TO v":                         false,
		"CREATE ROLE r":                              false,
		"GRANT ALL ON d.* TO u":                      false,
		"GRANT CREATE, ALTER, DROP ON d.* TO u":      false,
		"REVOKE DROP ON d.* FROM u":                  false,
		"CREATE SERVER s FOREIGN DATA WRAPPER mysql": false,
		"CREATE TABLESPACE s ADD DATAFILE 'x.ibd'":   false,
		"ALTER INSTANCE ROTATE INNODB MASTER KEY":    false,
		"INSTALL PLUGIN a SONAME 'b'":                false,

		"":       false,
		"CREATE": false,
		"DROP":   false,
	} {
		if got := DefinesMySQL([]byte(sql)); got != want {
			t.Errorf("%q: got %v", sql, got)
		}
		if want && !MayChangeSchemaMySQL([]byte(sql)) {
			t.Errorf("%q: may not change the schema", sql)
		}
	}
}

// A text that is too long to be held is looked at as far as it is there.
func TestDefinesMySQLKnowsATextByItsFront(t *testing.T) {
	for sql, want := range map[string]bool{
		"CREATE TABLE t (a ENUM('" + strings.Repeat("x", 500):           true,
		"INSERT INTO t VALUES ('DROP TABLE " + strings.Repeat("x", 500): false,
		"CREATE TEMPORARY TABLE t (a ENUM('" + strings.Repeat("x", 500): false,
	} {
		if got := DefinesMySQL([]byte(sql)); got != want {
			t.Errorf("%.40q…: got %v", sql, got)
		}
	}
}

func TestDefinesMySQLCostsNothingWithoutTheWords(t *testing.T) {
	plain := []byte("CALL restock('dropped', creates, altered)")
	if n := testing.AllocsPerRun(100, func() { DefinesMySQL(plain) }); n != 0 {
		t.Errorf("%v allocations for a text without the words", n)
	}
}
