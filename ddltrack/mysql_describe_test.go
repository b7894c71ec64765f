package ddltrack

import (
	"slices"
	"strings"
	"testing"
)

// describeMySQL describes a statement of a session in the database shop.
func describeMySQL(sql string, mode MySQLMode) MySQLDescription {
	list := SplitMySQL(sql, mode)
	if len(list) != 1 {
		return MySQLDescription{Description: Description{Operation: "not one statement"}}
	}
	return DescribeMySQL(list[0], MySQLCommand{Database: "shop"})
}

// Every kind of statement of both manuals: what it is, what it is about, and
// what undoes it ("-" where nothing does exactly).
func TestDescribeMySQLKnowsEveryStatement(t *testing.T) {
	for _, test := range []struct{ sql, operation, object, identity, reverse string }{
		{"CREATE TABLE users (id INT)", "CREATE TABLE", "users", "shop.users", "DROP TABLE IF EXISTS `users`;"},
		{"create table `we``ird`(id INT)", "CREATE TABLE", "we`ird", "shop.`we``ird`", "DROP TABLE IF EXISTS `we``ird`;"},
		{"CREATE TABLE IF NOT EXISTS other.users LIKE people", "CREATE TABLE", "other.users", "other.users", "DROP TABLE IF EXISTS `other`.`users`;"},
		{"CREATE OR REPLACE TABLE users (id INT)", "CREATE TABLE", "users", "shop.users", "-"},
		{"CREATE TABLE t (a INT) WITH SYSTEM VERSIONING", "CREATE TABLE", "t", "shop.t", "DROP TABLE IF EXISTS `t`;"},
		{"CREATE TABLE t (a INT, PERIOD FOR p (s, e), CHECK (a > 1))", "CREATE TABLE", "t", "shop.t", "DROP TABLE IF EXISTS `t`;"},
		{"CREATE VIEW v AS SELECT 1", "CREATE VIEW", "v", "shop.v", "DROP VIEW IF EXISTS `v`;"},
		{"CREATE OR REPLACE ALGORITHM=MERGE DEFINER=`a`@`%` SQL SECURITY INVOKER VIEW v AS SELECT 1", "CREATE VIEW", "v", "shop.v", "-"},
		{"CREATE JSON RELATIONAL DUALITY VIEW v AS SELECT JSON_DUALITY_OBJECT('a': a) FROM t", "CREATE VIEW", "v", "shop.v", "DROP VIEW IF EXISTS `v`;"},
		{"ALTER VIEW v AS SELECT 2", "ALTER VIEW", "v", "shop.v", "-"},
		{"DROP VIEW IF EXISTS v, w", "DROP VIEW", "v, w", "shop.v", "-"},
		{"CREATE UNIQUE INDEX i ON users (a)", "CREATE INDEX", "i on users", "shop.users.index i", "DROP INDEX `i` ON `users`;"},
		{"CREATE FULLTEXT INDEX i USING BTREE ON other.users (a)", "CREATE INDEX", "other.i on users", "other.users.index i", "DROP INDEX `i` ON `other`.`users`;"},
		{"DROP INDEX i ON users", "DROP INDEX", "i on users", "shop.users.index i", "-"},
		{"DROP TABLE a, b", "DROP TABLE", "a, b", "shop.a", "-"},
		{"DROP TABLES IF EXISTS a CASCADE", "DROP TABLE", "a", "shop.a", "-"},
		{"RENAME TABLE a TO b", "RENAME TABLE", "b", "shop.b", "RENAME TABLE `b` TO `a`;"},
		{"RENAME TABLE a TO tmp, b TO a, tmp TO b", "RENAME TABLE", "tmp", "shop.tmp", "RENAME TABLE `b` TO `tmp`, `a` TO `b`, `tmp` TO `a`;"},
		{"RENAME TABLE IF EXISTS a WAIT 5 TO other.b", "RENAME TABLE", "other.b", "other.b", "RENAME TABLE `other`.`b` TO `a`;"},
		{"CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW SET NEW.a = 1", "CREATE TRIGGER", "t", "shop.trigger t", "DROP TRIGGER IF EXISTS `t`;"},
		{"CREATE DEFINER = CURRENT_USER() TRIGGER t AFTER DELETE ON users FOR EACH ROW DELETE FROM x", "CREATE TRIGGER", "t", "shop.trigger t", "DROP TRIGGER IF EXISTS `t`;"},
		{"DROP TRIGGER IF EXISTS t", "DROP TRIGGER", "t", "shop.trigger t", "-"},
		{"CREATE PROCEDURE P(a INT) SELECT a", "CREATE PROCEDURE", "P", "shop.procedure p", "DROP PROCEDURE IF EXISTS `P`;"},
		{"CREATE OR REPLACE PROCEDURE p() SELECT 1", "CREATE PROCEDURE", "p", "shop.procedure p", "-"},
		{"ALTER PROCEDURE p COMMENT 'x'", "ALTER PROCEDURE", "p", "shop.procedure p", "-"},
		{"DROP PROCEDURE p", "DROP PROCEDURE", "p", "shop.procedure p", "-"},
		{"CREATE AGGREGATE FUNCTION f(x INT) RETURNS INT BEGIN RETURN 1; END", "CREATE FUNCTION", "f", "shop.function f", "DROP FUNCTION IF EXISTS `f`;"},
		{"ALTER FUNCTION f SQL SECURITY INVOKER", "ALTER FUNCTION", "f", "shop.function f", "-"},
		{"DROP FUNCTION IF EXISTS f", "DROP FUNCTION", "f", "shop.function f", "-"},
		{"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM a", "CREATE EVENT", "e", "shop.event e", "DROP EVENT IF EXISTS `e`;"},
		{"ALTER DEFINER='a'@'%' EVENT e DISABLE", "ALTER EVENT", "e", "shop.event e", "-"},
		{"ALTER EVENT e ON SCHEDULE AT (NOW() + INTERVAL 1 DAY) RENAME TO f COMMENT 'x'", "ALTER EVENT", "f", "shop.event f", "-"},
		{"ALTER EVENT e RENAME TO other.f DO SELECT 1", "ALTER EVENT", "other.f", "other.event f", "-"},
		{"ALTER EVENT e DO ALTER TABLE a RENAME TO b", "ALTER EVENT", "e", "shop.event e", "-"},
		{"DROP EVENT e", "DROP EVENT", "e", "shop.event e", "-"},
		{"CREATE SEQUENCE s START WITH 1", "CREATE SEQUENCE", "s", "shop.s", "DROP SEQUENCE IF EXISTS `s`;"},
		{"ALTER SEQUENCE IF EXISTS s RESTART 5", "ALTER SEQUENCE", "s", "shop.s", "-"},
		{"DROP SEQUENCE s", "DROP SEQUENCE", "s", "shop.s", "-"},
		{"CREATE PACKAGE p PROCEDURE a(); END", "CREATE PACKAGE", "p", "shop.package p", "DROP PACKAGE IF EXISTS `p`;"},
		{"CREATE PACKAGE BODY p PROCEDURE a() SELECT 1; END", "CREATE PACKAGE BODY", "p", "shop.package body p", "DROP PACKAGE BODY IF EXISTS `p`;"},
		{"CREATE LIBRARY l LANGUAGE JAVASCRIPT AS 'x'", "CREATE LIBRARY", "l", "shop.library l", "DROP LIBRARY IF EXISTS `l`;"},
		{"ALTER DATABASE CHARACTER SET latin1", "ALTER DATABASE", "shop", "shop", "-"},
		{"ALTER SCHEMA shop COLLATE utf8mb4_bin", "ALTER DATABASE", "shop", "shop", "-"},
		{"/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.a = 1 */", "CREATE TRIGGER", "t", "shop.trigger t", "DROP TRIGGER IF EXISTS `t`;"},
		{"/*!50001 CREATE ALGORITHM=UNDEFINED */ /*!50013 DEFINER=`a`@`%` SQL SECURITY DEFINER */ /*!50001 VIEW `v` AS select 1 */", "CREATE VIEW", "v", "shop.v", "DROP VIEW IF EXISTS `v`;"},
		{"SET STATEMENT lock_wait_timeout = (1), max_statement_time = 2 FOR CREATE TABLE a (i INT)", "CREATE TABLE", "a", "shop.a", "DROP TABLE IF EXISTS `a`;"},
	} {
		d := describeMySQL(test.sql, MySQLMode{MariaDB: true})
		reverse := d.Reverse
		if !d.Reversible {
			reverse = "-"
		}
		if !d.Schema || d.Operation != test.operation || d.Object != test.object || d.Identity != test.identity || reverse != test.reverse {
			t.Errorf("%s\n got %v %q %q %q %q\nwant %q %q %q %q", test.sql, d.Schema, d.Operation, d.Object, d.Identity, reverse,
				test.operation, test.object, test.identity, test.reverse)
		}
		if d.Reversible == (d.WhyNot != "") {
			t.Errorf("%s: reversible %v, because %q", test.sql, d.Reversible, d.WhyNot)
		}
	}
}

