package ddltrack

import (
	"strings"
	"testing"
)

func seedsMySQL(f *testing.F) {
	f.Helper()
	for _, sql := range []string{
		"CREATE TABLE a (i INT); DROP TABLE a, b", "CREATE PROCEDURE p() BEGIN IF a THEN SELECT 1; END IF; END; SELECT 1",
		"SELECT 'x\\'', \"d\"\"e\", `q``r`, 1--1 -- x\n # y\n /* z */", "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.a = 1 */",
		"ALTER TABLE s.a ADD COLUMN (b INT, c INT), ADD CONSTRAINT d CHECK (b > 1), RENAME TO e, ADD PARTITION (PARTITION p VALUES IN (1)) PARTITION BY HASH (a)",
		"RENAME TABLE a TO b, b TO a", "CREATE OR REPLACE ALGORITHM=MERGE DEFINER=CURRENT_USER() SQL SECURITY INVOKER VIEW v AS SELECT 1",
		"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN END", "BEGIN NOT ATOMIC DROP TABLE a; END", "l: LOOP END LOOP", "SET STATEMENT a = 1 FOR DROP INDEX i ON a",
		"CREATE PACKAGE BODY p AS PROCEDURE a AS BEGIN END; END", "DROP TABLE IF EXISTS `a`.`b`", "CREATE UNIQUE INDEX i ON a (b)", "ALTER DATABASE COLLATE x",
		"DROP DATABASE a", "PREPARE s FROM 'drop\\nschema a'", "EXECUTE IMMEDIATE CONCAT('DROP ', \"DATABASE ''a\", '')",
		"'", "`", "/*", "/*!", "/*M!1", "*/", "#", "--", "CREATE", "ALTER TABLE", "((((", "é", "DROP TABLE .a", "CREATE DEFINER=", "END",
	} {
		f.Add(sql, uint8(0))
		f.Add(sql, uint8(0xff))
	}
}

// fuzzMode is a mode made of bits.
func fuzzMode(bits uint8) MySQLMode {
	return MySQLMode{ANSIQuotes: bits&1 != 0, NoBackslashEscapes: bits&2 != 0, Oracle: bits&4 != 0, MariaDB: bits&8 != 0}
}

func FuzzSplitMySQL(f *testing.F) {
	seedsMySQL(f)
	f.Fuzz(func(t *testing.T, sql string, bits uint8) {
		from := 0
		for _, s := range SplitMySQL(sql, fuzzMode(bits)) {
			if s.Text == "" || s.Offset < from || !strings.HasPrefix(sql[s.Offset:], s.Text) {
				t.Fatalf("%q is not at %d, which is not before %d", s.Text, s.Offset, from)
			}
			from = s.Offset + len(s.Text)
		}
	})
}

func FuzzDescribeMySQL(f *testing.F) {
	seedsMySQL(f)
	f.Fuzz(func(t *testing.T, sql string, bits uint8) {
		mode := fuzzMode(bits)
		for _, s := range SplitMySQL(sql, mode) {
			d := DescribeMySQL(s, MySQLCommand{Database: "shop"})
			if d.Reversible != (d.Reverse != "") || d.Reversible == (d.WhyNot != "") {
				t.Fatalf("%+v", d)
			}
			// The cheap look must never miss what the description finds.
			if d.Schema && !MayChangeSchemaMySQL([]byte(sql)) {
				t.Fatalf("%q passed as harmless", s.Text)
			}
			if plain := (MySQLMode{MariaDB: mode.MariaDB}); mode == plain && d.Operation == "DROP DATABASE" && !DropsDatabaseMySQL([]byte(sql)) {
				t.Fatalf("%q would drop the database", s.Text)
			}
			if d.Reversible {
				if list := SplitMySQL(d.Reverse, mode); len(list) != 1 || !DescribeMySQL(list[0], MySQLCommand{Database: "shop"}).Schema {
					t.Fatalf("%q: the reverse %q is no statement", s.Text, d.Reverse)
				}
			}
			WithoutDefinerMySQL(s, "a")
			if moved := MovedMySQL(s, "s", "s", false); DescribeMySQL(moved, MySQLCommand{Database: "shop"}).Identity != d.Identity {
				t.Fatalf("%q moved to where it is becomes %q", s.Text, moved.Text)
			}
		}
	})
}

// Whatever is refused to tenants is a change of the schema to who records them.
func FuzzDefinesMySQL(f *testing.F) {
	seedsMySQL(f)
	for _, sql := range []string{"PREPARE s FROM 'PREPARE s FROM ''DROP TABLE t'''", `EXECUTE IMMEDIATE 'CREATE\nTABLE "'`, "CREATE TEMPORARY TABLE t (a INT)"} {
		f.Add(sql, uint8(0))
	}
	f.Fuzz(func(t *testing.T, sql string, _ uint8) {
		defines := DefinesMySQL([]byte(sql))
		if defines && !MayChangeSchemaMySQL([]byte(sql)) {
			t.Fatalf("%q passed as harmless", sql)
		}
		for _, mode := range []MySQLMode{{}, {MariaDB: true}} {
			for _, s := range SplitMySQL(sql, mode) {
				if d := DescribeMySQL(s, MySQLCommand{Database: "shop"}); d.Schema && !d.Temporary && !defines {
					t.Fatalf("%q is let pass", s.Text)
				}
			}
		}
	})
}
