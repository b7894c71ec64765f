package test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// randomSession is one client that runs random units: what commits or rolls
// back together.
type randomSession struct {
	number    int
	random    *rand.Rand
	conn      *pgconn.PgConn
	unit      string   // mark of the unit at hand, in each of its statements
	committed []string // marks of acknowledged units
	broken    error    // the connection failed, which no statement may cause
}

func (s *randomSession) run() {
	kinds := []func() error{
		s.simple, s.extended, s.message, s.transaction, s.transaction, s.transaction, s.block, s.function, s.pipeline, s.preparedTwice, s.setting,
	}
	for n := range randomUnits {
		s.unit = fmt.Sprintf("unit_%d_%d_", s.number, n)
		err := kinds[s.random.IntN(len(kinds))]()
		var refused *pgconn.PgError
		switch {
		case err == nil:
			s.committed = append(s.committed, s.unit)
		case !errors.As(err, &refused) && !errors.Is(err, errRolledBack), s.conn.IsClosed():
			s.broken = fmt.Errorf("%s: %w", s.unit, err)
			return
		}
	}
}

// errRolledBack is the outcome of a transaction that did not commit.
var errRolledBack = errors.New("rolled back")

// send runs sql in one of the two query protocols.
func (s *randomSession) send(sql string) error {
	if s.random.IntN(2) == 0 {
		return exec1(s.conn, sql)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := s.conn.ExecParams(ctx, sql, nil, nil, nil, nil).Close()
	return err
}

func (s *randomSession) simple() error { return exec1(s.conn, s.direct()) }

func (s *randomSession) extended() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := s.conn.ExecParams(ctx, s.direct(), nil, nil, nil, nil).Close()
	return err
}

// message is several statements in one simple query, which is one transaction.
func (s *randomSession) message() error {
	statements := []string{s.direct(), s.direct(), s.direct()}
	return exec1(s.conn, strings.Join(statements[:1+s.random.IntN(3)], "; "))
}

// pipeline is several statements up to one Sync, which is one transaction.
func (s *randomSession) pipeline() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p := s.conn.StartPipeline(ctx)
	for range 2 {
		p.SendQueryParams(s.direct(), nil, nil, nil, nil)
	}
	if err := p.Sync(); err != nil {
		return err
	}
	return p.Close()
}

// preparedTwice parses a statement once and executes it twice in a transaction.
func (s *randomSession) preparedTwice() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := s.conn.Prepare(ctx, s.unit, s.direct(), nil); err != nil {
		return err
	}
	if err := s.send("BEGIN"); err != nil {
		return err
	}
	for range 2 {
		if _, err := s.conn.ExecPrepared(ctx, s.unit, nil, nil, nil).Close(); err != nil {
			return errors.Join(err, s.send("ROLLBACK"))
		}
	}
	return s.send("COMMIT")
}

// setting changes how later names are looked up. No path has two schemas: a name
// found in the second while another session makes it in the first means
// something else in every order of the two units (docs/schema-changes.md).
func (s *randomSession) setting() error {
	return s.send(one(s.random, "SET search_path = other", "SET search_path = public", "RESET search_path", "SET search_path TO DEFAULT"))
}

// function makes a table by dynamic SQL inside a function.
func (s *randomSession) function() error {
	return s.send(fmt.Sprintf("SELECT public.make('%s', '%s')", s.table(), s.unit))
}

// block runs statements in a DO block, some undone by an exception handler.
func (s *randomSession) block() error {
	handled := one(s.random, "PERFORM 1 / 0;", "")
	return s.send(fmt.Sprintf("DO $do$ BEGIN EXECUTE $q$%s$q$; BEGIN EXECUTE $q$%s$q$; %s EXCEPTION WHEN OTHERS THEN NULL; END; END $do$",
		s.statement(), s.statement(), handled))
}

// transaction runs statements and savepoints between BEGIN and COMMIT or
// ROLLBACK. A failure is undone with its savepoint, or ends the transaction.
func (s *randomSession) transaction() error {
	if err := s.send(one(s.random, "BEGIN", "START TRANSACTION", "BEGIN ISOLATION LEVEL REPEATABLE READ")); err != nil {
		return err
	}
	var savepoints []string
	for n := range 1 + s.random.IntN(8) {
		var err error
		switch pick := s.random.IntN(10); {
		case pick < 2:
			name := fmt.Sprintf("s%d", n)
			err = s.send("SAVEPOINT " + name)
			savepoints = append(savepoints, name)
		case pick == 2 && len(savepoints) > 0:
			i := s.random.IntN(len(savepoints))
			err = s.send("ROLLBACK TO " + savepoints[i])
			savepoints = savepoints[:i+1]
		case pick == 3 && len(savepoints) > 0:
			i := s.random.IntN(len(savepoints))
			err = s.send("RELEASE " + savepoints[i])
			savepoints = savepoints[:i]
		default:
			err = s.send(s.direct())
		}
		if err == nil {
			continue
		}
		if len(savepoints) == 0 {
			return errors.Join(s.send("ROLLBACK"), errRolledBack)
		}
		if err := s.send("ROLLBACK TO " + savepoints[len(savepoints)-1]); err != nil {
			return err
		}
	}
	if s.random.IntN(4) == 0 {
		return errors.Join(s.send("ROLLBACK"), errRolledBack)
	}
	return s.send(one(s.random, "COMMIT", "END"))
}