func TestDescribeMySQLLeavesOutWhatIsNoSchema(t *testing.T) {
	for _, sql := range []string{
		"TRUNCATE TABLE a", "TRUNCATE a", "CREATE USER a", "DROP USER a", "GRANT SELECT ON a TO b", "CREATE DATABASE a", "DROP DATABASE a", "DROP PREPARE s",
		"ALTER USER a", "RENAME USER a TO b", "ANALYZE TABLE a", "OPTIMIZE TABLE a", "INSERT INTO a VALUES (1)", "CREATE SERVER s FOREIGN DATA WRAPPER mysql",
		"CREATE TABLESPACE t", "CREATE ROLE r", "ALTER TABLE a ANALYZE PARTITION p", "ALTER TABLE a TRUNCATE PARTITION p", "ALTER TABLE a ENABLE KEYS",
		"ALTER TABLE a ORDER BY b", "ALTER TABLE a FORCE, ALGORITHM = INPLACE", "FLUSH TABLES", "CREATE", "CREATE TABLE", "DROP TABLE", "",
		"CREATE SPATIAL REFERENCE SYSTEM 1 NAME 'x'", "CREATE RESOURCE GROUP r TYPE = USER", "INSTALL PLUGIN a SONAME 'b'", "XA START 'x'",
	} {
		if d := describeMySQL(sql+" ", MySQLMode{MariaDB: true}); d.Schema || d.Reversible {
			t.Errorf("%s: %+v", sql, d)
		}
	}
}

