package mysql

import (
	"maps"
	"testing"
	"unicode/utf8"
)

func TestSettingsThatChangeTheMeaningAreKept(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	s.run("CREATE TABLE plain (a int)",
		"SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
		`CREATE TABLE "quoted" ("a" varchar(9) DEFAULT '\')`,
		"SET sql_mode = DEFAULT, foreign_key_checks = 0, unique_checks = 0",
		"CREATE TABLE child (a int, FOREIGN KEY (a) REFERENCES not_yet (id))",
		"SET foreign_key_checks = 1, unique_checks = 1, time_zone = '+03:00'",
		"CREATE EVENT ev ON SCHEDULE AT '2032-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE DO SELECT 1",
		"SET time_zone = DEFAULT, NAMES latin1",
		"CREATE VIEW v AS SELECT 'x' AS x",
		"SET NAMES utf8mb4 COLLATE utf8mb4_bin",
		"CREATE PROCEDURE p() SELECT 'x'",
		"SET NAMES utf8mb4",
		"CREATE TABLE parent (id int PRIMARY KEY)")
	s.run("SET explicit_defaults_for_timestamp = OFF", "CREATE TABLE stamps (a timestamp)")
	got := changes(t, e, target)
	want := []map[string]string{
		{},
		{sqlMode: "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"},
		{foreignKeyChecks: "OFF", uniqueChecks: "OFF"},
		{timeZone: "+03:00"},
		{characterSetClient: "latin1", collationConnection: "latin1_swedish_ci"},
		{collationConnection: "utf8mb4_bin"},
		{},
		{explicitTimestamps: "OFF"},
	}
	if len(got) != len(want) {
		t.Fatalf("%d changes, want %d: %q", len(got), len(want), statements(got))
	}
	for i, c := range got {
		if !maps.Equal(c.Session, want[i]) {
			t.Errorf("%s: session %v, want %v", c.Statement, c.Session, want[i])
		}
	}
	wantReplay(t, e, target, got)
}

// MySQL's log lacks the time zone of a prepared statement about an event.
func TestTimeZoneOfPreparedEventsIsKept(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	s.run("SET time_zone = '+05:00'",
		"PREPARE s FROM 'CREATE EVENT made ON SCHEDULE AT ''2036-01-01 00:00:00'' DO SET @x = 1'", "EXECUTE s",
		"PREPARE s FROM 'CREATE EVENT renamed ON SCHEDULE EVERY 1 DAY STARTS ''2036-01-01 00:00:00'' DO SET @x = 1'", "EXECUTE s",
		"SET time_zone = '+07:00'",
		"PREPARE s FROM 'ALTER EVENT renamed ON SCHEDULE EVERY 2 DAY STARTS ''2037-01-01 00:00:00'' RENAME TO altered'", "EXECUTE s")
	got := changes(t, e, target)
	wantStatements(t, got, "CREATE EVENT made ON SCHEDULE AT '2036-01-01 00:00:00' DO SET @x = 1",
		"CREATE EVENT renamed ON SCHEDULE EVERY 1 DAY STARTS '2036-01-01 00:00:00' DO SET @x = 1",
		"ALTER EVENT renamed ON SCHEDULE EVERY 2 DAY STARTS '2037-01-01 00:00:00' RENAME TO altered")
	for i, want := range map[int]string{0: "+05:00", 2: "+07:00"} {
		if got[i].Session[timeZone] != want {
			t.Errorf("%s: time zone %q, want %q", got[i].Statement, got[i].Session[timeZone], want)
		}
	}
	wantReplay(t, e, target, got)
}

func TestStatementsInOtherCharacterSetsAreReadable(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	s.run("SET NAMES latin1", "CREATE TABLE t (a varchar(9) DEFAULT 'gr\xfcn') COMMENT='\xe9'")
	got := changes(t, e, target)
	wantStatements(t, got, "CREATE TABLE t (a varchar(9) DEFAULT 'grün') COMMENT='é'")
	if !utf8.ValidString(got[0].Statement) {
		t.Error("statement is not UTF-8")
	}
	wantReplay(t, e, target, got)
}
