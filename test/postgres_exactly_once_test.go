package test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestKilledAtAnyMomentTheQueueIsWhatTheDatabaseHolds(t *testing.T) {
	kills := 200
	if testing.Short() {
		kills = 20
	}
	c := &crashTest{in: newInstallation(t, "postgresql"), clients: 6}
	c.begin = func(t *testing.T, id string) crashing {
		d := c.in.workspace(t, id, "tenant")
		d.withoutLimits(t)
		return crashingPostgres{d}
	}
	c.run(t, kills)
}

// crashingPostgres is a workspace of PostgreSQL whose program is killed.
type crashingPostgres struct{ database }

// clients are four sessions of a driver, a psql, and one that uses the admin API.
func (d crashingPostgres) clients(t *testing.T, _ context.Context, writers []*crashWriter) {
	t.Helper()
	for i, base := range writers {
		w := &postgresWriter{crashWriter: base}
		base.refused = refusedByPostgres
		switch i {
		case 4:
			w.kind, w.loop = "psql", func() error {
				return w.program(";", "psql", "-X", "-v", "ON_ERROR_STOP=1", d.url)
			}
		case 5:
			w.kind, w.loop = "the API", func() error { return w.api(d.database) }
		default:
			w.kind, w.loop, w.conn = "a driver", w.driver, d.connect(t)
		}
	}
}

func refusedByPostgres(err error) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && !strings.HasPrefix(refused.Code, "57P") && !strings.HasPrefix(refused.Code, "08")
}

func (d crashingPostgres) words(_ *testing.T, e entry) string { return e.DDL }

func (d crashingPostgres) made(t *testing.T, entries []entry) map[string][]string {
	t.Helper()
	return tablesOf(t, entries)
}

func (d crashingPostgres) held(t *testing.T) map[string][]string {
	t.Helper()
	text := scalar(t, d.connect(t), `SELECT coalesce(string_agg(line, E'\n'), '') FROM (
		SELECT c.relname || ' ' || string_agg(a.attname, ' ' ORDER BY a.attnum) AS line
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 GROUP BY c.oid) tables`)
	tables := map[string][]string{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		tables[words[0]] = words[1:]
	}
	return tables
}

// mustReplay replays entries on a workspace that records nothing, which is
// quicker, and compares the dumps.
func (d crashingPostgres) mustReplay(t *testing.T, entries []entry) {
	t.Helper()
	replayed := d.installation.workspace(t, d.id+"-r", "control")
	replayed.withoutLimits(t)
	replayed.replay(t, renameRole(entries, d.role(t), replayed.role(t)))
	if got, want := replayed.schema(t), d.schema(t); got != want {
		t.Errorf("a replay of the queue differs from the workspace:\n%s", firstDifference(got, want))
	}
}

// postgresWriter is a client of PostgreSQL.
type postgresWriter struct {
	*crashWriter
	conn *pgconn.PgConn
}

// driver sends units in every way that a driver can.
func (w *postgresWriter) driver() error {
	kinds := []func() error{w.simple, w.extended, w.message, w.transaction, w.rolledBack, w.block, w.pipeline}
	for {
		if err := kinds[w.random.IntN(len(kinds))](); err != nil {
			return err
		}
	}
}

func (w *postgresWriter) simple() error {
	s := w.statement()
	return w.sent(exec1(w.conn, s), s)
}

func (w *postgresWriter) extended() error {
	s := w.statement()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := w.conn.ExecParams(ctx, s, nil, nil, nil, nil).Close()
	return w.sent(err, s)
}

func (w *postgresWriter) message() error {
	a, b := w.statement(), w.statement()
	return w.sent(exec1(w.conn, a+"; SELECT 1; "+b), a, b)
}

func (w *postgresWriter) transaction() error {
	a, undone, b := w.statement(), fmt.Sprintf("CREATE TABLE %s_undone%d (id int)", w.name, w.number), w.statement()
	for _, s := range []string{"BEGIN", a, "SAVEPOINT s", undone, "ROLLBACK TO s", b} {
		if err := exec1(w.conn, s); err != nil {
			return err
		}
	}
	return w.sent(exec1(w.conn, "COMMIT"), a, b)
}

func (w *postgresWriter) rolledBack() error {
	w.number++
	for _, s := range []string{"BEGIN", fmt.Sprintf("CREATE TABLE %s_undone%d (id int)", w.name, w.number), "ROLLBACK"} {
		if err := exec1(w.conn, s); err != nil {
			return err
		}
	}
	return nil
}

func (w *postgresWriter) block() error {
	a, b := w.statement(), w.statement()
	return w.sent(exec1(w.conn, fmt.Sprintf("DO $do$ BEGIN EXECUTE '%s'; %s; END $do$", a, b)), a, b)
}

func (w *postgresWriter) pipeline() error {
	a, b := w.statement(), w.statement()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p := w.conn.StartPipeline(ctx)
	p.SendQueryParams(a, nil, nil, nil, nil)
	p.SendQueryParams(b, nil, nil, nil, nil)
	if err := p.Sync(); err != nil {
		return err
	}
	return w.sent(p.Close(), a, b)
}