func TestDescribeMySQLUndoesAlterTable(t *testing.T) {
	mysql, maria := MySQLMode{}, MySQLMode{MariaDB: true}
	for _, test := range []struct {
		clauses string
		mode    MySQLMode
		reverse string // behind ALTER TABLE `t`; or part of the reason, after "-"
	}{
		{"ADD COLUMN a INT", mysql, "DROP COLUMN `a`"},
		{"ADD a INT NOT NULL DEFAULT (1 + 2) AFTER b, ALGORITHM=INSTANT, LOCK=DEFAULT", mysql, "DROP COLUMN `a`"},
		{"ADD a INT, ADD COLUMN b TEXT FIRST", mysql, "DROP COLUMN `a`, DROP COLUMN `b`"},
		{"ADD COLUMN (a INT, `b,c` ENUM('x,y', 'z'))", mysql, "DROP COLUMN `a`, DROP COLUMN `b,c`"},
		{"ADD COLUMN IF NOT EXISTS a INT", maria, "DROP COLUMN `a`"},
		{"ADD COLUMN IF NOT EXISTS a INT, ADD COLUMN b INT", maria, "-may have been there"},
		{"ADD COLUMN IF NOT EXISTS a INT DEFAULT (1) AFTER b", maria, "-may have been there"},
		{"ADD COLUMN IF NOT EXISTS a INT FIRST", maria, "-may have been there"},
		{"ADD COLUMN IF NOT EXISTS a INT, FORCE", maria, "-may have been there"},
		{"ADD COLUMN IF NOT EXISTS `first` INT, ALGORITHM=COPY", maria, "DROP COLUMN `first`"},
		{"ADD a INT FIRST, FORCE", maria, "DROP COLUMN `a`"},
		{"RENAME COLUMN IF EXISTS a TO b", maria, "-may have been there"},
		{"RENAME INDEX IF EXISTS a TO b", maria, "-may have been there"},
		{"ADD a INT REFERENCES o (id)", maria, "-foreign key's name"},
		{"ADD INDEX i (a, b(10) DESC)", mysql, "DROP INDEX `i`"},
		{"ADD KEY i USING BTREE (a)", mysql, "DROP INDEX `i`"},
		{"ADD INDEX (a)", mysql, "-chose the index's name"},
		{"ADD INDEX USING HASH (a)", mysql, "-chose the index's name"},
		{"ADD UNIQUE (a)", mysql, "-chose the index's name"},
		{"ADD CONSTRAINT u UNIQUE (a)", mysql, "DROP INDEX `u`"},
		{"ADD CONSTRAINT u UNIQUE KEY i (a)", mysql, "DROP INDEX `i`"},
		{"ADD FULLTEXT KEY f (a) WITH PARSER ngram", mysql, "DROP INDEX `f`"},
		{"ADD SPATIAL INDEX s (a)", mysql, "DROP INDEX `s`"},
		{"ADD VECTOR INDEX v (a) M=8", maria, "DROP INDEX `v`"},
		{"ADD vector INT", mysql, "DROP COLUMN `vector`"},
		{"ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES o (id)", maria, "DROP FOREIGN KEY IF EXISTS `f`, DROP INDEX IF EXISTS `f`"},
		{"ADD CONSTRAINT f FOREIGN KEY g (a) REFERENCES o (id)", mysql, "-made an index"},
		{"ADD FOREIGN KEY (a) REFERENCES o (id)", mysql, "-chose the foreign key's name"},
		{"ADD CONSTRAINT c CHECK (a > 1)", mysql, "DROP CONSTRAINT `c`"},
		{"ADD CHECK (a > 1)", mysql, "-chose the constraint's name"},
		{"ADD PRIMARY KEY (a)", mysql, "-stay NOT NULL"},
		{"ADD CONSTRAINT PRIMARY KEY (a)", mysql, "-stay NOT NULL"},
		{"ADD SYSTEM VERSIONING", maria, "DROP SYSTEM VERSIONING"},
		{"ADD PARTITION (PARTITION p VALUES LESS THAN (5), PARTITION q VALUES IN (1, 2))", mysql, "DROP PARTITION `p`, `q`"},
		{"ADD PARTITION PARTITIONS 2", mysql, "-not kept"},
		{"RENAME COLUMN a TO b", mysql, "RENAME COLUMN `b` TO `a`"},
		{"RENAME INDEX a TO b, RENAME KEY c TO d", mysql, "RENAME INDEX `d` TO `c`, RENAME INDEX `b` TO `a`"},
		{"ADD a INT, RENAME COLUMN b TO c", mysql, "RENAME COLUMN `c` TO `b`, DROP COLUMN `a`"},
		{"MODIFY a BIGINT", mysql, "-not convert back"},
		{"CHANGE COLUMN a b INT", mysql, "-not convert back"},
		{"DROP COLUMN a", mysql, "-data are gone"},
		{"DROP a", mysql, "-data are gone"},
		{"DROP INDEX a", mysql, "-index's definition"},
		{"DROP PRIMARY KEY", mysql, "-constraint's definition"},
		{"DROP FOREIGN KEY a", mysql, "-constraint's definition"},
		{"DROP CHECK a", mysql, "-constraint's definition"},
		{"DROP PARTITION a", mysql, "-data are gone"},
		{"ALTER a SET DEFAULT 5", mysql, "-not kept"},
		{"ALTER INDEX a INVISIBLE", mysql, "-not kept"},
		{"ENGINE = MyISAM", mysql, "-not kept"},
		{"COMMENT = 'ADD COLUMN a INT'", mysql, "-not kept"},
		{"CONVERT TO CHARACTER SET latin1", mysql, "-not kept"},
		{"PARTITION BY HASH (a) PARTITIONS 3", mysql, "-not kept"},
		{"ADD a INT PARTITION BY HASH (a)", mysql, "-not kept"},
		{"REMOVE PARTITIONING", mysql, "-not kept"},
		{"EXCHANGE PARTITION p WITH TABLE o", mysql, "-not kept"},
	} {
		d := describeMySQL("ALTER ONLINE TABLE t "+test.clauses, test.mode)
		if !d.Schema || d.Operation != "ALTER TABLE" || d.Object != "t" {
			t.Errorf("%s: %+v", test.clauses, d)
		}
		if reason, none := strings.CutPrefix(test.reverse, "-"); none {
			if d.Reversible || !strings.Contains(d.WhyNot, reason) {
				t.Errorf("%s: got %q, because %q", test.clauses, d.Reverse, d.WhyNot)
			}
		} else if d.Reverse != "ALTER TABLE `t` "+test.reverse+";" {
			t.Errorf("%s: got %q, because %q", test.clauses, d.Reverse, d.WhyNot)
		}
	}
}

