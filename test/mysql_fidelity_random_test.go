package test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Sessions at once build, rename and drop the same few objects, with failures of
// every kind; the queue is what took effect, in an order that can be run again.
func TestReplayOfTheQueueRebuildsWhatRandomMySQLSessionsDid(t *testing.T) {
	seed := testSeed(t)
	source := shared.mysqlUnlimited(t, "my-random", "tenant")
	source.load(t, `DELIMITER $$
		CREATE PROCEDURE make(name TEXT, unit TEXT) BEGIN
			SET @ddl = CONCAT('CREATE TABLE ', name, ' (id INT /* ', unit, ' */)');
			PREPARE s FROM @ddl;
			EXECUTE s;
		END$$`)
	sessions := make([]*randomMySQLSession, randomSessions)
	for i := range sessions {
		sessions[i] = &randomMySQLSession{number: i, random: rand.New(rand.NewPCG(seed, uint64(i))), conn: source.connect(t)}
		if err := execMySQL(sessions[i].conn, "SET lock_wait_timeout = 5, innodb_lock_wait_timeout = 5"); err != nil {
			t.Fatal(err)
		}
	}
	var running sync.WaitGroup
	for _, s := range sessions {
		running.Go(s.run)
	}
	running.Wait()
	tried, committed := map[string]bool{}, 0
	for _, s := range sessions {
		if s.broken != nil {
			t.Fatalf("session %d: %v", s.number, s.broken)
		}
		committed += len(s.committed)
		for _, unit := range s.tried {
			tried[unit] = true
		}
	}
	mustBeOneVersionAStatement(t, source.queue(t), tried)
	if committed < randomSessions*randomUnits/10 {
		t.Errorf("only %d units succeeded: the test tries too little", committed)
	}
	source.dropBrokenViews(t)
	mustRebuildMySQL(t, source)
}

