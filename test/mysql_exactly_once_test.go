package test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

func TestKilledAtAnyMomentTheQueueIsWhatMySQLHolds(t *testing.T) {
	kills := 100
	if testing.Short() {
		kills = 10
	}
	c := &crashTest{in: newInstallation(t, "mysql"), clients: 6}
	blocks := c.in.mysqlKind(t) == "mariadb"
	c.begin = func(t *testing.T, id string) crashing {
		return crashingMySQL{c.in.mysqlUnlimited(t, id, "tenant"), blocks}
	}
	c.run(t, kills)
}

// crashingMySQL is a workspace of MySQL whose program is killed, its server with
// it.
type crashingMySQL struct {
	mysqlDatabase
	blocks bool // the server runs blocks outside of procedures
}

// clients are four sessions of a driver, a client program, and one that uses the
// admin API.
func (d crashingMySQL) clients(t *testing.T, _ context.Context, writers []*crashWriter) {
	t.Helper()
	for i, base := range writers {
		w := &mysqlWriter{crashWriter: base, blocks: d.blocks}
		base.refused = refusedByMySQL
		switch i {
		case 4:
			w.kind, w.loop = "the client", func() error {
				return w.program("; SELECT 'done';", "mariadb", append(d.clientArguments(), "--unbuffered")...)
			}
		case 5:
			w.kind, w.loop = "the API", func() error { return w.api(d.database) }
		default:
			w.kind, w.loop, w.conn = "a driver", w.driver, d.connect(t)
		}
	}
}

func refusedByMySQL(err error) bool {
	refused, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && string(refused.SQLState[:]) != "08S01"
}

// words are without the quotes of names: what a block drops is recorded as the
// server wrote it into its log, with every name quoted.
func (d crashingMySQL) words(_ *testing.T, e entry) string {
	return strings.ReplaceAll(e.DDL, "`", "")
}

func (d crashingMySQL) made(t *testing.T, entries []entry) map[string][]string {
	t.Helper()
	plain := slices.Clone(entries)
	for i, e := range plain {
		plain[i].DDL = d.words(t, e)
	}
	return tablesOf(t, plain)
}

func (d crashingMySQL) mustReplay(t *testing.T, entries []entry) {
	t.Helper()
	mustReplayMySQLPlain(t, d.mysqlDatabase, entries)
}

func (d crashingMySQL) held(t *testing.T) map[string][]string {
	t.Helper()
	conn := d.connect(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	rows, err := conn.QueryContext(ctx, "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	tables := map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		tables[table] = append(tables[table], strings.ToLower(column))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return tables
}

// mysqlWriter is a client of MySQL.
type mysqlWriter struct {
	*crashWriter
	conn   *sql.Conn
	blocks bool // the server runs blocks outside of procedures
}

// driver sends units in every way that a driver can.
func (w *mysqlWriter) driver() error {
	kinds := []func() error{w.simple, w.prepared, w.message, w.dynamic, w.rolledBack}
	if w.blocks {
		kinds = append(kinds, w.block)
	}
	for {
		if err := kinds[w.random.IntN(len(kinds))](); err != nil {
			return err
		}
	}
}

func (w *mysqlWriter) simple() error {
	s := w.statement()
	return w.sent(execMySQL(w.conn, s), s)
}

func (w *mysqlWriter) prepared() error {
	s := w.statement()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stmt, err := w.conn.PrepareContext(ctx, s)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx)
	return w.sent(errors.Join(err, stmt.Close()), s)
}

func (w *mysqlWriter) message() error {
	a, b := w.statement(), w.statement()
	return w.sent(execMySQL(w.conn, a+"; SELECT 1; "+b), a, b)
}

func (w *mysqlWriter) dynamic() error {
	s := w.statement()
	return w.sent(execMySQL(w.conn, "PREPARE s FROM '"+s+"'; EXECUTE s; DEALLOCATE PREPARE s"), s)
}

// rolledBack is a schema change that its transaction's rollback does not undo.
func (w *mysqlWriter) rolledBack() error {
	s := w.statement()
	return w.sent(execMySQL(w.conn, "START TRANSACTION; "+s+"; ROLLBACK"), s)
}

func (w *mysqlWriter) block() error {
	a, b := w.statement(), w.statement()
	return w.sent(execMySQL(w.conn, fmt.Sprintf("BEGIN NOT ATOMIC EXECUTE IMMEDIATE '%s'; %s; END", a, b)), a, b)
}

// clientArguments are those of MariaDB's programs.
func (d mysqlDatabase) clientArguments() []string {
	c := d.connection
	return []string{"--no-defaults", "--batch", "--skip-column-names", "--default-character-set=utf8mb4", "--host=127.0.0.1",
		fmt.Sprintf("--port=%v", c["port"]), "--user=" + c["user"].(string), "--password=" + c["password"].(string),
		"--ssl-ca=" + d.installation.CAFile, "--ssl-verify-server-cert", "--database=" + d.name}
}