func TestDescribeMySQLUndoesARenameOfTheTable(t *testing.T) {
	d := describeMySQL("ALTER TABLE t ADD a INT, RENAME TO u", MySQLMode{})
	if want := "ALTER TABLE `u` RENAME TO `t`, DROP COLUMN `a`;"; d.Reverse != want {
		t.Errorf("got %q, want %q", d.Reverse, want)
	}
	if len(d.Renames) != 1 || d.Renames[0].From.Name != "t" || d.Renames[0].To.Name != "u" {
		t.Errorf("renames %+v", d.Renames)
	}
}

func TestDescribeMySQLUsesWhatTheServerKnows(t *testing.T) {
	describe := func(sql string, c MySQLCommand) MySQLDescription {
		c.Database = "shop"
		return DescribeMySQL(SplitMySQL(sql, MySQLMode{})[0], c)
	}
	foreign := "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES o (id)"
	if d := describe(foreign, MySQLCommand{Indexes: []string{"PRIMARY", "F"}}); d.Reverse != "ALTER TABLE `t` DROP FOREIGN KEY `f`, DROP INDEX `f`;" {
		t.Errorf("with its index: %q", d.Reverse)
	}
	if d := describe(foreign, MySQLCommand{Indexes: []string{"PRIMARY"}}); d.Reverse != "ALTER TABLE `t` DROP FOREIGN KEY `f`;" {
		t.Errorf("without an index: %q", d.Reverse)
	}
	if d := describe("CREATE OR REPLACE VIEW v AS SELECT 1", MySQLCommand{Created: true}); d.Reverse != "DROP VIEW IF EXISTS `v`;" {
		t.Errorf("a new view: %q because %q", d.Reverse, d.WhyNot)
	}
	if d := describe("CREATE TABLE Users (id INT)", MySQLCommand{FoldNames: true}); d.Identity != "shop.users" {
		t.Errorf("folded: %q", d.Identity)
	}
}

