package test

import (
	"fmt"
	"net/http"
	"testing"
)

// A statement that is reversible goes without a trace: the dump is what it was,
// and the queue too.
func TestMySQLRevertsRestoreTheDump(t *testing.T) {
	d := shared.mysqlUnlimited(t, "my-revert", "tenant")
	d.load(t, `CREATE TABLE parent (id INT PRIMARY KEY, name VARCHAR(20), KEY by_name (name));
		CREATE TABLE child (id INT PRIMARY KEY, parent_id INT, other_id INT, at DATE, KEY by_other (other_id));
		CREATE TABLE sorted (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (10));
		CREATE TABLE a (i INT); CREATE TABLE b (i INT, j INT);`)
	conn := d.connect(t)
	statements := []string{
		"CREATE TABLE made (id INT)",
		"CREATE TABLE made LIKE parent",
		"CREATE TABLE made (id INT, FOREIGN KEY (id) REFERENCES parent (id))",
		"ALTER TABLE child ADD COLUMN extra INT",
		"ALTER TABLE child ADD extra INT UNIQUE FIRST, ADD more TEXT AFTER id",
		"ALTER TABLE child ADD COLUMN (extra INT CHECK (extra > 1), more INT AS (id * 2))",
		"ALTER TABLE child ADD INDEX added (at), ADD UNIQUE INDEX also (at, id)",
		"ALTER TABLE child ADD CONSTRAINT added UNIQUE (at)",
		"ALTER TABLE child ADD CONSTRAINT added CHECK (id > 0)",
		"ALTER TABLE child ADD CONSTRAINT makes_an_index FOREIGN KEY (parent_id) REFERENCES parent (id)",
		"ALTER TABLE child ADD CONSTRAINT makes_none FOREIGN KEY (other_id) REFERENCES parent (id)",
		"ALTER TABLE child ADD CONSTRAINT f FOREIGN KEY (parent_id) REFERENCES parent (id), ADD COLUMN extra INT, RENAME COLUMN at TO since",
		"ALTER TABLE child RENAME INDEX by_other TO by_another",
		"ALTER TABLE child RENAME TO renamed, ADD COLUMN extra INT",
		"ALTER TABLE sorted ADD PARTITION (PARTITION b VALUES LESS THAN (20), PARTITION c VALUES LESS THAN MAXVALUE)",
		"RENAME TABLE child TO renamed",
		"RENAME TABLE a TO swap, b TO a, swap TO b",
		"CREATE INDEX added ON child (at, id)",
		"CREATE FULLTEXT INDEX added ON parent (name)",
		"CREATE VIEW seen AS SELECT id FROM parent",
		"CREATE OR REPLACE VIEW seen AS SELECT id FROM parent",
		"CREATE TRIGGER touch BEFORE INSERT ON child FOR EACH ROW SET NEW.id = 1",
		"CREATE PROCEDURE Done() BEGIN SELECT 1; SELECT 2; END",
		"CREATE FUNCTION done() RETURNS INT DETERMINISTIC RETURN 1",
		"CREATE EVENT done ON SCHEDULE EVERY 1 DAY DO SELECT 1",
		"CREATE TABLE `od``d; \"x\"` (`a``b` INT)",
	}
	if shared.mysqlKind(t) == "mariadb" {
		statements = append(statements,
			"CREATE OR REPLACE TABLE made (id INT)",
			"ALTER TABLE child ADD COLUMN IF NOT EXISTS extra INT, ALGORITHM = INPLACE",
			"ALTER TABLE child ADD SYSTEM VERSIONING",
			"CREATE SEQUENCE done START WITH 5",
		)
	}
	for _, s := range statements {
		before, entries := d.schema(t), d.queue(t)
		if err := execMySQL(conn, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		added := d.queue(t)[len(entries):]
		if len(added) != 1 || added[0].DDL != s {
			t.Fatalf("%s: queued as %+v", s, added)
		}
		d.installation.must(t, http.StatusOK, "POST", fmt.Sprintf("/workspaces/%s/diff/%d/revert", d.id, added[0].ID), nil)
		if after := d.schema(t); after != before {
			t.Errorf("%s\nreverted by %s:\n%s", s, added[0].Reverse, firstDifference(after, before))
		}
		if left := d.queue(t); len(left) != len(entries) {
			t.Errorf("%s: the queue has %+v after the revert", s, left[len(entries):])
		}
	}
}

// What has no exact reverse is refused with the reason, and so is what others
// stand on.
func TestMySQLRevertsThatAreNotExactAreRefused(t *testing.T) {
	d := shared.mysqlUnlimited(t, "my-irreversible", "tenant")
	conn := d.connect(t)
	revert := func(e entry) answer {
		return d.installation.call(t, "POST", fmt.Sprintf("/workspaces/%s/diff/%d/revert", d.id, e.ID), nil)
	}
	for _, s := range []string{
		"CREATE TABLE a (id INT PRIMARY KEY, n INT)",
		"CREATE TABLE b (id INT, KEY (id), CONSTRAINT f FOREIGN KEY (id) REFERENCES a (id))",
		"CREATE VIEW v AS SELECT n FROM a",
		"ALTER TABLE a MODIFY n BIGINT",
		"ALTER TABLE b DROP FOREIGN KEY f",
		"CREATE OR REPLACE VIEW v AS SELECT id FROM a",
		"DROP VIEW v",
	} {
		if err := execMySQL(conn, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	before := d.schema(t)
	for _, e := range d.queue(t) {
		if a := revert(e); a.status != http.StatusConflict {
			t.Errorf("%s: got %d %v, want 409", e.DDL, a.status, a.body)
		}
	}
	if after := d.schema(t); after != before {
		t.Errorf("a refused revert changed the schema:\n%s", firstDifference(after, before))
	}
}

// Clients whose bytes are not UTF-8: the queue has the statement as text, which
// means the same when it is replayed.
func TestReplayOfTheQueueKeepsOtherCharacterSets(t *testing.T) {
	d := shared.mysqlUnlimited(t, "my-charsets", "tenant")
	conn := d.connect(t)
	for _, s := range []string{
		"SET NAMES latin1",
		"CREATE TABLE latin (c VARCHAR(20) CHARACTER SET utf8mb4 DEFAULT 'M\xe4dchen' COMMENT 'gr\xfc\xdfe; \xa7')",
		"CREATE TABLE `st\xfchle` (`h\xf6he` INT)",
		"ALTER TABLE `st\xfchle` ADD COLUMN `l\xe4nge` INT",
		"SET NAMES gbk",
		"CREATE TABLE gbk (c VARCHAR(20) CHARACTER SET gbk DEFAULT '\xd5\x5c', d INT COMMENT 'b')",
		"SET NAMES utf8mb4",
		"CREATE TABLE emoji (c VARCHAR(20) DEFAULT '🙂', `日本` INT)",
	} {
		if err := execMySQL(conn, s); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
	}
	entries := d.queue(t)
	if want := "CREATE TABLE `stühle` (`höhe` INT)"; len(entries) != 5 || entries[1].DDL != want || entries[1].Object != "stühle" {
		t.Errorf("queue: %+v", entries)
	}
	mustRebuildMySQL(t, d)
	mustRedefineMySQL(t, d)
}
