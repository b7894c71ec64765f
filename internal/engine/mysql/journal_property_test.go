package mysql

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// chance makes statements on a few names, so that they often meet.
type chance struct{ *rand.Rand }

func (r chance) of(list ...string) string { return list[r.IntN(len(list))] }
func (r chance) table() string            { return r.of("a", "b", "c", "`d e`") }
func (r chance) column() string           { return r.of("x", "y", "z") }

func (r chance) statement(mariaDB bool) string {
	ifNot, ifExists := r.of("", "IF NOT EXISTS "), r.of("", "IF EXISTS ")
	replace := r.of("", "OR REPLACE ")
	n := r.IntN(100)
	switch r.IntN(18) {
	case 0, 1, 2:
		return fmt.Sprintf("CREATE TABLE %s%s (id int PRIMARY KEY, x int DEFAULT %d)", ifNot, r.table(), n)
	case 3:
		return "DROP TABLE " + ifExists + r.table() + r.of("", ", "+r.table())
	case 4, 5:
		return fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s varchar(%d)", r.table(), r.column(), n+1)
	case 6:
		return "ALTER TABLE " + r.table() + " DROP COLUMN " + r.column()
	case 7:
		return "RENAME TABLE " + r.table() + " TO " + r.table()
	case 8:
		return fmt.Sprintf("CREATE INDEX i%d ON %s (x)", n%3, r.table())
	case 9:
		return fmt.Sprintf("CREATE %sVIEW v%d AS SELECT x, %d AS n FROM %s", replace, n%3, n, r.table())
	case 10:
		return fmt.Sprintf("DROP VIEW %sv%d", ifExists, n%3)
	case 11:
		return fmt.Sprintf("CREATE PROCEDURE p%d() SELECT %d", n%3, n)
	case 12:
		return fmt.Sprintf("DROP PROCEDURE %sp%d", ifExists, n%3)
	case 13:
		return fmt.Sprintf("CREATE TRIGGER t%d BEFORE INSERT ON %s FOR EACH ROW SET @n = %d", n%3, r.table(), n)
	case 14:
		return fmt.Sprintf("DROP TRIGGER %st%d", ifExists, n%3)
	case 15:
		return fmt.Sprintf("CREATE EVENT %se%d ON SCHEDULE EVERY %d DAY STARTS '2033-01-01 00:00:00' DISABLE DO SELECT 1", ifNot, n%2, n+1)
	case 16:
		return r.of("INSERT INTO "+r.table()+" (id) VALUES (1)", "TRUNCATE TABLE "+r.table(), "CREATE TEMPORARY TABLE IF NOT EXISTS temp (q int)", "DROP TABLE IF EXISTS temp, "+r.table(), "ALTER TABLE temp ADD z int")
	}
	if mariaDB {
		return r.of("ALTER TABLE "+r.table()+" ADD COLUMN IF NOT EXISTS y int", "CREATE "+replace+"SEQUENCE s", "CREATE OR REPLACE TABLE c (x int)",
			"DROP SEQUENCE IF EXISTS s", "CREATE INDEX IF NOT EXISTS i0 ON a (x)", "RENAME TABLE IF EXISTS a TO b", "ALTER TABLE a COMMENT 'c'")
	}
	return r.of("ALTER TABLE a COMMENT 'c'", "ALTER TABLE b CONVERT TO CHARACTER SET latin1", "ALTER TABLE c ENGINE = MyISAM")
}

// Whatever sessions do at once, failed or not, replaying the journal rebuilds
// the schema.
func TestReplayOfAnyHistoryRebuildsTheSchema(t *testing.T) {
	e := newEngine(t)
	for seed := range uint64(6) {
		target := newTracked(t, e)
		var wg sync.WaitGroup
		for worker := range uint64(3) {
			s := newSession(t, e, target)
			announces := worker > 0
			wg.Go(func() {
				r := chance{rand.New(rand.NewPCG(seed, worker))}
				for range 60 {
					sql := r.statement(e.known().mariaDB)
					if announces {
						e.Announce(target, s.id, sql)
					}
					// Many fail: the names are few.
					_ = s.exec(context.Background(), sql)
					if r.IntN(10) == 0 {
						if _, err := e.Changes(context.Background(), target); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wg.Wait()
		list := changes(t, e, target)
		if len(list) < 20 {
			t.Errorf("seed %d: only %d changes", seed, len(list))
		}
		t.Logf("seed %d: %d changes", seed, len(list))
		wantReplay(t, e, target, list)
	}
}