func TestDescribeMySQLMarksWhatNeedsMoreThanTheText(t *testing.T) {
	for sql, want := range map[string][3]bool{ // temporary, conditional, copies
		"CREATE TEMPORARY TABLE a (i INT)":                          {true, false, false},
		"DROP TEMPORARY TABLE a":                                    {true, false, false},
		"CREATE TABLE IF NOT EXISTS a (i INT)":                      {false, true, false},
		"DROP TABLE IF EXISTS a":                                    {false, true, false},
		"CREATE OR REPLACE VIEW a AS SELECT 1":                      {false, true, false},
		"ALTER TABLE a ADD COLUMN IF NOT EXISTS b INT":              {false, true, false},
		"ALTER TABLE a DROP INDEX IF EXISTS b":                      {false, true, false},
		"CREATE TABLE a SELECT 1":                                   {false, false, true},
		"CREATE TABLE a AS (SELECT 1)":                              {false, false, true},
		"CREATE TABLE a (b INT) ENGINE=InnoDB AS SELECT 1 AS b":     {false, false, true},
		"CREATE TABLE a LIKE b":                                     {false, false, true},
		"CREATE TABLE a (LIKE b)":                                   {false, false, true},
		"CREATE TABLE a TABLE b":                                    {false, false, true},
		"CREATE TABLE a (b INT AS (1)) COMMENT='AS SELECT'":         {false, false, false},
		"CREATE TABLE a (b INT) PARTITION BY HASH (b) PARTITIONS 2": {false, false, false},
	} {
		if d := describeMySQL(sql, MySQLMode{MariaDB: true}); [3]bool{d.Temporary, d.Conditional, d.Copies} != want {
			t.Errorf("%s: got %v %v %v, want %v", sql, d.Temporary, d.Conditional, d.Copies, want)
		}
	}
}

