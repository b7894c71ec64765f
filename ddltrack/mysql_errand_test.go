package ddltrack

import (
	"slices"
	"strings"
	"testing"
)

func TestStatementsThatNeedNoDatabase(t *testing.T) {
	for text, want := range map[string]MySQLErrand{
		// What clients ask and say before they choose a database.
		"select @@version_comment limit 1":  MySQLAsks,
		"select DATABASE(), USER() limit 1": MySQLAsks,
		"SELECT @@max_allowed_packet;":      MySQLAsks,
		"SELECT 1":                          MySQLAsks,
		"select 1 from dual":                MySQLAsks,
		"SELECT '' TABLE_SCHEM, '' TABLE_catalog  FROM DUAL WHERE 1=0":                                                                                    MySQLAsks,
		"SELECT 'TABLE' TABLE_TYPE UNION SELECT 'VIEW'":                                                                                                   MySQLAsks,
		"SELECT (SELECT 1 FROM information_schema.ENGINES)":                                                                                               MySQLAsks,
		"SELECT (SELECT 1 FROM shop.ENGINES)":                                                                                                             MySQLNeedsDatabase,
		"SELECT CAST('a' AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS a":                                                                         MySQLAsks,
		"SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = 'version'":                                                  MySQLAsks,
		"SELECT 1 FROM `INFORMATION_SCHEMA`.`USER_PRIVILEGES` WHERE `PRIVILEGE_TYPE` = 'CREATE USER' AND '''root''@''localhost''' LIKE `GRANTEE` LIMIT 1": MySQLAsks,
		"SELECT 'it''s' AS `a word`, -1.5e3":                                                                                                              MySQLAsks,
		"SELECT current_user()":                                                                                                                           MySQLAsks,
		"select @@SESSION . sql_mode as `x`":                                                                                                              MySQLAsks,
		"SELECT VERSION(), @@global.read_only":                                                                                                            MySQLAsks,
		"/* mysql-connector-j-8.4.0 (Revision: 1c3f5c1) */SELECT  @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client": MySQLAsks,
		"select @@max_allowed_packet,@@system_time_zone,@@time_zone,@@auto_increment_increment":                                                                                   MySQLAsks,
		"SELECT TIMEDIFF(NOW(), UTC_TIMESTAMP())":                           MySQLAsks,
		"SELECT CASE WHEN @@version LIKE '%Maria%' THEN 1 ELSE (2 + 3) END": MySQLAsks,
		"SHOW VARIABLES": MySQLAsks,
		"SHOW SESSION VARIABLES LIKE 'lower\\_case\\_table\\_names'":               MySQLAsks,
		"SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', \"Threads\")":        MySQLAsks,
		"SHOW VARIABLES WHERE `Variable_name` = 'sql_mode' OR Variable_name = 'x'": MySQLAsks,
		"show warnings":                            MySQLAsks,
		"SHOW COUNT(*) WARNINGS":                   MySQLAsks,
		"show engines ;":                           MySQLAsks,
		"SHOW COLLATION":                           MySQLAsks,
		"SHOW CHARACTER SET LIKE 'utf8%'":          MySQLAsks,
		"SELECT * FROM information_schema.ENGINES": MySQLAsks,
		"select engine, `support` from INFORMATION_SCHEMA . engines where support in ('YES') order by 1":           MySQLAsks,
		"SELECT word FROM INFORMATION_SCHEMA.KEYWORDS WHERE RESERVED=1 ORDER BY word DESC LIMIT 5":                 MySQLAsks,
		"SELECT CONCAT(COLLATION_NAME, ID) AS c FROM information_schema.collations;":                               MySQLAsks,
		"SELECT * FROM information_schema.TABLES":                                                                  MySQLNeedsDatabase,
		"SELECT * FROM information_schema.ENGINES, shop.t":                                                         MySQLNeedsDatabase,
		"SELECT * FROM information_schema.ENGINES, ID.ID":                                                          MySQLNeedsDatabase,
		"SELECT * FROM information_schema.ENGINES WHERE 1, ID.ID FROM ID.ID":                                       MySQLNeedsDatabase,
		"SELECT e.ENGINE, COUNT(*) n FROM `information_schema`.`ENGINES` e WHERE (e.`SUPPORT` = 'YES') ORDER BY n": MySQLAsks,
		"SELECT * FROM information_schema.ENGINES JOIN shop.t":                                                     MySQLNeedsDatabase,
		"SELECT * FROM information_schema.ENGINES UNION SELECT * FROM shop.t":                                      MySQLNeedsDatabase,
		"SELECT * FROM information_schema.ENGINES WHERE ID IN (SELECT 1 FROM shop.t)":                              MySQLNeedsDatabase,
		"SELECT * FROM information_schema.ENGINES WHERE ENGINE(1)":                                                 MySQLNeedsDatabase,
		"SELECT shop.f() FROM information_schema.ENGINES":                                                          MySQLNeedsDatabase,
		"SELECT * FROM information_schema.ENGINES INTO OUTFILE '/tmp/x'":                                           MySQLNeedsDatabase,
		"SELECT ENGINE INTO @a FROM information_schema.ENGINES":                                                    MySQLNeedsDatabase,
		"SELECT * FROM information_schema.ENGINES LIMIT 1 FOR UPDATE":                                              MySQLNeedsDatabase,
		"SELECT * FROM information_schema.ENGINES ORDER BY SLEEP(1)":                                               MySQLNeedsDatabase,
		"SELECT * FROM shop.ENGINES":                                                                               MySQLNeedsDatabase,
		"SELECT * FROM ENGINES":                                                                                    MySQLNeedsDatabase,
		"SHOW GRANTS":                                                                                              MySQLAsks,
		"show grants for current_user;":                                                                            MySQLAsks,
		"SHOW GRANTS FOR CURRENT_USER()":                                                                           MySQLAsks,
		"SHOW DATABASES":                                                                                           MySQLLists,
		"show schemas like 'shop%'":                                                                                MySQLLists,
		"SHOW DATABASES WHERE `Database` NOT IN ('mysql', 'sys')":                                                  MySQLLists,
		"SET NAMES utf8mb4": MySQLSets,
		"set names 'utf8mb4' collate 'utf8mb4_general_ci'":      MySQLSets,
		"SET NAMES utf8mb4, @mine = 'kept', CHARACTER SET utf8": MySQLSets,
		"SET NAMES utf8, PASSWORD = 'x'":                        MySQLNeedsDatabase,
		"SET NAMES utf8 FROM t":                                 MySQLNeedsDatabase,
		"SET CHARACTER SET utf8":                                MySQLSets,
		"SET autocommit=1":                                      MySQLSets,
		"set autocommit=1, session_track_schema=1, sql_mode = concat(@@sql_mode,',STRICT_TRANS_TABLES')": MySQLSets,
		"SET character_set_results = NULL":                        MySQLSets,
		"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ": MySQLSets,
		"/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='' */":   MySQLSets,
		"/*!40101 SET NAMES utf8 */;":                             MySQLSets,
		`SET sql_mode="ANSI", NAMES = 1`:                          MySQLSets, `SET NAMES "utf8"`: MySQLSets, `SHOW VARIABLES LIKE "sql%"`: MySQLAsks,
		"SET @@session.time_zone = '+00:00', @a := 41 + 1":       MySQLSets,
		"START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */": MySQLSets,
		"START TRANSACTION WITH CONSISTENT SNAPSHOT":             MySQLSets,
		"BEGIN": MySQLSets, "commit work": MySQLSets, "ROLLBACK;": MySQLSets, "UNLOCK TABLES": MySQLSets,

		// What reads, does or waits for something.
		"": MySQLNeedsDatabase, ";": MySQLNeedsDatabase, "SELECT": MySQLNeedsDatabase, "SET": MySQLNeedsDatabase,
		"SELECT * FROM t":                             MySQLNeedsDatabase,
		"select 1 from dual, t":                       MySQLNeedsDatabase,
		"select 1 from dual.t":                        MySQLNeedsDatabase,
		"select 1 from dual where f()":                MySQLNeedsDatabase,
		"select 1 from dual union select 1 from t":    MySQLNeedsDatabase,
		"SELECT EXISTS(TABLE t)":                      MySQLNeedsDatabase,
		"SELECT 1 UNION TABLE t":                      MySQLNeedsDatabase,
		"SELECT 1 INTO OUTFILE '/tmp/x'":              MySQLNeedsDatabase,
		"SELECT 1 INTO @a":                            MySQLNeedsDatabase,
		"SELECT SLEEP(1)":                             MySQLNeedsDatabase,
		"SELECT GET_LOCK('a', 1)":                     MySQLNeedsDatabase,
		"SELECT BENCHMARK(100000000, MD5('a'))":       MySQLNeedsDatabase,
		"SELECT LOAD_FILE('/etc/passwd')":             MySQLNeedsDatabase,
		"SELECT f()":                                  MySQLNeedsDatabase,
		"SELECT shop.f()":                             MySQLNeedsDatabase,
		"SELECT shop.concat('a')":                     MySQLNeedsDatabase,
		"SELECT shop . `concat` ('a')":                MySQLNeedsDatabase,
		"SELECT `concat`('a')":                        MySQLNeedsDatabase,
		"SELECT NEXT VALUE FOR shop.s":                MySQLNeedsDatabase,
		"SELECT NEXTVAL(shop.s)":                      MySQLNeedsDatabase,
		"SELECT LAST_INSERT_ID(5)":                    MySQLNeedsDatabase,
		"SELECT @a := 1":                              MySQLNeedsDatabase,
		"SELECT REPEAT('a', 100000000)":               MySQLNeedsDatabase,
		"SELECT 1; DROP TABLE t":                      MySQLNeedsDatabase,
		"SET NAMES utf8; DROP TABLE t":                MySQLNeedsDatabase,
		"SELECT 1 /*! FROM t */":                      MySQLNeedsDatabase,
		"SELECT 1 /*! , f() */":                       MySQLNeedsDatabase,
		"SELECT 1 /*!40000 + 1 */ /*!40000 FROM t */": MySQLNeedsDatabase,
		"SELECT 1 /*!40000 + 1 */":                    MySQLAsks,
		"SET autocommit=1 /*!40000 , GLOBAL a = 1 */": MySQLNeedsDatabase,
		"SELECT '/*!' , 1 + '*/'":                     MySQLNeedsDatabase,
		"SELECT 1 # /*!\n, f() -- */":                 MySQLNeedsDatabase,
		"SHOW DATABASES /*!40000 WHERE 1 */":          MySQLNeedsDatabase,
		"SELECT /*M!100000 f() */ 1":                  MySQLNeedsDatabase,
		"/*!40101 SET @a = 1 */ /*!40101 , @b = 2 */": MySQLNeedsDatabase,
		"/*!40101 SET @a = 1 */; DROP TABLE t":        MySQLNeedsDatabase,
		"SELECT 'a":                                   MySQLNeedsDatabase,
		"/*!1":                                        MySQLNeedsDatabase,
		"/*!*/":                                       MySQLNeedsDatabase,
		"SELECT /* 1":                                 MySQLNeedsDatabase,
		// Under another sql_mode these are another statement.
		`SELECT 'a\', f(), '`:                                MySQLNeedsDatabase,
		`SELECT 'a\'', f(), '\'`:                             MySQLNeedsDatabase,
		`SELECT "a'", f(), "'"`:                              MySQLNeedsDatabase,
		"SELECT '\xe6`', f()":                                MySQLNeedsDatabase, // in gbk
		"SELECT '\x00'":                                      MySQLNeedsDatabase,
		"SHOW TABLES":                                        MySQLNeedsDatabase,
		"SHOW DATABASES LIKE 'a', f()":                       MySQLNeedsDatabase,
		"SHOW DATABASES WHERE f()":                           MySQLNeedsDatabase,
		"SHOW DATABASES WHERE EXISTS (SELECT 1 FROM shop.t)": MySQLNeedsDatabase,
		"SHOW GRANTS FOR root":                               MySQLNeedsDatabase,
		"SHOW GRANTS FOR CURRENT_USER(), f()":                MySQLNeedsDatabase,
		"SHOW GRANTS FOR CURRENT_USER USING admin":           MySQLNeedsDatabase,
		"SHOW GRANTS FOR CURRENT_ROLE":                       MySQLNeedsDatabase,
		"SHOW PROCESSLIST":                                   MySQLNeedsDatabase,
		"SHOW CREATE TABLE t":                                MySQLNeedsDatabase,
		"SHOW TABLE STATUS":                                  MySQLNeedsDatabase,
		"SHOW ENGINE innodb STATUS":                          MySQLNeedsDatabase,
		"SET PASSWORD = 'x'":                                 MySQLNeedsDatabase,
		"SET PASSWORD = PASSWORD('x')":                       MySQLNeedsDatabase,
		"SET ROLE NONE":                                      MySQLNeedsDatabase,
		"SET DEFAULT ROLE a":                                 MySQLNeedsDatabase,
		"SET GLOBAL a = 1":                                   MySQLNeedsDatabase,
		"SET @@GLOBAL.a = 1":                                 MySQLNeedsDatabase,
		"SET a = 1, @@persist.b = 2":                         MySQLNeedsDatabase,
		"SET a = 1, GLOBAL b = 2":                            MySQLNeedsDatabase,
		"SET a = 1, PASSWORD = 'x'":                          MySQLNeedsDatabase,
		"SET @a = (SELECT id FROM shop.t)":                   MySQLNeedsDatabase,
		"SET @a = shop.f()":                                  MySQLNeedsDatabase,
		"SET STATEMENT max_statement_time = 1 FOR DROP DATABASE shop": MySQLNeedsDatabase,
		"SET RESOURCE GROUP a":      MySQLNeedsDatabase,
		"COMMIT RELEASE":            MySQLNeedsDatabase,
		"COMMIT AND CHAIN":          MySQLNeedsDatabase,
		"BEGIN NOT ATOMIC SELECT 1": MySQLNeedsDatabase,
		"START SLAVE":               MySQLNeedsDatabase,
		"LOCK TABLES t READ":        MySQLNeedsDatabase,
		"KILL 5":                    MySQLNeedsDatabase,
		"DO 1":                      MySQLNeedsDatabase,
		"CALL shop.p()":             MySQLNeedsDatabase,
	} {
		if got, _ := MySQLErrandOf(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

// Servers read more in these than words and marks as they stand.
func TestStatementsThatReadTablesUnseen(t *testing.T) {
	for _, text := range []string{
		"SELECT 1. FROM value.t",
		"SELECT 1.FROM value.t",
		"SELECT .5.FROM value.t",
		"SELECT 1e5FROM value.t",
		"SELECT 1.5FROM value.t",
		"SELECT 0x1FROM value.t",
		"SELECT 1.e FROM value.t",
		"SELECT @ FROM value.t",
		"SELECT @. FROM value.t",
		"SELECT @a. FROM value.t",
		"SELECT 1 AS shop, @shop. FROM shop.t",
		"SELECT 1 FROM having.t",
		"SELECT @t FROM .t",
		"SHOW VARIABLES WHERE (SELECT @, 1. FROM value.t)",
		"SELECT 5 AS `1`, 6 AS shop, 1. FROM shop.t",
		"SELECT 6 AS shop, 1e5FROM shop.t",
		"SELECT 6 AS e5FROM, 7 AS shop, /*!4010111e5FROM shop.t */",
		"SELECT 6 AS e5FROM, 7 AS shop, /*!41e5FROM shop.t */",
		"SELECT 1 --\x7f'\nFROM value.t --\x7f'",
		"SELECT 1 --\x01'\nFROM value.t --\x01'",
		"SELECT 1 AS `next`, 2 AS `value`, 3 AS `for`, 4 AS shop, NEXT VALUE FOR shop.s",
		"SELECT 1 AS `table`, 2 AS shop UNION TABLE shop.t",
		"SELECT 1 AS `into`, 2 AS `outfile` FROM information_schema.ENGINES INTO OUTFILE '/tmp/x'",
		"SELECT 1 AS `for`, 2 AS `update` FROM information_schema.ENGINES FOR UPDATE",
	} {
		if errand, _ := MySQLErrandOf(text); errand != MySQLNeedsDatabase {
			t.Errorf("%q: got %d", text, errand)
		}
	}
	for _, text := range []string{
		"SELECT 1.5, .5, 0x1F, 1e5, 1.5e3, @a, @@global.read_only /*!40100 , 1 */ /* 2 */",
		"SELECT ENGINE AS `Database` FROM information_schema.ENGINES ORDER BY `Database`",
		"SELECT ENGINE AS `my name`, SUPPORT AS `name` FROM information_schema.ENGINES ORDER BY name",
		"SELECT @@version /*!80000 , 1 */, 2", "SELECT @@version /*!080400 , 1 */", "SELECT @@version /*!, 1*/",
	} {
		if errand, _ := MySQLErrandOf(text); errand != MySQLAsks {
			t.Errorf("%q: got %d, want that it asks", text, errand)
		}
	}
}

func TestTheConditionOfShowDatabases(t *testing.T) {
	for text, want := range map[string]string{
		"SHOW DATABASES": "", "show databases like 'a_' ;": "like 'a_'", "SHOW SCHEMAS /* all */ WHERE `Database` = 'a' -- b": "WHERE `Database` = 'a'",
	} {
		if errand, got := MySQLErrandOf(text); errand != MySQLLists || got != want {
			t.Errorf("%q: got %d %q, want %q", text, errand, got, want)
		}
	}
}

func TestReadsOfTheDatabases(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT * FROM information_schema.SCHEMATA":                                                                                           "SELECT * FROM SCHEMATA AS `SCHEMATA`",
		"/* a tool */ select schema_name from INFORMATION_SCHEMA . schemata order by schema_name desc;":                                       "select schema_name from SCHEMATA AS `schemata` order by schema_name desc",
		"SELECT SCHEMA_NAME TABLE_CAT FROM information_schema.SCHEMATA ORDER BY TABLE_CAT":                                                    "SELECT SCHEMA_NAME TABLE_CAT FROM SCHEMATA AS `SCHEMATA` ORDER BY TABLE_CAT",
		"SELECT `s`.`SCHEMA_NAME` AS name, s.SQL_PATH FROM `information_schema`.`SCHEMATA` AS s WHERE (s.SCHEMA_NAME = 'a''b') ORDER BY name": "SELECT `s`.`SCHEMA_NAME` AS name, s.SQL_PATH FROM SCHEMATA AS s WHERE (s.SCHEMA_NAME = 'a''b') ORDER BY name",
		"SELECT `a`.* FROM information_schema.SCHEMATA `a` LIMIT 1, 2 -- all":                                                                 "SELECT `a`.* FROM SCHEMATA `a` LIMIT 1, 2",
		"SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ('mysql', \"sys\")":                                        "SELECT COUNT(*) FROM SCHEMATA AS `SCHEMATA` WHERE SCHEMA_NAME NOT IN ('mysql', \"sys\")",
		"SELECT default_character_set_name, 'x' y FROM information_schema.schemata WHERE schema_name LIKE 'a\\_%'":                            "SELECT default_character_set_name, 'x' y FROM SCHEMATA AS `schemata` WHERE schema_name LIKE 'a\\_%'",

		"SELECT COUNT(*) FROM ( SELECT DISTINCT SUBSTRING_INDEX(SCHEMA_NAME, '_', 1) DB_first_level FROM INFORMATION_SCHEMA.SCHEMATA WHERE TRUE ) t":                                                                           "SELECT COUNT(*) FROM ( SELECT DISTINCT SUBSTRING_INDEX(SCHEMA_NAME, '_', 1) DB_first_level FROM SCHEMATA AS `SCHEMATA` WHERE TRUE ) t",
		"SELECT `SCHEMA_NAME` FROM `INFORMATION_SCHEMA`.`SCHEMATA`, (SELECT a b FROM ( SELECT SCHEMA_NAME a FROM INFORMATION_SCHEMA.SCHEMATA) t ORDER BY a ASC LIMIT 0, 100) t2 WHERE 1 = LOCATE(b, CONCAT(SCHEMA_NAME, '_'))": "SELECT `SCHEMA_NAME` FROM SCHEMATA AS `SCHEMATA`, (SELECT a b FROM ( SELECT SCHEMA_NAME a FROM SCHEMATA AS `SCHEMATA`) t ORDER BY a ASC LIMIT 0, 100) t2 WHERE 1 = LOCATE(b, CONCAT(SCHEMA_NAME, '_'))",
		"SELECT *, CAST(n AS CHAR(9) CHARACTER SET utf8) AS m FROM (SELECT BINARY s.SCHEMA_NAME AS n FROM information_schema.SCHEMATA s GROUP BY BINARY s.SCHEMA_NAME) a":                                                      "SELECT *, CAST(n AS CHAR(9) CHARACTER SET utf8) AS m FROM (SELECT BINARY s.SCHEMA_NAME AS n FROM SCHEMATA s GROUP BY BINARY s.SCHEMA_NAME) a",
		"SELECT s.SCHEMA_NAME, c.MAXLEN FROM information_schema.SCHEMATA s LEFT JOIN information_schema.CHARACTER_SETS c ON c.CHARACTER_SET_NAME = s.DEFAULT_CHARACTER_SET_NAME":                                               "SELECT s.SCHEMA_NAME, c.MAXLEN FROM SCHEMATA s LEFT JOIN information_schema.CHARACTER_SETS c ON c.CHARACTER_SET_NAME = s.DEFAULT_CHARACTER_SET_NAME",
		"SELECT 1 FROM information_schema.ENGINES WHERE EXISTS (SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ENGINE)":                                                                                         "SELECT 1 FROM information_schema.ENGINES WHERE EXISTS (SELECT 1 FROM SCHEMATA AS `SCHEMATA` WHERE SCHEMA_NAME = ENGINE)",

		"SELECT * FROM SCHEMATA":                                                                                    "",
		"SELECT * FROM .SCHEMATA":                                                                                   "",
		"SELECT * FROM .information_schema.SCHEMATA":                                                                "",
		"SELECT * FROM shop.SCHEMATA":                                                                               "",
		"SELECT * FROM shop.information_schema.SCHEMATA":                                                            "",
		"SELECT * FROM information_schema.SCHEMATA, shop.t":                                                         "",
		"SELECT * FROM information_schema.SCHEMATA s, shop.t":                                                       "",
		"SELECT * FROM information_schema.SCHEMATA s JOIN shop.t":                                                   "",
		"SELECT * FROM information_schema.SCHEMATA s, s.t":                                                          "",
		"SELECT * FROM information_schema.SCHEMATA s JOIN s.t":                                                      "",
		"SELECT * FROM (information_schema.SCHEMATA s), s.t":                                                        "",
		"SELECT * FROM ((SELECT 1) s, s.t), information_schema.SCHEMATA":                                            "",
		"SELECT * FROM information_schema.SCHEMATA s JOIN (SELECT 1) a ON s.ID = 1, s.t":                            "",
		"SELECT * FROM information_schema.SCHEMATA s WHERE EXISTS (TABLE t)":                                        "",
		"SELECT * FROM information_schema.SCHEMATA s WHERE 1 = (SELECT 1 FROM s.t)":                                 "",
		"SELECT * FROM (SELECT 1 a INTO OUTFILE 'x') s, information_schema.SCHEMATA":                                "",
		"SELECT 1 AS f FROM information_schema.SCHEMATA UNION SELECT f()":                                           "",
		"SELECT * FROM information_schema.SCHEMATA a, information_schema.SCHEMATA b, information_schema.SCHEMATA c": "",
		"SELECT * FROM information_schema.SCHEMATA) a":                                                              "",
		"SELECT 1 FROM information_schema.SCHEMATA UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9": "",
		"SELECT * FROM information_schema.SCHEMATA JOIN information_schema.TABLES":                                                                                          "",
		"SELECT * FROM information_schema.SCHEMATA UNION SELECT * FROM shop.t":                                                                                              "",
		"SELECT s.f() FROM information_schema.SCHEMATA s":                                                                                                                   "",
		"SELECT `s`.`f`() FROM information_schema.SCHEMATA s":                                                                                                               "",
		"SELECT s.CONCAT(1) FROM information_schema.SCHEMATA s":                                                                                                             "",
		"SELECT s.t.c FROM information_schema.SCHEMATA s":                                                                                                                   "",
		"SELECT t.c FROM information_schema.SCHEMATA s":                                                                                                                     "",
		"SELECT SLEEP(1) SLEEP FROM information_schema.SCHEMATA":                                                                                                            "",
		"SELECT 1 AS SLEEP FROM information_schema.SCHEMATA ORDER BY SLEEP(1)":                                                                                              "",
		"SELECT SCHEMA_NAME SLEEP FROM information_schema.SCHEMATA LIMIT SLEEP (9)":                                                                                         "",
		"SELECT SCHEMA_NAME INTO @a FROM information_schema.SCHEMATA":                                                                                                       "",
		"SELECT SCHEMA_NAME FROM information_schema.SCHEMATA INTO OUTFILE 'a'":                                                                                              "",
		"SELECT SCHEMA_NAME FROM information_schema.SCHEMATA s FOR UPDATE":                                                                                                  "",
		"SELECT SCHEMA_NAME FROM information_schema.SCHEMATA PROCEDURE f()":                                                                                                 "",
		"SELECT * FROM \"information_schema\".SCHEMATA":                                                                                                                     "",
		"SELECT * FROM information_schema.SCHEMATA /*!40000 , shop.t */":                                                                                                    "",
		"/*!40000 SELECT * FROM information_schema.SCHEMATA */":                                                                                                             "",
		"SELECT * FROM information_schema.SCHEMATA WHERE a = ?":                                                                                                             "",
		"WITH a AS (SELECT 1) SELECT * FROM information_schema.SCHEMATA":                                                                                                    "",
	} {
		errand, got := MySQLErrandOf(text)
		if got != want || (errand == MySQLReadsDatabases) != (want != "") || want == "" && errand != MySQLNeedsDatabase {
			t.Errorf("%q: got %d %q, want %q", text, errand, got, want)
		}
	}
}

func TestPreparedErrandsMayHaveParameters(t *testing.T) {
	for text, want := range map[string]MySQLErrand{
		"SELECT ?":                               MySQLAsks,
		"SELECT ? + @@autocommit AS a LIMIT ?":   MySQLAsks,
		"SHOW VARIABLES WHERE Variable_name = ?": MySQLAsks,
		"SHOW VARIABLES LIKE ?":                  MySQLAsks,
		"SHOW DATABASES WHERE `Database` = ?":    MySQLLists,
		"SHOW DATABASES LIKE ?":                  MySQLAsks,
		"SELECT SCHEMA_NAME FROM information_schema.SCHEMATA s WHERE s.SCHEMA_NAME LIKE ?": MySQLReadsDatabases,
		"SELECT * FROM information_schema.ENGINES WHERE ENGINE = ?":                        MySQLAsks,
		"SET @a = 1":                         MySQLSets,
		"SET @a = ?":                         MySQLSets,
		"SET autocommit = ?, time_zone = ?":  MySQLSets,
		"SET GLOBAL autocommit = ?":          MySQLNeedsDatabase,
		"SET TRANSACTION ISOLATION LEVEL ?":  MySQLNeedsDatabase,
		"SELECT * FROM ?":                    MySQLNeedsDatabase,
		"SELECT * FROM information_schema.?": MySQLNeedsDatabase,
		"SELECT * FROM shop.t WHERE id = ?":  MySQLNeedsDatabase,
		"SELECT shop.f(?)":                   MySQLNeedsDatabase,
		"SELECT SLEEP(?)":                    MySQLNeedsDatabase,
		"SELECT ? INTO OUTFILE ?":            MySQLNeedsDatabase,
		"SELECT ?; SELECT ?":                 MySQLNeedsDatabase,
		"CALL p(?)":                          MySQLNeedsDatabase,
	} {
		if got, _ := MySQLPreparedErrandOf(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
		if got, _ := MySQLErrandOf(text); strings.Contains(text, "?") && got != MySQLNeedsDatabase {
			t.Errorf("%q: not prepared: got %d", text, got)
		}
	}
}

func TestTextsOfSeveralErrands(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                     nil,
		" ; ;":                                 nil,
		"SELECT 1":                             {"SELECT 1"},
		"SELECT 1;":                            {"SELECT 1"},
		"SELECT 1; select @@version ;":         {"SELECT 1", "select @@version"},
		"SET NAMES utf8;;SHOW DATABASES":       {"SET NAMES utf8", "SHOW DATABASES"},
		"/*!40101 SET NAMES utf8 */; BEGIN":    {"/*!40101 SET NAMES utf8 */", "BEGIN"},
		"SELECT ';' ; -- all; of it\nSELECT 2": {"SELECT ';'", "SELECT 2"},

		"SELECT 1; SHOW TABLES":                   nil,
		"SELECT 1; DROP TABLE t":                  nil,
		"USE shop; SELECT 1":                      nil,
		"SELECT 1; SELECT 'a":                     nil,
		"SELECT 1 /*!40000 ; DROP TABLE t */":     nil,
		"SELECT 1; /*!40000 DROP TABLE t; */":     nil,
		"/*M! SELECT 1; */ SELECT 2":              nil,
		`SELECT 'a\'; SELECT 1; SELECT '`:         nil,
		`SELECT 'a\'; DROP TABLE t; SELECT '`:     nil,
		`SELECT "a\"; DROP TABLE t; SELECT "`:     nil,
		"SELECT '\xe6'; SELECT 1":                 nil,
		"BEGIN NOT ATOMIC SELECT 1; SELECT 2 END": nil,
	} {
		if got := SplitMySQLErrands(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// FuzzSplitMySQLErrands holds that each part is one statement and an errand.
func FuzzSplitMySQLErrands(f *testing.F) {
	for _, seed := range []string{"select 1; select 2", "/*!40101 SET NAMES utf8 */; BEGIN", `SELECT 'a\'; SELECT '`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range SplitMySQLErrands(text) {
			if errand, _ := MySQLErrandOf(s); errand == MySQLNeedsDatabase || !strings.Contains(text, s) {
				t.Errorf("%q: %q is errand %d", text, s, errand)
			}
		}
	})
}

// FuzzMySQLErrandOf holds that an errand is one statement, however it is read.
func FuzzMySQLErrandOf(f *testing.F) {
	for _, seed := range []string{"select @@version", "SHOW DATABASES LIKE 'a'", "SET @a = concat('a', \"b\")", "/*!40101 SET NAMES utf8 */", "SELECT 'a\\', f(), '", "select ? where 1 = ?", "select s.`a` b from `information_schema`.SCHEMATA as s where (c = 1)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		errand, of := MySQLPreparedErrandOf(text)
		if plain, _ := MySQLErrandOf(text); plain != errand && (plain != MySQLNeedsDatabase || !strings.Contains(text, "?")) {
			t.Errorf("%q is errand %d, and prepared %d", text, plain, errand)
		}
		if errand == MySQLNeedsDatabase {
			return
		}
		if errand == MySQLReadsDatabases {
			text = of
		}
		for _, mode := range []MySQLMode{{}, {ANSIQuotes: true}, {NoBackslashEscapes: true}, {MariaDB: true, Version: 101106}} {
			if n := len(SplitMySQL(text, mode)); n > 1 || n == 0 && !mode.MariaDB {
				t.Errorf("%q is errand %d, and %d statements with %+v", text, errand, n, mode)
			}
		}
	})
}
