package test

import (
	"context"
	"errors"
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
			w.kind, w.loop = "the client", func() error { return w.client(d.clientArguments()) }
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