func TestDescribeMySQLNamesWhatAChangeNeeds(t *testing.T) {
	for _, test := range []struct {
		sql, identity string
		needs, not    []string
	}{
		{"ALTER TABLE users ADD COLUMN Email INT", "shop.users.email", []string{"shop.users"}, nil},
		{"ALTER TABLE users ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES other.far (id)", "shop.users", []string{"other.far", "other.far.id", "shop.users.a"}, nil},
		{"ALTER TABLE users DROP COLUMN a", "shop.users", []string{"shop.users.a"}, nil},
		{"ALTER TABLE users CHANGE a b INT", "shop.users", []string{"shop.users.a"}, nil},
		{"ALTER TABLE users DROP INDEX a", "shop.users", []string{"shop.users.index a"}, []string{"shop.users.a"}},
		{"ALTER TABLE users ADD COLUMN c INT AS (a + 1)", "shop.users.c", []string{"shop.users.a"}, nil},
		{"CREATE TABLE o (u INT, FOREIGN KEY (u) REFERENCES users (id))", "shop.o", []string{"shop.users", "shop.users.id"}, []string{"shop.o.u"}},
		{"CREATE TABLE o LIKE users", "shop.o", []string{"shop.users"}, nil},
		{"CREATE TABLE o (a INT) WITH SYSTEM VERSIONING AS SELECT * FROM users", "shop.o", []string{"shop.users"}, nil},
		{"CREATE VIEW v AS SELECT u.a FROM users u JOIN orders USING (id)", "shop.v", []string{"shop.users", "shop.orders", "shop.users.a"}, nil},
		{"CREATE VIEW v AS SELECT NEXTVAL(s), NEXT VALUE FOR s FROM users FOR SYSTEM_TIME ALL", "shop.v", []string{"shop.users"}, nil},
		{"CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW SET NEW.a = 1", "shop.trigger t", []string{"shop.users"}, nil},
		{"CREATE INDEX i ON users (a, (lower(b)))", "shop.users.index i", []string{"shop.users", "shop.users.a", "shop.users.b"}, nil},
		{"DROP TABLE a, b", "shop.a", []string{"shop.b"}, nil},
		{"RENAME TABLE a TO b", "shop.b", []string{"shop.a"}, nil},
		{"DROP TRIGGER t", "shop.trigger t", nil, nil},
	} {
		d := describeMySQL(test.sql, MySQLMode{MariaDB: true})
		if d.Identity != test.identity {
			t.Errorf("%s: identity %s, want %s", test.sql, d.Identity, test.identity)
		}
		for _, want := range test.needs {
			if !slices.Contains(d.References, want) {
				t.Errorf("%s: references %v lack %s", test.sql, d.References, want)
			}
		}
		for _, not := range append(test.not, d.Identity) {
			if slices.Contains(d.References, not) {
				t.Errorf("%s: references %v have %s", test.sql, d.References, not)
			}
		}
	}
}