// dropBrokenViews drops the views that can't be read any more, which no dump
// can describe.
func (d mysqlDatabase) dropBrokenViews(t *testing.T) {
	t.Helper()
	conn := d.connect(t)
	for _, table := range []string{"t0", "t1", "t2", "t3", "t4", "t5"} {
		var refused *mysql.MySQLError
		if errors.As(execMySQL(conn, "SHOW FIELDS FROM v_"+table), &refused) && refused.Number == 1356 {
			if err := execMySQL(conn, "DROP VIEW v_"+table); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// mustBeOneVersionAStatement checks that versions count up from 1 without a gap,
// one for each statement, which is what a MySQL server commits.
func mustBeOneVersionAStatement(t *testing.T, entries []entry, tried map[string]bool) {
	t.Helper()
	marked := 0
	for i, e := range entries {
		if e.Version != int64(i+1) {
			t.Errorf("entry %d is number %d and has version %d", e.ID, i+1, e.Version)
		}
		if unit := mysqlUnit.FindString(e.DDL); unit != "" {
			marked++
			if !tried[unit] {
				t.Errorf("entry %d is of %s, which no session sent: %s", e.ID, unit, e.DDL)
			}
		}
	}
	if marked < randomSessions*randomUnits/10 {
		t.Errorf("only %d of %d entries say what they are of: the test tries too little", marked, len(entries))
	}
}

var mysqlUnit = regexp.MustCompile(`unit_\d+_\d+_`)

// randomMySQLSession is one client that runs random units.
type randomMySQLSession struct {
	number    int
	random    *rand.Rand
	conn      *sql.Conn
	unit      string // mark of the unit at hand, in each of its statements
	tried     []string
	committed []string // marks of acknowledged units
	broken    error    // the connection failed, which no statement may cause
	unchecked bool     // foreign keys are, in this session
}

func (s *randomMySQLSession) run() {
	kinds := []func() error{s.simple, s.simple, s.prepared, s.message, s.transaction, s.dynamic, s.procedure, s.compound, s.setting}
	for n := range randomUnits {
		s.unit = fmt.Sprintf("unit_%d_%d_", s.number, n)
		s.tried = append(s.tried, s.unit)
		err := kinds[s.random.IntN(len(kinds))]()
		var refused *mysql.MySQLError
		switch {
		case err == nil:
			s.committed = append(s.committed, s.unit)
		case !errors.As(err, &refused):
			s.broken = fmt.Errorf("%s: %w", s.unit, err)
			return
		}
	}
}

func (s *randomMySQLSession) simple() error { return execMySQL(s.conn, s.statement()) }

// prepared goes by the binary protocol, twice.
func (s *randomMySQLSession) prepared() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stmt, err := s.conn.PrepareContext(ctx, s.statement())
	if err != nil {
		return err
	}
	defer stmt.Close()
	_, err = stmt.ExecContext(ctx)
	if err == nil && s.random.IntN(3) == 0 {
		_, err = stmt.ExecContext(ctx)
	}
	return err
}

// message is several statements in one query; those before the first that
// fails take effect.
func (s *randomMySQLSession) message() error {
	statements := []string{s.statement(), s.statement(), s.statement()}
	return execMySQL(s.conn, strings.Join(statements[:1+s.random.IntN(3)], "; "))
}

// transaction shows that a rollback undoes no schema change.
func (s *randomMySQLSession) transaction() error {
	for _, text := range []string{"START TRANSACTION", "INSERT INTO t0 (id) VALUES (1)", s.statement(), "ROLLBACK"} {
		if err := execMySQL(s.conn, text); err != nil {
			return errors.Join(err, execMySQL(s.conn, "ROLLBACK"))
		}
	}
	return nil
}

// dynamic runs a statement by its text in a variable.
func (s *randomMySQLSession) dynamic() error {
	text := strings.ReplaceAll(s.statement(), "'", "''")
	if s.random.IntN(2) == 0 {
		return execMySQL(s.conn, "EXECUTE IMMEDIATE '"+text+"'")
	}
	return execMySQL(s.conn, "PREPARE s FROM '"+text+"'; EXECUTE s; EXECUTE s; DEALLOCATE PREPARE s")
}

func (s *randomMySQLSession) procedure() error {
	return execMySQL(s.conn, fmt.Sprintf("CALL make('%s', '%s')", s.table(), s.unit))
}

// compound is a block with a handler that hides a failure.
func (s *randomMySQLSession) compound() error {
	return execMySQL(s.conn, fmt.Sprintf("BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; %s; %s; END", s.statement(), s.statement()))
}

// setting changes what later statements mean.
func (s *randomMySQLSession) setting() error {
	text := one(s.random, "SET sql_mode = 'ANSI_QUOTES'", "SET sql_mode = DEFAULT", "SET sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'",
		"SET foreign_key_checks = 0", "SET foreign_key_checks = 1", "SET NAMES latin1", "SET NAMES utf8mb4", "SET collation_connection = utf8mb4_bin", "SET time_zone = '+05:00'")
	if check, is := strings.CutPrefix(text, "SET foreign_key_checks = "); is {
		s.unchecked = check == "0"
	}
	return execMySQL(s.conn, text)
}

func (s *randomMySQLSession) table() string { return one(s.random, "t0", "t1", "t2", "t3", "t4", "t5") }

func (s *randomMySQLSession) column() string { return one(s.random, "c0", "c1", "c2", "c3") }

// statement is one statement that may change the schema, and may fail.
func (s *randomMySQLSession) statement() string {
	t, c, u := s.table(), s.column(), s.unit
	parent := s.table()
	if s.unchecked {
		// Servers log a key to a table that was not there behind the table's
		// CREATE, if both run at once. It is then checked where it is replayed.
		parent = t
	}
	kinds := []string{
		fmt.Sprintf("CREATE TABLE %s (id INT AUTO_INCREMENT PRIMARY KEY, c0 TEXT /* %s */)", t, u),
		fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, c1 INT DEFAULT 7, c2 VARCHAR(20)) COMMENT '%s; x'", t, u),
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (id INT /* %s */)", t, u),
		fmt.Sprintf("CREATE OR REPLACE TABLE %s (id INT /* %s */, c3 INT)", t, u),
		fmt.Sprintf("CREATE TABLE copy_%s AS SELECT 1 AS one, 2.5 AS two", u),
		fmt.Sprintf("CREATE TABLE like_%s LIKE %s", u, t),
		fmt.Sprintf("DROP TABLE /* %s */ %s", u, t),
		fmt.Sprintf("DROP TABLE /* %s */ IF EXISTS %s, %s", u, t, s.table()),
		fmt.Sprintf("DROP TABLE /* %s */ %s, %s", u, t, s.table()),
		fmt.Sprintf("ALTER TABLE /* %s */ %s ADD COLUMN %s INT", u, t, c),
		fmt.Sprintf("ALTER TABLE /* %s */ %s ADD COLUMN IF NOT EXISTS %s VARCHAR(9) DEFAULT ';'", u, t, c),
		fmt.Sprintf("ALTER TABLE /* %s */ %s DROP COLUMN %s", u, t, c),
		fmt.Sprintf("ALTER TABLE /* %s */ %s RENAME COLUMN %s TO %s", u, t, c, s.column()),
		fmt.Sprintf("ALTER TABLE /* %s */ %s RENAME TO %s", u, t, s.table()),
		fmt.Sprintf("ALTER TABLE /* %s */ %s MODIFY %s BIGINT", u, t, c),
		fmt.Sprintf("RENAME TABLE /* %s */ %s TO %s, %s TO %s", u, t, s.table(), s.table(), s.table()),
		fmt.Sprintf("ALTER TABLE /* %s */ %s ADD CONSTRAINT fk_%s FOREIGN KEY (id) REFERENCES %s (id)", u, t, u, parent),
		fmt.Sprintf("CREATE INDEX /* %s */ %s_%s ON %s (%s)", u, t, c, t, c),
		fmt.Sprintf("CREATE INDEX IF NOT EXISTS /* %s */ %s_%s ON %s (%s)", u, t, c, t, c),
		fmt.Sprintf("DROP INDEX /* %s */ %s_%s ON %s", u, t, c, t),
		fmt.Sprintf("CREATE VIEW v_%s AS SELECT '%s' AS unit, %s.* FROM %s", t, u, t, t),
		fmt.Sprintf("CREATE OR REPLACE VIEW v_%s AS SELECT '%s' AS unit, id FROM %s", t, u, t),
		fmt.Sprintf("DROP VIEW /* %s */ IF EXISTS v_%s", u, t),
		fmt.Sprintf("CREATE TRIGGER touch_%s BEFORE UPDATE ON %s FOR EACH ROW SET @touched = '%s'", t, t, u),
		fmt.Sprintf("CREATE OR REPLACE TRIGGER touch_%s BEFORE INSERT ON %s FOR EACH ROW BEGIN SET @a = '%s'; SET @b = 1; END", t, t, u),
		fmt.Sprintf("DROP TRIGGER /* %s */ IF EXISTS touch_%s", u, t),
		fmt.Sprintf("CREATE OR REPLACE FUNCTION f_%s() RETURNS TEXT RETURN '%s; x'", t, u),
		fmt.Sprintf("CREATE PROCEDURE p_%s() BEGIN SELECT '%s'; SELECT 2; END", t, u),
		fmt.Sprintf("DROP PROCEDURE /* %s */ IF EXISTS p_%s", u, t),
		fmt.Sprintf("CREATE EVENT IF NOT EXISTS e_%s ON SCHEDULE AT '2035-01-01 00:00:00' DO SET @x = '%s'", t, u),
		fmt.Sprintf("ALTER EVENT e_%s ON SCHEDULE AT '2036-01-01 00:00:00' COMMENT '%s'", t, u),
		fmt.Sprintf("ALTER EVENT e_%s COMMENT '%s'", t, u),
		fmt.Sprintf("ALTER EVENT e_%s RENAME TO e_%s COMMENT '%s'", t, s.table(), u),
		fmt.Sprintf("DROP EVENT /* %s */ e_%s", u, t),
		fmt.Sprintf("DROP EVENT /* %s */ IF EXISTS e_%s", u, t),
		fmt.Sprintf("CREATE SEQUENCE IF NOT EXISTS q_%s /* %s */ START WITH %d", t, u, 1+s.random.IntN(9)),
		fmt.Sprintf("DROP SEQUENCE /* %s */ IF EXISTS q_%s", u, t),
		fmt.Sprintf("INSERT INTO %s (id) VALUES (%d)", t, s.random.IntN(100)),
		fmt.Sprintf("TRUNCATE TABLE %s", t),
		fmt.Sprintf("CREATE TEMPORARY TABLE temp_%s (id INT)", u),
		fmt.Sprintf("DROP TABLE temp_%s", u),
		"SELECT 1 / 0",
		"SELEC nonsense",
	}
	// Tables must be there for the rest to mean anything.
	return one(s.random, slices.Concat(kinds, kinds[:4], kinds[:3])...)
}
