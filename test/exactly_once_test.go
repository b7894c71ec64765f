package test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	kills      = 200
	killsShort = 20
	// Queue and database are read after each kill, so they are kept small.
	killsPerWorkspace = 25
	// A kill comes a moment after the clients were told of some units, so that
	// each round gets something done on any machine.
	mostUnits     = 8
	longestMoment = 20 * time.Millisecond
	mostPatience  = 10 * time.Second
)

// The program is killed at random moments of a stream of schema changes from
// several sessions, and started again on the same folder. Each time the queue
// is what the database holds: nothing lost, nothing twice, and whatever a
// client was told is there.
func TestKilledAtAnyMomentTheQueueIsWhatTheDatabaseHolds(t *testing.T) {
	c := &crashTest{in: newInstallation(t, "postgresql"), seed: testSeed(t), told: map[string]int{}}
	c.random = rand.New(rand.NewPCG(c.seed, 0))
	rounds := kills
	if testing.Short() {
		rounds = killsShort
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

// crashTest is what goes on from one kill to the next.
type crashTest struct {
	in      *installation
	seed    uint64
	random  *rand.Rand
	round   int            // kills so far
	entries int            // in the queues of all workspaces
	told    map[string]int // acknowledged statements by kind of client
}

// inOneWorkspace kills the program until it has been killed that often, and
// replays what the workspace's queue holds then.
func (c *crashTest) inOneWorkspace(t *testing.T, until int) {
	t.Helper()
	d := c.in.workspace(t, fmt.Sprintf("crash-%d", c.round), "tenant")
	d.withoutLimits(t)
	h := history{}
	for ; c.round < until; c.round++ {
		writers := c.killed(t, d, h)
		h = mustAgree(t, d, h, writers)
		if t.Failed() {
			t.Fatalf("after kill %d", c.round+1)
		}
	}
	c.entries += len(h.entries)
	mustReplayPlain(t, d, h.entries)
	c.in.must(t, http.StatusOK, "DELETE", "/workspaces/"+d.id, nil)
}

// killed is one round: clients that change the schema, a kill, a start.
func (c *crashTest) killed(t *testing.T, d database, h history) []*crashWriter {
	t.Helper()
	units := make(chan struct{}, 1<<12)
	writers := newWriters(t, d, c.seed, c.round, h, units)
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

// await receives n times, or until the time is over.
func await(from <-chan struct{}, n int, most time.Duration) {
	over := time.After(most)
	for range n {
		select {
		case <-from:
		case <-over:
			return
		}
	}
}

// history is the queue, and the tables with their columns that it makes.
type history struct {
	entries []entry
	tables  map[string][]string
}

// mustAgree reads the queue after a kill and compares it with the database and
// with what the writers were told.
func mustAgree(t *testing.T, d database, before history, writers []*crashWriter) history {
	t.Helper()
	now := history{entries: d.queue(t)}
	if len(now.entries) < len(before.entries) || !slices.EqualFunc(before.entries, now.entries[:len(before.entries)], sameEntry) {
		t.Fatalf("entries that were in the queue before have changed")
	}
	now.tables = tablesOf(t, now.entries)
	if held := d.tables(t); !maps.EqualFunc(held, now.tables, slices.Equal) {
		t.Errorf("the queue differs from the database:\n%s", differences(now.tables, held))
	}
	added := map[string]int{}
	for i, e := range now.entries[len(before.entries):] {
		if _, twice := added[e.DDL]; twice {
			t.Errorf("recorded twice: %s", e.DDL)
		}
		added[e.DDL] = i
	}
	for _, w := range writers {
		last := -1
		for _, ddl := range w.acknowledged {
			i, recorded := added[ddl]
			if !recorded {
				t.Errorf("acknowledged to %s and lost: %s", w.name, ddl)
			} else if i < last {
				t.Errorf("recorded before what %s had sent earlier: %s", w.name, ddl)
			}
			last = i
		}
	}
	return now
}

func sameEntry(a, b entry) bool {
	return a.ID == b.ID && a.Version == b.Version && a.DDL == b.DDL && maps.Equal(a.Session, b.Session)
}

var (
	createTable = regexp.MustCompile(`^CREATE TABLE (\w+) \(id int\)$`)
	addColumn   = regexp.MustCompile(`^ALTER TABLE (\w+) ADD COLUMN (\w+) int$`)
	dropTable   = regexp.MustCompile(`^DROP TABLE (\w+)$`)
)

// tablesOf runs the queue on an empty model; an entry that does not fit what
// came before it was recorded twice, or one before it was lost.
func tablesOf(t *testing.T, entries []entry) map[string][]string {
	t.Helper()
	tables := map[string][]string{}
	for _, e := range entries {
		if m := createTable.FindStringSubmatch(e.DDL); m != nil {
			if tables[m[1]] != nil {
				t.Errorf("entry %d makes a table that is there: %s", e.ID, e.DDL)
			}
			tables[m[1]] = []string{"id"}
		} else if m := addColumn.FindStringSubmatch(e.DDL); m != nil {
			if tables[m[1]] == nil || slices.Contains(tables[m[1]], m[2]) {
				t.Errorf("entry %d does not fit what came before: %s", e.ID, e.DDL)
			}
			tables[m[1]] = append(tables[m[1]], m[2])
		} else if m := dropTable.FindStringSubmatch(e.DDL); m != nil {
			if tables[m[1]] == nil {
				t.Errorf("entry %d drops what is not there: %s", e.ID, e.DDL)
			}
			delete(tables, m[1])
		} else {
			t.Errorf("entry %d was never sent: %s", e.ID, e.DDL)
		}
	}
	return tables
}

// tables is what the database holds.
func (d database) tables(t *testing.T) map[string][]string {
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

// differences names the tables that two sides disagree about.
func differences(queued, held map[string][]string) string {
	var lines []string
	for name, columns := range queued {
		if !slices.Equal(columns, held[name]) {
			lines = append(lines, fmt.Sprintf("%s: the queue has %v, the database %v", name, columns, held[name]))
		}
	}
	for name, columns := range held {
		if queued[name] == nil {
			lines = append(lines, fmt.Sprintf("%s: the queue has none, the database %v", name, columns))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// mustReplayPlain replays entries on a workspace that records nothing, which is
// quicker, and compares the dumps.
func mustReplayPlain(t *testing.T, source database, entries []entry) {
	t.Helper()
	replayed := source.installation.workspace(t, source.id+"-r", "control")
	replayed.withoutLimits(t)
	replayed.replay(t, renameRole(entries, source.role(t), replayed.role(t)))
	if got, want := replayed.schema(t), source.schema(t); got != want {
		t.Errorf("a replay of the queue differs from the workspace:\n%s", firstDifference(got, want))
	}
}