func TestDescribeMySQLWarnsOfWhatIsCertain(t *testing.T) {
	for sql, want := range map[string][]string{
		"ALTER TABLE users ADD COLUMN a INT":                      nil,
		"ALTER TABLE users ADD COLUMN a INT NOT NULL DEFAULT 1":   nil,
		"ALTER TABLE users ADD COLUMN a INT NOT NULL":             {"rows that are there get the type's zero value, since the column has no default"},
		"ALTER TABLE users ADD COLUMN a INT AS (b + 1) STORED":    {"rewrites the table"},
		"ALTER TABLE users ADD UNIQUE INDEX i (a)":                {"fails where values repeat"},
		"ALTER TABLE users DROP COLUMN a, DROP PARTITION p":       {"deletes the column's data", "deletes the partition's rows"},
		"ALTER TABLE users CONVERT TO CHARACTER SET latin1":       {"rewrites the table"},
		"RENAME TABLE users TO people":                            {"queries that use the old name fail"},
		"DROP TABLE users":                                        {"deletes the table's rows"},
		"DROP VIEW users":                                         nil,
		"CREATE OR REPLACE TABLE users (id INT)":                  {"deletes the rows of a table that it replaces"},
		"CREATE INDEX i ON users (a)":                             nil,
		"ALTER TABLE users ADD INDEX i (a), ALGORITHM = INPLACE ": nil,
	} {
		if d := describeMySQL(sql, MySQLMode{}); !slices.Equal(d.Warnings, want) {
			t.Errorf("%s: got %q, want %q", sql, d.Warnings, want)
		}
	}
}

func TestWithoutDefinerMySQLIsTheClientsStatement(t *testing.T) {
	for logged, want := range map[string]string{
		"CREATE DEFINER=`w`@`%` TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.a = 1":                         "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.a = 1",
		"CREATE ALGORITHM=UNDEFINED DEFINER=`w`@`%` SQL SECURITY DEFINER VIEW `v` AS select 1":                   "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `v` AS select 1",
		"CREATE DEFINER=`someone`@`%` PROCEDURE p() SELECT 'DEFINER=`w`@`%`'":                                    "CREATE DEFINER=`someone`@`%` PROCEDURE p() SELECT 'DEFINER=`w`@`%`'",
		"DROP TABLE `a` /* generated by server */":                                                               "DROP TABLE `a`",
		"CREATE OR REPLACE DEFINER='w'@'%' EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1":                          "CREATE OR REPLACE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
		"ALTER DEFINER=`w`@`%` EVENT e DISABLE":                                                                  "ALTER EVENT e DISABLE",
		"CREATE PROCEDURE p() SELECT 1":                                                                          "CREATE PROCEDURE p() SELECT 1",
		"CREATE DEFINER=`w`":                                                                                     "CREATE DEFINER=`w`",
		"CREATE TABLE a (d VARCHAR(20) DEFAULT 'DEFINER=`w`@`%`')":                                               "CREATE TABLE a (d VARCHAR(20) DEFAULT 'DEFINER=`w`@`%`')",
		"CREATE OR REPLACE ALGORITHM=MERGE DEFINER=`w`@`localhost` SQL SECURITY INVOKER VIEW v AS select 1 AS x": "CREATE OR REPLACE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW v AS select 1 AS x",
	} {
		if got := WithoutDefinerMySQL(MySQLStatement{Text: logged}, "w"); got.Text != want {
			t.Errorf("%s\n got %s\nwant %s", logged, got.Text, want)
		}
	}
}

func TestDescribeMySQLReadsNoMoreThanItsBound(t *testing.T) {
	columns := strings.Repeat("ADD COLUMN a INT, ", maxMySQLRead/len("ADD COLUMN a INT, ")+10) + "DROP COLUMN b"
	if d := describeMySQL("ALTER TABLE t "+columns, MySQLMode{}); d.Reversible || d.Object != "t" {
		t.Errorf("reversible %v, object %q", d.Reversible, d.Object)
	}
	deep := "CREATE VIEW v AS SELECT " + strings.Repeat("(", 200_000) + "1" + strings.Repeat(")", 200_000) + " FROM t"
	if d := describeMySQL(deep, MySQLMode{}); d.Object != "v" || !slices.Contains(d.References, "shop.t") {
		t.Errorf("object %q, references %v", d.Object, d.References)
	}
}

func TestDropMySQLKeepsWhatWasThere(t *testing.T) {
	s := SplitMySQL("DROP TABLE /* why */ `a`, shop.b, other.`c` RESTRICT /* behind */", MySQLMode{})[0]
	c := MySQLCommand{Database: "shop"}
	d := DescribeMySQL(s, c)
	if got, want := DropMySQL(s, c, []MySQLObject{d.Drops[0], d.Drops[2]}).Text, "DROP TABLE /* why */ `a`, `other`.`c` RESTRICT"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