func (s *randomSession) table() string { return one(s.random, "t0", "t1", "t2", "t3", "t4", "t5") }

func (s *randomSession) column() string { return one(s.random, "c0", "c1", "c2", "c3") }

// direct is one statement that may be among those that the server reports only
// where the proxy sees them (docs/schema-changes.md).
func (s *randomSession) direct() string {
	t := s.table()
	switch s.random.IntN(15) {
	case 0:
		return fmt.Sprintf("EXPLAIN ANALYZE CREATE TABLE explained_%s AS SELECT 1 AS one", s.unit)
	case 1:
		return fmt.Sprintf("CLUSTER %s USING %s_%s", t, t, s.column())
	}
	return s.statement()
}

// statement is one statement that may change the schema, and may fail.
func (s *randomSession) statement() string {
	t, c, u := s.table(), s.column(), s.unit
	kinds := []string{
		// Names that the server makes up keep clear of those that are there at
		// that moment, also of what another session has dropped and not yet
		// committed; see docs/schema-changes.md.
		fmt.Sprintf("CREATE TABLE %s (id int GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME s_%[1]s_%[2]s) CONSTRAINT k_%[1]s_%[2]s PRIMARY KEY, c0 text)", t, u),
		fmt.Sprintf("CREATE TABLE %s (id int CONSTRAINT k_%[1]s_%[2]s PRIMARY KEY, c1 int DEFAULT 7, c2 text)", t, u),
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (id int /* %s */)", t, u),
		fmt.Sprintf("CREATE TABLE copy_%s AS SELECT 1 AS one", u),
		fmt.Sprintf("DROP TABLE /* %s */ %s", u, t),
		fmt.Sprintf("DROP TABLE /* %s */ IF EXISTS %s CASCADE", u, t),
		fmt.Sprintf("ALTER TABLE /* %s */ %s ADD COLUMN %s int", u, t, c),
		fmt.Sprintf("ALTER TABLE /* %s */ %s ADD COLUMN IF NOT EXISTS %s text", u, t, c),
		fmt.Sprintf("ALTER TABLE /* %s */ %s DROP COLUMN %s CASCADE", u, t, c),
		fmt.Sprintf("ALTER TABLE /* %s */ %s RENAME COLUMN %s TO %s", u, t, c, s.column()),
		fmt.Sprintf("ALTER TABLE /* %s */ %s RENAME TO %s", u, t, s.table()),
		fmt.Sprintf("ALTER TABLE /* %s */ %s ALTER COLUMN %s TYPE text USING %s::text", u, t, c, c),
		fmt.Sprintf("ALTER TABLE /* %s */ %s SET SCHEMA %s", u, t, one(s.random, "other", "public")),
		fmt.Sprintf("ALTER TABLE /* %s */ %s ADD FOREIGN KEY (id) REFERENCES %s", u, t, s.table()),
		fmt.Sprintf("CREATE INDEX /* %s */ %s_%s ON %s (%s)", u, t, c, t, c),
		fmt.Sprintf("DROP INDEX /* %s */ %s_%s", u, t, c),
		fmt.Sprintf("CREATE VIEW v_%s /* %s */ AS SELECT * FROM %s", t, u, t),
		fmt.Sprintf("CREATE OR REPLACE VIEW v_%s /* %s */ AS SELECT id FROM %s", t, u, t),
		fmt.Sprintf("DROP VIEW /* %s */ IF EXISTS v_%s", u, t),
		fmt.Sprintf("COMMENT ON TABLE %s IS '%s; a comment'", t, u),
		fmt.Sprintf("GRANT SELECT /* %s */ ON %s TO PUBLIC", u, t),
		fmt.Sprintf("REVOKE SELECT /* %s */ ON %s FROM PUBLIC", u, t),
		fmt.Sprintf("CREATE TYPE e_%s AS ENUM ('a', '%s')", t, u),
		fmt.Sprintf("ALTER TYPE e_%s RENAME VALUE 'a' TO '%s'", t, u),
		fmt.Sprintf("DROP TYPE /* %s */ e_%s", u, t),
		fmt.Sprintf("CREATE OR REPLACE FUNCTION f_%s() RETURNS text LANGUAGE sql AS $f$ SELECT '%s; x' $f$", t, u),
		fmt.Sprintf("DROP FUNCTION /* %s */ IF EXISTS f_%s()", u, t),
		fmt.Sprintf("CREATE TRIGGER touch BEFORE UPDATE /* %s */ ON %s FOR EACH ROW EXECUTE FUNCTION public.touch()", u, t),
		fmt.Sprintf("ALTER TABLE /* %s */ %s ALTER COLUMN id SET INCREMENT BY %d", u, t, 1+s.random.IntN(5)),
		fmt.Sprintf("INSERT INTO %s (id) VALUES (%d)", t, s.random.IntN(100)),
		fmt.Sprintf("UPDATE %s SET id = id + 1000", t),
		fmt.Sprintf("CREATE TEMP TABLE temp_%s (id int)", u),
		"SELECT 1 / 0",
		"SELEC nonsense",
	}
	// Tables must be there for the rest to mean anything.
	return one(s.random, slices.Concat(kinds, kinds[:3], kinds[:3])...)
}
