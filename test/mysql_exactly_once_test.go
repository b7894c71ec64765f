package test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	mysqlKills      = 100
	mysqlKillsShort = 10
)

// The program is killed, its MySQL server with it, at random moments of a stream
// of schema changes from several sessions, as for PostgreSQL.
func TestKilledAtAnyMomentTheQueueIsWhatMySQLHolds(t *testing.T) {
	c := &mysqlCrashTest{in: newInstallation(t, "mysql"), seed: testSeed(t), told: map[string]int{}}
	c.random = rand.New(rand.NewPCG(c.seed, 1))
	c.blocks = c.in.mysqlKind(t) == "mariadb"
	rounds := mysqlKills
	if testing.Short() {
		rounds = mysqlKillsShort
	}
	for c.round < rounds {
		c.inOneWorkspace(t, min(rounds, c.round+killsPerWorkspace))
	}
	t.Logf("%d kills, %d entries, acknowledged to %v", rounds, c.entries, c.told)
	for kind, n := range c.told {
		if n < rounds/10 {
			t.Errorf("%d statements acknowledged to %s in %d rounds: the test tries too little", n, kind, rounds)
		}
	}
}

// mysqlCrashTest is what goes on from one kill to the next.
type mysqlCrashTest struct {
	in      *installation
	seed    uint64
	random  *rand.Rand
	blocks  bool           // the server runs blocks outside of procedures
	round   int            // kills so far
	entries int            // in the queues of all workspaces
	told    map[string]int // acknowledged statements by kind of client
}

// inOneWorkspace kills the program until it has been killed that often, and
// replays what the workspace's queue holds then.
func (c *mysqlCrashTest) inOneWorkspace(t *testing.T, until int) {
	t.Helper()
	d := c.in.mysqlUnlimited(t, fmt.Sprintf("crash-%d", c.round), "tenant")
	h := history{}
	for ; c.round < until; c.round++ {
		writers := c.killed(t, d, h)
		h = mustAgreeMySQL(t, d, h, writers)
		if t.Failed() {
			t.Fatalf("after kill %d", c.round+1)
		}
	}
	c.entries += len(h.entries)
	mustReplayMySQLPlain(t, d, h.entries)
	c.in.must(t, http.StatusOK, "DELETE", "/workspaces/"+d.id, nil)
}

// killed is one round: clients that change the schema, a kill, a start.
func (c *mysqlCrashTest) killed(t *testing.T, d mysqlDatabase, h history) []*mysqlCrashWriter {
	t.Helper()
	units := make(chan struct{}, 1<<12)
	writers := newMySQLWriters(t, d, c.seed, c.round, h, c.blocks, units)
	var running sync.WaitGroup
	for _, w := range writers {
		running.Go(w.run)
	}
	await(units, c.random.IntN(mostUnits), mostPatience)
	await(nil, 1, time.Duration(c.random.Int64N(int64(longestMoment))))
	c.in.kill()
	running.Wait()
	if err := c.in.start(); err != nil {
		t.Fatalf("start after kill %d: %v", c.round+1, err)
	}
	for _, w := range writers {
		if w.unexpected != nil {
			t.Fatalf("kill %d: %v", c.round+1, w.unexpected)
		}
		c.told[w.kind] += len(w.acknowledged)
	}
	return writers
}

// mustAgreeMySQL reads the queue after a kill and compares it with the database
// and with what the writers were told.
func mustAgreeMySQL(t *testing.T, d mysqlDatabase, before history, writers []*mysqlCrashWriter) history {
	t.Helper()
	now := history{entries: d.queue(t)}
	if len(now.entries) < len(before.entries) || !slices.EqualFunc(before.entries, now.entries[:len(before.entries)], sameEntry) {
		t.Fatalf("entries that were in the queue before have changed")
	}
	plain := withoutQuotes(now.entries)
	now.tables = tablesOf(t, plain)
	if held := d.tables(t); !maps.EqualFunc(held, now.tables, slices.Equal) {
		t.Errorf("the queue differs from the database:\n%s", differences(now.tables, held))
	}
	added := map[string]int{}
	for i, e := range plain[len(before.entries):] {
		if _, twice := added[e.DDL]; twice {
			t.Errorf("recorded twice: %s", e.DDL)
		}
		added[e.DDL] = i
	}
	for _, w := range writers {
		mustHaveRecorded(t, w.name, w.acknowledged, added)
	}
	return now
}

// withoutQuotes are entries in the words of the clients here: what a block drops
// is recorded as the server wrote it into its log, with every name quoted.
func withoutQuotes(entries []entry) []entry {
	plain := slices.Clone(entries)
	for i := range plain {
		plain[i].DDL = strings.ReplaceAll(plain[i].DDL, "`", "")
	}
	return plain
}

// mustHaveRecorded checks that what a client was told is there, in its order.
func mustHaveRecorded(t *testing.T, name string, acknowledged []string, added map[string]int) {
	t.Helper()
	last := -1
	for _, ddl := range acknowledged {
		i, recorded := added[ddl]
		if !recorded {
			t.Errorf("acknowledged to %s and lost: %s", name, ddl)
			continue
		}
		if i < last {
			t.Errorf("recorded before what %s had sent earlier: %s", name, ddl)
		}
		last = i
	}
}

// tables is what the database holds.
func (d mysqlDatabase) tables(t *testing.T) map[string][]string {
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
